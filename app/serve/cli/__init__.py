"""Define the command `kotae serve`."""
