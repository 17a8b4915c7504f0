"""What an evaluation has found: advice, systems with their intervals, differences, every question, blind comparison."""
