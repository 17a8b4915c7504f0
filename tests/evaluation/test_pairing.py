"""Pairs of answers: asked in both orders, counted by system, and a preference that turns with the order is none."""

from pathlib import Path

import pytest

from app.chat.batch.journal import BatchAnswer, BatchJournal, JournalHeader
from app.chat.presets import Choices
from app.documents.grounding.grounding_record import CitedSource, Claim, Grounding
from app.evaluation.judge import judge_prompt
from app.evaluation.judge.judge_prompt import JudgePrompt
from app.evaluation.records import PairPreference, Question, QuestionSet, System
from app.evaluation.report import scoring
from app.evaluation.study import studies, study_steps
from app.evaluation.study.studies import ComparedSystem, Study
from app.inference.local_model import LocalModel
from app.inference.reply_journal import ModelReply, StandalonePrompt

COUNT = 6
SYSTEMS = [System(f"s{number}", name, "/m.gguf", "モデル") for number, name in enumerate(("元", "学習後"), start=1)]
QUESTIONS = QuestionSet("試験", 1, "", tuple(Question(f"q{n}", f"{n} 番目は？", "正解") for n in range(1, COUNT + 1)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Answered: the second system repeats the first at the first question and says nothing at the second."""
    path = tmp_path / "x"
    studies.create(path, study(), QUESTIONS)
    for system in SYSTEMS:
        head = JournalHeader("", "", 0, system.id, system.name, (), Choices(), 4096, 0.0)
        kept = BatchJournal.open(study_steps.answers_path(path, system.id, 0), head)
        for number in range(1, COUNT + 1):
            other = "同じ答え" if number == 1 else "" if number == 2 else f"別の答え {number}"
            kept.add(BatchAnswer(number, "answered", "同じ答え" if system.id == "s1" else other))
        kept.close()
    return path


def study() -> Study:
    model = LocalModel("m", "モデル", "/m.gguf", 1, "llama", "F16", 4096, 1.0)
    contenders = tuple(ComparedSystem(system, model) for system in SYSTEMS)
    return Study("x", "x", "questions", "試験", 1, "", "internal", contenders, (0,), Choices(), 4096)


def replies(pairs: dict[scoring.Place, scoring.PairToJudge], favourite: str) -> dict[StandalonePrompt, ModelReply]:
    """Of a judge that prefers what holds `favourite`, wherever it stands; "1": whatever stands first."""
    found: dict[StandalonePrompt, ModelReply] = {}
    for prompt in scoring.pair_prompts(pairs):
        winner = 1 if favourite == "1" or prompt.question.index(favourite) < _middle(prompt, favourite) else 2
        found[prompt] = ModelReply(f'{{"reason": "理由", "winner": {winner}}}', "end")
    return found


def _middle(prompt: JudgePrompt, favourite: str) -> int:
    other = "別の答え" if favourite == "同じ答え" else "同じ答え"
    return prompt.question.index(other)


def test_answers_that_are_the_same_or_none_are_not_asked_about(folder: Path) -> None:
    pairs = scoring.pairs_to_judge(study(), folder, QUESTIONS)
    assert [isinstance(pair, judge_prompt.Preference) for pair in pairs.values()] == [
        True,
        True,
        False,
        False,
        False,
        False,
    ]
    assert len(list(scoring.pair_prompts(pairs))) == 2 * (COUNT - 2)


def test_the_sources_of_both_answers_are_shown_where_no_quote_is_known(tmp_path: Path) -> None:
    asked = QuestionSet("試験", 1, "", (Question("q1", "かぶりは？"), Question("q2", "根入れは？")))
    studies.create(tmp_path / "x", study(), asked)
    for system, text in zip(SYSTEMS, ("かぶりは 100 mm とする。", "かぶりは 70 mm とする。"), strict=True):
        source = CitedSource("基準", "internal", "手引き.pdf", "手引き.pdf", text + "長い節。" * 1000)
        grounding = Grounding("answered", (source,), (Claim(text, 0, 1, (1,), is_supported=True),))
        head = JournalHeader("", "", 0, system.id, system.name, (), Choices(), 4096, 0.0)
        kept = BatchJournal.open(study_steps.answers_path(tmp_path / "x", system.id, 0), head)
        kept.add(BatchAnswer(1, "answered", system.name, grounding=grounding))
        kept.add(BatchAnswer(2, "answered", system.name))
        kept.close()
    first, second = scoring.pairs_to_judge(study(), tmp_path / "x", asked).values()
    assert isinstance(first, tuple)
    assert all("100 mm" in prompt.question and "70 mm" in prompt.question for prompt in first)
    assert second == judge_prompt.Preference(None, is_known=False)  # nothing to hold them against


def test_that_nobody_could_be_asked_is_no_fault_of_the_judge() -> None:
    found = [PairPreference("s2", f"q{number}", 0, None, is_known=False) for number in range(1, COUNT + 1)]
    made = scoring.preference_section(found, SYSTEMS, QUESTIONS, is_trusted=True)
    assert [str(COUNT) in said and "模範解答を加えて" in said for said in made.sentences] == [True]
    assert made.tables[0].rows[0][5] == "0"  # unreadable replies


@pytest.mark.parametrize(("favourite", "winners"), [("別の答え", "b"), ("同じ答え", "a"), ("1", "tie")])
def test_the_order_decides_nothing(folder: Path, favourite: str, winners: str) -> None:
    pairs = scoring.pairs_to_judge(study(), folder, QUESTIONS)
    found = scoring.pair_preferences(pairs, QUESTIONS, replies(pairs, favourite))
    assert [one.winner for one in found] == ["tie", "a", *[winners] * 4]
    assert [one.is_consistent for one in found[2:]] == [favourite != "1"] * 4


def test_what_cannot_be_read_counts_for_nobody(folder: Path) -> None:
    pairs = scoring.pairs_to_judge(study(), folder, QUESTIONS)
    silent = {prompt: ModelReply("", "failed") for prompt in scoring.pair_prompts(pairs)}
    found = scoring.pair_preferences(pairs, QUESTIONS, silent)
    assert [one.winner for one in found] == ["tie", "a", None, None, None, None]
    (row,) = scoring.preference_section(found, SYSTEMS, QUESTIONS, is_trusted=True).tables[0].rows
    assert row == ("学習後", "0", "1", "1", "0", "4", "-0.50")


def test_where_no_pair_was_decided_it_is_said_with_their_number() -> None:
    found = [PairPreference("s2", f"q{at}", 0, None) for at in range(COUNT)]
    (sentence,) = scoring.preference_section(found, SYSTEMS, QUESTIONS, is_trusted=False).sentences
    assert "「学習後」と「元」の一対比較は、6 件のどれも" in sentence
    assert scoring.preference_section([], SYSTEMS, QUESTIONS, is_trusted=False).sentences == ()


def test_pairs_that_all_lack_questions_are_told_in_one_sentence() -> None:
    systems = [*SYSTEMS, System("s3", "別", "/m.gguf", "モデル")]
    found = [PairPreference(system, f"q{at}", 0, "b") for system in ("s2", "s3") for at in range(1, 4)]
    (sentence,) = scoring.preference_section(found, systems, QUESTIONS, is_trusted=True).sentences
    assert "どの構成にも差があるとは言えません。比べられる質問が 3 問" in sentence


def told(*winners: str, group: str = "") -> tuple[str, tuple[str, ...]]:
    """The sentence, and the row of the table."""
    found = [PairPreference("s2", f"q{at}", 0, winner) for at, winner in enumerate(winners)]
    return _told(found, group)


def _told(found: list[PairPreference], group: str = "") -> tuple[str, tuple[str, ...]]:
    """`group`: of each question a letter; "": each stands for itself."""
    ids = dict.fromkeys(one.question_id for one in found)
    asked = tuple(Question(id, "？", group=group[at : at + 1]) for at, id in enumerate(ids))
    made = scoring.preference_section(found, SYSTEMS, QuestionSet("", 1, "", asked), is_trusted=True)
    return made.sentences[0], made.tables[0].rows[0]


def test_the_section_counts_and_says_what_is_sure() -> None:
    sentence, row = told(*"bbbbbbbbbbba")
    assert row[:4] == ("学習後", "11", "0", "1")
    assert "「学習後」は「元」より良い" in sentence
    assert "差があるとは言えません" in told(*"babababababa")[0]
    assert "「学習後」は「元」より悪い" in told(*"aaaaaaaaaaab")[0]
    assert "4 問しかありません" in told(*"bbbb")[0]


def test_pairs_that_are_hardly_ever_decided_say_nothing_of_chance() -> None:
    few = told(*"bbbbb", *["tie"] * 7)[0]
    assert "どちらかが選ばれた質問が 5 問しかありません（6 問以上が必要です）" in few
    uneven = told(*"bbbbbbba", *["tie"] * 10)[0]
    assert "「学習後」が良い 7 問、「元」が良い 1 問" in uneven
    assert "より良いと" not in uneven


def test_questions_on_one_document_are_drawn_together() -> None:
    assert "より良い" in told(*"bbbbbbbbbbaa")[0]
    assert "グループ" in told(*"bbbbbbbbbbaa", group="vvvvvvwwxxyz")[0]


def test_a_judge_who_may_be_wrong_is_doubted() -> None:
    found = [PairPreference("s2", f"q{at}", 0, "b") for at in range(12)]
    asked = QuestionSet("", 1, "", tuple(Question(one.question_id, "？") for one in found))
    (sentence,) = scoring.preference_section(found, SYSTEMS, asked, is_trusted=False).sentences
    assert "より良いと言えます" in sentence
    assert "信用できると確かめられていません" in sentence


def test_seeds_of_a_question_count_once() -> None:
    found = [PairPreference("s2", f"q{at}", seed, "b" if seed else "a") for at in range(6) for seed in (0, 1)]
    assert _told(found)[1][-1] == "+0.00"
