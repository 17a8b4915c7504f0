"""Remember from which page one came to those that one leaves again: the search and the reader."""

from PySide6.QtCore import QObject, Signal


class PageHistory(QObject):
    """The page before each of them. Each leads to the other, but not back and forth."""

    returned = Signal(str)  # the page to which one goes back

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._before = {"search": "ask", "reader": "documents"}

    def note(self, shown: str, wanted: str) -> None:
        """Note that the page `wanted`, one of the two, is about to replace the page `shown`."""
        if shown != wanted and self._before.get(shown) != wanted:
            self._before[wanted] = shown

    def leave_search(self) -> None:
        self.returned.emit(self._before["search"])

    def leave_reader(self) -> None:
        self.returned.emit(self._before["reader"])
