"""The page that searches all conversations."""
