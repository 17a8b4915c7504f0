"""The commands that ask questions and transfer conversations."""
