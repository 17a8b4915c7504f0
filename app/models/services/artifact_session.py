"""Run an ArtifactRunner in a command until it ends, with its progress on the terminal."""

import sys
from collections.abc import Callable
from typing import Any

from app.base.cli.commands import Output, time_left_suffix
from app.base.cli.loop import CommandEventLoop
from app.models.artifact_steps import StepProgress
from app.models.services.artifact_runner import ArtifactRunner


class ArtifactSession(CommandEventLoop):
    """Runs the event loop of a command until a runner ends."""

    def __init__(
        self,
        runner: ArtifactRunner,
        output: Output,
        show: Callable[[StepProgress], None],
        interrupt: Callable[[], None] | None = None,
    ) -> None:
        """Connect to the runner. `interrupt`: called at the first Ctrl+C; None: the runner is cancelled.

        Afterwards `result` is that of `finished`; None: stopped or failed.
        """
        super().__init__(interrupt or runner.cancel)
        self._runner = runner
        self._output = output
        runner.progressed.connect(lambda progress: show(progress))  # a bound method alone would not keep its object
        runner.finished.connect(self.finish)
        runner.failed.connect(self.fail)
        runner.stopped.connect(self.stop)

    def wait(self, start: Callable[[], None]) -> None:
        """Start the runner and wait for its end. Raises the exceptions of `start`, and KeyboardInterrupt."""
        start()
        try:
            if self._runner.is_running:
                self.run()
        finally:
            self._runner.cancel()
            self._output.end_progress()


class StepLines:
    """Prints the steps: on a terminal in one line that changes, else in one line each."""

    def __init__(self, output: Output, key: str, percent_key: str, describe: Callable[[StepProgress], str]) -> None:
        self._output = output
        self._key, self._percent_key = key, percent_key
        self._describe = describe
        self._printed = ("", "")  # kind and name of the last printed step

    def show(self, progress: StepProgress) -> None:
        facts: dict[str, Any] = {"number": progress.number, "steps": progress.steps, "what": self._describe(progress)}
        if not sys.stderr.isatty():
            if (progress.kind, progress.name) != self._printed:
                self._printed = (progress.kind, progress.name)
                self._output.note(self._key, **facts)
        elif progress.total:
            percent, left = 100 * progress.done // progress.total, time_left_suffix(progress.left_s)
            self._output.progress(self._percent_key, percent=percent, left=left, **facts)
        else:
            self._output.progress(self._key, **facts)
