"""The step データ of a planned training: where its rows come from, what is wrong with them, how they are split."""
