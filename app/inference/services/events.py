"""What services tell the window, as frozen values carried by signals."""

from dataclasses import dataclass

from app.base.errors import AppError
from app.inference.engine.messages import EngineFacts


@dataclass(frozen=True, slots=True)
class AnswerStage:
    """What the open conversation is waiting for.

    `kind`: idle | searching (the documents) | passages (were found) | loading (the model) | reading (the prompt) |
    answering | checking (the answer). `fraction`: 0 to 1, None while unknown.
    `started_at`: time.monotonic() at which the answer began, for showing elapsed seconds.
    `count`: passages found, and later those that the model reads; 0: none, or not searched. `search_s`: what that took.
    """

    kind: str = "idle"
    fraction: float | None = None
    started_at: float = 0.0
    count: int = 0
    search_s: float = 0.0


@dataclass(frozen=True, slots=True)
class ContextOverflow:
    """A conversation that no longer fits. Nothing was cut; the user chooses."""

    prompt_tokens: int
    context_tokens: int
    droppable_turns: int  # oldest pairs to leave out so that it fits; 0: even the question alone is too long
    wider_context_tokens: int | None  # a context that would hold it; None: the model was not trained for one


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """For the status line. `state`: off | starting | loading | ready | reading | answering | failed."""

    state: str = "off"
    model_name: str = ""
    facts: EngineFacts | None = None
    used_tokens: int = 0
    tokens_per_s: float = 0.0
    first_token_s: float = 0.0
    load_fraction: float | None = None


@dataclass(frozen=True, slots=True)
class Download:
    """`state`: waiting | running | paused | verifying | repairing | failed. One model, also where it has several files.

    `problem`: why it failed; of a running one, what is being tried again (a connection that was cut).
    """

    id: str
    card_id: str
    title: str
    quantization: str
    names: tuple[str, ...]  # of its files
    place: str  # host or folder
    total_bytes: int
    done_bytes: int
    state: str
    bytes_per_s: float = 0.0
    seconds_left: float | None = None  # None: not known yet
    problem: AppError | None = None


@dataclass(frozen=True, slots=True)
class NetworkContact:
    """A machine that was spoken to since the start, always because somebody asked for a download, or for an answer."""

    host: str
    at: float  # seconds since 1970
    title: str  # of the model; "": the parts of the training environment
    is_answering: bool = False  # it computes the model: questions were sent to it
