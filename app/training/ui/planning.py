"""A training that is being planned: its steps, one shown at a time, and the foot that leads from each to the next."""

from collections.abc import Callable

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QScrollArea, QStackedWidget, QVBoxLayout, QWidget

from app.base.wording import phrase
from app.training.plan import PLANNED
from app.training.services.training_draft import TrainingDraft
from app.training.ui import words
from app.training.ui.foot import Foot
from app.training.ui.step import Step
from app.uikit.theme import Theme
from app.uikit.widgets.containers import make_scrollable

Make = Callable[[str, TrainingDraft, Callable[[str], None]], Step]  # of a key, with what shows another step

AHEAD_MS = 40  # what is shown is drawn first


class Planning(QWidget):
    """Steps are built ahead of being shown, bit by bit while nothing else is to do: each takes many frames."""

    step_shown = Signal(str)  # of PLANNED

    def __init__(self, theme: Theme, work: TrainingDraft, make: Make) -> None:
        super().__init__()
        self.work = work
        work.setParent(self)
        self._make_step = make
        self._steps: dict[str, Step] = {}
        self._areas: dict[str, QScrollArea] = {}
        self.key = ""  # of the step that is shown
        self._ahead = QTimer(self, singleShot=True, interval=AHEAD_MS)
        self._stack = QStackedWidget()
        self.foot = Foot(theme)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._stack, 1)
        column.addWidget(self.foot)
        self._ahead.timeout.connect(self._build_ahead)
        work.changed.connect(self._on_changed)
        work.began.connect(self._settle)
        work.ended.connect(self._on_changed)
        self.foot.back_button.clicked.connect(lambda: self.show_step(PLANNED[PLANNED.index(self.key) - 1]))
        self.foot.next_button.clicked.connect(self._go_on)

    @property
    def step(self) -> Step:
        return self._steps[self.key]

    def show_step(self, key: str) -> None:
        """`key`: of PLANNED; a later one than the draft has come to is not shown, but the one it has come to."""
        reached = PLANNED.index(self.work.draft.step)
        self.key = PLANNED[min(PLANNED.index(key), reached)]
        self._make(self.key)
        self._place(self.key)
        self.step.show_draft()
        self._stack.setCurrentWidget(self._areas[self.key])
        self._settle()
        self.step_shown.emit(self.key)
        self.step.focus_first()
        self._ahead.start()

    # ------------------------------------------------------------------- private

    def _make(self, key: str) -> None:
        if key not in self._steps:
            step = self._steps[key] = self._make_step(key, self.work, self.show_step)
            step.changed.connect(self._settle)

    def _place(self, key: str) -> None:
        """Qt works out the style of all that the step holds."""
        if key not in self._areas:
            area = self._areas[key] = make_scrollable(self._steps[key], self._stack)
            self._stack.addWidget(area)

    def _build_ahead(self) -> None:
        """One bit of the steps that can be gone to from here."""
        last = max(PLANNED.index(self.key) + 1, PLANNED.index(self.work.draft.step))
        key = next((key for key in PLANNED[: last + 1] if key not in self._areas), None)
        if key is None:
            return
        if key in self._steps:
            self._place(key)
        else:
            self._make(key)
        self._ahead.start()

    def _on_changed(self, *_: object) -> None:
        if self.key:
            self.step.show_draft()
            self._settle()

    def _settle(self, *_: object) -> None:
        if not self.key:
            return
        draft, deed, place = self.work.draft, self.step.deed(), PLANNED.index(self.key)
        if deed is not None:
            name, can_act = deed.name, True
        elif place + 1 < len(PLANNED):
            following = words.step_name(PLANNED[place + 1])
            name, can_act = phrase("common.next_step", step=following), draft.is_complete(self.key)
        else:
            name, can_act = phrase("training.start_training"), False
        found = draft.problems(self.key)
        self.foot.show_state(found, name, can_act=can_act and not self.work.is_busy, can_go_back=place > 0)

    def _go_on(self) -> None:
        deed = self.step.deed()
        if deed is not None:
            self.step.do(deed.key)
        else:
            self.show_step(PLANNED[PLANNED.index(self.key) + 1])
