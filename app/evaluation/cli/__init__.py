"""Define the commands of `kotae eval`."""
