"""What a finished run leaves: the adapter, what it is for, and the hold-out's likelihoods for the gate."""

import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trainer import adapter, data, disk, spec
from trainer import form as forms
from trainer.channel import Journal
from trainer.convert import client
from trainer.data import Conversation, Rows
from trainer.events import Phase
from trainer.material import Material
from trainer.model import example_nll

ADAPTER, GGUF, HOLDOUT = "adapter", "adapter.gguf", "holdout.json"
VERSION = 1
CHATS = 20


def export(
    model: Any, material: Material, rows: Rows, base: Path, folder: Path, step: int, journal: Journal
) -> tuple[Path, str]:
    """Write the adapter, the hold-out's likelihoods where there is a hold-out, and the adapter as GGUF where there is a
    converter. `base`: the folder that it was loaded from. Return the adapter's folder and the GGUF file or "".

    Raises RunError("disk_full" | "export_failed").
    """
    saved = save_adapter(model, material, rows, folder, step)
    if rows.holdout:
        write_holdout(model, material, rows.holdout, folder, journal)
    if not material.spec.converter:
        return saved, ""
    client.adapter_gguf(saved, base, folder / GGUF, material.spec.converter, journal)
    return saved, str(folder / GGUF)


def save_adapter(model: Any, material: Material, rows: Rows, folder: Path, step: int) -> Path:
    """As PEFT writes it, whole or not at all; with the base's hash, because a GGUF adapter does not know its base, and
    with the ids of the rows that it knows."""
    target, part = folder / ADAPTER, folder / f"{ADAPTER}.part"
    effective = spec.to_json(material.spec)
    base = Path(material.spec.base)
    record = {
        "version": VERSION,
        "name": material.spec.name,
        "base": material.spec.base,
        "base_sha256": material.spec.base_sha256,
        "base_mark": adapter.mark_of(base) if base.is_dir() else "",
        "went_on_from": material.spec.hashes.get("adapter", ""),
        "form": effective["form"],
        "spec_sha256": hashlib.sha256(json.dumps(effective, sort_keys=True).encode()).hexdigest(),
        "step": step,
    }
    disk.discard(part)
    with disk.writing(folder, part):
        model.save_pretrained(part, save_embedding_layers=False)
        (part / "README.md").unlink(missing_ok=True)  # PEFT's model card, with blanks to fill in
        (part / adapter.RECORD).write_text(json.dumps(record, ensure_ascii=False, indent=1), encoding="utf-8")
        adapter.write_rows(part, _known_rows(material, rows))
    shutil.rmtree(target, ignore_errors=True)
    part.rename(target)
    return target


def _known_rows(material: Material, rows: Rows) -> set[str]:
    before = adapter.known_rows(Path(material.spec.adapter)) if material.spec.adapter else frozenset()
    return {*before, *(adapter.row_id(row.messages) for row in (*rows.train, *rows.validation))}


def write_holdout(model: Any, material: Material, rows: Sequence[Conversation], folder: Path, journal: Journal) -> None:
    """Token ids, and what base and adapter make of them in the precision that was trained in. The base is the one
    without any adapter, also where an earlier one was trained further.

    The gate asks every GGUF form for the likelihood of these very ids, and tokenizes the chats for itself.
    """
    examples = data.encode(rows, material.form, material.tokens, data.ANY_LENGTH, "refuse", "answers").examples
    sums: dict[str, list[float]] = {"base_nll": [], "adapter_nll": []}
    for at, example in enumerate(examples):
        journal.send(Phase("evaluating", at, len(examples)))
        with model.disable_adapter():
            sums["base_nll"] += example_nll(model, [example], material.tokens.pad_id)
        sums["adapter_nll"] += example_nll(model, [example], material.tokens.pad_id)
    written = {
        "version": VERSION,
        "precision": material.spec.precision,
        "end_ids": list(material.tokens.end_ids),
        "examples": [
            {"line": one.line, "ids": one.ids, "labels": one.labels, **{name: sums[name][at] for name in sums}}
            for at, one in enumerate(examples)
        ],
        "chats": [_chat(row, material) for row in rows[:CHATS]],
    }
    part = folder / f"{HOLDOUT}.part"
    with disk.writing(folder, part):
        part.write_text(json.dumps(written, ensure_ascii=False), encoding="utf-8")
        part.replace(folder / HOLDOUT)


def _chat(row: Conversation, material: Material) -> dict[str, Any]:
    asked = row.messages[:-1]
    return {"messages": list(asked), "ids": material.tokens.encode(forms.prompt(material.form, asked)).ids}
