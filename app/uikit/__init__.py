"""Provide the window parts that several pages share: theme, widgets, dialogs, input methods, undo."""
