"""Vectors of sections: what is near is found, and neither a kill nor a changed document gives a wrong one."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from app.base.errors import AppError
from app.documents.library import Library
from app.documents.records import Section, with_heading
from app.documents.retrieval import passage_search, semantic_index
from app.documents.retrieval.semantic_index import Floats, SemanticQuery, VectorFile, text_digest
from tests.documents.driver import put

DIMENSIONS = 64


def unit(count: int, seed: int = 1) -> Floats:
    made = np.random.default_rng(seed).standard_normal((count, DIMENSIONS)).astype(np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


@pytest.fixture
def store(tmp_path: Path) -> VectorFile:
    return VectorFile(tmp_path / "vectors" / "a.vectors", DIMENSIONS)


def nearest(store: VectorFile, vector: np.ndarray) -> list[tuple[int, int]]:
    """Return (section id, digest) of the rows, the nearest to a vector first."""
    sections, digests, cosines = store.similarities(vector)
    return [(int(sections[at]), int(digests[at])) for at in cosines.argsort()[::-1]]


def test_the_nearest_are_those_of_an_exact_search(store: VectorFile) -> None:
    made = unit(3000)
    store.add(range(3000), range(3000), made)
    question = unit(1, seed=2)[0]
    exact = (made @ question).argsort()[::-1][:100].tolist()
    sections, digests, cosines = store.similarities(question)
    assert sections.tolist() == digests.tolist() == list(range(3000))
    assert len(set(exact) & set(cosines.argsort()[::-1][:100].tolist())) >= 97
    assert cosines == pytest.approx(made @ question, abs=0.01)


def test_without_a_file_nothing_is_near(store: VectorFile) -> None:
    assert (nearest(store, unit(1)[0]), store.stored_keys(), store.count()) == ([], set(), 0)


def test_a_row_that_was_cut_off_is_not_there_and_the_next_ones_are_whole(store: VectorFile) -> None:
    made = unit(4)
    store.add([1, 2], [1, 2], made[:2])
    whole = store.path.read_bytes()
    for left in range(len(whole) // 2 + 1, len(whole), 7):
        store.path.write_bytes(whole[:left])
        assert store.stored_keys() == {(1, 1)}
        store.add([3, 4], [3, 4], made[2:])
        assert store.stored_keys() == {(1, 1), (3, 3), (4, 4)}
        assert nearest(store, made[3])[0] == (4, 4)


def test_rows_that_a_power_cut_has_emptied_are_made_again(store: VectorFile) -> None:
    store.add([1, 2, 3], [1, 2, 3], unit(3))
    data = bytearray(store.path.read_bytes())
    size = len(data) // 3
    data[size + 20 : size + 20 + DIMENSIONS // 2] = bytes(DIMENSIONS // 2)  # half of the second row's numbers
    data[2 * size :] = bytes(size)
    store.path.write_bytes(data)
    assert store.stored_keys() == {(1, 1)}


def test_old_rows_are_left_out_when_the_file_is_written_anew(store: VectorFile) -> None:
    made = unit(6)
    store.add([1, 2, 3], [1, 2, 3], made[:3])
    store.add([2, 2, 4], [20, 2, 4], made[3:])
    store.keep_only({(1, 1), (2, 2), (4, 4)})
    assert store.stored_keys() == {(1, 1), (2, 2), (4, 4)}
    assert store.count() == 3
    assert nearest(store, made[4])[0] == (2, 2)


def test_a_folder_that_cannot_be_written_is_an_expected_error(tmp_path: Path) -> None:
    (tmp_path / "vectors").write_text("a file in its place")
    with pytest.raises(AppError) as raised:
        VectorFile(tmp_path / "vectors" / "a.vectors", DIMENSIONS).add([1], [1], unit(1))
    assert raised.value.code == "vectors_unusable"


KILLED = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from app.documents.retrieval.semantic_index import VectorFile as Vectors
from tests.documents.test_vectors import DIMENSIONS, unit
store = Vectors(Path(sys.argv[1]), DIMENSIONS)
made = unit(8000)
print("ready", flush=True)
for at in range(int(sys.argv[2]), 8000, 16):
    store.add(range(at, at + 16), range(at, at + 16), made[at : at + 16])
    print(at + 16, flush=True)
    if at % 160 == 0:
        store.keep_only({(n, n) for n in range(at + 16)})
"""


def test_kills_at_any_moment_lose_no_finished_batch_and_leave_no_wrong_row(store: VectorFile) -> None:
    made, chance = unit(8000), np.random.default_rng(5)
    reported = 0
    for _ in range(4):
        command = [sys.executable, "-c", KILLED, str(store.path), str(reported), str(Path.cwd())]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout.readline() == "ready\n"
            time.sleep(float(chance.random()) * 0.05)
            os.kill(writer.pid, signal.SIGKILL)
            lines = [line for line in writer.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
        reported = int(lines[-1]) if lines else reported
        known = store.stored_keys()
        assert {(n, n) for n in range(reported)} <= known
        assert all(section_id == digest for section_id, digest in known)
        for number in sorted(known)[::97]:
            assert nearest(store, made[number[0]])[0] == number
    assert reported > 0


# ------------------------------------------------------------------------ fusion


class Shelf:
    """A library whose sections have vectors by hand: section n of a document points along axis n."""

    def __init__(self, library: Library, store: VectorFile) -> None:
        self.library, self.store = library, store

    def put(self, collection: str, *texts: str, name: str = "a.md") -> list[int]:
        sections = [Section((f"第{number}章",), text) for number, text in enumerate(texts)]
        collection_id = put(self.library, *sections, collection=collection, name=name)
        (document,) = (one for one in self.library.documents(collection_id) if one.name == name)
        return [collection_id, document.id]

    def embed(self, document_id: int, first_axis: int = 0, part: slice = slice(None)) -> None:
        rows = self.library.sections(document_id)[part]
        self.store.add(
            [section_id for section_id, _ in rows],
            [text_digest(with_heading(section.heading, section.text)) for _, section in rows],
            np.eye(DIMENSIONS, dtype=np.float32)[first_axis : first_axis + len(rows)],
        )

    def found(self, query: str, axis: int | None, *collection_ids: int) -> list[str]:
        vector = np.eye(DIMENSIONS, dtype=np.float32)[axis] if axis is not None else None
        meaning = SemanticQuery(self.store, vector) if vector is not None else None
        found = passage_search.search(self.library, query, collection_ids, 20, meaning=meaning)
        assert [passage.rank for passage in found] == list(range(1, len(found) + 1))
        return [passage.section.text for passage in found]


@pytest.mark.fault("F9")
def test_a_text_of_bytes_among_what_is_near_is_said_to_be_damage(shelf: "Shelf", store: VectorFile) -> None:
    collection, document = shelf.put("規程", "桁の高さ")
    shelf.embed(document)
    with shelf.library.database.transaction():
        shelf.library.database.write("UPDATE section SET heading = '[]', text = x'ff'")
    meaning = SemanticQuery(store, np.eye(DIMENSIONS, dtype=np.float32)[0])
    with pytest.raises(AppError, match="database_damaged"):
        meaning.fuse_ranking(shelf.library, [], [collection])


@pytest.fixture
def shelf(library: Library, store: VectorFile) -> Shelf:
    return Shelf(library, store)


DOG, PUMP, PAY = "犬の散歩は朝に行う。", "ポンプの軸受の温度を測る。", "給与は月末に支払う。"


def test_what_no_word_finds_is_found_by_its_meaning(shelf: Shelf) -> None:
    collection_id, document_id = shelf.put("規程", DOG, PUMP, PAY)
    shelf.embed(document_id)
    assert shelf.found("サラリー", None, collection_id) == []
    assert shelf.found("サラリー", 2, collection_id)[0] == PAY
    assert shelf.found("ポンプの温度", 1, collection_id)[0] == PUMP
    assert set(shelf.found("ポンプの温度", 2, collection_id)[:2]) == {PUMP, PAY}


def test_words_weigh_more_than_meaning(shelf: Shelf) -> None:
    collection_id, document_id = shelf.put("規程", DOG, PUMP, PAY)
    shelf.embed(document_id)
    assert shelf.found("ポンプの軸受の温度", 2, collection_id)[:2] == [PUMP, PAY]


def test_sections_without_a_vector_keep_their_score_by_words(shelf: Shelf) -> None:
    collection_id, document_id = shelf.put("規程", DOG, PUMP, PAY)
    shelf.embed(document_id, part=slice(0, 1))
    assert shelf.found("ポンプの軸受の温度", 0, collection_id) == [PUMP, DOG]


def test_another_collection_does_not_change_the_scores(shelf: Shelf, store: VectorFile) -> None:
    collection_id, document_id = shelf.put("規程", DOG, PUMP, PAY)
    shelf.embed(document_id)

    def scores() -> list[float]:
        meaning = SemanticQuery(store, np.full(DIMENSIONS, DIMENSIONS**-0.5, np.float32))
        found = passage_search.search(shelf.library, "犬の温度", [collection_id], 20, meaning=meaning)
        return [passage.score for passage in found]

    alone = scores()
    _, other = shelf.put("別", *(f"犬の温度と体重を{number}回測る。" for number in range(8)), name="b.md")
    shelf.embed(other, first_axis=5)
    assert scores() == alone


def test_without_vectors_the_order_is_that_of_the_words(shelf: Shelf) -> None:
    collection_id, _ = shelf.put("規程", DOG, PUMP, "犬の餌は朝と夕に与える。")
    by_words = shelf.found("犬の朝の餌", None, collection_id)
    assert len(by_words) == 2
    assert shelf.found("犬の朝の餌", 0, collection_id) == by_words


def test_what_has_no_vector_yet_loses_no_place_to_what_has_one(shelf: Shelf) -> None:
    collection_id, document_id = shelf.put("規程", "会社の住所は別に定める。", PUMP, DOG)
    question = "ポンプの製造会社の住所と電話番号"  # not covered by words: meaning has an equal say
    first, second = shelf.found(question, None, collection_id)
    place = {"会社の住所は別に定める。": 0, PUMP: 1}[second]
    shelf.embed(document_id, place, slice(place, place + 1))
    assert shelf.found(question, place, collection_id) == [first, second]


def test_a_changed_or_removed_section_is_not_found_by_its_old_vector(shelf: Shelf) -> None:
    collection_id, document_id = shelf.put("規程", DOG, PUMP, PAY)
    shelf.embed(document_id)
    ids = [section_id for section_id, _ in shelf.library.sections(document_id)]
    shelf.put("規程", "猫は昼に眠る。", PUMP)
    assert [section_id for section_id, _ in shelf.library.sections(document_id)] == ids[:2]  # ids are used again
    assert shelf.found("サラリー", 0, collection_id) == [PUMP]
    assert shelf.found("サラリー", 2, collection_id) == [PUMP]
    shelf.library.remove_documents([document_id])
    assert shelf.found("サラリー", 1, collection_id) == []


def test_other_collections_do_not_take_the_places(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(semantic_index, "CANDIDATES", 2)
    monkeypatch.setattr(semantic_index, "CHUNK_ROWS", 7)
    _, others = shelf.put("ほか", *(f"番号{number}の雑則。" for number in range(60)))
    shelf.store.add(
        *zip(
            *((i, text_digest(with_heading(s.heading, s.text))) for i, s in shelf.library.sections(others)), strict=True
        ),
        np.repeat(np.eye(DIMENSIONS, dtype=np.float32)[2:3], 60, axis=0),
    )
    collection_id, document_id = shelf.put("規程", DOG, PUMP, PAY)
    shelf.embed(document_id)
    assert shelf.found("サラリー", 2, collection_id)[0] == PAY


def test_a_text_that_is_repeated_is_found_once(shelf: Shelf) -> None:
    collection_id, first = shelf.put("規程", PAY)
    _, second = shelf.put("規程", PAY, DOG, name="b.md")
    shelf.embed(first, 2)
    shelf.embed(second, 2)
    assert shelf.found("サラリー", 2, collection_id).count(PAY) == 1
