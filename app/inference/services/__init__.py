"""QtCore objects for the inference children: engine client, keys, template rendering."""
