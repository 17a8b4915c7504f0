"""Numbers of a table as the spreadsheet program shows them."""

import pytest

from app.documents.reading.spreadsheet import format_value


@pytest.mark.parametrize(
    ("value", "number_format", "text"),
    [
        (12_000_000, '#,##0,"千円"', "12,000千円"),
        (12_000_000, "#,##0,", "12,000"),
        (12_345_678, '0.0,,"百万円"', "12.3百万円"),
        (12_000_000, '#,##0"円"', "12,000,000円"),
        (1234.5, "#,##0.00", "1,234.50"),
        (0.25, "# ?/?", "0.25"),
        (12, "0000", "0012"),
        (-12, "0000", "-0012"),
        (1.5, "00.00", "01.50"),
        (12, "#", "12"),
        (3.5, '0.0"円/m"', "3.5円/m"),
        (0.125, "0.0%", "12.5%"),
    ],
)
def test_a_number_is_shown_by_its_format(value: float, number_format: str, text: str) -> None:
    assert format_value(value, number_format) == text
