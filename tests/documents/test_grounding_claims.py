"""Invented answers of many kinds against invented sources: wrong ones are marked, and right ones are left alone."""

import tomllib
from pathlib import Path

import pytest

from app.documents.grounding import claims, prerequisites, statements
from app.documents.records import Passage
from tests.documents.driver import is_marked, make_passage

HERE = Path(__file__).parent
BEHAVIOURS = tomllib.loads((HERE / "grounding_pairs.toml").read_text("utf-8"))["behaviour"]


def rows(name: str) -> list[tuple[bool, str, str, Passage, str]]:
    """Whether wrong, kind, answer, source, question."""
    found = []
    for number, group in enumerate(tomllib.loads((HERE / name).read_text("utf-8"))["group"]):
        passage = make_passage(group["text"], *group["heading"], number=number, document=group["document"])
        found += [
            (is_wrong, kind, answer, passage, group["question"])
            for is_wrong in (True, False)
            for kind, answer in group["wrong" if is_wrong else "right"]
        ]
    return found


@pytest.mark.parametrize(
    ("name", "least_caught", "most_marked"),
    [
        ("grounding_claims.toml", 0.95, 0.05),
        ("grounding_claims_held.toml", 0.90, 0.12),
        ("grounding_claims_free.toml", 0.90, 0.05),
        ("grounding_claims_values.toml", 0.93, 0.03),
    ],
)
def test_wrong_answers_are_marked_and_right_ones_are_not(name: str, least_caught: float, most_marked: float) -> None:
    wrong = [row for row in rows(name) if row[0]]
    right = [row for row in rows(name) if not row[0]]
    missed = [(kind, answer) for _, kind, answer, passage, asked in wrong if not is_marked(answer, [passage], asked)]
    marked = [(kind, answer) for _, kind, answer, passage, asked in right if is_marked(answer, [passage], asked)]
    assert len(missed) <= (1 - least_caught) * len(wrong), missed
    assert len(marked) <= most_marked * len(right), marked


def test_a_sentence_of_the_source_is_never_marked() -> None:
    for passage in {row[3].section_id: row[3] for row in rows("grounding_claims.toml")}.values():
        for sentence in passage.section.text.replace("\n", "。").split("。"):
            assert not is_marked(f"{sentence}。[1]", [passage]), sentence


SOURCE = make_passage("年次休暇は、勤続6か月で10日とする。申請は、3日前までに総務課へ提出しなければならない。", "第9条")


@pytest.mark.parametrize(
    "form",
    [
        "{}", "# {}", "- {}", "> {}", "```\n{}\n```", "| {} | 備考 |\n|---|---|", "{}：", "「{}」", "{}[1]", "**{}**",
        "資料にありませんが、{}", "{}が、条件は次のとおりです。\n- 申請は総務課へ提出する [1]",
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "said", ["年次休暇は30日です", "申請は3日後までに提出します", "申請を提出する必要はありません"]
)
def test_no_form_of_a_sentence_keeps_it_from_the_check(form: str, said: str) -> None:
    assert is_marked(form.format(said), [SOURCE])


@pytest.mark.parametrize(
    "ten", ["3\u20600", "3**0**", "&#51;0", "３０", "三十", "㉚", "3\u200b0", "3\u00ad0", "3\ufe0f0", "𝟑𝟎", "٣٠"]
)
def test_a_number_is_read_as_its_reader_sees_it(ten: str) -> None:
    assert is_marked(f"年次休暇は、勤続6か月で{ten}日です。[1]", [SOURCE])
    (claim,) = claims.check(f"年次休暇は、勤続6か月で{ten}日です。[1]", [SOURCE])
    assert claim.sentence == f"年次休暇は、勤続6か月で{ten}日です。[1]"


def test_what_could_not_be_compared_is_counted() -> None:
    answer = "年次休暇は10日です[1]。\nThank you for reading.\nそうです。"
    found = claims.check(answer, [SOURCE])
    assert [claim.sentence for claim in found] == ["年次休暇は10日です[1]。"]
    assert claims.count_unchecked(answer, found) == 2
    assert claims.count_unchecked("資料にありません。", ()) == 0


@pytest.mark.parametrize(
    ("sentence", "kinds"),
    [
        ("乙は、第三者に再委託してはならない。", ["prohibited"]),
        ("申請は不要です。", ["needless"]),
        ("手袋を着用せず、眼鏡を着用する。", ["denied", "plain"]),
        ("グリーン車は使えません。", ["prohibited"]),
        ("届け出なければならない。", ["duty"]),
        ("暗号化することが望ましい。", ["advised"]),
        ("記録しなくても差し支えありません。", ["needless"]),
        ("1年間延長することができる。", ["permitted"]),
        ("採水は5回を下回らないものとする。", []),
        ("必ず届け出る。", ["plain"]),
        ("検図を省略することができる。", ["needless"]),
        ("搬送しないことができる。", ["needless"]),
        ("併用は差し支えない。", ["permitted"]),
        ("なるべく洗います。", ["advised"]),
        ("洗うようにしましょう。", ["suggested"]),
        ("行うことが義務づけられています。", ["duty"]),
        ("着けるかどうかは、本人の自由です。", ["permitted", "permitted"]),
    ],
)
def test_the_end_of_a_predicate_says_what_must_or_may_be(sentence: str, kinds: list[str]) -> None:
    found = [frame.unit.kind for frame in statements.parse_statement(sentence).frames]
    assert found == kinds or (not kinds and "denied" not in found)


@pytest.mark.parametrize("number", range(len(BEHAVIOURS)), ids=lambda number: BEHAVIOURS[number]["name"])
def test_the_same_in_other_words_is_left_alone_and_another_thing_is_marked(number: int) -> None:
    for text, right, *wrong in BEHAVIOURS[number]["pairs"]:
        source = make_passage(text, "第2章", document="要領.md")
        assert not is_marked(right, [source]), right
        assert all(is_marked(answer, [source]) for answer in wrong), wrong


@pytest.mark.parametrize(
    "sentence",
    [
        "許可がなければ、倉庫に入ってはならない。",
        "許可がない限り、倉庫に入れません。",
        "倉庫に入るには、許可が必要です。",
        "倉庫に入れるのは、許可があるときだけです。",
        "許可を得るまで、倉庫に入れません。",
        "許可があれば、倉庫に入れます。",
    ],
)
def test_an_act_goes_with_its_condition_however_it_is_denied(sentence: str) -> None:
    found = prerequisites.parse_prerequisites(statements.parse_statement(sentence))
    assert found
    assert all(one.is_together for one in found)


def test_an_act_without_its_condition_does_not() -> None:
    assert [
        one.is_together
        for one in prerequisites.parse_prerequisites(statements.parse_statement("許可がなくても、倉庫に入れます。"))
    ] == [False]
