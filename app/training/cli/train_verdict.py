"""Format the verdict on a run for the terminal and as JSON.

Import this module only for judged runs, because the quality gate imports numpy.
"""

import dataclasses
from typing import Any

from app.base.wording import format_size, phrase
from app.training import quality_gate, training_errors
from app.training.quality_gate import GateResult
from app.training.runs import run_folders
from app.training.runs.run_folders import TrainingRunFolder


def verdict_lines(run: TrainingRunFolder, gate: GateResult) -> list[str]:
    """Return lines with the verdict and its reasons; for a usable run also the proposed model form and its use."""
    reasons = [quality_gate.reason_text(reason) for reason in gate.reasons] or [phrase("training.gate_adopt_why")]
    row = gate.row(gate.proposed)
    lines = [phrase("common.run_verdict", verdict=phrase(f"training.gate.{gate.verdict}"))]
    lines += [phrase("common.run_reason", text=text) for text in reasons]
    if gate.win_rate is not None:
        lines.append(quality_gate.win_rate_text(gate.win_rate))
    report = phrase("common.run_report", path=run.folder / run_folders.REPORT)
    if not gate.is_usable:
        return [*lines, phrase("common.run_rejected"), report]
    lines += [
        phrase("common.run_proposed", form=training_errors.form_name(gate.proposed), size=format_size(row.size_bytes)),
        report,
    ]
    if gate.proposed == quality_gate.BASE_ADAPTER:
        lines.append(phrase("common.run_use", id=run.id))
    else:
        lines.append(phrase("common.run_use_file", path=run.folder / gate.file))
    return lines


def verdict_as_json(gate: GateResult) -> dict[str, Any]:
    reasons = [{"code": one.code, "level": one.level, "text": quality_gate.reason_text(one)} for one in gate.reasons]
    wins = {} if gate.win_rate is None else {"win_rate": dataclasses.asdict(gate.win_rate)}
    return {"proposed": gate.proposed if gate.is_usable else None, "reasons": reasons, **wins}
