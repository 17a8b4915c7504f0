"""Show questions, errors and editors in dialogs. Titles are questions, buttons are verbs, texts are never HTML."""

import hashlib
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QResizeEvent, QShowEvent
from PySide6.QtWidgets import QDialog, QHBoxLayout, QPlainTextEdit, QWidget

from app.base.errors import AppError
from app.base.wording import describe_error, phrase
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import Stretch, make_column, make_row, make_scrollable
from app.uikit.widgets.fields import AutoSpin
from app.uikit.widgets.form_rows import SettingRow
from app.uikit.widgets.labels import IconLabel, Label, Separator, announce, set_surface

WIDTH_PX = 460
EDGE_PX = 20  # the least distance from a dialog to the edges of its window
SCROLLED_LEAST_PX = 100  # the least height of a scrolling part of a dialog
SCROLLED_OTHERS_PX = 190  # the height of the parts above and below it
DETAILS_PX = 140


@dataclass(frozen=True, slots=True)
class DialogButton:
    """A button of a dialog. `key`: the value that `Dialog.chosen` emits; `words`: its text; `kind`: as for `Button`."""

    key: str
    words: str
    kind: str = ""
    is_default: bool = False


def fit_to_parent(window: QWidget, theme: Theme, size_px: tuple[int, int]) -> None:
    """Resize a window to a size, or less so that an edge of the window below it stays visible."""
    parent, size = window.parentWidget(), QSize(*map(theme.px, size_px))
    window.resize(
        size.boundedTo(parent.window().size() - QSize(2 * EDGE_PX, 2 * EDGE_PX)) if parent is not None else size
    )


def cancel_or(key: str, words: str, cancel: str = "", *, is_grave: bool = False) -> tuple[DialogButton, DialogButton]:
    """Return a cancel button and an action button. `is_grave`: the action destroys data, so Enter cancels."""
    return (
        DialogButton("cancel", cancel or phrase("common.cancel"), is_default=is_grave),
        DialogButton(key, words, "danger_fill" if is_grave else "primary", is_default=not is_grave),
    )


class Dialog(QDialog):
    """A dialog with a question, an explanation and buttons. Esc and closing the window choose "cancel"."""

    chosen = Signal(str)

    def __init__(
        self,
        theme: Theme,
        question: str,
        body: str,
        choices: Sequence[DialogButton] = (),
        parent: QWidget | None = None,
        *,
        icon: tuple[str, str] | None = None,
        content: QWidget | None = None,
        width_px: int = WIDTH_PX,
    ) -> None:
        """`body`: the explanation. `choices`: the buttons; (): one to close it. `icon`: name and colour. `content`: a
        widget between the body and the buttons."""
        super().__init__(parent)
        self._theme = theme
        self._width_px = width_px
        self.result_key = "cancel"
        self.setWindowTitle(phrase("uikit.kotae"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setAccessibleName(question)
        self.setAccessibleDescription(body)
        self.buttons: dict[str, Button] = {}
        close = DialogButton("cancel", phrase("common.close"), is_default=True)
        self._build(question, body, choices or (close,), icon, content)

    def ask(self, act: Callable[[], object]) -> Self:
        """Open the dialog, call `act` unless the user cancels, and return the dialog."""
        self.chosen.connect(lambda key: act() if key != "cancel" else None)
        self.open()
        return self

    def showEvent(self, event: QShowEvent) -> None:
        """Set the height that the wrapped text needs; Qt estimates it for another width."""
        self.fit_height()
        super().showEvent(event)

    def fit_height(self, *inner: QWidget | None) -> None:
        """Set the height for the content. `inner`: widgets that just changed, which the layout would notice later."""
        for widget in inner:
            inside = widget.layout() if widget is not None else None
            if inside is not None:
                inside.invalidate()
                inside.activate()
        layout = self.layout()
        if layout is not None:
            layout.activate()
            self.resize(self.width(), layout.totalHeightForWidth(self.width()))

    def reject(self) -> None:
        self.chosen.emit(self.result_key)
        super().reject()

    def _build(
        self,
        question: str,
        body: str,
        choices: Sequence[DialogButton],
        icon: tuple[str, str] | None,
        content: QWidget | None,
    ) -> None:
        heading = make_row(spacing_px=10)
        if icon is not None:
            heading.addWidget(IconLabel(self._theme, *icon, 20), 0, Qt.AlignmentFlag.AlignTop)
        heading.addWidget(Label(question, "heading3", wraps=True), 1, Qt.AlignmentFlag.AlignTop)
        column = make_column(
            heading,
            *([Label(body, tone="text2", wraps=True, selectable=True)] if body else []),
            into=self,
            margins_px=(24, 20, 24, 20),
            spacing_px=12,
        )
        if content is not None:
            column.addWidget(content, 1)
        column.addSpacing(8)
        row = make_row(Stretch(), spacing_px=8)
        for choice in choices:
            button = Button(self._theme, choice.words, choice.kind)
            button.setDefault(choice.is_default)
            button.clicked.connect(lambda _=False, key=choice.key: self._choose(key))
            self.buttons[choice.key] = button
            row.addWidget(button)
        column.addLayout(row)
        parent = self.parentWidget()
        room = parent.window().width() if parent is not None else self.screen().availableSize().width()
        self.setFixedWidth(min(self._theme.px(self._width_px), room - 2 * EDGE_PX))
        default = next((choice.key for choice in choices if choice.is_default), None)
        if default is not None:
            self.buttons[default].setFocus()

    def _choose(self, key: str) -> None:
        self.result_key = key
        self.reject() if key == "cancel" else self.accept()

    def accept(self) -> None:
        self.chosen.emit(self.result_key)
        super().accept()


def ask_to_leave(theme: Theme, window: QWidget, leave: Callable[[], object]) -> None:
    """Ask before the changes made in a window are lost, and call `leave` if they may be."""
    question, body = phrase("uikit.close_without_saving_your_changes"), phrase("uikit.what_you_changed_will_be")
    choices = cancel_or("leave", phrase("uikit.close_without_saving"), phrase("uikit.keep_editing"), is_grave=True)
    Dialog(theme, question, body, choices, window).ask(leave)


def problem_dialog(
    theme: Theme, error: AppError, parent: QWidget | None = None, choices: Sequence[DialogButton] = ()
) -> Dialog:
    """Return a dialog with the two sentences of an error. `choices`: its buttons; (): one to close it."""
    sentence = describe_error(error)
    return Dialog(theme, sentence.message, sentence.next, choices, parent, icon=("triangle-alert", "warning"))


class BugReporter:
    """Shows each distinct bug in one dialog, with `save_log` and `make_report` behind its buttons."""

    def __init__(
        self,
        theme: Theme,
        parent: QWidget | None,
        save_log: Callable[[], None],
        make_report: Callable[[], None] = lambda: None,
    ) -> None:
        self._theme = theme
        self._parent = parent
        self._actions = {"log": save_log, "report": make_report}
        self._reported: set[str] = set()

    def report(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> Dialog | None:
        """Open a dialog for an uncaught exception and return it; None if this bug was shown before."""
        text = "".join(traceback.format_exception(kind, error, trace))
        fingerprint = _bug_fingerprint(kind, trace)
        if fingerprint in self._reported:
            return None
        self._reported.add(fingerprint)
        dialog = Dialog(
            self._theme,
            phrase("uikit.something_unexpected_happened"),
            phrase("uikit.your_work_is_saved_and"),
            (
                DialogButton("log", phrase("uikit.save_log")),
                DialogButton("report", phrase("common.make_a_report")),
                DialogButton("cancel", phrase("common.continue"), "primary", is_default=True),
            ),
            self._parent,
            icon=("triangle-alert", "warning"),
            content=make_text_view(
                text,
                phrase("uikit.content_of_the_log"),
                scrolled_height(self._theme, self._parent, self._theme.px(DETAILS_PX)),
            ),
        )
        return dialog.ask(lambda: self._actions[dialog.result_key]())


def make_text_view(text: str, name: str, height_px: int) -> QPlainTextEdit:
    """Return a read-only text field that scrolls. `name`: its accessible name."""
    view = QPlainTextEdit(text)
    view.setReadOnly(True)
    view.setProperty("field", True)
    view.setAccessibleName(name)
    view.setFixedHeight(height_px)
    view.setTabChangesFocus(True)
    return view


def scrolled_height(theme: Theme, parent: QWidget | None, full_height_px: int) -> int:
    """Return the height in pixels of a scrolling part of a dialog: `full_height_px`, or less if the window is low."""
    if parent is None:
        return full_height_px
    room = parent.window().height() - theme.px(SCROLLED_OTHERS_PX)
    return min(full_height_px, max(theme.px(SCROLLED_LEAST_PX), room))


def _bug_fingerprint(kind: type[BaseException], trace: TracebackType | None) -> str:
    """Return a hash of an exception's class and traceback lines, without its message."""
    places = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(trace)]
    return hashlib.sha256("\n".join([kind.__name__, *places]).encode()).hexdigest()


SIZE_PX = (680, 620)
MARGIN_PX = 24
STACK_BELOW_PX = 520  # in a narrower window the labels are above their controls


class EditorWindow(QDialog):
    """The base of editors with `self.column` and `save_or_explain`; closing one with changes asks first."""

    def __init__(self, theme: Theme, parent: QWidget | None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._is_dirty = False
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.column = make_column(margins_px=(MARGIN_PX, 16, MARGIN_PX, 16), spacing_px=20)
        self._build()
        fit_to_parent(self, theme, SIZE_PX)

    def set_words(self, title: str, sentence: str, save: str) -> None:
        """Set the texts of the window. `sentence`: below the title; "": none. `save`: on the button that saves."""
        self.setWindowTitle(title)
        self.setAccessibleName(title)
        self.setAccessibleDescription(sentence)
        self._title.setText(title)
        self._sentence.setText(sentence)
        self._sentence.setVisible(bool(sentence))
        self.save_button.setText(save)

    def save_or_explain(self) -> str:
        """Store the entered values. Return a message if they cannot be stored; "" closes the window."""
        raise NotImplementedError

    def note_change(self) -> None:
        self._is_dirty = True
        self._show_problem("")

    def reject(self) -> None:
        """Close the window, after a question if there are changes. Called for Esc and every close button."""
        for spin in self.findChildren(AutoSpin):
            spin.interpretText()  # so that a partly typed number counts as a change
        if self._is_dirty:
            ask_to_leave(self._theme, self, self._leave)
        else:
            super().reject()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        is_stacked = self.width() < self._theme.px(STACK_BELOW_PX)
        for row in self.findChildren(SettingRow):
            row.set_stacked(is_stacked)

    def _build(self) -> None:
        form = QWidget()
        form.setLayout(self.column)
        set_surface(self, "base")
        self._title = Label("", "heading2", wraps=True)
        self._sentence = Label("", "caption", "muted", wraps=True)
        heading = make_column(self._title, self._sentence, margins_px=(MARGIN_PX, 20, MARGIN_PX, 12), spacing_px=4)
        make_column(
            heading,
            Separator(),
            (make_scrollable(form), 1),
            Separator(),
            self._build_buttons(),
            into=self,
            spacing_px=0,
        )

    def _build_buttons(self) -> QHBoxLayout:
        self.problem = Label("", tone="danger", wraps=True)
        self._problem_icon = IconLabel(self._theme, "circle-x", "danger")
        self._show_problem("")
        self.cancel_button = Button(self._theme, phrase("common.cancel"))
        self.save_button = Button(self._theme, "", "primary")
        self.cancel_button.clicked.connect(self.reject)
        self.save_button.clicked.connect(self._on_save_clicked)
        return make_row(
            self._problem_icon,
            (self.problem, 1),
            Stretch(0),
            self.cancel_button,
            self.save_button,
            margins_px=(MARGIN_PX, 12, MARGIN_PX, 16),
            spacing_px=8,
        )

    def _show_problem(self, words: str) -> None:
        self.problem.setText(words)
        self.problem.setVisible(bool(words))
        self._problem_icon.setVisible(bool(words))
        if words:
            announce(self, words)

    def _on_save_clicked(self) -> None:
        problem = self.save_or_explain()
        self._show_problem(problem)
        if not problem:
            self._is_dirty = False
            self.accept()

    def _leave(self) -> None:
        self._is_dirty = False
        self.reject()
