"""Values in Japanese text: numbers, units, quantities and dates, each in one form that can be compared."""
