"""Fine-tune models: drafts, run plans, the quality gate, training data, pair generation, runs and the environment."""
