"""What is asked when, from the replies that there are; each test answers as a model of its own kind would."""

import json
import re
from collections import Counter

import pytest

from app.base.wording import phrase
from app.inference.reply_journal import ModelReply, StandalonePrompt
from app.training.generation import generation_plan, prompts
from app.training.generation.generation_plan import GenerationPlan, GenerationStatus, Lacks
from app.training.generation.pair_records import PARAPHRASE, UNANSWERABLE
from tests.training.generation.collection import passage, said

NOT_THERE = "資料にありません。"
PARTS = ("橋脚", "水門", "堤防", "護岸", "床止め", "魚道", "樋管", "堰", "ダム", "水制", "砂防堰堤", "渓流保全工")
SUBJECTS = tuple(f"{place}の{part}" for place in ("上流", "下流", "右岸", "左岸", "河口") for part in PARTS)


def plan_of(wanted: int, count: int = 60) -> GenerationPlan:
    """Each passage is on a subject of its own, by which `Model` knows it."""
    texts = [
        f"{subject}の鉄筋のかぶりは、{at}mm以上とする。" + "測定は毎年行う。" * 9
        for at, subject in enumerate(SUBJECTS, 50)
    ]
    return GenerationPlan(tuple(passage(text) for text in texts[:count]), wanted, NOT_THERE)


class Model:
    """Answers each kind of prompt well, but pairs on the subjects in `bad`."""

    def __init__(self, *bad: str, score: int = 3) -> None:
        self.bad = bad
        self.score = score
        self.kinds: Counter[str] = Counter()

    def reply(self, prompt: StandalonePrompt) -> ModelReply:
        if prompt.grammar == prompts.score_grammar():
            return self._said("quality", reason="よい", score=self.score)
        at, subject = next((at, one) for at, one in enumerate(SUBJECTS, 50) if one + "の鉄筋" in prompt.question)
        if prompt.grammar != prompts.question_grammar():
            if subject in self.bad:
                return self._said("bad", quote="どこにもない文を、根拠として引用しました。", question="？", answer="？")
            quote = f"{subject}の鉄筋のかぶりは、{at}mm以上とする。"
            return self._said(
                "pair", quote=quote, question=f"{subject}では、かぶりは何mm以上ですか。", answer=f"{at}mm以上です。"
            )
        if "別の言い方" in prompt.question:
            return self._said("paraphrase", question=f"鉄筋を、{subject}の表面からどれだけ離しますか。")
        return self._said("unanswerable", question=f"{subject}の鉄筋の購入費用は、いくらですか。")

    def _said(self, kind: str, **fields: object) -> ModelReply:
        self.kinds[kind] += 1
        return said(**fields)


def next_prompts(made: GenerationPlan, replies: generation_plan.Replies, lacks: Lacks) -> list[StandalonePrompt]:
    return generation_plan.compute_status(made, replies, lacks).prompts


def carried_out(
    made: GenerationPlan, model: Model, lacks: bool = True, step: int = 1000
) -> tuple[GenerationStatus, dict[StandalonePrompt, ModelReply]]:
    """Asks until nothing is left to ask. `step`: prompts between two looks at what is next."""
    replies: dict[StandalonePrompt, ModelReply] = {}
    while waiting := next_prompts(made, replies, lambda _question: lacks):
        assert not replies.keys() & set(waiting)
        replies |= {prompt: model.reply(prompt) for prompt in dict.fromkeys(waiting[:step])}
    return generation_plan.compute_status(made, replies, lambda _question: lacks), replies


def test_as_many_pairs_come_out_as_are_wanted_and_no_more_is_asked() -> None:
    model = Model()
    found, replies = carried_out(plan_of(12), model)
    assert len(found.accepted) == found.judged_pairs == 12
    categories = Counter(pair.candidate.category for pair in found.accepted)
    assert categories[PARAPHRASE] == model.kinds["paraphrase"] == 3
    assert categories[UNANSWERABLE] == model.kinds["unanswerable"] == 1
    assert len(categories) > 4  # styles take turns
    assert len(replies) == 12 + 11  # nobody scores what has no answer
    assert found.passages == 8


def test_what_is_rejected_is_asked_for_anew_of_other_passages() -> None:
    found, _ = carried_out(plan_of(10), Model(*SUBJECTS[:6]))
    assert len(found.accepted) == 10
    assert found.rejected == {"quote_not_in_passage": 6}
    assert found.judged_pairs == 16


def test_it_ends_when_no_passages_are_left_and_everything_is_counted() -> None:
    found, replies = carried_out(plan_of(50, count=12), Model(*SUBJECTS))
    assert found.rejected == {"quote_not_in_passage": 12}  # no second question to a pair that is none
    assert [pair.candidate.category for pair in found.accepted] == [UNANSWERABLE] * 2
    found, replies = carried_out(plan_of(50, count=12), Model(), lacks=False)
    assert found.rejected == {"answerable_after_all": 2}
    assert found.judged_pairs == len(found.accepted) + 2 == 18
    assert len(replies) == 18 + 16


@pytest.mark.parametrize("step", [1, 5])
def test_whatever_ends_the_program_the_same_replies_give_the_same_pairs(step: int) -> None:
    made = plan_of(9)
    found, replies = carried_out(made, Model(SUBJECTS[1]))
    again, others = carried_out(made, Model(SUBJECTS[1]), step=step)
    assert again.accepted == found.accepted
    assert again.rejected == found.rejected
    assert others == replies


def test_one_prompt_after_another_is_asked_of_the_same_passage() -> None:
    """So that its text is read once."""
    made = plan_of(9)
    (first, *_) = next_prompts(made, {}, lambda _question: True)
    replies = {first: Model().reply(first)}
    waiting = next_prompts(made, replies, lambda _question: True)
    assert waiting[0].grammar == prompts.score_grammar()
    text = made.passages[5].section.text
    shared = [prompt.question for prompt in waiting if text in prompt.question]
    assert len(shared) == 2
    assert shared[0][: shared[0].index(text) + len(text)] == shared[1][: shared[1].index(text) + len(text)]


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (ModelReply("", "failed", error_code="context_full"), "failed"),
        (ModelReply('{"quote": "土に', "length"), "unreadable"),
        (ModelReply("[1, 2]", "end"), "unreadable"),
        (said(quote="x", question="x"), "unreadable"),
        (said(quote="x", question="x", answer=7), "unreadable"),
        (ModelReply("[" * 5000, "end"), "unreadable"),
    ],
)
def test_a_reply_that_is_no_pair_is_a_reason(reply: ModelReply, code: str) -> None:
    made = plan_of(1, count=1)
    (prompt,) = next_prompts(made, {}, lambda _question: True)
    assert generation_plan.compute_status(made, {prompt: reply}, lambda _question: True).rejected == {code: 1}


@pytest.mark.parametrize(
    ("score", "code"),
    [
        (said(reason="不足", score=1), "low_quality"),
        (said(reason="よい", score=4), "unreadable_score"),
        (said(reason="よい", score=True), "unreadable_score"),
        (said(reason="よい"), "unreadable_score"),
        (ModelReply("", "failed"), "failed"),
    ],
)
def test_a_score_below_two_or_none_is_a_reason(score: ModelReply, code: str) -> None:
    made = plan_of(1, count=1)
    (prompt,) = next_prompts(made, {}, lambda _question: True)
    replies = {prompt: Model().reply(prompt)}
    (quality,) = next_prompts(made, replies, lambda _question: True)
    assert generation_plan.compute_status(made, replies | {quality: score}, lambda _question: True).rejected == {
        code: 1
    }


def test_the_same_question_twice_is_kept_once() -> None:
    made = plan_of(2, count=2)
    text = made.passages[0].section.text
    twice = GenerationPlan((made.passages[0], passage(text + "記録は残す。")), 2, NOT_THERE)
    found, _ = carried_out(twice, Model())
    assert len(found.accepted) == 1
    assert found.rejected["near_duplicate"] == 1


def test_styles_are_only_asked_for_where_they_fit() -> None:
    used: Counter[str] = Counter()
    plain = passage("堤防の役割は、洪水から人の暮らしを守ることにある。")
    keys = []
    for _ in range(4):
        keys.append(prompts.style_for(plain, used).key)
        used[keys[-1]] += 1
    assert keys == ["everyday", "keywords", "everyday", "keywords"]
    assert prompts.style_for(passage(), used).key == "number"


def test_a_question_on_numbers_rests_on_a_sentence_with_one() -> None:
    text = "鉄筋の表面からコンクリートの表面までを測る。かぶりは、土に接する部材では70mm以上とする。"
    styles = {style.key: style for style in prompts.question_styles()}

    def evidence(style: str) -> list[str]:
        (line,) = re.findall(
            "^quote ::= (.*)$", prompts.pair_prompt(passage(text), styles[style]).grammar, re.MULTILINE
        )
        return str(line).split(" | ")

    assert all("70mm" in quote for quote in evidence("number"))
    assert not all("70mm" in quote for quote in evidence("everyday"))
    assert evidence("definition") == evidence("everyday")  # none of them defines anything


def test_braces_of_a_document_are_only_text() -> None:
    shown = prompts.pair_prompt(
        passage("配筋は{style}と{0}のとおりとし、{のままにする。" * 3), prompts.style_for(passage(), Counter())
    )
    assert "{style}と{0}" in shown.question


def test_the_quote_of_a_grammar_is_the_words_of_the_passage_as_json_has_them() -> None:
    rules = prompts.pair_grammar(['「"引用"」と\\記号のある文。'])
    line = next(line for line in rules.splitlines() if line.startswith("quote ::= "))
    literal = line.removeprefix("quote ::= ")
    as_json = literal[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    assert json.loads(f'"{as_json}"') == '「"引用"」と\\記号のある文。'


def test_what_is_not_there_is_said_as_the_program_says_it() -> None:
    assert prompts.prompt_text("not_there") == phrase("chat.not_in_documents")


def test_no_more_passages_are_tried_than_a_few_for_each_pair() -> None:
    assert generation_plan.max_passages(1) == generation_plan.PASSAGES_MIN
    assert generation_plan.max_passages(100) == 100 * generation_plan.PASSAGES_PER_PAIR
