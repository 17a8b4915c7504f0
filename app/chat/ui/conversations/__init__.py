"""The list of conversations, the bin, search, export and import."""
