"""Vectors made in the background by a real engine child with a real, tiny encoder, whatever is killed meanwhile."""

import dataclasses
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from PySide6.QtCore import QLockFile
from pytestqt.qtbot import QtBot

from app.base import programs
from app.base.paths import Paths
from app.documents.grounding.grounding_record import CollectionRef
from app.documents.library import Library
from app.documents.retrieval import excerpts, passage_search, semantic_index
from app.documents.retrieval.semantic_index import SemanticQuery, VectorFile
from app.documents.services import embedding
from app.documents.services.document_library import DocumentLibrary
from app.documents.services.embedding import Embedding, EmbeddingStatus
from app.inference import memory_estimate
from app.inference.local_model import LocalModel
from app.inference.services.events import EngineStatus
from app.models import local_models
from tests.documents.driver import put, written
from tests.embedding_model import tiny_bert
from tests.scene import Scene

ALIKE = {"賃": "給", "金": "与"}  # 賃金 means 給与
PAY = "給与は月末に払う。"
OTHERS = [f"番号{number}の雑則。" for number in range(40)]


@pytest.fixture
def library(where: Paths) -> Iterator[Library]:
    library = Library.open(where.documents)
    put(library, PAY, *OTHERS, collection="規程")
    yield library
    library.close()


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> LocalModel:
    return described(tiny_bert(tmp_path_factory.mktemp("models") / "encoder.gguf", ALIKE))


def described(path: Path, at: float = 1.0) -> LocalModel:
    return dataclasses.replace(local_models.describe(path), added_at=at)


class EmbeddingDriver:
    """The services of some processes over one database, and what a person asks of them."""

    def __init__(self, where: Paths, qtbot: QtBot) -> None:
        self.where, self.qtbot = where, qtbot
        self.services: list[Embedding] = []

    def start(self, *models: LocalModel) -> Embedding:
        """Start a service with these models."""
        command = [*programs.own_program(), "--engine", "llama"]
        self.services.append(Embedding(command, self.where.logs, self.where.documents))
        self.services[-1]._retry_timer.setInterval(10)
        self.services[-1].question_limit_s = 60.0
        if models:
            self.services[-1].use(models)
        return self.services[-1]

    def wait(self, phase: str) -> EmbeddingStatus:
        """Wait until the last service is in this phase."""
        service = self.services[-1]
        self.qtbot.waitUntil(lambda: service.standing.phase == phase, timeout=60_000)
        return service.standing

    def meaning(self, question: str) -> SemanticQuery | None:
        found: list[SemanticQuery | None] = []
        self.services[-1].find_meaning(question, found.append)
        self.qtbot.waitUntil(lambda: bool(found))
        return found[0]

    def vectors(self, model: LocalModel) -> VectorFile:
        chosen = semantic_index.choose_model([model], self.where.documents)
        return chosen.vectors


@pytest.fixture
def driver(where: Paths, qtbot: QtBot) -> Iterator[EmbeddingDriver]:
    driver = EmbeddingDriver(where, qtbot)
    yield driver
    for service in driver.services:
        service.close()


def test_without_an_embedding_model_nothing_is_started_or_written(driver, library, tiny_model):
    service = driver.start(described(tiny_model))
    driver.qtbot.wait(300)
    service.load_model()
    service.look()
    assert (service.standing, service.is_on, service.pid) == (EmbeddingStatus(), False, 0)
    assert driver.meaning("賃金") is None
    assert not semantic_index.vectors_folder(driver.where.documents).exists()


def test_sections_get_vectors_and_a_question_finds_them_by_its_meaning(driver, library, encoder):
    service, said = driver.start(), []
    service.status_changed.connect(said.append)
    service.use([encoder])
    assert driver.wait("idle") == EmbeddingStatus("idle", 41, 41)
    done = [one.done for one in said if one.phase == "working"]
    assert done == sorted(done)
    assert len(set(done)) > 3
    assert driver.vectors(encoder).count() == 41
    assert psutil.Process(service.pid).nice() == (10 if psutil.POSIX else psutil.BELOW_NORMAL_PRIORITY_CLASS)
    assert passage_search.search(library, "賃金", [1]) == []
    found = passage_search.search(library, "賃金", [1], meaning=driver.meaning("賃金"))
    assert found[0].section_id == 1
    assert PAY in found[0].section.text


def test_a_command_starts_the_child_while_it_loads_the_rest_if_there_is_something_to_compare_with(
    driver, library, encoder, tiny_model
):
    first = driver.start()
    first.use_at_once([encoder])
    assert first.pid == 0  # no section has a vector yet
    first.close()
    driver.start(encoder)
    driver.wait("idle")
    other, service = driver.start(), driver.start()
    other.use_at_once([described(tiny_model)])  # answers, and is not for search
    service.use_at_once([encoder])
    assert (other.pid, service.pid > 0) == (0, True)
    pid = service.pid
    assert driver.meaning("賃金") is not None
    assert service.pid == pid


def test_a_command_reads_the_model_only_when_a_text_is_to_be_compared(driver, library, encoder, tmp_path):
    service, found = driver.start(), []
    damaged = dataclasses.replace(encoder, path=str(tmp_path / "encoder.gguf"))
    Path(damaged.path).write_bytes(b"damaged")
    service.use_at_once([damaged])
    assert service.is_on
    service.compare("賃金", (), found.append)
    assert (found, service.is_on, service.pid) == ([None], False, 0)
    service.use_at_once([damaged])
    service.look()
    assert service.standing.phase == "failed"


def test_the_same_models_again_change_nothing_and_only_what_is_new_or_changed_is_embedded(driver, library, encoder):
    service = driver.start(encoder)
    driver.wait("idle")
    pid = service.pid
    service.use([encoder])
    service.use([dataclasses.replace(encoder, speeds={})])
    driver.qtbot.wait(300)
    assert (service.standing, service.pid) == (EmbeddingStatus("idle", 41, 41), pid)
    put(library, PAY, "新しい節。", *OTHERS[1:], collection="規程")
    put(library, "別の文書。", collection="規程", name="別.md")
    service.look()
    driver.qtbot.waitUntil(lambda: service.standing == EmbeddingStatus("idle", 42, 42), timeout=60_000)
    assert driver.vectors(encoder).count() == 43
    service.use([])
    assert driver.wait("off").total == 0
    assert service.pid == 0


def test_another_model_makes_all_vectors_anew_and_the_old_ones_go(driver, library, encoder, tmp_path):
    service = driver.start(encoder)
    driver.wait("idle")
    newer = described(tiny_bert(tmp_path / "newer.gguf", seed=5), at=2.0)
    service.use([encoder, newer])
    driver.qtbot.waitUntil(lambda: driver.vectors(newer).count() == 41, timeout=60_000)
    driver.wait("idle")
    folder = semantic_index.vectors_folder(driver.where.documents)
    driver.qtbot.waitUntil(lambda: len(list(folder.iterdir())) == 1)
    assert driver.vectors(encoder).count() == 0


def test_it_rests_while_an_answer_is_written(driver, library, encoder, monkeypatch):
    monkeypatch.setattr(embedding, "BATCH_MOST", 1)
    service = driver.start(encoder)
    driver.qtbot.waitUntil(lambda: service.standing.done >= 3, timeout=60_000)
    service.set_paused(True)
    driver.qtbot.waitUntil(lambda: not service._is_working)  # what had begun is finished
    paused = driver.wait("paused")
    assert driver.meaning("賃金") is not None  # questions go on
    assert 3 <= paused.done < 41
    driver.qtbot.wait(300)
    assert service.standing == paused
    service.set_paused(False)
    assert driver.wait("idle").done == 41


def test_the_collection_that_is_asked_comes_first(driver, library, encoder, monkeypatch):
    monkeypatch.setattr(embedding, "BATCH_MOST", 1)
    put(library, *(f"新しい文書の{number}。" for number in range(20)), collection="別", name="b.md")
    service = driver.start(encoder)
    driver.qtbot.waitUntil(lambda: service.standing.done >= 2, timeout=60_000)
    service.set_paused(True)
    driver.wait("paused")
    assert {section_id for section_id, _ in driver.vectors(encoder).stored_keys()} <= set(range(42, 62))
    found: list[SemanticQuery | None] = []
    service.find_meaning("賃金", found.append, [1])
    service.set_paused(False)
    driver.qtbot.waitUntil(lambda: service.standing.done >= 41, timeout=60_000)
    assert driver.wait("idle").done == 61
    rows = list(driver.vectors(encoder)._rows()["section"])
    older = [at for at, section_id in enumerate(rows) if section_id <= 41]
    assert older == list(range(older[0], older[0] + 41))
    assert older[0] < 20


def test_where_memory_is_short_it_is_said_and_searching_goes_on(driver, library, encoder, monkeypatch):
    monkeypatch.setattr(memory_estimate, "available_memory_bytes", lambda: 1000)
    service = driver.start(encoder)
    standing = driver.wait("failed")
    assert (standing.error.code, standing.done, standing.total, service.pid) == ("memory_short", 0, 41, 0)
    assert driver.meaning("賃金") is None
    monkeypatch.undo()
    service.look()
    assert driver.wait("idle").done == 41


def test_a_damaged_model_is_said(driver, library, encoder, tmp_path):
    path = tmp_path / "damaged.gguf"
    path.write_bytes(Path(encoder.path).read_bytes()[:1000])
    driver.start(dataclasses.replace(encoder, path=str(path)))
    assert driver.wait("failed").error is not None


def test_a_killed_child_is_started_again_and_no_section_is_lost(driver, library, encoder, monkeypatch):
    monkeypatch.setattr(embedding, "BATCH_MOST", 1)
    service = driver.start(encoder)
    for kill_at in (2, 12):
        driver.qtbot.waitUntil(
            lambda kill_at=kill_at: service.standing.done >= kill_at and service.pid > 0, timeout=60_000
        )
        psutil.Process(service.pid).kill()
        driver.qtbot.wait(50)
    assert driver.wait("idle").done == 41
    assert (
        len(driver.vectors(encoder).stored_keys()) == 41
    )  # a section whose row came as its child was killed may have two
    assert driver.meaning("賃金") is not None


def test_a_batch_that_is_stored_while_the_child_dies_ends_no_other(driver, library, encoder, monkeypatch):
    monkeypatch.setattr(embedding, "BATCH_MOST", 1)
    stored, deaths, goes_on, add = [], [], threading.Event(), embedding._add

    def slow_at_first(*batch):
        stored.append(batch)
        if len(stored) == 1:
            goes_on.wait(60)
        add(*batch)

    monkeypatch.setattr(embedding, "_add", slow_at_first)
    service = driver.start(encoder)
    service._engine.failed.connect(deaths.append)
    driver.qtbot.waitUntil(lambda: bool(stored))
    psutil.Process(service.pid).kill()
    driver.qtbot.waitUntil(lambda: bool(deaths))
    driver.qtbot.wait(200)  # longer than the pause before another try
    goes_on.set()
    assert driver.wait("idle").done == 41
    assert len(stored) == 41
    assert driver.vectors(encoder).count() == 41


def test_a_batch_that_ends_the_child_each_time_is_given_up(driver, library, encoder):
    service = driver.start(encoder)
    end = time.monotonic() + 120
    while service.standing.phase != "failed":
        assert time.monotonic() < end
        if service.pid:
            psutil.Process(service.pid).kill()
        driver.qtbot.wait(5)
    assert service.standing.error.code == "engine_died"


def test_another_process_that_embeds_is_waited_for(driver, library, encoder):
    other = QLockFile(str(driver.where.documents.with_suffix(".embedding.lock")))
    assert other.tryLock(0)
    driver.start(encoder)
    assert driver.wait("elsewhere").done == 0
    other.unlock()
    assert driver.wait("idle").done == 41


HOST = """
import sys
from pathlib import Path
from PySide6.QtCore import QCoreApplication, QTimer
from app.base import programs as children
from app.base import paths
from app.models import local_models
from app.documents.services import embedding
embedding.BATCH_MOST = 2
application = QCoreApplication([])
where = paths.locate(sys.argv[1])
children.prepare_child_environment()
service = embedding.Embedding([*children.own_program(), "--engine", "llama"], where.logs, where.documents)
service.status_changed.connect(lambda standing: print(standing.phase, standing.done, flush=True))
service.use([local_models.describe(Path(sys.argv[2]))])
application.exec()
"""


def test_a_killed_host_goes_on_where_it_stood(driver, library, encoder):
    before = 0
    for more in (3, 9):
        command = [sys.executable, "-c", HOST, str(driver.where.data), encoder.path]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path.cwd()) as host:
            assert host.stdout is not None
            done = 0
            while done < before + more:
                _phase, number = host.stdout.readline().split()
                done = int(number)
            host.send_signal(signal.SIGKILL)
        before = driver.vectors(encoder).count()
        assert before >= done
    assert before < 41
    driver.start(encoder)
    assert driver.wait("idle").done == 41
    assert driver.vectors(encoder).count() == 41


@pytest.fixture
def grounded(scene: Scene, library: Library, driver: EmbeddingDriver, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """A session that asks the collection, with a service that finds by meaning."""
    monkeypatch.setattr(excerpts, "PARAMETERS_MIN", 0)
    scene.session._embedding = driver.start()
    assert scene.session.ask_of((CollectionRef(1, "規程"),))
    return scene


def test_an_answer_rests_on_what_is_near_in_meaning_and_does_not_wait_for_what_is_late(grounded, driver, encoder):
    before = grounded.ask("賃金は？").details.grounding
    assert (before.by_meaning, before.verdict, before.sources) == ("", "not_in_documents", ())
    (service,) = driver.services
    service.use([encoder])
    driver.wait("idle")
    kept = grounded.ask("賃金は？").details.grounding
    assert kept.by_meaning == "used"
    assert PAY in kept.sources[0].text
    service.question_limit_s = 0.0
    psutil.Process(service.pid).suspend()
    kept = grounded.ask("給与は月末に払いますか").details.grounding
    psutil.Process(service.pid).resume()
    assert kept.by_meaning == "missed"
    assert PAY in kept.sources[0].text


def test_passages_without_vectors_are_compared_in_meaning_before_they_are_refused(grounded, driver, encoder):
    asked = "月末の賃金は？"
    assert grounded.ask(asked).details.grounding.verdict == "not_in_documents"
    (service,) = driver.services
    service.use_at_once([encoder])
    assert grounded.ask(asked).details.grounding.verdict == "not_in_documents"  # no card says what a cosine means
    assert service._model is not None
    service._model = dataclasses.replace(service._model, neutral_cosine=0.3)
    kept = grounded.ask(asked).details.grounding
    assert (kept.verdict, PAY in kept.sources[0].text) == ("answered", True)
    assert grounded.ask("月末の天気は？").details.grounding.verdict != "answered"
    assert not service.has_vectors


def test_vectors_that_cannot_be_read_leave_the_words(grounded, driver, encoder):
    driver.services[0].use([encoder])
    driver.wait("idle")
    (path,) = semantic_index.vectors_folder(grounded.where.documents).glob("*.vectors")
    content = path.read_bytes()
    path.unlink()
    path.mkdir()
    (path / "full").write_bytes(content)
    kept = grounded.ask("給与は月末に払いますか").details.grounding
    assert kept.by_meaning == "missed"
    assert PAY in kept.sources[0].text


def test_an_answer_says_that_it_was_searched_by_words_alone_if_the_file_of_the_model_is_gone(grounded, driver, encoder):
    driver.services[0].use([dataclasses.replace(encoder, path=f"{encoder.path}.gone")])
    driver.wait("failed")
    assert grounded.ask("給与は月末に払いますか").details.grounding.by_meaning == "missed"


def test_a_window_searches_by_meaning_once_a_model_is_added(scene, library, driver, encoder):
    service = driver.start()
    documents = DocumentLibrary(scene.where.documents, programs.reader_command(scene.where.documents), scene.where.logs)
    service.follow(documents, scene.library, scene.engine, scene.preferences)
    with driver.qtbot.waitSignal(documents.opened):
        documents.open()
    driver.qtbot.wait(200)
    assert service.standing.phase == "off"
    scene.library.add(encoder)
    assert driver.wait("idle").total == 41
    scene.engine.status_changed.emit(EngineStatus("answering"))
    documents.add(1, [written(scene.where.data, "後から.md", "# 章\n\n後から加えた文書。\n")])
    assert driver.wait("paused").total == 42
    scene.engine.status_changed.emit(EngineStatus("ready"))
    assert driver.wait("idle") == EmbeddingStatus("idle", 42, 42)
    scene.library.remove(encoder.id)
    driver.wait("off")
    documents.close()
