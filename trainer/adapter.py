"""Describe the adapter of an earlier run that a run trains further, without loading it. Standard library only.

The adapter's folder holds PEFT's two files, RECORD with the run's name and its base, and ROWS with the ids of the rows
on which the adapter was trained.
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
RECORD = "kotae.json"  # file with the run's name, the base and its hashes
ROWS = "rows.txt"  # file with the ids of all training and validation rows, including those of earlier adapters
FILES = (CONFIG, WEIGHTS, RECORD, ROWS)
_FINGERPRINT_BYTES = 1 << 20


class AdapterError(ValueError):
    """Raised for an adapter that cannot be trained further; the message gives the reason in English."""


@dataclass(frozen=True, slots=True)
class Adapter:
    """The description in an adapter's folder.

    `name`: the name of its run. `sha256`: hash over PEFT's two files. `base_sha256`: hash of the base's file; "" if the
    base was a folder, which `base_mark` then identifies.
    """

    folder: Path
    rank: int
    alpha: int
    sha256: str
    name: str
    base: str
    base_sha256: str
    base_mark: str

    def is_for(self, base: Path, base_sha256: str) -> bool:
        """Return whether the adapter was trained on this base. `base_sha256`: hash of its file; "" for a folder."""
        if self.base_sha256 or base_sha256:
            return self.base_sha256 == base_sha256
        if self.base_mark:
            return base.is_dir() and self.base_mark == base_fingerprint(base)
        return Path(self.base) == base


def read(folder: Path) -> Adapter:
    """Return the description of the adapter in `folder`. Raises AdapterError."""
    try:
        config, record = (_object(folder / name) for name in (CONFIG, RECORD))
        rank, alpha = (_positive_int(config, name) for name in ("r", "lora_alpha"))
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


def with_adapter_settings(requested: RunSpec) -> RunSpec:
    """Return the spec with the rank, alpha and hash of the adapter to be trained further; unchanged if there is none.

    Raises RunError: adapter_unreadable, adapter_other_base, adapter_changed; spec_invalid if the spec sets another rank
    or alpha.
    """
    if not requested.adapter:
        return requested
    try:
        adapter = read(Path(requested.adapter))
        if not adapter.is_for(Path(requested.base), requested.base_sha256):
            raise RunError("adapter_other_base", path=requested.adapter, base=adapter.base)
    except (AdapterError, OSError) as error:
        raise RunError("adapter_unreadable", path=requested.adapter, reason=str(error)[:300]) from error
    if requested.hashes.get("adapter", adapter.sha256) != adapter.sha256:
        raise RunError("adapter_changed", path=requested.adapter)
    given: dict[str, Any] = {"rank": adapter.rank, "alpha": adapter.alpha}
    for name, value in given.items():
        if getattr(requested, name) not in (None, value):
            raise RunError("spec_invalid", field=name, value=getattr(requested, name), expected=str(value))
    return dataclasses.replace(requested, **given, hashes=requested.hashes | {"adapter": adapter.sha256})


def _object(path: Path) -> dict[str, Any]:
    """Read a JSON object. Raises OSError, AdapterError."""
    try:
        value = json.loads(path.read_bytes())
    except ValueError as error:
        raise AdapterError(f"{path.name}: no JSON") from error
    if not isinstance(value, dict):
        raise AdapterError(f"{path.name}: no JSON object")
    return value


def _positive_int(config: dict[str, Any], name: str) -> int:
    """Return an option of the adapter's configuration. Raises AdapterError if it is not an integer of 1 or more."""
    value: Any = config.get(name)
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not is_number or value < 1 or value % 1:
        raise AdapterError(f"{CONFIG}: {name}")
    return int(value)


def base_fingerprint(base: Path) -> str:
    """Return a hash that identifies a base folder.

    It covers config.json and the size, beginning and end of each weights file. This takes a moment, while hashing all
    bytes would take minutes. Raises OSError.
    """
    digest = hashlib.sha256((base / "config.json").read_bytes())
    for path in sorted(base.glob("model*.safetensors")):
        size = path.stat().st_size
        digest.update(f"{path.name} {size}\n".encode())
        with path.open("rb") as file:
            digest.update(file.read(_FINGERPRINT_BYTES))
            file.seek(max(0, size - _FINGERPRINT_BYTES))
            digest.update(file.read())
    return digest.hexdigest()


def row_id(messages: Sequence[Any]) -> str:
    """Return 16 hexadecimal digits that identify a row by its messages (each {"role", "content"})."""
    plain = [{"role": message["role"], "content": message["content"]} for message in messages]
    return hashlib.sha256(json.dumps(plain, ensure_ascii=False).encode("utf-8", "replace")).hexdigest()[:16]


def trained_row_ids(folder: Path) -> frozenset[str]:
    """Return the ids of the rows on which an adapter was trained; empty if its folder has no list of them."""
    try:
        return frozenset((folder / ROWS).read_text(encoding="ascii", errors="replace").split())
    except OSError:
        return frozenset()


def write_rows(folder: Path, ids: Iterable[str]) -> None:
    """Write the ids of the rows on which the adapter was trained. Raises OSError."""
    (folder / ROWS).write_text("".join(f"{id}\n" for id in sorted(set(ids))), encoding="ascii", newline="\n")
