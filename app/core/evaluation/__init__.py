"""Evaluation: question sets, answers of systems that are compared, scores, judges, statistics and studies."""
