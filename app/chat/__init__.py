"""Store, search, label, export and answer conversations."""
