"""Transfer kits: models carried to a machine without a network."""
