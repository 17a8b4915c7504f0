"""Work on whole documents: summaries, comparison of two editions, and lists of required values, as tables."""
