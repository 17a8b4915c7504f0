"""An evaluation of nothing: four systems, two seeds, 20 questions, with answers and texts that must not do harm."""

import random
from dataclasses import replace

from app.evaluation.records import (
    Evaluation,
    Gold,
    Judge,
    JudgeScore,
    Question,
    QuestionSet,
    ResultRow,
    RuleScores,
    System,
    SystemResult,
)
from app.inference.scoring_files import ExampleScore

HOSTILE = '<script>alert("x")</script> & </details></table>'
FORMULA = '=HYPERLINK("http://example.invalid","x")'
CATEGORIES = ("調査編", "設計編 <b>砂防</b>")
SYSTEMS = ("元のモデル", "元のモデル + 資料", "学習済み", "学習済み + 資料")
JUDGE = Judge("Qwen3-14B Q4_K_M", "kotae", 0.62, True)
UNTRUSTED = Judge("gemma-3-270m", "kotae", 0.12, False)
UNCALIBRATED = Judge("gemma-3-270m", "paper-2603.18037")
SEEDS = (1, 2)
COUNT = 20  # questions; the last two have no answer in the documents


def evaluation(judge: Judge | None = JUDGE, seeds: tuple[int, ...] = SEEDS) -> Evaluation:
    asked = tuple(question(number) for number in range(1, COUNT + 1))
    kept = QuestionSet("河川砂防 現場質問", 3, "ab" * 32, asked, "secret")
    systems = tuple(result(at, asked, judge, seeds) for at in range(len(SYSTEMS)))
    return Evaluation(
        "20260318-090000-四通り", f"資料と学習の比較 {HOSTILE}", kept, systems, seeds, judge, 1773792000.0
    )


def first_questions(of: Evaluation, count: int) -> Evaluation:
    asked = of.questions.questions[:count]
    ids = {one.id for one in asked}
    systems = (
        replace(one, rows=tuple(row for row in one.rows if row.question_id in ids), likelihoods=one.likelihoods[:count])
        for one in of.systems
    )
    return replace(of, questions=replace(of.questions, questions=asked), systems=tuple(systems))


def question(number: int) -> Question:
    if number > COUNT - 2:
        return Question(
            f"q{number}",
            f"月面の砂防堰堤の高さは何 m ですか（{number}）。",
            category=CATEGORIES[1],
            is_answerable=False,
        )
    return Question(
        f"q{number}",
        f"基準地点 {number} の水質調査は、年に何回行いますか。" if number > 1 else HOSTILE,
        f"原則として月 1 回、年 {number} 回を標準とする。",
        (f"年{number}回", "月1回|毎月"),
        (Gold("水質調査は原則として月1回とする。", "調査編.pdf", ("第12章", "第2節 2.3"), 118),),
        CATEGORIES[number % 2],
        f"第{number // 3}章",
    )


def result(at: int, asked: tuple[Question, ...], judge: Judge | None, seeds: tuple[int, ...]) -> SystemResult:
    is_grounded, is_tuned = at % 2 == 1, at > 1
    chance = random.Random(at)
    system = System(
        f"system-{at}",
        SYSTEMS[at],
        "/home/someone/models/swallow.gguf",
        "Swallow-8B",
        "cd" * 32,
        "Q4_K_M",
        4_920_000_000,
        "/home/someone/runs/7/adapter.gguf" if is_tuned else "",
        0.75 if is_tuned else 1.0,
        ("河川砂防技術基準",) if is_grounded else (),
    )
    rows = tuple(row(one, seed, chance, judge, at) for seed in seeds for one in asked)
    likelihoods = tuple(ExampleScore(number, 40, 40 * (2.1 - 0.3 * is_tuned)) for number in range(1, COUNT - 1))
    return SystemResult(system, rows, likelihoods, 6_100_000_000)


def row(one: Question, seed: int, chance: random.Random, judge: Judge | None, at: int) -> ResultRow:
    """Documents help much, training a little. The first system fails at the second question."""
    if at == 0 and one.id == "q2":
        failed = JudgeScore(None, trouble="failed") if judge else None
        return ResultRow(
            one.id, seed, "", "failed", RuleScores(score=0.0), failed, error="モデルを読み込めませんでした。"
        )
    is_grounded = at % 2 == 1
    share = min(1.0, max(0.0, chance.gauss(0.85 if is_grounded else 0.35 + 0.1 * (at > 1), 0.2)))
    has_abstained = not one.is_answerable and chance.random() < (0.9 if is_grounded else 0.2)
    marks = RuleScores(
        score=share if one.is_answerable else float(has_abstained),
        must_include=share if one.is_answerable else None,
        numbers=share if one.is_answerable else None,
        char_f1=share * 0.8 if one.is_answerable else None,
        is_exact=False if one.is_answerable else None,
        citation=0.9 if is_grounded and one.is_answerable else None,
        gold_cited=1.0 if is_grounded and one.is_answerable else None,
        gold_rank=chance.choice((0, 1, 1, 2, 4)) if is_grounded and one.is_answerable else None,
        has_abstained=has_abstained,
    )
    text = FORMULA if one.id == "q3" else f"原則として月に1回、年{int(12 * share)}回を標準とします。{HOSTILE}"
    judged = JudgeScore(min(3, int(4 * share)), "回数が正解と合う。" * 3, cut_characters=120 * (one.id == "q4"))
    seconds = chance.uniform(4, 6) + 3 * is_grounded
    return ResultRow(
        one.id, seed, text, "answered", marks, judged if judge else None, seconds, 1.2, 80, tokens_per_s=14.5
    )
