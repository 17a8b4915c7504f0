"""Search sections by meaning: vectors in one file per embedding model, and the fusion with a search by words.

Vectors are 8-bit numbers in a memory-mapped file that a search reads whole: 19 of 20 searches among 100,000 sections of
768 numbers take less than 26 ms (sqlite-vec: 268 ms, 103 ms with 8 bits; tests/benchmarks/vectors.py), without an
extension of sqlite. The file is a cache: a row stores the digest of its text, so rows of removed or changed sections
are ignored, and rows that a kill cut off are made again.

The fused score is a weighted sum (Bruch, Gai and Ingber, ACM TOIS 2023) of the score by words, divided by the best one,
and the cosine, scaled from the mean of all sections to the nearest one. Reciprocal rank fusion loses 5 of 100 questions
about Wikipedia that words find; this loses none there, in laws or in technical standards.
"""

import errno
import hashlib
import json
import os
from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from app.base.database import Database, Row
from app.base.errors import AppError
from app.base.files.input_file import open_regular
from app.documents.document_tables import heading_of, text_of
from app.documents.grounding import source_citations
from app.documents.library import Library
from app.documents.records import Passage, with_heading
from app.inference import gguf
from app.inference.local_model import LocalModel
from app.models import catalogue, local_models

Floats = npt.NDArray[np.float32]
CHUNK_ROWS = 512  # converted to 32-bit numbers at once, few enough for the processor's cache
NORM_TOLERANCE = 0.05  # rounding to 8 bits changes a length of 1 by less


def text_digest(text: str) -> int:
    """Return a 64-bit digest of a text."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest(), "little")


class VectorFile:
    """A file of vectors for many readers and one writer. Raises AppError("vectors_unusable" | "disk_full")."""

    def __init__(self, path: Path, dimensions: int) -> None:
        """Use the file `path`, which need not exist before `add`. `dimensions`: numbers of a vector."""
        self.path = path
        self.dimensions = dimensions
        self._row = np.dtype([("section", "<i8"), ("digest", "<u8"), ("scale", "<f4"), ("vector", "i1", (dimensions,))])

    def add(self, section_ids: Sequence[int], digests: Sequence[int], vectors: Floats) -> None:
        """Append rows and sync them to the disk. `vectors`: [rows, dimensions], of unit length."""
        rows = np.zeros(len(section_ids), self._row)
        largest = np.abs(vectors).max(axis=1)
        scale = np.where(largest > 0, largest, 1.0) / 127
        rows["section"], rows["digest"], rows["scale"] = section_ids, digests, scale
        rows["vector"] = np.rint(vectors / scale[:, None])
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab") as file:
                file.truncate(file.tell() // self._row.itemsize * self._row.itemsize)  # an incomplete row after a kill
                file.write(rows.tobytes())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise self._failure(error) from error

    def stored_keys(self) -> set[tuple[int, int]]:
        """Return (section id, digest) of the intact rows; after a power cut, rows may be zeros."""
        rows = self._rows()
        found: set[tuple[int, int]] = set()
        for start in range(0, len(rows), CHUNK_ROWS):
            chunk = rows[start : start + CHUNK_ROWS]
            lengths = np.linalg.norm(chunk["vector"].astype(np.float32), axis=1) * chunk["scale"]
            whole = chunk[np.abs(lengths - 1) < NORM_TOLERANCE]
            found.update(zip(whole["section"].tolist(), whole["digest"].tolist(), strict=True))
        return found

    def count(self) -> int:
        """Return the number of rows, including those of removed sections."""
        try:
            return self.path.stat().st_size // self._row.itemsize
        except OSError:
            return 0

    def similarities(self, vector: Floats) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint64], Floats]:
        """Return section ids and digests of all rows, and their cosines with a `vector` [dimensions] of unit length."""
        rows = self._rows()
        found = np.empty(len(rows), np.float32)
        for start in range(0, len(rows), CHUNK_ROWS):
            chunk = rows[start : start + CHUNK_ROWS]
            found[start : start + CHUNK_ROWS] = (chunk["vector"].astype(np.float32) @ vector) * chunk["scale"]
        return np.array(rows["section"]), np.array(rows["digest"]), found

    def keep_only(self, kept_keys: set[tuple[int, int]]) -> None:
        """Rewrite the file, wholly or not, with the vectors of these (section id, text digest). Raises AppError."""
        rows = self._rows()
        pairs = zip(rows["section"].tolist(), rows["digest"].tolist(), strict=True)
        kept = sorted({pair: at for at, pair in enumerate(pairs) if pair in kept_keys}.values())
        fresh = self.path.with_suffix(".new")
        try:
            with fresh.open("wb") as file:
                for start in range(0, len(kept), CHUNK_ROWS):
                    file.write(rows[kept[start : start + CHUNK_ROWS]].tobytes())
                file.flush()
                os.fsync(file.fileno())
            del rows  # Windows does not replace a mapped file
            fresh.replace(self.path)
        except OSError as error:
            fresh.unlink(missing_ok=True)
            raise self._failure(error) from error

    def _rows(self) -> Any:
        """Return the memory-mapped rows, without an incomplete one at the end."""
        count = self.count()
        if count == 0:
            return np.empty(0, self._row)
        try:
            return np.memmap(self.path, self._row, "r", shape=(count,))
        except (OSError, ValueError) as error:  # the file was removed or shortened meanwhile
            raise self._failure(error) from error

    def _failure(self, error: OSError | ValueError) -> AppError:
        if getattr(error, "errno", 0) in (errno.ENOSPC, errno.EDQUOT):
            return AppError("disk_full", path=str(self.path.parent))
        reason = getattr(error, "strerror", None) or str(error)
        return AppError("vectors_unusable", path=str(self.path), reason=reason)


MEANING_WEIGHT = 0.25  # of the score by meaning; words have the rest
CANDIDATES = 120  # nearest sections that are added to those found by words


@dataclass(frozen=True, slots=True)
class SemanticQuery:
    """A question as a `vector` of unit length. `neutral_cosine`: the model's for a mere common subject, or 0."""

    vectors: VectorFile
    vector: Floats
    neutral_cosine: float = 0.0
    _compared: dict[tuple[int, ...], "Similarities"] = field(default_factory=dict, init=False, compare=False)

    def without_cosines(self) -> "SemanticQuery":
        """Return the same question without what was computed for it, some megabytes for a large library."""
        return SemanticQuery(self.vectors, self.vector, self.neutral_cosine)

    def compare(self, library: Library, collection_ids: Sequence[int]) -> "Similarities":
        """Compare the question with the sections of the collections. Raises AppError("vectors_unusable")."""
        key = tuple(collection_ids)
        if key not in self._compared:
            self._compared[key] = Similarities(self, library.database, collection_ids)
        return self._compared[key]

    def fuse_ranking(
        self, library: Library, scored: Sequence[tuple[int, float]], collection_ids: Sequence[int]
    ) -> list[tuple[int, float]]:
        """Return (section id, score from 0 to 1) by words, as `scored`, and meaning. Raises
        AppError("vectors_unusable")."""
        similar = self.compare(library, collection_ids)
        best = max((score for _, score in scored), default=1.0)
        by_words = {section_id: score / best for section_id, score in scored}
        wanted = [*by_words, *similar.nearest(CANDIDATES)]
        texts = _texts(library.database, wanted, collection_ids)
        scores = {}
        for section_id, text in texts.items():
            words = by_words.get(section_id, 0.0)
            meaning = similar.scaled(section_id, text)
            if meaning is None and section_id not in by_words:
                continue  # the vector is of a text that has changed
            scores[section_id] = words + MEANING_WEIGHT * ((words if meaning is None else meaning) - words)
        seen: set[str] = set()  # drops forms and remarks that a document repeats
        found = []
        for section_id in sorted(scores, key=lambda one: scores[one], reverse=True):
            if texts[section_id] not in seen:
                seen.add(texts[section_id])
                found.append((section_id, scores[section_id]))
        return found


class Similarities:
    """The cosines of a question with the sections of some collections that have a vector."""

    def __init__(self, query: SemanticQuery, database: Database, collection_ids: Sequence[int]) -> None:
        sections, digests, cosines = query.vectors.similarities(query.vector)
        listed = database.read(
            "SELECT group_concat(s.id) FROM section s JOIN document d ON d.id = s.document_id"
            " WHERE d.collection_id IN (SELECT value FROM json_each(?))",
            json.dumps(list(collection_ids)),
        )[0][0]
        last = len(sections) - 1 - np.unique(sections[::-1], return_index=True)[1]  # ids are used again for new texts
        sections, digests, cosines = sections[last], digests[last], cosines[last]
        is_here = np.isin(sections, np.fromstring(listed or "", np.int64, sep=","))
        self._sections, self._digests, self._cosines = sections[is_here], digests[is_here], cosines[is_here]
        self._mean = float(self._cosines.mean()) if len(self._cosines) else 0.0
        self._largest = float(self._cosines.max()) if len(self._cosines) else 0.0

    def nearest(self, limit: int) -> list[int]:
        """Return the ids of the nearest sections, the nearest first."""
        best = np.arange(len(self._cosines))
        if limit < len(best):
            best = np.argpartition(self._cosines, -limit)[-limit:]
        return [int(one) for one in self._sections[best[np.argsort(-self._cosines[best], kind="stable")]]]

    def cosine(self, section_id: int, text: str) -> float | None:
        """Return the cosine of a section with this embedded text; None if its vector is missing or of another text."""
        row = int(np.searchsorted(self._sections, section_id))
        is_there = row < len(self._sections) and self._sections[row] == section_id
        return float(self._cosines[row]) if is_there and self._digests[row] == text_digest(text) else None

    def scaled(self, section_id: int, text: str) -> float | None:
        """Return the cosine as a share of the way from the mean to the largest one, 0 to 1."""
        cosine = self.cosine(section_id, text)
        if cosine is None:
            return None
        return max(0.0, (cosine - self._mean) / max(self._largest - self._mean, 1e-9))

    def of_passage(self, passage: Passage) -> float | None:
        """Return the cosine of the section that was found in a passage, or None."""
        part = source_citations.found_part(passage)
        return self.cosine(passage.section_id, with_heading(part.heading, part.text))


def embedded_section(row: Row) -> tuple[int, str]:
    """Return a section's id and the text to embed. Raises ValueError or TypeError for invalid stored values."""
    return row["id"], with_heading(heading_of(row), text_of(row, "text"))


def _texts(database: Database, section_ids: Sequence[int], collection_ids: Sequence[int]) -> dict[int, str]:
    """Return section id -> embedded text, for those of the sections that are in these collections."""
    found = database.read_as(
        embedded_section,
        """SELECT s.id, s.heading, s.text FROM section s JOIN document d ON d.id = s.document_id
           WHERE s.id IN (SELECT value FROM json_each(?)) AND d.collection_id IN (SELECT value FROM json_each(?))""",
        json.dumps(list(section_ids)),
        json.dumps(list(collection_ids)),
    )
    return dict(found)


SAMPLES, SAMPLE_BYTES = 64, 1 << 14  # samples of a model's file, as reading all of it takes seconds
READ_ROWS = 2000  # sections read at once
OLD_SHARE, OLD_LEAST = 0.25, 1000  # share and number of unused rows from which the file is rewritten


@dataclass(frozen=True, slots=True)
class EmbeddingModel:
    """An embedding model with its vectors, which belong to exactly this file and this document prefix."""

    model: LocalModel
    vectors: VectorFile
    query_prefix: str
    document_prefix: str
    neutral_cosine: float = 0.0  # as in SemanticQuery


@dataclass(frozen=True, slots=True)
class EmbeddingBacklog:
    """The work left: (section id, collection id) of the `missing` vectors, newest documents first."""

    missing: list[tuple[int, int]]
    total: int


def choose_model(models: Collection[LocalModel], documents: Path) -> EmbeddingModel | None:
    """Return the embedding model added last (Kotae's own as the first), or None. Raises AppError for its file."""
    suited = [model for model in models if local_models.is_embedding_model(model)]
    if not suited:
        return None
    model = max(suited, key=lambda one: (not _comes_with_kotae(one), one.added_at))
    path = Path(model.path)
    dimensions = gguf.read_header(path).embedding_length
    card = catalogue.card(model.card_id)
    query_prefix, document_prefix = (card.query_prefix, card.document_prefix) if card else ("", "")
    key = hashlib.sha256(f"{file_fingerprint(path)}\n{dimensions}\n{document_prefix}".encode()).hexdigest()[:24]
    vectors = VectorFile(vectors_folder(documents) / f"{key}.vectors", dimensions)
    return EmbeddingModel(model, vectors, query_prefix, document_prefix, card.neutral_cosine if card else 0.0)


def _comes_with_kotae(model: LocalModel) -> bool:
    card = catalogue.card(model.card_id)
    return card is not None and bool(card.package)


def vectors_folder(documents: Path) -> Path:
    return documents.with_name(f"{documents.stem}-vectors")


def file_fingerprint(path: Path) -> str:
    """Return a digest of a file's size and of 64 samples spread over it, including its beginning and end."""
    size = path.stat().st_size
    found = hashlib.sha256(str(size).encode())
    with open_regular(path) as file:
        for number in range(SAMPLES):
            file.seek(max(0, size - SAMPLE_BYTES) * number // (SAMPLES - 1))
            found.update(file.read(SAMPLE_BYTES))
    return found.hexdigest()


def find_backlog(documents: Path, vectors: VectorFile, *, is_emptied: bool = False) -> EmbeddingBacklog:
    """Return the sections without vector; rewrite the file if too many (`is_emptied`: any) rows are unused."""
    if not documents.is_file():
        return EmbeddingBacklog([], 0)
    with closing(Database.open_second(documents)) as database:
        places = _places(database)
    known = vectors.stored_keys()
    used = known & places.keys()
    if vectors.count() - len(used) > (0 if is_emptied else max(OLD_LEAST, OLD_SHARE * len(places))):
        vectors.keep_only(used)
    missing = sorted(
        (-document_id, key[0], collection_id)
        for key, (document_id, collection_id) in places.items()
        if key not in known
    )
    return EmbeddingBacklog([(section_id, collection_id) for _, section_id, collection_id in missing], len(places))


def texts_to_embed(documents: Path, section_ids: Sequence[int]) -> dict[int, str]:
    """Return section id -> text to embed, for those of the sections that still exist."""
    with closing(Database.open_second(documents)) as database:
        return dict(
            database.read_as(
                embedded_section,
                "SELECT id, heading, text FROM section WHERE id IN (SELECT value FROM json_each(?))",
                json.dumps(list(section_ids)),
            )
        )


def delete_other_vectors(model: EmbeddingModel) -> None:
    """Delete the vector files of other models; a file that another program has open stays."""
    for path in model.vectors.path.parent.glob("*.vectors"):
        if path != model.vectors.path:
            try:
                path.unlink()
            except OSError:  # the next call tries again
                continue


def _places(database: Database) -> dict[tuple[int, int], tuple[int, int]]:
    """Return (section id, digest of its text) -> (document id, collection id) for all sections."""
    found: dict[tuple[int, int], tuple[int, int]] = {}
    last = -1
    while True:
        rows = database.read_as(
            lambda row: (*embedded_section(row), row["document_id"], row["collection_id"]),
            """SELECT s.id, s.heading, s.text, s.document_id, d.collection_id
               FROM section s JOIN document d ON d.id = s.document_id WHERE s.id > ? ORDER BY s.id LIMIT ?""",
            last,
            READ_ROWS,
        )
        if not rows:
            return found
        for section_id, text, document_id, collection_id in rows:
            found[section_id, text_digest(text)] = document_id, collection_id
        last = rows[-1][0]
