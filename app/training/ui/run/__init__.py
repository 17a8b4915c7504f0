"""Show the step 学習: one run during training or after it."""
