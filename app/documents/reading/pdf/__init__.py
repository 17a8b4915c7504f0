"""Turn PDF files into blocks: glyphs, lines, columns, tables, outline, and text recognition on page images."""
