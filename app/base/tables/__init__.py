"""Tables as files: rows and columns of foreign ones, and cells that a spreadsheet shows but never runs."""
