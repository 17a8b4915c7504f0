"""The folder of a finished run as the trainer and the gate leave it, with texts that must not become markup."""

import json
import math
from pathlib import Path

import numpy as np

from app.base.files import input_file
from app.inference.scoring_files import AnswerScore, ExampleScore, HeldOutExample, Holdout, Scores
from app.training import quality_gate
from app.training.runs import run_folders
from trainer import events
from trainer.events import (
    Adjusted,
    EvaluationStep,
    Event,
    Finished,
    PreflightFinding,
    PreflightFindings,
    ResolvedRecipe,
    Sample,
    Started,
    TrainingStep,
)
from trainer.spec import RunSpec

NAME = '砂防の助手 <script>alert("x")</script>'
QUESTION = "橋脚のかぶりは <b>何 mm</b> ですか？"
NLL = {
    quality_gate.F16_ADAPTER: 1.2,
    quality_gate.BASE: 2.4,
    quality_gate.BASE_ADAPTER: 1.23,
    "F16": 1.2,
    "Q8_0": 1.201,
    "Q6_K": 1.205,
    "Q5_K_M": 1.215,
    "Q4_K_M": 1.29,
}
SIZES = {
    quality_gate.BASE: 0.25,
    quality_gate.BASE_ADAPTER: 0.26,
    quality_gate.F16_ADAPTER: 0.55,
    "F16": 0.54,
    "Q8_0": 0.29,
    "Q4_K_M": 0.25,
}


def write(folder: Path, *, steps: int = 120, with_gate: bool = True) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rows.jsonl").write_text('{"a": 1}\n\n' * 480, encoding="utf-8")
    hashes = {"train": input_file.sha256_of(folder / "rows.jsonl"), "validation": "ab" * 32}
    asked = RunSpec(str(folder), "/models/base.gguf", *[str(folder / "rows.jsonl")] * 2, name=NAME, hashes=hashes)
    run_folders.write_spec(folder, asked)
    lines = [json.dumps(events.to_json(event), ensure_ascii=False) for event in journal(steps)]
    (folder / "events.jsonl").write_text("\n".join([*lines, '{"torn'[:5]]), encoding="utf-8")
    if with_gate:
        quality_gate.write_gate(judged(), folder)
    return folder


def journal(steps: int) -> list[Event]:
    """With a pause: after step 40 it went on from step 30."""
    versions = {"torch": "2.13.0", "transformers": "5.24.0"}
    found: list[Event] = [Started(1, 10, 1e9, 0, versions)]
    found += [
        PreflightFindings((PreflightFinding("few_rows", "warn", {"rows": 48}),)),
        ResolvedRecipe({}, {"device": "cpu", "rows": 480}),
    ]
    found.append(EvaluationStep(0, 0.0, 2.6, 3000, False))
    found += _steps(1, 40)
    found.append(Started(1, 11, 1e9 + 100, 30, versions))
    found += _steps(31, steps)
    for number in range(30, steps + 1, 30):
        found.append(EvaluationStep(number, number / 60, 1.3 + abs(number - 90) / 300, 3000, number <= 90))
        answer = "百ミリです。" if number > 60 else "そうですね。" * 20
        found.append(Sample(number, QUESTION, answer, number > 60))
    found.append(Adjusted("out_of_memory", 12, {"micro_batch": 2}))
    return [*found, Finished("early_stopping", steps, 90, 2.6, 1.3, "adapter", "adapter.gguf", 312.5, 250.0, 2 * 10**9)]


def _steps(first: int, last: int) -> list[Event]:
    noise = np.random.default_rng(5).normal(0, 0.15, last + 1)
    return [
        TrainingStep(
            n,
            last,
            n / 60,
            1 + 1.8 * math.exp(-n / 40) + noise[n],
            2e-4 * math.sin(n / 40),
            0.8 + noise[n],
            250.0,
            1,
            1,
        )
        for n in range(first, last + 1)
    ]


def judged(*, is_from_elsewhere: bool = False) -> quality_gate.GateResult:
    examples = tuple(HeldOutExample(at + 1, (1, 2, 3), (-100, 2, 3), 5.0, 2.4) for at in range(24))
    kept, measured = Holdout(examples, (), (2,), "nf4"), {form: _scored(form) for form in NLL}
    return quality_gate.judge(kept, measured, 10**9, is_from_elsewhere=is_from_elsewhere)


def _scored(form: str) -> Scores:
    noise = np.random.default_rng(1).normal(0, 0.3, 24)
    own = np.random.default_rng(len(form)).normal(0, 0.1, 24)
    answers = tuple(
        AnswerScore(at + 1, f"{at + 1} 問目：{QUESTION}", _answer(form, at), "limit" if at == 3 else "end", 20)
        for at in range(20)
    )
    size = int(SIZES.get(form, 0.27) * 10**9)
    each = tuple(ExampleScore(at + 1, 2, float(2 * (NLL[form] + noise[at] + own[at])), 0.01, 2) for at in range(24))
    reference = ("百ミリです（耐久性のため、<i>これより</i>薄くしません）。",) * 20
    return Scores(
        each, () if form == quality_gate.F16_ADAPTER else answers, (True,) * 20, reference, 30, size, 2 * size
    )


def _answer(form: str, at: int) -> str:
    if form == quality_gate.BASE:
        return "橋脚のかぶりは、橋脚のかぶりのことです。&amp; 橋脚の…"
    return f"百ミリです。\n環境が厳しいときは、さらに厚くします（{at}）。"
