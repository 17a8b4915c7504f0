"""Define the frozen values with which services report to the window through signals."""

from dataclasses import dataclass

from msgspec import Struct

from app.base.errors import AppError
from app.inference.engine.messages import EngineFacts


class AnswerStage(Struct, frozen=True):
    """Describes the step that the open conversation is waiting for.

    `kind`: idle | searching (the documents) | passages (the search has ended) | loading (the model) | reading (the
    prompt) | thinking | answering | checking (the answer). `fraction`: 0 to 1, None while unknown. `started_at`:
    time.monotonic() at the answer's beginning. `count`: passages found, later those that the model reads; 0: none, or
    not searched. `search_s`: duration of the search. `is_shared`: whether a training or study runs meanwhile.
    """

    kind: str = "idle"
    fraction: float | None = None
    started_at: float = 0.0
    count: int = 0
    search_s: float = 0.0
    is_shared: bool = False


class ContextOverflow(Struct, frozen=True):
    """Reports a conversation that exceeds the context. Nothing was cut; the user decides."""

    prompt_tokens: int
    context_tokens: int
    droppable_turns: int  # oldest turns to leave out so that it fits; 0: the question alone is too long
    wider_context_tokens: int | None  # a sufficient context length; None: beyond the model's


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """Describes the engine's state for the status line.

    `state`: off | starting | loading | ready | reading | answering | failed.
    """

    state: str = "off"
    model_name: str = ""
    facts: EngineFacts | None = None
    used_tokens: int = 0
    tokens_per_s: float = 0.0
    first_token_s: float = 0.0
    load_fraction: float | None = None


class Download(Struct, frozen=True):
    """Describes the download of one model, which may have several files.

    `state`: waiting | running | paused | verifying | repairing | failed. `problem`: why it failed; while running, the
    failure that is being retried.
    """

    id: str
    card_id: str
    title: str
    quantization: str
    names: tuple[str, ...]  # names of its files
    source: str  # host or folder of the source
    total_bytes: int
    done_bytes: int
    state: str
    bytes_per_s: float = 0.0
    seconds_left: float | None = None  # None: unknown
    problem: AppError | None = None


class NetworkContact(Struct, frozen=True):
    """Records a machine contacted since the program's start, because the user requested a download or an answer."""

    host: str
    time: float  # seconds since 1970
    title: str  # the model's; "" unless a model was downloaded or asked
    place: str = "models"  # models | training | documents: for what it downloaded | ask: prompts were sent to it
