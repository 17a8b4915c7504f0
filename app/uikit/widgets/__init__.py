"""Provide small widgets without knowledge of any feature."""
