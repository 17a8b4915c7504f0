"""Training runs: what is trained on what, where a run is, how good what came out is, and the report of it."""
