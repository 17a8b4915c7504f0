"""Hold what every room uses and no feature owns: paths, settings, errors, database, network guard."""
