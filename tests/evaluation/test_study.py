"""A study's folder: what is written once, what is next in it, what is deleted, and what happens when it is damaged."""

import dataclasses
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.base.errors import AppError
from app.base.files import work_folder
from app.evaluation.records import Question
from app.evaluation.study import planning, studies, study_steps
from app.evaluation.study.request import AnswerParameters
from app.evaluation.study.studies import MadeModel, RatedAnswer, Study, Training
from app.evaluation.study.study_steps import PendingAnswers, PendingLikelihood
from app.inference.prompts import ScoredText, Segment
from app.models import base_models, catalogue
from app.models.artifact_steps import ArtifactStep
from app.training.runs import run_folders
from tests.evaluation.driver import QUESTIONS, answer, contender, study, write_study
from tests.waiting import LIMIT_S
from trainer import prompt_form as forms
from trainer.events import Finished


def train(folder: Path) -> None:
    """As far as the study looks."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in (run_folders.HOLDOUT, run_folders.ADAPTER):
        (folder / name).touch()
    run_folders.record_event(folder, Finished("epochs", 10, 10, 2.0, 1.0, "adapter", run_folders.ADAPTER, 1.0, 1.0, 1))


@pytest.mark.fault("S17")
def test_a_name_is_one_line_of_which_everything_is_seen(tmp_path: Path) -> None:
    hidden, shown = "橋\u202eniot\U000e0041\x1b[2K\n点検\u2060", "橋niot[2K 点検"
    studies.create(tmp_path / "x", study(name=hidden, set_name=hidden), QUESTIONS)  # by an earlier version
    (entry,) = studies.list_all(tmp_path)
    assert entry.study is not None
    assert (entry.study.name, entry.study.set_name) == (shown, shown)
    assert studies.find(tmp_path, shown).id == "x"
    planned = planning.plan_study("x", "questions", QUESTIONS, (), AnswerParameters(name=hidden))
    assert planned.name == shown


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "x"
    write_study(path)
    return path


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    whole = study(
        contender(1, "/a.gguf", "base"), made=(MadeModel("/a.gguf", "F16", "/folder", size_bytes=5),),
        judge=contender(2, "/b").model,
        trainings=(Training("/run", 50, 1, is_control=True),), rated=(RatedAnswer(1, "はい", 3),), seeds=(0, 1),
    )  # fmt: skip
    studies.create(tmp_path / "y", whole, QUESTIONS)
    assert studies.read(tmp_path / "y") == whole
    assert studies.questions_of(tmp_path / "y", whole) == QUESTIONS


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b'{"version": 99}', b'{"version": 1, "type": "Study", "id": 3}']
)
def test_a_damaged_study_is_told_and_listed_as_such(folder: Path, content: bytes) -> None:
    (folder / studies.STUDY).write_bytes(content)
    with pytest.raises(AppError, match="evaluation_damaged"):
        studies.read(folder)
    assert [(one.id, one.study) for one in studies.list_all(folder.parent)] == [("x", None)]


def test_a_study_is_found_by_a_part_of_its_name(folder: Path) -> None:
    assert studies.find(folder.parent, "試").id == "x"
    write_study(folder.parent / "y")
    for wanted, code in (("試し", "evaluation_ambiguous"), ("ない", "evaluation_unknown"), (" ", "evaluation_unknown")):
        with pytest.raises(AppError) as caught:
            studies.find(folder.parent, wanted)
        assert caught.value.code == code


def test_those_that_a_part_of_a_name_stands_for_are_named_and_the_rest_counted(folder: Path) -> None:
    for number in range(1, 7):
        write_study(folder.parent / f"y{number}")
    with pytest.raises(AppError) as caught:
        studies.find(folder.parent, "y")
    assert caught.value.facts["known"] == "y6 / y5 / y4 / y3 / y2 / ほか 1 件"


def test_a_name_that_is_taken_gets_a_number(folder: Path) -> None:
    assert studies.free_name(folder.parent, "別") == "別"
    assert studies.free_name(folder.parent, "試し") == "試し（2）"
    write_study(folder.parent / "y", name="試し（2）")
    assert studies.free_name(folder.parent, "試し") == "試し（3）"


def test_what_was_removed_is_restored_unless_its_place_is_taken(folder: Path) -> None:
    before = studies.list_all(folder.parent)
    studies.remove(before[0])
    assert studies.list_all(folder.parent) == []
    assert studies.restore(folder.parent, "試し") == before[0]
    studies.remove(before[0])
    studies.create(folder, study(), QUESTIONS)
    with pytest.raises(AppError, match="evaluation_unwritable"):
        studies.restore(folder.parent, "試し")
    assert len(studies.list_all(folder.parent / studies.BIN)) == 1


def test_who_works_on_a_study_keeps_others_from_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work_folder, "_LIMIT_S", 0.05)
    lock = studies.lock(folder)
    assert studies.list_all(folder.parent)[0].state == "running"
    for refused in (lambda: studies.lock(folder), lambda: studies.remove(studies.find(folder.parent, "x"))):
        with pytest.raises(AppError, match="evaluation_busy"):
            refused()
    lock.release()
    assert studies.list_all(folder.parent)[0].state == "waiting"
    studies.remove(studies.find(folder.parent, "x"))
    assert not folder.exists()


def test_who_looks_at_a_study_for_a_moment_does_not_work_on_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work_folder, "_LIMIT_S", LIMIT_S)
    threading.Timer(0.1, studies.lock(folder).release).start()
    taken = studies.lock(folder)
    assert taken.is_locked
    taken.release()


def test_two_that_begin_at_once_in_one_folder_do_not_share_it(folder: Path) -> None:
    with pytest.raises(AppError, match="evaluation_unwritable"):
        studies.create(folder, study(name="別"), QUESTIONS)
    assert studies.read(folder).name == "試し"


# -------------------------------------------------------------------------- steps


def walk(one: Study, folder: Path) -> Iterator[ArtifactStep]:
    """Does what is next until nothing is left, as far as the next look can see."""
    while (step := study_steps.next_step(one, folder, 2)) is not None:
        yield step
        match step.job:
            case Training():
                train(step.path)
            case PendingLikelihood() as pending:
                step.path.touch()
                if pending.makes_reference:
                    Path(pending.reference).touch()
            case PendingAnswers() as pending:
                answer(folder, pending.contender.system.id, pending.seed)
            case _:
                step.path.write_bytes(b"made")
        for path in study_steps.unneeded_files(one, folder, 2):
            path.unlink()


def test_every_system_is_asked_with_every_seed(folder: Path) -> None:
    one = study(contender(1, "/a"), contender(2, "/b"), seeds=(0, 1))
    asked = [(step.job.contender.system.id, step.job.seed) for step in walk(one, folder) if step.kind == "answers"]
    assert asked == [("s1", 0), ("s1", 1), ("s2", 0), ("s2", 1)]


def test_half_answered_questions_are_gone_on_with(folder: Path) -> None:
    one = study(contender(1, "/a"))
    answer(folder, "s1", count=1)
    assert (study_steps.done_steps(one, folder, 2), study_steps.total_steps(one)) == (0, 1)
    assert next(walk(one, folder)).kind == "answers"
    answer(folder, "s1", count=2)
    assert (study_steps.done_steps(one, folder, 2), study_steps.total_steps(one)) == (1, 1)
    assert study_steps.next_step(one, folder, 2) is None


def test_trainings_come_before_the_questions(folder: Path, tmp_path: Path) -> None:
    runs = tuple(Training(str(tmp_path / f"run{rows}"), rows, 0) for rows in (50, 100))
    kinds = [step.kind for step in walk(study(contender(1, "/a"), trainings=runs), folder)]
    assert kinds == ["train", "train", "answers"]


def quantized(folder: Path) -> Study:
    """F16 of a folder that is there, and one form of it; the same merged."""
    base, small = str(folder / "models" / "base"), str(folder / "models" / "small")
    tuned, tuned_small = str(folder / "models" / "tuned"), str(folder / "models" / "tuned-small")
    made = (
        MadeModel(base, "F16", str(folder)), MadeModel(small, "Q8_0", base),
        MadeModel(tuned, "F16", base, "/adapter"), MadeModel(tuned_small, "Q8_0", tuned),
    )  # fmt: skip
    families = [("base", base), ("base", small), ("tuned", tuned), ("tuned", tuned_small)]
    contenders = [contender(number, path, family) for number, (family, path) in enumerate(families, start=1)]
    return study(*contenders, made=made, has_likelihoods=True)


def test_files_are_made_when_something_waits_for_them_and_deleted_after_the_last(folder: Path) -> None:
    one = quantized(folder)
    told, most = [], 0
    for step in walk(one, folder):
        told.append(step.name if step.kind == "make" else step.kind)
        most = max(most, len([path for path in (folder / "models").iterdir() if path.name != "x"]))
    each = ["likelihood", "answers"]
    assert told == ["base", *each, "small", *each, "tuned", *each, "tuned-small", *each]
    assert most == 2
    assert list((folder / "models").iterdir()) == []
    assert [path.name for path in (folder / "likelihoods").iterdir() if path.suffix != ".json"] == []


def test_the_first_of_a_family_is_what_the_others_are_compared_with(folder: Path) -> None:
    one = quantized(folder)
    found = [step.job for step in walk(one, folder) if step.kind == "likelihood"]
    assert [step.makes_reference for step in found] == [True, False, True, False]
    assert found[0].reference == found[1].reference != found[2].reference == found[3].reference


def test_a_reference_that_was_lost_is_made_again(folder: Path) -> None:
    one = quantized(folder)
    walked = walk(one, folder)
    step = next(walked)
    while step.name != "small":
        step = next(walked)
    for path in (folder / "likelihoods").glob("reference-*"):
        path.unlink()
    again = study_steps.next_step(one, folder, 2)
    assert again is not None
    assert again.job.makes_reference


def test_the_size_of_a_file_is_known_when_it_is_gone(folder: Path) -> None:
    path = folder / "models" / "form.gguf"
    one = study(contender(1, str(path)), made=(MadeModel(str(path), "Q8_0", "/a"),))
    assert study_steps.size_bytes(path) == 0
    path.write_bytes(b"12345")
    study_steps.delete_unneeded(one, folder, 2)
    assert path.exists()  # it is waited for
    answer(folder, "s1")
    study_steps.delete_unneeded(one, folder, 2)
    assert not path.exists()
    assert study_steps.size_bytes(path) == 5


def test_checkpoints_of_a_run_that_was_killed_after_its_end_go_too(folder: Path, tmp_path: Path) -> None:
    run = Training(str(tmp_path / "run"), 50, 0)
    (tmp_path / "run" / "checkpoints" / "checkpoint-1").mkdir(parents=True)
    one = study(contender(1, "/a"), trainings=(run,))
    study_steps.delete_unneeded(one, folder, 2)
    assert (tmp_path / "run" / "checkpoints").exists()
    for name in ("holdout.json", "adapter.gguf"):
        (tmp_path / "run" / name).touch()
    assert not study_steps.is_trained(run)  # it was killed before it told its end, and tells it when it goes on
    train(tmp_path / "run")
    study_steps.delete_unneeded(one, folder, 2)
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_the_room_for_forms_is_known_before_the_first(folder: Path) -> None:
    one = quantized(folder)
    sizes = (16, 5, 16, 4)
    made = tuple(dataclasses.replace(made, size_bytes=size) for made, size in zip(one.made, sizes, strict=True))
    assert study_steps.peak_bytes(dataclasses.replace(one, made=made)) == 16 + 16  # base and what is merged of it
    assert study_steps.peak_bytes(study(contender(1, "/a"))) == 0


def test_one_without_others_of_its_family_is_no_reference(folder: Path) -> None:
    one = study(contender(1, "/a", "llama"), contender(2, "/b", "qwen"), has_likelihoods=True)
    found = [step.job for step in walk(one, folder) if step.kind == "likelihood"]
    assert [(step.makes_reference, step.reference) for step in found] == [(False, ""), (False, "")]


def test_shared_files_stay(folder: Path) -> None:
    one = quantized(folder)
    shared = dataclasses.replace(one, made=tuple(dataclasses.replace(made, is_shared=True) for made in one.made))
    list(walk(shared, folder))
    assert len(list((folder / "models").iterdir())) == 4


# ---------------------------------------------------------------- how far it is


TWO = (contender(1, "/a"), contender(2, "/b"))


def study_in(folder: Path, **others: object) -> Study:
    return write_study(folder, *TWO, seeds=(0, 1), **others)


def test_nothing_is_answered_of_a_new_study(tmp_path: Path) -> None:
    study = study_in(tmp_path / "x", judge=TWO[0].model)
    found = study_steps.study_status(study, tmp_path / "x")
    assert [(one.name, one.answered, one.questions, one.is_measured) for one in found.systems] == [
        ("構成 1", 0, 4, False),
        ("構成 2", 0, 4, False),
    ]
    assert (found.done, found.steps, found.answered, found.answers, found.state) == (0, 5, 0, 8, "waiting")


def test_every_seed_counts(tmp_path: Path) -> None:
    folder = tmp_path / "x"
    study = study_in(folder)
    for id, seed, lines in (("s1", 0, 2), ("s1", 1, 2), ("s2", 0, 1)):
        answer(folder, id, seed, lines)
    found = study_steps.study_status(study, folder)
    assert [(one.answered, one.is_measured) for one in found.systems] == [(4, True), (1, False)]
    assert (found.done, found.steps, found.answered) == (2, 4, 5)


def test_a_run_that_has_not_ended_is_not_trained(tmp_path: Path) -> None:
    folder = tmp_path / "x"
    run = folder / studies.RUNS / "20-seed42"
    study = study_in(folder, trainings=(Training(str(run), 20, 42),))
    run.mkdir(parents=True)
    (run / "events.jsonl").write_text(json.dumps({"event": "started"}), "utf-8")
    found = study_steps.study_status(study, folder)
    assert (found.trained, found.trainings) == (0, 1)


def test_a_folder_without_its_questions_is_damaged(tmp_path: Path) -> None:
    study = study_in(tmp_path / "x")
    (tmp_path / "x" / studies.QUESTIONS).unlink()
    with pytest.raises(AppError, match="evaluation_damaged"):
        study_steps.study_status(study, tmp_path / "x")


# ------------------------------------------- texts whose likelihood is measured


FORMS = catalogue.load().forms


def test_a_question_is_asked_alone_and_numbered_as_in_its_set() -> None:
    questions = [
        Question("a", "首都は？", "東京です。"),
        Question("b", "今日の天気は？"),
        Question("c", "空は？", " \n"),
        Question("d", "山は？", "富士山<end_of_turn>です。"),
    ]
    found = study_steps.likelihood_texts(questions, FORMS["gemma"], "短く答える。")
    assert [(text.line, text.answer) for text in found] == [(1, "東京です。"), (4, "富士山<end_of_turn>です。")]
    assert found[1].segments == (
        Segment("<start_of_turn>user\n", markup=True),
        Segment("短く答える。\n\n山は？"),
        Segment("<end_of_turn>\n<start_of_turn>model\n", markup=True),
    )


def test_a_foreign_template_is_filled_with_each_question() -> None:
    prompt = (Segment("<user>", markup=True), Segment(study_steps.QUESTION_PLACE), Segment("<model>", markup=True))
    found = study_steps.rendered_texts([Question("a", "空は？"), Question("b", " 首都は？\n", "東京です。")], prompt)
    segments = (Segment("<user>", markup=True), Segment("首都は？"), Segment("<model>", markup=True))
    assert found == (ScoredText(segments, "東京です。", 2),)


def test_in_every_form_the_answer_stands_as_training_has_it() -> None:
    question = Question("a", "首都は？", "東京です。")
    messages = [{"role": "user", "content": question.text}, {"role": "assistant", "content": question.reference}]
    for form in FORMS.values():
        (example,) = forms.example_pieces(base_models.trainer_form(form), messages)
        at = next(at for at, piece in enumerate(example) if piece.is_trained)
        before = tuple(Segment(piece.text, piece.markup) for piece in example[:at])
        assert study_steps.likelihood_texts([question], form) == (ScoredText(before, example[at].text, 1),)
