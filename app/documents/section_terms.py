"""Hold the index terms of a section in little room, as the database stores them.

The full-text index keeps no copy of its terms, but sqlite deletes an entry only given exactly its terms, and a search
counts them in its candidates. So each section stores its runs, of which the terms are made (`app.base.search_text`).
They are compressed with the section's own heading and text as the dictionary, and take 3 % of what the terms would.
"""

import re
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app.base import search_text

_BYTES_MOST = 64_000_000  # of unpacked terms: far more than the longest section has


@dataclass(frozen=True, slots=True)
class SectionTerms:
    """The terms of a section, as runs of heading and text and as terms of values, between spaces to be counted."""

    heading: str
    body: str
    values: str

    @classmethod
    def of(cls, heading: Iterable[str], body: Iterable[str], values: Iterable[str]) -> "SectionTerms":
        """Return the terms of runs."""
        return cls(*("".join(f" {run} " for run in runs) for runs in (heading, body, values)))

    @classmethod
    def unpack(cls, stored: bytes, heading: str, text: str) -> "SectionTerms":
        """Return the stored terms of a row. Raises ValueError or TypeError if it is damaged."""
        try:
            unpacked = zlib.decompressobj(zdict=f"{heading}{text}".encode()).decompress(stored, _BYTES_MOST)
        except zlib.error as error:
            raise ValueError("terms") from error
        return cls(*(f" {runs.replace(' ', '  ')} " if runs else "" for runs in unpacked.decode().split("\n")))

    def pack(self, heading: str, text: str) -> bytes:
        """Return the terms as `unpack` reads them with the same `heading` and `text`, those of the row."""
        packer = zlib.compressobj(6, wbits=13, memLevel=5, zdict=f"{heading}{text}".encode())
        runs = "\n".join(" ".join(part.split()) for part in (self.heading, self.body, self.values))
        return packer.compress(runs.encode()) + packer.flush()

    def heading_terms(self) -> list[str]:
        return search_text.terms_of_runs(self.heading.split())

    def body_terms(self) -> list[str]:
        """Return the terms of the text, then those of its values and dates."""
        return [*search_text.terms_of_runs(self.body.split()), *self.values.split()]


@dataclass(frozen=True, slots=True)
class CountedTerm:
    """A term to be counted in sections; 堰* counts all terms that begin with 堰."""

    sought: str
    is_word: bool = False  # whether it may be the term of a value
    is_double: bool = False  # 々々: its places may overlap

    @classmethod
    def of(cls, term: str) -> "CountedTerm":
        if not search_text.is_japanese_run(term):
            return cls(f" {term[:-1]}" if term.endswith("*") else f" {term} ", is_word=True)
        if term.endswith("*"):
            return cls(term[:-1])
        return cls(term if len(term) > 1 else f"{term} ", is_double=len(term) > 1 and term[0] == term[1])

    def count(self, runs: str, values: str = "") -> int:
        """Return how often it occurs in `runs` and `values` of `SectionTerms`."""
        if self.is_double:
            return len(re.findall(f"(?={self.sought})", runs))
        return runs.count(self.sought) + (values.count(self.sought) if self.is_word else 0)


def runs_of_terms(terms: Sequence[str]) -> list[str]:
    """Return the runs that have these terms, without those of values and dates: 橋脚の for 橋脚, 脚の, の."""
    runs: list[str] = []
    pairs = ""
    for term in terms:
        if len(term) == 2 and search_text.is_japanese_run(term):
            pairs += term[0]
        else:
            runs.append(pairs + term)
            pairs = ""
    return runs
