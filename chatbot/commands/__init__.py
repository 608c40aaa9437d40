"""The sub-commands of ``kefu``, one module each."""
