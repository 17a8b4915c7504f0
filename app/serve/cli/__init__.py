"""The command `kotae serve`."""
