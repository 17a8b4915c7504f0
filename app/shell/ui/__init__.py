"""Show the main window: sidebar, pages, status line, notices, settings and first run."""
