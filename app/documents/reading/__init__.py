"""Read foreign files in the reading child and its helpers, the only processes that open them, and turn them into sections."""
