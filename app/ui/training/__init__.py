"""What is shown of training: so far its environment being made."""
