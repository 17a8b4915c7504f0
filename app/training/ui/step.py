"""What the page 学習 asks of each step of a training."""

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget


@dataclass(frozen=True, slots=True)
class Deed:
    """What the foot's primary button does instead of going on. `key`: passed to `Step.do`; `name`: on the button."""

    key: str
    name: str


class Step(QWidget):
    """Draws a training that is planned or done, and has its service change it; it decides nothing. What is still
    lacking (`Draft.problems`) is said by the page, in its foot."""

    changed = Signal()  # its `deed` may be another one now

    def show_draft(self) -> None:
        """Draws what has changed. Called when the step is shown, and with each change while it is shown."""
        raise NotImplementedError

    def focus_first(self) -> None:
        """The keyboard goes where the work of this step begins."""
        raise NotImplementedError

    @property
    def header_actions(self) -> Sequence[QWidget]:
        """For the page's header while this step is shown."""
        return ()

    def deed(self) -> Deed | None:
        """None: the foot's button goes on to the next step, where nothing keeps it."""
        return None

    def do(self, key: str) -> None:
        """`key`: of the deed."""
        raise NotImplementedError
