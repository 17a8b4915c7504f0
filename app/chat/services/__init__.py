"""QtCore objects of conversations: asking, answering, presets, batches, transfer."""
