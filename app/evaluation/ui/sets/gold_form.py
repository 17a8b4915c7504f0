"""The places of documents that a right answer rests on: a quote each, its document and page."""

import dataclasses
import unicodedata
from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QSizePolicy, QVBoxLayout, QWidget

from app.base.wording import phrase
from app.evaluation.question_rows import NAME_CHARACTERS
from app.evaluation.records import Gold
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button, IconButton
from app.uikit.widgets.fields import CorrectedField
from app.uikit.widgets.labels import Label

QUOTE_LINES = (2, 6)
PAGE_DIGITS = 6
PAGE_PX = 96


class GoldRow(QWidget):
    """What of a place is not shown here, its headings, stays as it is."""

    changed = Signal()

    def __init__(self, theme: Theme, gold: Gold) -> None:
        super().__init__()
        self._gold = gold
        self.quote = CorrectedField(theme, phrase("evaluation.quote"), *QUOTE_LINES)
        self.quote.setPlainText(gold.quote)
        self.quote.setPlaceholderText(phrase("evaluation.copy_the_words_as_they"))
        self.document = QLineEdit(gold.document)
        self.document.setMaxLength(NAME_CHARACTERS)
        self.document.setAccessibleName(phrase("evaluation.document"))
        self.document.setPlaceholderText(phrase("evaluation.document"))
        self.page = QLineEdit(str(gold.page) if gold.page else "")
        self.page.setMaxLength(PAGE_DIGITS)
        self.page.setAccessibleName(phrase("common.batch_column.page"))
        self.page.setPlaceholderText(phrase("common.batch_column.page"))
        self.page.setFixedWidth(theme.px(PAGE_PX))
        self.remove_button = IconButton(theme, "x", phrase("evaluation.remove_this_evidence"))
        self.problem = Label("", "caption", "danger", wraps=True)
        self.problem.hide()
        self._build()
        for field_changed in (self.quote.textChanged, self.document.textChanged, self.page.textChanged):
            field_changed.connect(self._on_changed)

    @property
    def is_empty(self) -> bool:
        return not (self._quote or self.document.text().strip() or self.page.text().strip())

    def gold(self) -> Gold:
        """As it is written; only where `check` finds nothing."""
        page = unicodedata.normalize("NFKC", self.page.text().strip())
        document = " ".join(self.document.text().split())
        return dataclasses.replace(self._gold, quote=self._quote, document=document, page=int(page or 0))

    def check(self) -> QWidget | None:
        """The field that has to be put right, which is said below; None: none."""
        page = unicodedata.normalize("NFKC", self.page.text().strip())
        words = ""
        field: QWidget | None = None
        if not self.is_empty and not self._quote:
            words, field = phrase("evaluation.write_the_quote_or_remove"), self.quote
        elif page and not (page.isascii() and page.isdigit()):
            words, field = phrase("evaluation.write_the_page_as_a"), self.page
        self.problem.setText(words)
        self.problem.setVisible(bool(words))
        return field

    @property
    def _quote(self) -> str:
        return self.quote.toPlainText().strip()

    def _build(self) -> None:
        where = QHBoxLayout()
        where.setSpacing(8)
        where.addWidget(self.document, 1)
        where.addWidget(self.page)
        where.addWidget(self.remove_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addWidget(self.quote)
        column.addLayout(where)
        column.addWidget(self.problem)

    def _on_changed(self) -> None:
        self.problem.hide()
        self.changed.emit()


class GoldForm(QWidget):
    changed = Signal()

    def __init__(
        self, theme: Theme, golds: tuple[Gold, ...], submit: Callable[[], None], cancel: Callable[[], None]
    ) -> None:
        """`submit`, `cancel`: called for the keys of a quote's field."""
        super().__init__()
        self._theme = theme
        self._submit, self._cancel = submit, cancel
        self.rows: list[GoldRow] = []
        self.add_button = Button(theme, phrase("evaluation.add_evidence"), "quiet", "plus", compact=True)
        self._rows = QVBoxLayout()
        self._rows.setSpacing(12)
        self._build()
        for gold in golds or (Gold(""),):
            self._add(gold)

    def golds(self) -> tuple[Gold, ...]:
        return tuple(row.gold() for row in self.rows if not row.is_empty)

    def check(self) -> QWidget | None:
        """The first field that has to be put right; None: none."""
        found = [field for row in self.rows if (field := row.check()) is not None]
        return found[0] if found else None

    def _build(self) -> None:
        title = Label(phrase("evaluation.quotes_as_evidence"), strong=True)
        sentence = phrase("evaluation.words_of_a_document_that")
        words = Label(sentence, "caption", "muted", wraps=True)
        words.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(title)
        column.addWidget(words)
        column.addLayout(self._rows)
        column.addWidget(self.add_button, 0, Qt.AlignmentFlag.AlignLeft)
        self.add_button.clicked.connect(self._on_add_clicked)

    def _on_add_clicked(self) -> None:
        self._add(Gold("")).quote.setFocus()

    def _add(self, gold: Gold) -> GoldRow:
        row = GoldRow(self._theme, gold)
        row.changed.connect(self.changed)
        row.quote.submitted.connect(self._submit)
        row.quote.cancelled.connect(self._cancel)
        row.remove_button.clicked.connect(lambda: self._remove(row))
        self.rows.append(row)
        self._rows.addWidget(row)
        return row

    def _remove(self, row: GoldRow) -> None:
        self.rows.remove(row)
        row.hide()
        row.deleteLater()
        self.add_button.setFocus()
        self.changed.emit()
