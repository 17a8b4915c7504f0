"""The user's documents: collections, what is stored of them, and how files become sections."""
