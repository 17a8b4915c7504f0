"""Studies as tests write them: questions, the systems that are asked, the folder of a study, and recorded answers."""

from collections.abc import Iterable
from pathlib import Path

from app.base.confidentiality import Label
from app.chat.batch.journal import BatchAnswer, BatchJournal, JournalHeader
from app.chat.presets import Choices
from app.evaluation import question_files
from app.evaluation.records import Question, QuestionSet, System
from app.evaluation.study import compared_systems, studies, study_steps
from app.evaluation.study.compared_systems import DocumentScope
from app.evaluation.study.studies import ComparedSystem, Study
from app.inference.local_model import FileFingerprint, LocalModel

QUESTIONS = QuestionSet("堤防", 2, "0" * 64, (Question("a", "一つ目？", "答え"), Question("b", "二つ目？")), "internal")
CHOICES = Choices(temperature=0.0, max_tokens=200)


def question_set(*texts: str, name: str = "試験", **facts: object) -> QuestionSet:
    """`facts`: of each question."""
    asked = tuple(Question(f"q{at}", text, **facts) for at, text in enumerate(texts, start=1))  # type: ignore[arg-type]
    return QuestionSet(name, 1, question_files.sha256(asked), asked)


def contender(number: int, path: str, family: str = "") -> ComparedSystem:
    """Of a file that need not be there."""
    files = (FileFingerprint("x.gguf", 1, 2, "abc"),)
    model = LocalModel(
        f"m{number}", f"モデル {number}", path, 1, "llama", "F16", 4096, 1.0, form_id="llama3",
        speeds={"plain": {"a": 1}},
        files=files,
    )  # fmt: skip
    return ComparedSystem(System(f"s{number}", f"構成 {number}", path, model.name), model, family=family)


def systems_of(model: LocalModel, count: int = 1, documents: DocumentScope | None = None) -> tuple[ComparedSystem, ...]:
    return compared_systems.assign_ids(compared_systems.compared_system(model, None, documents) for _ in range(count))


def study(*contenders: ComparedSystem, asked: QuestionSet = QUESTIONS, **others: object) -> Study:
    """Not written."""
    fields: dict[str, object] = {
        "id": "x", "name": "試し", "kind": "questions", "set_name": asked.name, "set_version": asked.version,
        "set_sha256": asked.sha256, "label": asked.label, "contenders": contenders, "seeds": (0,), "choices": CHOICES,
        "context_tokens": 2048,
    }  # fmt: skip
    return Study(**(fields | others))  # type: ignore[arg-type]


def write_study(folder: Path, *contenders: ComparedSystem, asked: QuestionSet = QUESTIONS, **others: object) -> Study:
    one = study(*contenders, asked=asked, **({"id": folder.name} | others))
    studies.create(folder, one, asked)
    return one


def record(folder: Path, system: str, answers: Iterable[BatchAnswer], seed: int = 0) -> None:
    """The answers of a system after those that are recorded already."""
    head = JournalHeader("", "", 0, system, system, (), CHOICES, 2048, 0.0)
    kept = BatchJournal.open(study_steps.answers_path(folder, system, seed), head)
    for one in answers:
        if one.line > len(kept.results):
            kept.add(one)


def answer(folder: Path, system: str, seed: int = 0, count: int = 2, label: Label = "internal") -> None:
    record(folder, system, (BatchAnswer(line, "answered", "はい", label=label) for line in range(1, count + 1)), seed)
