"""Export and import transfer kits, which carry models to a machine without a network."""
