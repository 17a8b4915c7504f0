"""What services tell the window, as frozen values carried by signals."""

from dataclasses import dataclass

from app.engine.messages import EngineFacts


@dataclass(frozen=True, slots=True)
class Stage:
    """What the open conversation is waiting for.

    `kind`: idle | loading (the model) | reading (the prompt) | answering. `fraction`: 0 to 1, None while unknown.
    `started_at`: time.monotonic() at which this stage began, for showing elapsed seconds.
    """

    kind: str = "idle"
    fraction: float | None = None
    started_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Overflow:
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
