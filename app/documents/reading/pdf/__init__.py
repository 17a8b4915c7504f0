"""PDF files into blocks: glyphs, lines, columns, tables, outline, and recognition of page images."""
