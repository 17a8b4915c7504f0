"""An evaluation for blind comparisons: three systems that answer differently, and a judge where one is wished for."""

from app.evaluation.records import (
    Evaluation,
    Judge,
    JudgeScore,
    Question,
    QuestionSet,
    ResultRow,
    RuleScores,
    System,
    SystemResult,
)

BASE, DOCUMENTS, TUNED = "base", "documents", "tuned"
NAMES = {BASE: "元のモデル", DOCUMENTS: "元のモデル + 資料", TUNED: "学習済み"}
JUDGE = Judge("Qwen3-14B Q4_K_M", "kotae", 0.62, True)
SEEDS = (11, 12)


def blind_study(
    count: int,
    scores: dict[str, list[int | None]] | None = None,
    answers: dict[tuple[str, int], str] | None = None,
    judge: Judge | None = None,
) -> Evaluation:
    """`scores`: of the judge, by system, for each question. `answers`: by system and number of the question from 1."""
    asked = tuple(
        Question(f"q{number}", f"質問 {number} の答えは何ですか。", f"正解 {number}") for number in range(1, count + 1)
    )
    systems = tuple(_result(id, count, (scores or {}).get(id), answers or {}) for id in NAMES)
    kept = QuestionSet("現場の質問", 1, "ab" * 32, asked)
    return Evaluation("20261124-090000-比較", "比較", kept, systems, SEEDS, judge, 0.0)


def _result(id: str, count: int, scores: list[int | None] | None, answers: dict[tuple[str, int], str]) -> SystemResult:
    """The tuned system has the highest score by the rules."""
    rows = []
    for seed in SEEDS:
        for number in range(1, count + 1):
            text = answers.get((id, number), f"{id} の回答 {number}")
            judged = JudgeScore(scores[number - 1] if seed == SEEDS[0] else 0) if scores else None
            score = {BASE: 0.2, DOCUMENTS: 0.6, TUNED: 0.9}[id]
            rows.append(
                ResultRow(
                    f"q{number}", seed, text if seed == SEEDS[0] else "別の回", "answered", RuleScores(score), judged
                )
            )
    return SystemResult(System(id, NAMES[id], "/models/m.gguf", "m"), tuple(rows))
