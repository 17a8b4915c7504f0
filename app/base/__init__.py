"""What every room stands on and no feature owns: paths, settings, errors, database, network guard."""
