"""Hold the user's documents: collections, stored documents and sections, reading, retrieval and grounding."""
