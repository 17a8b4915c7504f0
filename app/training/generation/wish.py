"""Pairs that a planned training was asked to be given from a collection: kept until the draft has them."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from app.base.files import strict_json
from app.base.files.output_file import drive_error, write_atomically

FILE = "pairs.json"
LEAST, MOST = 10, 10_000  # pairs
USUAL = 200


@dataclass(frozen=True, slots=True)
class Wish:
    """`wanted`: pairs. `out`: the file that they are written to, in the draft's folder."""

    collection_id: int
    collection: str
    model_id: str
    wanted: int
    out: str
    seed: int = 0


def out_of(folder: Path, wish: Wish) -> Path:
    return folder / wish.out


def free_name(folder: Path) -> str:
    """Of a file of pairs that is not there yet."""
    number = 1
    while (folder / f"pairs-{number}.jsonl").exists():
        number += 1
    return f"pairs-{number}.jsonl"


def keep(folder: Path, wish: Wish) -> None:
    """Raises AppError("draft_unwritable" | "drive_space")."""
    try:
        write_atomically(folder / FILE, json.dumps(asdict(wish), ensure_ascii=False).encode())
    except OSError as error:
        raise drive_error(error, folder, "draft_unwritable") from error


def read(folder: Path) -> Wish | None:
    """None where nothing is wanted, or nobody can read it."""
    try:
        return Wish(**strict_json.load_file(folder / FILE))
    except (OSError, ValueError, TypeError):
        return None


def forget(folder: Path) -> None:
    """The file of pairs stays."""
    (folder / FILE).unlink(missing_ok=True)
