"""Pictures of the page 評価, for `tests.screenshots`: sets and studies as they would be left, without any child."""

import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import Qt

from app.application import AppContext
from app.base.paths import Paths
from app.base.wording import current_language
from app.chat.batch.journal import BatchAnswer, BatchJournal, JournalHeader
from app.chat.presets import Choices
from app.documents.grounding.grounding_record import CollectionRef
from app.evaluation import question_sets
from app.evaluation.records import (
    Evaluation,
    Gold,
    Judge,
    JudgeScore,
    Question,
    QuestionSet,
    ResultRow,
    RuleScores,
    SystemResult,
)
from app.evaluation.report import advice, report
from app.evaluation.study import compared_systems, studies, study_steps
from app.evaluation.study.compared_systems import AdapterInUse, DocumentScope
from app.evaluation.study.studies import ComparedSystem, Study
from app.evaluation.ui.blind_view import BlindView
from app.evaluation.ui.page import EvaluationPage
from app.evaluation.ui.result_view import EvaluationResultView
from app.evaluation.ui.study_dialog_choices import ChoiceBox
from app.inference.local_model import LocalModel
from app.models.artifact_steps import StepProgress
from app.uikit.widgets.form_rows import CheckRow
from tests import document_shots
from tests.training_shots import base_model
from tests.waiting import process_until

DAY_S = 86_400
COUNT = 24  # questions; the last three have no answer in the documents
SETS = {
    "ja": ("窓口のよくある質問", "証明書の手引き", "会話の評価から"),
    "en": ("Asked at the counter", "Guide to certificates", "From conversations"),
}
STUDIES = {
    "ja": ("資料と学習の比較", "量子化の比較", "元のモデル"),
    "en": ("Documents and fine-tuning", "Quantizations", "Base models"),
}
ASKED = {
    "ja": (
        ("{n} 番の窓口では、何を受け付けますか。", "種類 {m} の届けを受け付けます。", "届け出"),
        ("種類 {m} の証明書の手数料は、いくらですか。", "1 通につき {n}00 円です。", "証明書"),
        ("住所の変更は、何日以内に届け出ますか。（{n}）", "引っ越した日から 14 日以内です。", "届け出"),
    ),
    "en": (
        ("What is handled at counter {n}?", "Notices of kind {m}.", "notices"),
        ("What does a certificate of kind {m} cost?", "It costs {n}00 yen.", "certificates"),
        ("By when is a new address reported? ({n})", "Within 14 days of moving.", "notices"),
    ),
}
OPEN = {"ja": ("支所 {n} の駐車場は何台分ですか。", "案内"), "en": ("How many cars can park at branch {n}?", "guide")}
WRONG = {
    "ja": ("窓口の案内に従ってください。", "正解にある数字がありません。", "正解と同じ内容です。"),
    "en": ("Please follow the signs.", "The number is missing.", "It says the same."),
}
NOT_THERE = {"ja": "資料にありません。", "en": "The documents do not say."}
SOURCE = {"ja": ("窓口の手引き.pdf", "第3章"), "en": ("counter-guide.pdf", "Chapter 3")}


def make_questions(count: int = COUNT) -> tuple[Question, ...]:
    language = current_language()
    found = []
    for n in range(1, count + 1):
        if n > count - 3:
            text, category = OPEN[language]
            found.append(Question(f"q{n}", text.format(n=n), category=category, is_answerable=False))
            continue
        text, reference, category = (part.format(n=n, m=n * 7 % 19) for part in ASKED[language][n % 3])
        gold = Gold(reference, SOURCE[language][0], (SOURCE[language][1],), 10 + n)
        found.append(Question(f"q{n}", text, reference, (), (gold,), category, f"{n % 8}", origin="imported"))
    return tuple(found)


def _page(parts: AppContext) -> EvaluationPage:
    page = parts.window.page("evaluation")
    assert isinstance(page, EvaluationPage)
    return page


def _where(parts: AppContext) -> Paths:
    return parts.evaluations._paths


def _sets(parts: AppContext) -> QuestionSet:
    """Three of them, the last confidential; the first is given."""
    folder, names = _where(parts).questions, SETS[current_language()]
    question_sets.store(folder, names[1], make_questions(12), "public", "certificates.csv")
    question_sets.store(folder, names[2], make_questions(9), "secret", "")
    return question_sets.store(folder, names[0], make_questions(), "internal", "counter.xlsx")


def _model(parts: AppContext) -> LocalModel:
    return next(one for one in parts.library.models() if one.id == "swallow")


def _four_ways(parts: AppContext) -> tuple[ComparedSystem, ...]:
    model = _model(parts)
    tuning = AdapterInUse(str(_where(parts).runs / "tone" / "adapter.gguf"), name="tone")
    collection = document_shots.NAMES[current_language()][0][0]
    return compared_systems.four_ways(
        (model, None), (model, tuning), DocumentScope((CollectionRef(1, collection),)), quotes=False
    )


def alike(parts: AppContext, *names: str) -> tuple[ComparedSystem, ...]:
    one = compared_systems.compared_system(_model(parts), None)
    return compared_systems.assign_ids(compared_systems.renamed(one, name) for name in names)


def _study(
    parts: AppContext, at: int, kind: str, asked: QuestionSet, contenders: tuple[ComparedSystem, ...], days: float
) -> tuple[Path, Study]:
    """Written, and not begun. `at`: of STUDIES."""
    judge = _model(parts) if kind == "documents" else None
    study = Study(
        f"{20261130 - 2 * at}-090000", STUDIES[current_language()][at], kind, asked.name, asked.version, asked.sha256,
        asked.label, contenders, (0,), Choices(temperature=0.0, max_tokens=512), 4096, judge,
        created_at=time.time() - days * DAY_S,
    )  # fmt: skip
    folder = _where(parts).evaluations / study.id
    studies.create(folder, study, asked)
    return folder, study


def finished(
    parts: AppContext, at: int, kind: str, asked: QuestionSet, contenders: tuple[ComparedSystem, ...], days: float = 2
) -> Path:
    folder, study = _study(parts, at, kind, asked, contenders, days)
    systems = tuple(_result(place, one, asked.questions, study) for place, one in enumerate(contenders))
    judge = Judge(study.judge.name, "kotae", 0.71, True) if study.judge else None
    found = Evaluation(study.id, study.name, asked, systems, study.seeds, judge, study.created_at + 3600)
    sections = advice.advise(study, folder, found).sections
    report.write(found, sections, folder)
    studies.write_results(found, sections, folder)
    return folder


def _result(place: int, one: ComparedSystem, asked: Sequence[Question], study: Study) -> SystemResult:
    """Documents help much, training a little."""
    chance = random.Random(7 * place + 1)
    has_documents = bool(one.system.collections)
    rows = tuple(
        _row(question, chance, 0.82 if has_documents else 0.4 + 0.04 * place, study, has_documents)
        for question in asked
    )
    return SystemResult(one.system, rows, memory_bytes=6_100_000_000)


def _row(question: Question, chance: random.Random, skill: float, study: Study, has_documents: bool) -> ResultRow:
    language = current_language()
    is_right = chance.random() < skill
    score = 3 if is_right else chance.randrange(3)
    text = question.reference if is_right else WRONG[language][0]
    if not question.is_answerable:
        text = NOT_THERE[language] if is_right else WRONG[language][0]
    has_abstained = not question.is_answerable and is_right
    judgement = JudgeScore(score, WRONG[language][2 if is_right else 1]) if study.judge else None
    cited = 1.0 if has_documents and question.is_answerable else None
    marks = RuleScores(
        score=score / 3, char_f1=0.9 if is_right else 0.3, citation=cited, gold_cited=cited,
        has_abstained=has_abstained,
    )  # fmt: skip
    total_s = chance.uniform(4.8, 6.4) + 3 * has_documents
    return ResultRow(question.id, 0, text, "answered", marks, judgement, total_s, 1.1, 60, tokens_per_s=14.5)


def _answer(folder: Path, study: Study, at: int, count: int) -> None:
    """The first questions, to one system."""
    one = study.contenders[at].system
    head = JournalHeader("", "", 0, one.id, one.name, (), study.choices, study.context_tokens, 0.0)
    kept = BatchJournal.open(study_steps.answers_path(folder, one.id, 0), head)
    for line in range(1, count + 1):
        kept.add(BatchAnswer(line, "answered", NOT_THERE[current_language()]))


def _filled(parts: AppContext) -> Path:
    """Sets and finished studies; the folder of the one with documents is given."""
    asked = _sets(parts)
    forms = alike(parts, *(f"Swallow-8B {form}" for form in ("F16", "Q8_0", "Q5_K_M", "Q4_K_M", "Q3_K_M")))
    finished(parts, 1, "questions", asked, forms, 4)
    finished(parts, 2, "questions", asked, alike(parts, "Swallow-8B", "Sarashina 3B"), 6)
    return finished(parts, 0, "documents", asked, _four_ways(parts))


def _show(parts: AppContext, key: tuple[str, str]) -> EvaluationPage:
    page = _page(parts)
    parts.window._on_page_chosen("evaluation")
    page.open(key)
    process_until(lambda: page.contents.key == key and page.contents.currentWidget() is not page.contents.nothing)
    return page


def evaluation_empty(parts: AppContext) -> None:
    parts.window._on_page_chosen("evaluation")


def evaluation_set(parts: AppContext) -> None:
    _filled(parts)
    _show(parts, ("set", SETS[current_language()][0]))


def evaluation_start(parts: AppContext) -> None:
    model = base_model(parts, _where(parts).models)
    document_shots.documents(parts)
    evaluation_set(parts)
    beginning = _page(parts).start_action
    beginning.ask(SETS[current_language()][0])
    process_until(lambda: beginning.dialog and beginning.dialog.isVisible())
    assert beginning.dialog is not None
    base = beginning.dialog.findChildren(ChoiceBox)[1]
    base.setCurrentIndex(base.findText(model.name, Qt.MatchFlag.MatchContains))
    next(row for row in beginning.dialog.findChildren(CheckRow) if row.isVisible()).box.click()
    forecasting = beginning.dialog.forecasting
    process_until(lambda: forecasting.forecast or forecasting.error)


def evaluation_waiting(parts: AppContext) -> None:
    """Stopped on its way."""
    asked = _sets(parts)
    folder, study = _study(parts, 0, "documents", asked, _four_ways(parts), 0.1)
    _answer(folder, study, 0, COUNT)
    _show(parts, ("study", folder.name))


def evaluation_running(parts: AppContext) -> None:
    asked = _sets(parts)
    finished(parts, 1, "questions", asked, alike(parts, "Swallow-8B F16", "Swallow-8B Q4_K_M"), 4)
    folder, study = _study(parts, 0, "documents", asked, _four_ways(parts), 0)
    held = studies.lock(folder)
    for at, count in ((0, COUNT), (1, 9)):
        _answer(folder, study, at, count)
    parts.evaluations.folder = folder  # as if it were at work on it
    parts.evaluations._began_at = time.monotonic() - 214.0
    parts.evaluations.close = held.release
    parts.evaluations.started.emit(folder)
    page = _show(parts, ("study", folder.name))
    name = study.contenders[1].system.name
    parts.evaluations.progress = StepProgress("answers", name, 9, COUNT, 2, 5)
    parts.evaluations.progressed.emit(parts.evaluations.progress)
    page.refresh()


def evaluation_result(parts: AppContext) -> None:
    folder = _filled(parts)
    page = _show(parts, ("study", folder.name))
    process_until(
        lambda: _result_view(page).view_data is not None and not _result_view(page).overview.filling.isActive()
    )


def _result_view(page: EvaluationPage) -> EvaluationResultView:
    view = page.contents.currentWidget()
    assert isinstance(view, EvaluationResultView)
    return view


def evaluation_questions(parts: AppContext) -> None:
    """The answers of each system to one question."""
    evaluation_result(parts)
    _result_view(_page(parts)).tabs.buttons["questions"].click()


def evaluation_blind(parts: AppContext) -> None:
    """Two answers side by side, of whom nobody says whose they are."""
    evaluation_result(parts)
    view = _result_view(_page(parts))
    view.tabs.buttons["blind"].click()
    blind = view.pages.currentWidget()
    assert isinstance(blind, BlindView)
    process_until(lambda: blind.panel is blind.start)
    blind.start.begin_button.click()


def evaluation_compared(parts: AppContext) -> None:
    """Two finished studies of the same questions in one table."""
    evaluation_result(parts)
    page = _page(parts)
    entries = [one for one in studies.list_all(_where(parts).evaluations) if one.study and one.study.judge is None]
    view = _result_view(page)
    alone = view.view_data
    page.contents.compare(entries)
    process_until(lambda: view.view_data not in (None, alone) and not view.overview.filling.isActive())


EVALUATION_SHOTS: dict[str, Callable[[AppContext], None]] = {
    shot.__name__: shot
    for shot in (
        evaluation_empty, evaluation_set, evaluation_start, evaluation_waiting, evaluation_running, evaluation_result,
        evaluation_questions, evaluation_blind, evaluation_compared,
    )
}  # fmt: skip
