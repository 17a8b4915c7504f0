"""The command line: the same core, services and children as the window, without widgets."""
