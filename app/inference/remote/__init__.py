"""The child process that asks a model of another machine in the local network."""
