"""Define Qt objects that plan studies and carry them out; no widgets."""
