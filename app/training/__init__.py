"""Fine-tuning: drafts, plans, the acceptance gate; data, runs and the environment in folders of their own."""
