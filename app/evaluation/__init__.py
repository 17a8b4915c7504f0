"""Hold question sets; the packages below hold studies, judges and reports."""
