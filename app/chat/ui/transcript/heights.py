"""Heights of thousands of rows, most of them only estimated: sums, positions and corrections in O(log n)."""

from collections.abc import Iterable, Iterator


class Heights:
    """A Fenwick tree over the rows' heights in pixels."""

    def __init__(self, heights: Iterable[int] = ()) -> None:
        self._heights = list(heights)
        self._tree = [0, *self._heights]
        for node in range(1, len(self._tree)):
            parent = node + (node & -node)
            if parent < len(self._tree):
                self._tree[parent] += self._tree[node]

    def __len__(self) -> int:
        return len(self._heights)

    def __getitem__(self, row: int) -> int:
        return self._heights[row]

    def __setitem__(self, row: int, height: int) -> None:
        change = height - self._heights[row]
        self._heights[row] = height
        node = row + 1
        while change and node < len(self._tree):
            self._tree[node] += change
            node += node & -node

    def __iter__(self) -> Iterator[int]:
        return iter(self._heights)

    def append(self, height: int) -> None:
        node = len(self._tree)
        below = node - (node & -node)
        self._heights.append(height)
        self._tree.append(height + self.top(node - 1) - self.top(below))

    def top(self, row: int) -> int:
        """Where a row starts: the sum of the heights before it. `len(self)` gives the total."""
        total = 0
        while row > 0:
            total += self._tree[row]
            row -= row & -row
        return total

    def row_at(self, y: int) -> int:
        """The row that covers `y`; the nearest one when `y` is outside. Rows must exist."""
        row, left = 0, y
        step = 1 << (len(self._tree).bit_length() - 1)
        while step:
            if row + step < len(self._tree) and self._tree[row + step] <= left:
                row += step
                left -= self._tree[row]
            step >>= 1
        return min(row, len(self._heights) - 1)
