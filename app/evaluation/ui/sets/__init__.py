"""Show and change question sets on the page 評価, and import them from files, conversations or by hand."""
