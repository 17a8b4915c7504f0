"""Prompt, load and measure models on this machine; the child processes that compute are in `engine` and `remote`."""
