"""The dialog 評価を実行: what is compared over which questions, and how."""
