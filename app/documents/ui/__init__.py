"""Show the page 資料: collections, their documents, and how each document was read."""
