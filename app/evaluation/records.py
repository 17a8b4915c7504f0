"""Questions with what is known of their right answers, as frozen values.

What a study says beside its tables of systems: sections of a report, made by its kind and drawn by the report.

What an evaluation has measured: systems, their answers to each question, and every score of them.

Several evaluations of the same questions as one, so that their systems stand in one table.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from app.base import confidentiality
from app.base.confidentiality import Label
from app.base.errors import AppError
from app.base.wording import phrase
from app.inference.scoring_files import ExampleScore, Scores


@dataclass(frozen=True, slots=True)
class Gold:
    """Words of a document, as they stand there, that a right answer rests on. The rest: where; "" or 0 if unknown."""

    quote: str
    document: str = ""
    heading: tuple[str, ...] = ()
    page: int = 0  # from 1


@dataclass(frozen=True, slots=True)
class Question:
    """`reference`: a right answer; "": none is known. `must_include`: what each right answer says; "a|b": either.

    `gold`: all of them are needed. `group`: what the question is about (a document, a section): questions of one group
    are alike, and are drawn together where chance is reckoned; "": it stands for itself.
    """

    id: str  # unique in its set
    text: str
    reference: str = ""
    must_include: tuple[str, ...] = ()
    gold: tuple[Gold, ...] = ()
    category: str = ""
    group: str = ""
    is_answerable: bool = True  # False: the documents do not have it, and saying so is right
    origin: str = ""  # written | imported | conversation | generated; "": not told
    collections: tuple[str, ...] = ()  # that its answer was asked of or made of: the label follows them


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """One version of a set; never changed. `sha256`: of its questions in their order (`question_files.to_lines`)."""

    name: str
    version: int  # from 1; 0: a file that is not kept
    sha256: str
    questions: tuple[Question, ...]
    label: Label = "internal"  # the highest of what its questions were made of


@dataclass(frozen=True, slots=True)
class ReportTable:
    """Cells as they are shown. `notes`: below it."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReportSection:
    """`plots`: SVG elements of `app.base.plots`, escaped already. All texts in the language in use."""

    title: str
    sentences: tuple[str, ...] = ()
    plots: tuple[str, ...] = ()
    tables: tuple[ReportTable, ...] = ()


@dataclass(frozen=True, slots=True)
class System:
    """What is compared: a model with or without an adapter, asked with or without documents.

    `model`: GGUF file. `size_bytes`: on the disk, the adapter's included.
    """

    id: str  # unique in its evaluation; names files
    name: str
    model: str
    model_name: str
    model_sha256: str = ""  # "": not known
    quantization: str = ""
    size_bytes: int = 0
    adapter: str = ""  # GGUF
    strength: float = 1.0
    collections: tuple[str, ...] = ()
    adapter_sha256: str = ""  # "": none, or not known
    is_quoted: bool = False  # the documents were quoted, as the program does where the model is too small to be asked


@dataclass(frozen=True, slots=True)
class RuleScores:
    """What rules say of one answer (`app.evaluation.judge.rule_scoring`). None: does not apply to this question or
    system.

    Shares are 0 to 1. `score`: what systems are compared by, 0 to 1.
    """

    score: float | None = None
    must_include: float | None = None  # recall
    numbers: float | None = None  # precision of the answer's numbers with their units
    char_f1: float | None = None
    is_exact: bool | None = None
    citation: float | None = None  # of the places that the answer cites, those that hold a gold quote
    gold_cited: float | None = None  # of the gold quotes, those in a cited place
    gold_rank: int | None = None  # by which all gold quotes had been found, from 1; 0: not all were
    has_abstained: bool = False  # said that the documents do not have it
    is_broken: bool = False  # empty, cut off, or the same again and again


@dataclass(frozen=True, slots=True)
class JudgeScore:
    """A model's score of one answer. `trouble`: empty, unknown (nobody was asked) | unreadable | failed; "": none."""

    score: int | None  # 0 to 3; None: there is none
    reason: str = ""
    trouble: str = ""
    cut_characters: int = 0  # of the answer's end, which the judge did not see


@dataclass(frozen=True, slots=True)
class ResultRow:
    """One answer. Seconds are of this question alone, without loading the model."""

    question_id: str
    seed: int
    answer: str
    verdict: str  # answered | not_in_documents | length | failed
    marks: RuleScores
    judgement: JudgeScore | None = None  # None: nobody judged
    total_s: float = 0.0
    first_token_s: float = 0.0
    answer_tokens: int = 0
    error: str = ""  # in words, of a question that failed
    tokens_per_s: float = 0.0  # while it was written; 0: nothing was generated


@dataclass(frozen=True, slots=True)
class SystemResult:
    """`rows`: by seed, then in the order of the questions. `likelihoods`: of the references, by the question's number
    from 1; () where they were not measured."""

    system: System
    rows: tuple[ResultRow, ...]
    likelihoods: tuple[ExampleScore, ...] = ()
    memory_bytes: int = 0  # what answering takes (forecast by `app.inference.memory_estimate`); 0: not known

    @property
    def scores(self) -> Scores | None:
        """Of the references together; None where they were not measured."""
        return Scores(self.likelihoods) if self.likelihoods else None


@dataclass(frozen=True, slots=True)
class Judge:
    """Who judged, and whether to believe it (`app.evaluation.judge.judge_calibration`)."""

    model_name: str
    preset: str  # kotae | paper-2603.18037
    kappa: float | None = None  # None: there was nothing to agree on
    is_trusted: bool | None = None  # None: not known yet


@dataclass(frozen=True, slots=True)
class PairPreference:
    """Of one question, which answer a judge prefers: the first system's (a), this one's (b), or tie; None: unreadable.

    `is_consistent` False: the other order gave another winner, which makes a tie. `is_known` False: nobody was asked,
    because nothing is known that the answers could be held against.
    """

    system_id: str
    question_id: str
    seed: int
    winner: str | None
    is_consistent: bool = True
    is_known: bool = True


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All systems over one set. The first system is what the others are compared with."""

    id: str
    name: str
    questions: QuestionSet
    systems: tuple[SystemResult, ...]
    seeds: tuple[int, ...]
    judge: Judge | None = None
    made_at: float = 0.0  # seconds since 1970 (UTC)
    preferences: tuple[PairPreference, ...] = ()  # where answers were judged in pairs


def merge_evaluations(found: Sequence[Evaluation]) -> Evaluation:
    """The first one's name and first system stand first; the label is the highest of all.

    Judges' scores stay only where one judge gave them all, and it is trusted as far as where it was trusted least.

    Raises AppError("evaluation_other_questions").
    """
    first = found[0]
    for other in found[1:]:
        if other.questions.questions != first.questions.questions:
            raise AppError("evaluation_other_questions", id=other.id, first=first.id)
    judges = {(one.judge.model_name, one.judge.preset) if one.judge else None for one in found}
    is_judged = len(judges) == 1
    systems: list[SystemResult] = []
    for one in found:
        for result in one.systems:
            system = dataclasses.replace(
                result.system, id=f"s{len(systems) + 1}", name=_free_name(result, systems, one)
            )
            kept = result if is_judged else _without_judgements(result)
            systems.append(dataclasses.replace(kept, system=system))
    seeds = tuple(dict.fromkeys(seed for one in found for seed in one.seeds))
    told = [one.judge for one in found if one.judge is not None]
    judge = min(told, key=_judge_rank) if is_judged and told else None
    questions = dataclasses.replace(
        first.questions, label=confidentiality.highest_label(one.questions.label for one in found)
    )
    return dataclasses.replace(first, questions=questions, systems=tuple(systems), seeds=seeds, judge=judge)


def _judge_rank(judge: Judge) -> tuple[int, float]:
    return (False, None, True).index(judge.is_trusted), -1.0 if judge.kappa is None else judge.kappa


def _free_name(result: SystemResult, taken: Sequence[SystemResult], of: Evaluation) -> str:
    names = {one.system.name for one in taken}
    name = result.system.name
    told = (phrase("evaluation.system_of_evaluation", name=name, evaluation=which) for which in (of.name, of.id))
    return next((one for one in (name, *told) if one not in names), name)


def _without_judgements(result: SystemResult) -> SystemResult:
    return dataclasses.replace(result, rows=tuple(dataclasses.replace(row, judgement=None) for row in result.rows))
