"""Provide the code that all commands share: output, the event loop, and checks of options."""
