"""One row as it is decided of: question and answer to be corrected, the quote they rest on, and what rules find.

What was found of a row by rules: what is wrong with it, each on a line; and on one more line what is not.
"""

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from app.base.errors import AppError
from app.base.services import background
from app.base.wording import phrase
from app.training.data import curation
from app.training.data.curation import CurationItem, RowEvidence, RowInspection
from app.training.data.rows import RowMessage, TrainingRow
from app.training.generation.pair_records import SCORE_MAX
from app.training.ui.data import row_texts
from app.uikit import untrusted_text
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button, KeyHint
from app.uikit.widgets.containers import FlowBox
from app.uikit.widgets.fields import CorrectedField
from app.uikit.widgets.labels import IconLabel, Label, repolish, set_surface

LOOK_MS = 300  # after the last letter
AT_ONCE_CHARACTERS = 5000  # of a row; longer ones are looked at in the background
MARGIN_PX = 20

Texts = tuple[str, str]  # question and answer


class RowEditor(QWidget):
    """What is typed stays with the row that it was typed at; whoever uses this keeps it (`edited`)."""

    edited = Signal()
    caret_moved = Signal(object)  # in which field

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.item: CurationItem | None = None
        self._row: TrainingRow | None = None
        self._like: CurationItem | None = None
        self._asked: TrainingRow | None = None  # as it was looked at last
        self._is_filling = False
        self._look_soon = QTimer(self, singleShot=True, interval=LOOK_MS)
        self._build()
        self._connect()

    # -------------------------------------------------------------------- shown

    def show_item(
        self, item: CurationItem, row: TrainingRow, like: CurationItem | None, place: str, edit: Texts | None
    ) -> None:
        """`row`: as it stands; `edit`: as it was being changed. A conversion ends, and stays with its row."""
        for field in (self.question, self.answer):
            if not field.finish_conversion():
                field.clearFocus()
        self.item, self._row, self._like = item, row, like
        self.position.setText(place)
        self.earlier.show_words(row_texts.earlier_turns_text(row))
        self.quote.show_evidence(item.evidence)
        self._fill(*(edit or (row.question, row.answer)))
        self._show_edit()
        self._look()

    @property
    def texts(self) -> Texts:
        return self.question.toPlainText(), self.answer.toPlainText()

    @property
    def is_edited(self) -> bool:
        """Whether they say something else than the row does."""
        return self._row is not None and not _is_same(self.texts, (self._row.question, self._row.answer))

    @property
    def is_original(self) -> bool:
        """Whether they say what was imported or generated."""
        return self.item is not None and _is_same(self.texts, (self.item.row.question, self.item.row.answer))

    def finish_conversion(self) -> bool:
        """False: the input method keeps what is being converted."""
        return self.question.finish_conversion() and self.answer.finish_conversion()

    def give_up(self) -> None:
        """The texts are again those of the row."""
        if self._row is not None:
            self._fill(self._row.question, self._row.answer)
            self._on_edited()

    def focus_answer(self) -> None:
        self.answer.to_end()

    # ----------------------------------------------------------------- building

    def _build(self) -> None:
        theme = self._theme
        self.question = CorrectedField(theme, phrase("common.batch_column.question"), 1, 5)
        self.answer = CorrectedField(theme, phrase("common.batch_column.answer"), 4, 14)
        self.position = Label(role="caption", tone="text2")
        self._edit_icon = IconLabel(theme, "pencil", "accent", 14)
        self._edit_words = Label(phrase("training.being_edited_not_saved"), "caption", "accent", strong=True)
        self.hint = KeyHint(theme)
        self.hint.show_parts(
            ("Ctrl+Enter", True),
            (phrase("training.edit_and_accept"), False),
            ("  ", False),
            ("Esc", True),
            (phrase("training.give_up_the_edit"), False),
        )
        policy = self.hint.sizePolicy()
        policy.setRetainSizeWhenHidden(True)  # nothing moves when the keyboard comes
        self.hint.setSizePolicy(policy)
        self.earlier = EarlierTurns(theme)
        self.quote = QuoteView(theme)
        self.checks = RowCheckList(theme)
        column = QVBoxLayout(self)
        column.setContentsMargins(MARGIN_PX, 14, MARGIN_PX, 16)
        column.setSpacing(6)
        column.addWidget(self.earlier)
        column.addLayout(_field_header(Label(phrase("common.batch_column.question"), strong=True), self.position))
        column.addWidget(self.question)
        column.addSpacing(8)
        column.addLayout(
            _field_header(Label(phrase("common.batch_column.answer"), strong=True), self._edit_icon, self._edit_words)
        )
        column.addWidget(self.answer)
        column.addWidget(self.hint)
        column.addSpacing(6)
        column.addWidget(self.quote)
        column.addWidget(self.checks)
        column.addStretch(1)
        self._show_hint()

    def _connect(self) -> None:
        for field in (self.question, self.answer):
            field.textChanged.connect(self._on_text_changed)
            field.entered.connect(self._show_hint)
            field.left.connect(self._show_hint)
            for moved in (field.entered, field.cursorPositionChanged):
                moved.connect(lambda field=field: self._on_caret_moved(field))
        self._look_soon.timeout.connect(self._look)

    # ------------------------------------------------------------------- private

    def _fill(self, question: str, answer: str) -> None:
        self._is_filling = True
        for field, text in ((self.question, question), (self.answer, answer)):
            field.setPlainText(text)
        self._is_filling = False

    def _on_text_changed(self) -> None:
        if not self._is_filling:
            self._on_edited()

    def _on_edited(self) -> None:
        self._show_edit()
        self._look_soon.start()
        self.edited.emit()

    def _on_caret_moved(self, field: CorrectedField) -> None:
        if field.hasFocus():
            self.caret_moved.emit(field)

    def _show_edit(self) -> None:
        for widget in (self._edit_icon, self._edit_words):
            widget.setVisible(self.is_edited)
        self._show_hint()

    def _show_hint(self) -> None:
        self.hint.setVisible(self.is_edited or self.question.hasFocus() or self.answer.hasFocus())

    def _look(self) -> None:
        """At the texts as they stand here."""
        self._look_soon.stop()
        if self.item is None or self._row is None:
            return
        question, answer = self.texts
        said = (*self._row.messages[:-2], RowMessage("user", question), RowMessage("assistant", answer))
        row, evidence = TrainingRow(self._row.line, said), self.item.evidence
        self._asked = row
        if sum(len(message.text) for message in said) <= AT_ONCE_CHARACTERS:
            self._on_looked((row, curation.inspect_row(row, evidence)))
        else:
            self.checks.show_item(self.item, None, self._like)
            background.run(lambda: (row, curation.inspect_row(row, evidence)), self._on_looked, self._on_failed)

    def _on_looked(self, found: tuple[TrainingRow, RowInspection]) -> None:
        row, looked = found
        if self.item is not None and row is self._asked:
            self.checks.show_item(self.item, looked, self._like)

    def _on_failed(self, _error: AppError) -> None:
        """Looking raises none."""


class EarlierTurns(QFrame):
    """What was said before the last question, which is not changed here. Takes no room where there is nothing."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        set_surface(self, "sunken")
        self._words = Label(role="caption", tone="text2", wraps=True)
        self._words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        column = QVBoxLayout(self)
        column.setContentsMargins(theme.px(12), theme.px(8), theme.px(12), theme.px(8))
        column.addWidget(Label(phrase("training.what_was_said_before_not"), "caption", strong=True))
        column.addWidget(self._words)
        self.hide()

    def show_words(self, said: str) -> None:
        self._words.setText(untrusted_text.make_harmless(said))
        self.setVisible(bool(said))


class QuoteView(QWidget):
    """The words that the answer rests on, and whether the source has them. Not shown for rows without a source."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.badge = RowBadge(theme)
        self.words = Label(wraps=True)
        self.words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._box = QuoteFrame(theme)
        self._box.column.addWidget(self.words)
        self._none = Label(
            phrase("training.the_documents_do_not_answer"),
            tone="text2",
            wraps=True,
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 8)
        column.setSpacing(6)
        column.addWidget(FlowBox(Label(phrase("training.quoted_source_text"), strong=True), self.badge))
        column.addWidget(self._box)
        column.addWidget(self._none)

    def show_evidence(self, evidence: RowEvidence | None) -> None:
        self.setVisible(evidence is not None)
        if evidence is None:
            return
        has_quote = bool(evidence.quote)
        self._box.setVisible(has_quote)
        self._none.setVisible(not has_quote)
        self.words.setText(untrusted_text.make_harmless(evidence.quote))
        if not has_quote:
            self.badge.show_state("tag", "info", phrase("training.no_quote"))
        elif curation.is_quoted(evidence):
            self.badge.show_state("success", "circle-check", phrase("training.matches_the_source"))
        else:
            self.badge.show_state("warning", "triangle-alert", phrase("training.does_not_match_the_source"))


class QuoteFrame(QFrame):
    """A frame with the bar of what is cited."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        set_surface(self, "tag")
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(theme.px(14), theme.px(8), theme.px(12), theme.px(8))

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        painter = QPainter(self)
        painter.fillRect(0, 0, self._theme.px(3), self.height(), self._theme.color("cite_bar"))


class RowBadge(QFrame):
    """An icon and a word on the ground of their state."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._icon = IconLabel(theme, "info", size=13)
        self.words = Label(role="caption")
        row = QHBoxLayout(self)
        row.setContentsMargins(theme.px(7), theme.px(1), theme.px(8), theme.px(1))
        row.setSpacing(theme.px(4))
        row.addWidget(self._icon)
        row.addWidget(self.words)

    def show_state(self, surface: str, icon: str, text: str) -> None:
        """`surface`: success | warning | tag, of the style sheet."""
        tone = "text2" if surface == "tag" else surface
        self.setProperty("surface", surface)
        self._icon.show_icon(icon, tone)
        self.words.setText(text)
        self.words.set_tone(tone)
        repolish(self)


def _field_header(name: Label, *beside: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setSpacing(6)
    row.addWidget(name)
    row.addStretch(1)
    for widget in beside:
        widget.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Preferred)
        row.addWidget(widget)
    return row


def _is_same(one: Texts, other: Texts) -> bool:
    """As they would be kept."""
    return [_plain(text) for text in one] == [_plain(text) for text in other]


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


LIKENESS = ("same_row", "repeated_question", "near_duplicate")
NAMED_VALUES = 3  # that are missing
GAP_PX = 6
SOUND_MOST = 4  # kinds of what can be right


class RowCheckList(QWidget):
    like_requested = Signal(int)  # the number of the item that this one is like

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._item: CurationItem | None = None
        self._doubts = QVBoxLayout()
        self._doubts.setSpacing(4)
        self._sound_labels = [Label(tone="text2") for _ in range(SOUND_MOST)]
        self.like_button = Button(theme, "", "link")
        self._quality_name = Label(phrase("training.quality"), tone="muted")
        self.quality = Label(tone="text2", wraps=True)
        self._build()

    def show_item(self, item: CurationItem, looked: RowInspection | None, like: CurationItem | None) -> None:
        """`looked`: None while it is not known yet. `like`: the item that it is like."""
        self._item = item
        self._show_doubts(looked or RowInspection())
        sound = self._sound_of(looked) if looked is not None else [phrase("training.looking")]
        for place, label in enumerate(self._sound_labels):
            label.setText(sound[place] if place < len(sound) else "")
            label.setVisible(place < len(sound))
        self.like_button.setVisible(like is not None)
        if like is not None:
            self.like_button.setText(phrase("training.show_place", place=row_texts.row_place(like)))
        score = item.evidence.quality if item.evidence is not None else None
        for label in (self._quality_name, self.quality):
            label.setVisible(score is not None)
        self.quality.setText(phrase("training.n_most_scored_by_the", n=score, most=SCORE_MAX))

    @property
    def doubts(self) -> list[str]:
        """As they are shown."""
        return [label.text() for label in self._doubts_shown]

    @property
    def sound(self) -> list[str]:
        """What is right, as it is shown."""
        return [label.text() for label in self._sound_labels if label.text()]

    # ------------------------------------------------------------------- private

    def _build(self) -> None:
        self._doubts_shown: list[Label] = []
        told = QVBoxLayout()
        told.setSpacing(4)
        told.addLayout(self._doubts)
        told.addWidget(self.like_button, 0, Qt.AlignmentFlag.AlignLeft)
        told.addWidget(FlowBox(*self._sound_labels))
        top = Qt.AlignmentFlag.AlignTop
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(4)
        grid.setColumnStretch(1, 1)
        grid.addWidget(Label(phrase("training.checks"), tone="muted"), 0, 0, top)
        grid.addLayout(told, 0, 1)
        grid.addWidget(self._quality_name, 1, 0, top)
        grid.addWidget(self.quality, 1, 1)
        self.like_button.clicked.connect(self._on_like_clicked)

    def _show_doubts(self, looked: RowInspection) -> None:
        while (line := self._doubts.takeAt(0)) is not None:
            if (widget := line.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        self._doubts_shown.clear()
        for text in self._doubts_of(looked):
            line_widget = QWidget()
            row = QHBoxLayout(line_widget)
            row.setContentsMargins(0, 0, 0, 0)
            row.setSpacing(self._theme.px(GAP_PX))
            icon = IconLabel(self._theme, "triangle-alert", "warning")
            icon.setFixedHeight(self._theme.line_height("ui"))
            label = Label(text, tone="warning", wraps=True)
            self._doubts_shown.append(label)
            row.addWidget(icon, 0, Qt.AlignmentFlag.AlignTop)
            row.addWidget(label, 1)
            self._doubts.addWidget(line_widget)
            line_widget.show()

    def _doubts_of(self, looked: RowInspection) -> list[str]:
        assert self._item is not None
        found = [row_texts.flaw_text(code) for code in (*looked.flaws, *self._likeness())]
        if looked.missing:
            named = phrase("common.symbol_2").join(looked.missing[:NAMED_VALUES])
            found.append(phrase("training.value_is_not_in_the", value=named))
        if looked.personal:
            found.append(row_texts.personal_data_text(looked.personal))
        return found

    def _likeness(self) -> list[str]:
        assert self._item is not None
        return [code for code in LIKENESS if code in self._item.flags]

    def _sound_of(self, looked: RowInspection) -> list[str]:
        assert self._item is not None
        has_quote = self._item.evidence is not None and self._item.evidence.quote != ""
        values = phrase("training.no_numbers")
        if looked.numbers:
            values = phrase("training.n_numbers_match_the_quote", n=looked.numbers) if has_quote else ""
        found = (
            phrase("training.ends_as_a_sentence") if "unfinished" not in looked.flaws else "",
            values if not looked.missing else "",
            phrase("training.no_personal_data") if not looked.personal else "",
            phrase("training.no_duplicates") if not self._likeness() else "",
        )
        return [text for text in found if text]

    def _on_like_clicked(self) -> None:
        if self._item is not None:
            self.like_requested.emit(self._item.like)
