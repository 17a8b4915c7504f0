"""Show the list of conversations, the bin and the search, and export and import conversations."""
