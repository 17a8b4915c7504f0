"""Scores by rules, judge models and people, and the statistics of their agreement."""
