"""Data for fine-tuning: foreign files into rows of messages, what is wrong with them, a split without leaks."""
