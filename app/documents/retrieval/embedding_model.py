"""The embedding model in use, and which sections it has no vectors of yet."""

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.base.database import Database
from app.base.files.input_file import open_regular
from app.documents.retrieval.fusion import embedded_section
from app.documents.retrieval.vectors import Vectors, digest_of
from app.inference import gguf
from app.inference.local_model import LocalModel
from app.models import catalogue, local_models

SAMPLES, SAMPLE_BYTES = 64, 1 << 14  # of a model's file; a whole one would take seconds at every start
READ_ROWS = 2000  # sections at once
OLD_SHARE, OLD_LEAST = 0.25, 1000  # rows of nobody before the file is written anew


@dataclass(frozen=True, slots=True)
class EmbeddingModel:
    """`vectors`: what was made with exactly this file and this prefix."""

    model: LocalModel
    vectors: Vectors
    query_prefix: str
    document_prefix: str


@dataclass(frozen=True, slots=True)
class Backlog:
    """`missing`: ids of sections without a vector."""

    missing: list[int]
    total: int


def choose(models: Collection[LocalModel], documents: Path) -> EmbeddingModel | None:
    """The embedding model that was added last; None without one. `documents`: their database.

    Raises AppError for a file that is damaged or has left.
    """
    suited = [model for model in models if local_models.is_for_search(model)]
    if not suited:
        return None
    model = max(suited, key=lambda one: one.added_at)
    path = Path(model.path)
    dimensions = gguf.read_header(path).embedding_length
    card = catalogue.load().card(model.card_id)
    query_prefix, document_prefix = (card.query_prefix, card.document_prefix) if card else ("", "")
    key = hashlib.sha256(f"{fingerprint(path)}\n{dimensions}\n{document_prefix}".encode()).hexdigest()[:24]
    vectors = Vectors(folder_of(documents) / f"{key}.vectors", dimensions)
    return EmbeddingModel(model, vectors, query_prefix, document_prefix)


def folder_of(documents: Path) -> Path:
    return documents.with_name(f"{documents.stem}-vectors")


def fingerprint(path: Path) -> str:
    """Of a file's size and of samples spread over it, its beginning and end among them."""
    size = path.stat().st_size
    found = hashlib.sha256(str(size).encode())
    with open_regular(path) as file:
        for number in range(SAMPLES):
            file.seek(max(0, size - SAMPLE_BYTES) * number // (SAMPLES - 1))
            found.update(file.read(SAMPLE_BYTES))
    return found.hexdigest()


def look(documents: Path, vectors: Vectors) -> Backlog:
    """Reads all sections. Where too many rows are of sections that have left, the file of vectors is written anew.

    `documents` need not exist yet.
    """
    if not documents.is_file():
        return Backlog([], 0)
    database = Database.beside(documents)
    try:
        pairs = _pairs(database)
    finally:
        database.close()
    known = vectors.known()
    if vectors.count() - len(known & pairs) > max(OLD_LEAST, OLD_SHARE * len(pairs)):
        vectors.keep(known & pairs)
    return Backlog(sorted(section_id for section_id, _ in pairs - known), len(pairs))


def texts(documents: Path, section_ids: Sequence[int]) -> dict[int, str]:
    """By id, what is embedded. Sections that are gone are left out."""
    database = Database.beside(documents)
    try:
        return dict(
            database.read_as(
                embedded_section,
                "SELECT id, heading, text FROM section WHERE id IN (SELECT value FROM json_each(?))",
                json.dumps(list(section_ids)),
            )
        )
    finally:
        database.close()


def forget_others(model: EmbeddingModel) -> None:
    """Removes what other models have made. What another program has open stays."""
    for path in model.vectors.path.parent.glob("*.vectors"):
        if path != model.vectors.path:
            try:
                path.unlink()
            except OSError:  # the next time
                continue


def _pairs(database: Database) -> set[tuple[int, int]]:
    """(section id, digest of its text) of all sections."""
    found: set[tuple[int, int]] = set()
    last = -1
    while True:
        rows = database.read_as(
            embedded_section, "SELECT id, heading, text FROM section WHERE id > ? ORDER BY id LIMIT ?", last, READ_ROWS
        )
        if not rows:
            return found
        found.update((section_id, digest_of(text)) for section_id, text in rows)
        last = rows[-1][0]
