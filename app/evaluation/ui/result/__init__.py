"""The results of an evaluation: advice, systems with their intervals, differences, every question, blind comparison."""
