"""Share between all commands: output, the event loop, limits of options, permission for confidential exports."""
