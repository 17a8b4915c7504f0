"""Runs, verdicts and studies that come from elsewhere: refused in words, or never shown as what Kotae has measured."""

import dataclasses
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.base import authenticity, wording
from app.base.errors import AppError
from app.base.files import input_file
from app.base.paths import Paths
from app.evaluation.study import studies
from app.models.training_environment import TrainingEnvironment
from app.training import export_plan, quality_gate, remote_job, remote_job_import, run_result, spec_builder
from app.training.cli import train_texts
from app.training.runs import run_folders, run_report, training_list
from app.training.runs.run_progress import ProgressReader
from app.training.services import training_run
from app.training.services.training_run import Trainer
from app.training.ui import run_texts
from tests import fake_trainer
from tests.evaluation import made_evaluation
from tests.evaluation.driver import QUESTIONS, study
from tests.faults import returned_job
from tests.faults.returned_job import ADAPTERS, CANARY, LINKS, change, sign
from tests.permits import PERMIT
from tests.training import report_folder

UNCHECKED = wording.phrase("common.run_trained_elsewhere")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links and pipes")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("elsewhere")
    return returned_job.finished(root).parent


@pytest.fixture
def job(trained: Path, tmp_path: Path) -> Path:
    """A copy of its own, and the runs in which it was planned."""
    shutil.copytree(trained, tmp_path / "all")
    return tmp_path / "all" / "job"


def refused(job: Path) -> str:
    """By which code; nothing has changed in the runs then, and the sentence has a next step."""
    where = job.parent / "runs"
    before = sorted(path for path in where.rglob("*") if path.name != run_folders.LOCK)
    with pytest.raises(AppError) as caught:
        remote_job_import.import_job(job, where)
    assert sorted(path for path in where.rglob("*") if path.name != run_folders.LOCK) == before
    said = wording.describe_error(caught.value)
    assert said.message
    assert said.next
    return caught.value.code


# ------------------------------------------------------------------ what leads elsewhere


@pytest.mark.parametrize("case", LINKS)
@pytest.mark.fault("S10")
def test_what_leads_elsewhere_or_deceives_is_not_taken_in(case, job):
    do, code = LINKS[case]
    do(job)
    assert refused(job) == code


@pytest.mark.fault("S10")
def test_of_a_run_only_its_own_files_are_taken_in(job):
    (job / "run" / "sitecustomize.py").write_text(CANARY, encoding="utf-8")
    (job / "run" / "gate.json").write_text('{"verdict": "adopt"}', encoding="utf-8")
    (job / "run" / "report.html").write_text(CANARY, encoding="utf-8")
    (job / "run" / "adapter" / "Thumbs.db").write_text(CANARY, encoding="utf-8")
    run = remote_job_import.import_job(job, job.parent / "runs")
    names = {path.relative_to(run.folder).as_posix() for path in run.folder.rglob("*") if path.is_file()}
    assert names - {run_folders.LOCK} == {
        "run.json", "effective.json", "events.jsonl", "adapter.gguf", "holdout.json", run_folders.RETURNED,
        "adapter/adapter_config.json", "adapter/adapter_model.safetensors", "adapter/kotae.json", "adapter/rows.txt",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["base", "train", "adapter"])
@pytest.mark.fault("S10")
def test_a_job_that_nobody_knows_here_names_no_place_of_this_machine(name, job):
    shutil.rmtree(job.parent / "runs")
    change(job / run_folders.SPEC, **{name: str(job.parent / "private" / "id_rsa")})
    sign(job)
    assert refused(job) == "job_unreadable"


def _pipe_for_base(job: Path) -> None:
    (job / "base" / "base.gguf").unlink()
    os.mkfifo(job / "base" / "base.gguf")


def _device_for_base(job: Path) -> None:
    (job / "base" / "base.gguf").unlink()
    (job / "base" / "base.gguf").symlink_to("/dev/zero")


def _linked_base(job: Path) -> None:
    (job / "base").rename(job.parent / "elsewhere")
    (job / "base").symlink_to(job.parent / "elsewhere")


@pytest.mark.parametrize("do", [_pipe_for_base, _device_for_base, _linked_base])
@pytest.mark.fault("S10")
def test_a_base_of_a_job_that_nobody_knows_here_is_a_file_in_it(do, job):
    shutil.rmtree(job.parent / "runs")
    do(job)
    assert refused(job) == "job_refused"


@pytest.mark.fault("S10")
def test_of_a_run_that_is_a_link_only_the_link_is_deleted(judged):
    elsewhere = judged.parent.parent / "elsewhere"
    judged.rename(elsewhere)
    (elsewhere / "novel.txt").write_text("Es war einmal", encoding="utf-8")
    judged.symlink_to(elsewhere)
    run_folders.delete_run(run_folders.read(judged))
    assert not judged.is_symlink()
    assert (elsewhere / "novel.txt").exists()
    assert (elsewhere / run_folders.SPEC).exists()


@pytest.mark.parametrize("name", ["\ud800", "a\udfff", "\udc00\ud800"])
@pytest.mark.fault("S10")
def test_a_job_whose_name_has_half_a_character_is_refused_in_words(name, job):
    shutil.rmtree(job.parent / "runs")
    for file in (run_folders.SPEC, "run/effective.json"):
        change(job / file, name=name)
    sign(job)
    assert refused(job) == "job_unreadable"


# ------------------------------------------------------------- what is loaded, and believed


@pytest.mark.parametrize("case", ADAPTERS)
@pytest.mark.fault("S5")
def test_an_adapter_that_is_none_of_the_runs_base_is_not_taken_in(case, job):
    do, code = ADAPTERS[case]
    do(job)
    assert refused(job) == code


def _other_data(job: Path) -> None:
    """With sums, manifest and effective spec that all agree with it."""
    (job / "data" / "train.jsonl").write_text(returned_job.ROW * 2, encoding="utf-8")
    hashes = json.loads((job / remote_job.JOB_FILE).read_text("utf-8"))["hashes"]
    hashes["train"] = made_hash(job / "data" / "train.jsonl")
    for name in (remote_job.JOB_FILE, "run/effective.json"):
        change(job / name, hashes=hashes)
    sign(job)


def made_hash(path: Path) -> str:
    return input_file.sha256_of(path)


def _other_base(job: Path) -> None:
    for name in (remote_job.JOB_FILE, "run/adapter/kotae.json", "run/effective.json"):
        change(job / name, base_sha256="0" * 64)
    sign(job)


def _other_holdout(job: Path) -> None:
    path = job / "run" / "holdout.json"
    told = json.loads(path.read_text("utf-8"))
    told["chats"][0]["messages"] = [{"role": "user", "content": "やさしい質問"}]
    path.write_text(json.dumps(told), encoding="utf-8")


def _journal(line: str) -> Callable[[Path], None]:
    """The last line is this one."""

    def do(job: Path) -> None:
        path = job / "run" / "events.jsonl"
        kept = [one for one in path.read_text("utf-8").splitlines() if '"finished"' not in one]
        path.write_text("\n".join([*kept, line]), encoding="utf-8")

    return do


def _finished(**values: Any) -> Callable[[Path], None]:
    told = {
        "event": "finished", "reason": "steps", "step": 12, "best_step": 12, "base_loss": 3.0, "best_loss": 1.0,
        "adapter": "a", "gguf": "b", "seconds": 1.0, "tokens_per_s": 1.0, "peak_bytes": 1,
    }  # fmt: skip
    return _journal(json.dumps(told | values))


FORGED: dict[str, tuple[Callable[[Path], None], str]] = {
    "other data that all hashes agree on": (_other_data, "job_changed"),
    "another base that all hashes agree on": (_other_base, "job_changed"),
    "other questions that were kept back": (_other_holdout, "job_changed"),
    "another seed than was asked for": (lambda job: change(job / "run/effective.json", seed=1), "job_changed"),
    "another base in its settings": (lambda job: change(job / "run/effective.json", base_sha256=""), "job_changed"),
    "a loss that is a text": (_finished(best_loss="0.1"), "job_unfinished"),
    "a step that is a truth value": (_finished(step=True), "job_unfinished"),
    "a loss that is no number": (_finished(best_loss=float("nan")), "job_unfinished"),
    "a number beyond every measure": (_finished(peak_bytes=10**400), "job_unfinished"),
    "a key that stands twice": (_journal('{"event": "paused", "event": "finished"}'), "job_unfinished"),
    "a journal that is nested without end": (_journal("[" * 100_000), "job_unfinished"),
    "hashes of a wrong type": (lambda job: change(job / remote_job.JOB_FILE, hashes=[1]), "job_unreadable"),
    "a version that is a truth value": (lambda job: change(job / remote_job.JOB_FILE, version=True), "job_unreadable"),
}  # fmt: skip


@pytest.mark.parametrize("case", FORGED)
@pytest.mark.fault("S15")
def test_what_a_job_says_of_itself_is_compared_with_what_was_sent(case, job):
    do, code = FORGED[case]
    do(job)
    assert refused(job) == code


@pytest.mark.fault("S15")
def test_a_run_that_was_trained_elsewhere_says_so_wherever_its_numbers_stand(job, tally):
    run = remote_job_import.import_job(job, job.parent / "runs")
    told = "\n".join(train_texts.run_page(run))
    view, course = run_result.read_result(run.folder), ProgressReader(run.folder).look(is_ours=False)
    assert course is not None
    places = [
        UNCHECKED in told,
        "未確認" in train_texts.run_line(run),
        train_texts.run_as_json(run)["is_from_elsewhere"] is True,
        UNCHECKED in run_report.render_report(run.folder),
        view.is_from_elsewhere,
        view.categories.rows == (),  # made of what its training said
        course.is_from_elsewhere,
    ]
    tally.tried(len(places))
    assert all(places), places


@pytest.mark.fault("S15")
def test_what_was_trained_elsewhere_is_measured_here_and_never_plainly_adopted(job):
    run = remote_job_import.import_job(job, job.parent / "runs")
    kept = run_folders.read_holdout(run.folder)
    assert all(one.base_nll != one.base_nll for one in kept.examples)  # not known: what it cost there is not believed
    found = report_folder.judged(is_from_elsewhere=True)
    assert (found.verdict, [reason.code for reason in found.reasons][-1:]) != ("adopt", [])
    assert "trained_elsewhere" in [reason.code for reason in found.reasons]


# ------------------------------------------------------------------------ a SPEC's places


PLACES = {
    "a converter": {"converter": "/home/somebody/.ssh"},
    "a folder to write into": {"folder": "/home/somebody"},
    "a cache": {"bases": "../cache"},
    "a hash that would be believed": {"base_sha256": "0" * 64},
}


@pytest.mark.parametrize("case", PLACES)
@pytest.mark.fault("S10")
def test_a_spec_names_no_place_of_this_machine(case, tmp_path):
    path = tmp_path / "spec.json"
    path.write_text(json.dumps({"base": "starter", "data": "x"} | PLACES[case]), encoding="utf-8")
    with pytest.raises(AppError) as caught:
        spec_builder.read_spec_file(path)
    assert (caught.value.code, caught.value.facts["field"]) == ("spec_place_refused", next(iter(PLACES[case])))
    with pytest.raises(AppError, match="spec_place_refused"):
        spec_builder.build_spec({"base": "starter", "data": "x"} | PLACES[case], Paths(tmp_path), (), "/converter")


@pytest.mark.fault("S10")
def test_a_private_file_that_a_spec_calls_its_data_does_not_go_into_a_job(job, tmp_path):
    asked = run_folders.read(job.parent / "runs" / "r").spec
    assert asked is not None
    asked = dataclasses.replace(asked, train=str(job.parent / "private" / "id_rsa"), hashes={})
    with pytest.raises(AppError, match="run_data_invalid"):
        remote_job.make_job(asked, tmp_path / "out", permit=PERMIT)
    assert not any(CANARY in path.read_text("utf-8", "replace") for path in (tmp_path / "out").rglob("*.jsonl"))


@pytest.mark.fault("S10")
def test_an_adapter_whose_files_lead_elsewhere_is_not_trained_further(job, tmp_path):
    folder = job / "run" / "adapter"
    (folder / "rows.txt").unlink()
    (folder / "rows.txt").symlink_to(job.parent / "private" / "id_rsa")
    base = str(job.parent / "base.gguf")
    wishes = {"base": base, "train": str(job / "data/train.jsonl"), "validation": str(job / "data/train.jsonl")}
    with pytest.raises(AppError, match="run_adapter_unreadable"):
        spec_builder.build_spec(wishes | {"adapter": str(folder)}, Paths(tmp_path), (), "")


# ---------------------------------------------------------------------------- verdicts


@pytest.fixture
def judged(tmp_path: Path) -> Path:
    return report_folder.write(tmp_path / "runs" / "r")


def edited(path: Path, **values: Any) -> None:
    change(path, **values)


GATES: dict[str, dict[str, Any]] = {
    "another verdict": {"verdict": "adopt", "reasons": []},
    "another form": {"proposed": "F16"},
    "another loss": {"adapter_nll": 0.001},
    "another file": {"file": "../../other.gguf"},
}


@pytest.mark.parametrize("case", GATES)
@pytest.mark.fault("S15")
def test_a_verdict_that_was_not_measured_here_is_shown_nowhere(case, judged):
    edited(judged / run_folders.GATE, **GATES[case])
    with pytest.raises(AppError, match="gate_from_elsewhere"):
        quality_gate.read_gate(judged)
    run = run_folders.read(judged)
    assert train_texts.gate_of(run) is None
    assert train_texts.run_as_json(run)["verdict"] is None
    view = run_result.read_result(judged)
    assert (view.gate, view.conditions) == (None, ())
    assert view.error is not None
    assert training_list.list_trainings(Paths(judged.parent.parent)).history[0].verdict == ""
    assert wording.phrase("training.gate.adopt") not in run_report.render_report(judged)


@pytest.mark.fault("S15")
def test_a_run_that_was_planned_elsewhere_is_not_gone_on_with_judged_or_renamed(judged, tally):
    edited(judged / run_folders.SPEC, converter="/tmp/evil", bases="/tmp/evil", folder="/home/somebody")
    run = run_folders.read(judged)
    assert run.is_from_elsewhere
    trainer = Trainer(TrainingEnvironment(Path(sys.executable), None), fake_trainer.FAKE)
    (judged / "events.jsonl").unlink()
    for do in (
        lambda: training_run.lock_for_training(trainer, judged),
        lambda: export_plan.read_source(judged),
        lambda: training_list.rename_run(run, "自分の学習"),
    ):
        with pytest.raises(AppError, match="run_from_elsewhere"):
            do()
        tally.tried(1)


@pytest.fixture
def evaluated(tmp_path: Path) -> Path:
    folder = tmp_path / "evaluations" / "x"
    studies.create(folder, study(), QUESTIONS)
    studies.write_results(made_evaluation.evaluation(None, seeds=(1,)), [], folder)
    return folder


STUDIES: dict[str, dict[str, Any]] = {
    "a file of the user's to be deleted": {"made": [
        {"path": "/home/somebody/thesis.docx", "form": "F16", "source": "/x", "adapter": "", "is_shared": False,
         "size_bytes": 0, "strength": 1.0, "adapter_sha256": "", "source_form": "", "source_sha256": ""}]},
    "a folder of the user's to be trained in": {
        "trainings": [{"folder": "/home/somebody", "rows": 1, "seed": 1, "is_control": False}]},
    "another name": {"name": "公式の評価"},
    "another set": {"set_sha256": "1" * 64},
}  # fmt: skip


@pytest.mark.parametrize("case", STUDIES)
@pytest.mark.fault("S15")
def test_a_study_that_was_not_made_here_is_not_opened(case, evaluated):
    edited(evaluated / studies.STUDY, **STUDIES[case])
    with pytest.raises(AppError, match="evaluation_from_elsewhere"):
        studies.read(evaluated)
    assert [one.study for one in studies.list_all(evaluated.parent)] == [None]


@pytest.mark.fault("S15")
def test_results_that_were_not_measured_here_are_not_shown(evaluated):
    told = json.loads((evaluated / studies.RESULTS).read_text("utf-8"))
    for row in told["evaluation"]["systems"][0]["rows"]:
        row["marks"]["score"] = 1.0
    (evaluated / studies.RESULTS).write_text(json.dumps(told), encoding="utf-8")
    with pytest.raises(AppError, match="evaluation_from_elsewhere"):
        studies.read_results(evaluated)


STUDY_VALUES: dict[str, str] = {
    "seeds that are a text": '"seeds": "abc"',
    "a seed that is a truth value": '"seeds": [true]',
    "a seed that is no whole number": '"seeds": [0.5]',
    "a seed beyond every measure": f'"seeds": [{10**400}]',
    "a temperature that is no number": '"choices": {"temperature": NaN}',
    "a name that is a number": '"name": 3',
    "no name at all": '"name": null',
    "a label that there is none of": '"label": "open"',
    "contenders that are no objects": '"contenders": [1]',
    "contenders nested without end": '"contenders": ' + "[" * 100_000,
    "a key that stands twice": '"seeds": [0], "seeds": [1]',
    "a field that there is none of": '"run": "rm"',
}


@pytest.mark.parametrize("case", STUDY_VALUES)
@pytest.mark.fault("S5")
def test_a_study_with_wrong_types_is_refused_in_words(case, evaluated):
    path = evaluated / studies.STUDY
    plain = json.dumps(json.loads(path.read_text("utf-8")), ensure_ascii=False)
    key = STUDY_VALUES[case].partition(":")[0]
    told = {name: value for name, value in json.loads(plain).items() if f'"{name}"' != key}
    path.write_text(json.dumps(told, ensure_ascii=False)[:-1] + f", {STUDY_VALUES[case]}}}", encoding="utf-8")
    with pytest.raises(AppError) as caught:
        studies.read(evaluated)
    assert caught.value.code == "evaluation_damaged"
    assert wording.describe_error(caught.value).next


# ---------------------------------------------------------------- what was written here


@pytest.fixture
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in another process, which knows only what stands in the data folder."""
    monkeypatch.setattr(authenticity, "_registry", authenticity._Registry())


@pytest.mark.fault("S15")
def test_what_lay_in_a_data_folder_before_it_was_used_is_nobodys(judged, forgetful):
    (judged.parent.parent / "kotae.sqlite").touch()
    authenticity.use_registry(judged.parent.parent)
    with pytest.raises(AppError, match="gate_from_elsewhere"):
        quality_gate.read_gate(judged)


@pytest.mark.fault("S15")
def test_another_process_knows_what_this_one_has_measured(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    lists = []
    for _ in range(2):
        monkeypatch.setattr(authenticity, "_registry", authenticity._Registry())
        authenticity.use_registry(tmp_path / "data")
        lists.append(authenticity._registry)
    folder = report_folder.write(tmp_path / "data" / "runs" / "r")
    assert (tmp_path / "data" / authenticity.REGISTRY_FILE).stat().st_mode & 0o077 == 0
    monkeypatch.setattr(authenticity, "_registry", lists[0])
    assert quality_gate.read_gate(folder).verdict
    shutil.copytree(folder, tmp_path / "other" / "runs" / "r")
    monkeypatch.setattr(authenticity, "_registry", authenticity._Registry())
    (tmp_path / "other").mkdir(exist_ok=True)
    authenticity.use_registry(tmp_path / "other")
    with pytest.raises(AppError, match="gate_from_elsewhere"):
        quality_gate.read_gate(tmp_path / "other" / "runs" / "r")


@pytest.mark.fault("S15")
def test_the_window_says_of_a_finished_run_that_it_was_trained_elsewhere(job):
    run = remote_job_import.import_job(job, job.parent / "runs")
    course = ProgressReader(run.folder).look(is_ours=False)
    assert course is not None
    told = run_texts.status_sentence(course, None, is_ours=False)  # type: ignore[arg-type]
    assert told.startswith(UNCHECKED)
    assert UNCHECKED not in run_texts.status_sentence(
        dataclasses.replace(course, is_from_elsewhere=False), None, is_ours=False
    )  # type: ignore[arg-type]
