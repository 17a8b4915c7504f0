"""A study: what is compared, its plan, its next step, and the scale study."""
