"""What a study advises: the simplest system that nothing beats, the smallest form that loses nothing, or nothing."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import pytest

from app.documents.grounding.grounding_record import CollectionRef
from app.evaluation.records import (
    Evaluation,
    Judge,
    JudgeScore,
    Question,
    QuestionSet,
    ResultRow,
    RuleScores,
    System,
    SystemResult,
)
from app.evaluation.report import advice, result_view_model
from app.evaluation.study.studies import ComparedSystem, MadeModel, Study
from app.inference.local_model import LocalModel
from app.inference.scoring_files import ExampleScore
from tests.evaluation import driver

COUNT = 40


def system(number: int, name: str, **others: object) -> System:
    return dataclasses.replace(System(f"s{number}", name, "/m.gguf", "モデル"), **others)  # type: ignore[arg-type]


def result(of: System, scores: Sequence[float | None], likelihoods: tuple[ExampleScore, ...] = ()) -> SystemResult:
    judged = [None if score is None else JudgeScore(round(3 * score)) for score in scores]
    rows = tuple(
        ResultRow(f"q{at}", 0, "答え", "answered", RuleScores(score), judged[at], 1.0)
        for at, score in enumerate(scores)
    )
    return SystemResult(of, rows, likelihoods)


def evaluation(*results: SystemResult, judge: Judge | None = None) -> Evaluation:
    questions = tuple(Question(f"q{at}", f"質問 {at}") for at in range(len(results[0].rows)))
    return Evaluation("x", "試し", QuestionSet("質問集", 1, "", questions), results, (0,), judge)


def study(kind: str, contenders: Sequence[ComparedSystem], made: tuple[MadeModel, ...] = ()) -> Study:
    return driver.study(*contenders, kind=kind, made=made)


def model(form: str = "F16", path: str = "/m.gguf") -> LocalModel:
    return LocalModel("m", "モデル", path, 1, "llama", form, 4096, 1.0)


def told(
    kind: str, contenders: Sequence[ComparedSystem], found: Evaluation, made: tuple[MadeModel, ...] = ()
) -> list[str]:
    found_sections = advice.advise(study(kind, contenders, made), Path(), found).sections
    return [sentence for section in found_sections for sentence in section.sentences]


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


def four(means: Sequence[float]) -> tuple[list[ComparedSystem], Evaluation]:
    contenders, results = [], []
    for number, ((name, is_tuned, has_documents), mean) in enumerate(zip(WAYS, means, strict=True), start=1):
        one = system(number, name, adapter="/a.gguf" if is_tuned else "")
        scope = (CollectionRef(1, "基準"),) if has_documents else ()
        contenders.append(ComparedSystem(one, model(), scope, may_quote=not has_documents))
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


def merged(means: Sequence[float]) -> tuple[list[ComparedSystem], Evaluation]:
    """The tuned model is a file of its own: nothing of it is an adapter."""
    contenders, found = four(means)
    for at in (2, 3):
        alone = dataclasses.replace(contenders[at].system, adapter="", model="/tuned.gguf")
        contenders[at] = dataclasses.replace(contenders[at], system=alone, model=model(path="/tuned.gguf"))
    rows = zip(contenders, found.systems, strict=True)
    return contenders, evaluation(*(dataclasses.replace(result, system=one.system) for one, result in rows))


def test_a_tuned_model_that_was_merged_into_a_file_is_advised_as_one_with_its_adapter_is() -> None:
    for means in ((0.2, 0.5, 0.3, 0.8), (0.2, 0.8, 0.3, 0.8), (0.2, 0.2, 0.7, 0.7)):
        assert told("documents", *merged(means)) == told("documents", *four(means))
    contenders, found = merged((0.2, 0.5, 0.3, 0.8))
    advised = advice.advise(study("documents", contenders), Path(), found).system
    assert advised == contenders[3].system
    shown = result_view_model.build_result_view(study("documents", contenders), Path(), found, ())
    assert next((one.first, one.second) for one in shown.differences) == ("元のモデル + 資料", "学習後 + 資料")


def test_each_step_is_compared_with_the_one_before_it() -> None:
    sentences = told("documents", *four((0.2, 0.8, 0.3, 0.8)))
    assert len(sentences) == 4
    assert "差があるとは言えません" in sentences[3]  # with documents, training adds nothing


def test_where_nothing_is_answered_or_scored_and_of_a_few_questions_nothing_is_advised() -> None:
    assert "ほとんど答えられません" in told("documents", *four((0.0, 0.0, 0.0, 0.0)))[0]
    contenders, found = four((0.2, 0.8, 0.3, 0.8))
    few = [dataclasses.replace(one, rows=one.rows[:4]) for one in found.systems]
    assert told("documents", contenders, evaluation(*few)) == told("bases", contenders, evaluation(*few))
    (sentence,) = told("documents", contenders, evaluation(*few))
    assert "4 問しかないので" in sentence
    assert "5 問以上が必要です（「最初の N 問だけ」" in sentence
    contenders, found = four((0.2, 0.8, 0.3, 0.8))
    unmarked = [result(one.system, [None] * COUNT) for one in found.systems]
    (sentence,) = told("documents", contenders, evaluation(*unmarked))
    assert "模範解答か「必ず含む語」の付いた質問を増やしてください" in sentence


def test_where_a_few_questions_show_no_difference_the_best_mean_is_named_and_not_what_answers_nothing() -> None:
    contenders, found = four((0.0, 0.0, 0.0, 0.0))
    scores = [[0.0] * 6, [0.0] * 6, [0.0] * 6, [1.0, 1.0] + [0.0] * 4]
    rows = zip(found.systems, scores, strict=True)
    few = evaluation(*(result(one.system, some) for one, some in rows))
    for kind in ("documents", "bases"):
        advised = advice.advise(study(kind, contenders), Path(), few)
        said = advised.sections[0].sentences[0]
        assert said == "差があるとは言えません（6 問）。得点が最も高いのは「学習後 + 資料」（0.333）です。"
        assert advised.system == contenders[3].system


def test_the_simplest_is_not_advised_where_its_mean_is_far_below_the_best() -> None:
    """With documents is better for sure, and with the training as well it may be better still."""
    contenders, found = four((0.1, 0.4, 0.1, 0.6))
    scores = [[0.1] * 8, [0.4] * 8, [0.1] * 8, [1.0, 0.2] * 4]
    some = evaluation(*(result(one.system, values) for one, values in zip(found.systems, scores, strict=True)))
    first, second = told("documents", contenders, some)[:2]
    assert first.startswith("いちばん良かったのは「学習後 + 資料」です")
    assert "元のモデル + 資料 と差があるとは言えません" in second


def test_most_answers_that_were_cut_off_are_blamed_first_and_no_larger_model_is_wanted() -> None:
    contenders, found = four((0.0, 0.0, 0.0, 0.0))
    cut = [
        dataclasses.replace(one, rows=tuple(dataclasses.replace(row, verdict="length") for row in rows))
        for one in found.systems
        if (rows := result(one.system, [0.0] * COUNT).rows)
    ]
    for count, more in ((3, 1), (COUNT, 0)):
        some = evaluation(*(dataclasses.replace(one, rows=one.rows[:count]) for one in cut))
        first, *rest = told("documents", contenders, some)
        assert first == (
            f"回答の多く（{4 * count}／{4 * count}）が長さの上限で切れ、0 点になりました。"
            "「回答の長さ」を増やしてください。"
        )
        assert len(rest) == more + 3 * (more == 0)
        assert not any("大きなモデル" in one for one in rest)
    assert len(told("questions", contenders[:1], evaluation(cut[0]))) == 1
    one_cut = evaluation(cut[0], *found.systems[1:])
    assert "大きなモデル" in told("documents", contenders, one_cut)[0]


# -------------------------------------------------------------------------- models


def test_the_best_model_is_named_with_those_that_are_as_good() -> None:
    systems = [system(number, name) for number, name in enumerate(("小", "中", "大"), start=1)]
    found = evaluation(*(result(one, steady(mean)) for one, mean in zip(systems, (0.3, 0.7, 0.7), strict=True)))
    sentences = told("bases", [ComparedSystem(one, model()) for one in systems], found)
    assert "「中」" in sentences[0]
    assert "大 と差があるとは言えません" in sentences[1]


# ------------------------------------------------------------------- quantizations


def measured(
    nll: float, divergence: float | None = None, noise: float = 0.0, width: int = 1
) -> tuple[ExampleScore, ...]:
    """Of each question, 100 tokens. `noise`: nats a token, up and down by turns of `width` questions."""
    return tuple(
        ExampleScore(
            number, 100, 100 * (nll + noise * (-1) ** (number // width)), divergence and 100 * divergence,
            None if divergence is None else 80,
        )
        for number in range(1, COUNT + 1)
    )  # fmt: skip


Form = tuple[str, int, tuple[ExampleScore, ...]]


def forms(*found: Form, scores: Sequence[float | None] = (0.5,) * COUNT) -> tuple[list[ComparedSystem], Evaluation]:
    contenders, results = [], []
    for number, (form, size, likelihoods) in enumerate(found, start=1):
        one = system(number, f"元のモデル {form}", quantization=form, size_bytes=size)
        contenders.append(ComparedSystem(one, model(form), family="base"))
        results.append(result(one, scores, likelihoods))
    return contenders, evaluation(*results)


def test_the_smallest_form_that_keeps_its_quality_is_advised() -> None:
    found = forms(
        ("F16", 160, measured(2.0)),
        ("Q8_0", 85, measured(2.001, 0.001, 0.01)),
        ("Q5_K_M", 58, measured(2.01, 0.02, 0.01)),
        ("Q4_K_M", 49, measured(2.05, 0.08, 0.01)),
    )
    first, second = told("quantizations", *found)
    assert first.startswith("「元のモデル Q5_K_M」")
    assert "いちばん小さな形です" in first
    assert second.startswith(
        "「元のモデル Q4_K_M」は、模範解答の損失が 1 トークンあたり +0.050 nat 増えます（95 % 区間 +0.04"
    )


@pytest.mark.parametrize("nll", [2.05, 2.01, 1.99])
def test_a_loss_that_may_be_chance_neither_loses_nor_keeps(nll: float) -> None:
    first, second = told("quantizations", *forms(("F16", 160, measured(2.0)), ("Q4_K_M", 49, measured(nll, 0.01, 0.4))))
    assert first == "「元のモデル F16」より小さくて、品質を保つと言える形はありません。"
    assert second.startswith("「元のモデル Q4_K_M」が品質を保つかは、まだ言えません")


def test_losses_of_one_document_count_together() -> None:
    contenders, found = forms(("F16", 160, measured(2.0)), ("Q4_K_M", 49, measured(2.04, 0.01, 0.05, width=8)))
    assert "増えます" in told("quantizations", contenders, found)[1]
    asked = tuple(
        dataclasses.replace(one, group=f"文書 {number // 8}")
        for number, one in enumerate(found.questions.questions, start=1)
    )
    grouped = dataclasses.replace(found, questions=dataclasses.replace(found.questions, questions=asked))
    assert "まだ言えません" in told("quantizations", contenders, grouped)[1]
    (section,) = advice.advise(study("quantizations", contenders), Path(), grouped).sections
    assert "95 % 区間（文書などのグループごと）" in section.tables[0].head


def test_a_form_that_answers_otherwise_or_scores_worse_is_not_advised_though_its_loss_is_lower() -> None:
    first, second = told("quantizations", *forms(("Q8_0", 160, measured(2.0)), ("Q4_K_M", 49, measured(1.8, 0.3))))
    assert "品質を保つと言える形はありません" in first
    assert (
        second
        == "「元のモデル Q4_K_M」は、「元のモデル Q8_0」とは違う答え方をします（KL 0.300 nat、第一候補の一致 80%）。"
    )
    contenders, found = forms(("F16", 160, measured(2.0)), ("Q4_K_M", 49, measured(2.0, 0.01)))
    worse = dataclasses.replace(found.systems[1], rows=result(contenders[1].system, [0.2] * COUNT).rows)
    sentences = told("quantizations", contenders, dataclasses.replace(found, systems=(found.systems[0], worse)))
    assert "品質を保つと言える形はありません" in sentences[0]
    assert "より悪いと言えます" in sentences[1]


@pytest.mark.parametrize("count", [0, 4])
def test_without_enough_references_scores_alone_show_no_quality_that_is_kept(count: int) -> None:
    found = forms(("F16", 160, measured(2.0)[:count]), ("Q4_K_M", 49, measured(2.5, 0.5)[:count]))
    (sentence,) = told("quantizations", *found)
    assert "得点が下がるとは言えない形のうち、いちばん小さいのは「元のモデル Q4_K_M」" in sentence
    assert "損失では比べていない" in sentence


@pytest.mark.parametrize("likelihoods", [(), measured(2.0)[:4], measured(2.0, 0.5)[:4]])
def test_where_nothing_was_measured_no_form_is_advised(likelihoods: tuple[ExampleScore, ...]) -> None:
    unmarked = forms(("F16", 160, likelihoods), ("Q4_K_M", 49, likelihoods), scores=(None,) * COUNT)
    (sentence,) = told("quantizations", *unmarked)
    assert "どの構成が良いかを判断できません" in sentence


def given(*found: tuple[str, str]) -> tuple[list[ComparedSystem], Evaluation]:
    """Files of a user: names and families."""
    systems = [system(number, name, size_bytes=number) for number, (name, _) in enumerate(found, start=1)]
    contenders = [ComparedSystem(one, model(), family=family) for one, (_, family) in zip(systems, found, strict=True)]
    return contenders, evaluation(*(result(one, steady(0.5), measured(2.0)) for one in systems))


def test_different_models_are_no_forms_of_one_and_each_family_is_drawn_under_a_name_of_its_own() -> None:
    sentences = told("quantizations", *given(("甲 Q8_0", "a"), ("乙 Q4_K_M", "b")))
    assert not any("形式" in one for one in sentences)
    assert "最も高いのは" in sentences[0]
    files = [(f"{name} {form}", name) for name in "甲乙丙丁" for form in ("Q8_0", "Q4_K_M")]
    contenders, found = given(*files, ("戊 F16", "戊"))
    (section,) = advice.advise(study("quantizations", contenders), Path(), found).sections
    drawn = "".join(section.plots)
    assert [f">{name} Q8_0 ほか</text>" in drawn for name in "甲乙丙丁"] == [True] * 4
    assert ">戊 F16</text>" in drawn


def test_what_was_unpacked_is_said_and_the_table_of_forms_has_what_each_loses_with_its_interval() -> None:
    contenders, found = forms(("F16", 160, measured(2.0)), ("Q8_0", 49, measured(2.0, 0.001)))
    made = (MadeModel("/bases/1", "folder", "/starter.gguf", is_shared=True, source_form="Q4_K_M"),)
    assert "元のファイルは Q4_K_M です" in told("quantizations", contenders, found, made)[-1]
    contenders, found = forms(("F16", 160, measured(2.0)), ("Q4_K_M", 49, measured(2.05, 0.08, 0.01)))
    (section,) = advice.advise(study("quantizations", contenders), Path(), found).sections
    (table,) = section.tables
    assert table.rows[0][:3] == ("元のモデル Q4_K_M", "元のモデル F16", "+0.0500")
    assert table.rows[0][3].startswith("+0.04")
    assert section.plots[0].startswith("<svg")
    few = dataclasses.replace(
        found, systems=tuple(result(one.system, [0.5] * COUNT, one.likelihoods[:4]) for one in found.systems)
    )
    (section,) = advice.advise(study("quantizations", contenders), Path(), few).sections
    assert "95 % 区間（質問ごと）" not in section.tables[0].head


# ------------------------------------------------------------------------ thinking


@pytest.mark.parametrize(
    ("means", "wanted"),
    [((0.4, 0.8), "考えてから答える"), ((0.5, 0.5), "考えずに答える"), ((0.8, 0.4), "考えずに答える")],
)
def test_thinking_is_advised_only_where_it_clearly_helps_and_its_seconds_are_said(
    means: Sequence[float], wanted: str
) -> None:
    systems = [system(1, "考えずに答える"), system(2, "考えてから答える")]
    results = [result(one, steady(mean)) for one, mean in zip(systems, means, strict=True)]
    slow = dataclasses.replace(results[1], rows=tuple(dataclasses.replace(row, total_s=9.0) for row in results[1].rows))
    sentences = told("thinking", [ComparedSystem(one, model()) for one in systems], evaluation(results[0], slow))
    assert f"「{wanted}」" in sentences[0]
    assert "考えないと平均 1.0 秒、考えると平均 9.0 秒" in sentences[-1]
