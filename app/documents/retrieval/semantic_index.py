"""Search sections by meaning: vectors in one file per embedding model, and the fusion with a search by words.

Vectors are 8-bit numbers in a memory-mapped file. A search reads the whole file and takes the vectors at the smallest
angle. Of 20 searches among 100,000 sections of 768 numbers 19 take less than 26 ms (with sqlite-vec 268 ms, with its
8-bit vectors 103 ms). They need a quarter of the space of 32-bit numbers and no extension of sqlite, which many Pythons
cannot load (tests/benchmarks/vectors.py). An index of neighbours would only save milliseconds. The file is a cache. A
row stores the digest of its text, so rows of removed or changed sections are ignored, and rows that a kill cut off are
made again.

The rankings by words and by meaning are combined by reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009),
which needs no common scale of bm25 and cosine. With their constant of 60 and equal weights a small model does harm. For
126 questions to five volumes of kasensabo, the answer is in the first five passages for 125 with words alone, for 110
with words and multilingual-e5-small fused, and for 124 with the constants below. So words dominate if the passages
contain the question's words, and meaning weighs the same if they do not.
"""

import errno
import hashlib
import json
import os
from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from app.base.database import Database, Row
from app.base.errors import AppError
from app.base.files.input_file import open_regular
from app.documents.document_tables import heading_of, text_of
from app.documents.library import Library
from app.documents.retrieval import retrieved_passages
from app.documents.retrieval.retrieved_passages import widen_sections
from app.inference import gguf
from app.inference.local_model import LocalModel
from app.models import catalogue, local_models

Floats = npt.NDArray[np.float32]
CHUNK_ROWS = 512  # converted to 32-bit numbers at once, few enough for the processor's cache
NORM_TOLERANCE = 0.05  # rounding to 8 bits changes a length of 1 by less


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A row of the vector file that is near a query."""

    section_id: int
    digest: int
    similarity: float  # cosine, -1 to 1


def text_digest(text: str) -> int:
    """Return a 64-bit digest of a text."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest(), "little")


class VectorFile:
    """A file of vectors for any number of readers and one writer at a time, in any processes.

    Its methods raise AppError("vectors_unusable" | "disk_full").
    """

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

    def sections_among(self, section_ids: Sequence[int]) -> set[int]:
        """Return those of the sections that have a vector."""
        ids = np.asarray(section_ids, np.int64)
        return set(ids[np.isin(ids, self._rows()["section"])].tolist())

    def nearest(self, vector: Floats, limit: int) -> list[Neighbour]:
        """Return the rows nearest to a vector, the best first. `vector`: [dimensions], of unit length."""
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
            Neighbour(section_id, digest, similarity)
            for section_id, digest, similarity in zip(
                rows["section"][best].tolist(),
                rows["digest"][best].tolist(),
                similarities[best].tolist(),
                strict=True,
            )
        ]

    def keep_only(self, kept_keys: set[tuple[int, int]]) -> None:
        """Rewrite the file with only the vectors of these (section id, text digest), each once.

        After a kill either the old or the new file exists. Raises AppError.
        """
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


RRF_CONSTANT = 10
COVERED_WEIGHT = 0.1  # weight of meaning if passages contain the question's words
CANDIDATES = 120  # sections of each ranking that are fused
WIDENING_FACTOR = 8  # factor of the search size while other collections or old rows leave too few


@dataclass(frozen=True, slots=True)
class SemanticQuery:
    """A question with its vector from an embedding model. `vector`: [dimensions], of unit length."""

    question: str
    vectors: VectorFile
    vector: Floats

    def fuse_ranking(
        self, library: Library, scored: Sequence[tuple[int, float]], collection_ids: Sequence[int]
    ) -> list[tuple[int, float]]:
        """Fuse a ranking by words with the ranking of the sections near in meaning.

        `scored`: the ranking by words as (section id, score), the best first. Return the same form. Raises
        AppError("vectors_unusable").
        """
        by_words = [section_id for section_id, _ in scored]
        near = self._nearest_sections(library.database, collection_ids)
        texts = {**_texts(library.database, by_words, collection_ids), **near}
        seen: set[str] = set()  # drops forms and remarks that a document repeats
        found = []
        weight = COVERED_WEIGHT if self._is_covered(library, scored) else 1.0
        embedded = self.vectors.sections_among(by_words)
        # A section that has no vector yet counts as near as its words say, so that it loses nothing to the others.
        late = [None if section_id in embedded else section_id for section_id in by_words]
        for section_id, score in fuse_ranks((1.0, by_words), (weight, list(near)), (weight, late)):
            text = texts.get(section_id, "")
            if text not in seen:
                seen.add(text)
                found.append((section_id, score))
        return found

    def _is_covered(self, library: Library, scored: Sequence[tuple[int, float]]) -> bool:
        """Whether the passages found by words probably contain the answer."""
        best = widen_sections(library, scored, retrieved_passages.PASSAGES_JUDGED)
        return retrieved_passages.judge_answerability(library, self.question, best).is_enough

    def _nearest_sections(self, database: Database, collection_ids: Sequence[int]) -> dict[int, str]:
        """Return section id -> text of the nearest sections, the nearest first.

        Rows whose section is gone or has changed are left out.
        """
        search_size, rows = CANDIDATES * 2, self.vectors.count()
        while True:
            nearest = self.vectors.nearest(self.vector, search_size)
            texts = _texts(database, [one.section_id for one in nearest], collection_ids)
            found = {one.section_id: texts[one.section_id] for one in nearest if _is_of(one, texts)}
            if len(found) >= CANDIDATES or search_size >= rows:
                return dict(list(found.items())[:CANDIDATES])
            search_size *= WIDENING_FACTOR


def fuse_ranks(*rankings: tuple[float, Sequence[int | None]]) -> list[tuple[int, float]]:
    """Return (id, score), the best first, for rankings of (weight, ids); ties keep the order of the first ranking.

    None in a ranking is a rank that nothing has.
    """
    scores: dict[int, float] = {}
    for weight, ranking in rankings:
        for rank, one in enumerate(ranking, start=1):
            if one is not None:
                scores[one] = scores.get(one, 0.0) + weight / (RRF_CONSTANT + rank)
    return sorted(scores.items(), key=lambda item: item[1], reverse=True)


def embedded_section(row: Row) -> tuple[int, str]:
    """Return the id of a section and the text that is embedded.

    Raises ValueError or TypeError if stored values are invalid.
    """
    return row["id"], embedded_text(heading_of(row), text_of(row, "text"))


def embedded_text(heading: Sequence[str], text: str) -> str:
    """Return the text that is embedded for a section, without the model's own prefix."""
    return "\n".join([" > ".join(heading), text]) if heading else text


def _is_of(neighbour: Neighbour, texts: dict[int, str]) -> bool:
    return neighbour.section_id in texts and text_digest(texts[neighbour.section_id]) == neighbour.digest


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


@dataclass(frozen=True, slots=True)
class EmbeddingBacklog:
    """The work left for an embedding model.

    `missing`: (section id, collection id) of the sections without a vector, those of the newest documents first.
    """

    missing: list[tuple[int, int]]
    total: int


def choose_model(models: Collection[LocalModel], documents: Path) -> EmbeddingModel | None:
    """Return the embedding model that was added last, or None; the one that Kotae brings along counts as the first.

    `documents`: path of the documents' database. Raises AppError for a damaged or missing file.
    """
    suited = [model for model in models if local_models.is_embedding_model(model)]
    if not suited:
        return None
    model = max(suited, key=lambda one: (not _comes_with_kotae(one), one.added_at))
    path = Path(model.path)
    dimensions = gguf.read_header(path).embedding_length
    card = catalogue.load().card(model.card_id)
    query_prefix, document_prefix = (card.query_prefix, card.document_prefix) if card else ("", "")
    key = hashlib.sha256(f"{file_fingerprint(path)}\n{dimensions}\n{document_prefix}".encode()).hexdigest()[:24]
    vectors = VectorFile(vectors_folder(documents) / f"{key}.vectors", dimensions)
    return EmbeddingModel(model, vectors, query_prefix, document_prefix)


def _comes_with_kotae(model: LocalModel) -> bool:
    card = catalogue.load().card(model.card_id)
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


def find_backlog(documents: Path, vectors: VectorFile) -> EmbeddingBacklog:
    """Read all sections and return those without a vector; rewrite the vector file if it has too many unused rows.

    `documents` need not exist yet.
    """
    if not documents.is_file():
        return EmbeddingBacklog([], 0)
    with closing(Database.open_second(documents)) as database:
        places = _places(database)
    known = vectors.stored_keys()
    used = known & places.keys()
    if vectors.count() - len(used) > max(OLD_LEAST, OLD_SHARE * len(places)):
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
