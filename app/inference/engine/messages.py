"""Define the messages between the window and the engine child, as frozen values.

Commands go to the child, events come back, each with the command's `id`. An `Ask` ends with exactly one `Done` or
`Failed`, or with the exit of the process.
"""

from dataclasses import dataclass, field
from typing import Any, get_args

import msgspec
from msgspec import Struct

from app.inference.local_model import RemoteModel
from app.inference.prompts import Segment, SharedStart

PROTOCOL = 1
THOUGHT_TOKENS = 2048  # of the thoughts before an answer, unless somebody chose another budget


class AdapterUse(Struct, frozen=True):
    """Selects a LoRA adapter (GGUF file) and its strength from 0 to 2: 0 leaves the base unchanged, 1 is as trained."""

    path: str
    strength: float = 1.0


@dataclass(frozen=True, slots=True)
class Sampling:
    """Defines how the next token is chosen. `temperature` 0 selects the likeliest one and ignores the `seed`."""

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
    """Replace the loaded model. The answer is LoadProgress…, then Ready or Failed."""

    id: str
    path: str
    context_tokens: int = 4096  # 0: the context length in training
    threads: int | None = None  # None: one for each core that other programs leave free
    parallel: int = 1  # answers that are written at a time, each with a context of its own
    batch_tokens: int = 512
    repack: bool = False  # True: copy weights into a layout that generates faster, at twice the memory
    kv_type: str = "f16"  # f16 | q8_0 | q4_0; the latter two need flash attention
    flash_attention: bool | None = None  # None: the engine decides
    packs: tuple[str, ...] = ()  # folders of the GPU packs of which the first that finds a card is used; (): none
    cpu_reason: str = "no_backend"  # why `packs` is empty, for `EngineFacts.gpu_reason`
    projector: str = ""  # path of the part with which the model reads pictures (mmproj); "": it reads none
    embedding: bool = False  # True: the model answers Embed instead of Ask, or Rank if it is a reranker
    deadline_s: float = 600.0
    remote: RemoteModel | None = None  # the server that runs the model, so that `path` is only its name; None: here
    key: str = field(default="", repr=False)  # API key for the remote server


class Picture(Struct, frozen=True):
    """Holds a picture as `app.documents.reading.messages.Rendered` does."""

    width: int
    height: int
    rgb: str


class Ask(Struct, frozen=True):
    """Answer a prompt. The answer is PromptProgress…, Thought…, Token…, then Done or Failed.

    A prompt that does not fit fails; nothing is cut. `pictures` stand before the last text of the prompt, which is the
    question.
    """

    id: str
    prompt: tuple[Segment, ...]
    max_tokens: int = 1024  # of the answer
    thought_tokens: int = THOUGHT_TOKENS  # that a reasoning model may think before it
    stop: tuple[str, ...] = ()
    sampling: Sampling = Sampling()
    adapters: tuple[AdapterUse, ...] = ()
    grammar: str | None = None  # GBNF
    json_schema: str | None = None  # JSON Schema as text, converted to a grammar
    shared: SharedStart | None = None  # what may be kept on disk for other prompts; None: nothing
    thinks: bool | None = None  # for a server: what is asked of its template; None: nothing. Here the prompt decides
    pictures: tuple[Picture, ...] = ()


class Cancel(Struct, frozen=True):
    """Stop the Load, Ask or Rank with this id, even while a prompt is read. The answer is the end of that command."""

    id: str


class Unload(Struct, frozen=True):
    """Free the model's memory. The answer is Unloaded."""

    id: str


class Embed(Struct, frozen=True):
    """Embed texts. The answer is Embedded: a vector of unit length per text. Texts are cut to the context's length."""

    id: str
    texts: tuple[str, ...]


class Rank(Struct, frozen=True):
    """Score how well each passage answers a question. The answer is Ranked. Passages are cut to fit the context."""

    id: str
    question: str
    passages: tuple[str, ...]


class Tokenize(Struct, frozen=True):
    """Count tokens. The answer is Tokenized: a number for each prompt, with the model's beginning-of-text token.

    `pictures` stand in the first prompt.
    """

    id: str
    prompts: tuple[tuple[Segment, ...], ...]
    pictures: tuple[Picture, ...] = ()


# ------------------------------------------------------------------ events


class Hello(Struct, frozen=True):
    """Announces the engine; every engine sends it first."""

    protocol: int
    pid: int
    engine: str  # name and version: "llama-cpp-python 0.3.36", "echo"

    def __post_init__(self) -> None:
        if self.protocol != PROTOCOL:
            raise ValueError(f"protocol {self.protocol} is not {PROTOCOL}")


class Heartbeat(Struct, frozen=True):
    """Shows once a second that the process runs; a separate thread sends it. `progress` counts batches and tokens."""

    progress: int


class LoadProgress(Struct, frozen=True):
    """Reports how much of a model is loaded."""

    id: str
    fraction: float  # 0 to 1


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """Describes a loaded model by values read back from the engine and its log, not taken from the request.

    A value that the backend cannot provide keeps its default.
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
    # "" if a GPU is used; else no_backend | no_device | not_requested | no_memory | offload_failed | crashed.
    gpu_reason: str = ""
    gpu_bytes: int = 0  # of the weights that are in buffers of GPUs
    backend: str = ""  # "CPU", "CUDA0 …"
    embedding_dimensions: int = 0
    end_text: str = ""  # the end-of-text token as a chat template writes it, "</s>"
    resident_bytes: int = 0
    load_s: float = 0.0
    warm_up_s: float = 0.0
    remote: str = ""  # host and port of the machine that runs the model; "": this machine


class Ready(Struct, frozen=True):
    """The model is loaded and warmed up: the next question has no first-use cost."""

    id: str
    facts: EngineFacts


class PromptProgress(Struct, frozen=True):
    """Reports how much of a prompt has been evaluated."""

    id: str
    done_tokens: int
    total_tokens: int  # tokens to evaluate, without those in the cache


class Token(Struct, frozen=True):
    """Carries text that is ready to be shown: whole characters, from one or several tokens."""

    id: str
    text: str


class Thought(Struct, frozen=True):
    """Carries text that a reasoning model writes before its answer (`app.inference.thoughts`)."""

    id: str
    text: str


class Usage(Struct, frozen=True):
    """Counts the tokens of an answer and its prompt."""

    prompt_tokens: int
    cached_tokens: int  # tokens of the prompt that were not evaluated again
    answer_tokens: int  # with those of thoughts
    thought_tokens: int = 0


class Timings(Struct, frozen=True):
    """Holds durations in seconds. `decode_s`: the part of `answer_s` inside llama_decode; the rest is our overhead."""

    prompt_s: float
    first_token_s: float  # from receipt of the command to the first token's text
    answer_s: float
    decode_s: float
    threads: int
    thought_s: float = 0.0  # the part of `answer_s` until the thoughts ended


CUT_OFF = ("length", "context", "thoughts")  # reasons to stop of answers that are incomplete


class Done(Struct, frozen=True):
    """The answer has ended."""

    id: str
    stop_reason: str  # end | stop | length | thoughts (it was still thinking) | context | cancelled
    usage: Usage
    timings: Timings
    seed: int

    @property
    def tokens_per_s(self) -> float:
        """Return the tokens generated per second; 0 if `answer_s` is 0."""
        return self.usage.answer_tokens / self.timings.answer_s if self.timings.answer_s > 0 else 0.0


class Failed(Struct, frozen=True):
    """Reports the expected failure of one command; the engine continues. `code` and `facts` as in AppError."""

    id: str
    code: str
    facts: dict[str, Any] = msgspec.field(default_factory=dict)


class Unloaded(Struct, frozen=True):
    """The model's memory is free."""

    id: str


class Embedded(Struct, frozen=True):
    """Carries one vector per text, in the order of the texts."""

    id: str
    vectors: tuple[tuple[float, ...], ...]


class Ranked(Struct, frozen=True):
    """Carries one score per passage, in their order: the higher, the better. `seconds`: how long all scores took."""

    id: str
    scores: tuple[float, ...]
    seconds: float


class Tokenized(Struct, frozen=True):
    """Carries the number of tokens of each prompt, in the order of the prompts."""

    id: str
    counts: tuple[int, ...]


Command = Load | Ask | Cancel | Unload | Embed | Rank | Tokenize
_Answer = (
    LoadProgress | Ready | PromptProgress | Token | Thought | Done | Failed | Unloaded | Embedded | Ranked | Tokenized
)
Event = Hello | Heartbeat | _Answer

COMMANDS: dict[str, type[Command]] = {kind.__name__: kind for kind in get_args(Command)}
EVENTS: dict[str, type[Event]] = {kind.__name__: kind for kind in get_args(Event)}
