"""Parse values in Japanese text: numbers, units, quantities and dates, each in one comparable form."""
