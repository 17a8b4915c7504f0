"""Right answers are made wrong in ways that count, and what cannot be made wrong surely is left alone."""

import json
from pathlib import Path

import pytest

from app.documents.grounding import modality
from app.documents.values import quantities
from app.evaluation.judge import judge_calibration
from app.evaluation.records import Question


def seeded(kind: str, reference: str, asked: str = "どうしますか") -> str | None:
    return judge_calibration.perturbed(kind, Question("q", asked, reference))


@pytest.mark.parametrize(
    ("reference", "wrong"),
    [
        ("24N/mm²以上とする。", "48N/mm²以上とする。"),
        ("断面積の15%程度を確保する。", "断面積の30%程度を確保する。"),
        ("断面積の80%を確保する。", "断面積の40%を確保する。"),
        ("幅は０．６ｍとする。", "幅は1.2ｍとする。"),
        ("容量は12,500m3とする。", "容量は25,000m3とする。"),
        ("長さの1.5～2倍程度とする。", "長さの1.5～4倍程度とする。"),
        ("第3節による。強度は24N/mm2。", "第3節による。強度は48N/mm2。"),
        ("4つに分け、10mごとに測る。", "8つに分け、10mごとに測る。"),
        ("二回行う。", "4回行う。"),
        ("係数は1.2で、幅は3mとする。", "係数は1.2で、幅は6mとする。"),  # with a unit before one without
        ("係数は1.2とする。", "係数は2.4とする。"),
        ("約69万箇所である。", "約138万箇所である。"),
    ],
)
def test_a_value_is_changed_and_its_unit_stays(reference: str, wrong: str) -> None:
    assert seeded("number", reference) == wrong


@pytest.mark.parametrize("reference", ["数値はない。", "表2-1による。", "SD345を用いる。", "0mとする。", "3章による。"])
def test_without_a_value_no_number_is_wrong(reference: str) -> None:
    assert seeded("number", reference) is None


def test_a_value_that_the_question_names_is_not_the_one_that_is_changed_and_no_kind_is_guessed() -> None:
    asked = "流量50m3/sを境に余裕高はいくらですか"
    assert seeded("number", "50m3/s未満では0.3m。", asked) == "50m3/s未満では0.6m。"
    assert seeded("number", "50m3/sを境にします。", asked) is None
    with pytest.raises(KeyError):
        seeded("typo", "24m")


@pytest.mark.parametrize(
    ("reference", "wrong"),
    [
        ("照査を行う。", "照査を行わない。"),
        ("照査を行わない。", "照査を行う。"),
        ("補助工法を併用する。", "補助工法を併用しない。"),
        ("併用しない。", "併用する。"),
        ("2倍の深さである。", "2倍の深さではない。"),
        ("適切でない。", "適切である。"),
        ("省いてよいものではない。", "省いてよいものである。"),
        ("除石を実施することができる。", "除石を実施することができない。"),
        ("選定できない。", "選定できる。"),
        ("許可が必要", "許可が不要"),
        ("許可は不要です。", "許可は必要です。"),
        ("許可を得る必要がある。", "許可を得る必要はない。"),
        ("許可を得る必要はありません。", "許可を得る必要があります。"),
        ("許可を得なければならない。", "許可を得てはならない。"),
        ("点検を行わなければならない。", "点検を行ってはならない。"),
        ("名称を示さなければなりません。", "名称を示してはなりません。"),
        ("立ち入ってはならない。", "立ち入ってもよい。"),
        ("使用してもよい。", "使用してはならない。"),
        ("標準とすることが望ましい。", "標準とすることが望ましくない。"),
        ("望ましくない。", "望ましい。"),
        ("事例がある。", "事例はない。"),
        ("電源を切らずに閉めてください。", "電源を切らずに閉めないでください。"),
        ("運転しないでください。", "運転してください。"),
        ("毎年点検します。", "毎年点検しません。"),
        ("毎年の点検です", "毎年の点検ではありません"),
        ("公表されている。", "公表されていない。"),
        ("河川管理者が定める。", "河川管理者が定めない。"),
        ("次による。", "次によらない。"),
        ("平均値を示す。", "平均値を示さない。"),
        ("余盛は高さに含む。", "余盛は高さに含まない。"),
        ("二年に一度、測定した。", "二年に一度、測定しなかった。"),
        ("流域の平均雨量。", "流域の平均雨量ではない。"),
        ("困難である。毎年測る。", "困難である。毎年測らない。"),  # the first one cannot be told
        ("・毎年測る。\n・記録する。", "・毎年測らない。\n・記録する。"),
    ],
)
def test_the_first_sentence_that_can_be_says_the_opposite(reference: str, wrong: str) -> None:
    assert seeded("negation", reference) == wrong


@pytest.mark.parametrize(
    "reference",
    ["超えないものとする。", "避けることは困難", "3つ", "The limit is 24 MPa.", "24N/mm²", "下回らない値とする未満"],
)
def test_where_it_is_not_sure_what_is_said_nothing_is_negated(reference: str) -> None:
    assert seeded("negation", reference) is None


@pytest.mark.parametrize(
    ("reference", "wrong"),
    [
        ("24N/mm²以上とする。", "24N/mm²以下とする。"),
        ("10％を超えないものとする。", "10％を下回らないものとする。"),
        ("高さが15mを超える場合。", "高さが15mを下回る場合。"),
        ("投下断面より上流から、見通し断面より下流まで。", "投下断面より下流から、見通し断面より上流まで。"),
        ("最大加速度で判断する。", "最小加速度で判断する。"),
        (
            "「必須」は守るべき事項、「標準」は特段の事情がない限り従う事項。",
            "「標準」は守るべき事項、「必須」は特段の事情がない限り従う事項。",
        ),
        ("「受付」は一階、「窓口」は二階にある。「受付」と書く。", None),
        ("「受付」は一階、「窓口」は二階にある。", "「窓口」は一階、「受付」は二階にある。"),
        ("「甲」「乙」「丙」の三つがある。", None),
        ("上流と下流に設ける。", None),
        ("上流側及び下流側に設ける。", None),
        ("左右岸に設ける。", None),
        ("以上のことから判断する。", None),
    ],
)
def test_terms_are_swapped_where_that_says_something_else(reference: str, wrong: str | None) -> None:
    assert seeded("swapped", reference) == wrong


def test_an_irrelevant_answer_is_of_another_group_and_another_answer() -> None:
    questions = [
        Question("1", "a", "一つ目", group="x"),
        Question("2", "b", "二つ目", group="x"),
        Question("3", "c", "一つ 目", group="y"),
        Question("4", "d", "", group="y"),
        Question("5", "e", "理由", group="y", is_answerable=False),
        Question("6", "f", "六つ目", group="y"),
    ]
    assert judge_calibration.perturbed("irrelevant", questions[0], questions) == "六つ目"
    assert judge_calibration.perturbed("irrelevant", questions[5], questions) == "一つ目"
    assert judge_calibration.perturbed("irrelevant", questions[0], questions[:2]) is None
    alone = [Question("1", "a", "一つ目"), Question("2", "b", "二つ目")]
    assert judge_calibration.perturbed("irrelevant", alone[0], alone) == "二つ目"
    assert judge_calibration.perturbed("irrelevant", alone[0], ()) is None


def test_a_verbose_answer_holds_the_right_one_and_the_question_and_no_value_of_its_own() -> None:
    made = seeded("verbose", "24N/mm²以上とする。", "強度は{answer}ですか")
    assert made is not None
    assert "\n24N/mm²以上とする。\n" in made
    assert made.count("強度は{answer}ですか") == 2
    assert len(made) > 200
    assert len(quantities.parse(made)) == 1


WITHOUT = (Question("q", "どうする"), Question("q", "どうする", " \n"), Question("q", "?", "24m", is_answerable=False))


@pytest.mark.parametrize("kind", judge_calibration.PERTURBATIONS)
@pytest.mark.parametrize("question", WITHOUT)
def test_without_a_right_answer_nothing_is_made(kind: str, question: Question) -> None:
    assert judge_calibration.perturbed(kind, question, (Question("r", "何", "6回行う。"),)) is None


def test_of_real_answers_most_can_be_made_wrong_and_each_differs(kasensabo: Path) -> None:
    lines = (kasensabo / "eval" / "grounded_dev.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    questions = [Question(row["id"], row["question"], row["answer"], group=row["volume"]) for row in rows]
    made = {
        kind: [judge_calibration.perturbed(kind, question, questions) for question in questions]
        for kind in judge_calibration.PERTURBATIONS
    }
    counts = {kind: sum(one is not None for one in answers) for kind, answers in made.items()}
    assert made == {
        kind: [judge_calibration.perturbed(kind, one, questions) for one in questions]
        for kind in judge_calibration.PERTURBATIONS
    }
    assert counts["irrelevant"] == counts["verbose"] == len(questions) == 76
    assert counts["number"] > 35
    assert counts["negation"] > 60
    assert counts["swapped"] > 35
    for answers in made.values():
        assert all(one != question.reference for one, question in zip(answers, questions, strict=True))
    for one, question in zip(made["negation"], questions, strict=True):
        if one is not None and "。" not in question.reference[:-1]:
            assert modality.polarity_of(one) == -modality.polarity_of(question.reference)
