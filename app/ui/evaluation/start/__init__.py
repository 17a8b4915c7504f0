"""The dialog 評価を始める: what is compared over which questions, and how."""
