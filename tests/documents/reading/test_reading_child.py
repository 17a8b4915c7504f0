"""The reading child: what it says, what it leaves in the database, and how it ends."""

import math
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from app.base import wording
from app.base.isolation import sandbox
from app.documents.reading import indexing, limits
from app.documents.reading.limits import PageTimeout
from app.documents.reading.messages import Failed, Index, Indexed, Progress
from app.documents.retrieval import passage_search
from tests.documents.driver import written
from tests.documents.reading.pdf_maker import Pdf, picture, text
from tests.documents.reading.reading_child import ReadingChild

MARKDOWN = "# 第1章 総則\n\n本章は砂防堰堤に適用する。\n\n## 1.1 適用範囲\n\n堤高十五メートル未満とする。\n"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReadingChild]:
    with ReadingChild(tmp_path_factory.mktemp("reader")) as child:
        yield child


@pytest.fixture
def child(running: ReadingChild, tmp_path: Path) -> ReadingChild:
    """One that has read for other tests before, with a collection of its own; not to be ended."""
    running.begin_collection(tmp_path.name)
    return running


@pytest.fixture
def own_child(tmp_path: Path) -> Iterator[ReadingChild]:
    with ReadingChild(tmp_path) as child:
        yield child


def test_a_document_becomes_sections_that_are_found(child, tmp_path):
    document_id = child.add(written(tmp_path, "基準.md", MARKDOWN))
    events = child.index(document_id)
    assert events[-1] == Indexed("1", 2)
    assert all(isinstance(event, Progress) for event in events[:-1])
    document = child.document(document_id)
    assert document.state == "done"
    assert document.report.headings == 2
    assert document.report.encoding == "utf-8"
    assert len(document.sha256) == 64
    found = passage_search.search(child.library, "適用範囲の堤高", [child.collection])
    assert found[0].section.heading == ("第1章 総則", "1.1 適用範囲")


def test_a_changed_file_is_read_again(child, tmp_path):
    document_id = child.add(written(tmp_path, "a.md", MARKDOWN))
    child.index(document_id)
    written(tmp_path, "a.md", MARKDOWN + "\n# 第2章 設計\n\n設計の章である。\n")
    assert child.index(document_id)[-1] == Indexed("2", 3)
    assert [section.heading[0] for section in child.sections(document_id)] == ["第1章 総則"] * 2 + ["第2章 設計"]


BINARY = bytes(range(256)) * 20
CUT = "ファイルが壊れているか、途中までしかありません。"
UNREADABLE = [  # with what is said of it first
    ("要領.docx", BINARY, "document_damaged", CUT),
    ("単価.XLSX", BINARY, "document_damaged", CUT),
    ("図面.pdf", BINARY, "document_damaged", CUT),
    ("動画.mp4", BINARY, "document_unknown_format", ""),
    ("記録.txt", BINARY, "document_not_text", ""),
    ("半分.xlsx", b"PK\3\4" + BINARY[:256], "document_damaged", CUT),
    ("半分.docx", b"PK\3\4" + BINARY[:256], "document_damaged", CUT),
    ("半分.pdf", b"%PDF-1.7\n", "document_damaged", CUT),
    ("長い.txt", "あ" * 20_000_001, "document_too_long", "文字が多すぎます（上限 20,000,000 文字）。"),
    ("広い.csv", "甲," * 1500, "document_wide_table", "1 行のセルが多すぎます（上限 1,000 セル）。"),
]


def test_of_what_cannot_be_read_it_is_said_what_it_should_be_or_which_limit_it_breaks(child, tmp_path):
    for name, content, code, said in UNREADABLE:
        failed = child.index(child.add(written(tmp_path, name, content)))[-1]
        assert isinstance(failed, Failed), name
        assert failed.code == code
        assert str(wording.describe(failed.code, failed.facts)).startswith(said)


def test_a_text_with_the_name_of_a_pdf_is_read_and_noted(child, tmp_path):
    document_id = child.add(written(tmp_path, "偽物.pdf", "堤高は15m未満とする。\n"))
    assert child.index(document_id)[-1] == Indexed("1", 1)
    document = child.document(document_id)
    assert (document.state, document.report.notes) == ("done", ("other_format",))
    own_id = child.add(written(tmp_path, "本物.txt", "堤高は15m未満とする。\n"))
    child.index(own_id)
    assert child.document(own_id).report.notes == ()


def test_what_failed_is_known_by_the_file_that_was_tried(child, tmp_path):
    path = written(tmp_path, "a.md", MARKDOWN)
    document_id = child.add(path)
    child.index(document_id)
    read = child.document(document_id)
    written(tmp_path, "a.md", b"\0\1\2\3" * 300)
    assert isinstance(child.index(document_id)[-1], Failed)
    failed, status = child.document(document_id), path.stat()
    assert (failed.size_bytes, failed.modified_ns) == (read.size_bytes, read.modified_ns)
    assert (failed.tried_size_bytes, failed.tried_modified_ns) == (status.st_size, status.st_mtime_ns)


def test_what_cannot_be_read_is_said_once_and_in_the_row(child, tmp_path):
    path = written(tmp_path, "a.md", MARKDOWN)
    document_id = child.add(path)
    child.index(document_id)
    path.unlink()
    assert child.index(document_id)[-1] == Failed("2", "document_missing", {"path": str(path)})
    document = child.document(document_id)
    assert (document.state, document.error_code) == ("failed", "document_missing")
    assert len(child.sections(document_id)) == 2  # what was read of it earlier stays
    written(tmp_path, "a.md", MARKDOWN)
    child.index(document_id)
    assert child.document(document_id).error_code == ""


def test_a_wished_encoding_is_taken(child, tmp_path):
    document_id = child.add(written(tmp_path, "a.txt", "ｶﾅだけ".encode("cp932")))
    child.library.read_again([document_id], "euc_jp")
    child.index(document_id)
    assert child.document(document_id).report.encoding == "euc_jp"
    child.library.read_again([document_id], "no-such-code")
    ended = child.index(document_id)[-1]
    assert isinstance(ended, Failed)
    assert ended.code == "document_encoding_unknown"


def test_writing_tells_how_far_it_is(child, tmp_path):
    body = "".join(f"# 第{n}章 桜\n\n{'堤体の安定を確かめる。' * 60}\n\n" for n in range(1, 3001))
    events = child.index(child.add(written(tmp_path, "a.md", body)))
    told = [(event.done, event.total) for event in events if isinstance(event, Progress) and event.phase == "indexing"]
    assert any(0 < done < 3000 for done, _ in told)
    assert told == sorted(told)
    assert {total for _, total in told} == {3000}
    assert events[-1] == Indexed("1", 3000)


def test_a_scan_is_doubtful(child, tmp_path):
    made = Pdf()
    made.page(picture())
    made.page(text(60, 700, "二枚目には文字がある。"))
    made.page(picture())
    document_id = child.add(made.write(tmp_path / "scan.pdf"))
    child.index(document_id)
    document = child.document(document_id)
    assert document.state == "doubtful"
    assert document.report.pages_without_text == (1, 3)
    assert document.report.notes == ("pages_without_text",)
    assert document.report.pages == 3


def test_documents_are_removed(child, tmp_path):
    document_id = child.add(written(tmp_path, "a.md", MARKDOWN))
    child.index(document_id)
    child.remove([document_id])
    assert child.library.document(document_id) is None
    assert passage_search.search(child.library, "適用範囲", [child.collection]) == []
    ended = child.index(document_id)[-1]
    assert isinstance(ended, Failed)
    assert ended.code == "document_removed"


def test_what_ended_the_child_again_and_again_is_not_tried_any_more(child, tmp_path):
    path = written(tmp_path, "a.md", MARKDOWN)
    document_id = child.add(path)
    for number in range(1, indexing.ATTEMPTS + 1):
        assert child.library.begin_reading(document_id, path.stat()) == number
    assert child.index(document_id)[-1] == Failed("1", "document_crashed", {})
    child.library.read_again([document_id])
    assert child.index(document_id)[-1] == Indexed("2", 2)


def test_leaving_in_the_middle_is_no_fault_of_the_document(own_child, tmp_path):
    made = Pdf()
    for number in range(80):
        made.page("".join(text(60, 800 - 12 * line, f"{number}ページ{line}行の文章である。") for line in range(60)))
    path = made.write(tmp_path / "long.pdf")
    document_id = own_child.add(path)
    for _ in range(2):  # the window closes meanwhile
        own_child.send(Index("x", document_id))
        assert isinstance(own_child.read(), Progress)
        own_child.restart()
        assert own_child.document(document_id).state == "waiting"
    assert own_child.library.begin_reading(document_id, path.stat()) == 1  # neither counts


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal here")
def test_a_kill_leaves_the_old_sections_or_the_new(own_child, tmp_path):
    path = written(tmp_path, "a.md", "".join(f"# 第{n}章 桜\n\n本文{n}。\n\n" for n in range(1, 200)))
    document_id = own_child.add(path)
    own_child.index(document_id)
    written(tmp_path, "a.md", "".join(f"# 第{n}章 梅\n\n本文{n}。\n\n" for n in range(1, 300)))
    own_child.send(Index("x", document_id))
    own_child.process.kill()
    own_child.restart()
    titles = {section.heading[0][-1] for section in own_child.sections(document_id)}
    assert titles in ({"桜"}, {"梅"})
    own_child.index(document_id)
    assert len(own_child.sections(document_id)) == 299
    assert len(passage_search.search(own_child.library, "桜", [own_child.collection])) == 0


def test_the_child_has_its_limits(child):
    process = psutil.Process(child.process.pid)
    assert process.nice() == min(19, psutil.Process().nice() + sandbox.NICE)
    if hasattr(process, "rlimit"):
        assert process.rlimit(psutil.RLIMIT_AS) == (limits.MEMORY_BYTES, limits.MEMORY_BYTES)


def test_garbage_on_the_wire_ends_the_child(own_child):
    own_child.process.stdin.write(b'{"type": "Nothing"}\n')
    own_child.process.stdin.flush()
    assert own_child.process.wait(60) == 2


def lateness(monkeypatch: pytest.MonkeyPatch, *looks: float | None) -> list[str]:
    """What a watch says of pages that may compute for 5 s and a document that may for 8 s.

    `looks`: seconds that the process has computed before each; None: a page is done.
    """
    left, used, said = list(looks), [0.0], []

    def sleep(_seconds: float) -> None:
        if left[:1] == [None]:
            watch.beat()
            left.pop(0)
        if not left:
            raise StopIteration
        used[0] += left.pop(0) or 0.0

    def late(code: str) -> None:
        said.append(code)
        watch.end()

    monkeypatch.setattr(limits, "time", SimpleNamespace(process_time=lambda: used[0], sleep=sleep))
    monkeypatch.setattr(limits, "STUCK_S", 20.0)
    watch = PageTimeout(late, 5.0, 8.0)
    watch.begin()
    with pytest.raises(StopIteration):
        watch._check()
    return said


def test_the_watch_counts_what_a_page_computes_and_not_its_wait_for_the_processor(monkeypatch):
    assert lateness(monkeypatch, 1.0, 3.0, 0.5) == []
    assert lateness(monkeypatch, 1.0, 3.0, 1.5) == ["document_page_slow"]
    assert lateness(monkeypatch, 1.0, 3.0, None, 1.5) == []
    assert lateness(monkeypatch, 3.0, None, 3.0, None, 3.0) == ["document_slow"]
    assert lateness(monkeypatch, *[0.01] * 20) == []  # a machine that gives it a hundredth of a core
    assert lateness(monkeypatch, *[0.01] * 21) == ["document_stuck"]
    assert lateness(monkeypatch, *[0.01] * 15, None, *[0.01] * 15) == []


def test_a_program_is_overdue_for_what_it_computes_or_when_it_is_stuck():
    pid, now = os.getpid(), time.monotonic()
    assert not limits.is_overdue(pid, now, math.inf)
    assert limits.is_overdue(pid, now, 0.0)
    assert limits.is_overdue(pid, now - limits.STUCK_S - 1.0, math.inf)
