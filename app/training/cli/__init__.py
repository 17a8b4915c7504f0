"""Provide the commands for training data and training."""
