"""Hold the code that every feature uses and none owns: paths, settings, errors, database, network guard."""
