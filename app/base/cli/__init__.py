"""What every command shares: output, the event loop, limits of options, permission for confidential exports."""
