"""Show foreign text safely: Markdown, plain text and links, with highlighted words."""
