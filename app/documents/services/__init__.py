"""QtCore objects of the documents: collections, the reading queue, embeddings, page images."""
