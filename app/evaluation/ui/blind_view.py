"""Show the tab ブラインド比較: choose two systems, compare their answers without names, and see the result."""

from collections.abc import Callable, Sequence
from functools import cached_property, partial
from pathlib import Path

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QApplication, QStackedWidget, QWidget

from app.base.errors import AppError
from app.base.services import background
from app.base.services.background import LatestWork
from app.base.wording import describe_error, phrase
from app.evaluation.records import Evaluation
from app.evaluation.report import blind
from app.evaluation.report.blind import BlindComparison, BlindFile, BlindOutcome, Vote, Voted
from app.evaluation.ui import blind_texts
from app.evaluation.ui.blind_panels import BlindStartPanel, VotingPanel
from app.uikit.localization import format_percent, join_facts
from app.uikit.theme import Theme
from app.uikit.undo import undo_key
from app.uikit.widgets.banner import Banner
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import Card, CardGrid, FlowBox, Stretch, make_column, make_scrollable
from app.uikit.widgets.labels import Label, announce

TABLE_PX = 640  # maximal width; in a wider table the eye loses the line


class BlindResultPanel(QWidget):
    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.verdict = Label(strong=True, wraps=True)
        self.difference = Label(tone="text2", wraps=True)
        self.table = CardGrid()
        self._theme = theme
        self.agreement = Label(wraps=True)
        self.when_open = Label(tone="warning", wraps=True)
        self.left = Label(tone="text2", wraps=True)
        self.go_on_button = Button(theme, phrase("evaluation.go_on_comparing"))
        self.undo_button = Button(theme, phrase("evaluation.take_back_the_last_one"), "quiet", "undo-2")
        self.undo_button.setToolTip("Ctrl+Z")
        self.leave_button = Button(theme, phrase("evaluation.choose_other_settings"), "quiet")
        self.rows: list[tuple[str, str, str]] = []  # rows of the table as shown
        self._build()

    def show_outcome(self, outcome: BlindOutcome, comparison: BlindComparison) -> None:
        """Show the result `outcome` of a comparison."""
        left = len(comparison.pairing.pairs) - outcome.n
        texts = (
            (self.verdict, blind_texts.verdict(outcome)),
            (self.difference, blind_texts.difference(outcome)),
            (self.agreement, blind_texts.agreement(outcome.agreement)),
            (self.when_open, blind_texts.when_open(outcome.when_open) if outcome.when_open else ""),
            (self.left, blind_texts.votes_left_text(left)),
        )
        for label, text in texts:
            label.setText(text)
            label.setVisible(bool(text))
        self.go_on_button.setVisible(left > 0)
        self.undo_button.setVisible(outcome.n > 0)
        with self.table.refilled():
            self._fill(outcome)

    def _build(self) -> None:
        self.card = Card(phrase("evaluation.result_of_the_blind_comparison"))
        for widget in (self.verdict, self.difference, self.table, self.when_open, self.agreement, self.left):
            self.card.column.addWidget(widget)
        self.card.column.addWidget(FlowBox(self.go_on_button, self.undo_button, self.leave_button))
        make_column(self.card, Stretch(), into=self)
        self._theme.changed.connect(self._restyle)
        self._restyle()

    def _restyle(self) -> None:
        self.table.setMaximumWidth(self._theme.px(TABLE_PX))

    def _fill(self, outcome: BlindOutcome) -> None:
        counts = (
            (phrase("evaluation.blind_verdict.first", name=blind_texts.name(outcome.first.name)), outcome.first_wins),
            (phrase("evaluation.blind_verdict.first", name=blind_texts.name(outcome.second.name)), outcome.second_wins),
            (phrase("evaluation.blind_vote.same"), outcome.ties),
            (phrase("evaluation.blind_vote.both_wrong"), outcome.both_wrong),
        )
        self.rows = [(name, f"{count:,}", format_percent(count / max(1, outcome.n))) for name, count in counts]
        self.rows.append((phrase("evaluation.total"), f"{outcome.n:,}", ""))
        table = self.table
        heads = (phrase("evaluation.blind_column.vote"), phrase("evaluation.questions"), phrase("evaluation.share"))
        for column, head in enumerate(heads):
            table.put(Label(head, "caption", "muted"), column, is_number=column > 0)
            table.grid.setColumnStretch(column, 1 if column == 0 else 0)
        table.add_separator(len(heads))
        for at, cells in enumerate(self.rows):
            for column, cell in enumerate(cells):
                label = Label(cell, wraps=column == 0, strong=at == len(self.rows) - 1)
                if column and cell:
                    label.setAccessibleName(join_facts(cells[0], heads[column], cell))
                table.put(label, column, is_number=column > 0)
            if at + 1 < len(self.rows):
                table.add_separator(len(heads))
            else:
                table.next_row()


class BlindView(QWidget):
    """Shows the blind comparison. Files are read and written in the background, one at a time.

    The next question appears when the vote is stored; keys pressed until then belong to a question that is already
    decided, and do nothing.
    """

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._folder: Path | None = None
        self._evaluation: Evaluation | None = None
        self._blind_file: BlindFile | None = None
        self.comparison: BlindComparison | None = None  # None: one system is chosen twice, or nothing can be compared
        self._reading = LatestWork()
        self._is_busy = False  # a file is being read or written
        self._retracted: list[Vote] = []  # votes taken back since the last one, which can be given again
        self._computed_votes: tuple[Voted, ...] | None = None  # the votes whose result is being computed
        self.banner = Banner(theme)
        self.nothing = Label(tone="text2", wraps=True)
        self.start = BlindStartPanel(theme)
        self._build()
        self._connect()

    def show_study(self, folder: Path, evaluation: Evaluation) -> None:
        """Show a study with results; if it is already shown, nothing changes."""
        if folder == self._folder and evaluation is self._evaluation:
            return
        self._folder, self._evaluation, self._blind_file, self.comparison = folder, evaluation, None, None
        self.banner.hide()
        self._show_panel(self.nothing)
        self._reading.drop()
        if len(evaluation.systems) > 1:
            self.nothing.setText(phrase("evaluation.loading"))
            self._read()
        else:
            self.nothing.setText(phrase("evaluation.there_is_one_setting_only"))

    @cached_property
    def voting(self) -> VotingPanel:
        """Return the panel to vote, which is made when it is needed."""
        panel = VotingPanel(self._theme)
        panel.vote_chosen.connect(self.vote)
        panel.undo_requested.connect(self.undo)
        panel.redo_button.clicked.connect(self.redo)
        panel.result_button.clicked.connect(self.show_result)
        self._add_panel(panel)
        return panel

    @cached_property
    def result(self) -> BlindResultPanel:
        """Return the panel of the result, which is made when it is needed."""
        panel = BlindResultPanel(self._theme)
        panel.setFocusProxy(panel.leave_button)
        panel.go_on_button.clicked.connect(self.resume)
        self._add_panel(panel)
        return panel

    @property
    def panel(self) -> QWidget:
        """Return the panel that is shown."""
        return self._panels[self.stack.currentIndex()]

    # --------------------------------------------------------------------- keys

    def event(self, event: QEvent) -> bool:
        """Claim Ctrl+Z and the keys of redo for votes before the window's shortcuts get them."""
        if not isinstance(event, QKeyEvent) or event.type() != QEvent.Type.ShortcutOverride:
            return super().event(event)
        is_ours = self._act_of(event) is not None
        if is_ours:
            event.accept()
        return is_ours or super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        act = self._act_of(event)
        if act is None:
            super().keyPressEvent(event)
        elif not event.isAutoRepeat():
            act()

    def minimumSizeHint(self) -> QSize:
        return QSize(0, super().minimumSizeHint().height())

    # ---------------------------------------------------------------- comparing

    def vote(self, vote: Vote) -> None:
        if self.comparison is not None:
            self._write(partial(self.comparison.vote, vote), partial(self._on_voted, vote))

    def undo(self) -> None:
        """Take the last vote back, say which, and offer to give it again."""
        if self.comparison is not None and self.comparison.votes:
            self._write(self.comparison.undo, partial(self._on_undone, self.comparison.votes[-1].vote))

    def redo(self) -> None:
        """Give the vote again that was taken back last."""
        if self.comparison is not None and self._retracted:
            *others, vote = self._retracted
            self.resume()
            self._write(partial(self.comparison.vote, vote), partial(self._on_voted, vote, others))

    def resume(self) -> None:
        """Show the first question that is not decided."""
        if self.comparison is None or self.comparison.current is None:
            return
        has_keyboard = self._has_keyboard
        self.voting.show_comparison(self.comparison, self._retracted[-1] if self._retracted else None)
        self._show_panel(self.voting)
        if has_keyboard:
            self.voting.setFocus(Qt.FocusReason.OtherFocusReason)

    def show_result(self) -> None:
        """Show the result, which reveals the names."""
        if self.comparison is not None and self.comparison.votes:
            self._write(self.comparison.reveal, self._compute_result)

    # ----------------------------------------------------------------- building

    def _build(self) -> None:
        self.nothing.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.stack = QStackedWidget()
        self.start.setFocusProxy(self.start.first_chooser)
        self._panels: list[QWidget] = [self.nothing, self.start]
        self.stack.addWidget(self.nothing)
        self.stack.addWidget(make_scrollable(self.start))
        make_column(self.banner, (self.stack, 1), into=self, spacing_px=8)

    def _connect(self) -> None:
        self.start.pair_chosen.connect(self._choose_pair)
        self.start.begin_button.clicked.connect(self.resume)
        self.start.result_button.clicked.connect(self.show_result)
        self.banner.action_requested.connect(self._on_action)

    def _add_panel(self, panel: VotingPanel | BlindResultPanel) -> None:
        panel.undo_button.clicked.connect(self.undo)
        panel.leave_button.clicked.connect(self._on_leave)
        self._panels.append(panel)
        self.stack.addWidget(make_scrollable(panel))

    def _act_of(self, event: QKeyEvent) -> Callable[[], None] | None:
        """Return the act of a key; also while a file is written, or the window would get the key. None: no such key."""
        if self.comparison is None or self.panel in (self.nothing, self.start):
            return None
        acts = {"undo": (self.comparison.votes, self.undo), "redo": (self._retracted, self.redo)}
        votes, act = acts.get(undo_key(event, self), ((), None))
        return act if votes or self._is_busy else None

    @property
    def _has_keyboard(self) -> bool:
        focused = QApplication.focusWidget()
        return focused is not None and self.isAncestorOf(focused)

    def _read(self, cause: AppError | None = None) -> None:
        """Read the stored votes.

        `cause`: the error that made reading again necessary, to show afterwards in the same panel; None: the first
        reading.
        """
        assert self._folder is not None
        self._is_busy = True
        folder = self._folder
        self._reading.run(lambda: BlindFile(folder), partial(self._on_read, cause), self._on_unreadable)

    def _on_read(self, cause: AppError | None, blind_file: BlindFile) -> None:
        assert self._evaluation is not None
        self._is_busy = False
        self._blind_file = blind_file
        if cause is not None:
            self._show_again()
            self._show_error(cause)
        elif (chosen := blind.suggested_systems(self._evaluation)) is not None:
            self.start.show_systems(self._evaluation, chosen)
            self._choose_pair()
            self._show_panel(self.start)

    def _on_unreadable(self, error: AppError) -> None:
        self._is_busy = False
        self._blind_file = self.comparison = None
        self.nothing.setText("")
        self._show_panel(self.nothing)
        self._show_error(error, can_retry=True)

    def _write(self, work: Callable[[], None], on_written: Callable[[], None]) -> None:
        """Run `work` in the background, and `on_written` if it succeeded and the same systems are still compared."""
        if self._is_busy:
            return
        self._is_busy = True
        done = partial(self._on_written, self._blind_file, self.comparison, on_written)
        background.run(work, done, partial(self._on_not_written, self._blind_file))

    def _on_written(
        self,
        blind_file: BlindFile | None,
        comparison: BlindComparison | None,
        on_written: Callable[[], None],
        _nothing: object,
    ) -> None:
        if blind_file is not self._blind_file:
            return  # another study is shown by now
        self._is_busy = False
        self.banner.hide()
        if comparison is self.comparison:
            on_written()
        elif self.panel is self.start:
            self.start.show_comparison(self.comparison)

    def _on_not_written(self, blind_file: BlindFile | None, error: AppError) -> None:
        """Report the error; if another process has stored votes meanwhile, read and show them."""
        if blind_file is self._blind_file:
            self._is_busy = False
        if blind_file is self._blind_file and error.code == "blind_changed":
            self._read(error)
        else:
            self._show_error(error)

    def _on_voted(self, vote: Vote, retracted: Sequence[Vote] = ()) -> None:
        comparison, self._retracted = self.comparison, list(retracted)
        assert comparison is not None
        progress = blind_texts.progress(len(comparison.votes), len(comparison.pairing.pairs))
        question = comparison.current.question.text if comparison.current is not None else ""
        announce(self.voting, join_facts(phrase(f"evaluation.blind_vote.{vote}"), progress, question))
        self.voting.show_comparison(comparison, self._retracted[-1] if self._retracted else None)
        if comparison.current is None:
            self.show_result()

    def _on_undone(self, vote: Vote) -> None:
        self._retracted.append(vote)
        self.resume()
        announce(self.voting, self.voting.note.text())

    def _compute_result(self) -> None:
        comparison = self.comparison
        assert comparison is not None
        votes = self._computed_votes = comparison.votes
        background.run(partial(blind.blind_outcome, comparison.pairing, votes), self._on_computed, self._show_error)

    def _choose_pair(self) -> None:
        one, other = self.start.chosen_systems
        self.comparison, self._retracted = None, []
        if self._evaluation is not None and self._blind_file is not None and one != other:
            self.comparison = BlindComparison(blind.blind_pairing(self._evaluation, one, other), self._blind_file)
        self.start.show_comparison(self.comparison)

    def _show_panel(self, panel: QWidget) -> None:
        self.stack.setCurrentIndex(self._panels.index(panel))
        self.setFocusProxy(panel)

    def _show_again(self) -> None:
        self._choose_pair()
        if self.comparison is None or self.panel is self.start:
            return
        if self.comparison.current is None:
            self._show_panel(self.start)
        else:
            self.resume()

    def _on_computed(self, outcome: BlindOutcome) -> None:
        comparison = self.comparison
        if comparison is None or self._computed_votes is None or comparison.votes != self._computed_votes:
            return  # another pair was chosen, or another vote stored
        self._computed_votes = None
        has_keyboard = self._has_keyboard
        self.result.show_outcome(outcome, comparison)
        self._show_panel(self.result)
        if has_keyboard:
            after = self.result.go_on_button if comparison.current is not None else self.result.leave_button
            after.setFocus(Qt.FocusReason.OtherFocusReason)
        announce(self.result, self.result.verdict.text())

    def _on_leave(self) -> None:
        has_keyboard = self._has_keyboard
        self._choose_pair()
        self._show_panel(self.start)
        if has_keyboard:
            self.start.first_chooser.setFocus(Qt.FocusReason.OtherFocusReason)

    def _on_action(self, _key: str) -> None:
        """Read again, after the user moved the damaged file away."""
        folder, found, self._evaluation = self._folder, self._evaluation, None
        if folder is not None and found is not None:
            self.show_study(folder, found)

    def _show_error(self, error: AppError, *, can_retry: bool = False) -> None:
        message = describe_error(error)
        actions = (("again", phrase("common.try_again")),) if can_retry else ()
        self.banner.show_message("danger", message.message, message.next, actions)
