"""The first run: what this machine can do, a model or none for now, a first question. Three steps, each can be left."""

from pathlib import Path

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QDialog, QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from app.base.errors import AppError
from app.base.services.preferences import Preferences
from app.base.wording import phrase
from app.models.services.library import ModelLibrary
from app.models.ui.download_desk import DownloadDesk
from app.shell.ui.first_run.machine_step import MachineStep
from app.shell.ui.first_run.model_step import ModelStep
from app.shell.ui.first_run.question_step import QuestionStep
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import make_scrollable
from app.uikit.widgets.labels import IconLabel, Label, Separator, set_surface
from app.uikit.widgets.section_bars import StepRail

SIZE_PX = (720, 520)
SCREEN_MARGIN_PX = 48

MACHINE, MODEL, QUESTION = range(3)


class FirstRunDialog(QDialog):
    """Esc and closing leave everything as it is: a model that was added stays, one that is being added goes on."""

    example_chosen = Signal(str)  # to be asked first
    kit_requested = Signal()  # to be imported; the dialog is gone then, the greeting is not over

    def __init__(
        self,
        theme: Theme,
        library: ModelLibrary,
        preferences: Preferences,
        desk: DownloadDesk,
        models_folder: Path,
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(phrase("shell.getting_started"))
        self.machine = MachineStep(theme, models_folder, preferences.value)
        self.model = ModelStep(theme, library, preferences, desk)
        self.question = QuestionStep(theme)
        self._build()
        self._connect()
        self.show_step(MACHINE)
        # As large as planned at the user's text size, where the screen has room.
        room = parent.screen().availableSize() - QSize(SCREEN_MARGIN_PX, SCREEN_MARGIN_PX)
        self.resize(QSize(*(theme.px(n) for n in SIZE_PX)).boundedTo(room))

    @property
    def step(self) -> int:
        return self.stack.currentIndex()

    def show_step(self, step: int) -> None:
        self.stack.setCurrentIndex(step)
        self.rail.show_step(step)
        self.question.show_model(has_model=self.model.has_model)
        self._show_buttons()
        self._focus_first()

    def go_on(self, problem: AppError | None) -> None:
        """At the step where a kit is asked for. `problem`: why nothing came of the last one."""
        self.show_step(MODEL)
        if problem is not None:
            self.model.explain(problem)

    # ----------------------------------------------------------------- building

    def _build(self) -> None:
        names = (phrase("shell.what_this_pc_can_do"), phrase("common.choose_a_model"), phrase("shell.ask_something"))
        self.setAccessibleName(phrase("shell.getting_started"))
        self.rail = StepRail(self._theme, names)
        self.stack = QStackedWidget()
        set_surface(self.stack, "base")
        self._pages = [make_scrollable(_padded(step)) for step in (self.machine, self.model, self.question)]
        for page in self._pages:
            self.stack.addWidget(page)
        head = QHBoxLayout()
        head.setContentsMargins(24, 14, 24, 14)
        head.addWidget(self.rail)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(head)
        column.addWidget(Separator())
        column.addWidget(self.stack, 1)
        column.addWidget(Separator())
        column.addLayout(self._build_foot())

    def _build_foot(self) -> QHBoxLayout:
        self.back_button = Button(self._theme, phrase("common.back"))
        self.later_button = Button(self._theme, phrase("shell.later"))
        self.next_button = Button(self._theme, "", "primary")
        self.start_button = Button(self._theme, phrase("shell.start"), "primary")
        privacy = phrase("shell.what_you_type_and_your")
        row = QHBoxLayout()
        row.setContentsMargins(24, 12, 24, 12)
        row.setSpacing(8)
        row.addWidget(IconLabel(self._theme, "shield-check"))
        row.addWidget(Label(privacy, "caption", "text2", wraps=True), 1)
        for button in (self.back_button, self.later_button, self.next_button, self.start_button):
            row.addWidget(button)
        return row

    def _connect(self) -> None:
        self.rail.step_chosen.connect(self.show_step)
        self.model.changed.connect(self._on_model_changed)
        self.model.kit_requested.connect(self._on_kit_requested)
        self.back_button.clicked.connect(lambda: self.show_step(self.step - 1))
        self.later_button.clicked.connect(lambda: self.show_step(QUESTION))
        self.next_button.clicked.connect(lambda: self.show_step(self.step + 1))
        self.start_button.clicked.connect(self._on_start_clicked)
        for button in self.findChildren(Button):
            button.setAutoDefault(True)  # Enter presses the button that has the keyboard

    # ------------------------------------------------------------------ showing

    def _forward(self) -> Button:
        """The one button that leads on from here."""
        if self.step == QUESTION:
            return self.start_button
        return self.next_button if self.step == MACHINE or self.model.has_model else self.later_button

    def _focus_first(self) -> None:
        first = self.model.first_button() if self.step == MODEL else None
        (first or self._forward()).setFocus()
        if first is not None:
            self._pages[self.step].ensureWidgetVisible(first)

    def _show_buttons(self) -> None:
        forward = self._forward()
        # Hidden before another is shown: the dialog would grow to hold both.
        for button in (self.later_button, self.next_button, self.start_button):
            if button is not forward:
                button.hide()
        forward.show()
        self.back_button.setVisible(self.step > MACHINE)
        if self.step < QUESTION:
            name = self.rail.steps[self.step + 1].text()
            self.next_button.setText(phrase("common.next_step", step=name))

    def _on_model_changed(self) -> None:
        """The keyboard goes on to the next step as soon as there is a model."""
        self.question.show_model(has_model=self.model.has_model)
        self._show_buttons()
        if self.step == MODEL and self.model.progress.isHidden():
            self._focus_first()

    def _on_kit_requested(self) -> None:
        self.hide()
        self.deleteLater()
        self.kit_requested.emit()

    def _on_start_clicked(self) -> None:
        self.example_chosen.emit(self.question.example)
        self.accept()


def _padded(step: QWidget) -> QWidget:
    holder = QWidget()
    column = QVBoxLayout(holder)
    column.setContentsMargins(24, 16, 24, 12)
    column.addWidget(step)
    return holder
