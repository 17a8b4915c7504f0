"""Builds, kits, verification and other care of models, as the models page shows them."""
