"""The page モデル: what is on this machine, what could be added, and what is in force after a load."""
