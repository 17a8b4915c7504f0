"""What a study has found: results, tables, advice, the report file."""
