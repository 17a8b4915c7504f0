"""Jobs of `kotae --quantize JOB.json`: weights into a smaller type, and what a text says of which weights matter.

One job a process. Its events, its exit and what the end of its standard input does are those of the conversion
(`trainer.convert_job`), so that one client follows both: `notes` of `finished` say what is written at each job here.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.base import json_lines
from app.base.files import strict_json


@dataclass(frozen=True, slots=True)
class Quantize:
    """`notes`: size_bytes, tensors, fallback_tensors (whose rows do not fit the form's type and got another)."""

    source: str
    target: str
    quantization: str  # a name of `app.inference.quantizations.FORMS`
    imatrix: str = ""  # what `Imatrix` has written
    metadata: dict[str, str] = field(default_factory=dict)  # texts that the new file says of itself
    threads: int = 0  # 0: llama.cpp decides; quantizing does not spin, so it takes every core
    requantize: bool = False  # also from weights that are quantized already

    def sources(self) -> tuple[str, ...]:
        return (self.source, self.imatrix)


@dataclass(frozen=True, slots=True)
class Imatrix:
    """`notes`: tokens, tensors."""

    model: str
    text: str  # a file in UTF-8
    target: str
    threads: int = 0  # 0: as many as answers get

    def sources(self) -> tuple[str, ...]:
        return (self.model, self.text)


Job = Quantize | Imatrix
_JOBS: dict[str, Any] = {kind.__name__: kind for kind in (Quantize, Imatrix)}


def write(job: Job, path: Path) -> None:
    path.write_bytes(json_lines.encode_line(job))


def read(path: Path) -> Job:
    """Raises OSError, and ValueError for anything that is not a job of these kinds."""
    data = strict_json.load_file(path)
    if not isinstance(data, dict):
        raise ValueError("not a JSON object")
    job: Job = json_lines.decode_message(data, _JOBS)
    return job
