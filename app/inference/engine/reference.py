"""What f16 thinks at each trained place, kept in a file, so that other forms of the model can be held against it.

A line of JSON, then one record a place. Of 262,144 log-probabilities the 1,024 highest are kept and the mass of the
rest: 8 KiB a place instead of 1 MiB.

The divergence that is computed from it is a lower bound of the Kullback-Leibler divergence of the whole distributions:
merging tokens (here the rest, into one) never increases a divergence (the log-sum inequality; Cover & Thomas, Elements
of Information Theory, 2.7). It is close because what is left out is the rest's mass times the divergence within the
rest, and that mass is small: 2 % on the trial model, whose divergence comes out 3 % too small, for forms that differ
little (0.0137 nats) and much (0.477) alike; measured by `tests/benchmarks/score.py`.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from app.base.errors import AppError
from app.base.files.output_file import drive_error

VERSION = 1
KEPT = 1024
_HEADER_BYTES = 4096
_LEAST_MASS = 1e-30  # of a rest that rounding has made nothing of

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class About:
    """Whose probabilities these are: of how many places, and of which ids (`app.inference.holdout` digest)."""

    positions: int
    vocabulary: int
    digest: str

    @property
    def kept(self) -> int:
        return min(KEPT, self.vocabulary)

    def to_line(self) -> bytes:
        told = {"version": VERSION, "positions": self.positions, "vocabulary": self.vocabulary, "digest": self.digest}
        return json.dumps(told).encode("ascii") + b"\n"

    @property
    def record(self) -> np.dtype[Any]:
        """`log_p` and `ids`: the kept ones, in no order; `rest`: the mass of all others; `first`: the likeliest."""
        lengths = (self.kept,)
        return np.dtype([("rest", "<f4"), ("first", "<i4"), ("ids", "<i4", lengths), ("log_p", "<f4", lengths)])

    @property
    def size_bytes(self) -> int:
        return len(self.to_line()) + self.positions * self.record.itemsize


class Writer:
    """Raises AppError("drive_space" | "build_unwritable") while it writes, and when it is closed."""

    def __init__(self, path: Path, about: About) -> None:
        self._path = path
        self._about = about
        self._file: BinaryIO | None = None
        self._write(about.to_line())

    def add(self, log_p: Floats) -> None:
        """`log_p`: [vocabulary], of the next place."""
        about = self._about
        record = np.zeros((), about.record)
        ids = np.argpartition(log_p, about.vocabulary - about.kept)[-about.kept :]
        record["ids"], record["log_p"] = ids, log_p[ids]
        record["rest"] = max(0.0, 1.0 - float(np.exp(record["log_p"].astype(np.float64)).sum()))
        record["first"] = log_p.argmax()
        self._write(record.tobytes())

    def close(self) -> None:
        try:
            if self._file is not None:
                self._file.close()
        except OSError as error:
            raise self._unwritable(error) from error

    def _write(self, raw: bytes) -> None:
        try:
            if self._file is None:
                self._file = self._path.open("wb", buffering=1 << 20)
            self._file.write(raw)
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> AppError:
        return drive_error(error, self._path.parent, "build_unwritable", self._about.size_bytes)


class Reader:
    """Raises AppError("reference_unreadable") for a file that is not whole, or not of these ids."""

    def __init__(self, path: Path, about: About) -> None:
        self._path = path
        self._about = about
        try:
            self._file = path.open("rb")
            is_this = self._file.readline(_HEADER_BYTES) == about.to_line() and path.stat().st_size == about.size_bytes
        except OSError as error:
            raise self._unreadable(error.strerror or str(error)) from error
        if not is_this:
            self._file.close()
            raise self._unreadable("another run's, or not whole")

    def compare(self, log_p: Floats) -> tuple[float, bool]:
        """Divergence of `log_p`, [vocabulary], at the next place in nats, and whether both put the same token first."""
        raw = self._file.read(self._about.record.itemsize)
        if len(raw) != self._about.record.itemsize:
            raise self._unreadable("cut")
        record = np.frombuffer(raw, self._about.record)[0]
        return divergence(record, log_p), int(record["first"]) == int(log_p.argmax())

    def close(self) -> None:
        self._file.close()

    def _unreadable(self, reason: str) -> AppError:
        return AppError("reference_unreadable", path=str(self._path), reason=reason)


def divergence(record: Any, log_p: Floats) -> float:
    """Of `log_p` from the kept distribution, with all that is not kept as one token; never below 0."""
    kept = record["log_p"].astype(np.float64)
    theirs = log_p[record["ids"]].astype(np.float64)
    total = float(np.sum(np.exp(kept) * (kept - theirs)))
    rest = float(record["rest"])
    if rest > 0:
        other = max(_LEAST_MASS, 1.0 - float(np.exp(theirs).sum()))
        total += rest * (np.log(rest) - np.log(other))
    return max(0.0, total)
