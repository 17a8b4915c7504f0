"""The pages and windows of conversations."""
