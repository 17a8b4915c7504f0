"""What the window asks of each of its pages."""

from PySide6.QtWidgets import QWidget


class Page(QWidget):
    def set_header_inset(self, inset_px: int) -> None:
        """Room at the left of the header for the window's menu button."""
        raise NotImplementedError

    def focus_first(self) -> None:
        """The keyboard goes where the work on this page begins."""
        raise NotImplementedError
