"""Generate question-answer pairs with a model: each pair quotes the words of a passage that support its answer."""
