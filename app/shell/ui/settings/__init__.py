"""Show the settings page (設定), on which each change applies at once."""
