"""Define the immutable records of evaluation: questions, the parts of a report, and results.

`merge_evaluations` joins several evaluations of the same questions so that their systems share one table.
"""

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass

from app.base import confidentiality
from app.base.confidentiality import Label
from app.base.errors import AppError
from app.base.wording import phrase
from app.documents.grounding import answer_markup
from app.inference.scoring_files import ExampleScore, Scores

_NUMBER = re.compile(r"[-+\u2212]?\d[\d,.]*(\s?%|/\d[\d,]*)?((〜| to )[-+\u2212]?\d[\d,.]*)?|[-—]?")


@dataclass(frozen=True, slots=True)
class Gold:
    """A verbatim quote from a document that supports a right answer, and its place; "" or 0: unknown."""

    quote: str
    document: str = ""
    heading: tuple[str, ...] = ()
    page: int = 0  # from 1

    @property
    def place(self) -> str:
        page = phrase("common.page", page=self.page) if self.page else ""
        return " > ".join(filter(None, (self.document, *self.heading, page)))


@dataclass(frozen=True, slots=True)
class Question:
    """A question with its right answer.

    `reference`: a right answer, "" if none is known. `must_include`: words that each right answer must contain; "a|b"
    means either. `gold`: passages, all of which the answer needs. `group`: the subject of the question (a document, a
    section). Questions of one group are alike, so the bootstrap draws them together; "": the question is its own group.
    """

    id: str  # unique in its set
    text: str
    reference: str = ""
    must_include: tuple[str, ...] = ()
    gold: tuple[Gold, ...] = ()
    category: str = ""
    group: str = ""
    is_answerable: bool = True  # False: the documents do not contain the answer, and saying so is right
    origin: str = ""  # written | imported | conversation | generated; "" if unknown
    collections: tuple[str, ...] = ()  # collections asked or used to make the question; they determine the label

    @property
    def shown_reference(self) -> str:
        """Return the reference as people read it beside `ResultRow.shown_answer`: without Markdown."""
        return answer_markup.plain_answer(self.reference)


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """One version of a question set, which never changes. `sha256`: hash of `question_files.to_lines`."""

    name: str
    version: int  # from 1; 0: a file that is not stored as a set
    sha256: str
    questions: tuple[Question, ...]
    label: Label = "internal"  # the highest label of the material of its questions


@dataclass(frozen=True, slots=True)
class ReportTable:
    """A table of a report with its cells as texts to show. `notes`: texts to show below the table."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()

    @property
    def is_number(self) -> list[bool]:
        """Return for each column whether all its cells are numbers, ranges or empty."""
        columns = list(zip(*self.rows, strict=True)) or [() for _ in self.head]
        return [all(_NUMBER.fullmatch(cell) for cell in column) for column in columns]


@dataclass(frozen=True, slots=True)
class ReportSection:
    """A section of a report in the language in use. `plots`: SVG elements of `app.base.plots`, escaped already."""

    title: str
    sentences: tuple[str, ...] = ()
    plots: tuple[str, ...] = ()
    tables: tuple[ReportTable, ...] = ()


@dataclass(frozen=True, slots=True)
class System:
    """One system of a comparison: a model with or without an adapter, asked with or without documents.

    `model`: path of the GGUF file. `size_bytes`: file size including the adapter.
    """

    id: str  # unique in its evaluation; also used in file names
    name: str
    model: str
    model_name: str
    model_sha256: str = ""  # "" if unknown
    quantization: str = ""
    size_bytes: int = 0
    adapter: str = ""  # path of a GGUF file, or ""
    strength: float = 1.0
    collections: tuple[str, ...] = ()
    adapter_sha256: str = ""  # "" if there is no adapter, or it is unknown
    is_quoted: bool = False  # answers are quotes of the documents, because the model is too small to answer from them


@dataclass(frozen=True, slots=True)
class RuleScores:
    """The scores of one answer by rules (`app.evaluation.judge.rule_scoring`); shares are 0 to 1.

    None: the measure does not apply to this question or system. `score`: the value by which systems are compared, 0 to
    1.
    """

    score: float | None = None
    must_include: float | None = None  # share of the required entries that the answer contains
    numbers: float | None = None  # share of the answer's numbers with units that are right
    char_f1: float | None = None
    is_exact: bool | None = None
    citation: float | None = None  # share of the cited passages that contain a gold quote
    gold_cited: float | None = None  # share of the gold quotes that are in a cited passage
    gold_rank: int | None = None  # rank from 1 at which all gold quotes were retrieved; 0: not all were
    has_abstained: bool = False  # the answer says that the documents do not contain it
    is_broken: bool = False  # empty, cut off, or repeating itself


@dataclass(frozen=True, slots=True)
class JudgeScore:
    """A judge model's score of one answer.

    `trouble`: empty | unknown (there was nothing to judge by) | unreadable | failed; "": none.
    """

    score: int | None  # 0 to 3; None: no score
    reason: str = ""
    trouble: str = ""
    cut_characters: int = 0  # number of characters at the answer's end that the judge did not see


@dataclass(frozen=True, slots=True)
class ResultRow:
    """One answer of a system. Times are seconds for this question alone, without loading the model."""

    question_id: str
    seed: int
    answer: str
    verdict: str  # answered | near | not_in_documents | length | failed
    marks: RuleScores
    judgement: JudgeScore | None = None  # None: there was no judge
    total_s: float = 0.0
    first_token_s: float = 0.0
    answer_tokens: int = 0
    error: str = ""  # error message if the question failed
    tokens_per_s: float = 0.0  # while generating; 0: nothing was generated

    @property
    def shown_answer(self) -> str:
        """Return the answer as people read and judge it: without Markdown, which would tell excerpts from the rest."""
        return answer_markup.plain_answer(self.answer)


@dataclass(frozen=True, slots=True)
class SystemResult:
    """The answers of one system. `rows`: the answers, ordered by seed, then by question.

    `likelihoods`: the scores of the references, whose `line` is the question number from 1; (): not measured.
    """

    system: System
    rows: tuple[ResultRow, ...]
    likelihoods: tuple[ExampleScore, ...] = ()
    memory_bytes: int = 0  # memory for answering, as `app.inference.memory_estimate` predicts; 0: unknown

    @property
    def scores(self) -> Scores | None:
        """Return the scores of all references together; None if they were not measured."""
        return Scores(self.likelihoods) if self.likelihoods else None


@dataclass(frozen=True, slots=True)
class Judge:
    """The judge of an evaluation, and whether it can be trusted (`app.evaluation.judge.judge_calibration`)."""

    model_name: str
    preset: str  # kotae | paper-2603.18037
    kappa: float | None = None  # None: undefined, because there are no answers or all ratings are equal
    is_trusted: bool | None = None  # None: too few answers to decide


@dataclass(frozen=True, slots=True)
class PairPreference:
    """The judge's choice between two answers to a question: the first system's and that of the system `system_id`.

    `winner`: a (the first system's answer), b (the other) or tie; None: the judge's reply is unreadable, or `is_known`
    is False. `is_consistent` False: with the answers in the other order the judge chose another winner, which makes a
    tie. `is_known` False: there is no right answer and no source to judge by, so the judge was not asked.
    """

    system_id: str
    question_id: str
    seed: int
    winner: str | None
    is_consistent: bool = True
    is_known: bool = True


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The results of all systems on one question set. The first system is the one that the others are compared with."""

    id: str
    name: str
    questions: QuestionSet
    systems: tuple[SystemResult, ...]
    seeds: tuple[int, ...]
    judge: Judge | None = None
    made_at: float = 0.0  # seconds since 1970 (UTC)
    preferences: tuple[PairPreference, ...] = ()  # the judge's choices; (): the answers were not judged in pairs


def merge_evaluations(evaluations: Sequence[Evaluation]) -> Evaluation:
    """Join evaluations of the same questions under the name and reference system of the first.

    The label is the highest of all. The judges' scores stay only if the same judge gave all of them; its trust and
    kappa are then the lowest of all. Raises AppError("evaluation_other_questions").
    """
    first = evaluations[0]
    for other in evaluations[1:]:
        if other.questions.questions != first.questions.questions:
            raise AppError("evaluation_other_questions", id=other.id, first=first.id)
    judges = {
        (evaluation.judge.model_name, evaluation.judge.preset) if evaluation.judge else None
        for evaluation in evaluations
    }
    is_judged = len(judges) == 1
    systems: list[SystemResult] = []
    for one in evaluations:
        for result in one.systems:
            system = dataclasses.replace(
                result.system, id=f"s{len(systems) + 1}", name=_free_name(result, systems, one)
            )
            kept = result if is_judged else _without_judgements(result)
            systems.append(dataclasses.replace(kept, system=system))
    seeds = tuple(dict.fromkeys(seed for evaluation in evaluations for seed in evaluation.seeds))
    all_judges = [evaluation.judge for evaluation in evaluations if evaluation.judge is not None]
    judge = min(all_judges, key=_judge_rank) if is_judged and all_judges else None
    questions = dataclasses.replace(
        first.questions, label=confidentiality.highest_label(evaluation.questions.label for evaluation in evaluations)
    )
    return dataclasses.replace(first, questions=questions, systems=tuple(systems), seeds=seeds, judge=judge)


def _judge_rank(judge: Judge) -> tuple[int, float]:
    return (False, None, True).index(judge.is_trusted), -1.0 if judge.kappa is None else judge.kappa


def _free_name(result: SystemResult, results: Sequence[SystemResult], evaluation: Evaluation) -> str:
    names = {one.system.name for one in results}
    name = result.system.name
    longer_names = (
        phrase("evaluation.system_of_evaluation", name=name, evaluation=which)
        for which in (evaluation.name, evaluation.id)
    )
    return next((one for one in (name, *longer_names) if one not in names), name)


def _without_judgements(result: SystemResult) -> SystemResult:
    return dataclasses.replace(result, rows=tuple(dataclasses.replace(row, judgement=None) for row in result.rows))
