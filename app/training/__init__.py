"""Fine-tuning: drafts, run plans and the quality gate; training data, pair generation, runs and the environment."""
