"""Edit one row of the review queue: question, answer, the supporting quote, and the results of the checks.

Each problem has a line of its own; one more line lists what is right.
"""

from collections.abc import Callable

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QSizePolicy, QWidget

from app.base.services.background import LatestWork
from app.base.wording import phrase
from app.training.data import curation
from app.training.data.curation import CurationItem, RowEvidence, RowInspection
from app.training.data.rows import RowMessage, TrainingRow
from app.training.generation.pair_records import SCORE_MAX
from app.training.ui.data import row_texts
from app.uikit import untrusted_text
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button, KeyHint
from app.uikit.widgets.containers import Badge, FlowBox, IconLines, Stretch, make_column, make_grid, make_row
from app.uikit.widgets.fields import CorrectedField
from app.uikit.widgets.labels import IconLabel, Label, set_surface

CHECK_DELAY_MS = 300  # milliseconds after the last typed character
AT_ONCE_CHARACTERS = 5000  # longer rows are checked in a background thread
MARGIN_PX = 20

Texts = tuple[str, str, str]  # question, answer and rejected answer; "" for a row that is no pair


class RowEditor(QWidget):
    """An editor for one row. Its owner stores each row's unsaved texts when `edited` is emitted."""

    edited = Signal()
    caret_moved = Signal(object)  # the field with the text cursor

    def __init__(self, theme: Theme, show_item: Callable[[int], None]) -> None:
        """Create the editor. `show_item`: called with the number of an item to show."""
        super().__init__()
        self._theme = theme
        self._show_item = show_item
        self.item: CurationItem | None = None
        self._row: TrainingRow | None = None
        self._similar: CurationItem | None = None
        self._checking = LatestWork()
        self._is_filling = False
        self._check_timer = QTimer(self, singleShot=True, interval=CHECK_DELAY_MS)
        self._build()
        self._connect()

    # ------------------------------------------------------------------ content

    def show_item(
        self, item: CurationItem, row: TrainingRow, similar: CurationItem | None, position_text: str, edit: Texts | None
    ) -> None:
        """Show an item.

        `row`: its current texts. `similar`: a similar item. `edit`: its unsaved texts; None without any.

        Any pending input method conversion is ended and stays with its own row.
        """
        for field in self.fields:
            if not field.finish_input_conversion():
                field.clearFocus()
        self.item, self._row, self._similar = item, row, similar
        self.position.setText(position_text)
        self.earlier.show_words(row_texts.earlier_turns_text(row))
        self.quote.show_evidence(item.evidence)
        for widget in (self.rejected, self._rejected_name):
            widget.setVisible(bool(row.rejected))
        self._fill(*(edit or texts_of(row)))
        self._show_edit()
        self._check()

    @property
    def texts(self) -> Texts:
        return self.question.toPlainText(), self.answer.toPlainText(), self.rejected.toPlainText()

    @property
    def is_edited(self) -> bool:
        """Return whether the texts in the fields differ from the row."""
        return self._row is not None and not _are_equal_texts(self.texts, texts_of(self._row))

    @property
    def is_original(self) -> bool:
        """Return whether the texts in the fields are those that were imported or generated."""
        return self.item is not None and _are_equal_texts(self.texts, texts_of(self.item.row))

    def finish_input_conversion(self) -> bool:
        """End a conversion of the input method. Return False if it cannot be ended."""
        return all(field.finish_input_conversion() for field in self.fields)

    def give_up(self) -> None:
        """Restore the row's texts in the fields."""
        if self._row is not None:
            self._fill(*texts_of(self._row))
            self._on_edited()

    # ----------------------------------------------------------------- building

    def _build(self) -> None:
        theme = self._theme
        self.question = CorrectedField(theme, phrase("common.batch_column.question"), 1, 5)
        self.answer = CorrectedField(theme, phrase("common.batch_column.answer"), 4, 14)
        self.rejected = CorrectedField(theme, phrase("training.rejected_answer"), 2, 8)
        self.fields = (self.question, self.answer, self.rejected)
        self._rejected_name = Label(phrase("training.rejected_answer"), strong=True)
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
        policy.setRetainSizeWhenHidden(True)  # nothing moves when a field gets the focus
        self.hint.setSizePolicy(policy)
        self.earlier = EarlierTurns(theme)
        self.quote = QuoteView(theme)
        self.checks = RowCheckList(theme, self._show_item)
        make_column(
            self.earlier,
            _field_header(Label(phrase("common.batch_column.question"), strong=True), self.position),
            self.question,
            8,
            _field_header(Label(phrase("common.batch_column.answer"), strong=True), self._edit_icon, self._edit_words),
            self.answer,
            self._rejected_name,
            self.rejected,
            self.hint,
            6,
            self.quote,
            self.checks,
            Stretch(),
            into=self,
            margins_px=(MARGIN_PX, 14, MARGIN_PX, 16),
            spacing_px=6,
        )
        self._show_hint()

    def _connect(self) -> None:
        for field in self.fields:
            field.textChanged.connect(self._on_text_changed)
            field.entered.connect(self._show_hint)
            field.left.connect(self._show_hint)
            for moved in (field.entered, field.cursorPositionChanged):
                moved.connect(lambda field=field: self._on_caret_moved(field))
        self._check_timer.timeout.connect(self._check)

    # ------------------------------------------------------------- private methods

    def _fill(self, *texts: str) -> None:
        self._is_filling = True
        for field, text in zip(self.fields, texts, strict=True):
            field.setPlainText(text)
        self._is_filling = False

    def _on_text_changed(self) -> None:
        if not self._is_filling:
            self._on_edited()

    def _on_edited(self) -> None:
        self._show_edit()
        self._check_timer.start()
        self.edited.emit()

    def _on_caret_moved(self, field: CorrectedField) -> None:
        if field.hasFocus():
            self.caret_moved.emit(field)

    def _show_edit(self) -> None:
        for widget in (self._edit_icon, self._edit_words):
            widget.setVisible(self.is_edited)
        self._show_hint()

    def _show_hint(self) -> None:
        self.hint.setVisible(self.is_edited or any(field.hasFocus() for field in self.fields))

    def _check(self) -> None:
        """Check the texts in the fields and show the results."""
        self._check_timer.stop()
        self._checking.drop()
        if self.item is None or self._row is None:
            return
        question, answer, _rejected = self.texts
        messages = (*self._row.messages[:-2], RowMessage("user", question), RowMessage("assistant", answer))
        row, evidence = TrainingRow(self._row.line, messages), self.item.evidence
        if sum(len(message.text) for message in messages) <= AT_ONCE_CHARACTERS:
            self._on_checked(curation.inspect_row(row, evidence))
        else:
            self.checks.show_item(self.item, None, self._similar)
            self._checking.run(lambda: curation.inspect_row(row, evidence), self._on_checked)

    def _on_checked(self, inspection: RowInspection) -> None:
        if self.item is not None:
            self.checks.show_item(self.item, inspection, self._similar)


class EarlierTurns(QFrame):
    """Shows the turns before the last question, which cannot be edited here. It is hidden if there are none."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        set_surface(self, "sunken")
        self._words = Label(role="caption", tone="text2", wraps=True, selectable=True)
        make_column(
            Label(phrase("training.what_was_said_before_not"), "caption", strong=True),
            self._words,
            into=self,
            margins_px=(theme.px(12), theme.px(8), theme.px(12), theme.px(8)),
        )
        self.hide()

    def show_words(self, text: str) -> None:
        self._words.setText(untrusted_text.make_harmless(text))
        self.setVisible(bool(text))


class QuoteView(QWidget):
    """Shows the quote that supports the answer, and whether the source contains it.

    It is hidden for rows without a source.
    """

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.badge = Badge(theme)
        self.words = Label(wraps=True, selectable=True)
        self._box = QuoteFrame(theme)
        self._box.column.addWidget(self.words)
        self._none = Label(phrase("training.the_documents_do_not_answer"), tone="text2", wraps=True)
        make_column(
            FlowBox(Label(phrase("training.quoted_source_text"), strong=True), self.badge),
            self._box,
            self._none,
            into=self,
            margins_px=(0, 0, 0, 8),
            spacing_px=6,
        )

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
    """A frame with the coloured bar of a quotation at its side."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        set_surface(self, "tag")
        self.column = make_column(into=self, margins_px=(theme.px(14), theme.px(8), theme.px(12), theme.px(8)))

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        painter = QPainter(self)
        painter.fillRect(0, 0, self._theme.px(3), self.height(), self._theme.color("cite_bar"))


def _field_header(name: Label, *beside: QWidget) -> QHBoxLayout:
    row = make_row(name, Stretch(), spacing_px=6)
    for widget in beside:
        widget.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Preferred)
        row.addWidget(widget)
    return row


def texts_of(row: TrainingRow) -> Texts:
    return row.question, row.answer, row.rejected


def _are_equal_texts(texts: Texts, other: Texts) -> bool:
    """Return whether the texts are equal in the form in which they would be saved."""
    return [_plain(text) for text in texts] == [_plain(text) for text in other]


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


LIKENESS = ("same_row", "repeated_question", "near_duplicate")
NAMED_VALUES = 3  # most missing values that a line quotes
SOUND_MOST = 4  # number of checks that can pass


class RowCheckList(QWidget):
    def __init__(self, theme: Theme, show_item: Callable[[int], None]) -> None:
        """Create the view. `show_item`: called with the number of an item to show."""
        super().__init__()
        self._show_item = show_item
        self._item: CurationItem | None = None
        self.doubts = IconLines(theme, is_tinted=True)
        self._sound_labels = [Label(tone="text2") for _ in range(SOUND_MOST)]
        self.like_button = Button(theme, "", "link")
        self._quality_name = Label(phrase("training.quality"), tone="muted")
        self.quality = Label(tone="text2", wraps=True)
        self._build()

    def show_item(self, item: CurationItem, inspection: RowInspection | None, similar: CurationItem | None) -> None:
        """Show the checks of an item. `inspection`: None while it is unknown. `similar`: a similar item, or None."""
        self._item = item
        doubts = self._doubts_of(inspection or RowInspection())
        self.doubts.show_lines([("triangle-alert", "warning", text) for text in doubts])
        sound = self._sound_of(inspection) if inspection is not None else [phrase("training.looking")]
        for place, label in enumerate(self._sound_labels):
            label.setText(sound[place] if place < len(sound) else "")
            label.setVisible(place < len(sound))
        self.like_button.setVisible(similar is not None)
        if similar is not None:
            self.like_button.setText(phrase("training.show_place", place=row_texts.row_place(similar)))
        score = item.evidence.quality if item.evidence is not None else None
        for label in (self._quality_name, self.quality):
            label.setVisible(score is not None)
        self.quality.setText(phrase("training.n_most_scored_by_the", n=score, most=SCORE_MAX))

    @property
    def sound(self) -> list[str]:
        """Return the displayed texts of passed checks."""
        return [label.text() for label in self._sound_labels if label.text()]

    # ------------------------------------------------------------- private methods

    def _build(self) -> None:
        lines = make_column(
            self.doubts, (self.like_button, 0, Qt.AlignmentFlag.AlignLeft), FlowBox(*self._sound_labels), spacing_px=4
        )
        top = Qt.AlignmentFlag.AlignTop
        grid = make_grid(self, spacing_px=(12, 4), stretch=1)
        grid.addWidget(Label(phrase("training.checks"), tone="muted"), 0, 0, top)
        grid.addLayout(lines, 0, 1)
        grid.addWidget(self._quality_name, 1, 0, top)
        grid.addWidget(self.quality, 1, 1)
        self.like_button.clicked.connect(lambda: self._show_item(self._item.like) if self._item else None)

    def _doubts_of(self, inspection: RowInspection) -> list[str]:
        assert self._item is not None
        found = [row_texts.check_flaw_text(code) for code in (*inspection.flaws, *self._likeness())]
        if inspection.missing:
            named = phrase("common.symbol_2").join(inspection.missing[:NAMED_VALUES])
            found.append(phrase("training.value_is_not_in_the", value=named))
        if inspection.personal:
            found.append(row_texts.personal_data_text(self._item.row, inspection.personal))
        return found

    def _likeness(self) -> list[str]:
        assert self._item is not None
        return [code for code in LIKENESS if code in self._item.flags]

    def _sound_of(self, inspection: RowInspection) -> list[str]:
        assert self._item is not None
        has_quote = self._item.evidence is not None and self._item.evidence.quote != ""
        values = phrase("training.no_numbers")
        if inspection.numbers:
            values = phrase("training.n_numbers_match_the_quote", n=inspection.numbers) if has_quote else ""
        found = (
            phrase("training.ends_as_a_sentence") if "unfinished" not in inspection.flaws else "",
            values if not inspection.missing else "",
            phrase("training.no_personal_data") if not inspection.personal else "",
            phrase("training.no_duplicates") if not self._likeness() else "",
        )
        return [text for text in found if text]
