"""Which bytes of a file are there: half-open ranges, sorted and apart."""

from collections.abc import Iterable, Iterator

Range = tuple[int, int]  # start, end; the end is not part of it


class Ranges:
    def __init__(self, ranges: Iterable[Range] = ()) -> None:
        self._ranges: list[Range] = []
        self._total = 0
        for start, end in ranges:
            self.add(start, end)

    def __iter__(self) -> Iterator[Range]:
        return iter(self._ranges)

    @property
    def total(self) -> int:
        """Bytes in all ranges together."""
        return self._total

    @property
    def prefix_end(self) -> int:
        """How far the file is there without a gap from its beginning."""
        return self._ranges[0][1] if self._ranges and self._ranges[0][0] == 0 else 0

    def add(self, start: int, end: int) -> None:
        if start >= end:
            return
        apart = []
        for other in self._ranges:
            if other[1] < start or end < other[0]:
                apart.append(other)
            else:
                start, end = min(start, other[0]), max(end, other[1])
        self._ranges = sorted([*apart, (start, end)])
        self._total = sum(high - low for low, high in self._ranges)

    def missing(self, start: int, end: int) -> list[Range]:
        """The gaps between `start` and `end`, in order."""
        gaps = []
        for low, high in self._ranges:
            if high <= start:
                continue
            if low >= end:
                break
            if low > start:
                gaps.append((start, low))
            start = max(start, high)
        if start < end:
            gaps.append((start, end))
        return gaps
