"""Hostile and odd documents through the real reading child and the real queue, each with an innocent one behind it."""

import functools
import os
import re
import socket
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
import pytest
from PySide6.QtCore import QCoreApplication, QTimer
from pytestqt.qtbot import QtBot

from app.base import programs, wording
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.services import background
from app.documents.collection_updates import AddedFiles
from app.documents.library import Library
from app.documents.reading import limits
from app.documents.records import Document, Passage
from app.documents.retrieval import packing
from app.documents.services.document_library import DocumentLibrary
from app.inference import prompts
from app.inference.prompts import Turn
from app.models import catalogue
from tests.faults import hostile_names, hostile_office, hostile_orders, hostile_pdf, hostile_texts
from tests.faults.hostile_documents import DONE, DOUBTFUL, Case
from tests.faults.ledger import Tally

INNOCENT = "桜の名所は川沿いにある。"
TIMEOUT_MS = 280_000
SOURCE = re.compile(r"^[ \t>#*]*[\[［【〔]\s*\d+\s*[\]］】〕]", re.MULTILINE)  # as each source begins
LEAST = {"S7": 20, "S8": 40, "S9": 25, "S11": 50}  # cases of the fault table


needs_limit = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the parent watches the memory")


class Desk:
    """The service as a window has it, with a listener that must hear nothing and folders that must stay empty."""

    def __init__(self, where: Paths, qtbot: QtBot, folder: Path) -> None:
        self.where, self.qtbot, self.folder = where, qtbot, folder
        self.temporary = folder / "tmp"
        self.problems: list[AppError] = []
        self.use(programs.reader_command(where.documents))
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.setblocking(False)
        self.canary = folder / "canary"
        self.peak_bytes = 0
        self.reader: psutil.Process | None = None
        self.watch = QTimer(interval=20)
        self.watch.timeout.connect(self._look)

    def use(self, command: list[str]) -> None:
        """Before anything is read: this reading child."""
        self.documents = DocumentLibrary(self.where.documents, command, self.where.logs)
        self.documents.failed.connect(self.problems.append)

    @property
    def port(self) -> int:
        return int(self.listener.getsockname()[1])

    def _look(self) -> None:
        try:
            if pid := self.documents.queue._reader.pid:
                if self.reader is None or self.reader.pid != pid:
                    self.reader = psutil.Process(pid)
                self.peak_bytes = max(self.peak_bytes, self.reader.memory_info().rss)
        except psutil.Error:
            pass  # it has just ended

    def read(self, paths: Sequence[Path]) -> dict[str, Document]:
        """By path, once nothing waits any more."""
        with self.qtbot.waitSignal(self.documents.opened, timeout=60_000):
            self.documents.open()
        with self.qtbot.waitSignal(self.documents.collection_added, timeout=60_000) as made:
            self.documents.add_collection("奇妙な資料")
        self.watch.start()
        with self.qtbot.waitSignal(self.documents.queue.emptied, timeout=TIMEOUT_MS):
            self.documents.add(made.args[0], paths)
        self.watch.stop()
        return {document.path: document for document in self.documents.documents(made.args[0])}

    @functools.cached_property
    def library(self) -> Library:
        return Library.open_second(self.where.documents)

    def passages(self, document_id: int) -> list[Passage]:
        return self.library.passages([(section_id, 1.0) for section_id, _ in self.library.sections(document_id)])

    def check_nothing_left(self, before: set[Path]) -> None:
        """No packet, no file, no order that was run, and nothing that the reader did not foresee."""
        with pytest.raises(BlockingIOError):
            self.listener.accept()
        assert not self.canary.exists()
        assert list(self.temporary.rglob("*")) == []
        made = {path for path in self.folder.rglob("*") if not path.is_relative_to(self.where.data)} - before
        assert made == set()
        log = (self.where.logs / "documents.log").read_text("utf-8", "replace")
        assert "network refused" not in log
        assert "documents: " not in log, log[-3000:]
        assert 0 < self.peak_bytes <= limits.MEMORY_BYTES
        assert self.problems == []

    def close(self) -> None:
        if "library" in vars(self):
            self.library.close()
        self.documents.close()
        background.shut_down()
        QCoreApplication.processEvents()
        self.documents.deleteLater()
        self.listener.close()


@pytest.fixture
def desk(where: Paths, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    desk = Desk(where, qtbot, tmp_path)
    yield desk
    desk.close()


def end_of(document: Document) -> str:
    return document.error_code if document.state == "failed" else document.state


def check_case(desk: Desk, case: Case, document: Document) -> str:
    """ "" or what is wrong."""
    said = "\n".join(part for one in desk.passages(document.id) for part in (*one.section.heading, one.section.text))
    if end_of(document) not in case.end.split("|"):
        return f"{case.name}: {end_of(document)} {document.error_facts}, not {case.end}"
    missing = [part for part in case.holds if part not in said]
    leaked = [part for part in case.lacks if part in said]
    return f"{case.name}: lacks {missing}, holds {leaked}: {said[:200]}" if missing or leaked else ""


def check_sentence(document: Document) -> None:
    """What the user reads of a failure: what happened and what to do next, in Japanese and without holes."""
    for language in wording.LANGUAGES:
        sentence = wording.describe(document.error_code, document.error_facts, language)
        assert sentence != wording.describe("unexpected", {"detail": ""}, language)
        assert sentence.message
        assert sentence.next
        assert "?" not in str(sentence)
        if language == "ja":
            assert sentence.message.endswith("。")
            assert sentence.next.endswith("。")


def run_all(desk: Desk, cases: Sequence[Case], least: int) -> dict[str, Document]:
    """Reads them with an innocent document behind each, and checks all but what is said of orders to models."""
    assert len({case.name for case in cases}) == len(cases) >= least
    folder = desk.folder / "資料"
    folder.mkdir()
    paths: list[Path] = []
    for number, case in enumerate(cases):
        innocent = folder / f"innocent-{number}.txt"
        innocent.write_text(f"{INNOCENT}{number}\n", "utf-8")
        paths += [case.write(folder), innocent]
    before = set(desk.folder.rglob("*"))
    found = desk.read(paths)
    assert sorted(found) == sorted(map(str, paths))
    wrong = [check_case(desk, case, found[str(folder / case.name)]) for case in cases]
    assert [one for one in wrong if one] == []
    for document in found.values():
        assert document.state in (DONE, DOUBTFUL, "failed")
        if document.state == "failed":
            check_sentence(document)
    innocents = [document for document in found.values() if document.name.startswith("innocent-")]
    assert {document.state for document in innocents} == {DONE}
    assert len(innocents) == len(cases)
    desk.check_nothing_left(before)
    print(f"{len(cases)} documents, {desk.peak_bytes / 1e6:.0f} MB at most")
    return found


@pytest.mark.fault("S7")
def test_orders_in_documents_stay_data(desk: Desk, tally: Tally) -> None:
    cases = hostile_orders.cases(desk.port, desk.canary)
    tally.tried(len(cases))
    found = run_all(desk, cases, LEAST["S7"])
    for case in cases:
        check_prompt(desk.passages(found[str(desk.folder / "資料" / case.name)].id))


def check_prompt(passages: Sequence[Passage]) -> None:
    """The frame around the sources is ours alone, in the prompt of every family of models."""
    system = packing.build_system_text(passages)
    end = packing.build_system_text([]).rpartition("\n")[2]
    assert system.count(end) == 1
    assert system.endswith(end)
    opened = SOURCE.findall(system.partition("\n資料\n")[2])
    assert opened == [f"[{number}]" for number in range(1, len(passages) + 1)]
    for form in catalogue.load().forms.values():
        turns = (Turn("かぶりは？"),)
        segments = prompts.build(form, turns, system)
        bare = prompts.build(form, turns, "資料")
        beginnings = {form.question.partition("{text}")[0].strip(), form.answer_start.strip()}
        assert not [one for one in beginnings if one and one in system and "<" not in one]
        # Control tokens are read in markup only, and that is the same whatever the documents say.
        assert [one.text for one in segments if one.markup] == [one.text for one in bare if one.markup]
        if not form.is_completion:
            assert sum(system in one.text for one in segments if not one.markup) == 1


@pytest.mark.fault("S8")
def test_pdf_files_that_loop_grow_or_are_broken(desk: Desk, tally: Tally) -> None:
    tally.tried(len(run_all(desk, hostile_pdf.cases(), LEAST["S8"])) // 2)  # and an innocent one behind each


@pytest.mark.fault("S9")
def test_archives_that_grow_reach_out_or_are_broken(desk: Desk, tally: Tally) -> None:
    tally.tried(len(run_all(desk, hostile_office.cases(), LEAST["S9"])) // 2)  # and an innocent one behind each


@pytest.mark.fault("S11")
def test_texts_in_odd_encodings_without_end_or_sense(desk: Desk, tally: Tally) -> None:
    tally.tried(len(run_all(desk, hostile_texts.cases(), LEAST["S11"])) // 2)  # and an innocent one behind each


@pytest.mark.skipif(os.name == "nt", reason="most of these names cannot be made there")
@pytest.mark.fault("S10")
def test_odd_names_and_links_of_a_folder(desk: Desk, tally: Tally) -> None:
    folder = desk.folder / "資料"
    left_out = hostile_names.make(folder)
    before = set(desk.folder.rglob("*"))
    added: list[AddedFiles] = []
    desk.documents.added.connect(added.append)
    found = desk.read([folder])
    assert sorted(Path(path).name for path in found) == sorted(str(named.name) for named in hostile_names.TAKEN)
    assert {document.state for document in found.values()} == {DONE}
    (outcome,) = added
    assert outcome.skipped == left_out
    tally.tried(len(found) + sum(left_out.values()))
    for document in found.values():
        (passage,) = desk.passages(document.id)
        assert passage.section.text == hostile_names.WORD
        check_prompt([passage])
        assert Path(document.path).parent == folder
    desk.check_nothing_left(before)


def hasty(desk: Desk, page_s: float, memory_bytes: int) -> list[str]:
    script = Path(__file__).with_name("hasty_reader.py")
    return [sys.executable, str(script), str(desk.where.documents), str(page_s), str(memory_bytes)]


@pytest.mark.fault("S8")
def test_a_page_that_takes_too_long_is_left_and_the_next_document_read(desk: Desk) -> None:
    """In native code that hears nothing: the child ends itself, says why, and another goes on."""
    desk.use(hasty(desk, 1.0, limits.MEMORY_BYTES))
    run_all(desk, [Case("laughs.pdf", "document_page_n_slow", hostile_pdf.laughing(9))], 1)


@needs_limit
@pytest.mark.fault("S9")
def test_what_takes_all_memory_is_left_and_the_next_document_read(desk: Desk) -> None:
    desk.use(hasty(desk, limits.PAGE_S, 500_000_000))
    cases = [
        Case("elements.docx", "document_out_of_memory", hostile_office.many_elements()),
        Case("bold.html", "document_out_of_memory", hostile_texts.reopened_elements()),
        Case("corners.xlsb", "document_out_of_memory", hostile_office.two_corners()),
    ]
    run_all(desk, cases, 3)


@pytest.mark.slow
@needs_limit
@pytest.mark.fault("S8")
def test_native_code_that_takes_all_memory_is_left_and_the_next_document_read(desk: Desk) -> None:
    """It may end the child, which is tried once more, or keep what it has taken."""
    desk.use(hasty(desk, limits.PAGE_S, 500_000_000))
    run_all(desk, [Case("laughs.pdf", "document_crashed|document_out_of_memory", hostile_pdf.laughing(9))], 1)


@pytest.mark.slow
@pytest.mark.fault("S11")
def test_a_table_of_200000_rows_is_read(desk: Desk) -> None:
    rows = "名称,数量\n" + "".join(f"堰堤{number},{number}\n" for number in range(200_000))
    run_all(desk, [Case("rows.csv", DONE, rows.encode(), ("堰堤199999",))], 1)
