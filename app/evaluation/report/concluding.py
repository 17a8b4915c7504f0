"""From a study's folder to what it has measured: answers marked, judgements put beside them, likelihoods read."""

import dataclasses
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from app.base import confidentiality
from app.base.confidentiality import Label
from app.base.errors import AppError
from app.base.wording import phrase
from app.chat.batch.journal import BatchAnswer
from app.evaluation.judge import calibration, judging, marking, seeding
from app.evaluation.judge.calibration import Calibration, Case
from app.evaluation.judge.judging import JudgePrompt
from app.evaluation.records import Question, QuestionSet
from app.evaluation.report import advice, pairing, report, results_file
from app.evaluation.report.pairing import Pair, Place
from app.evaluation.report_parts import Section
from app.evaluation.results import Evaluation, Judge, Judgement, Preferred, Row, System, SystemResult
from app.evaluation.study import steps
from app.evaluation.study.study import Contender, Study
from app.inference import scoring_files as score_files
from app.inference.reply_journal import ModelReply, StandalonePrompt

Asked = JudgePrompt | Judgement

# Questions whose reference is made wrong in every way, to see what the judge notices.
CALIBRATED = 20


@dataclass(frozen=True, slots=True)
class ToJudge:
    """What the judge is asked, or the score where nobody need be. `checks`: of `cases`, which measure the judge."""

    answers: dict[Place, Asked]
    cases: tuple[Case, ...]
    checks: tuple[Asked, ...]
    pairs: dict[Place, Pair]  # {}: none is asked for

    @property
    def prompts(self) -> tuple[JudgePrompt, ...]:
        single = (one for one in (*self.answers.values(), *self.checks) if isinstance(one, JudgePrompt))
        return (*single, *pairing.prompts(self.pairs))


@dataclass(frozen=True, slots=True)
class Judged:
    """`measured`: what the judge is worth."""

    answers: dict[Place, Judgement]
    measured: Calibration
    preferences: tuple[Preferred, ...]


def to_judge(study: Study, folder: Path, questions: QuestionSet) -> ToJudge:
    """Raises AppError("batch_journal_damaged")."""
    found: dict[Place, Asked] = {}
    for contender in study.contenders:
        for seed in study.seeds:
            answers = _answers(folder, contender.system.id, seed, len(questions.questions))
            for number, question in enumerate(questions.questions, start=1):
                place = (contender.system.id, seed, number)
                found[place] = _to_judge(question, answers[number], study.judge_preset)
    cases = _cases(study, questions)
    checks = tuple(judging.request(case.question, case.answer, (), study.judge_preset) for case in cases)
    return ToJudge(found, cases, checks, pairing.asked(study, folder, questions) if study.has_pairs else {})


def judged(
    study: Study, asked: ToJudge, questions: QuestionSet, replies: Mapping[StandalonePrompt, ModelReply]
) -> Judged:
    assert study.judge is not None
    scored = [_judgement(one, replies) for one in asked.checks]
    measured = calibration.measured(study.judge.name, study.judge_preset, asked.cases, scored)
    answers = {place: _judgement(one, replies) for place, one in asked.answers.items()}
    return Judged(answers, measured, pairing.preferred(asked.pairs, questions, replies))


def conclude(study: Study, folder: Path, questions: QuestionSet, judged: Judged | None = None) -> Evaluation:
    """Writes results.json and report.html. Raises AppError: batch_journal_damaged, score_unreadable, and as they do."""
    found = evaluation(study, folder, questions, judged)
    sections = advice.sections(study, folder, found)
    if judged is not None:
        if judged.preferences:
            systems, is_trusted = [one.system for one in found.systems], bool(judged.measured.is_trusted)
            sections += (pairing.section(judged.preferences, systems, questions, is_trusted=is_trusted),)
        told = (calibration.sentence(judged.measured),)
        sections += (Section(phrase("evaluation.judge_title"), told, (), (calibration.table(judged.measured),)),)
    report.write(found, sections, folder)
    results_file.write(found, sections, folder)  # last: with it the study is finished
    return found


def evaluation(
    study: Study,
    folder: Path,
    questions: QuestionSet,
    judged: Judged | None = None,
) -> Evaluation:
    """Its label is the highest of the study and of all that was quoted. Raises AppError as `conclude`."""
    told = {questions.label}
    judgements = judged.answers if judged else {}
    found = tuple(_system(study, folder, questions, contender, judgements, told) for contender in study.contenders)
    questions = dataclasses.replace(questions, label=confidentiality.highest_label(told))
    judge, preferences = None, judged.preferences if judged else ()
    if judged is not None:
        measured = judged.measured
        judge = Judge(measured.model_name, measured.preset, measured.kappa, measured.is_trusted)
    return Evaluation(study.id, study.name, questions, found, study.seeds, judge, time.time(), preferences)


# ------------------------------------------------------------------------- private


def _cases(study: Study, questions: QuestionSet) -> tuple[Case, ...]:
    known = [one for one in questions.questions if seeding.has_right_answer(one)]
    rated = (Case(questions.questions[one.number - 1], one.answer, "human", one.score) for one in study.rated)
    return (*calibration.cases(known[:CALIBRATED]), *rated)


def _to_judge(question: Question, result: BatchAnswer, preset: str) -> Asked:
    """An answer that failed is none: it has 0, as by the rules."""
    passages = [] if question.gold else judging.cited([result])
    return judging.request(question, result.answer, passages, preset)


def _judgement(asked: Asked, replies: Mapping[StandalonePrompt, ModelReply]) -> Judgement:
    if isinstance(asked, Judgement):
        return asked
    reply = replies[asked]
    if reply.stop_reason == "failed":
        return Judgement(None, trouble="failed", cut_characters=asked.cut_characters)
    return judging.read(reply.text, asked.cut_characters)


def _answers(folder: Path, system_id: str, seed: int, count: int) -> dict[int, BatchAnswer]:
    """Of all questions."""
    found = steps.answers_of(folder, system_id, seed)
    if not found.keys() >= set(range(1, count + 1)):  # somebody has written into it
        raise AppError("batch_journal_damaged", path=str(steps.out_of(folder, system_id, seed)))
    return found


def _system(
    study: Study,
    folder: Path,
    questions: QuestionSet,
    contender: Contender,
    judged: Mapping[Place, Judgement],
    told: set[Label],
) -> SystemResult:
    """`told`: gets the labels of the answers."""
    system, rows = contender.system, list[Row]()
    for seed in study.seeds:
        answers = _answers(folder, system.id, seed, len(questions.questions))
        told.update(one.label for one in answers.values())
        rows += [
            _row(question, answers[number], seed, judged.get((system.id, seed, number)))
            for number, question in enumerate(questions.questions, start=1)
        ]
    if not study.has_likelihoods:
        return SystemResult(_with_size(system), tuple(rows))
    kept = score_files.read_scores(steps.likelihood_file(folder, system.id))
    measured = dataclasses.replace(system, size_bytes=kept.size_bytes)
    return SystemResult(measured, tuple(rows), kept.examples, kept.memory_bytes)


def _with_size(system: System) -> System:
    sizes = [steps.size_bytes(Path(path)) for path in (system.model, system.adapter) if path]
    return dataclasses.replace(system, size_bytes=sum(sizes)) if all(sizes) else system


def _row(question: Question, result: BatchAnswer, seed: int, judgement: Judgement | None) -> Row:
    return Row(
        question.id,
        seed,
        result.answer,
        result.verdict,
        marking.mark(question, result),
        judgement,
        total_s=max(0.0, result.total_s - result.load_s),
        first_token_s=result.first_token_s,
        answer_tokens=result.answer_tokens,
        error=result.error,
        tokens_per_s=result.tokens_per_s,
    )
