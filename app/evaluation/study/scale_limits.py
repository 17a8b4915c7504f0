"""What the sizes of a scale study must be at the least, for whoever only asks for them: no numpy."""

LEAST_ROWS = 10  # of a subset
LEAST_SIZES = 2
