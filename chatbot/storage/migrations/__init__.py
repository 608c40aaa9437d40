"""Alembic's environment and the revisions, one module each under ``versions``."""
