"""Vectors of sections in one file a model, looked through whole: nearest by angle.

8-bit numbers in a file that is mapped: of 20 searches among 100,000 sections of 768 numbers 19 take less than 26 ms
(sqlite-vec 268, with 8 bits 103), in a quarter of the space of 32-bit numbers, and they need no extension of sqlite,
which many Pythons cannot load (tests/benchmarks/vectors.py). An index of neighbours would only save milliseconds.

The file is a cache. A row says by a digest which text it was made of, so a row of a section that has left or changed is
nobody's, and what a kill has cut off is made again.
"""

import errno
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from app.base.errors import AppError

Floats = npt.NDArray[np.float32]
CHUNK_ROWS = 512  # turned into 32-bit numbers at once: they stay in the processor's cache
NORM_TOLERANCE = 0.05  # rounding to 8 bits changes a length of 1 by less


@dataclass(frozen=True, slots=True)
class Near:
    section_id: int
    digest: int
    similarity: float  # cosine, -1 to 1


def digest_of(text: str) -> int:
    """64 bits."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest(), "little")


class Vectors:
    """Any number of readers and one writer at a time, in whatever processes.

    Raises AppError("vectors_unusable" | "disk_full").
    """

    def __init__(self, path: Path, dimensions: int) -> None:
        """The file need not exist before `add`."""
        self.path = path
        self.dimensions = dimensions
        self._row = np.dtype([("section", "<i8"), ("digest", "<u8"), ("scale", "<f4"), ("vector", "i1", (dimensions,))])

    def add(self, section_ids: Sequence[int], digests: Sequence[int], vectors: Floats) -> None:
        """Puts rows at the end. `vectors`: [rows, dimensions], of unit length. On the disk when it returns."""
        rows = np.zeros(len(section_ids), self._row)
        largest = np.abs(vectors).max(axis=1)
        scale = np.where(largest > 0, largest, 1.0) / 127
        rows["section"], rows["digest"], rows["scale"] = section_ids, digests, scale
        rows["vector"] = np.rint(vectors / scale[:, None])
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab") as file:
                file.truncate(file.tell() // self._row.itemsize * self._row.itemsize)  # what a kill has cut off
                file.write(rows.tobytes())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise self._failure(error) from error

    def known(self) -> set[tuple[int, int]]:
        """(section id, digest) of the rows that are whole: after a power cut a disk may give zeros."""
        rows = self._rows()
        found: set[tuple[int, int]] = set()
        for start in range(0, len(rows), CHUNK_ROWS):
            chunk = rows[start : start + CHUNK_ROWS]
            lengths = np.linalg.norm(chunk["vector"].astype(np.float32), axis=1) * chunk["scale"]
            whole = chunk[np.abs(lengths - 1) < NORM_TOLERANCE]
            found.update(zip(whole["section"].tolist(), whole["digest"].tolist(), strict=True))
        return found

    def count(self) -> int:
        """Rows, those of nobody among them."""
        try:
            return self.path.stat().st_size // self._row.itemsize
        except OSError:
            return 0

    def nearest(self, vector: Floats, limit: int) -> list[Near]:
        """The best first. `vector`: [dimensions], of unit length."""
        rows = self._rows()
        similarities = np.empty(len(rows), np.float32)
        for start in range(0, len(rows), CHUNK_ROWS):
            chunk = rows[start : start + CHUNK_ROWS]
            products = chunk["vector"].astype(np.float32) @ vector
            similarities[start : start + CHUNK_ROWS] = products * chunk["scale"]
        best = np.arange(len(rows))
        if limit < len(rows):
            best = np.argpartition(similarities, -limit)[-limit:]
        best = best[np.argsort(-similarities[best], kind="stable")]
        return [
            Near(section_id, digest, similarity)
            for section_id, digest, similarity in zip(
                rows["section"][best].tolist(),
                rows["digest"][best].tolist(),
                similarities[best].tolist(),
                strict=True,
            )
        ]

    def keep(self, wanted: set[tuple[int, int]]) -> None:
        """Writes the file anew with these (section id, digest) alone, each once. A kill leaves the old or the new."""
        rows = self._rows()
        pairs = zip(rows["section"].tolist(), rows["digest"].tolist(), strict=True)
        kept = sorted({pair: at for at, pair in enumerate(pairs) if pair in wanted}.values())
        fresh = self.path.with_suffix(".new")
        try:
            with fresh.open("wb") as file:
                for start in range(0, len(kept), CHUNK_ROWS):
                    file.write(rows[kept[start : start + CHUNK_ROWS]].tobytes())
                file.flush()
                os.fsync(file.fileno())
            del rows  # Windows replaces no file that is mapped
            fresh.replace(self.path)
        except OSError as error:
            fresh.unlink(missing_ok=True)
            raise self._failure(error) from error

    def _rows(self) -> Any:
        """Mapped, without what a kill has cut off at the end."""
        count = self.count()
        if count == 0:
            return np.empty(0, self._row)
        try:
            return np.memmap(self.path, self._row, "r", shape=(count,))
        except (OSError, ValueError) as error:  # it has left, or was shortened, meanwhile
            raise self._failure(error) from error

    def _failure(self, error: OSError | ValueError) -> AppError:
        if getattr(error, "errno", 0) in (errno.ENOSPC, errno.EDQUOT):
            return AppError("disk_full", path=str(self.path.parent))
        reason = getattr(error, "strerror", None) or str(error)
        return AppError("vectors_unusable", path=str(self.path), reason=reason)
