"""What became of all rows, in one line: imported, usable, what is wrong with the others, and how they are split."""

from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QFrame, QHBoxLayout, QSizePolicy, QWidget

from app.base.wording import phrase
from app.training.data.overview import Overview
from app.training.plan import Frozen
from app.training.ui.data import words
from app.uikit.theme import Theme
from app.uikit.widgets.containers import FlowBox
from app.uikit.widgets.labels import IconLabel, Label


class Count(QWidget):
    """A number that stands out among its words. `text` has {n} where it stands."""

    def __init__(self, theme: Theme, text: str, icon: str = "", tone: str = "text2") -> None:
        super().__init__()
        self._text = text
        before, _, after = text.partition("{n}")
        self.number = Label(strong=True)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, theme.px(8), 0)
        row.setSpacing(theme.px(4))
        if icon:
            row.addWidget(IconLabel(theme, icon, tone))
        for part in (Label(before.strip()) if before.strip() else None, self.number):
            if part is not None:
                row.addWidget(part)
        if after.strip():
            row.addWidget(Label(after.strip()))

    def show_count(self, count: int, *, is_shown: bool = True) -> None:
        self.number.setText(f"{count:,}")
        self.setAccessibleName(self._text.format(n=f"{count:,}"))
        self.setVisible(is_shown)


class Strip(QWidget):
    def __init__(self, theme: Theme, action: QWidget) -> None:
        """`action`: a button that stands behind all."""
        super().__init__()
        self._theme = theme
        self.total = Count(theme, phrase("training.imported_n_rows"))
        self.used = Count(theme, phrase("training.usable_n"))
        self.duplicates = Count(theme, phrase("training.duplicates_n"), "triangle-alert", "warning")
        self.flawed = Count(theme, phrase("training.with_problems_n"), "triangle-alert", "warning")
        self.undecided = Count(theme, phrase("training.not_reviewed_n"), "info")
        self.rejected = Count(theme, phrase("training.rejected_n"), "x")
        self.unusable = Count(theme, phrase("training.unusable_n"), "circle-x", "danger")
        self.train = Count(theme, phrase("training.training_n"))
        self.validation = Count(theme, phrase("training.validation_n"))
        self.lock = Lock(theme)
        counts = (self.total, self.used, self.duplicates, self.flawed, self.undecided, self.rejected, self.unusable)
        self._counts, self._split = FlowBox(*counts), FlowBox(self.train, self.validation, self.lock, action)
        self._row = QBoxLayout(QBoxLayout.Direction.LeftToRight, self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(8)
        self._row.addWidget(self._counts, 1)
        self._row.addWidget(self._split)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._turn()

    def _turn(self) -> None:
        """The split goes below, where both do not fit side by side."""
        needed = self._counts.sizeHint().width() + self._split.sizeHint().width() + self._theme.px(24)
        directions = QBoxLayout.Direction
        is_wide = needed <= self.width()
        self._split.setSizePolicy(_width(self._split.sizePolicy(), is_fixed=is_wide))
        self._row.setDirection(directions.LeftToRight if is_wide else directions.TopToBottom)

    def show_rows(self, found: Overview) -> None:
        self.total.show_count(found.total)
        self.used.show_count(found.used)
        for name in ("duplicates", "flawed", "undecided", "rejected", "unusable"):
            count = getattr(found, name)
            getattr(self, name).show_count(count, is_shown=count > 0)

    def show_split(self, frozen: Frozen | None, revision: int) -> None:
        """`revision`: of the rows as they are now."""
        is_current = frozen is not None and frozen.revision == revision
        self.train.show_count(frozen.train if frozen else 0, is_shown=is_current)
        self.validation.show_count(frozen.validation if frozen else 0, is_shown=is_current)
        self.lock.show_split(frozen, is_current=is_current)
        self._turn()


class Lock(QFrame):
    """Whether the rows that judge are held fast, and the short form of the hash they are known by."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.setProperty("surface", "tag")
        self.icon = IconLabel(theme, "lock", "text2", 13)
        self.words = Label(role="caption")
        self.hash = Label(role="caption", tone="muted")
        row = QHBoxLayout(self)
        row.setContentsMargins(8, 2, 8, 2)
        row.setSpacing(6)
        for part in (self.icon, self.words, self.hash):
            row.addWidget(part)

    def show_split(self, frozen: Frozen | None, *, is_current: bool) -> None:
        self.hash.setVisible(frozen is not None and is_current)
        if frozen is None:
            self.icon.show_icon("info", "text2")
            self.words.setText(phrase("training.not_split_yet"))
        elif is_current:
            self.icon.show_icon("lock", "text2")
            self.words.setText(phrase("training.test_n_held_fast", n=f"{frozen.holdout:,}"))
            self.hash.setText(words.short_hash(frozen.sha256))
        else:
            self.icon.show_icon("triangle-alert", "warning")
            self.words.setText(phrase("training.the_split_is_out_of"))


def _width(policy: QSizePolicy, *, is_fixed: bool) -> QSizePolicy:
    policies = QSizePolicy.Policy
    policy.setHorizontalPolicy(policies.Maximum if is_fixed else policies.Preferred)
    return policy
