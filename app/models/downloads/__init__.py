"""Implement the downloading child, which fetches models from the internet. It starts only at the user's request."""
