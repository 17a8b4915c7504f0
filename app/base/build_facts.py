"""Which Kotae this is: its version, and the day and the commit that a bundle was built from. Asks no network."""

import json
import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from app import __version__
from app.base import invisible
from app.base.paths import resources
from app.base.wording import current_language

FILE = "build.json"  # in the resources of a bundle: {"version", "date", "commit", "home"}; a checkout has none
OLD_DAYS = 365

_COMMIT_LETTERS = 12
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True, slots=True)
class BuildFacts:
    version: str = __version__
    built_on: date | None = None  # None: a checkout, or nobody wrote it down
    commit: str = ""
    home: str = ""  # where newer versions are told of, as text; "": nobody has said

    @property
    def is_bundle(self) -> bool:
        return self.built_on is not None

    def age_days(self, today: date) -> int:
        """0 where the day of building is not known, or this machine's clock is behind it."""
        return max(0, (today - self.built_on).days) if self.built_on is not None else 0

    def is_old(self, today: date) -> bool:
        return self.age_days(today) >= OLD_DAYS


def read(file: Path | None = None) -> BuildFacts:
    """What the bundler has written. Without its file, or with a damaged one, the version alone."""
    try:
        data = json.loads((file or resources() / FILE).read_text("utf-8"))
    except (OSError, ValueError):
        return BuildFacts()
    if not isinstance(data, dict):
        return BuildFacts()
    commit, home = _line(data.get("commit")), _line(data.get("home"))
    return BuildFacts(built_on=_day(data.get("date")), commit=commit[:_COMMIT_LETTERS], home=home)


def news(version: str = __version__) -> str:
    """What is new in a version, as Markdown in the language in use; "" where nothing was written of it."""
    text = (resources() / "news" / f"news.{current_language()}.md").read_text("utf-8")
    found = re.search(rf"^## {re.escape(version)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    return found[1].strip() if found else ""


def order(version: str) -> tuple[int, ...]:
    """To be compared with another: "0.10.1" is newer than "0.9". () for what is no version."""
    found = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(number) for number in found[0].split(".")) if found else ()


def _line(value: object) -> str:
    return value if isinstance(value, str) and invisible.is_line(value) else ""


def _day(value: object) -> date | None:
    try:
        return date.fromisoformat(value) if isinstance(value, str) and _DAY.fullmatch(value) else None
    except ValueError:
        return None
