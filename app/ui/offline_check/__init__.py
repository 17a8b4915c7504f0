"""The check that nothing is sent, in the window."""
