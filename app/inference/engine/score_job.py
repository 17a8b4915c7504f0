"""Jobs of `kotae --score JOB.json`: one model, with or without an adapter, on the held-out examples of a training run
or on the reference answers of a question set.

One job a process; its events, its exit and what the end of its standard input does are those of the conversion
(`trainer.convert_job`), so that one client follows both. Progress is in tokens. The result is at `target`:
`app.inference.scores.Scores` as JSON. `notes` of `finished`: tokens, rows, seconds_reading, seconds_writing.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.base import json_lines
from app.base.files import strict_json
from app.base.settings import Settings
from app.inference.prompt import ScoredText, Segment


@dataclass(frozen=True, slots=True)
class Chat:
    """A prompt as the program would give it, and the ids that it was trained with.

    `limit`: tokens of its answer; fewer where the model's context ends before.
    """

    segments: tuple[Segment, ...]
    ids: tuple[int, ...]
    limit: int = 128


@dataclass(frozen=True, slots=True)
class Score:
    """`reference`: what f16 thought at each place; written with `makes_reference`, otherwise compared with."""

    model: str
    holdout: str  # see `app.inference.holdout`; "": `texts` are measured
    target: str
    adapter: str = ""  # GGUF
    reference: str = ""  # "": neither
    makes_reference: bool = False
    chats: tuple[Chat, ...] = ()  # the hold-out's, in its order; their ids are compared
    answers: bool = False  # each chat is answered, too
    measures: bool = True  # False: nothing but the answers
    speed_tokens: int = 0  # of an answer to the first chat, written to see how fast it writes, where none is wanted
    stop: tuple[str, ...] = ()  # texts that end an answer besides the model's own end
    texts: tuple[ScoredText, ...] = ()
    strength: float = 1.0  # of the adapter
    context_tokens: int = Settings().context_tokens  # with which it will answer: what its memory is told for

    def sources(self) -> tuple[str, ...]:
        return (self.model, self.holdout, self.adapter, self.reference)


_JOBS: dict[str, Any] = {"Score": Score}


def write(job: Score, path: Path) -> None:
    path.write_bytes(json_lines.encode_line(job))


def read(path: Path) -> Score:
    """Raises OSError, and ValueError for anything that is not a job of this kind."""
    data = strict_json.load_file(path)
    if not isinstance(data, dict):
        raise ValueError("not a JSON object")
    job: Score = json_lines.decode_message(data, _JOBS)
    if bool(job.holdout) == bool(job.texts):
        raise ValueError("either a hold-out or texts")
    return job
