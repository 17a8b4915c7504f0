"""Provide small widgets that do not depend on any feature."""
