"""Step 6, 結果: the verdict on a run, its reasons, and the use of the tuned model."""
