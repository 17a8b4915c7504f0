"""The verdict on a run in words and as JSON. Loaded where there is one: the gate computes with numpy."""

from typing import Any

from app.base.wording import format_size, phrase
from app.training import gate as gates
from app.training import gate_file
from app.training.gate import Gate
from app.training.runs import runs
from app.training.runs.runs import Run


def lines(run: Run, found: Gate) -> list[str]:
    """Of the gate, with its reasons, the form it proposes and how that is used; what is rejected is not to be used."""
    reasons = [gate_file.sentence(reason) for reason in found.reasons] or [phrase("training.gate_adopt_why")]
    row = found.row(found.proposed)
    told = [phrase("common.run_verdict", verdict=phrase(f"training.gate_{found.verdict}"))]
    told += [phrase("common.run_reason", text=text) for text in reasons]
    report = phrase("common.run_report", path=run.folder / runs.REPORT)
    if not found.is_usable:
        return [*told, phrase("common.run_rejected"), report]
    told += [phrase("common.run_proposed", form=form_name(found.proposed), size=format_size(row.size_bytes)), report]
    if found.proposed == gates.BASE_ADAPTER:
        told.append(phrase("common.run_use", id=run.id))
    else:
        told.append(phrase("common.run_use_file", path=run.folder / found.file))
    return told


def form_name(form: str) -> str:
    if form in (*gates.ON_BASE, gates.F16_ADAPTER):
        return phrase("run_form_" + form.replace("+", "_"))
    return phrase("training.run_form.merged", form=form)


def as_json(found: Gate) -> dict[str, Any]:
    reasons = [{"code": one.code, "level": one.level, "text": gate_file.sentence(one)} for one in found.reasons]
    return {"proposed": found.proposed if found.is_usable else None, "reasons": reasons}
