"""An adapter that comes with the program: for which file it is used, and that answers are given with it."""

import dataclasses
from pathlib import Path

import pytest

from app.base.paths import resources
from app.chat.services.answer_run import AnswerRequest, AnswerRun
from app.inference import gguf
from app.inference.engine.messages import AdapterUse, Ask
from app.inference.local_model import FileFingerprint, LocalModel
from app.inference.prompts import Turn
from app.models import catalogue, local_models, starter
from tests.scene import Scene

CARD = starter.card()
SHA256 = CARD.files[0].sha256


def starter_with(sha256: str = SHA256, form: str = CARD.form) -> LocalModel:
    marks = (FileFingerprint("a.gguf", 1, 1, sha256),)
    return LocalModel("a", "A", "/a.gguf", 1, "gemma3", "Q4_K_M", 32768, 1.0, CARD.id, form, files=marks)


def test_it_is_for_exactly_the_file_that_it_was_trained_on() -> None:
    adapter = local_models.adapter_of(starter_with())
    assert adapter.path.is_file()
    assert catalogue.load().forms[adapter.form_id].answer_start == catalogue.load().forms[CARD.form].answer_start
    assert local_models.adapter_of(starter_with("0" * 64)) is None
    assert local_models.adapter_of(starter_with("")) is None
    assert local_models.adapter_of(starter_with(form="chatml")) is None
    assert local_models.adapter_of(dataclasses.replace(starter_with(), files=())) is None
    assert local_models.adapter_of(dataclasses.replace(starter_with(), card_id=None)) is None


@pytest.mark.model
def test_the_shipped_one_fits_the_trial_model(starter_model: Path) -> None:
    """Also as it is described after it was put together."""
    model = local_models.describe(starter_model)
    adapter = local_models.adapter_of(model)
    gguf.check_adapter(adapter.path, gguf.read_header(starter_model))


def test_the_terms_of_what_it_was_made_from_stand_beside_it() -> None:
    notice = (resources() / CARD.adapter).with_name("NOTICE").read_text("utf-8")
    assert "Gemma Terms of Use" in notice
    assert CARD.licence_url.removeprefix("https://") in notice
    assert "modified" in notice


@pytest.mark.parametrize(
    ("chosen", "used", "form"),
    [
        (None, (AdapterUse("card.gguf"),), "question_answer_trained"),
        ((), (), "llama3"),
        ((AdapterUse("own.gguf", 0.5),), (AdapterUse("own.gguf", 0.5),), "llama3"),
    ],
)
def test_answers_are_given_with_it_unless_another_or_none_is_chosen(
    chosen: tuple[AdapterUse, ...] | None,
    used: tuple[AdapterUse, ...],
    form: str,
    scene: Scene,
    model: LocalModel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    of_card = local_models.CardAdapter(Path("card.gguf"), "question_answer_trained")
    monkeypatch.setattr(local_models, "adapter_of", lambda _model: of_card)
    sent: list[object] = []
    send = scene.engine.send
    monkeypatch.setattr(scene.engine, "send", lambda command: (sent.append(command), send(command)))
    run = AnswerRun(
        scene.engine, AnswerRequest(model, (Turn("質問"),), scene.preferences.value, adapters=chosen), scene.session
    )
    with scene.qtbot.waitSignal(run.finished):
        run.start()
    (ask,) = (command for command in sent if isinstance(command, Ask))
    assert ask.adapters == used
    assert ask.stop == catalogue.load().forms[form].stop
    assert run.request.model == model, "the list keeps the model as it was"
