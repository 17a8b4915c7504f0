"""Commands for training data and training."""
