"""Describe and plan studies: what a study compares, its plan, its next step; and the scale study."""
