"""Questions with what is known of their right answers, as frozen values."""

from dataclasses import dataclass

from app.base.confidentiality import Label


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
