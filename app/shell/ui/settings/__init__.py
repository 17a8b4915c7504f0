"""The settings page (設定). Each change applies at once."""
