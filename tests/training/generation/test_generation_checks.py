"""Which pairs are kept, and for which reason the others are not."""

import dataclasses
import json
import re

import pytest

from app.base.wording import phrase
from app.inference.reply_journal import ModelReply
from app.training.generation import generation_plan, prompts
from app.training.generation.pair_records import (
    PARAPHRASE,
    QUESTION_MAX,
    REJECTION_REASONS,
    SCORE_MIN,
    UNANSWERABLE,
    PairCandidate,
)
from tests.training.generation.collection import ANSWER, COVER, QUESTION, TEXT, passage

GOOD = PairCandidate(passage(), "number", COVER, QUESTION, ANSWER)


def reason(lacking: bool = False, **fields: str) -> str:
    return generation_plan.rejection_reason(dataclasses.replace(GOOD, **fields), lambda _question: lacking)


def test_a_pair_that_the_quote_bears_out_is_kept() -> None:
    assert reason() == ""


@pytest.mark.parametrize(
    ("answer", "question"),
    [
        ("土に接する部材の鉄筋のかぶりは70mm以上とします。", QUESTION),
        ("７０ｍｍ以上です。", QUESTION),
        ("70mm以上です。", "土に接する部材とその周辺では、かぶりは何mm以上ですか。"),
        ("7cm以上です。", QUESTION),
        ("土に接する部材です。", "鉄筋のかぶりを70mm以上とするのは、どのような場所の鉄筋コンクリートですか。"),
    ],
)
def test_it_may_say_it_in_its_own_words(answer: str, question: str) -> None:
    assert reason(answer=answer, question=question) == ""


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"quote": "かぶりは70mm"}, "quote_too_short"),
        ({"quote": ""}, "quote_too_short"),
        ({"quote": "土に接する部材の鉄筋のかぶりは、70mm以上とする。"}, "quote_not_in_passage"),
        ({"question": ""}, "question_empty"),
        ({"question": "かぶりは？"}, "question_too_short"),
        ({"question": "土に接する部材の、" * 20 + "かぶりは何mmですか"}, "question_too_long"),
        ({"question": "土に接する部材の鉄筋のかぶりを説明する。"}, "not_a_question"),
        ({"question": "この文章で、鉄筋のかぶりは何mm以上ですか。"}, "refers_to_text"),
        ({"question": "上記の部材では、鉄筋のかぶりは何mm以上ですか。"}, "refers_to_text"),
        ({"question": "図9-16の部材では、鉄筋のかぶりは何mm以上ですか。"}, "refers_to_text"),
        ({"question": "その部材では、鉄筋のかぶりは何mm以上ですか。"}, "refers_to_text"),
        ({"question": "What is the cover of reinforcement in mm?"}, "not_japanese"),
        ({"question": "鉄筋のかぶりのかぶりのかぶりのかぶりのかぶりのかぶりのかぶりのかぶりは何mmですか"}, "broken"),
        ({"answer": "7"}, "answer_too_short"),
        ({"answer": "土に接する部材の鉄筋のかぶりは70mm以上としますか。"}, "answer_asks"),
        ({"answer": "70mm以上とします。" + "かぶりは鉄筋の表面から測ります、そして" * 25}, "answer_too_long"),
        ({"answer": '70mm以上とします。", "score": 3}'}, "broken"),
        ({"answer": "土に接する部材の鉄筋のかぶりは70mm以上とし、"}, "broken"),
        ({"question": "鉄筋のかぶりは70mm以上ですか。", "answer": "はい、70mm以上です。"}, "question_has_answer"),
        ({"question": "鉄筋のかぶりとは何ですか。", "answer": "鉄筋のかぶりです。"}, "question_has_answer"),
        ({"answer": "100mm以上とします。"}, "number_not_in_quote"),  # which stands in the passage, and not in the quote
        ({"answer": "70cm以上とします。"}, "number_not_in_quote"),
        ({"answer": "70mm以下とします。"}, "number_not_in_quote"),
        ({"answer": "この資料によると、かぶりは70mm以上です。"}, "refers_to_text"),
        ({"answer": "上記のとおり、かぶりは70mm以上です。"}, "refers_to_text"),
        ({"answer": "図9-16のとおり、かぶりは70mm以上です。"}, "refers_to_text"),
        ({"question": "橋梁の塗装は、何色にすべきですか。"}, "off_topic"),
        ({"answer": "継手の位置と定着の長さ、配筋の間隔を照査して決定します。"}, "not_supported"),
        ({"answer": "はい、そうです。"}, "not_supported"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_it_is_said(fields: dict[str, str], code: str) -> None:
    assert reason(**fields) == code
    assert code in REJECTION_REASONS


def test_every_example_of_a_question_is_known_when_it_is_copied() -> None:
    place = passage()
    made = [
        prompts.pair_prompt(place, prompts.question_styles()[0]),
        prompts.paraphrase_prompt(GOOD),
        prompts.unanswerable_prompt(place),
    ]
    examples = [re.findall(r'"question": "(.+?)"', one.question)[0] for one in made]
    assert len(set(examples)) == 3
    about_it = dataclasses.replace(place, section=dataclasses.replace(place.section, heading=("消火器の設置",)))
    for example in examples:
        for fields in ({}, {"category": PARAPHRASE}, {"category": UNANSWERABLE, "quote": ""}):
            assert reason(lacking=True, question=example, **fields) == "example_copied"
        assert (
            generation_plan.rejection_reason(
                PairCandidate(about_it, UNANSWERABLE, "", example, "資料にありません。"), lambda _: True
            )
            == ""
        )
    assert "example_copied" in REJECTION_REASONS


def test_the_example_of_a_score_is_not_accepted_when_it_is_copied() -> None:
    example = re.findall(r"^\{.+\}$", prompts.quality_prompt(GOOD).question, re.MULTILINE)[0]
    score = prompts.reply_score(ModelReply(example, "end"))
    assert score < SCORE_MIN


def test_words_to_search_for_are_no_sentence() -> None:
    words = "かぶり 最小値 土に接する部材"
    assert reason(question=words, category="keywords") == ""
    assert reason(question=words) == "not_a_question"


def test_a_question_without_an_answer_is_kept_where_the_collection_has_none() -> None:
    fields = {"category": UNANSWERABLE, "quote": "", "question": "鉄筋の購入費用はいくらですか。"}
    assert reason(lacking=True, **fields) == ""
    assert reason(lacking=False, **fields) == "answerable_after_all"
    assert reason(lacking=True, **fields | {"question": "費用はいくらですか。"}) == "off_topic"


@pytest.mark.parametrize("category", generation_plan.OTHER_WORDS)
def test_a_question_in_other_words_may_have_none_of_the_passage(category: str) -> None:
    assert reason(category=category, question="地面に触れるところでは、どれだけ離せばよいですか。") == ""


@pytest.mark.parametrize(
    ("question", "is_repeated"),
    [
        (QUESTION, True),
        (QUESTION.replace("？", "。"), True),
        ("水中で施工する部材のかぶりは何mm以上ですか。", False),
    ],
)
def test_a_question_that_is_nearly_another_one_is_known(question: str, is_repeated: bool) -> None:
    assert generation_plan.is_repeated(question, ["継手の位置はどこですか。", QUESTION]) == is_repeated
    assert not generation_plan.is_repeated(question, [])


@pytest.mark.parametrize("code", REJECTION_REASONS)
def test_every_reason_has_words(code: str) -> None:
    assert phrase(f"training.pair_refusal.{code}")


def test_the_quote_is_compared_letter_by_letter() -> None:
    assert "100mm" in TEXT
    assert reason(quote=COVER.replace("70mm", "７０mm")) == "quote_not_in_passage"


def test_the_longest_question_and_reason_end_within_their_tokens() -> None:
    for prompt, longest in (
        (prompts.quality_prompt(GOOD), {"reason": "😀" * prompts.REASON_MAX, "score": 3}),
        (prompts.paraphrase_prompt(GOOD), {"question": "😀" * QUESTION_MAX}),
        (prompts.unanswerable_prompt(GOOD.passage), {"question": "😀" * QUESTION_MAX}),
    ):
        assert len(json.dumps(longest, ensure_ascii=False).encode()) <= prompt.max_tokens  # a byte a token
