"""Fine-tuning of the generator: examples in the format that serves, low-rank adapters, a file the engine loads."""
