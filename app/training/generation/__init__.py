"""Question-answer pairs written by a model from passages, each with the words of the passage that it rests on."""
