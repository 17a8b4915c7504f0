"""Define the commands that ask questions and transfer conversations."""
