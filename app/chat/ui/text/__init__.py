"""Message text, citations and sources as they are drawn."""
