"""What can be done with a run, as buttons for the page's header."""

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from app.training.runs.course import Course
from app.training.services.trainings import Trainings
from app.training.ui.run import notice
from app.uikit.dialogs import Choice, Dialog
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button


class Actions(QObject):
    """`buttons`: hidden where they make no sense; where they cannot be pressed, the step's sentence says why."""

    def __init__(self, theme: Theme, trainings: Trainings, owner: QWidget) -> None:
        super().__init__(owner)
        self._theme = theme
        self._trainings = trainings
        self._owner = owner
        self._course: Course | None = None
        nowhere = QWidget(owner)  # until the page takes them
        nowhere.hide()
        self.pause_button = Button(theme, self.tr("一時停止"), icon="pause", parent=nowhere)
        self.finish_button = Button(theme, self.tr("ここで終えて最良を残す"), parent=nowhere)
        self.abort_button = Button(theme, self.tr("中止…"), "danger", parent=nowhere)
        self.go_on_button = Button(theme, self.tr("続ける"), "primary", "play", parent=nowhere)
        self.buttons = (self.go_on_button, self.pause_button, self.finish_button, self.abort_button)
        for button in self.buttons:
            button.hide()
        self.pause_button.clicked.connect(trainings.pause)
        self.finish_button.clicked.connect(trainings.finish)
        self.abort_button.clicked.connect(self.ask_to_abort)

    @property
    def first(self) -> Button | None:
        """Where the keyboard begins."""
        return next((one for one in self.buttons if not one.isHidden() and one.isEnabled()), None)

    def show_course(self, course: Course, *, is_ours: bool, sentence: str) -> None:
        self._course = course
        trainings = self._trainings
        is_trained = is_ours and course.state == "running"
        is_free = not trainings.is_asked
        is_begun = is_trained and course.standing.last_step > 0 and course.standing.end is None
        states = {
            self.go_on_button: (
                not is_ours and (course.can_go_on or course.state == "ending"),
                course.can_go_on and not trainings.is_training,
            ),
            self.pause_button: (is_ours, is_free),
            self.finish_button: (is_trained, is_free and is_begun),
            self.abort_button: (is_trained, is_free),
        }
        for button, (is_shown, can_press) in states.items():
            button.setVisible(is_shown)
            button.setEnabled(can_press)
            button.setAccessibleDescription("" if can_press else sentence)

    def ask_to_abort(self) -> Dialog:
        assert self._course is not None
        dialog = Dialog(
            self._theme,
            self.tr("学習を中止しますか"),
            notice.abort_body(self._course),
            (
                Choice("cancel", self.tr("キャンセル"), is_default=True),
                Choice("abort", self.tr("中止する"), "danger_fill"),
            ),
            self._owner.window(),
        )
        dialog.chosen.connect(lambda key: self._trainings.cancel() if key == "abort" else None)
        dialog.open()
        return dialog
