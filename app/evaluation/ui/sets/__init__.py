"""Question sets on the page 評価: show, change, and import them from files, conversations or by hand."""
