"""List, follow, rerun and report training runs by their folders."""
