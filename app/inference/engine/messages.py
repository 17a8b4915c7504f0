"""Define the messages between the window and the engine child, as frozen dataclasses.

Commands go to the child, events come back, each with the command's `id`. An `Ask` ends with exactly one `Done` or
`Failed`, or with the exit of the process.
"""

from dataclasses import dataclass, field
from typing import Any, get_args

from app.inference.local_model import RemoteModel
from app.inference.prompts import Segment

PROTOCOL = 1


@dataclass(frozen=True, slots=True)
class AdapterUse:
    """A LoRA adapter (GGUF file) and its strength from 0 to 2: 0 leaves the base unchanged, 1 is as trained."""

    path: str
    strength: float = 1.0


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is chosen. `temperature` 0 takes the likeliest one, whatever the `seed`."""

    temperature: float = 0.6
    top_k: int = 40  # 0: no limit
    top_p: float = 0.95  # 0 to 1; 1: no limit
    min_p: float = 0.05  # 0 to 1; 0: no limit
    repeat_penalty: float = 1.0  # 1: none
    repeat_window: int = 256  # number of recent tokens that are penalized
    seed: int | None = None  # None: drawn by the engine and reported in Done


# ---------------------------------------------------------------- commands


@dataclass(frozen=True, slots=True)
class Load:
    """Replace the loaded model. Answered by LoadProgress…, then Ready or Failed."""

    id: str
    path: str
    context_tokens: int = 4096  # 0: the context length in training
    threads: int | None = None  # None: physical cores - 1, fewer while other programs are busy
    batch_tokens: int = 512
    repack: bool = False  # True: copy weights into a layout that generates faster, at twice the memory
    kv_type: str = "f16"  # f16 | q8_0 | q4_0; the latter two need flash attention
    flash_attention: bool | None = None  # None: the engine decides
    gpu_layers: int = -1  # -1: all that fit on a GPU backend; 0: none
    embedding: bool = False  # True: the model answers Embed instead of Ask
    deadline_s: float = 600.0
    remote: RemoteModel | None = None  # the machine that computes it; then `path` only names it
    key: str = field(default="", repr=False)  # of the remote machine


@dataclass(frozen=True, slots=True)
class Ask:
    """Answer a prompt. Answered by PromptProgress…, Token…, then Done or Failed.

    A prompt that does not fit fails; nothing is cut.
    """

    id: str
    prompt: tuple[Segment, ...]
    max_tokens: int = 1024
    stop: tuple[str, ...] = ()
    sampling: Sampling = Sampling()
    adapters: tuple[AdapterUse, ...] = ()
    grammar: str | None = None  # GBNF
    json_schema: str | None = None  # JSON Schema as text, converted to a grammar


@dataclass(frozen=True, slots=True)
class Cancel:
    """Stop the Load or Ask with this id, even while a prompt is read. Answered by the end of that command."""

    id: str


@dataclass(frozen=True, slots=True)
class Unload:
    """Free the model's memory. Answered by Unloaded."""

    id: str


@dataclass(frozen=True, slots=True)
class Embed:
    """Embed texts. Answered by Embedded: one vector of unit length per text, of as much of it as fits the context."""

    id: str
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tokenize:
    """Count tokens. Answered by Tokenized: the tokens of each prompt, with beginning-of-text if the model wants it."""

    id: str
    prompts: tuple[tuple[Segment, ...], ...]


# ------------------------------------------------------------------ events


@dataclass(frozen=True, slots=True)
class Hello:
    """The first event of every engine."""

    protocol: int
    pid: int
    engine: str  # name and version: "llama-cpp-python 0.3.36", "echo"

    def __post_init__(self) -> None:
        if self.protocol != PROTOCOL:
            raise ValueError(f"protocol {self.protocol} is not {PROTOCOL}")


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Sent once a second by a separate thread. `progress` counts decoded batches and tokens."""

    progress: int


@dataclass(frozen=True, slots=True)
class LoadProgress:
    """How much of a model is loaded."""

    id: str
    fraction: float  # 0 to 1


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """The actual values after a load, read back from the engine and its log, not from the request.

    What a backend does not know keeps its default.
    """

    path: str
    architecture: str = ""
    parameters: int = 0
    weights_bytes: int = 0
    context_tokens: int = 0
    trained_context_tokens: int = 0
    batch_tokens: int = 0
    threads: int = 0
    repack: bool = False
    kv_type: str = ""
    kv_bytes: int = 0
    compute_bytes: int = 0
    flash_attention: bool = False
    gpu_layers: int = 0
    total_layers: int = 0
    gpu_reason: str = ""  # "" if used; else no_backend | no_device | not_requested | offload_failed
    backend: str = ""  # "CPU", "CUDA0 …"
    embedding_dimensions: int = 0
    end_text: str = ""  # the end-of-text token as a chat template writes it, "</s>"
    resident_bytes: int = 0
    load_s: float = 0.0
    warm_up_s: float = 0.0
    remote: str = ""  # host and port of the computing machine; "": this one


@dataclass(frozen=True, slots=True)
class Ready:
    """The model is loaded and warmed up: the next question has no first-use cost."""

    id: str
    facts: EngineFacts


@dataclass(frozen=True, slots=True)
class PromptProgress:
    """How much of a prompt is read."""

    id: str
    done_tokens: int
    total_tokens: int  # tokens to evaluate, without those in the cache


@dataclass(frozen=True, slots=True)
class Token:
    """Text ready to be shown. Never half a character; may contain several tokens or follow several without text."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Usage:
    """The tokens of an answer and its prompt."""

    prompt_tokens: int
    cached_tokens: int  # tokens of the prompt that were not evaluated again
    answer_tokens: int


@dataclass(frozen=True, slots=True)
class Timings:
    """Durations in seconds. `decode_s`: the part of `answer_s` inside llama_decode; the rest is our overhead."""

    prompt_s: float
    first_token_s: float  # from receipt of the command to the first token's text
    answer_s: float
    decode_s: float
    threads: int


@dataclass(frozen=True, slots=True)
class Done:
    """The answer has ended."""

    id: str
    stop_reason: str  # end | stop | length | context | cancelled
    usage: Usage
    timings: Timings
    seed: int

    @property
    def tokens_per_s(self) -> float:
        """Return the speed of writing; 0 when nothing was written."""
        return self.usage.answer_tokens / self.timings.answer_s if self.timings.answer_s > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Failed:
    """An expected failure of one command; the engine continues. `code` and `facts` as in AppError."""

    id: str
    code: str
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Unloaded:
    """The model's memory is free."""

    id: str


@dataclass(frozen=True, slots=True)
class Embedded:
    """The vectors of the texts, in their order."""

    id: str
    vectors: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class Tokenized:
    """The numbers of tokens of the prompts, in their order."""

    id: str
    counts: tuple[int, ...]


Command = Load | Ask | Cancel | Unload | Embed | Tokenize
_Answer = LoadProgress | Ready | PromptProgress | Token | Done | Failed | Unloaded | Embedded | Tokenized
Event = Hello | Heartbeat | _Answer

COMMANDS: dict[str, type[Command]] = {kind.__name__: kind for kind in get_args(Command)}
EVENTS: dict[str, type[Event]] = {kind.__name__: kind for kind in get_args(Event)}
