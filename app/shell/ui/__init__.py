"""The main window: sidebar, navigation, status line, notices."""
