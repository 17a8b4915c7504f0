"""Show training examples token by token: trained tokens, tokens that are only read, and control tokens."""

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import (
    QFocusEvent,
    QKeyEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QTextBlockFormat,
    QTextCharFormat,
    QTextCursor,
)
from PySide6.QtWidgets import QFrame, QTextEdit

from app.base.wording import phrase
from app.training import run_plan
from app.training.run_plan import PreviewPiece
from app.uikit.localization import join_facts
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import IconButton
from app.uikit.widgets.containers import FlowBox, make_column, make_row
from app.uikit.widgets.labels import Label, set_surface
from trainer.events import Preview

HEIGHT_PX = 216
TEXT_MARGIN_PX = 10
LINE = "⏎\n"  # makes a line break visible, because it is a token like others


class TokenView(QFrame):
    """Shows one example at a time. ← and → show the previous and next one while the text has the focus."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.setProperty("surface", "card")
        self._theme = theme
        self._previews: Sequence[Preview] = ()
        self._index = 0
        self.title = Label(role="heading3", wraps=True)
        self.previous_button = IconButton(theme, "chevron-left", phrase("training.previous_example"), "←")
        self.next_button = IconButton(theme, "chevron-right", phrase("training.next_example"), "→")
        self.text = TokenText(theme)
        self.facts = Label(role="caption", tone="muted", wraps=True)
        self._legend = (
            Label(phrase("training.trained_tokens"), "caption", "accent", strong=True),
            Label(phrase("training.read_only"), "caption", "muted"),
            Label(phrase("training.marks_of_the_conversation"), "caption", "muted"),
        )
        self._build()
        self.previous_button.clicked.connect(lambda: self.show_place(self._index - 1))
        self.next_button.clicked.connect(lambda: self.show_place(self._index + 1))
        self.text.focus_changed.connect(self.update)
        self.text.turned.connect(lambda by: self.show_place(self._index + by))
        theme.changed.connect(self._on_theme_changed)

    def _on_theme_changed(self) -> None:
        self.show_place(self._index)

    def show_previews(self, previews: Sequence[Preview]) -> None:
        """Show the first of the examples; if they are the same as before, stay at the current one."""
        if previews is not self._previews:
            self._previews = previews
            self.show_place(0)

    def show_place(self, index: int) -> None:
        """Show the example at index `index`; do nothing if there is none."""
        count = len(self._previews)
        if not 0 <= index < count:
            return
        self._index = index
        preview = self._previews[index]
        title = phrase("training.example_i_of_n", i=index + 1, n=count)
        trained = sum(token.is_trained for token in preview.tokens)
        facts = join_facts(
            phrase("training.n_tokens_in_all", n=f"{len(preview.tokens):,}"),
            phrase("training.n_trained", n=f"{trained:,}"),
        )
        self.title.setText(title)
        self.facts.setText(facts)
        self.text.show_pieces(run_plan.preview_pieces(preview.tokens))
        self.text.setAccessibleName(join_facts(title, facts))
        self.previous_button.setEnabled(index > 0)
        self.next_button.setEnabled(index + 1 < count)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self.text.hasFocus():
            painter = QPainter(self)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            width, radius = self._theme.metric("focus_ring"), self._theme.metric("radius_card")
            painter.setPen(QPen(self._theme.color("accent"), width))
            painter.drawRoundedRect(self.text.geometry().adjusted(-width, -width, width - 1, width - 1), radius, radius)

    def _build(self) -> None:
        self._legend[0].setStyleSheet("text-decoration: underline")
        head = make_row((self.title, 1), self.previous_button, self.next_button, spacing_px=4)
        make_column(
            head, FlowBox(*self._legend), self.text, self.facts, into=self, margins_px=(16, 12, 16, 12), spacing_px=8
        )


class TokenText(QTextEdit):
    turned = Signal(int)  # -1 | 1
    focus_changed = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.setReadOnly(True)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setTabChangesFocus(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        set_surface(self, "raised")

    def show_pieces(self, pieces: Sequence[PreviewPiece]) -> None:
        self.clear()
        self.document().setDocumentMargin(self._theme.px(TEXT_MARGIN_PX))
        self.setFixedHeight(self._theme.px(HEIGHT_PX))
        lines = QTextBlockFormat()
        height = self._theme.line_height("reading")
        lines.setLineHeight(height, QTextBlockFormat.LineHeightTypes.MinimumHeight.value)
        cursor = QTextCursor(self.document())
        cursor.setBlockFormat(lines)
        for piece in pieces:
            text = f"[{piece.text}]" if piece.kind else piece.text.replace("\n", LINE)
            cursor.insertText(text, self._format(piece))
        self.moveCursor(QTextCursor.MoveOperation.Start)
        learned = "".join(piece.text for piece in pieces if piece.is_trained and not piece.kind)
        self.setAccessibleDescription(phrase("training.trained_text", text=learned))

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.focus_changed.emit()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.focus_changed.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        by = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(event.key()))
        if by is not None and not event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier:
            self.turned.emit(by)
        else:
            super().keyPressEvent(event)

    def _format(self, piece: PreviewPiece) -> QTextCharFormat:
        """Return the format of a piece.

        Trained text is bold, underlined and in the accent colour; marks are in a monospaced font on a shaded
        background.
        """
        form = QTextCharFormat()
        form.setFont(self._theme.font("mono" if piece.kind else "reading", 600 if piece.is_trained else 400))
        form.setForeground(self._theme.color("accent" if piece.is_trained else "muted"))
        form.setFontUnderline(piece.is_trained)
        if piece.kind:
            form.setBackground(self._theme.color("sunken"))
        return form
