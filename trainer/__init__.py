"""Fine-tuning, alone: imports nothing of `app` and runs from its own environment."""
