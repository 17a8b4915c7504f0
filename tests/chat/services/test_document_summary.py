"""A summary by a model, with the fake engine as a real child, which repeats what it is asked."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.base.errors import AppError
from app.base.settings import Settings
from app.chat.services.document_summary import SummaryJob, SummaryRun
from app.documents.library import Library
from app.documents.overview.result_table import ResultTable
from app.documents.records import Section
from app.inference import reply_journal
from app.inference.local_model import LocalModel
from tests.scene import Scene

CLAUSES = [
    (f"{at} 装置{at}", f"装置{at}の点検は{at + 10}日ごとに行い、台帳に記録しなければならない。") for at in range(40)
]
Begin = Callable[..., SummaryRun]


@pytest.fixture
def documents(scene: Scene, tmp_path: Path) -> Path:
    path = tmp_path / "documents.sqlite"
    library = Library.open(path)
    (document_id,) = library.add_documents(library.add_collection("基準"), [Path("/基準.md")])
    document = library.document(document_id)
    assert document is not None
    library.put(
        replace(document, state="done", sha256="5" * 64),
        [Section((heading,), text) for heading, text in CLAUSES],
    )
    library.close()
    return path


@pytest.fixture
def begin(scene: Scene, documents: Path, model: LocalModel) -> Begin:
    def begin(**changes: Any) -> SummaryRun:
        job = SummaryJob(documents, 1, changes.pop("model", model), Settings(), **changes)
        return SummaryRun(scene.engine, job, scene.engine)

    return begin


def ended(scene: Scene, signal: Any, act: Callable[[], None]) -> Any:
    with scene.qtbot.waitSignal(signal, timeout=60_000) as caught:
        act()
    return caught.args[0] if caught.args else None


def journal(documents: Path) -> Path:
    (file,) = (one for one in documents.with_name("documents-summaries").iterdir() if one.suffix == ".jsonl")
    return file


def test_every_section_is_read_and_every_sentence_checked_and_cited(scene: Scene, begin: Begin) -> None:
    run = begin()
    table: ResultTable = ended(scene, run.finished, run.start)
    parts = [row for row in table.rows if row.group == "part"]
    assert table.coverage == (40, 40)
    found = [
        (re.findall(r"装置(\d+)の", str(row.cells[1])), str(row.cells[2]))
        for row in parts
        if "台帳" in str(row.cells[1])
    ]
    assert len(found) > 5
    assert all(clause == f"{numbers[0]} 装置{numbers[0]}" for numbers, clause in found)
    assert any(row.group == "whole" for row in table.rows)


def test_a_summary_that_was_stopped_goes_on_with_what_is_written(scene: Scene, begin: Begin, documents: Path) -> None:
    run = begin()
    run.progressed.connect(lambda done, _total, _left: run.stop() if done == 1 else None)
    ended(scene, run.stopped, run.start)
    kept = len(reply_journal.read(journal(documents)))
    assert kept >= 1
    again = begin()
    told: list[int] = []
    again.progressed.connect(lambda done, _total, _left: told.append(done))
    ended(scene, again.finished, again.start)
    assert told[0] >= kept, "what was written is not asked again"
    third = begin()
    asked = len(reply_journal.read(journal(documents)))
    ended(scene, third.finished, third.start)
    assert len(reply_journal.read(journal(documents))) == asked


def test_what_a_model_learned_from_raises_the_label_of_its_summary(scene: Scene, begin: Begin) -> None:
    run = begin(training_label=lambda: "secret")
    assert ended(scene, run.finished, run.start).least_label == "secret"


def test_a_document_or_chapter_that_is_not_there_is_said(scene: Scene, begin: Begin) -> None:
    run = begin(chapter="第9章")
    error: AppError = ended(scene, run.failed, run.start)
    assert error.code == "chapter_unknown"
