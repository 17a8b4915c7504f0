"""QtCore objects of training: drafts, runs, the gate, generation, the environment."""
