"""Questions to a model elsewhere: with consent, without secrets, and back to a model of this machine."""

import base64
import contextlib
import dataclasses
import io
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from app.base.confidentiality import Label
from app.base.errors import AppError
from app.base.services import background
from app.base.settings import Settings
from app.chat import conversation_privacy
from app.chat.presets import Choices
from app.chat.records import Message
from app.chat.services import retrieval_augmentation
from app.chat.services.answer_run import AnswerRequest, AnswerRun, choices_in_force
from app.chat.services.chat_session import ModelPreloader
from app.chat.services.prompt_run import PromptJob, PromptRun
from app.chat.services.retrieval_augmentation import RetrievedPassages
from app.documents.grounding.grounding_record import CollectionRef, PageRegion
from app.documents.library import Library
from app.documents.records import Section
from app.evaluation.study import request as study_request
from app.evaluation.study.request import AnswerParameters, StudyRequest
from app.inference import prompts
from app.inference.engine.messages import Ask, Done, Load, Ready, Tokenize
from app.inference.local_model import REMOTE_REQUESTS, LocalModel, RemoteModel, normalize_address
from app.inference.prompts import Segment, Turn
from app.inference.reply_journal import StandalonePrompt
from app.models import model_registry
from app.models.services.model_library import ModelLibrary
from tests.chat.driver import add_documents
from tests.chat.services.test_batch import Desk
from tests.inference.remote.servers import Script, end, llama_server, piece, scripted_server, stream_head
from tests.permits import PERMIT
from tests.scene import Scene
from tests.waiting import LIMIT_S

CHAT = "POST /v1/chat/completions"
COVER = "土に接する部材の鉄筋のかぶりは70mm以上とする。"
RIGHT = "土に接する部材の鉄筋のかぶりは70mm以上です[1]。"


@pytest.fixture
def script() -> Iterator[Script]:
    with scripted_server() as script:
        script.says(CHAT, stream_head(), piece("東京"), piece("です"), end())
        yield script


def use(scene: Scene, address: str, name: str = "m", *, sees_pictures: bool = False) -> LocalModel:
    remote = RemoteModel(normalize_address(address), name, sees_pictures=sees_pictures)
    model = model_registry.describe_remote_model("部署のモデル", remote, scene.library.listed())
    assert scene.library.add_remote(model)
    scene.session.use_model(model.id)
    return model


@pytest.fixture
def remote(scene: Scene, script: Script) -> LocalModel:
    return use(scene, script.address)


def agreed(scene: Scene, text: str = "鉄筋のかぶりは？") -> Message:
    scene.session.agree_to_remote()
    return scene.ask(text)


def error_of(answer: Message) -> str:
    return answer.details.error_code


def ask_collection(scene: Scene, library: Library, label: Label) -> int:
    """Let the conversation ask a collection of this label from now on."""
    collection = add_documents(library, "基準", label, Section(("2.2 鉄筋のかぶり",), COVER, "標準", 14))
    assert scene.session.ask_of((CollectionRef(collection, "基準"),))
    return collection


# --------------------------------------------------------------------- asking


def test_a_question_is_answered_elsewhere_and_the_answer_keeps_by_whom(
    scene: Scene, script: Script, remote: LocalModel
) -> None:
    contacts: list[str] = []
    scene.engine.contacted.connect(contacts.append)
    answer = agreed(scene, "首都は？")
    assert (answer.text, answer.status) == ("東京です", "done")
    shown = model_registry.server_address(remote)
    assert (answer.details.remote, answer.details.model_name) == (shown, "部署のモデル")
    assert scene.thread()[-1].details == answer.details
    assert scene.engine.facts.remote == shown
    assert set(contacts) == {shown}
    usage = {"prompt_tokens": 500, "completion_tokens": 100}
    script.says(CHAT, stream_head(), piece("東"), piece("京"), end(usage=usage))
    scene.ask("その人口は？")
    assert [model.id for model in scene.store.local_models()] == ["tiny"], "its speed is no file's"
    roles = [(message["role"], message["content"]) for message in script.questions[-1].body["messages"]]
    assert roles[-3:] == [("user", "首都は？"), ("assistant", "東京です"), ("user", "その人口は？")]


def test_once_a_server_has_sent_thoughts_one_can_choose_to_have_none(
    scene: Scene, script: Script, remote: LocalModel
) -> None:
    agreed(scene, "首都は？")
    assert scene.session.thinks(scene.thread()) is None
    script.says(CHAT, stream_head(), piece("<think>うーん</think>"), piece("東京です"), end())
    scene.ask("本当に？")
    assert scene.session.thinks(scene.thread()) is True
    assert "reasoning_effort" not in script.questions[-1].body
    scene.session.think(False)
    scene.ask("本当に？")
    assert script.questions[-1].body["reasoning_effort"] == "none"
    assert scene.session.thinks(scene.thread()) is False


def test_models_here_and_elsewhere_take_turns(scene: Scene, script: Script, remote: LocalModel) -> None:
    assert agreed(scene, "一").text == "東京です"
    scene.session.use_model("tiny")
    answer = scene.ask("二")
    assert (answer.text, answer.details.remote if answer.details else None) == ("二", "")
    assert len(script.questions) == 1
    scene.session.use_model(remote.id)
    assert scene.ask("三").text == "東京です"


@pytest.mark.fault("S13")
def test_two_servers_take_turns_and_a_key_goes_to_its_server_alone(
    scene: Scene, script: Script, remote: LocalModel
) -> None:
    scene.engine.remote_keys.give(remote.remote.address, "sesame")
    with scripted_server() as other:
        other.says(CHAT, stream_head(), piece("別"), end())
        assert agreed(scene, "一").text == "東京です"
        assert {request.headers.get("authorization") for request in script.requests} == {"Bearer sesame"}
        second = use(scene, other.address)
        assert scene.session.needs_remote_consent  # it was agreed to the other one
        assert error_of(scene.ask("二")) == "remote_not_agreed"
        assert other.requests == []
        assert agreed(scene, "三").text == "別"
        assert {request.headers.get("authorization") for request in other.requests} == {None}
        assert second.id != remote.id


def test_a_real_server_answers_and_is_stopped(scene: Scene, tiny_model: Path, tmp_path: Path) -> None:
    with llama_server(tiny_model, tmp_path / "server.log") as address:
        use(scene, address, "tiny")
        scene.session.agree_to_remote()
        stages = scene.session.stage_changed

        def ask_and_stop() -> None:
            with scene.qtbot.waitSignal(stages, check_params_cb=lambda stage: stage.kind == "reading"):
                assert scene.session.ask("a")
            scene.session.stop()

        answer = scene.finish(ask_and_stop)
        assert answer.status in ("stopped", "done")  # random weights may end by themselves
        assert error_of(answer) == ""
        scene.engine.shut_down()


def test_a_server_that_breaks_off_leaves_what_had_come(scene: Scene, script: Script, remote: LocalModel) -> None:
    script.says(CHAT, stream_head(), piece("半分"))
    answer = agreed(scene, "首都は？")
    assert (answer.text, answer.status, error_of(answer)) == ("半分", "failed", "remote_broken")
    script.says(CHAT, stream_head(), piece("東京"), end())
    assert scene.finish(lambda: scene.session.regenerate(answer.id)).text == "東京"


@pytest.mark.usefixtures("remote")
def test_an_answer_from_documents_is_checked_as_any_other(scene: Scene, script: Script, library: Library) -> None:
    ask_collection(scene, library, "internal")
    script.says(CHAT, stream_head(), piece(RIGHT), end())
    answer = agreed(scene, "鉄筋のかぶりは？")
    kept = answer.details.grounding
    assert [(claim.sources, claim.is_supported) for claim in kept.claims] == [((1,), True)]
    assert (
        COVER
        in script.questions[-1].body["messages"][-1]["content"] + script.questions[-1].body["messages"][0]["content"]
    )


# -------------------------------------------------------------------- refusing


def test_nothing_is_sent_before_the_user_agrees_and_then_all_of_that_conversation_alone(
    scene: Scene, script: Script, remote: LocalModel
) -> None:
    assert scene.session.needs_remote_consent
    assert error_of(scene.ask("一")) == "remote_not_agreed"
    assert script.requests == []
    assert agreed(scene, "二").text == "東京です"
    assert not scene.session.needs_remote_consent
    scene.session.open_new()
    assert scene.session.needs_remote_consent
    scene.session.agree_to_remote()  # before its first question
    assert not scene.session.needs_remote_consent
    first = scene.ask("一").conversation_id
    scene.session.open_new()
    assert scene.session.needs_remote_consent
    scene.session.open(first)
    assert not scene.session.needs_remote_consent
    assert conversation_privacy.has_remote_consent(scene.store, first, remote)
    with scene.store.database.transaction():
        scene.store.database.write("UPDATE conversation SET leaf_id = NULL")
        scene.store.database.write("DELETE FROM message")
        scene.store.database.write("DELETE FROM conversation")
    assert not conversation_privacy.has_remote_consent(scene.store, first, remote), "it goes with its conversation"


REFUSALS: dict[str, tuple[Callable[[Scene, Library], object], str]] = {
    "a secret conversation": (lambda scene, _: (agreed(scene), scene.session.give_label("secret")), "remote_secret"),
    "a secret collection": (lambda scene, library: ask_collection(scene, library, "secret"), "remote_secret"),
    "one that was removed": (lambda scene, library: replace_secret_collection(scene, library), "remote_secret"),
    "no network": (lambda scene, _: scene.preferences.change(network_allowed=False), "remote_no_network"),
}


def replace_secret_collection(scene: Scene, library: Library) -> None:
    library.remove_collection(ask_collection(scene, library, "secret"))
    library.add_collection("基準", "public")


@pytest.mark.usefixtures("remote")
@pytest.mark.parametrize(("prepare", "code"), REFUSALS.values(), ids=REFUSALS)
def test_what_is_secret_or_has_no_way_is_not_sent_and_a_model_here_answers(
    scene: Scene, script: Script, library: Library, prepare: Callable[[Scene, Library], object], code: str
) -> None:
    prepare(scene, library)
    asked = len(script.requests)
    assert error_of(agreed(scene)) == code
    assert len(script.requests) == asked
    scene.session.ask_of(())
    scene.session.use_model("tiny")
    assert scene.ask("三").text == "三"


def test_whoever_does_not_say_that_it_was_agreed_sends_nothing(
    scene: Scene, script: Script, remote: LocalModel
) -> None:
    request = AnswerRequest(remote, (Turn("一"),), Settings(), choices_in_force(remote, Choices()))
    run = AnswerRun(scene.engine, request)
    with scene.qtbot.waitSignal(run.failed) as failed:
        run.start()
    assert failed.args[0].code == "remote_not_agreed"
    assert script.requests == []


def test_a_server_hears_nothing_while_a_question_is_typed(scene: Scene, script: Script, remote: LocalModel) -> None:
    ModelPreloader(scene.session, scene.engine, scene.preferences).begin()
    background.shut_down()
    assert not scene.engine.is_up
    assert script.requests == []


# ---------------------------------------------------------------------- the list


def test_a_model_elsewhere_stays_in_the_list_is_no_file_and_comes_back_when_it_was_removed(
    scene: Scene, remote: LocalModel
) -> None:
    again = ModelLibrary(scene.store, scene.where.models)
    assert again.model(remote.id) == remote
    assert remote in again.answering()
    assert remote not in again.models()
    assert remote.id not in [model.id for model in scene.store.local_models()]
    scene.library.remove(remote.id)
    assert scene.library.model(remote.id) is None
    scene.library.put_back(remote)
    assert scene.library.model(remote.id) == remote


def test_another_address_of_the_same_model_is_asked_about_anew(
    scene: Scene, script: Script, remote: LocalModel
) -> None:
    scene.session.agree_to_remote()
    with scripted_server() as other:
        moved = model_registry.describe_remote_model(
            remote.name, RemoteModel(normalize_address(other.address), "m"), ()
        )
        assert scene.library.add_remote(model_registry.with_old_identity(remote, moved))
        assert scene.session.needs_remote_consent
        assert error_of(scene.ask("一")) == "remote_not_agreed"
        assert (script.requests, other.requests) == ([], [])


@pytest.mark.usefixtures("remote")
def test_answers_from_what_has_become_secret_are_not_sent(scene: Scene, script: Script, library: Library) -> None:
    """Also where nothing more is asked of the documents: what they said is in the conversation."""
    collection = ask_collection(scene, library, "internal")
    assert agreed(scene).status == "done"
    assert scene.session.ask_of(())
    asked = len(script.requests)
    library.set_label(collection, "secret")
    assert error_of(scene.ask("続けて")) == "remote_secret"
    assert len(script.requests) == asked


def test_a_text_for_a_model_here_does_not_wait_for_one_elsewhere(
    scene: Scene, script: Script, remote: LocalModel
) -> None:
    """A batch here, whose prompt is still being built, and a question elsewhere, which takes its engine away."""
    scene.session.use_model("tiny")
    assert scene.ask("一").text == "一"
    scene.engine.send(Load(scene.engine.new_id(), remote.path, remote=remote.remote))
    scene.engine.send(Ask(scene.engine.new_id(), (Segment("秘密"),)))
    received = scene.engine.event_received
    with scene.qtbot.waitSignal(received, check_params_cb=lambda event: isinstance(event, Ready)):
        scene.engine.send(Tokenize(scene.engine.new_id(), ((Segment("秘密"),),)))
    with scene.qtbot.waitSignal(received, check_params_cb=lambda event: isinstance(event, Done)):
        scene.engine.send(Ask(scene.engine.new_id(), prompts.build(prompts.MESSAGES_FORM, (Turn("公開"),))))
    assert [one.body["messages"][-1]["content"] for one in script.questions] == ["公開"]


def test_switching_the_network_off_ends_what_is_asked_elsewhere(
    scene: Scene, script: Script, remote: LocalModel
) -> None:
    is_asked, is_over = threading.Event(), threading.Event()

    def wait(_request: object) -> Iterator[bytes]:
        is_asked.set()
        is_over.wait(LIMIT_S)
        return iter(())

    script.answers[CHAT] = wait

    def ask_and_switch_off() -> None:
        scene.session.agree_to_remote()
        assert scene.session.ask("一")
        scene.qtbot.waitUntil(is_asked.is_set, timeout=LIMIT_S * 1000)
        scene.preferences.change(network_allowed=False)

    answer = scene.finish(ask_and_switch_off)
    is_over.set()
    assert error_of(answer) == "remote_no_network"
    scene.qtbot.waitUntil(lambda: not scene.engine.is_up, timeout=LIMIT_S * 1000)


# -------------------------------------------------------------------------- batch


def agreed_desk(scene: Scene, folder: Path) -> Desk:
    desk = Desk(scene, folder)
    desk.when_prepared = lambda batch: desk.batches.begin(dataclasses.replace(batch, is_agreed=True), PERMIT)
    return desk


def test_a_batch_is_answered_elsewhere_only_when_it_was_agreed(
    scene: Scene, script: Script, remote: LocalModel, tmp_path: Path
) -> None:
    assert Desk(scene, tmp_path).failure("一") == "remote_not_agreed"
    assert script.requests == []
    desk = agreed_desk(scene, tmp_path)
    desk.out = tmp_path / "別.jsonl"
    assert desk.run("一", "二").answered == 2
    assert len(script.questions) == 2


def test_a_batch_sends_nothing_more_once_the_network_is_switched_off(
    scene: Scene, script: Script, remote: LocalModel, tmp_path: Path
) -> None:
    """It was begun with the settings of then."""
    desk = agreed_desk(scene, tmp_path)
    desk.after_each_answer(lambda _result: scene.preferences.change(network_allowed=False))
    assert desk.failure(*"一二三四五六七八") == "remote_no_network"
    assert len(script.questions) <= 1 + REMOTE_REQUESTS  # those that were on their way


# --------------------------------------------------------------- what needs a file


def test_what_is_measured_or_made_into_training_data_needs_a_model_of_this_machine(
    scene: Scene, script: Script, remote: LocalModel, tmp_path: Path
) -> None:
    job = PromptJob(remote, Settings(), (StandalonePrompt("", "一"),), tmp_path / "journal.jsonl")
    run = PromptRun(scene.engine, job)
    with scene.qtbot.waitSignal(run.failed) as failed:
        run.start()
    assert failed.args[0].code == "remote_cannot"
    with pytest.raises(AppError) as refused:
        study_request.require_complete(StudyRequest("models", AnswerParameters(), models=(remote,)))
    assert refused.value.code == "remote_cannot"
    assert script.requests == []


def test_a_page_without_words_is_not_sent_if_it_has_become_secret_since_the_question(
    scene: Scene, library: Library, script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(scene, script.address, sees_pictures=True)
    path = tmp_path / "図.png"
    Image.new("RGB", (80, 40), "red").save(path)
    collection_id = library.add_collection("図面")
    (document_id,) = library.add_documents(collection_id, [path])
    document = library.document(document_id)
    assert document is not None
    library.put(dataclasses.replace(document, state="done"), [])
    retrieve = retrieval_augmentation.retrieve

    def label_first(*asked: Any) -> RetrievedPassages:
        with contextlib.closing(Library.open_second(library.path)) as second:
            second.set_label(collection_id, "secret")
        return retrieve(*asked)

    monkeypatch.setattr(retrieval_augmentation, "retrieve", label_first)
    scope = (CollectionRef(collection_id, "図面", (str(path),), (PageRegion(str(path), 1),)),)
    assert scene.session.ask_of(scope)
    assert (error_of(agreed(scene, "何色ですか")), script.questions) == ("remote_secret", [])


@pytest.mark.parametrize("label", ["internal", "secret"])
def test_a_framed_figure_goes_to_a_server_that_sees_pictures_but_no_secret_one(
    scene: Scene, library: Library, script: Script, tmp_path: Path, label: Label
) -> None:
    use(scene, script.address, sees_pictures=True)
    path = tmp_path / "図.png"
    Image.new("RGB", (80, 40), "red").save(path)
    (document_id,) = library.add_documents(library.add_collection("図面", label), [path])
    document = library.document(document_id)
    assert document is not None
    library.put(dataclasses.replace(document, state="done"), [Section((), "図1 橋脚")])
    part = PageRegion(str(path), 1, (0, 0, 0.5, 1), "図1 橋脚")
    assert scene.session.ask_of((CollectionRef(document.collection_id, "図面", (str(path),), (part,)),))
    answer = agreed(scene, "何色ですか")
    if label == "secret":
        assert (error_of(answer), script.questions) == ("remote_secret", [])
        return
    content = script.questions[-1].body["messages"][-1]["content"]
    data = base64.b64decode(content[0]["image_url"]["url"].partition(",")[2])
    with Image.open(io.BytesIO(data)) as shown:
        assert (shown.size, shown.getpixel((9, 9))) == ((1024, 1024), (255, 0, 0))
    assert "図1 橋脚" in script.questions[-1].body["messages"][0]["content"] + content[1]["text"]
    grounding = answer.details.grounding
    assert grounding is not None
    assert (answer.text, grounding.pictures, grounding.sources[0].text) == ("東京です", (part.name,), "図1 橋脚")
