"""Read foreign tables row by row, and write tables whose cells a spreadsheet never evaluates as formulas."""
