"""The page 資料: collections, what is in them, and how it was read."""
