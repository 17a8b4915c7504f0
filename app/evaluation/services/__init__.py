"""QtCore objects of evaluation: studies as they are planned and run."""
