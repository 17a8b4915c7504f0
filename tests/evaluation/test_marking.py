"""Marks by rules: what counts as said, which numbers are right, what was cited, and who has abstained."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from app.base import wording
from app.chat.batch.journal import BatchAnswer, Verdict
from app.documents.grounding.grounding_record import CitedSource, Claim, Grounding
from app.evaluation.judge import rule_scoring
from app.evaluation.judge.rule_scoring import score_answer
from app.evaluation.records import Gold, Question, RuleScores

STARTER = Path(__file__).resolve().parents[2] / "resources/starter_adapter/rows"
QUESTION = Question("1", "橋脚のかぶりの最小値はいくつですか。", "最小値は100mmである。", ("100mm",))
GOLD = Question("1", "かぶりは。", gold=(Gold("かぶりは 100mm 以上とする。"), Gold("水中では 150mm とする。")))
TEXTS = ("橋脚の形状は円形とする。", "橋脚のかぶりは100mm以上とする。", "特に水中では150mmとする。")


def marks(question: Question, answer: str, verdict: Verdict = "answered") -> RuleScores:
    return score_answer(question, BatchAnswer(1, verdict, answer))


def grounded(answer: str, *claimed: Claim, question: Question = GOLD) -> RuleScores:
    sources = tuple(CitedSource("基準", "internal", "手引き.pdf", "手引き.pdf", text) for text in TEXTS)
    return score_answer(question, BatchAnswer(1, "answered", answer, grounding=Grounding("answered", sources, claimed)))


# ------------------------------------------------------------------------ must_include


@pytest.mark.parametrize(
    ("entry", "answer", "is_said"),
    [
        ("かぶり", "橋脚の**かぶ り**です。", True),
        ("SD345", "ｓｄ３４５を使う。", True),
        ("1〜3年", "1～3年とする。", True),
        ("橋脚|橋台", "橋台です。", True),
        ("橋脚|橋台", "床版です。", False),
        ("橋脚 | ", "床版です。", False),
        ("100mm", "１００ ｍｍです。", True),
        ("100mm", "10 cm です。", True),
        ("24N/mm2", "24 MPa です。", True),
        ("1,000m3", "1000㎥です。", True),
        ("5mm", "25mmです。", False),
        ("5m", "5mm です。", False),
        ("50km", "50km2ごとに区分する。", False),
        ("100mm以上", "100mm以上とする。", True),
        ("100mm以上", "100mm以下とする。", False),
        ("100mm", "100mm以上とする。", True),
        ("2025年3月31日", "令和7年3月31日です。", True),
        ("2025年3月31日", "令和7年3月30日です。", False),
        ("D13", "D13を用いる。", True),
        ("D13", "D130を用いる。", False),
        ("3", "1.3とする。", False),
        ("3", "3.5とする。", False),
        ("3", "表1,3による。", True),
        ("1", "資料[1]による。", False),  # a mark of a source is none
        ("2〜2.5倍", "2倍から2.5倍です。", True),
        ("2〜2.5倍", "2倍です。2.5倍もあります。", False),
        ("2〜2.5倍", "3〜2.5倍です。", False),
        ("3.5〜4.0", "内径は3.5mから4.0mです。", True),
        ("3.5〜4.0", "13.5〜4.0mです。", False),
    ],
)
def test_an_entry_is_said_in_other_spellings_and_units_but_not_within_another_value(
    entry: str, answer: str, is_said: bool
) -> None:
    assert marks(Question("1", "問い", must_include=(entry,)), answer).must_include == is_said


@pytest.mark.parametrize(
    ("answer", "is_said"),
    [("0.5m以上低くする。", True), ("50cm低くする。", True), ("50cm以下とする。", False), ("50cm未満とする。", False)],
)
def test_a_value_that_the_right_answer_limits_otherwise_is_not_said(answer: str, is_said: bool) -> None:
    by_reference = Question("1", "問い", "高水敷高より50cm以上低くする。", ("50cm",))
    assert marks(by_reference, answer).must_include == is_said
    by_gold = Question("1", "問い", "50cmとする。", ("50cm",), (Gold("高水敷高より50cm以上低くする。"),))
    assert marks(by_gold, answer).must_include == is_said


def test_of_entries_the_share_that_is_said_counts() -> None:
    question = Question("1", "問い", must_include=("橋脚|橋台", "床版", "支承"))
    assert marks(question, "橋台と支承です。").must_include == pytest.approx(2 / 3)
    assert marks(Question("1", "問い", must_include=("|",)), "橋台").must_include is None
    assert marks(Question("1", "問い"), "橋台").must_include is None


# ----------------------------------------------------------------------------- numbers


@pytest.mark.parametrize(
    ("answer", "share"),
    [
        ("100mmです。", 1.0),
        ("10cm以上です。", 1.0),
        ("120mmです。", 0.0),
        ("100mmで、水中では150mmです。", 0.5),
        ("令和7年から100mmです。", 0.5),  # nothing has the year
        ("次の2点です。100mmです[1]。", 1.0),  # what it lists itself, and the mark of a source
        ("1. 標準です。\n2. 必須です。", None),
        ("標準です。", None),
    ],
)
def test_of_the_numbers_of_an_answer_those_count_that_something_right_has(answer: str, share: float | None) -> None:
    assert marks(QUESTION, answer).numbers == share


def test_numbers_are_right_that_a_quote_or_an_entry_has_and_those_of_the_question_prove_nothing() -> None:
    question = Question("1", "問い", gold=(Gold("水中では150mmとする。"),), must_include=("7日|1週間",))
    assert marks(question, "150mmで、7日です。").numbers == 1.0
    assert marks(question, "150mmで、8日です。").numbers == 0.5
    question = replace(QUESTION, text="川幅が30mのとき、最小値はいくつですか。")
    assert marks(question, "川幅が30mなら100mmです。").numbers == 1.0
    assert marks(question, "川幅が30mなら120mmです。").numbers == 0.0
    assert marks(question, "川幅は30mです。").numbers is None
    assert marks(Question("1", "問い"), "100mmです。").numbers is None
    assert marks(Question("1", "問い", must_include=("かぶり",)), "100mmです。").numbers is None
    assert marks(Question("1", "問い", reference="規定はない。"), "100mmです。").numbers == 0.0


# ------------------------------------------------------------------- against a reference


@pytest.mark.parametrize(
    ("one", "other", "share"),  # what fuzz.token_sort_ratio of rapidfuzz 3 gives, by 100
    [
        ("東京", "東京", 1.0),
        ("東京都", "東京", 0.8),
        ("京東", "東京", 0.5),
        ("橋脚のかぶりは百mm", "かぶりは百mmです", 14 / 19),
        ("川", "東京", 0.0),
        ("", "東京", 0.0),
    ],
)
def test_char_f1_is_of_the_characters_that_both_have_in_the_same_order(one: str, other: str, share: float) -> None:
    assert rule_scoring.similarity(one, other) == pytest.approx(share)
    assert rule_scoring.similarity(other, one) == pytest.approx(share)


def test_a_reference_is_held_against_the_answer_without_its_marks() -> None:
    found = marks(QUESTION, "最小値は **１００ mm** である[1][2]")
    assert (found.char_f1, found.is_exact) == (pytest.approx(2 * 12 / 25), True)
    assert marks(QUESTION, "最小値は100mm").is_exact is False
    without = marks(replace(QUESTION, reference=""), "100mm")
    assert (without.char_f1, without.is_exact) == (None, None)


# --------------------------------------------------------------------------- documents


def test_cited_places_are_held_against_the_gold_quotes() -> None:
    found = grounded("100mm以上です[2]。円形です[1]。", Claim("", 0, 1, (2,)), Claim("", 0, 1, (1,)))
    assert (found.citation, found.gold_cited, found.gold_rank) == (0.5, 0.5, 3)
    found = grounded("150mmです[3]。", Claim("", 0, 1, (2,)))
    assert (found.citation, found.gold_cited) == (1.0, 1.0)
    found = grounded("150mmです。")
    assert (found.citation, found.gold_cited, found.gold_rank) == (None, 0.0, 3)
    absent = replace(GOLD, gold=(*GOLD.gold, Gold("塩害を受ける地域では別に定める。")))
    assert grounded("100mmです。", question=absent).gold_rank == 0
    for found in (marks(GOLD, "100mmです[2]。"), grounded("100mmです[2]。", question=replace(GOLD, gold=()))):
        assert (found.citation, found.gold_cited, found.gold_rank) == (None, None, None)


def test_the_rank_is_that_of_the_search_not_the_place_in_the_prompt() -> None:
    scores = (2.0, 1.0, 3.0)  # a prompt has its passages in the order of the documents
    sources = tuple(
        CitedSource("基準", "internal", "手引き.pdf", "手引き.pdf", text, score=score)
        for text, score in zip(TEXTS, scores, strict=True)
    )
    third = replace(GOLD, gold=(Gold(TEXTS[2]),))
    found = score_answer(third, BatchAnswer(1, "answered", "橋脚です。", grounding=Grounding("answered", sources, ())))
    assert found.gold_rank == 1


# -------------------------------------------------------------------------- abstention


@pytest.mark.parametrize(
    "answer",
    [
        "資料にありません。",
        "This is not in your documents.",
        "申し訳ありませんが、提供された資料には該当する記載がありません。",
        "資料の中に、その値は記載されていません。",
        "この文書からは判断できません。",
        "ご質問に関する情報は見つかりませんでした。",
        "わかりません。",
        "お答えできません。管理者に確かめてください。",
        "その件についての情報を持っていません。",
        "この資料だけでは特定できません。",
        "The documents do not mention it.",
        "I don't know.",
        "資料に「30m」という値はありません。",  # a value of the question
        "その点については資料に明記されていません。",
        "申し訳ございません。資料の中に該当する箇所が見つかりません。",
        "**回答：**\n資料からは不明です。",
        "Sorry. The provided documents do not mention it.",
        "ご質問の件は、資料のどこにも書かれていません。",
        "この基準書には記載されていません。",
        "マニュアルに該当する項目はありません。",
        "ご提示の資料だけでは判断がつきません。",
        "関連する情報は含まれておりません。",
        "資料には、その情報はないようです。",
        "資料に書かれていないため、答えを出せません。",
        "該当なし。",
        "資料の範囲外です。",
    ],
)
def test_who_says_that_it_is_not_there_or_not_known_has_abstained(answer: str) -> None:
    assert marks(Question("1", "川幅が30mのときの値は。"), answer).has_abstained


@pytest.mark.parametrize(
    "answer",
    [
        "上限は定められていません。",
        "上限は定められていない。",
        "届出の義務はありません。",
        "この基準では、値は規定されていない。",
        "100mmです。水中については資料に記載がありません。",
        "資料にありませんが、一般には100mmです。",
        "設計者が判断する。",
        "文書に記載されていない場合は、監督員と協議する。",
        "資料に明示されていない事項は、協議して定める。",
        "該当する施設がない場合は省略できる。",
        "不明な点は監督員に確認する。",
        "計画上の高さには含まれません。",
        "申し訳ありませんが、届出の義務はありません。",
        "橋脚です。",
        "",
    ],
)
def test_a_rule_that_is_not_laid_down_is_an_answer(answer: str) -> None:
    assert not marks(Question("1", "上限は。"), answer).has_abstained


def test_what_the_program_says_itself_is_abstaining_in_both_languages() -> None:
    for language in wording.LANGUAGES:
        wording.use_language(language)
        said = wording.phrase("chat.not_in_documents")
        wording.use_language("ja")
        assert marks(QUESTION, said).has_abstained


def test_the_verdict_counts_and_so_does_what_a_source_supports() -> None:
    assert marks(QUESTION, "近い箇所です。", "not_in_documents").has_abstained
    answer = "水中の情報はありません。橋脚は円形とする[1]。"
    assert grounded(answer).has_abstained
    assert not grounded(answer, Claim("", 0, 1, (1,), is_supported=True)).has_abstained


@pytest.mark.parametrize("name", ["abstain", "grounded", "plain", "dialogue"])
def test_the_answers_of_the_starters_rows_are_told_apart(name: str) -> None:
    rows = [json.loads(line) for line in (STARTER / f"{name}_holdout.jsonl").read_text("utf-8").splitlines()]
    for row in (row for row in rows if "answer" in row):
        assert marks(Question("1", row["question"]), row["answer"]).has_abstained == (
            row["answer"] == "資料にありません。"
        )


# ------------------------------------------------------------------------------- score


@pytest.mark.parametrize(
    ("answer", "verdict"), [("", "answered"), (" \n", "answered"), ("100mm", "length"), ("かぶり" * 9, "answered")]
)
def test_what_is_empty_cut_off_or_repeats_itself_is_broken(answer: str, verdict: Verdict) -> None:
    found = marks(QUESTION, answer, verdict)
    assert (found.is_broken, found.score) == (True, 0.0)


def test_the_score_is_the_recall_or_the_likeness_and_abstaining_is_right_only_where_there_is_no_answer() -> None:
    assert marks(QUESTION, "100mm").score == 1.0
    assert marks(replace(QUESTION, must_include=()), "最小値は100mmである").score == pytest.approx(24 / 25)
    assert marks(QUESTION, "資料にありません。").score == 0.0
    absent = Question("1", "問い", reference="資料にない。", is_answerable=False)
    assert marks(absent, "資料にありません。").score == 1.0
    assert marks(absent, "100mmです。").score == 0.0
    assert marks(absent, "").score == 0.0
    for question in (QUESTION, replace(QUESTION, is_answerable=False)):
        assert marks(question, "", "failed") == RuleScores(score=0.0)


@pytest.mark.parametrize(("answer", "verdict"), [("100mm", "answered"), ("", "answered"), ("100", "length"),
                                                ("資料にありません。", "answered"), ("", "failed")])  # fmt: skip
def test_where_nothing_is_known_of_a_right_answer_no_answer_has_a_score(answer: str, verdict: Verdict) -> None:
    """Otherwise a system's mean would be that of its failures."""
    assert marks(Question("1", "問い"), answer, verdict).score is None
