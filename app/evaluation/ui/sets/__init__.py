"""Question sets on the page 評価: looked at, changed, and brought in from files, conversations or by hand."""
