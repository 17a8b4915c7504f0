"""公開, 社外秘, 機密: what is answered from secret documents is secret, wherever it is kept, and stays so."""

import contextlib
import dataclasses
import io
import json
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from app.base import confidentiality, invisible_characters
from app.base.confidentiality import CLIPBOARD, LABELS, ExportRequest, Label
from app.base.errors import AppError
from app.base.wording import describe_error
from app.chat import conversation_privacy
from app.chat.exchange import conversation_bundle
from app.chat.exchange.conversation_bundle import Bundle, bundle_to_dict
from app.chat.exchange.conversation_export import save_file, save_folder, stored_bundles
from app.chat.records import AnswerDetails
from app.chat.store import Store
from app.documents import collection_lookup
from app.documents.document_tables import SectionTable
from app.documents.grounding.grounding_record import CitedSource, CollectionRef, Grounding
from app.documents.library import Library
from app.documents.records import DocumentCollection, Section
from tests.chat.exchange_trees import nothing
from tests.permits import PERMIT

HOSTILE_PATH = "/media/a\x9b31m\u202e\u2028\x1b]0;b\a"


def grounded(*given: Label) -> AnswerDetails:
    sources = tuple(CitedSource("規程", label, "規程.pdf", "/規程.pdf", "本文") for label in given)
    return AnswerDetails(grounding=Grounding("answered", sources))


def ask(store: Store, details: AnswerDetails, conversation_id: int | None = None) -> int:
    question = store.add_question("鍵はどこですか", conversation_id)
    store.finish_answer(store.add_answer(question.id, AnswerDetails()).id, "守衛室です。", "done", details)
    return question.conversation_id


def label_of(store: Store, conversation_id: int) -> Label:
    return store.conversation(conversation_id).label


def label_now(store: Store, conversation_id: int, there: Sequence[DocumentCollection]) -> Label:
    """What the conversation counts as while these collections are there."""
    return conversation_privacy.highest_effective_label(store, [store.conversation(conversation_id)], there)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((), "internal"),
        (("public",), "public"),
        (("public", "internal"), "internal"),
        (("secret", "public"), "secret"),
    ],
)
def test_the_first_answer_gives_its_conversation_the_highest_label_of_its_sources(
    store: Store, given: tuple[Label, ...], expected: Label
) -> None:
    assert label_of(store, ask(store, grounded(*given))) == expected


def test_only_the_first_answer_lowers_the_label_of_a_conversation(store: Store) -> None:
    plain = ask(store, AnswerDetails())  # from no document: nothing says that it is public
    ask(store, grounded("public"), plain)
    assert label_of(store, plain) == "internal"
    raised = ask(store, grounded("public"))
    conversation_privacy.set_label(store, raised, "internal")
    ask(store, grounded("public"), raised)
    assert label_of(store, raised) == "internal"
    assert label_of(store, store.add_tree(store.conversation(raised), store.tree(raised))) == "internal"


def test_no_later_answer_and_no_user_lowers_it_below_its_documents(store: Store) -> None:
    here = ask(store, grounded("public"))
    assert conversation_privacy.set_label(store, here, "public") == label_of(store, here) == "public"
    ask(store, grounded("internal"), here)
    assert label_of(store, here) == "internal"
    ask(store, grounded("secret"), here)
    ask(store, grounded("public"), here)
    assert conversation_privacy.set_label(store, here, "public") == label_of(store, here) == "secret"
    other = ask(store, AnswerDetails())
    assert conversation_privacy.set_label(store, other, "secret") == "secret"
    assert conversation_privacy.set_label(store, other, "internal") == "internal"


def test_the_label_travels_with_an_exported_conversation(store: Store) -> None:
    here = ask(store, AnswerDetails())
    conversation_privacy.set_label(store, here, "secret")
    written = json.loads(json.dumps(bundle_to_dict(Bundle(store.conversation(here), tuple(store.tree(here))))))

    def read() -> Bundle:
        return conversation_bundle.bundle_from_dict(written)

    assert read().conversation.label == "secret"
    written["label"] = "top"  # a later program's
    assert read().conversation.label == "secret"
    del written["label"]  # an earlier one's
    assert read().conversation.label == "internal"
    written["messages"][1]["details"] = {"grounding": dataclasses.asdict(grounded("secret").grounding)}
    secret = read()
    assert label_of(store, store.add_tree(secret.conversation, secret.messages)) == "secret"


def test_a_collection_that_is_gone_is_never_taken_for_the_manual_which_has_its_number_by_now() -> None:
    manual, other = (
        DocumentCollection(1, "Kotae の使い方", "public", is_builtin=True),
        DocumentCollection(2, "新しい名前", "secret"),
    )
    gone, renamed, asked = CollectionRef(1, "社内の基準"), CollectionRef(2, "前の名前"), CollectionRef(9, manual.name)
    found = collection_lookup.resolve_scope([manual, other], [gone, renamed, asked])
    assert [one for one, _ in found] == [None, other, manual]


def test_a_conversation_counts_as_what_the_collections_it_has_to_do_with_are_now(store: Store) -> None:
    by_scope, by_answer, by_source, plain = (ask(store, details) for details in (
        AnswerDetails(),
        AnswerDetails(scope=(CollectionRef(7, "前の名前"),)),  # in a branch or not, and whatever is asked by now
        grounded("public"),
        AnswerDetails(),
    ))  # fmt: skip
    store.set_scope(by_scope, [CollectionRef(7, "基準")])
    ids = by_scope, by_answer, by_source, plain
    stored = [label_of(store, one) for one in ids]

    def now(label: Label) -> list[Label]:
        there = [DocumentCollection(7, "基準", label), DocumentCollection(8, "規程", label)]
        return [label_now(store, one, there) for one in ids]

    assert now("secret") == ["secret", "secret", "secret", "internal"]
    assert now("public") == stored == ["internal", "internal", "public", "internal"]  # nothing is lowered
    both, there = store.conversations_of([plain, by_answer]), [DocumentCollection(7, "基準", "secret")]
    assert conversation_privacy.highest_effective_label(store, both, there) == "secret"
    assert [label_of(store, one) for one in ids] == stored


def test_what_is_exported_has_the_label_that_counts_now(store: Store, tmp_path: Path) -> None:
    here = ask(store, grounded("public"))
    there = [DocumentCollection(1, "規程", "secret")]
    file = tmp_path / "会話.json"
    save_file(stored_bundles(store, [here], nothing, there), "json", file, permit=PERMIT)
    assert json.loads(file.read_text("utf-8"))["conversations"][0]["label"] == "secret"
    (file,) = save_folder(stored_bundles(store, [here], nothing, there), "markdown", tmp_path, permit=PERMIT)
    assert "機密" in file.read_text("utf-8")


def test_what_is_asked_has_the_highest_label_of_its_collections() -> None:
    known = [
        DocumentCollection(1, "公報", "public"),
        DocumentCollection(2, "内規", "secret"),
        DocumentCollection(3, "基準", "internal"),
    ]
    public, secret, internal = (CollectionRef(one.id, one.name) for one in known)
    for asked, label in (
        ([public], "public"),
        ([public, internal], "internal"),
        ([public, secret, internal], "secret"),
        ([CollectionRef(2, "旧い名前")], "secret"),  # renamed
        ([], "internal"),
        ([CollectionRef(9, "無い")], "internal"),
    ):
        assert collection_lookup.label_of_scope(known, asked) == label


@pytest.mark.fault("S16")
def test_a_collection_that_has_the_id_of_one_that_nobody_can_read_does_not_hide_its_label() -> None:
    new, unknown = DocumentCollection(2, "よそ", "public"), DocumentCollection(0, "", "secret")
    there = [new, unknown]
    assert collection_lookup.label_of_scope(there, [CollectionRef(2, "内規")]) == "secret"
    assert collection_lookup.resolve_reference(there, CollectionRef(2, "よそ")) == [new]
    assert collection_lookup.resolve_reference(there, CollectionRef(0, "よそ")) == [new]  # a source has a name alone
    assert collection_lookup.resolve_reference(there, CollectionRef(0, "内規")) == [unknown]
    assert collection_lookup.label_of_scope(there, [CollectionRef(0, "よそ")]) == "public"


@pytest.mark.fault("S16")
def test_a_label_in_the_database_that_is_none_counts_as_the_highest(tmp_path: Path) -> None:
    with contextlib.closing(Library.open(tmp_path / "documents.sqlite")) as library:
        library.database.read("PRAGMA ignore_check_constraints = 1")  # a file that came from elsewhere may have none
        here, gone = library.add_collection("規程"), library.add_collection("旧規程")
        (document, _) = library.add_documents(here, [tmp_path / "規程.md", tmp_path / "別.md"])
        with library.database.transaction():
            SectionTable(library.database).add(document, [Section((), "本文")], lambda _count: None)
        library.rename_collection(here, "新規程")
        library.remove_collection(gone)
        for odd in ("top", b"public", 1):
            with library.database.transaction():
                library.database.write("UPDATE collection SET label = ?", odd)
                library.database.write("UPDATE former SET label = ?", odd)
            assert [one.label for one in library.collections()] == ["secret"]
            assert {one.name: one.label for one in library.labelled()} == dict.fromkeys(
                ("新規程", "規程", "旧規程"), "secret"
            )
            assert {*library.labels_of(["規程", "旧規程"], ["規程.md"])} == {"secret"}
            assert [one.label for one in library.passages([(1, 1.0)])] == ["secret"]


def test_what_is_asked_is_also_what_has_the_name_by_now_for_a_search_takes_that(tmp_path: Path) -> None:
    with contextlib.closing(Library.open(tmp_path / "documents.sqlite")) as library:
        before = library.add_collection("規程", "public")
        library.rename_collection(before, "旧規程")
        now = library.add_collection("規程", "secret")
        chosen = CollectionRef(before, "規程")
        assert [one.id for one, _ in collection_lookup.resolve_scope(library.labelled(), [chosen]) if one] == [now]
        assert collection_lookup.label_of_scope(library.labelled(), [chosen]) == "secret"


def test_the_log_of_exports_says_what_left_and_where_to(tmp_path: Path) -> None:
    log = tmp_path / "exports.log"
    export_of_secret = ExportRequest("copy", CLIPBOARD, lambda: "secret")
    for export in (
        ExportRequest("conversation", "/media/usb/会話.docx", lambda: "secret"),
        export_of_secret,
        ExportRequest("copy", CLIPBOARD, lambda: "internal"),  # is not put on record
        ExportRequest("kit", HOSTILE_PATH, lambda: "secret"),
    ):
        confidentiality.permit_export(export, log, is_agreed=True)
    lines = [json.loads(line) for line in io.StringIO(log.read_text("utf-8"))]
    assert [(line["what"], line["target"]) for line in lines] == [
        ("conversation", "/media/usb/会話.docx"),
        ("copy", "clipboard"),
        ("kit", HOSTILE_PATH),
    ]
    assert len(log.read_text("utf-8").splitlines()) == 3  # and nothing in it that a terminal obeys
    assert invisible_characters.remove(log.read_text("utf-8")) == log.read_text("utf-8")
    assert all(line["at"][10] == "T" and line["label"] == "secret" for line in lines)
    with pytest.raises(AppError) as caught:
        confidentiality.permit_export(export_of_secret, tmp_path / "fehlt" / "exports.log", is_agreed=True)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.log")
        with pytest.raises(AppError, match="export_log_unwritable"):
            confidentiality.permit_export(export_of_secret, tmp_path / "pipe.log", is_agreed=True)
    assert "機密" in str(describe_error(caught.value))


@pytest.mark.fault("S16")
def test_what_a_model_says_has_the_label_of_what_it_was_trained_on_also_where_that_has_changed(store: Store) -> None:
    plain = AnswerDetails(model_label="secret")
    assert label_of(store, ask(store, plain)) == "secret"
    here = ask(store, AnswerDetails(model_label="internal", learned=("内規",)))
    conversation = store.conversation(here)
    for label in LABELS:
        there = [DocumentCollection(1, "内規", label)]
        expected = confidentiality.highest_label((label, "internal"))
        assert conversation_privacy.effective_label(conversation, store.tree(here), there) == expected
        assert label_now(store, here, there) == expected
    assert conversation_privacy.effective_label(conversation, store.tree(here), None) == "secret"
    assert conversation_privacy.set_label(store, ask(store, plain), "public") == "secret"


@pytest.mark.fault("S16")
@pytest.mark.parametrize("file_format", ["json", "markdown", "docx"])
@pytest.mark.parametrize("is_folder", [False, True])
def test_an_export_whose_documents_become_secret_while_it_is_written_leaves_nothing(
    store: Store, tmp_path: Path, file_format: str, is_folder: bool
) -> None:
    file = tmp_path / "documents.sqlite"
    with contextlib.closing(Library.open(file)) as library:
        collection = library.add_collection("規程", "internal")
        ids = [ask(store, AnswerDetails(scope=(CollectionRef(collection, "規程"),))) for _ in range(3)]
        found = store.conversations_of(ids)
        there = library.labelled()
        out = tmp_path / "out"
        out.mkdir()
        target = out if is_folder else out / "a.json"
        export = ExportRequest(
            "conversations",
            str(target),
            lambda: conversation_privacy.highest_effective_label(store, found, library.labelled()),
        )
        permit = confidentiality.permit_export(export, tmp_path / "exports.log", is_agreed=False)

        def report(done: int, _total: int) -> None:
            if done == 2:
                library.set_label(collection, "secret")

        save = save_folder if is_folder else save_file
        with pytest.raises(AppError) as caught:
            save(stored_bundles(store, ids, report, there), file_format, target, permit=permit)
    assert caught.value.code == "secret_export"
    assert list(out.iterdir()) == []


@pytest.mark.fault("S16")
@pytest.mark.parametrize("then", ["renamed", "removed", "emptied"])
def test_what_was_taken_from_a_secret_collection_stays_secret_also_when_its_name_is_given_to_another(
    store: Store, tmp_path: Path, then: str
) -> None:
    file = tmp_path / "documents.sqlite"
    with contextlib.closing(Library.open(file)) as library:
        gone = library.add_collection("規程", "internal")
        (document,) = library.add_documents(gone, [tmp_path / "規程.md"])
        scope = CollectionRef(gone, "規程")
        by_scope = ask(store, AnswerDetails(scope=(scope,)))
        by_source = ask(store, grounded("internal"))
        by_model = ask(store, AnswerDetails(model_label="internal", learned=("規程",)))
        library.set_label(gone, "secret")
        if then == "renamed":
            library.rename_collection(gone, "別の名前")
        elif then == "removed":
            library.remove_collection(gone)
        else:
            library.remove_documents([document])
            library.rename_collection(gone, "別の名前")
        new = library.add_collection("規程", "public")
        there = library.labelled()
        assert [one.name for one in library.collections() if one.label == "secret"] == ["別の名前"] * (
            then != "removed"
        )
    assert [label_now(store, here, there) for here in (by_scope, by_source, by_model)] == ["secret"] * 3
    of_new = ask(store, dataclasses.replace(grounded("public"), scope=(CollectionRef(new, "規程"),)))
    assert label_now(store, of_new, there) == "public"
    assert conversation_privacy.effective_label(store.conversation(of_new), store.tree(of_new), there) == "public"
    assert collection_lookup.current_label_of_scope(file, [scope]) == "secret"
    assert collection_lookup.current_label_of_scope(file, [CollectionRef(new, "規程")]) == "public"
    assert collection_lookup.label_of_origins(file, {("規程", "")}) == "secret"
    assert collection_lookup.label_of_origins(file, {("", "規程.md")}) == "secret"
    assert collection_lookup.label_of_origins(file, {("他", "他.md")}) == "public"
