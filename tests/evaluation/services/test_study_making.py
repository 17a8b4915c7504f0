"""What the window asks for becomes the study that the command line makes of the same; and what that will take."""

import dataclasses
import json
import shutil
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PySide6.QtCore import QCoreApplication

from app import cli as main
from app.base import json_lines, settings
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.wording import describe_error, phrase
from app.chat.store import Store
from app.documents.grounding.grounding_record import CollectionRef
from app.documents.records import Section
from app.evaluation import question_sets
from app.evaluation.cli import eval_run
from app.evaluation.records import Question
from app.evaluation.services import study_making
from app.evaluation.services.study_making import StudyForecast
from app.evaluation.study import studies
from app.evaluation.study.request import AnswerParameters, StudyRequest
from app.evaluation.study.studies import Study
from app.inference import speed
from app.inference.local_model import LocalModel
from app.inference.speed import MachineSpeed
from app.models import local_models, model_registry
from app.training import published_model
from app.training.runs import run_folders
from app.training.services import training_run
from app.training.services.training_run import Trainer
from tests import fake_trainer
from tests import model_files as tiny
from tests.evaluation.test_scale_plan import data as split_data
from tests.training.generation.collection import library_of
from tests.training_runs import finished_run

data = split_data  # a fixture

ASKING = AnswerParameters(context_tokens=2048)
DiskUsage = namedtuple("DiskUsage", "total used free")


@dataclasses.dataclass
class Bench:
    where: Paths
    store: Store
    base: LocalModel
    other: LocalModel
    tuned: LocalModel  # the base with the adapter of run r1
    scope: tuple[CollectionRef, ...]
    trainer: Trainer
    monkeypatch: pytest.MonkeyPatch

    @property
    def models(self) -> list[LocalModel]:
        return model_registry.list_models(self.store, self.where.models)

    def ask(self, compares: str, *models: LocalModel, **others: Any) -> StudyRequest:
        fields: dict[str, Any] = {"question_set": "試験", "models": models, "asking": ASKING}
        return StudyRequest(compares, **(fields | others))

    def ask_scale(self, data: Path, **others: Any) -> StudyRequest:
        return self.ask("scale", self.base, data=str(data), sizes=(20, 60), runs=1, **others)

    def made(self, request: StudyRequest) -> Study:
        folder = study_making.make(request, self.where, self.models, self.trainer)
        assert studies.find(self.where.evaluations, folder.name).state == "waiting"
        return studies.read(folder)

    def forecast(self, request: StudyRequest) -> StudyForecast:
        return study_making.forecast(request, self.where, self.models, self.trainer)

    def of_command(self, *arguments: str) -> Study:
        """What `kotae eval ARGUMENTS` makes. It is not carried out."""
        self.monkeypatch.setattr(eval_run, "carry_out", lambda *_anything: 1)
        before = {one.id for one in studies.list_all(self.where.evaluations)}
        context = () if arguments[0] == "scale" else ("--context", "2048")
        main.main(["eval", *arguments, *context, "--json"], lambda *_: 0)
        (entry,) = (one for one in studies.list_all(self.where.evaluations) if one.id not in before)
        assert entry.study is not None
        return entry.study

    def refused(self, request: StudyRequest) -> AppError:
        """By the making and by the forecast alike; nothing is left."""
        codes = []
        for act in (study_making.make, study_making.forecast):
            with pytest.raises(AppError) as caught:
                act(request, self.where, self.models, self.trainer)
            codes.append(caught.value.code)
        assert codes[0] == codes[1]
        assert studies.list_all(self.where.evaluations) == []
        assert "--" not in str(describe_error(caught.value))  # no option of a command
        return caught.value


@pytest.fixture
def bench(where: Paths, store: Store, tmp_path: Path, qapp: QCoreApplication, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setenv("KOTAE_ENGINE", "echo")
    monkeypatch.setenv("KOTAE_DATA_DIR", str(where.data))
    fake_trainer.use(monkeypatch, "good")
    metadata = {"llama.context_length": 4096}
    first = tiny.tiny_llama(tmp_path / "一つ目.gguf", metadata=metadata)
    second = tiny.tiny_llama(tmp_path / "二つ目.gguf", metadata=metadata, seed=2)
    base, other = (local_models.add(store, local_models.describe(path)) for path in (first, second))
    finished_run(where.runs / "r1", first, name="敬語")
    tuned = published_model.publish(where.runs / "r1", store, where.models, strength=0.7)
    questions = [Question(f"q{number}", f"{number} 番目は？", reference="答え") for number in range(1, 5)]
    question_sets.store(where.questions, "試験", questions)
    library = library_of(where.documents, {"基準.md": [Section(("章",), "鉄筋のかぶりは50mm以上とする。", "標準")]})
    scope = (CollectionRef(library.collection("基準").id, "基準"),)
    library.close()
    return Bench(where, store, base, other, tuned, scope, training_run.locate_trainer(where.data), monkeypatch)


def plain(study: Study) -> dict[str, Any]:
    """Without what two of the same request differ in: name, time and folder, where a copy of the adapter lies, and what
    is known of the model's file."""
    found: dict[str, Any] = json.loads(json_lines.encode_line(study).replace(study.id.encode(), b"ID"))
    for contender in found["contenders"]:
        contender["system"]["adapter"] = bool(contender["system"]["adapter"])
        contender["model"] = {key: contender["model"][key] for key in ("path", "form_id", "name", "size_bytes")}
    for made in found["made"]:
        made["adapter"] = bool(made["adapter"])
    return found | {"name": "", "created_at": 0.0}


def merged(bench: Bench) -> LocalModel:
    """A file of the list into which a training of the base was merged."""
    assert bench.tuned.tuned is not None
    model = dataclasses.replace(bench.other, id="merged", name="結合済み", tuned=bench.tuned.tuned)
    model_registry.put_tuned_model(bench.store, model)
    return model


@pytest.mark.parametrize(
    ("compares", "fields", "command", "kind"),
    [
        (
            "documents",
            lambda b: {"models": (b.base,), "tuned": b.tuned, "scope": b.scope},
            "documents 試験 --model {base} --collection 基準 --adapter r1:0.7",
            "documents",
        ),
        (
            "documents",  # of a base with its adapter, which is compared with that base
            lambda b: {"models": (b.tuned,), "scope": b.scope},
            "documents 試験 --model {base} --collection 基準 --adapter r1:0.7",
            "documents",
        ),
        (
            "documents",  # of a model that was not trained
            lambda b: {"models": (b.other,), "scope": b.scope},
            "documents 試験 --model {other} --collection 基準",
            "documents",
        ),
        (
            "models",  # before and after a training
            lambda b: {"models": (b.base, b.tuned)},
            "questions 試験 --model {base} --adapter none --adapter r1:0.7",
            "questions",
        ),
        (
            "models",  # a base, and a file into which its training was merged
            lambda b: {"models": (b.base, merged(b))},
            "questions 試験 --model {base} --model merged",
            "questions",
        ),
        (
            "models",
            lambda b: {"models": (b.base, b.other), "scope": b.scope, "limit": 2},
            "questions 試験 --model {base} --model {other} --collection 基準 --limit 2",
            "bases",
        ),
        (
            "quantizations",
            lambda b: {"models": (b.base,), "forms": ("Q8_0",)},
            "quant {base} --questions 試験 --quant Q8_0",
            "quantizations",
        ),
        (
            "quantizations",
            lambda b: {"models": (b.base,), "tuned": b.tuned, "forms": ("Q8_0",)},
            "quant {base} --questions 試験 --quant Q8_0 --adapter r1:0.7",
            "quantizations",
        ),
        (
            "quantizations",  # that are there already
            lambda b: {"models": (b.base, b.other)},
            "quant {base} {other} --questions 試験",
            "quantizations",
        ),
    ],
)
def test_the_window_and_the_command_make_the_same_study(
    bench: Bench, compares: str, fields: Callable[[Bench], dict[str, Any]], command: str, kind: str
) -> None:
    study = bench.made(bench.ask(compares, **fields(bench)))
    assert plain(study) == plain(bench.of_command(*command.format(base=bench.base.id, other=bench.other.id).split()))
    assert study.kind == kind


def test_a_study_that_is_given_the_name_of_another_gets_a_number(bench: Bench) -> None:
    asking = dataclasses.replace(ASKING, name="春の比較")
    names = [bench.made(bench.ask("models", bench.base, bench.other, asking=asking)).name for _ in range(2)]
    assert names == ["春の比較", "春の比較（2）"]


def test_models_that_are_compared_are_asked_themselves_with_the_strength_of_their_adapter(bench: Bench) -> None:
    study = bench.made(bench.ask("models", bench.base, bench.tuned, scope=bench.scope))
    assert [(one.may_quote, one.system.strength) for one in study.contenders] == [(False, 1.0), (False, 0.7)]


def test_quantizations_are_made_of_the_base_and_of_what_is_merged(bench: Bench) -> None:
    study = bench.made(bench.ask("quantizations", bench.base, tuned=bench.tuned, forms=("Q8_0",)))
    assert study.has_likelihoods
    assert [(one.form, one.strength) for one in study.made] == [("Q8_0", 1.0), ("F16", 0.7), ("Q8_0", 1.0)]
    assert bench.made(bench.ask("quantizations", bench.base, bench.other)).made == ()


def test_amounts_of_training_data(bench: Bench, data: Path) -> None:
    request = bench.ask_scale(data, asking=AnswerParameters())
    study = bench.made(request)
    asked = ("scale", str(data), "--base", bench.base.id, "--sizes", "20,60", "--seeds", "1", "--questions", "試験")
    found, made = plain(study), plain(bench.of_command(*asked))
    assert found["context_tokens"] == 4096
    assert {**found, "context_tokens": made["context_tokens"]} == made
    assert [(one.rows, one.is_control) for one in study.trainings] == [(20, False), (60, False), (20, True)]


def test_without_questions_the_hold_out_alone_judges(bench: Bench, data: Path) -> None:
    request = bench.ask("scale", bench.base, question_set="", data=str(data), sizes=(20, 60), runs=2, has_control=False)
    study = bench.made(request)
    assert (study.name, study.contenders, len(study.trainings)) == ("点検", (), 4)


def test_how_it_is_asked_and_without_a_set_the_shipped_questions(bench: Bench) -> None:
    judge = dataclasses.replace(ASKING, name="私の", judge=bench.other, seeds=3, temperature=0.7, max_tokens=99)
    study = bench.made(bench.ask("models", bench.base, question_set="", asking=judge))
    assert (study.set_name, study.set_version) == (question_sets.shipped().name, 0)
    assert (study.name, study.judge, study.seeds) == ("私の", bench.other, (0, 1, 2))
    assert (study.choices.temperature, study.choices.max_tokens, study.context_tokens) == (0.7, 99, 2048)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda b: {"models": ()}, "wish_models"),
        (lambda b: {"models": (b.base, b.other)}, "wish_one_model"),
        (lambda b: {"scope": ()}, "wish_collections"),
        (lambda b: {"limit": 0}, "wish_number"),
        (lambda b: {"question_set": "無い"}, "wish_set_gone"),
        (lambda b: {"question_set": "試験@9"}, "wish_version_gone"),
        (lambda b: {"models": (b.other,), "tuned": b.tuned}, "wish_other_base"),
        (lambda b: {"models": (dataclasses.replace(b.base, path="/gone.gguf"),)}, "model_missing"),
        (lambda b: {"models": (dataclasses.replace(b.base, architecture="bert"),)}, "wish_for_search"),
        (lambda b: {"asking": dataclasses.replace(ASKING, has_pairs=True)}, "wish_pairs"),
        (lambda b: {"asking": dataclasses.replace(ASKING, seeds=2, temperature=0.0)}, "wish_repeats"),
        (lambda b: {"asking": dataclasses.replace(ASKING, temperature=9.0)}, "wish_number"),
    ],
)
def test_what_cannot_be_compared_is_said_and_leaves_nothing(
    bench: Bench, change: Callable[[Bench], dict[str, Any]], code: str
) -> None:
    request = bench.ask("documents", bench.base, scope=bench.scope)
    error = bench.refused(dataclasses.replace(request, **change(bench)))
    assert error.code == code
    assert code != "wish_version_gone" or "「試験」に版 9 が" in describe_error(error).message


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda b: {"models": (b.tuned,)}, "wish_base_is_tuned"),
        (lambda b: {"data": ""}, "wish_data"),
        (lambda b: {"sizes": (60, 20)}, "wish_sizes_order"),
        (lambda b: {"sizes": (2, 20)}, "scale_size_small"),
        (lambda b: {"question_set": "", "asking": dataclasses.replace(ASKING, judge=b.other)}, "wish_judge_alone"),
    ],
)
def test_what_cannot_be_trained_is_said_and_leaves_nothing(
    bench: Bench, data: Path, change: Callable[[Bench], dict[str, Any]], code: str
) -> None:
    request = bench.ask_scale(data)
    assert bench.refused(dataclasses.replace(request, **change(bench))).code == code


def test_what_needs_the_training_environment_says_so_before_it_begins(bench: Bench, data: Path, tmp_path: Path) -> None:
    """With the folder that was chosen for it."""
    bench.monkeypatch.delenv(training_run.VARIABLE)
    bench.monkeypatch.setattr("app.models.training_environment._ROOT", tmp_path)  # where no development one is
    settings.save(bench.where.settings, settings.Settings(training_folder=str(tmp_path / "選んだ")))
    quantized = dataclasses.replace(bench.base, quantization="Q4_K_M")
    for request in (
        bench.ask_scale(data),
        bench.ask("quantizations", quantized, forms=("Q8_0",)),
    ):
        for act in (study_making.make, study_making.forecast):
            with pytest.raises(AppError) as caught:
                act(request, bench.where, bench.models, None)
            assert caught.value.code == "no_training_environment"
            assert str(tmp_path / "選んだ") in str(describe_error(caught.value))
    assert studies.list_all(bench.where.evaluations) == []


# -------------------------------------------------------------------------- labels


@pytest.fixture
def secret(bench: Bench) -> LocalModel:
    """The base with the adapter of run r2, whose data are 機密."""
    folder = finished_run(bench.where.runs / "r2", Path(bench.base.path), name="機密", seed=5)
    asked = json.loads((folder / run_folders.SPEC).read_bytes())
    (folder / run_folders.SPEC).write_text(
        json.dumps(asked | {"train": str(folder / run_folders.DATA / "train.jsonl")}), "utf-8"
    )
    (folder / run_folders.DATA).mkdir(exist_ok=True)
    (folder / run_folders.DATA / "split.json").write_text(json.dumps({"source": {"label": "secret"}}), "utf-8")
    return published_model.publish(folder, bench.store, bench.where.models)


def test_what_a_model_answers_that_was_trained_on_secret_data_is_secret(bench: Bench, secret: LocalModel) -> None:
    assert bench.made(bench.ask("models", bench.base, bench.tuned)).label == "internal"
    study = bench.made(bench.ask("models", bench.base, secret))
    assert (study.label, [one.label for one in study.contenders]) == ("secret", ["internal", "secret"])
    asked = ("--model", bench.base.id, "--adapter", "none", "--adapter", "r2")
    assert plain(study) == plain(bench.of_command("questions", "試験", *asked))
    for request in (
        bench.ask("documents", bench.base, tuned=secret, scope=bench.scope),
        bench.ask("quantizations", bench.base, tuned=secret, forms=("Q8_0",)),
    ):
        assert bench.made(request).label == "secret"


def test_a_merged_file_that_was_trained_on_secret_data_is_secret(bench: Bench, secret: LocalModel) -> None:
    merged = dataclasses.replace(bench.other, tuned=secret.tuned)
    assert bench.made(bench.ask("documents", bench.base, tuned=merged, scope=bench.scope)).label == "secret"


def test_amounts_of_secret_training_data_make_a_secret_study(bench: Bench, data: Path, tmp_path: Path) -> None:
    split = shutil.copytree(data, tmp_path / "機密")
    manifest = json.loads((split / "split.json").read_bytes())
    (split / "split.json").write_text(json.dumps(manifest | {"source": {"label": "secret"}}), "utf-8")
    request = bench.ask_scale(split, asking=AnswerParameters())
    assert bench.made(request).label == "secret"
    assert bench.made(dataclasses.replace(request, question_set="")).label == "secret"
    assert bench.made(dataclasses.replace(request, data=str(data))).label == "internal"


def test_an_adapter_that_is_not_what_it_was_is_refused(bench: Bench) -> None:
    tiny.tiny_adapter(Path(bench.tuned.adapter), seed=9)
    with pytest.raises(AppError, match="tuned_adapter_changed"):
        bench.made(bench.ask("models", bench.tuned))


def test_a_disk_without_room_for_the_forms_is_told_before_anything_is_made(bench: Bench) -> None:
    request = bench.ask("quantizations", bench.base, forms=("Q8_0",))
    bench.monkeypatch.setattr("shutil.disk_usage", lambda _path: DiskUsage(100, 100, 0))
    with pytest.raises(AppError, match="drive_space"):
        bench.made(request)
    assert studies.list_all(bench.where.evaluations) == []


# ------------------------------------------------------------------------ forecast


def test_a_forecast_counts_what_the_study_will_ask_and_writes_nothing(bench: Bench) -> None:
    asking = dataclasses.replace(ASKING, seeds=2, temperature=0.7, judge=bench.other)
    request = bench.ask("documents", bench.base, tuned=bench.tuned, scope=bench.scope, asking=asking)
    found = bench.forecast(request)
    assert (found.systems, found.questions, found.answers, found.judged) == (5, 4, 40, 40)
    assert (found.disk_bytes, found.trainings, found.most_answering_s) == (0, 0, None)
    assert not bench.where.evaluations.exists()
    assert len(bench.made(request).contenders) == found.systems


def test_no_model_is_read_for_a_forecast(bench: Bench) -> None:
    def fail(_path: Path) -> str:
        raise AssertionError("read")

    bench.monkeypatch.setattr("app.base.files.input_file.sha256_of", fail)
    assert bench.forecast(bench.ask("quantizations", bench.base, forms=("Q8_0",))).systems == 2


def test_answers_take_at_most_what_was_measured_of_the_model(bench: Bench) -> None:
    measured = dataclasses.replace(bench.base, speeds={"plain": {"prompt": 1e9, "answer": 32.0}})
    asking = dataclasses.replace(ASKING, max_tokens=64)
    request = bench.ask("models", measured, asking=asking)
    assert bench.forecast(request).most_answering_s == pytest.approx(4 * 64 / 32.0, rel=0.01)
    assert bench.forecast(dataclasses.replace(request, models=(measured, bench.other))).most_answering_s is None
    slower = dataclasses.replace(measured, speeds={"plain": {"prompt": 1e9, "answer": 8.0}, **(measured.speeds or {})})
    assert bench.forecast(dataclasses.replace(request, models=(slower,))).most_answering_s == pytest.approx(
        8.0, rel=0.01
    )


def test_a_machine_that_was_measured_lets_the_time_be_predicted(bench: Bench) -> None:
    request = bench.ask("models", bench.base)
    assert bench.forecast(request).most_answering_s is None
    speed.save(bench.where.data / speed.FILE_NAME, MachineSpeed(5.3e9, 3.1e10, 1e10, 2, 1.0))
    assert (bench.forecast(request).most_answering_s or 0) > 0


def test_the_forecast_of_forms_tells_what_they_take_of_the_disk(bench: Bench) -> None:
    request = bench.ask("quantizations", bench.base, forms=("Q8_0",))
    found = bench.forecast(request)
    (made,) = bench.made(request).made
    assert found.disk_bytes == made.size_bytes > 0
    assert found.free_bytes > found.disk_bytes


def test_a_larger_form_takes_longer_to_answer_than_the_file_it_is_made_of(bench: Bench) -> None:
    measured = dataclasses.replace(bench.base, quantization="F32", speeds={"plain": {"prompt": 1e9, "answer": 32.0}})
    small = bench.forecast(bench.ask("quantizations", measured, forms=("Q4_K_M",))).most_answering_s or 0
    large = bench.forecast(bench.ask("quantizations", measured, forms=("Q8_0",))).most_answering_s or 0
    assert 4 * 512 / 32.0 < small < large


def test_the_forecast_of_amounts_tells_trainings_and_their_time(bench: Bench, data: Path) -> None:
    request = bench.ask("scale", bench.base, data=str(data), sizes=(20, 60), runs=2)
    found = bench.forecast(request)
    assert (found.trainings, found.systems, found.answers, found.is_guessed) == (5, 3, 12, True)
    assert found.training_s > 0
    assert 0 < found.disk_bytes < found.free_bytes
    assert list(bench.where.evaluations.iterdir()) == []
    alone = bench.forecast(dataclasses.replace(request, question_set="", has_control=False))
    assert (alone.trainings, alone.systems, alone.answers) == (4, 0, 0)


def test_without_a_tuned_model_nothing_is_asked_as_one(bench: Bench, tmp_path: Path) -> None:
    """Not even the adapter that comes with the base, as the trial model's does: that is how the base answers."""
    adapter = tiny.tiny_adapter(tmp_path / "付属.gguf")
    bench.monkeypatch.setattr(local_models, "adapter_of", lambda _model: SimpleNamespace(path=adapter, form_id=""))
    study = bench.made(bench.ask("documents", bench.base, scope=bench.scope))
    names = [contender.system.name for contender in study.contenders]
    tuned = phrase("evaluation.system_way.tuned")
    assert not any(tuned in name for name in names)
    assert all(contender.system.adapter for contender in study.contenders if not contender.system.is_quoted)
    with_tuned = bench.made(bench.ask("documents", bench.base, tuned=bench.tuned, scope=bench.scope))
    assert sum(tuned in contender.system.name for contender in with_tuned.contenders) == 2
