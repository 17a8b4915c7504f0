"""Deny a process access to the network, to other processes and to files that it does not need."""
