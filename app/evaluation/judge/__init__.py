"""Scores: rules, judge models, people, and the statistics of their agreement."""
