"""ブラインド比較: the two systems are chosen, their answers compared without names, and the result is shown."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QKeySequence
from PySide6.QtWidgets import QApplication, QStackedWidget, QVBoxLayout, QWidget

from app.core.errors import AppError
from app.core.evaluation import blind
from app.core.evaluation.blind import BlindComparison, Outcome
from app.core.evaluation.blind_file import BlindFile, Vote, Voted
from app.core.evaluation.results import Evaluation
from app.core.wording import describe_error
from app.services import background
from app.ui.evaluation.blind import words
from app.ui.evaluation.blind.result import ResultPanel
from app.ui.evaluation.blind.start import StartPanel
from app.ui.evaluation.blind.voting import VotingPanel
from app.ui.language import joined
from app.ui.theme import Theme
from app.ui.widgets.announce import announce
from app.ui.widgets.banner import Banner
from app.ui.widgets.labels import Label
from app.ui.widgets.scroll import scrolled


class BlindView(QWidget):
    failed = Signal(object)  # AppError; the banner here has told of it

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._folder: Path | None = None
        self._found: Evaluation | None = None
        self._kept: BlindFile | None = None
        self._comparison: BlindComparison | None = None
        self._reckoned: tuple[Voted, ...] | None = None  # the votes of which the result is being reckoned
        self.banner = Banner(theme)
        self.nothing = Label(tone="text2", wraps=True)
        self.start = StartPanel(theme)
        self.voting = VotingPanel(theme)
        self.result = ResultPanel(theme)
        self._build()
        self._connect()

    def show_study(self, folder: Path, found: Evaluation) -> None:
        """One whose results are there; shown again, it stays where it is."""
        if folder == self._folder and found is self._found:
            return
        self._folder, self._found, self._comparison = folder, found, None
        self.banner.hide()
        chosen = blind.suggested(found)
        if chosen is not None and self._read():
            self.start.show_systems(found, chosen)
            self._choose_pair()
            self._show(self.start)
        elif chosen is None:
            self.nothing.setText(self.tr("構成が 1 つなので、比べる相手がありません。"))
            self._show(self.nothing)

    @property
    def comparison(self) -> BlindComparison | None:
        """Of the two systems that are chosen; None: the same one twice, or nothing to compare."""
        return self._comparison

    @property
    def panel(self) -> QWidget:
        """The one that is shown."""
        return self._panels[self.stack.currentIndex()]

    # --------------------------------------------------------------------- keys

    def event(self, event: QEvent) -> bool:
        """Ctrl+Z is ours before it is the window's."""
        if not isinstance(event, QKeyEvent) or event.type() != QEvent.Type.ShortcutOverride:
            return super().event(event)
        is_ours = event.matches(QKeySequence.StandardKey.Undo) and self._can_undo
        if is_ours:
            event.accept()
        return is_ours or super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if not (event.matches(QKeySequence.StandardKey.Undo) and self._can_undo):
            super().keyPressEvent(event)
        elif not event.isAutoRepeat():
            self.undo()

    def minimumSizeHint(self) -> QSize:
        return QSize(0, super().minimumSizeHint().height())

    # ---------------------------------------------------------------- comparing

    def vote(self, vote: Vote) -> None:
        comparison = self._comparison
        if comparison is None or not self._done(partial(comparison.vote, vote)):
            return
        done, count = len(comparison.votes), len(comparison.pairing.pairs)
        announce(self.voting, joined(words.vote(vote), words.progress(done, count), self._next_question()))
        self.voting.show_comparison(comparison)
        if comparison.current is None:
            self.show_result()

    def undo(self) -> None:
        comparison = self._comparison
        if comparison is not None and comparison.votes and self._done(comparison.undo):
            self.go_on()
            announce(self.voting, self.tr("ひとつ戻しました"))

    def go_on(self) -> None:
        """From the first question that is not decided."""
        if self._comparison is None or self._comparison.current is None:
            return
        has_keyboard = self._has_keyboard
        self.voting.show_comparison(self._comparison)
        self._show(self.voting)
        if has_keyboard:
            self.voting.setFocus(Qt.FocusReason.OtherFocusReason)

    def show_result(self) -> None:
        """From now on the names are known."""
        comparison = self._comparison
        if comparison is None or not comparison.votes or not self._done(comparison.reveal):
            return
        votes = self._reckoned = comparison.votes
        work = partial(blind.outcome, comparison.pairing, votes)
        background.run(work, self._on_reckoned, self._on_failed)

    # ----------------------------------------------------------------- building

    def _build(self) -> None:
        self.nothing.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.stack = QStackedWidget()
        self._panels: tuple[QWidget, ...] = (self.nothing, self.start, self.voting, self.result)
        for panel in self._panels:
            self.stack.addWidget(panel if panel is self.nothing else scrolled(panel))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.banner)
        column.addWidget(self.stack, 1)

    def _connect(self) -> None:
        self.start.pair_chosen.connect(self._choose_pair)
        self.start.begin_requested.connect(self.go_on)
        self.voting.vote_chosen.connect(self.vote)
        self.result.go_on_requested.connect(self.go_on)
        self.banner.action_requested.connect(self._on_action)
        for asked in (self.start.result_requested, self.voting.result_requested):
            asked.connect(self.show_result)
        for asked in (self.voting.undo_requested, self.result.undo_requested):
            asked.connect(self.undo)
        for asked in (self.voting.leave_requested, self.result.leave_requested):
            asked.connect(self._on_leave)

    # ------------------------------------------------------------------ private

    def _next_question(self) -> str:
        pair = self._comparison.current if self._comparison is not None else None
        return pair.question.text if pair is not None else ""

    @property
    def _can_undo(self) -> bool:
        is_there = self.panel in (self.voting, self.result)
        return is_there and self._comparison is not None and bool(self._comparison.votes)

    @property
    def _has_keyboard(self) -> bool:
        focused = QApplication.focusWidget()
        return focused is not None and self.isAncestorOf(focused)

    def _read(self) -> bool:
        """The votes that are kept, from the disk."""
        assert self._folder is not None
        try:
            self._kept = BlindFile(self._folder)
        except AppError as error:
            self._kept = None
            self.nothing.setText("")
            self._show(self.nothing)
            self._on_failed(error, can_retry=True)
            return False
        return True

    def _choose_pair(self) -> None:
        one, other = self.start.chosen
        self._comparison = None
        if self._found is not None and self._kept is not None and one != other:
            self._comparison = BlindComparison(blind.pairing(self._found, one, other), self._kept)
        self.start.show_comparison(self._comparison)

    def _show(self, panel: QWidget) -> None:
        self.stack.setCurrentIndex(self._panels.index(panel))
        first = {self.start: self.start.first, self.result: self.result.leave_button}
        self.setFocusProxy(first.get(panel, panel))

    def _done(self, work: Callable[[], None]) -> bool:
        """Whether it is kept. Where somebody else was faster, what they chose is shown."""
        try:
            work()
        except AppError as error:
            self.banner.hide()
            if error.code != "blind_changed" or self._read():
                if error.code == "blind_changed":
                    self._show_anew()
                self._on_failed(error)
            return False
        self.banner.hide()
        return True

    def _show_anew(self) -> None:
        self._choose_pair()
        if self._comparison is None or self.panel is self.start:
            return
        if self._comparison.current is None:
            self._show(self.start)
        else:
            self.go_on()

    def _on_reckoned(self, found: Outcome) -> None:
        comparison = self._comparison
        if comparison is None or self._reckoned is None or comparison.votes != self._reckoned:
            return  # another pair, or one more vote since
        self._reckoned = None
        has_keyboard = self._has_keyboard
        self.result.show_outcome(found, comparison)
        self._show(self.result)
        if has_keyboard:
            after = self.result.go_on_button if comparison.current is not None else self.result.leave_button
            after.setFocus(Qt.FocusReason.OtherFocusReason)
        announce(self.result, self.result.verdict.text())

    def _on_leave(self) -> None:
        has_keyboard = self._has_keyboard
        self._choose_pair()
        self._show(self.start)
        if has_keyboard:
            self.start.first.setFocus(Qt.FocusReason.OtherFocusReason)

    def _on_action(self, _key: str) -> None:
        """Once more, after the damaged file was moved away."""
        folder, found, self._found = self._folder, self._found, None
        if folder is not None and found is not None:
            self.show_study(folder, found)

    def _on_failed(self, error: AppError, *, can_retry: bool = False) -> None:
        said = describe_error(error)
        actions = (("again", self.tr("もう一度読む")),) if can_retry else ()
        self.banner.show_message("danger", said.message, said.next, actions)
        self.failed.emit(error)
