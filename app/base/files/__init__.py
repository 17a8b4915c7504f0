"""Read only regular files, within limits, and write files and folders completely or not at all."""
