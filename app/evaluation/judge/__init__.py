"""Score answers by rules, judge models and people, and measure how far the scores agree."""
