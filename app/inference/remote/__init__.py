"""Implement the child process that sends prompts to a model server in the local network."""
