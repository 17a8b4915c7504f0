"""Show foreign text safely: Markdown, plain text, links, and marks over them."""
