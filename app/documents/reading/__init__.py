"""Read foreign files and turn them into sections, in the reading child and its helpers, which alone open such files."""
