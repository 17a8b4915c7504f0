"""What an evaluation has measured: systems, their answers to each question, and every score of them."""

from dataclasses import dataclass

from app.evaluation.records import QuestionSet
from app.inference.scoring_files import ExampleScore, Scores


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
class Marks:
    """What rules say of one answer (`app.evaluation.judge.marking`). None: does not apply to this question or system.

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
class Judgement:
    """A model's score of one answer. `trouble`: empty, unknown (nobody was asked) | unreadable | failed; "": none."""

    score: int | None  # 0 to 3; None: there is none
    reason: str = ""
    trouble: str = ""
    cut_characters: int = 0  # of the answer's end, which the judge did not see


@dataclass(frozen=True, slots=True)
class Row:
    """One answer. Seconds are of this question alone, without loading the model."""

    question_id: str
    seed: int
    answer: str
    verdict: str  # answered | not_in_documents | length | failed
    marks: Marks
    judgement: Judgement | None = None  # None: nobody judged
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
    rows: tuple[Row, ...]
    likelihoods: tuple[ExampleScore, ...] = ()
    memory_bytes: int = 0  # what answering takes (forecast by `app.inference.memory_estimate`); 0: not known

    @property
    def scores(self) -> Scores | None:
        """Of the references together; None where they were not measured."""
        return Scores(self.likelihoods) if self.likelihoods else None


@dataclass(frozen=True, slots=True)
class Judge:
    """Who judged, and whether to believe it (`app.evaluation.judge.calibration`)."""

    model_name: str
    preset: str  # kotae | paper-2603.18037
    kappa: float | None = None  # None: there was nothing to agree on
    is_trusted: bool | None = None  # None: not known yet


@dataclass(frozen=True, slots=True)
class Preferred:
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
    preferences: tuple[Preferred, ...] = ()  # where answers were judged in pairs
