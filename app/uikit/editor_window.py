"""Provide the window of an editor: a title, a form that scrolls, a message, and the buttons."""

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QDialog, QHBoxLayout, QWidget

from app.base.wording import phrase
from app.uikit.dialogs import Dialog, cancel_or, fit_to_parent
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import Stretch, make_column, make_row, make_scrollable
from app.uikit.widgets.fields import AutoSpin
from app.uikit.widgets.form_rows import SettingRow
from app.uikit.widgets.labels import IconLabel, Label, Separator, announce, set_surface

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
            question, body = phrase("uikit.close_without_saving_your_changes"), phrase("uikit.what_you_changed_will_be")
            leave, stay = phrase("uikit.close_without_saving"), phrase("uikit.keep_editing")
            choices = cancel_or("leave", leave, stay, is_grave=True)
            Dialog(self._theme, question, body, choices, self).ask(self._leave)
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
