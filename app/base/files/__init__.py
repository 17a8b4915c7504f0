"""Read and write files and folders safely: complete or not at all, and only regular files."""
