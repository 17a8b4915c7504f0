"""Step 6, 結果: show the verdict on a run with its reasons, and offer to use the tuned model."""
