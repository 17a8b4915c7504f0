"""Show the results of an evaluation: advice, systems, differences, every question, and the blind comparison."""
