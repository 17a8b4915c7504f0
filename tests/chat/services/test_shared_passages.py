"""Which passages of a question the engine may keep on disk for other questions."""

import pytest

from app.base.confidentiality import Label
from app.chat.services import retrieval_augmentation
from app.documents.grounding.grounding_record import CitedSource, CollectionRef
from app.documents.library import Library
from app.documents.retrieval import excerpts
from app.inference.engine.messages import Ask
from tests.chat.driver import add_documents
from tests.chat.services.test_answer_branches import SUMMARIZE
from tests.chat.services.test_grounded_answers import COVER, RIGHT, SECTIONS
from tests.scene import Scene

Asked = list[Ask]


@pytest.fixture
def asked(scene: Scene, library: Library, monkeypatch: pytest.MonkeyPatch) -> Asked:
    """What the engine is asked from now on."""
    monkeypatch.setattr(excerpts, "PARAMETERS_MIN", 0)
    commands: Asked = []
    send = scene.engine.send
    monkeypatch.setattr(
        scene.engine,
        "send",
        lambda command: (commands.append(command) if isinstance(command, Ask) else None, send(command)),
    )
    return commands


def collection(scene: Scene, library: Library, label: Label = "internal") -> int:
    """Add the collection and let the open conversation search it."""
    collection_id = add_documents(library, "基準", label, *SECTIONS)
    assert scene.session.ask_of((CollectionRef(collection_id, "基準"),))
    return collection_id


def test_the_instructions_and_the_passages_are_shared_but_not_the_question(scene, library, asked):
    collection_id = collection(scene, library)
    scene.ask(RIGHT)
    shared = asked[-1].shared
    assert shared.collections == (collection_id,)
    text = "".join(segment.text for segment in asked[-1].prompt)
    instructions, passages = (text[:end] for end in shared.ends)
    assert COVER not in instructions
    assert COVER in passages
    assert RIGHT not in passages
    assert text[len(instructions) :].startswith("[1]")


def make_temporary(scene: Scene, _library: Library) -> None:
    scene.session.open_new(is_temporary=True)
    scene.session.ask_of((CollectionRef(1, "基準"),))


def label_conversation(scene: Scene, _library: Library) -> None:
    scene.ask(RIGHT)
    scene.session.give_label("secret")


def label_collection(_scene: Scene, library: Library) -> None:
    library.set_label(1, "secret")


@pytest.mark.parametrize("change", [make_temporary, label_conversation, label_collection])
def test_nothing_is_shared_of_what_is_temporary_or_secret(scene, library, asked, change):
    collection(scene, library)
    change(scene, library)
    scene.ask(RIGHT)
    assert asked[-1].shared is None


def test_nothing_is_shared_of_a_collection_that_was_secret_from_the_start(scene, library, asked):
    collection(scene, library, "secret")
    scene.ask(RIGHT)
    assert asked[-1].shared is None


def remove_document(library: Library, document_id: int) -> None:
    library.exclude([document_id])  # the reading child deletes its text later


def replace_document(library: Library, document_id: int) -> None:
    library.read_again([document_id])


@pytest.mark.parametrize("change", [remove_document, replace_document])
def test_a_text_that_is_about_to_leave_is_found_but_not_shared(scene, library, asked, change):
    (document,) = library.documents(collection(scene, library))
    change(library, document.id)
    scene.ask(RIGHT)
    assert COVER in "".join(segment.text for segment in asked[-1].prompt)
    assert asked[-1].shared is None


def test_the_sources_of_an_earlier_answer_are_not_shared_as_their_documents_may_be_gone(scene, library, asked):
    collection(scene, library)
    answer = scene.ask(RIGHT)
    (document,) = library.documents(1)
    library.exclude([document.id])
    library.remove_documents([document.id])
    scene.finish(lambda: scene.session.act(answer.id, SUMMARIZE))
    assert COVER in "".join(segment.text for segment in asked[-1].prompt)
    assert asked[-1].shared is None


def test_nothing_is_shared_without_documents(scene, asked):
    scene.ask(RIGHT)
    assert asked[-1].shared is None


def test_sources_of_an_unknown_collection_or_of_one_that_is_secret_now_are_not_shared(library):
    plain = add_documents(library, "基準", "internal", *SECTIONS)
    renamed = add_documents(library, "旧名", "secret", *SECTIONS)
    library.rename_collection(renamed, "新名")

    def shared(*names: str) -> tuple[int, ...]:
        sources = [CitedSource(name, "internal", "a.pdf", "/a.pdf", COVER) for name in names]
        return retrieval_augmentation.shareable_collections(library.labelled(), sources)

    assert shared("基準") == (plain,)
    assert shared("基準", "よその資料") == ()
    assert shared("基準", "旧名") == ()
