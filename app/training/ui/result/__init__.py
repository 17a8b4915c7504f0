"""Step 6, 結果: the verdict on a run and what it rests on, and its use."""
