"""Studies that have ended, with results that are known: each is a folder, its study, what it found, its sections."""

import dataclasses
import functools
import random
from collections.abc import Sequence
from pathlib import Path

from app.base.wording import phrase
from app.chat.presets import Choices
from app.documents.grounding.grounding_record import CollectionRef
from app.evaluation.judge import judge_calibration
from app.evaluation.judge.judge_calibration import JudgeCalibration, PerturbationResult
from app.evaluation.records import (
    Evaluation,
    Gold,
    Judge,
    JudgeScore,
    Question,
    QuestionSet,
    ReportSection,
    ResultRow,
    RuleScores,
    System,
    SystemResult,
)
from app.evaluation.report import advice
from app.evaluation.study import scale_report
from app.evaluation.study.studies import ComparedSystem, Study
from app.inference.local_model import LocalModel, TuningRecord
from app.inference.scoring_files import ExampleScore
from tests.evaluation.scale_folder import SIZES, Folder, law, main

Result = tuple[Path, Study, Evaluation, tuple[ReportSection, ...]]

COUNT = 24  # questions, the last four of which the documents do not answer
FILE, ADAPTER, ADAPTER_SHA256 = "/models/base.gguf", "/runs/7/adapter.gguf", "ab" * 32
TRUSTED = Judge("Qwen3-14B Q4_K_M", "kotae", 0.62, True)
UNTRUSTED = Judge("gemma-3-270m", "kotae", 0.12, False)
CATEGORIES = ("調査編", "設計編（河川構造物）", "維持管理編")
WAYS = (  # name, with the adapter, with documents, mean of the score
    ("元のモデル", False, False, 0.42),
    ("元のモデル + 資料", False, True, 0.84),
    ("学習済み", True, False, 0.55),
    ("学習済み + 資料", True, True, 0.85),
)
CALIBRATION = JudgeCalibration(
    "Qwen3-14B Q4_K_M",
    "kotae",
    0.62,
    "seeded",
    60,
    None,
    (PerturbationResult("number", 20, 2.8, 0.9, 0.9, 0.1, 0.0),),
    2,
)


def documents(folder: Path, judge: Judge | None = TRUSTED, ways: Sequence[int] = (0, 1, 2, 3)) -> Result:
    """Documents help much, training a little. `ways`: which of the four were asked."""
    contenders = tuple(_contender(number, WAYS[number]) for number in ways)
    asked = _questions()
    systems = tuple(_result(one, asked, WAYS[number][3], judge) for one, number in zip(contenders, ways, strict=True))
    kept = QuestionSet("河川砂防 現場質問", 3, "cd" * 32, asked, "internal")
    found = Evaluation("20261124-1", "資料と学習の比較", kept, systems, (0,), judge, 1795480000.0)
    return _ended(folder, _study("documents", contenders), found)


def one_system(folder: Path) -> Result:
    _, _, found, _ = documents(folder, ways=(0,))
    return _ended(folder, _study("questions", (_contender(0, WAYS[0]),)), found)


def models_compared(folder: Path, count: int = 6) -> Result:
    """More systems than there are marks, without a judge, with long names."""
    names = [f"Llama-3.1-Swallow-{8 + 3 * at}B-Instruct-v0.5 Q4_K_M" for at in range(count)]
    contenders = tuple(_contender(at, (name, False, False, 0.0)) for at, name in enumerate(names))
    asked = _questions()
    systems = tuple(_result(one, asked, 0.3 + 0.1 * at, None) for at, one in enumerate(contenders))
    kept = QuestionSet("質問集", 1, "cd" * 32, asked, "secret")
    found = Evaluation("20261124-2", "モデルの比較", kept, systems, (0,), None, 1795480000.0)
    return _ended(folder, _study("bases", contenders), found)


def quantizations(folder: Path) -> Result:
    losses = (("F16", 16.1, 1.200), ("Q8_0", 8.5, 1.201), ("Q4_K_M", 4.9, 1.212), ("Q2_K", 3.2, 1.430))
    contenders, systems, asked = list[ComparedSystem](), list[SystemResult](), _questions()
    for number, (form, size, nll) in enumerate(losses):
        one = _contender(number, (f"元のモデル {form}", False, False, 0.0))
        system = dataclasses.replace(one.system, quantization=form, size_bytes=int(size * 1e9))
        one = dataclasses.replace(one, system=system, family="base")
        contenders.append(one)
        measured = tuple(ExampleScore(at, 100, 100 * (nll + 0.002 * (at % 2))) for at in range(1, COUNT + 1))
        systems.append(dataclasses.replace(_result(one, asked, 0.6, None), likelihoods=measured))
    kept = QuestionSet("質問集", 1, "cd" * 32, asked)
    found = Evaluation("20261122-1", "量子化の比較", kept, tuple(systems), (0,), None, 1795480000.0)
    return _ended(folder, _study("quantizations", tuple(contenders)), found)


def without_scores(folder: Path) -> Result:
    """Nobody could say what is right."""
    _, study, found, _ = documents(folder, None)
    bare = [
        dataclasses.replace(one, rows=tuple(dataclasses.replace(row, marks=RuleScores()) for row in one.rows))
        for one in found.systems
    ]
    return _ended(folder, study, dataclasses.replace(found, systems=tuple(bare)))


def amount_of_data(folder: Path) -> Result:
    losses = main(lambda rows, _: law(rows)) | {(rows, 42, True): law(rows) - 0.05 for rows in SIZES[:-1]}
    study = Folder(folder, noise=0.05).study(losses)
    nobody = QuestionSet("点検", 0, "", ())
    found = Evaluation("1", "学習量", nobody, (), (0,))
    return folder, study, found, scale_report.scale_sections(study, folder, nobody)


def judge_alone(folder: Path) -> Result:
    asked = QuestionSet("採点の点検", 1, "cd" * 32, _questions())
    found = Evaluation("20261120-1", "採点モデルの点検", asked, (), (0,), TRUSTED, 1795480000.0)
    return _ended(folder, _study("judge", ()), found)


def models() -> list[LocalModel]:
    """The base, and the base with the adapter."""
    base = LocalModel("base", "Swallow-8B", FILE, 4_920_000_000, "llama", "Q4_K_M", 8192, 1.0)
    tuned = TuningRecord("7", "試し", "base_adapter", "Swallow-8B", "", ADAPTER_SHA256)
    return [
        base,
        dataclasses.replace(base, id="tuned", name="学習済み", tuned=tuned, adapter="/models/adapters/7.lora"),
    ]


# ------------------------------------------------------------------------- private


def _ended(folder: Path, study: Study, found: Evaluation) -> Result:
    """As `concluding.conclude` leaves it, without the report."""
    folder.mkdir(parents=True, exist_ok=True)
    return folder, study, found, _sections(study, found)


@functools.cache
def _sections(study: Study, found: Evaluation) -> tuple[ReportSection, ...]:
    sections = advice.advise(study, Path(), found).sections
    if found.judge is None:
        return sections
    told, table = judge_calibration.calibration_sentence(CALIBRATION), judge_calibration.calibration_table(CALIBRATION)
    return (*sections, ReportSection(phrase("evaluation.judge_title"), (told,), (), (table,)))


def _study(kind: str, contenders: tuple[ComparedSystem, ...]) -> Study:
    return Study("x", "試し", kind, "質問集", 1, "", "internal", contenders, (0,), Choices(), 4096)


def _contender(number: int, way: tuple[str, bool, bool, float]) -> ComparedSystem:
    name, is_tuned, has_documents, _ = way
    system = System(
        f"s{number + 1}",
        name,
        FILE,
        "Swallow-8B",
        quantization="Q4_K_M",
        size_bytes=4_920_000_000,
        adapter=ADAPTER if is_tuned else "",
        adapter_sha256=ADAPTER_SHA256 if is_tuned else "",
        collections=("河川砂防技術基準",) if has_documents else (),
    )
    scope = (CollectionRef(1, "河川砂防技術基準"),) if has_documents else ()
    return ComparedSystem(system, models()[0], scope, may_quote=not has_documents)


@functools.cache
def _questions() -> tuple[Question, ...]:
    gold = Gold("水質調査は原則として月1回とする。", "調査編.pdf", ("第12章", "第2節"), 118)
    answerable = [
        Question(
            f"q{number}",
            f"基準地点 {number} の水質調査は、年に何回行いますか。",
            f"原則として月 1 回、年 {number} 回を標準とする。",
            (f"年{number}回", "月1回|毎月"),
            (gold,),
            CATEGORIES[number % 3],
        )
        for number in range(1, COUNT - 3)
    ]
    unanswerable = [
        Question(
            f"q{number}",
            f"月面の堰堤 {number} の高さは何 m ですか。",
            category=CATEGORIES[number % 3],
            is_answerable=False,
        )
        for number in range(COUNT - 3, COUNT + 1)
    ]
    return (*answerable, *unanswerable)


def _result(one: ComparedSystem, asked: Sequence[Question], mean: float, judge: Judge | None) -> SystemResult:
    """The same questions are hard for every system."""
    chance = random.Random(one.system.id)
    rows = []
    for at, question in enumerate(asked):
        score = min(1.0, max(0.0, mean + 0.15 * (at % 3 - 1) + chance.uniform(-0.1, 0.1)))
        has_abstained = not question.is_answerable and chance.random() < mean
        marks = RuleScores(
            score if question.is_answerable else float(has_abstained),
            must_include=score if question.is_answerable else None,
            char_f1=score * 0.8 if question.is_answerable else None,
            citation=0.9 if one.scope and question.is_answerable else None,
            has_abstained=has_abstained,
        )
        judged = JudgeScore(min(3, round(3 * (marks.score or 0))), "回数が正解と合う。") if judge else None
        answer = f"原則として月に1回、年{at}回を標準とします。" * (1 + at % 3)
        rows.append(ResultRow(question.id, 0, answer, "answered", marks, judged, 5.0 + 3 * bool(one.scope), 1.2, 80))
    return SystemResult(one.system, tuple(rows), (), 6_100_000_000)
