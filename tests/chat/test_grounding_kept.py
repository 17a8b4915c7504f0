"""What an answer rests on is kept with it, and believed only where it has the right shape."""

import dataclasses
import json

import pytest

from app.chat.exchange import conversation_bundle
from app.chat.exchange.conversation_bundle import Bundle, BundleRefusedError
from app.chat.records import AnswerDetails
from app.chat.store import Store
from app.documents.grounding import grounding_record
from app.documents.grounding.grounding_record import CitedSource, Claim, CollectionRef, Grounding
from app.documents.records import PageBox, Passage, Section
from tests.chat.driver import store_thread

SECTION = Section(
    ("第2章", "2.1 かぶり"),
    "かぶりは70mm以上とする。",
    "標準",
    12,
    13,
    (PageBox(12, 10.5, 20.0, 300.0, 40.0),),
    ("表2-1",),
)
PASSAGE = Passage(7, SECTION, 3, "基準.pdf", "/資料/基準.pdf", "基準", "secret", 4.5, 1)
GROUNDING = Grounding(
    "answered",
    (grounding_record.source_of(PASSAGE, "a" * 64),),
    (Claim("かぶりは80mmです[1]。", 0, 13, (1,), False, ("80mm",)), Claim("以上です。", 13, 18)),
    retrieval_s=0.02,
)
SCOPE = (CollectionRef(1, "基準"), CollectionRef(4, "要領 😀"))


def kept(store: Store) -> AnswerDetails:
    details = AnswerDetails(scope=SCOPE, grounding=GROUNDING)
    return store_thread(store, "かぶりは？", "かぶりは80mmです[1]。以上です。", details=details)[1].details


def bundle(store: Store) -> Bundle:
    """The one conversation, as it is exported."""
    (conversation,) = store.conversations()
    return Bundle(conversation, tuple(store.tree(conversation.id)))


def put_details(store: Store, details: dict[str, object]) -> AnswerDetails:
    """Store details as another program might have, and return what is read of them."""
    answer = store.add_answer(store.add_question("質問").id, AnswerDetails())
    store.database.write("UPDATE message SET details = ? WHERE id = ?", json.dumps(details), answer.id)
    return store.message(answer.id).details


def test_an_answer_keeps_its_sources_and_claims(store):
    details = kept(store)
    assert details.grounding == GROUNDING
    assert details.scope == SCOPE


def test_a_source_can_be_shown_as_the_passage_it_was(store):
    (source,) = GROUNDING.sources
    passage = grounding_record.passage_of(source, 1)
    assert dataclasses.replace(PASSAGE, section_id=1, document_id=0) == passage
    assert source.sha256 == "a" * 64


def test_a_conversation_keeps_what_it_asks(store):
    conversation_id = store.add_question("質問").conversation_id
    assert store.conversation(conversation_id).scope == ()
    store.set_scope(conversation_id, SCOPE)
    found = store.conversation(conversation_id)
    assert found.scope == SCOPE
    assert store.conversation(store.add_tree(found, store.tree(conversation_id))).scope == SCOPE
    store.set_scope(conversation_id, ())
    assert store.conversation(conversation_id).scope == ()


def test_details_of_a_later_program_cost_the_sources_and_not_the_answer(store):
    details = put_details(store, {"model_name": "M", "grounding": {"verdict": "guessed"}, "scope": [{"name": 3}]})
    assert (details.model_name, details.grounding, details.scope) == ("M", None, ())


@pytest.mark.parametrize("name", ["learned", "scope", "quoted", "grounding", "choices"])
@pytest.mark.parametrize("odd", [5, "文", {"a": 1}, True])
def test_a_value_of_another_kind_in_the_details_costs_only_itself(store, name, odd):
    details = put_details(store, {"model_name": "M", name: odd})
    assert details.model_name == "M"
    assert name in ("choices", "grounding") or not getattr(details, name)


def test_export_and_import_keep_the_sources_as_hearsay_and_not_the_scope(store):
    kept(store)
    store.set_scope(store.conversations()[0].id, SCOPE)
    written = json.loads(json.dumps(conversation_bundle.bundle_to_dict(bundle(store))))
    read = conversation_bundle.bundle_from_dict(written)
    elsewhere = tuple(dataclasses.replace(source, path="") for source in GROUNDING.sources)
    details = read.messages[1].details
    assert (details.grounding, details.quoted, details.is_imported) == (None, elsewhere, True)
    assert (read.messages[1].details.scope, read.conversation.scope) == ((), ())
    prints = conversation_bundle.message_fingerprints
    assert prints(read) == prints(bundle(store))


def changed(path: list, value: object) -> dict:
    data = json.loads(json.dumps(dataclasses.asdict(GROUNDING)))
    place = data
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return data


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["verdict"], "maybe"),
        (["verdict"], ["answered"]),
        (["sources"], "x"),
        (["sources"], [{}] * 101),
        (["sources", 0], None),
        (["sources", 0, "label"], "top secret"),
        (["sources", 0, "text"], 5),
        (["sources", 0, "text"], "\ud800"),
        (["sources", 0, "text"], "x" * 100_001),
        (["sources", 0, "page"], -1),
        (["sources", 0, "page"], True),
        (["sources", 0, "heading"], [1]),
        (["sources", 0, "score"], float("inf")),
        (["sources", 0, "boxes", 0, "left"], "wide"),
        (["sources", 0, "boxes", 0, "left"], 1e300),
        (["sources", 0, "boxes", 0], {"page": 1}),
        (["claims", 0, "sources"], [2]),
        (["claims", 0, "sources"], [0]),
        (["claims", 0, "start"], -1),
        (["claims", 0, "end"], -5),
        (["claims", 0, "missing"], [["a"]]),
        (["claims", 0, "is_supported"], 1),
        (["is_excerpt"], "yes"),
        (["retrieval_s"], None),
    ],
)
def test_what_has_not_the_right_shape_is_refused(path, value):
    with pytest.raises(ValueError):
        grounding_record.from_dict(changed(path, value))


def test_what_is_not_known_is_left_out_and_what_is_missing_is_the_default():
    data = changed(["later"], 1) | {"claims": []}
    assert grounding_record.from_dict(data) == dataclasses.replace(GROUNDING, claims=())
    assert grounding_record.from_dict({}) == Grounding()
    with pytest.raises(ValueError):
        grounding_record.from_dict([])


def test_a_file_with_a_wrong_source_is_refused(store):
    kept(store)
    written = conversation_bundle.bundle_to_dict(bundle(store))
    written["messages"][1]["details"]["grounding"] = changed(["sources", 0, "label"], "x")
    with pytest.raises(BundleRefusedError) as refused:
        conversation_bundle.bundle_from_dict(written)
    assert refused.value.reason == "details"


def test_every_field_of_a_source_survives_json():
    source = CitedSource(
        "基準", "public", "a.pdf", "/a.pdf", "本文", ("章",), "標準", 1, 2, (), ("図1",), "b" * 64, 0.5
    )
    again = grounding_record.from_dict(json.loads(json.dumps(dataclasses.asdict(Grounding(sources=(source,))))))
    assert again.sources == (source,)
