"""QtCore objects around the inference children: the engine client, keys, template rendering."""
