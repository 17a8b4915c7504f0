"""The order of what a search finds, by a real engine child with a tiny reranker, and when it fails."""

import dataclasses
from collections.abc import Callable, Iterator

import psutil
import pytest
from pytestqt.qtbot import QtBot

from app.base import programs
from app.base.paths import Paths
from app.documents.grounding.grounding_record import CollectionRef
from app.documents.library import Library
from app.documents.records import Passage, Section
from app.documents.retrieval import excerpts, passage_search
from app.documents.services.document_library import DocumentLibrary
from app.documents.services.embedding import Embedding
from app.documents.services.reranking import RERANKED, Reranking
from app.inference.local_model import LocalModel
from app.models import local_models
from tests.documents.driver import put
from tests.embedding_model import score_of, tiny_reranker

QUESTION = "橋"
COUNTS = (3, 0, 5, 1, 4, 2)  # of the liked letter, in passages that the search finds equally good


def section(number: int, letters: int) -> Section:
    """Return a section that stands alone, of the same length for each number of liked letters."""
    return Section((f"{chr(0x4E00 + number)}章",), "橋" + "犬" * letters + "川" * (5 - letters))


@pytest.fixture
def library(where: Paths) -> Iterator[Library]:
    library = Library.open(where.documents)
    put(library, *(section(number, letters) for number, letters in enumerate(COUNTS)), collection="規程")
    yield library
    library.close()


@pytest.fixture(scope="session")
def ranker(tmp_path_factory: pytest.TempPathFactory) -> LocalModel:
    """A reranker that likes dogs."""
    return local_models.describe(tiny_reranker(tmp_path_factory.mktemp("models") / "ranker.gguf", "犬"))


class RerankingDriver:
    """The models for search of one process."""

    def __init__(self, where: Paths, qtbot: QtBot) -> None:
        self.qtbot = qtbot
        self.embedding = Embedding([*programs.own_program(), "--engine", "llama"], where.logs, where.documents)
        self.embedding.question_limit_s = 60.0

    def order(self, passages: list[Passage], amid: Callable[[], object] = lambda: None) -> Reranking:
        """Return the outcome of reordering. `amid`: what happens once the request is sent."""
        found: list[Reranking] = []
        self.embedding.rerank(QUESTION, passages, found.append)
        amid()
        self.qtbot.waitUntil(lambda: bool(found), timeout=60_000)
        self.qtbot.wait(50)
        assert len(found) == 1
        return found[0]


@pytest.fixture
def driver(where: Paths, qtbot: QtBot) -> Iterator[RerankingDriver]:
    driver = RerankingDriver(where, qtbot)
    yield driver
    driver.embedding.close()


def dogs(passages: tuple[Passage, ...] | list[Passage]) -> list[int]:
    return [passage.section.text.count("犬") for passage in passages]


def test_the_order_follows_the_scores(driver, library, ranker):
    found = passage_search.search(library, QUESTION, [1])
    assert sorted(dogs(found)) == sorted(COUNTS)
    measured: list[tuple[str, float]] = []
    driver.embedding.reranker.measured.connect(lambda *facts: measured.append(facts))
    driver.embedding.reranker.use([ranker])
    order = driver.order(found)
    assert (order.state, dogs(order.passages)) == ("used", [5, 4, 3, 2, 1, 0])
    expected = sorted(found, key=lambda one: -score_of(QUESTION, f"{one.section.heading[0]}{one.section.text}", "犬"))
    assert [one.section_id for one in order.passages] == [one.section_id for one in expected]
    assert [one.rank for one in order.passages] == [1, 2, 3, 4, 5, 6]
    assert measured == [(ranker.id, order.seconds)]
    assert 0 < order.seconds < 10


def test_clauses_that_the_question_names_and_what_comes_late_stay_where_they_are(driver, library, ranker):
    driver.embedding.reranker.use([ranker])
    found = passage_search.search(library, QUESTION, [1])
    named = [dataclasses.replace(one, named="clause") for one in found[:2]]
    late = [dataclasses.replace(found[0], section_id=100 + number) for number in range(RERANKED)]
    order = driver.order([*named, *found[2:], *late])
    assert list(order.passages[:2]) == named
    assert dogs(order.passages[2:14]) == sorted(dogs([*found[2:], *late[:8]]), reverse=True)
    assert [one.section_id for one in order.passages[-4:]] == [108, 109, 110, 111]


def test_without_a_reranker_nothing_is_started_and_the_order_stays(driver, library, tiny_model):
    found = passage_search.search(library, QUESTION, [1])
    driver.embedding.reranker.use([local_models.describe(tiny_model)])
    driver.embedding.load_model()
    assert driver.order(found) == Reranking(tuple(found))
    assert driver.embedding.reranker.pid == 0


def test_after_a_kill_amid_it_the_order_stays_and_the_next_question_is_ordered(driver, library, ranker):
    found = passage_search.search(library, QUESTION, [1])
    reranker = driver.embedding.reranker
    reranker.use([ranker])
    assert driver.order(found).state == "used"
    psutil.Process(reranker.pid).suspend()
    order = driver.order(found, lambda: psutil.Process(reranker.pid).kill())
    assert (order.state, order.passages, order.seconds) == ("missed", tuple(found), 0.0)
    assert order.error.code == "engine_died"
    assert dogs(driver.order(found).passages) == [5, 4, 3, 2, 1, 0]


def test_one_that_is_late_or_gives_no_scores_leaves_the_order(driver, library, ranker, tmp_path):
    found = passage_search.search(library, QUESTION, [1])
    reranker = driver.embedding.reranker
    reranker.use([ranker])
    assert driver.order(found).state == "used"
    driver.embedding.question_limit_s = 0.01
    process = psutil.Process(reranker.pid)
    process.suspend()
    assert driver.order(found) == Reranking(tuple(found), "missed")
    process.resume()
    driver.embedding.question_limit_s = 60.0
    assert driver.order(found).state == "used"
    reranker.use([local_models.describe(tiny_reranker(tmp_path / "broken.gguf", broken=True))])
    order = driver.order(found)
    assert (order.state, order.passages) == ("missed", tuple(found))
    assert order.error.code == "pair_not_scored"


def test_an_answer_rests_on_the_new_order_which_the_switch_takes_back(scene, driver, library, ranker, monkeypatch):
    monkeypatch.setattr(excerpts, "PARAMETERS_MIN", 0)
    scene.session._embedding = driver.embedding
    documents = DocumentLibrary(scene.where.documents, programs.reader_command(scene.where.documents), scene.where.logs)
    driver.embedding.follow(documents, scene.library, scene.engine, scene.preferences)
    with driver.qtbot.waitSignal(documents.opened):
        documents.open()
    assert scene.session.ask_of((CollectionRef(1, "規程"),))
    before = scene.ask("橋はありますか").details.grounding
    assert (before.reranked, before.rerank_s) == ("", 0.0)
    added = scene.library.add(ranker)
    kept = scene.ask("橋はありますか").details.grounding
    assert (kept.verdict, kept.reranked) == (before.verdict, "used")
    assert kept.rerank_s > 0
    assert max(one.text.count("犬") for one in kept.sources) == 5
    assert [one.text for one in kept.sources] != [one.text for one in before.sources]
    cost_s = local_models.rerank_s(next(one for one in scene.library.models() if one.id == added.id))
    assert cost_s == pytest.approx(kept.rerank_s)
    scene.preferences.change(reranks=False)
    off = scene.ask("橋はありますか").details.grounding
    assert (off.reranked, [one.text for one in off.sources]) == ("", [one.text for one in before.sources])
    assert driver.embedding.reranker.pid == 0
    documents.close()


def test_an_answer_that_is_stopped_while_passages_are_ordered_ends_at_once(scene, driver, library, ranker):
    scene.session._embedding = driver.embedding
    driver.embedding.question_limit_s = 600.0  # what is waited for below does not end by itself
    reranker = driver.embedding.reranker
    reranker.use([ranker])
    assert driver.order(passage_search.search(library, QUESTION, [1])).state == "used"
    assert scene.session.ask_of((CollectionRef(1, "規程"),))
    process = psutil.Process(reranker.pid)
    process.suspend()
    scene.session.ask("橋はありますか")
    driver.qtbot.waitUntil(lambda: bool(reranker._engine._callbacks))
    scene.session.stop()
    driver.qtbot.waitUntil(lambda: not scene.session.is_busy)
    assert not reranker._engine._callbacks
    process.resume()
