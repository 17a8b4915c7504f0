"""Read foreign files in the reading child, the only process that opens them, and turn them into sections."""
