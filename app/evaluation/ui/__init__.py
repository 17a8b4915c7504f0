"""Show the page 評価 (evaluation): question sets, studies and their results."""
