"""Implement the command `kotae models`."""
