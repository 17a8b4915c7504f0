"""Manage the models of this machine: catalogue, list, downloads, builds, transfer kits, verification."""
