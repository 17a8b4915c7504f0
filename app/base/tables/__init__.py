"""Read foreign tables row by row, and write tables whose cells a spreadsheet shows but never runs."""
