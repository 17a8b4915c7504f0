"""Keep a process from the network, from other processes and from files that are not its own."""
