"""Read what a study has measured from its folder: score the answers by rules, add the judge's scores, read likelihoods.

Pairs of answers, of the first system and each other one, are judged in both orders, because a judge tends to prefer the
first answer (Zheng et al. 2023, section 3.4): a preference in one order only is a tie.
"""

import dataclasses
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.base import confidentiality
from app.base.confidentiality import Label
from app.base.errors import AppError
from app.base.wording import phrase
from app.chat.batch.journal import BatchAnswer
from app.evaluation.judge import judge_calibration, judge_prompt, paired_statistics, rule_scoring
from app.evaluation.judge.judge_calibration import CalibrationCase, JudgeCalibration
from app.evaluation.judge.judge_prompt import JudgePrompt, Preference
from app.evaluation.judge.paired_statistics import Comparison
from app.evaluation.records import (
    Evaluation,
    Judge,
    JudgeScore,
    PairPreference,
    Question,
    QuestionSet,
    ReportSection,
    ReportTable,
    ResultRow,
    System,
    SystemResult,
)
from app.evaluation.report import advice, report, tables
from app.evaluation.study import studies, study_steps
from app.evaluation.study.studies import ComparedSystem, Study
from app.inference import scoring_files as score_files
from app.inference.reply_journal import ModelReply, StandalonePrompt

Place = tuple[str, int, int]  # id of the system, seed, number of the question from 1
PairToJudge = tuple[JudgePrompt, JudgePrompt] | Preference
GAINS = {"a": -1.0, "tie": 0.0, "b": 1.0}


def pairs_to_judge(study: Study, folder: Path, questions: QuestionSet) -> dict[Place, PairToJudge]:
    """Return the prompts for both orders of each pair of answers, or the preference if no judge is needed.

    The keys are places of the other system's answers. Raises AppError("batch_journal_damaged").
    """
    found: dict[Place, PairToJudge] = {}
    systems = [contender.system.id for contender in study.contenders]
    for seed in study.seeds:
        for other in systems[1:]:
            before = study_steps.answers_of(folder, systems[0], seed)
            after = study_steps.answers_of(folder, other, seed)
            for number, question in enumerate(questions.questions, start=1):
                one, two = before[number], after[number]
                passages = [] if question.gold else judge_prompt.cited_passages([one, two])
                found[other, seed, number] = judge_prompt.preference_requests(
                    question, one.answer, two.answer, passages
                )
    return found


def pair_prompts(pairs: Mapping[Place, PairToJudge]) -> Iterator[JudgePrompt]:
    for pair in pairs.values():
        if not isinstance(pair, Preference):
            yield from pair


def pair_preferences(
    pairs: Mapping[Place, PairToJudge], questions: QuestionSet, replies: Mapping[StandalonePrompt, ModelReply]
) -> tuple[PairPreference, ...]:
    """Return the judge's preference for each pair. `replies`: the reply to each of `pair_prompts`."""
    found = []
    for (system, seed, number), pair in pairs.items():
        one = (
            pair
            if isinstance(pair, Preference)
            else judge_prompt.read_preference(*(replies[prompt].text for prompt in pair))
        )
        question = questions.questions[number - 1].id
        found.append(PairPreference(system, question, seed, one.winner, one.is_consistent, one.is_known))
    return tuple(found)


def preference_section(
    all_preferences: Sequence[PairPreference], systems: Sequence[System], questions: QuestionSet, *, is_trusted: bool
) -> ReportSection:
    """Return a section on how often each system is preferred to the first, over the seeds.

    `systems`: the first one first.
    """
    head = tuple(
        phrase(f"evaluation.pairs_column.{name}")
        for name in ("system", "wins", "ties", "losses", "turned", "unread", "gain")
    )
    rows, lines, undecided = list[tuple[str, ...]](), list[str](), list[str]()
    comparisons = list[Comparison]()
    for system in systems[1:]:
        preferences = [preference for preference in all_preferences if preference.system_id == system.id]
        compared = paired_statistics.compare_votes("pairs", _preference_gains(preferences), questions.questions)
        rows.append(_preference_row(preferences, system, compared))
        if compared is not None:
            sentence = paired_statistics.comparison_sentence(compared, systems[0].name, system.name)
            lines.append(sentence if is_trusted else tables.marked_doubtful(sentence))
            comparisons.append(compared)
        undecided += _undecided_sentences(preferences, systems[0].name, system.name)
    note = phrase("evaluation.pairs_note", first=systems[0].name)
    lines = [*tables.merge_few_sentences(comparisons, lines), *undecided]
    return ReportSection(phrase("evaluation.pairs_title"), tuple(lines), (), (ReportTable(head, tuple(rows), (note,)),))


def _undecided_sentences(preferences: Sequence[PairPreference], first: str, second: str) -> list[str]:
    """Return sentences on pairs that could not be judged, and on replies of which none could be read."""
    unknown = sum(not one.is_known for one in preferences)
    lines = [phrase("evaluation.pairs_unknown", first=first, second=second, count=unknown)] if unknown else []
    asked = [one for one in preferences if one.is_known]
    if asked and all(one.winner is None for one in asked):
        lines.append(phrase("evaluation.pairs_undecided", first=first, second=second, count=len(asked)))
    return lines


def _preference_row(
    preferences: Sequence[PairPreference], system: System, compared: Comparison | None
) -> tuple[str, ...]:
    winners = [one.winner for one in preferences]
    turned, unread = (
        sum(not one.is_consistent for one in preferences),
        sum(one.winner is None and one.is_known for one in preferences),
    )
    counts = [winners.count(winner) for winner in ("b", "tie", "a")]
    gain = f"{compared.second_mean:+.2f}" if compared else "-"
    return (system.name, *map(str, (*counts, turned, unread)), gain)


def _preference_gains(preferences: Sequence[PairPreference]) -> dict[str, float]:
    """Return for each question the mean over the seeds: 1 if the system is preferred, -1 if the first system is."""
    by_question: dict[str, list[float]] = {}
    for one in preferences:
        if one.winner is not None:
            by_question.setdefault(one.question_id, []).append(GAINS[one.winner])
    return {question: sum(values) / len(values) for question, values in by_question.items()}


PromptOrScore = JudgePrompt | JudgeScore

# number of questions whose reference is changed to calibrate the judge
CALIBRATED = 20


@dataclass(frozen=True, slots=True)
class AnswersToJudge:
    """The prompts for the judge, or scores where no judge is needed.

    `answers`: prompts for the answers by place. `checks`: prompts for `cases`, to calibrate the judge.
    """

    answers: dict[Place, PromptOrScore]
    cases: tuple[CalibrationCase, ...]
    checks: tuple[PromptOrScore, ...]
    pairs: dict[Place, PairToJudge]  # {}: pairs are not judged

    @property
    def prompts(self) -> tuple[JudgePrompt, ...]:
        single = (one for one in (*self.answers.values(), *self.checks) if isinstance(one, JudgePrompt))
        return (*single, *pair_prompts(self.pairs))


@dataclass(frozen=True, slots=True)
class JudgedAnswers:
    """The judge's scores of all answers by place. `measured`: the calibration of the judge."""

    answers: dict[Place, JudgeScore]
    measured: JudgeCalibration
    preferences: tuple[PairPreference, ...]


def answers_to_judge(study: Study, folder: Path, questions: QuestionSet) -> AnswersToJudge:
    """Return the prompts for all answers, calibration cases and pairs. Raises AppError("batch_journal_damaged")."""
    found: dict[Place, PromptOrScore] = {}
    for contender in study.contenders:
        for seed in study.seeds:
            answers = _answers(folder, contender.system.id, seed, len(questions.questions))
            for number, question in enumerate(questions.questions, start=1):
                place = (contender.system.id, seed, number)
                found[place] = _to_judge(question, answers[number], study.judge_preset)
    cases = _cases(study, questions)
    checks = tuple(judge_prompt.score_request(case.question, case.answer, (), study.judge_preset) for case in cases)
    return AnswersToJudge(found, cases, checks, pairs_to_judge(study, folder, questions) if study.has_pairs else {})


def judged_answers(
    study: Study, to_judge: AnswersToJudge, questions: QuestionSet, replies: Mapping[StandalonePrompt, ModelReply]
) -> JudgedAnswers:
    assert study.judge is not None
    scored = [_judgement(one, replies) for one in to_judge.checks]
    measured = judge_calibration.calibrate(study.judge.name, study.judge_preset, to_judge.cases, scored)
    answers = {place: _judgement(one, replies) for place, one in to_judge.answers.items()}
    return JudgedAnswers(answers, measured, pair_preferences(to_judge.pairs, questions, replies))


def score_study(study: Study, folder: Path, questions: QuestionSet, judged: JudgedAnswers | None = None) -> Evaluation:
    """Score a study, write results.json and report.html, and return the evaluation.

    Raises AppError as `build_evaluation` and the writers.
    """
    evaluation = build_evaluation(study, folder, questions, judged)
    sections = advice.advise(study, folder, evaluation).sections
    if judged is not None:
        if judged.preferences:
            systems, is_trusted = [system.system for system in evaluation.systems], bool(judged.measured.is_trusted)
            sections += (preference_section(judged.preferences, systems, questions, is_trusted=is_trusted),)
        lines = (judge_calibration.calibration_sentence(judged.measured),)
        sections += (
            ReportSection(
                phrase("evaluation.judge_title"), lines, (), (judge_calibration.calibration_table(judged.measured),)
            ),
        )
    report.write(evaluation, sections, folder)
    studies.write_results(evaluation, sections, folder)  # last, because this file marks the study as finished
    return evaluation


def build_evaluation(
    study: Study,
    folder: Path,
    questions: QuestionSet,
    judged: JudgedAnswers | None = None,
) -> Evaluation:
    """Build the evaluation of a study from all scores. Its label is the highest of the study's and the answers'.

    Raises AppError("batch_journal_damaged" | "score_unreadable").
    """
    labels = {questions.label}
    judgements = judged.answers if judged else {}
    found = tuple(_system(study, folder, questions, contender, judgements, labels) for contender in study.contenders)
    questions = dataclasses.replace(questions, label=confidentiality.highest_label(labels))
    judge, preferences = None, judged.preferences if judged else ()
    if judged is not None:
        measured = judged.measured
        judge = Judge(measured.model_name, measured.preset, measured.kappa, measured.is_trusted)
    return Evaluation(study.id, study.name, questions, found, study.seeds, judge, time.time(), preferences)


def _cases(study: Study, questions: QuestionSet) -> tuple[CalibrationCase, ...]:
    known = [one for one in questions.questions if judge_calibration.has_right_answer(one)]
    rated = (
        CalibrationCase(questions.questions[one.number - 1], one.answer, "human", one.score) for one in study.rated
    )
    return (*judge_calibration.calibration_cases(known[:CALIBRATED]), *rated)


def _to_judge(question: Question, result: BatchAnswer, preset: str) -> PromptOrScore:
    """Return the prompt for judging an answer, or its score.

    A failed answer is empty, so that it gets 0 as by the rules.
    """
    passages = [] if question.gold else judge_prompt.cited_passages([result])
    return judge_prompt.score_request(question, result.answer, passages, preset)


def _judgement(prompt: PromptOrScore, replies: Mapping[StandalonePrompt, ModelReply]) -> JudgeScore:
    if isinstance(prompt, JudgeScore):
        return prompt
    reply = replies[prompt]
    if reply.stop_reason == "failed":
        return JudgeScore(None, trouble="failed", cut_characters=prompt.cut_characters)
    return judge_prompt.read_score(reply.text, prompt.cut_characters)


def _answers(folder: Path, system_id: str, seed: int, count: int) -> dict[int, BatchAnswer]:
    """Return a system's answers to all questions, by number from 1. Raises AppError("batch_journal_damaged")."""
    found = study_steps.answers_of(folder, system_id, seed)
    if not found.keys() >= set(range(1, count + 1)):  # another program changed the file
        raise AppError("batch_journal_damaged", path=str(study_steps.answers_path(folder, system_id, seed)))
    return found


def _system(
    study: Study,
    folder: Path,
    questions: QuestionSet,
    contender: ComparedSystem,
    judged: Mapping[Place, JudgeScore],
    labels: set[Label],
) -> SystemResult:
    """Return the result of a system. `labels`: set to which the labels of its answers are added."""
    system, rows = contender.system, list[ResultRow]()
    for seed in study.seeds:
        answers = _answers(folder, system.id, seed, len(questions.questions))
        labels.update(one.label for one in answers.values())
        rows += [
            _row(question, answers[number], seed, judged.get((system.id, seed, number)))
            for number, question in enumerate(questions.questions, start=1)
        ]
    if not study.has_likelihoods:
        return SystemResult(_with_file_size(system), tuple(rows))
    kept = score_files.read_scores(study_steps.likelihood_file(folder, system.id))
    measured = dataclasses.replace(system, size_bytes=kept.size_bytes)
    return SystemResult(measured, tuple(rows), kept.examples, kept.memory_bytes)


def _with_file_size(system: System) -> System:
    sizes = [study_steps.size_bytes(Path(path)) for path in (system.model, system.adapter) if path]
    return dataclasses.replace(system, size_bytes=sum(sizes)) if all(sizes) else system


def _row(question: Question, result: BatchAnswer, seed: int, judgement: JudgeScore | None) -> ResultRow:
    return ResultRow(
        question.id,
        seed,
        result.answer,
        result.verdict,
        rule_scoring.score_answer(question, result),
        judgement,
        total_s=max(0.0, result.total_s - result.load_s),
        first_token_s=result.first_token_s,
        answer_tokens=result.answer_tokens,
        error=result.error,
        tokens_per_s=result.tokens_per_s,
    )
