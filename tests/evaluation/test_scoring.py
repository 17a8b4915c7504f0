"""What becomes of answers: pairs that a judge chooses from, the results of a study, and those of several studies."""

import dataclasses
from pathlib import Path

import pytest

from app.base.confidentiality import Label
from app.base.errors import AppError
from app.chat.batch.journal import BatchAnswer
from app.documents.grounding.grounding_record import CitedSource, Claim, Grounding
from app.evaluation.judge import judge_prompt
from app.evaluation.judge.judge_prompt import JudgePrompt
from app.evaluation.records import PairPreference, Question, QuestionSet, System, merge_evaluations
from app.evaluation.report import report, scoring, tables
from app.evaluation.study import studies, study_steps
from app.evaluation.study.studies import ComparedSystem
from app.inference.local_model import LocalModel
from app.inference.reply_journal import ModelReply, StandalonePrompt
from tests.evaluation.driver import QUESTIONS, answer, contender, record, study
from tests.evaluation.made_evaluation import JUDGE, UNTRUSTED, evaluation

COUNT = 6
SYSTEMS = [System(f"s{number}", name, "/m.gguf", "モデル") for number, name in enumerate(("元", "学習後"), start=1)]
ASKED = QuestionSet("試験", 1, "", tuple(Question(f"q{n}", f"{n} 番目は？", "正解") for n in range(1, COUNT + 1)))


MODEL = LocalModel("m", "モデル", "/m.gguf", 1, "llama", "F16", 4096, 1.0)
STUDY = study(*(ComparedSystem(system, MODEL) for system in SYSTEMS), asked=ASKED)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Answered: the second system repeats the first at the first question and says nothing at the second."""
    path, numbers = tmp_path / "x", range(1, COUNT + 1)
    studies.create(path, STUDY, ASKED)
    others = {1: "同じ答え", 2: ""}
    record(path, "s1", (BatchAnswer(number, "answered", "同じ答え") for number in numbers))
    record(path, "s2", (BatchAnswer(n, "answered", others.get(n, f"別の答え {n}")) for n in numbers))
    return path


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
    pairs = scoring.pairs_to_judge(STUDY, folder, ASKED)
    is_decided = [isinstance(pair, judge_prompt.Preference) for pair in pairs.values()]
    assert is_decided == [True] * 2 + [False] * (COUNT - 2)
    assert len(list(scoring.pair_prompts(pairs))) == 2 * (COUNT - 2)


def test_the_sources_of_both_answers_are_shown_where_no_quote_is_known(tmp_path: Path) -> None:
    asked = QuestionSet("試験", 1, "", (Question("q1", "かぶりは？"), Question("q2", "根入れは？")))
    studies.create(tmp_path / "x", STUDY, asked)
    for system, text in zip(SYSTEMS, ("かぶりは 100 mm とする。", "かぶりは 70 mm とする。"), strict=True):
        source = CitedSource("基準", "internal", "手引き.pdf", "手引き.pdf", text + "長い節。" * 1000)
        grounding = Grounding("answered", (source,), (Claim(text, 0, 1, (1,), is_supported=True),))
        first, second = (
            BatchAnswer(1, "answered", system.name, grounding=grounding),
            BatchAnswer(2, "answered", system.name),
        )
        record(tmp_path / "x", system.id, (first, second))
    first, second = scoring.pairs_to_judge(STUDY, tmp_path / "x", asked).values()
    assert isinstance(first, tuple)
    assert all("100 mm" in prompt.question and "70 mm" in prompt.question for prompt in first)
    assert second == judge_prompt.Preference(None, is_known=False)  # nothing to hold them against


def test_what_nobody_could_be_asked_or_decided_about_is_said() -> None:
    found = [PairPreference("s2", f"q{number}", 0, None, is_known=False) for number in range(1, COUNT + 1)]
    made = scoring.preference_section(found, SYSTEMS, ASKED, is_trusted=True)
    assert [str(COUNT) in said and "模範解答を加えて" in said for said in made.sentences] == [True]
    assert made.tables[0].rows[0][5] == "0"  # unreadable replies
    found = [PairPreference("s2", f"q{at}", 0, None) for at in range(COUNT)]
    (sentence,) = scoring.preference_section(found, SYSTEMS, ASKED, is_trusted=False).sentences
    assert "「学習後」と「元」の一対比較は、6 件のどれも" in sentence
    assert scoring.preference_section([], SYSTEMS, ASKED, is_trusted=False).sentences == ()
    systems = [*SYSTEMS, System("s3", "別", "/m.gguf", "モデル")]
    found = [PairPreference(system, f"q{at}", 0, "b") for system in ("s2", "s3") for at in range(1, 4)]
    (sentence,) = scoring.preference_section(found, systems, ASKED, is_trusted=True).sentences
    assert "どの構成にも差があるとは言えません。比べられる質問が 3 問" in sentence


@pytest.mark.parametrize(("favourite", "winners"), [("別の答え", "b"), ("同じ答え", "a"), ("1", "tie")])
def test_the_order_decides_nothing(folder: Path, favourite: str, winners: str) -> None:
    pairs = scoring.pairs_to_judge(STUDY, folder, ASKED)
    found = scoring.pair_preferences(pairs, ASKED, replies(pairs, favourite))
    assert [one.winner for one in found] == ["tie", "a", *[winners] * 4]
    assert [one.is_consistent for one in found[2:]] == [favourite != "1"] * 4


def test_what_cannot_be_read_counts_for_nobody(folder: Path) -> None:
    pairs = scoring.pairs_to_judge(STUDY, folder, ASKED)
    silent = {prompt: ModelReply("", "failed") for prompt in scoring.pair_prompts(pairs)}
    found = scoring.pair_preferences(pairs, ASKED, silent)
    assert [one.winner for one in found] == ["tie", "a", None, None, None, None]
    (row,) = scoring.preference_section(found, SYSTEMS, ASKED, is_trusted=True).tables[0].rows
    assert row == ("学習後", "0", "1", "1", "0", "4", "-0.50")


def told(*winners: str, group: str = "", is_trusted: bool = True) -> tuple[str, tuple[str, ...]]:
    """The sentence, and the row of the table. `group`: of each question a letter; "": each stands for itself."""
    found = [PairPreference("s2", f"q{at}", 0, winner) for at, winner in enumerate(winners)]
    asked = tuple(Question(one.question_id, "？", group=group[at : at + 1]) for at, one in enumerate(found))
    made = scoring.preference_section(found, SYSTEMS, QuestionSet("", 1, "", asked), is_trusted=is_trusted)
    return made.sentences[0], made.tables[0].rows[0]


@pytest.mark.parametrize(
    ("winners", "said"),
    [
        ("bbbbbbbbbbba", "「学習後」は「元」より良い"),
        ("babababababa", "差があるとは言えません"),
        ("aaaaaaaaaaab", "「学習後」は「元」より悪い"),
        ("bbbb", "4 問しかありません"),
        ("bbbbb-------", "どちらかが選ばれた質問が 5 問しかありません（6 問以上が必要です）"),
        ("bbbbbbba----------", "「学習後」が良い 7 問、「元」が良い 1 問"),
    ],
)
def test_the_sentence_says_what_is_sure(winners: str, said: str) -> None:
    sentence = told(*("tie" if one == "-" else one for one in winners))[0]
    assert said in sentence
    assert ("より" in sentence) == ("より" in said)


def test_the_table_counts_by_system_documents_count_together_and_a_judge_may_be_doubted() -> None:
    assert told(*"bbbbbbbbbbba")[1][:4] == ("学習後", "11", "0", "1")
    found = [PairPreference("s2", f"q{at}", seed, "b" if seed else "a") for at in range(1, 7) for seed in (0, 1)]
    (row,) = scoring.preference_section(found, SYSTEMS, ASKED, is_trusted=True).tables[0].rows
    assert row[-1] == "+0.00"
    assert "より良い" in told(*"bbbbbbbbbbaa")[0]
    assert "グループ" in told(*"bbbbbbbbbbaa", group="vvvvvvwwxxyz")[0]
    sentence = told(*"b" * 12, is_trusted=False)[0]
    assert "より良いと言えます" in sentence
    assert "信用できると確かめられていません" in sentence


# ---------------------------------------------------------------------- results


ALONE = study(contender(1, "/a"))


def answered(folder: Path, label: Label = "internal") -> None:
    studies.create(folder, ALONE, QUESTIONS)
    answer(folder, "s1", label=label)


def test_answers_of_documents_that_became_secret_make_the_evaluation_secret(tmp_path: Path) -> None:
    answered(tmp_path / "x", "secret")
    assert scoring.score_study(ALONE, tmp_path / "x", QUESTIONS).questions.label == "secret"
    assert studies.read_results(tmp_path / "x")[0].questions.label == "secret"
    answered(tmp_path / "y", "public")
    assert scoring.score_study(ALONE, tmp_path / "y", QUESTIONS).questions.label == "internal"


def test_a_study_is_not_finished_before_its_report_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answered(tmp_path / "x")

    def fail(*_anything: object) -> None:
        raise AppError("evaluation_unwritable", path="", reason="")

    monkeypatch.setattr(report, "write", fail)
    with pytest.raises(AppError):
        scoring.score_study(ALONE, tmp_path / "x", QUESTIONS)
    assert studies.find(tmp_path, "x").state == "waiting"


def test_a_question_that_somebody_took_out_of_the_record_is_told(tmp_path: Path) -> None:
    studies.create(tmp_path / "x", ALONE, QUESTIONS)
    path = study_steps.answers_path(tmp_path / "x", "s1", 0).with_name("s1-0.kotae-batch")
    answer(tmp_path / "x", "s1")
    head, first, _ = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(head + first + first)
    with pytest.raises(AppError, match="batch_journal_damaged"):
        scoring.score_study(ALONE, tmp_path / "x", QUESTIONS)


# ---------------------------------------------------------- several evaluations


def test_several_evaluations_have_the_highest_label_and_a_system_of_its_own_for_each() -> None:
    secret = evaluation()
    public = dataclasses.replace(secret, questions=dataclasses.replace(secret.questions, label="public"))
    assert secret.questions.label == "secret"
    assert merge_evaluations([public, secret]).questions.label == "secret"
    assert merge_evaluations([public, public]).questions.label == "public"
    made = [dataclasses.replace(evaluation(), id=f"評価 {number}") for number in range(3)]  # of one set: of one name
    found = merge_evaluations(made)
    assert [one.rows for one in found.systems] == [result.rows for one in made for result in one.systems]
    assert len({one.system.name for one in found.systems}) == len({one.system.id for one in found.systems}) == 12
    one = evaluation()
    other = dataclasses.replace(one.questions, questions=one.questions.questions[1:])
    with pytest.raises(AppError, match="evaluation_other_questions"):
        merge_evaluations([one, dataclasses.replace(one, questions=other)])
    found = merge_evaluations([evaluation(seeds=(1,)), evaluation(seeds=(1, 2, 3))])
    assert any("1〜3 個の乱数の種" in note for note in tables.means(found).notes)
    assert any("、2 個の乱数の種" in note for note in tables.means(evaluation()).notes)


def test_scores_of_two_judges_do_not_stand_side_by_side_and_one_counts_as_where_it_was_trusted_least() -> None:
    found = merge_evaluations([evaluation(JUDGE), evaluation(UNTRUSTED)])
    assert found.judge is None
    assert {row.judgement for result in found.systems for row in result.rows} == {None}
    assert merge_evaluations([evaluation(JUDGE), evaluation(JUDGE)]).judge == JUDGE
    doubtful = dataclasses.replace(JUDGE, kappa=0.2, is_trusted=False)
    unknown = dataclasses.replace(JUDGE, kappa=None, is_trusted=None)
    less = dataclasses.replace(JUDGE, kappa=0.61)
    for told, least in (((JUDGE, unknown, doubtful), doubtful), ((JUDGE, unknown), unknown), ((JUDGE, less), less)):
        assert merge_evaluations([evaluation(one) for one in told]).judge == least
    assert merge_evaluations([evaluation(None)]).judge is None
