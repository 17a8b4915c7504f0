"""The study: what it compares, its plan, its next step; and the scale study."""
