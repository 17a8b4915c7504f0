"""Show the page 評価 (evaluation): question sets, the dialog that starts a study, studies and their results."""
