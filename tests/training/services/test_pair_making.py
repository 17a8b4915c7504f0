"""Pairs for a planned training: what was wanted is on the disk until the draft has them, and the chat goes first."""

from pathlib import Path
from typing import Any

import pytest

from app.base.errors import AppError
from app.documents.library import Library
from app.documents.records import DocumentCollection
from app.inference import child_commands
from app.inference.local_model import LocalModel
from app.training import drafts
from app.training.generation import pair_records as wishes
from app.training.generation.pair_records import GenerationRequest
from app.training.services.draft_pairs import DraftPairGeneration, MadePairs
from tests.permits import permit_to_lower
from tests.scene import Scene
from tests.training.generation.collection import library_of
from tests.training.services.test_generation import section


class Desk:
    def __init__(self, scene: Scene, model: LocalModel) -> None:
        self.scene, self.where = scene, scene.where
        self.draft_id = drafts.create(self.where.drafts, 1.0).id
        self.making = self.started_again()
        self.wish = GenerationRequest(1, "基準", model.id, 2, self.making.free_name(self.draft_id))
        scene.preferences.change(context_tokens=8192)

    def started_again(self) -> DraftPairGeneration:
        of = self.scene
        return DraftPairGeneration(
            of.session, of.library, of.preferences, of.engine, child_commands.template(), of.where, of.engine
        )  # fmt: skip

    def collection(self, *sections: Any) -> DocumentCollection:
        library_of(self.where.documents, {"基準.md": sections}).close()
        library = Library.beside(self.where.documents)
        found = library.collection("基準")
        library.close()
        return found

    def ended(self, signal: Any, act: Any) -> Any:
        with self.scene.qtbot.waitSignal(signal) as caught:
            act()
        assert caught.args[0] == self.draft_id
        return caught.args[1]


@pytest.fixture
def desk(scene: Scene, model: LocalModel) -> Desk:
    return Desk(scene, model)


def test_pairs_wait_for_their_draft_until_it_has_taken_them(desk: Desk) -> None:
    collection = desk.collection(section(0), section(1))
    made: MadePairs = desk.ended(
        desk.making.finished, lambda: desk.making.begin(desk.draft_id, desk.wish, collection)
    )  # fmt: skip
    assert made.path == desk.where.drafts / desk.draft_id / "pairs-1.jsonl"
    assert (desk.making.is_running, desk.making.draft_id) == (False, "")
    again = desk.started_again()
    assert (again.unfinished(desk.draft_id), again.finished_file(desk.draft_id)) == (desk.wish, made.path)
    again.forget(desk.draft_id)
    assert (again.unfinished(desk.draft_id), again.free_name(desk.draft_id)) == (None, "pairs-2.jsonl")


def test_what_is_stopped_is_wanted_still_and_goes_on_with_what_was_replied(desk: Desk) -> None:
    collection = desk.collection(*map(section, range(3)))
    making = desk.making
    making.progressed.connect(lambda _id, one: making.stop() if one.round.done == 1 else None)
    stopped = desk.ended(making.stopped, lambda: making.begin(desk.draft_id, desk.wish, collection))
    assert stopped.replies >= 1
    again = desk.started_again()
    assert again.unfinished(desk.draft_id) == desk.wish
    assert again.finished_file(desk.draft_id) is None
    first: list[int] = []
    again.progressed.connect(lambda _id, one: first.append(one.round.done))
    made: MadePairs = desk.ended(again.finished, lambda: again.begin(desk.draft_id, desk.wish, collection))
    assert first[0] >= 1
    assert made.path is not None


def test_the_chat_goes_first(desk: Desk) -> None:
    collection = desk.collection(section(0))
    session, making = desk.scene.session, desk.making
    order: list[str] = []
    session.answer_finished.connect(lambda _answer: order.append("chat"))
    making.finished.connect(lambda _id, _made: order.append("pairs"))
    assert session.ask("!slow 鍵")
    desk.ended(making.finished, lambda: making.begin(desk.draft_id, desk.wish, collection))
    assert order == ["chat", "pairs"]


def test_a_second_one_a_missing_model_and_confidential_text_are_refused(desk: Desk, tmp_path: Path) -> None:
    collection = desk.collection(section(0))
    wish, making = desk.wish, desk.making
    other = GenerationRequest(1, "基準", "無い", 2, "pairs-1.jsonl")

    def refused(of: GenerationRequest, asked: DocumentCollection) -> str:
        with pytest.raises(AppError) as caught:
            making.begin(desk.draft_id, of, asked)
        return caught.value.code

    assert refused(other, collection) == "pairs_model_gone"
    library = Library.beside(desk.where.documents)
    library.set_label(collection.id, "secret")  # since its list was shown
    assert refused(wish, collection) == "secret_export"
    library.set_label(collection.id, "internal", permit_to_lower(collection.name))
    library.close()
    assert wishes.read_request(desk.where.drafts / desk.draft_id) is None
    making.begin(desk.draft_id, wish, collection)
    assert refused(wish, collection) == "pairs_running"
    making.close()


def test_where_no_pair_can_be_used_nothing_is_wanted_any_more(desk: Desk) -> None:
    collection = desk.collection(section(0, score=1))
    made: MadePairs = desk.ended(desk.making.finished, lambda: desk.making.begin(desk.draft_id, desk.wish, collection))
    assert (made.path, made.generated.standing.rejected["low_quality"]) == (None, 1)
    assert desk.making.unfinished(desk.draft_id) is None
