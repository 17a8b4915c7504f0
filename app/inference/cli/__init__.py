"""Implement the command `kotae engine`."""
