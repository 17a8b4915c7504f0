"""A model file on this machine as a frozen value: what the list keeps of it and what a load needs."""

from dataclasses import dataclass
from typing import Any

from app.inference.remote_address import Remote


@dataclass(frozen=True, slots=True)
class FileMark:
    """What one file of a model was when it was added, so that a later change can be told from damage."""

    name: str  # without its folder
    size_bytes: int
    modified_ns: int
    sha256: str = ""  # "": not known yet


@dataclass(frozen=True, slots=True)
class Tuned:
    """What a model of the list owes to a training, as it was when it came into the list."""

    run_id: str  # the name of its folder
    run_name: str
    form: str  # of app.training.forms
    base_name: str
    base_sha256: str  # "": the base is a folder
    adapter_sha256: str  # of the GGUF, also where it was merged
    strength: float = 1.0  # 0 to 2
    label: str = ""  # of the data (`app.base.confidentiality.LABELS`); "": not told
    origins: tuple[tuple[str, str], ...] = ()  # the collections and documents that the data were made of


@dataclass(frozen=True, slots=True)
class LocalModel:
    """A model file on this machine. The file stays where it is; this row only points at it."""

    id: str
    name: str
    path: str
    size_bytes: int
    architecture: str
    quantization: str
    context_tokens: int  # what it was trained with; 0: unknown
    added_at: float
    card_id: str | None = None
    form_id: str | None = None  # our own prompt form; None: the file's own template, or plain question and answer
    template_allowed: bool = False  # the user let the file's own template run, isolated
    speeds: dict[str, Any] | None = None  # {"repack" | "plain": {"prompt": tok/s, "answer": tok/s}}
    files: tuple[FileMark, ...] = ()  # the first part before the others; () in a list older than this column
    tuned: Tuned | None = None
    adapter: str = ""  # path of a LoRA of its own, that the model at `path` answers with; "": none
    remote: Remote | None = None  # another machine computes it; then `path` is no file (`app.models.remote_models`)
