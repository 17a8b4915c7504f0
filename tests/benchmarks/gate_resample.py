"""Whether a verdict from two forms is that of all forms: `python -m tests.benchmarks gate_resample RUN [--draws 20]`.

RUN: the folder of a run of which all forms were measured (`kotae train gate RUN --all-forms`). Its held-out rows are
drawn anew, with replacement, and judged twice from the stored measurements: by all forms, and by the base's file with
and without the adapter. Printed: how many draws agree, and among how many of them the form that answers for all forms
has written answers, since the gate writes only those that its own verdict needs. Nothing is loaded.
"""

import argparse
import dataclasses
import random
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from app.inference import scoring_files
from app.inference.scoring_files import Holdout, Scores
from app.training import export_plan, quality_gate
from app.training.quality_gate import BASE_ADAPTER, ON_BASE, GateResult
from app.training.runs import run_folders

LARGE = 1 << 50  # memory in which every form fits


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--draws", type=int, default=20)
    options = parser.parse_args()
    holdout = run_folders.read_holdout(options.run)
    paths = {path.stem: path for path in (options.run / export_plan.EXPORT_FOLDER).glob("*/*.json")}
    measured = {form: scoring_files.read_scores(paths[form]) for form in export_plan.ALL_FORMS if form in paths}
    equal = answered = 0
    lines = [one.line for one in measured[BASE_ADAPTER].examples]
    for draw in range(options.draws):
        chosen = random.Random(draw).choices(range(len(lines)), k=len(lines))
        rows = holdout_of(holdout, [lines[at] for at in chosen])
        every, few = (judged(rows, measured, chosen, forms) for forms in (measured, ON_BASE))
        has_answers = bool(every.answers)
        answered += has_answers
        equal += has_answers and every.verdict == few.verdict
        told = f"{every.verdict} ({every.proposed}, answered by {every.answered if has_answers else 'none'})"
        print(f"draw {draw}: all forms {told}, two {few.verdict}")
    print(f"equal: {equal} of {answered} with answers, of {options.draws}")


def holdout_of(holdout: Holdout, lines: Sequence[int]) -> Holdout:
    """Return the examples of these lines, numbered anew."""
    by_line = {one.line: one for one in holdout.examples}
    examples = (dataclasses.replace(by_line[line], line=at) for at, line in enumerate(lines, 1))
    return dataclasses.replace(holdout, examples=tuple(examples))


def judged(holdout: Holdout, measured: Mapping[str, Scores], chosen: Sequence[int], forms: Iterable[str]) -> GateResult:
    scores = {form: drawn(measured[form], chosen) for form in forms if form in measured}
    return quality_gate.judge(holdout, scores, LARGE)


def drawn(scores: Scores, chosen: Sequence[int]) -> Scores:
    """Return the measurements of the rows at these places, numbered anew; as far as a row was answered, its answer."""
    parts = {"answers": scores.answers, "same_ids": scores.same_ids, "references": scores.references}
    kept = {name: tuple(part[at] for at in chosen if at < len(part)) for name, part in parts.items()}
    examples = (dataclasses.replace(scores.examples[at], line=number) for number, at in enumerate(chosen, 1))
    return dataclasses.replace(scores, examples=tuple(examples), **kept)


if __name__ == "__main__":
    main()
