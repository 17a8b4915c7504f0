"""Generate question-answer pairs with a model: each pair quotes the words of a passage that its answer rests on."""
