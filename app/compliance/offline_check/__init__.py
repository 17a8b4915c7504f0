"""Check that no data leaves this machine: use Kotae without a network, count network attempts, and write a page."""
