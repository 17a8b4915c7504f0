"""Provide the command `kotae docs`."""
