"""Text that others wrote, shown safely: Markdown, plain text, links, and marks over them."""
