"""Provide the pages and windows of conversations."""
