"""Small widgets without knowledge of any feature."""
