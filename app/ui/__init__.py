"""The window: widgets that are given what they need and emit what happened."""
