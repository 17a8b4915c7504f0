"""The child that asks a model of another machine in the local network."""
