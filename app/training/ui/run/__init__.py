"""The step 学習: one run as it is trained, or as it was left."""
