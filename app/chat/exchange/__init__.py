"""Export and import conversations as files: JSON that can be imported again, Markdown and Word to be read."""
