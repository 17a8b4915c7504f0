"""Question sets; studies, judges and reports in folders of their own."""
