"""Show the dialog 評価を実行: what to compare over which questions, and how."""
