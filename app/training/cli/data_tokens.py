"""How many tokens of a model each row of training data takes: counted by the engine's child, which has the model."""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

from app.base.cli.loop import Waiting, application
from app.base.cli.output import Output
from app.base.errors import AppError
from app.base.paths import Paths
from app.inference import child_commands, fit, gguf
from app.inference.engine.messages import Event, Failed, Load, Ready, Tokenize, Tokenized
from app.inference.local_model import LocalModel
from app.inference.prompt import Segment
from app.inference.services.engine import EngineClient, EngineDeath
from app.models.model_choice import choose_model
from app.training.data.rows import Row

CONTEXT_TOKENS = 256  # nothing is asked; the smallest takes the least memory
BATCH_CHARACTERS = 200_000


def count(rows: Sequence[Row], model: LocalModel, where: Paths, output: Output) -> list[int]:
    """Of all messages of each row together, without what a chat template puts around them.

    Raises AppError("memory_short" | "engine_died"), what the engine fails with, and KeyboardInterrupt.
    """
    _check_memory(model)
    app = application()
    engine = EngineClient(child_commands.engine(), where.logs / "engine-data.log")
    counting = _Counting(engine, rows, output)
    try:
        counting.wait(model)
    finally:
        engine.shut_down()
        output.end_progress()
    del app
    if counting.error is not None:
        raise counting.error
    if len(counting.counts) < len(rows):
        raise KeyboardInterrupt
    return counting.counts


def model_of(base: str, where: Paths) -> LocalModel | None:
    """None for a folder. Raises AppError as `choose_model`."""
    if Path(base).expanduser().is_dir():
        return None
    return choose_model(base, where)


def _check_memory(model: LocalModel) -> None:
    needed = fit.estimate(gguf.read_header(Path(model.path)), CONTEXT_TOKENS, batch_tokens=CONTEXT_TOKENS)
    available = fit.available_memory_bytes()
    if fit.verdict(needed, available) == "insufficient":
        raise AppError("memory_short", need_bytes=needed.total_bytes, free_bytes=available, others_bytes=0)


class _Counting:
    """One batch at a time, so that a count of thousands of rows can be stopped."""

    def __init__(self, engine: EngineClient, rows: Sequence[Row], output: Output) -> None:
        self._engine = engine
        self._batches = _batches(rows)
        self._total = len(rows)
        self._output = output
        self._id = ""
        self._empty: int | None = None  # tokens of a prompt without any text
        self.counts: list[int] = []
        self.error: AppError | None = None
        self._waiting = Waiting(lambda: self._waiting.stop())
        engine.event_received.connect(self._on_event)
        engine.died.connect(self._on_died)

    def wait(self, model: LocalModel) -> None:
        self._id = self._engine.new_id()
        self._engine.send(Load(self._id, model.path, CONTEXT_TOKENS, batch_tokens=CONTEXT_TOKENS, gpu_layers=0))
        if self.error is None:
            self._waiting.run()

    def _on_event(self, event: Event) -> None:
        match event:
            case Ready(id=self._id):
                self._send(((),))
            case Tokenized(id=self._id):
                if self._empty is None:
                    self._empty = event.counts[0]
                else:
                    self.counts += [count - self._empty for count in event.counts]
                    self._output.progress("data_counting", done=len(self.counts), total=self._total)
                self._next()
            case Failed(id=self._id):
                self._end(AppError(event.code, **event.facts))

    def _next(self) -> None:
        batch = next(self._batches, None)
        if batch is None:
            self._end(None)
        else:
            self._send(tuple(tuple(Segment(message.text) for message in row.messages) for row in batch))

    def _send(self, prompts: tuple[tuple[Segment, ...], ...]) -> None:
        self._id = self._engine.new_id()
        self._engine.send(Tokenize(self._id, prompts))

    def _on_died(self, death: EngineDeath) -> None:
        self._end(AppError("engine_died", cause=death.detail or death.cause))

    def _end(self, error: AppError | None) -> None:
        self.error = error
        self._waiting.stop()


def _batches(rows: Sequence[Row]) -> Iterator[list[Row]]:
    sizes = itertools.accumulate(sum(len(message.text) for message in row.messages) for row in rows)
    for _, batch in itertools.groupby(zip(rows, sizes, strict=True), lambda one: one[1] // BATCH_CHARACTERS):
        yield [row for row, _ in batch]
