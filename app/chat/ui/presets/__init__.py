"""Presets: their list in the settings, their editor, and what one conversation has otherwise."""
