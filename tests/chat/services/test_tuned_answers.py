"""Answers of a tuned model, over the fake engine as a real child: chosen with one call, taken back with one."""

import functools
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from app.base.errors import AppError
from app.chat.services.prompt_run import PromptJob, reply_conditions
from app.inference.engine.messages import Ask, Command
from app.inference.local_model import LocalModel
from app.models import catalogue
from app.training import published_model
from app.training.runs import run_folders
from tests.scene import Scene
from tests.training_runs import finished_run


@dataclass
class Bench:
    scene: Scene
    run: Path
    asks: list[Ask] = field(default_factory=list)

    def use(self, **how: float) -> LocalModel:
        with self.scene.qtbot.waitSignal(self.scene.library.trained_added) as used:
            self.scene.library.add_trained(functools.partial(published_model.publish, self.run, **how))
        model: LocalModel = used.args[0]
        return model

    def base_id(self) -> str:
        return self.scene.library.models()[0].id


@pytest.fixture
def bench(scene: Scene, long_model: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    made = Bench(scene, finished_run(scene.where.runs / "r1", long_model, name="敬語の応答"))
    send = scene.engine.send

    def note(command: Command) -> None:
        if isinstance(command, Ask):
            made.asks.append(command)
        send(command)

    monkeypatch.setattr(scene.engine, "send", note)
    return made


def test_it_answers_with_its_adapter_and_in_its_form_without_loading_anew(bench: Bench) -> None:
    bench.scene.ask("鍵は？")
    loaded = bench.scene.engine.loaded
    model = bench.use(strength=0.7)
    bench.scene.ask("鍵は？")
    assert bench.scene.session.model_id == model.id
    assert [[use.strength for use in ask.adapters] for ask in bench.asks] == [[], [0.7]]
    assert bench.asks[1].adapters[0].path == model.adapter != str(bench.run / run_folders.ADAPTER)
    assert bench.asks[1].stop == catalogue.load().forms["question_answer_trained"].stop != bench.asks[0].stop
    assert bench.scene.engine.loaded is loaded


def test_an_answer_keeps_which_adapter_has_written_it_and_how_strongly(bench: Bench) -> None:
    model = bench.use(strength=0.7)
    details = bench.scene.ask("鍵は？").details
    kept = (details.model_name, details.run_id, details.adapter_sha256, details.base_sha256, details.adapter_strength)
    assert kept == ("敬語の応答 ×0.7", "r1", model.tuned.adapter_sha256, model.tuned.base_sha256, 0.7)
    bench.scene.session.back_to_base()
    plain = bench.scene.ask("鍵は？").details
    assert (plain.run_id, plain.adapter_sha256, plain.adapter_strength) == ("", "", 1.0)


def test_back_to_the_base_it_stays_in_the_list_and_can_be_used_again(bench: Bench) -> None:
    session = bench.scene.session
    assert session.back_to_base() is None
    model = bench.use()
    assert session.model == model
    assert session.back_to_base() == model
    assert session.model_id == bench.base_id()
    assert model in bench.scene.library.answering()
    session.use_model(model.id)
    assert session.model == model
    bench.scene.library.remove(bench.base_id())
    with pytest.raises(AppError, match="tuned_no_base"):
        session.back_to_base()


def test_it_is_repeated_by_the_same_adapter_or_not_at_all(bench: Bench) -> None:
    model = bench.use()
    answer = bench.scene.ask("鍵は？")
    repeated = bench.scene.finish(lambda: bench.scene.session.reproduce(answer.id)).details
    assert repeated.adapter_sha256 == answer.details.adapter_sha256
    assert repeated.is_same
    bench.scene.library.remove(model.id)
    bench.run = finished_run(bench.scene.where.runs / "r2", Path(model.path), name="敬語の応答", seed=4)
    assert bench.use().id == model.id
    assert bench.scene.refusal(lambda: bench.scene.session.reproduce(answer.id)) == "model_gone"


def test_an_adapter_that_is_gone_is_told_and_the_question_stays(bench: Bench) -> None:
    model = bench.use()
    Path(model.adapter).unlink()
    with bench.scene.qtbot.waitSignal(bench.scene.session.problem_occurred) as told:
        answer = bench.scene.ask("鍵は？")
    assert told.args[0].code == "tuned_adapter_gone"
    assert answer.status == "failed"
    assert bench.asks == []
    bench.use()
    assert bench.scene.ask("鍵は？").status == "done"


def test_what_cannot_be_used_leaves_the_model_that_answers(bench: Bench) -> None:
    (bench.run / run_folders.ADAPTER).unlink()
    with bench.scene.qtbot.waitSignal(bench.scene.library.trained_refused) as refused:
        bench.scene.library.add_trained(functools.partial(published_model.publish, bench.run))
    assert refused.args[0].code == "run_no_adapter"
    assert bench.scene.session.model_id == bench.base_id()


def test_a_removed_one_comes_back_with_its_adapter(bench: Bench) -> None:
    library, model = bench.scene.library, bench.use()
    library.remove(model.id)
    assert library.listed() == library.models()
    bench.run = finished_run(bench.scene.where.runs / "r2", Path(model.path), seed=4)
    bench.use()  # what nobody has any more is deleted then
    library.put_back(model)
    assert library.model(model.id) == model
    assert Path(model.adapter).is_file()


def test_measurements_and_consents_do_not_replace_the_base(bench: Bench) -> None:
    model, library = bench.use(), bench.scene.library
    library.allow_template(model.id)
    assert [one.template_allowed for one in library.listed()] == [True, True]
    bench.scene.ask("とても長い質問です。" * 20)
    assert [one.id for one in library.models()] == [bench.base_id()]
    assert library.models()[0].speeds is None


def test_replies_of_two_adapters_are_not_taken_for_each_other(bench: Bench) -> None:
    settings, journal = bench.scene.preferences.value, bench.scene.where.data / "replies.jsonl"
    models = [bench.scene.library.models()[0], bench.use(), bench.use(strength=0.5)]
    assert len({reply_conditions(PromptJob(model, settings, (), journal)) for model in models}) == 3
