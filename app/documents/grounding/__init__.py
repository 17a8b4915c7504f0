"""Check whether an answer is supported by its passages: sentences, quantities, names, dates, citations."""
