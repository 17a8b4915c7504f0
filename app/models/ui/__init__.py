"""Show the page モデル: models of this machine, models to add, and the actual values after a load."""
