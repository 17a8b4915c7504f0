"""Fine-tune a model in an environment of its own. This package imports nothing from `app`."""
