"""Data for fine-tuning: foreign files into rows of messages, what is wrong with them, and a split that does not leak."""
