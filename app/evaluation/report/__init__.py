"""Report the results of a study: tables, advice, judged pairs, blind comparisons and the report file."""
