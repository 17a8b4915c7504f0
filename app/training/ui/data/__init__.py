"""Show the step データ of a draft: import or generate rows, look at their problems, review them, and split them."""
