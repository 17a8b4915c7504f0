"""QtCore objects of the models: library, downloads, builds, care."""
