"""What a study has found: tables, advice, pairs, blind comparisons, the report file."""
