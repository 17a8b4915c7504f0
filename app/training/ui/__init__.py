"""Show the fine-tuning page: the list of trainings, the wizard and its steps."""
