"""What the window asks of each of its pages."""

from PySide6.QtWidgets import QWidget

from app.base.confidentiality import Label


class Page(QWidget):
    def set_header_inset(self, inset_px: int) -> None:
        """Room at the left of the header for the window's menu button."""
        raise NotImplementedError

    def label_now(self) -> Label:
        """Return how confidential what it shows is, for what leaves it (`app.uikit.text_exits`)."""
        raise NotImplementedError

    def focus_first(self) -> None:
        """The keyboard goes where the work on this page begins."""
        raise NotImplementedError
