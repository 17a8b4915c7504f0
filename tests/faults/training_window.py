"""The scripted window with a training: `python -m tests.faults.training_window ARGUMENTS…`. A script, not a test."""

import sys
from pathlib import Path
from typing import Any

from tests.faults import scripted_window
from tests.faults.scripted_window import _Commands, tell


class TrainingCommands(_Commands):
    def __init__(self, parts: Any, hands: Any, person: Any) -> None:
        super().__init__(parts, hands, person)
        from app.shell.ui.background_work import CloseGuard

        self.trainings = parts.trainings
        closing = parts.window.findChild(CloseGuard)
        parts.navigation.reopened.connect(lambda: tell("reopened"))
        closing._notifier._show = lambda words: tell("notified", words=words)
        self.trainings.started.connect(lambda folder: tell("training", run=folder.name))
        self.trainings.event_received.connect(lambda event: tell("told", step=getattr(event, "step", -1)))
        self.trainings.ended.connect(self._on_ended)
        self._step: Any = None

    def _on_ended(self, _folder: Path, error: Any) -> None:
        tell("ended", outcome=self.trainings.outcome, code=error.code if error else "")

    def do_train(self, folder: str) -> None:
        self.trainings.start(Path(folder))

    def do_make_way(self) -> None:
        """Pause for a question."""
        self._parts.pause.changed.connect(lambda: tell("made_way", state=self._parts.pause.state))
        self._parts.pause.pause()

    def do_pause(self) -> None:
        self.trainings.pause()

    def do_quit(self) -> None:
        from PySide6.QtWidgets import QApplication

        QApplication.quit()

    def do_show_run(self, folder: str) -> None:
        """The step, in a window of its own; it tells what it says, whenever that has changed."""
        from app.training.ui.run_step import RunStep

        step = self._step = RunStep(self._parts.theme, self.trainings, Path(folder), lambda: None)
        step.setParent(self._parts.window)
        step.follower.changed.connect(lambda course: tell("course", state=course.state, words=step.sentence.text()))
        step.show()

    def do_go_on(self) -> None:
        button = self._step.header_actions[0]
        tell("button", words=button.text(), is_enabled=button.isEnabled(), is_hidden=button.isHidden())
        button.click()


if __name__ == "__main__":
    scripted_window._Commands = TrainingCommands  # type: ignore[misc]
    sys.exit(scripted_window.main())
