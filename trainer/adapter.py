"""The adapter of an earlier run that a run goes on from: what is known of it without loading it. Standard library only.

In its folder are PEFT's two files, RECORD and ROWS. What the adapter was trained on cannot tell how good it has become,
also not after it was trained on something else.
"""

import dataclasses
import hashlib
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer.events import RunError
from trainer.spec import RunSpec

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
RECORD = "kotae.json"  # what PEFT's files do not say
ROWS = "rows.txt"  # ids of the rows that it was trained on or chosen by, and of those of the one it went on from
FILES = (CONFIG, WEIGHTS, RECORD, ROWS)
_FINGERPRINT_BYTES = 1 << 20


class AdapterError(ValueError):
    """It cannot be gone on from; the message says why, in English."""


@dataclass(frozen=True, slots=True)
class Adapter:
    """`sha256`: of PEFT's two files. `base_sha256`: "" where the base was a folder; then `base_mark` tells it."""

    folder: Path
    rank: int
    alpha: int
    sha256: str
    name: str  # of its run
    base: str
    base_sha256: str
    base_mark: str

    def is_for(self, base: Path, base_sha256: str) -> bool:
        """Whether it was trained beside that base."""
        if self.base_sha256 or base_sha256:
            return self.base_sha256 == base_sha256
        if self.base_mark:
            return base.is_dir() and self.base_mark == base_fingerprint(base)
        return Path(self.base) == base


def read(folder: Path) -> Adapter:
    """Raises AdapterError."""
    try:
        config, record = (_object(folder / name) for name in (CONFIG, RECORD))
        rank, alpha = (_whole(config, name) for name in ("r", "lora_alpha"))
        texts = {name: record.get(name, "") for name in ("name", "base", "base_sha256", "base_mark")}
        if not all(isinstance(text, str) for text in texts.values()):
            raise AdapterError(f"{RECORD}: texts")
        digest = hashlib.sha256((folder / CONFIG).read_bytes())
        with (folder / WEIGHTS).open("rb") as file:
            while block := file.read(_FINGERPRINT_BYTES):
                digest.update(block)
    except OSError as error:
        raise AdapterError(f"{Path(str(error.filename)).name}: {error.strerror}") from error
    return Adapter(folder, rank, alpha, digest.hexdigest(), **texts)


def with_adapter_settings(asked: RunSpec) -> RunSpec:
    """With the settings that the adapter which it goes on from decides, and its hash; as it is where there is none.

    Raises RunError: adapter_unreadable, adapter_other_base, adapter_changed, and spec_invalid for a wish that differs.
    """
    if not asked.adapter:
        return asked
    try:
        found = read(Path(asked.adapter))
        if not found.is_for(Path(asked.base), asked.base_sha256):
            raise RunError("adapter_other_base", path=asked.adapter, base=found.base)
    except (AdapterError, OSError) as error:
        raise RunError("adapter_unreadable", path=asked.adapter, reason=str(error)[:300]) from error
    if asked.hashes.get("adapter", found.sha256) != found.sha256:
        raise RunError("adapter_changed", path=asked.adapter)
    given: dict[str, Any] = {"rank": found.rank, "alpha": found.alpha}
    for name, value in given.items():
        if getattr(asked, name) not in (None, value):
            raise RunError("spec_invalid", field=name, value=getattr(asked, name), expected=str(value))
    return dataclasses.replace(asked, **given, hashes=asked.hashes | {"adapter": found.sha256})


def _object(path: Path) -> dict[str, Any]:
    """Raises OSError, AdapterError."""
    try:
        found = json.loads(path.read_bytes())
    except ValueError as error:
        raise AdapterError(f"{path.name}: no JSON") from error
    if not isinstance(found, dict):
        raise AdapterError(f"{path.name}: no JSON object")
    return found


def _whole(config: dict[str, Any], name: str) -> int:
    value: Any = config.get(name)
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not is_number or value < 1 or value % 1:
        raise AdapterError(f"{CONFIG}: {name}")
    return int(value)


def base_fingerprint(base: Path) -> str:
    """Tells a base that is a folder: of its configuration, and of the size, beginning and end of each of its weights,
    which takes a moment where all of them would take minutes. Raises OSError."""
    digest = hashlib.sha256((base / "config.json").read_bytes())
    for path in sorted(base.glob("model*.safetensors")):
        size = path.stat().st_size
        digest.update(f"{path.name} {size}\n".encode())
        with path.open("rb") as file:
            digest.update(file.read(_FINGERPRINT_BYTES))
            file.seek(max(0, size - _FINGERPRINT_BYTES))
            digest.update(file.read())
    return digest.hexdigest()


# ------------------------------------------------------------------------- rows


def row_id(messages: Sequence[Any]) -> str:
    """16 hexadecimal digits of a row's messages, each {"role", "content"}."""
    told = [{"role": message["role"], "content": message["content"]} for message in messages]
    return hashlib.sha256(json.dumps(told, ensure_ascii=False).encode("utf-8", "replace")).hexdigest()[:16]


def known_rows(folder: Path) -> frozenset[str]:
    """Empty, too, for an adapter that does not tell."""
    try:
        return frozenset((folder / ROWS).read_text(encoding="ascii", errors="replace").split())
    except OSError:
        return frozenset()


def write_rows(folder: Path, ids: Iterable[str]) -> None:
    """Raises OSError."""
    (folder / ROWS).write_text("".join(f"{id}\n" for id in sorted(set(ids))), encoding="ascii", newline="\n")
