"""What several pages draw with: theme, language, dialogs, input methods, undo, and shared phrases."""
