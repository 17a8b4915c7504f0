"""Share what several pages use: theme, language, dialogs, input methods, undo, and common phrases."""
