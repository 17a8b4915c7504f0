"""Vectors made in the background by a real engine child with a real, tiny encoder, whatever is killed meanwhile."""

import dataclasses
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from PySide6.QtCore import QLockFile
from pytestqt.qtbot import QtBot

from app.base import programs
from app.base.paths import Paths
from app.documents.grounding.grounding_record import CollectionRef
from app.documents.library import Library
from app.documents.records import DocumentSection
from app.documents.retrieval import excerpts, passage_search, semantic_index
from app.documents.retrieval.semantic_index import SemanticQuery
from app.documents.services import embedding
from app.documents.services.document_library import DocumentLibrary
from app.documents.services.embedding import Embedding, EmbeddingStatus
from app.inference import memory_estimate
from app.inference.local_model import LocalModel
from app.inference.services.events import EngineStatus
from app.models import local_models
from tests.embedding_model import tiny_bert
from tests.scene import Scene

ALIKE = {"賃": "給", "金": "与"}  # 賃金 means 給与
PAY = "給与は月末に払う。"


@pytest.fixture
def library(where: Paths) -> Iterator[Library]:
    library = Library.open(where.documents)
    library.add_collection("規程")
    put(library, where.data / "規程.md", PAY, *(f"番号{number}の雑則。" for number in range(40)))
    yield library
    library.close()


def put(library: Library, path: Path, *texts: str) -> None:
    found = [one.id for one in library.documents(1) if one.path == str(path)] or library.add_documents(1, [path])
    document = library.document(found[0])
    assert document is not None
    library.put(dataclasses.replace(document, state="done"), [DocumentSection(("章",), text) for text in texts])


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> LocalModel:
    return described(tiny_bert(tmp_path_factory.mktemp("models") / "encoder.gguf", ALIKE))


def described(path: Path, at: float = 1.0) -> LocalModel:
    return dataclasses.replace(local_models.describe(path), added_at=at)


@pytest.fixture
def make(where: Paths) -> Iterator[Callable[[], Embedding]]:
    made: list[Embedding] = []

    def make() -> Embedding:
        made.append(Embedding([*programs.own_program(), "--engine", "llama"], where.logs, where.documents))
        return made[-1]

    yield make
    for one in made:
        one.close()


def wait(qtbot: QtBot, service: Embedding, phase: str) -> EmbeddingStatus:
    qtbot.waitUntil(lambda: service.standing.phase == phase, timeout=30_000)
    return service.standing


def meaning(qtbot: QtBot, service: Embedding, question: str) -> SemanticQuery | None:
    found: list[SemanticQuery | None] = []
    service.find_meaning(question, found.append)
    qtbot.waitUntil(lambda: bool(found), timeout=20_000)
    return found[0]


def rows(where: Paths, model: LocalModel) -> int:
    chosen = semantic_index.choose_model([model], where.documents)
    assert chosen is not None
    return chosen.vectors.count()


def sections(where: Paths, model: LocalModel) -> int:
    chosen = semantic_index.choose_model([model], where.documents)
    assert chosen is not None
    return len(chosen.vectors.known())


def test_without_an_embedding_model_nothing_is_started_or_written(
    make: Callable[[], Embedding], library: Library, where: Paths, tiny_model: Path, qtbot: QtBot
) -> None:
    service = make()
    service.use([described(tiny_model)])
    qtbot.wait(300)
    service.prepare()
    service.look()
    assert (service.standing, service.is_on, service.pid) == (EmbeddingStatus(), False, 0)
    assert meaning(qtbot, service, "賃金") is None
    assert not semantic_index.vectors_folder(where.documents).exists()


def test_sections_get_vectors_and_a_question_finds_them_by_its_meaning(
    make: Callable[[], Embedding], library: Library, where: Paths, encoder: LocalModel, qtbot: QtBot
) -> None:
    service, said = make(), []
    service.status_changed.connect(said.append)
    service.use([encoder])
    assert wait(qtbot, service, "idle") == EmbeddingStatus("idle", 41, 41)
    done = [one.done for one in said if one.phase == "working"]
    assert done == sorted(done)
    assert len(set(done)) > 3
    assert rows(where, encoder) == 41
    assert psutil.Process(service.pid).nice() == (10 if psutil.POSIX else psutil.BELOW_NORMAL_PRIORITY_CLASS)
    assert passage_search.search(library, "賃金", [1]) == []
    found = passage_search.search(library, "賃金", [1], meaning=meaning(qtbot, service, "賃金"))
    assert found[0].section_id == 1
    assert PAY in found[0].section.text


def test_the_same_models_again_change_nothing(
    make: Callable[[], Embedding], library: Library, encoder: LocalModel, qtbot: QtBot
) -> None:
    service = make()
    service.use([encoder])
    wait(qtbot, service, "idle")
    pid = service.pid
    service.use([encoder])
    service.use([dataclasses.replace(encoder, speeds={})])
    qtbot.wait(300)
    assert (service.standing, service.pid) == (EmbeddingStatus("idle", 41, 41), pid)
    service.use([])
    assert wait(qtbot, service, "off").total == 0
    assert service.pid == 0


def test_only_what_is_new_or_changed_is_embedded(
    make: Callable[[], Embedding], library: Library, where: Paths, encoder: LocalModel, qtbot: QtBot
) -> None:
    service = make()
    service.use([encoder])
    wait(qtbot, service, "idle")
    put(library, where.data / "規程.md", PAY, "新しい節。", *(f"番号{number}の雑則。" for number in range(1, 40)))
    put(library, where.data / "別.md", "別の文書。")
    service.look()
    qtbot.waitUntil(lambda: service.standing == EmbeddingStatus("idle", 42, 42), timeout=30_000)
    assert rows(where, encoder) == 43


def test_another_model_makes_all_vectors_anew_and_the_old_ones_go(
    make: Callable[[], Embedding], library: Library, where: Paths, encoder: LocalModel, tmp_path: Path, qtbot: QtBot
) -> None:
    service = make()
    service.use([encoder])
    wait(qtbot, service, "idle")
    newer = described(tiny_bert(tmp_path / "newer.gguf", seed=5), at=2.0)
    service.use([encoder, newer])
    qtbot.waitUntil(lambda: rows(where, newer) == 41, timeout=30_000)
    wait(qtbot, service, "idle")
    folder = semantic_index.vectors_folder(where.documents)
    qtbot.waitUntil(lambda: len(list(folder.iterdir())) == 1, timeout=10_000)
    assert rows(where, encoder) == 0


def test_it_rests_while_an_answer_is_written(
    make: Callable[[], Embedding],
    library: Library,
    encoder: LocalModel,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(embedding, "BATCH_MOST", 1)
    service = make()
    service.use([encoder])
    qtbot.waitUntil(lambda: service.standing.done >= 3, timeout=30_000)
    service.set_paused(True)
    qtbot.wait(300)
    paused = wait(qtbot, service, "paused")
    assert 3 <= paused.done < 41
    assert meaning(qtbot, service, "賃金") is not None  # questions go on
    qtbot.wait(300)
    assert service.standing == paused
    service.set_paused(False)
    assert wait(qtbot, service, "idle").done == 41


def test_a_late_vector_is_not_waited_for(
    make: Callable[[], Embedding],
    library: Library,
    encoder: LocalModel,
    qtbot: QtBot,
) -> None:
    service = make()
    service.use([encoder])
    wait(qtbot, service, "idle")
    service.question_limit_s = 0.0
    psutil.Process(service.pid).suspend()
    assert meaning(qtbot, service, "賃金") is None
    psutil.Process(service.pid).resume()


def test_where_memory_is_short_it_is_said_and_searching_goes_on(
    make: Callable[[], Embedding],
    library: Library,
    encoder: LocalModel,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    service = make()
    service._retry_timer.setInterval(10)
    monkeypatch.setattr(memory_estimate, "available_memory_bytes", lambda: 1000)
    service.use([encoder])
    standing = wait(qtbot, service, "failed")
    assert standing.error is not None
    assert (standing.error.code, standing.done, standing.total, service.pid) == ("memory_short", 0, 41, 0)
    assert meaning(qtbot, service, "賃金") is None
    monkeypatch.undo()
    service.look()
    assert wait(qtbot, service, "idle").done == 41


def test_a_damaged_model_is_said(
    make: Callable[[], Embedding], library: Library, encoder: LocalModel, tmp_path: Path, qtbot: QtBot
) -> None:
    path = tmp_path / "damaged.gguf"
    path.write_bytes(Path(encoder.path).read_bytes()[:1000])
    service = make()
    service.use([dataclasses.replace(encoder, path=str(path))])
    assert wait(qtbot, service, "failed").error is not None


def test_a_killed_child_is_started_again_and_no_section_is_lost(
    make: Callable[[], Embedding],
    library: Library,
    where: Paths,
    encoder: LocalModel,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(embedding, "BATCH_MOST", 1)
    service = make()
    service._retry_timer.setInterval(10)
    service.use([encoder])
    for kill_at in (2, 12):
        qtbot.waitUntil(lambda kill_at=kill_at: service.standing.done >= kill_at and service.pid > 0, timeout=30_000)
        psutil.Process(service.pid).kill()
        qtbot.wait(50)
    assert wait(qtbot, service, "idle").done == 41
    assert sections(where, encoder) == 41  # a section whose row came as its child was killed may have two
    assert meaning(qtbot, service, "賃金") is not None


def test_a_batch_that_ends_the_child_each_time_is_given_up(
    make: Callable[[], Embedding], library: Library, encoder: LocalModel, qtbot: QtBot
) -> None:
    service = make()
    service._retry_timer.setInterval(10)
    service.use([encoder])
    end = time.monotonic() + 30
    while service.standing.phase != "failed":
        assert time.monotonic() < end
        if service.pid:
            psutil.Process(service.pid).kill()
        qtbot.wait(5)
    assert service.standing.error is not None
    assert service.standing.error.code == "engine_died"


def test_another_process_that_embeds_is_waited_for(
    make: Callable[[], Embedding], library: Library, where: Paths, encoder: LocalModel, qtbot: QtBot
) -> None:
    other = QLockFile(str(where.documents.with_suffix(".embedding.lock")))
    assert other.tryLock(0)
    service = make()
    service._retry_timer.setInterval(10)
    service.use([encoder])
    assert wait(qtbot, service, "elsewhere").done == 0
    other.unlock()
    assert wait(qtbot, service, "idle").done == 41


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


def test_a_killed_host_goes_on_where_it_stood(
    make: Callable[[], Embedding], library: Library, where: Paths, encoder: LocalModel, qtbot: QtBot
) -> None:
    before = 0
    for more in (3, 5, 9):
        command = [sys.executable, "-c", HOST, str(where.data), encoder.path]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path.cwd()) as host:
            assert host.stdout is not None
            done = 0
            while done < before + more:
                _phase, number = host.stdout.readline().split()
                done = int(number)
            host.send_signal(signal.SIGKILL)
        before = rows(where, encoder)
        assert before >= done
    assert before < 41
    service = make()
    service.use([encoder])
    assert wait(qtbot, service, "idle").done == 41
    assert rows(where, encoder) == 41


@pytest.fixture
def grounded(scene: Scene, library: Library, make: Callable[[], Embedding], monkeypatch: pytest.MonkeyPatch) -> Scene:
    """A session that asks the collection, with a service that finds by meaning."""
    monkeypatch.setattr(excerpts, "PARAMETERS_MIN", 0)
    scene.session._embedding = make()
    assert scene.session.ask_of((CollectionRef(1, "規程"),))
    return scene


def service_of(scene: Scene) -> Embedding:
    service = scene.session._embedding
    assert service is not None
    return service


def test_an_answer_rests_on_what_is_near_in_meaning_and_says_so(grounded: Scene, encoder: LocalModel) -> None:
    before = grounded.ask("賃金は？").details.grounding
    assert (before.by_meaning, before.verdict, before.sources) == ("", "not_in_documents", ())
    service_of(grounded).use([encoder])
    wait(grounded.qtbot, service_of(grounded), "idle")
    kept = grounded.ask("賃金は？").details.grounding
    assert kept.by_meaning == "used"
    assert PAY in kept.sources[0].text


def test_an_answer_does_not_wait_for_what_is_late_and_says_so(grounded: Scene, encoder: LocalModel) -> None:
    service = service_of(grounded)
    service.use([encoder])
    wait(grounded.qtbot, service, "idle")
    service.question_limit_s = 0.0
    psutil.Process(service.pid).suspend()
    kept = grounded.ask("給与は月末に払いますか").details.grounding
    psutil.Process(service.pid).resume()
    assert kept.by_meaning == "missed"
    assert PAY in kept.sources[0].text


def test_vectors_that_cannot_be_read_leave_the_words(grounded: Scene, encoder: LocalModel) -> None:
    service = service_of(grounded)
    service.use([encoder])
    wait(grounded.qtbot, service, "idle")
    (path,) = semantic_index.vectors_folder(grounded.where.documents).glob("*.vectors")
    content = path.read_bytes()
    path.unlink()
    path.mkdir()
    (path / "full").write_bytes(content)
    kept = grounded.ask("給与は月末に払いますか").details.grounding
    assert kept.by_meaning == "missed"
    assert PAY in kept.sources[0].text


def test_a_window_searches_by_meaning_once_a_model_is_added(
    scene: Scene, library: Library, make: Callable[[], Embedding], encoder: LocalModel, qtbot: QtBot
) -> None:
    service = make()
    documents = DocumentLibrary(scene.where.documents, programs.reader_command(scene.where.documents), scene.where.logs)
    service.follow(documents, scene.library, scene.engine)
    documents.open()
    qtbot.waitUntil(lambda: documents.is_open, timeout=10_000)
    qtbot.wait(200)
    assert service.standing.phase == "off"
    scene.library.add(encoder)
    assert wait(qtbot, service, "idle").total == 41
    scene.engine.status_changed.emit(EngineStatus("answering"))
    file = scene.where.data / "後から.md"
    file.write_text("# 章\n\n後から加えた文書。\n", "utf-8")
    documents.add(1, [file])
    assert wait(qtbot, service, "paused").total == 42
    scene.engine.status_changed.emit(EngineStatus("ready"))
    assert wait(qtbot, service, "idle") == EmbeddingStatus("idle", 42, 42)
    scene.library.remove(encoder.id)
    wait(qtbot, service, "off")
    documents.close()
