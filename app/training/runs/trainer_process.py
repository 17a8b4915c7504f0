"""The trainer asked for less than a run (`--plan`, `--probe`): its process, and what it tells until it ends."""

import dataclasses
import json
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from app.base.errors import AppError
from app.training.runs import journal, runs
from trainer import spec
from trainer.events import Event
from trainer.spec import RunSpec

Process = subprocess.Popen[bytes]


@dataclass(frozen=True, slots=True)
class Watch:
    """`began` is given the process, which any thread may kill; `heard` each of its events. What they raise ends it."""

    began: Callable[[Process], None] = lambda _process: None
    heard: Callable[[Event], None] = lambda _event: None


def events_of(asked: RunSpec, command: Callable[..., list[str]], how: str, watch: Watch) -> Iterator[Event]:
    """In a folder of its own: nothing is left behind but a converted base. `how`: the option.

    Raises AppError("training_environment_broken").
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / runs.SPEC
        written = spec.to_json(dataclasses.replace(asked, folder=str(Path(folder) / "run")))
        path.write_text(json.dumps(written, ensure_ascii=False), encoding="utf-8")
        with (Path(folder) / runs.LOG).open("wb") as log:
            argv = command(str(path), how)
            try:
                child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log)
            except OSError as error:
                reason = error.strerror or str(error)
                raise AppError("training_environment_broken", path=argv[0], reason=reason) from error
            with child:
                assert child.stdout is not None
                try:
                    watch.began(child)
                    for line in child.stdout:
                        event = journal.read_line(line)
                        watch.heard(event)
                        yield event
                except ValueError as error:  # killed in the middle of a line
                    raise AppError("training_environment_broken", path=argv[0], reason=how) from error
                finally:
                    child.kill()  # where it has not ended by itself: interrupted
