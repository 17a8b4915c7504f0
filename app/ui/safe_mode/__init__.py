"""What a start has to say: safe mode, an end that was none, another version."""
