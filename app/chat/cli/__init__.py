"""Commands that ask questions and carry conversations."""
