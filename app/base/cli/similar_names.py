"""The known names that a mistyped one resembles."""

import difflib
from collections.abc import Sequence

NEAR_MOST, NEAR_LEAST = 3, 0.5  # names that are offered; how alike they are, as difflib counts


def near(wanted: str, known: Sequence[str]) -> list[str]:
    """The few that may be meant, the likeliest first."""
    folded = {name.casefold(): name for name in reversed(known)}
    wanted = wanted.casefold()
    within = [name for name in folded if wanted and (wanted in name or name in wanted)]
    alike = difflib.get_close_matches(wanted, folded, NEAR_MOST, NEAR_LEAST)
    return [folded[name] for name in dict.fromkeys([*within, *alike])][:NEAR_MOST]
