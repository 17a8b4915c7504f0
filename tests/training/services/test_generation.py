"""Pairs from a collection, alone and for a draft, with the fake engine as a real child: asked, stopped, gone on with.

Each passage says what the model is to answer when it reads it; its sentence says so for the score.
"""

import dataclasses
import json
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from app.base.errors import AppError
from app.base.settings import Settings
from app.documents.library import Library
from app.documents.records import DocumentCollection, Section
from app.inference import reply_journal
from app.inference.local_model import LocalModel
from app.training import drafts
from app.training.generation import pair_records
from app.training.generation.pair_records import GenerationRequest
from app.training.services import pair_generation
from app.training.services.draft_pairs import DraftPairGeneration
from app.training.services.pair_generation import GenerationJob, GenerationOutcome, GenerationProgress, PairGeneration
from tests.permits import permit_to_lower
from tests.scene import Scene
from tests.training.driver import code_of
from tests.training.generation.collection import library_of

SUBJECTS = ("上流の橋脚", "河口の水門", "右岸の護岸", "山間の砂防堰堤")


def section(number: int, score: int = 3, aside: str = "") -> Section:
    """With a pair in it that a model could have written. `aside`: what the model says besides."""
    subject = SUBJECTS[number]
    quote = f"{subject}の鉄筋のかぶりは{50 + number}mm以上とする。" + f'!say {{"reason": "よい", "score": {score}}}'
    pair = {
        "quote": quote,
        "question": f"{subject}では、かぶりは何mm以上ですか。",
        "answer": f"{50 + number}mm以上です。",
    }
    return Section((subject,), f"{quote}\n!say {json.dumps(pair, ensure_ascii=False)}{aside}", "標準", number + 1)


class Desk:
    def __init__(self, scene: Scene, model: LocalModel, folder: Path) -> None:
        self.scene, self.model = scene, model
        self.out = folder / "組.jsonl"

    def job(self, wanted: int, *sections: Section) -> GenerationJob:
        where = self.scene.where
        if not where.documents.exists():
            library_of(where.documents, {"基準.md": sections}).close()
        library = Library.open_second(where.documents)
        collection = library.collection("基準")
        library.close()
        return GenerationJob(
            where, collection, self.out, wanted, 0, self.model,
            dataclasses.replace(Settings(), context_tokens=8192),
        )  # fmt: skip

    def secret_job(self, wanted: int, *sections: Section) -> GenerationJob:
        job = self.job(wanted, *sections)
        self.make_secret()
        return dataclasses.replace(job, is_agreed=True)

    def make_secret(self) -> None:
        library = Library.open_second(self.scene.where.documents)
        library.set_label(library.collection("基準").id, "secret")
        library.close()

    def generation(self, job: GenerationJob) -> PairGeneration:
        return PairGeneration(self.scene.engine, job, self.scene.engine)

    def ended(self, signal: Any, act: Any) -> Any:
        with self.scene.qtbot.waitSignal(signal) as caught:
            act()
        return caught.args[0] if caught.args else None

    def generated(self, job: GenerationJob) -> GenerationOutcome:
        made = self.generation(job)
        found: GenerationOutcome = self.ended(made.finished, made.start)
        return found

    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.read_text("utf-8").splitlines()]


@pytest.fixture
def desk(scene: Scene, model: LocalModel, tmp_path: Path) -> Desk:
    return Desk(scene, model, tmp_path)


def test_pairs_are_written_with_their_evidence_and_nothing_is_left_beside(desk: Desk) -> None:
    found = desk.generated(desk.job(2, section(0), section(1)))
    assert (found.standing.judged_pairs, len(found.standing.accepted)) == (2, 2)
    rows = desk.rows()
    assert all(row["gold"][0]["quote"] in row["provenance"]["passage"] for row in rows)
    assert {(row["provenance"]["model"], row["quality"], row["origin"]) for row in rows} == {
        ("小さなモデル", 3, "generated")
    }
    assert all(len(row["provenance"]["sha256"]) == 64 for row in rows)
    assert [path.name for path in desk.out.parent.iterdir() if path.name.startswith("組")] == ["組.jsonl"]


def test_what_is_rejected_is_counted_and_other_passages_are_asked(desk: Desk) -> None:
    found = desk.generated(desk.job(3, section(0, score=1), section(1), section(2, aside=" と思います"), section(3)))
    # What this model says of a second passage is the same pair again where it is asked for another question.
    assert found.standing.rejected == {"low_quality": 1, "unreadable": 1, "near_duplicate": 1}
    assert (found.standing.judged_pairs, found.standing.passages, len(desk.rows())) == (5, 4, 2)


def test_one_that_is_stopped_goes_on_where_it_was(desk: Desk) -> None:
    job = desk.job(3, *map(section, range(3)))
    made = desk.generation(job)
    told: list[GenerationProgress] = []
    made.progressed.connect(told.append)
    made.progressed.connect(lambda one: made.stop() if one.round.done == 1 else None)
    stopped = desk.ended(made.stopped, made.start)
    assert not desk.out.exists()
    before = reply_journal.read(job.journal)
    assert (stopped.accepted, stopped.replies) == (0, len(before))
    assert 1 <= len(before) < 6
    assert (told[0].pair_count, told[0].passages) == (3, 3)
    again = desk.generation(job)
    rounds: list[int] = []
    again.progressed.connect(lambda one: rounds.append(one.round.done))
    found: GenerationOutcome = desk.ended(again.finished, again.start)
    assert rounds[0] >= 1  # not asked again
    assert len(found.standing.accepted) == len(desk.rows()) == 3
    assert not job.journal.exists()


def test_pairs_that_are_accepted_by_then_are_counted_when_it_is_stopped(desk: Desk) -> None:
    made, ended = desk.generation(desk.job(3, *map(section, range(3)))), list[int]()

    def on_progressed(one: GenerationProgress) -> None:
        if ended and one.round.done == 1:
            made.stop()
        if one.round.done == one.round.total:  # the pairs are written; their scores are asked for next
            ended.append(one.round.total)

    made.progressed.connect(on_progressed)
    stopped = desk.ended(made.stopped, made.start)
    assert stopped.accepted >= 1  # another score may have come before the first was told
    assert stopped.replies == ended[0] + stopped.accepted


def test_one_that_is_stopped_while_its_file_is_written_has_finished(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, written, may_end = desk.generation(desk.job(1, section(0))), Event(), Event()
    write = pair_generation._write_pairs

    def slow(*anything: Any) -> GenerationOutcome:
        written.set()
        assert may_end.wait(20)
        return write(*anything)

    monkeypatch.setattr(pair_generation, "_write_pairs", slow)
    with desk.scene.qtbot.waitSignal(made.finished):
        made.start()
        desk.scene.qtbot.waitUntil(written.is_set)
        made.stop()
        may_end.set()
    assert len(desk.rows()) == 1


def test_a_file_that_is_there_and_a_collection_without_text_are_refused(desk: Desk) -> None:
    job = desk.job(1, Section(("1",), "短い。"))
    made = desk.generation(job)
    error: AppError = desk.ended(made.failed, made.start)
    assert error.code == "generation_no_passages"
    desk.out.write_text("大切な行", "utf-8")
    made = desk.generation(job)
    error = desk.ended(made.failed, made.start)
    assert (error.code, desk.out.read_text("utf-8")) == ("export_exists", "大切な行")


def test_confidential_pairs_are_on_record_once_and_when_the_first_reply_is_written(desk: Desk) -> None:
    job = desk.secret_job(2, section(0), section(1))
    made, log = desk.generation(job), job.where.exports_log
    was_noted: dict[bool, bool] = {}  # by whether a reply stands in the journal
    made.progressed.connect(lambda _one: was_noted.setdefault(bool(reply_journal.read(job.journal)), log.exists()))
    desk.ended(made.finished, made.start)
    assert was_noted == {False: False, True: True}
    (noted,) = map(json.loads, log.read_text("utf-8").splitlines())
    assert (noted["what"], noted["label"], noted["target"]) == ("pairs", "secret", str(desk.out))


def test_what_never_began_is_not_on_record(desk: Desk) -> None:
    job = desk.secret_job(1, section(0))
    gone = dataclasses.replace(desk.model, path=str(desk.out.with_name("無い.gguf")))
    made = desk.generation(dataclasses.replace(job, model=gone))
    desk.ended(made.failed, made.start)
    job.journal.write_text("壊れた行\n", "utf-8")
    made = desk.generation(job)
    assert desk.ended(made.failed, made.start).code == "journal_damaged"
    assert not job.where.exports_log.exists()
    job.journal.unlink()
    desk.generated(job)
    assert job.where.exports_log.exists()


def test_passages_that_are_too_long_to_be_asked_about_are_no_export(desk: Desk) -> None:
    job = desk.secret_job(1, section(0))
    short = dataclasses.replace(job.settings, context_tokens=64)
    found = desk.generated(dataclasses.replace(job, settings=short))
    assert found.standing.rejected == {"failed": 1}
    assert [one.error_code for one in reply_journal.read(job.journal).values()] == ["context_full"]
    assert not job.where.exports_log.exists()


def test_nothing_confidential_is_written_that_cannot_be_put_on_record(desk: Desk) -> None:
    job = desk.secret_job(1, section(0))
    job.where.exports_log.mkdir()
    made = desk.generation(job)
    assert desk.ended(made.failed, made.start).code == "export_log_unwritable"
    assert reply_journal.read(job.journal) == {}
    assert not desk.out.exists()


def test_replies_of_documents_that_became_confidential_are_put_on_record_before_the_file(desk: Desk) -> None:
    job = desk.job(1, section(0))
    made = desk.generation(job)
    made.progressed.connect(lambda _one: desk.out.mkdir(exist_ok=True))  # so that its file cannot be written
    assert desk.ended(made.failed, made.start).code == "export_exists"
    assert reply_journal.read(job.journal)
    desk.out.rmdir()
    desk.make_secret()
    made = desk.generation(job)  # nobody has agreed
    assert desk.ended(made.failed, made.start).code == "secret_export"
    assert not desk.out.exists()
    desk.generated(dataclasses.replace(job, is_agreed=True))
    assert len(job.where.exports_log.read_text("utf-8").splitlines()) == 1


@pytest.mark.fault("S16")
def test_no_reply_is_written_any_more_once_its_documents_are_secret(desk: Desk) -> None:
    job = desk.job(2, section(0), section(1))
    made = desk.generation(job)
    made.progressed.connect(lambda _one: desk.make_secret() if reply_journal.read(job.journal) else None)
    assert desk.ended(made.failed, made.start).code == "secret_export"
    assert len(reply_journal.read(job.journal)) == 1
    assert not desk.out.exists()


class DraftDesk:
    def __init__(self, scene: Scene, model: LocalModel) -> None:
        self.scene, self.where = scene, scene.where
        self.draft_id = drafts.create(self.where.drafts, 1.0).id
        self.making = self.started_again()
        self.wish = GenerationRequest(1, "基準", model.id, 2, self.making.free_name(self.draft_id))
        scene.preferences.change(context_tokens=8192)

    def started_again(self) -> DraftPairGeneration:
        of = self.scene
        return DraftPairGeneration(
            of.session, of.library, of.preferences, of.engine, of.where, of.engine
        )  # fmt: skip

    def collection(self, *sections: Any) -> DocumentCollection:
        library_of(self.where.documents, {"基準.md": sections}).close()
        library = Library.open_second(self.where.documents)
        found = library.collection("基準")
        library.close()
        return found

    def ended(self, signal: Any, act: Any) -> Any:
        with self.scene.qtbot.waitSignal(signal) as caught:
            act()
        assert caught.args[0] == self.draft_id
        return caught.args[1]


@pytest.fixture
def drafted(scene: Scene, model: LocalModel) -> DraftDesk:
    return DraftDesk(scene, model)


def test_pairs_wait_for_their_draft_until_it_has_taken_them(drafted: DraftDesk) -> None:
    collection = drafted.collection(section(0), section(1))
    made = drafted.ended(
        drafted.making.ended, lambda: drafted.making.begin(drafted.draft_id, drafted.wish, collection)
    )  # fmt: skip
    assert made.file == drafted.where.drafts / drafted.draft_id / "pairs-1.jsonl"
    assert (drafted.making.is_running, drafted.making.draft_id) == (False, "")
    again = drafted.started_again()
    assert (again.unfinished(drafted.draft_id), again.finished_file(drafted.draft_id)) == (drafted.wish, made.file)
    again.forget(drafted.draft_id)
    assert (again.unfinished(drafted.draft_id), again.free_name(drafted.draft_id)) == (None, "pairs-2.jsonl")


def test_the_chat_goes_first(drafted: DraftDesk) -> None:
    collection = drafted.collection(section(0))
    session, making = drafted.scene.session, drafted.making
    order: list[str] = []
    session.answer_finished.connect(lambda _answer: order.append("chat"))
    making.ended.connect(lambda _id, _made: order.append("pairs"))
    assert session.ask("!slow 鍵")
    drafted.ended(making.ended, lambda: making.begin(drafted.draft_id, drafted.wish, collection))
    assert order == ["chat", "pairs"]


def test_a_second_one_a_missing_model_and_confidential_text_are_refused(drafted: DraftDesk, tmp_path: Path) -> None:
    collection = drafted.collection(section(0))
    wish, making = drafted.wish, drafted.making
    other = GenerationRequest(1, "基準", "無い", 2, "pairs-1.jsonl")

    assert code_of(making.begin, drafted.draft_id, other, collection) == "pairs_model_gone"
    library = Library.open_second(drafted.where.documents)
    library.set_label(collection.id, "secret")  # since its list was shown
    assert code_of(making.begin, drafted.draft_id, wish, collection) == "secret_export"
    library.set_label(collection.id, "internal", permit_to_lower(collection.name))
    library.close()
    assert pair_records.read_request(drafted.where.drafts / drafted.draft_id) is None
    making.begin(drafted.draft_id, wish, collection)
    assert code_of(making.begin, drafted.draft_id, wish, collection) == "pairs_running"
    making.close()
