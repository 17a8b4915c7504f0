"""The page 評価: question sets, studies over them, and what they have found."""
