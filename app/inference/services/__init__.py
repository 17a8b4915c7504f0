"""Define Qt objects that control the inference children: engine client, keys, template rendering."""
