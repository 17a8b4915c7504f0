"""What a study advises: the simplest system that nothing beats, the smallest form that loses nothing, or nothing."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import pytest

from app.core.documents.grounding import CollectionRef
from app.core.evaluation import advice
from app.core.evaluation.records import Question, QuestionSet
from app.core.evaluation.results import Evaluation, Judge, Judgement, Marks, Row, System, SystemResult
from app.core.evaluation.study import Contender, Made, Study
from app.core.presets import Choices
from app.core.records import LocalModel
from app.core.training.scores import ExampleScore

COUNT = 40


def system(number: int, name: str, **others: object) -> System:
    return dataclasses.replace(System(f"s{number}", name, "/m.gguf", "モデル"), **others)  # type: ignore[arg-type]


def result(of: System, scores: Sequence[float], nll: float = 0.0, divergence: float | None = None) -> SystemResult:
    rows = tuple(
        Row(f"q{at}", 0, "答え", "answered", Marks(score=score), Judgement(round(3 * score)), 1.0, 0.1, 10)
        for at, score in enumerate(scores)
    )
    likelihoods = (ExampleScore(1, 100, 100 * nll, divergence and 100 * divergence, 80),) if nll else ()
    return SystemResult(of, rows, likelihoods)


def evaluation(*results: SystemResult, judge: Judge | None = None) -> Evaluation:
    questions = tuple(Question(f"q{at}", f"質問 {at}") for at in range(len(results[0].rows)))
    return Evaluation("x", "試し", QuestionSet("質問集", 1, "", questions), results, (0,), judge)


def study(kind: str, contenders: Sequence[Contender], made: tuple[Made, ...] = ()) -> Study:
    return Study("x", "試し", kind, "質問集", 1, "", "internal", tuple(contenders), (0,), Choices(), 4096, made=made)


def model(form: str = "F16", path: str = "/m.gguf") -> LocalModel:
    return LocalModel("m", "モデル", path, 1, "llama", form, 4096, 1.0)


def told(kind: str, contenders: Sequence[Contender], found: Evaluation, made: tuple[Made, ...] = ()) -> list[str]:
    return [one for part in advice.sections(study(kind, contenders, made), Path(), found) for one in part.sentences]


def steady(mean: float) -> list[float]:
    """Around a mean, the same questions hard for everybody."""
    return [min(1.0, max(0.0, mean + 0.1 * (at % 3 - 1))) for at in range(COUNT)]


# ----------------------------------------------------------------------- documents

WAYS = (
    ("元のモデル", False, False),
    ("元のモデル + 資料", False, True),
    ("学習後", True, False),
    ("学習後 + 資料", True, True),
)


def four(means: Sequence[float]) -> tuple[list[Contender], Evaluation]:
    contenders, results = [], []
    for number, ((name, is_tuned, has_documents), mean) in enumerate(zip(WAYS, means, strict=True), start=1):
        one = system(number, name, adapter="/a.gguf" if is_tuned else "")
        scope = (CollectionRef(1, "基準"),) if has_documents else ()
        contenders.append(Contender(one, model(), scope, may_quote=not has_documents))
        results.append(result(one, steady(mean)))
    return contenders, evaluation(*results)


@pytest.mark.parametrize(
    ("means", "wanted"),
    [
        ((0.2, 0.8, 0.3, 0.8), "元のモデル + 資料"),
        ((0.2, 0.5, 0.3, 0.8), "学習後 + 資料"),
        ((0.2, 0.2, 0.7, 0.7), "学習後"),
        ((0.5, 0.5, 0.5, 0.5), "元のモデル"),
    ],
)
def test_the_simplest_way_that_nothing_clearly_beats_is_advised(means: Sequence[float], wanted: str) -> None:
    first = told("documents", *four(means))[0]
    assert first.startswith(f"「{wanted}」を勧めます")


def test_each_step_is_compared_with_the_one_before_it() -> None:
    sentences = told("documents", *four((0.2, 0.8, 0.3, 0.8)))
    assert len(sentences) == 4
    assert "差があるとは言えません" in sentences[3]  # with documents, training adds nothing


def test_where_nothing_is_answered_nothing_is_advised() -> None:
    assert "ほとんど答えられません" in told("documents", *four((0.0, 0.0, 0.0, 0.0)))[0]


def test_a_few_questions_advise_nothing() -> None:
    contenders, found = four((0.2, 0.8, 0.3, 0.8))
    few = [dataclasses.replace(one, rows=one.rows[:4]) for one in found.systems]
    assert "言えません" in told("documents", contenders, evaluation(*few))[0]


# -------------------------------------------------------------------------- models


def test_the_best_model_is_named_with_those_that_are_as_good() -> None:
    systems = [system(number, name) for number, name in enumerate(("小", "中", "大"), start=1)]
    found = evaluation(*(result(one, steady(mean)) for one, mean in zip(systems, (0.3, 0.7, 0.7), strict=True)))
    sentences = told("bases", [Contender(one, model()) for one in systems], found)
    assert "「中」" in sentences[0]
    assert "大 と差があるとは言えません" in sentences[1]


def test_a_judge_decides_only_where_it_is_trusted() -> None:
    found = four((0.2, 0.8, 0.3, 0.8))[1]
    for is_trusted, name in ((True, "judge"), (False, "score"), (None, "score")):
        judged = dataclasses.replace(found, judge=Judge("採点", "kotae", 0.6, is_trusted))
        assert advice.measure_of(judged).name == name


# ------------------------------------------------------------------- quantizations


def forms(*losses: tuple[str, int, float, float | None]) -> tuple[list[Contender], Evaluation]:
    contenders, results = [], []
    for number, (form, size, nll, divergence) in enumerate(losses, start=1):
        one = system(number, f"元のモデル {form}", quantization=form, size_bytes=size)
        contenders.append(Contender(one, model(form), family="base"))
        results.append(result(one, steady(0.5), nll, divergence))
    return contenders, evaluation(*results)


def test_the_smallest_form_that_loses_nothing_is_advised() -> None:
    found = forms(
        ("F16", 160, 2.0, None), ("Q8_0", 85, 2.001, 0.001), ("Q5_K_M", 58, 2.01, 0.02), ("Q4_K_M", 49, 2.05, 0.08)
    )
    sentences = told("quantizations", *found)
    assert "「元のモデル Q5_K_M」" in sentences[0]
    assert sentences[1] == "「元のモデル Q4_K_M」は、模範解答の損失が 1 トークンあたり +0.050 nat 増えます。"


def test_a_form_that_answers_otherwise_is_not_advised_though_its_loss_is_lower() -> None:
    sentences = told("quantizations", *forms(("F16", 160, 2.0, None), ("Q4_K_M", 49, 1.8, 0.3)))
    assert "「元のモデル F16」" in sentences[0]
    assert "違う答え方" in sentences[1]


def test_what_was_unpacked_from_a_quantized_file_is_said_to_be() -> None:
    contenders, found = forms(("F16", 160, 2.0, None), ("Q4_K_M", 49, 2.0, 0.001))
    contenders[1] = dataclasses.replace(contenders[1], model=model("Q4_K_M", "/starter.gguf"))
    made = (Made("/bases/1", "folder", "/starter.gguf", is_shared=True),)
    assert "元のファイルは Q4_K_M です" in told("quantizations", contenders, found, made)[-1]


def test_the_table_of_forms_has_what_each_costs() -> None:
    contenders, found = forms(("F16", 160, 2.0, None), ("Q4_K_M", 49, 2.05, 0.08))
    (section,) = advice.sections(study("quantizations", contenders), Path(), found)
    (table,) = section.tables
    assert [len(row) for row in table.rows] == [len(table.head)] * 2
    assert table.rows[1][5:9] == ("2.0500", "+0.0500", "0.0800", "80.0%")
    assert section.plots[0].startswith("<svg")
