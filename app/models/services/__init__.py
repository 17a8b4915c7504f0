"""Define Qt objects for models: library, downloads, builds, maintenance."""
