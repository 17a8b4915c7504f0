"""Write the results of a finished run: the adapter, its GGUF form, and the hold-out's likelihoods for the gate.

A GGUF base is converted into a folder here too. Each conversion runs in a process of its own, because llama.cpp's
converter changes the libraries that it runs with, and the trial model in float32 takes memory that the training needs.
"""

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from trainer import adapter, convert_job, data, preference, spec, start, storage
from trainer import prompt_form as forms
from trainer.channel import TrainerJournal
from trainer.convert_job import Failed, GgufToHf, LoraToGguf
from trainer.data import SplitRows, TrainingConversation, TrainingInputs
from trainer.events import Phase, RunError
from trainer.model import example_nll
from trainer.tokenization import EncodedExample

_POLL_INTERVAL_S = 0.5


def convert_base(gguf: Path, bases: Path, journal: TrainerJournal, *, is_maker: bool) -> Path:
    """Return the folder of a GGUF base, `bases`/<first 16 digits of its SHA-256>; convert the file if it is missing.

    `is_maker`: this process converts it; the other processes of a distributed run wait. If the conversion fails, the
    launcher ends them.
    """
    if not gguf.is_file():
        raise RunError("base_missing", path=str(gguf))
    folder = bases / storage.file_sha256(gguf)[:16]
    while not is_maker and not folder.is_dir():
        time.sleep(_POLL_INTERVAL_S)
    if folder.is_dir():
        return folder
    with storage.guarded_write(bases.parent):
        bases.mkdir(parents=True, exist_ok=True)
    failed = _run_conversion(GgufToHf(str(gguf), str(folder)), "converting_base", journal)
    if failed is not None and failed.code == "disk_full":
        raise RunError("disk_full", **failed.facts)
    if failed is not None and failed.code == "conversion_memory_short":
        raise RunError("memory_short", device="cpu", **failed.facts)
    if failed is not None and failed.code != "target_exists":  # otherwise another run has converted it meanwhile
        raise RunError("base_unreadable", path=str(gguf), reason=_failure_reason(failed))
    return folder


def convert_adapter(adapter: Path, base: Path, target: Path, converter: str, journal: TrainerJournal) -> None:
    """Convert an adapter into a GGUF file. Raises RunError("export_failed" | "disk_full")."""
    target.unlink(missing_ok=True)
    failed = _run_conversion(LoraToGguf(str(adapter), str(base), str(target), converter), "exporting", journal)
    if failed is not None and failed.code == "disk_full":
        raise RunError("disk_full", **failed.facts)
    if failed is not None:
        raise RunError("export_failed", reason=_failure_reason(failed))


def _run_conversion(job: convert_job.Job, phase: str, journal: TrainerJournal) -> Failed | None:
    """Run the job in a process and send its progress as `phase`. Return the failure; None on success."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "job.json"
        path.write_text(json.dumps(convert_job.job_to_json(job)), encoding="utf-8")
        command = start.command(sys.executable, "trainer.convert", str(path))
        # The process cleans up and exits when its input closes, which happens when this process ends.
        # It has a session of its own, because Ctrl+C in the terminal only pauses the run after the conversion.
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        ) as process:
            assert process.stdout is not None
            last: convert_job.Event | None = None
            journal.send(Phase(phase))
            for line in process.stdout:
                last = convert_job.event_from_json(json.loads(line))
                if isinstance(last, convert_job.Progress):
                    journal.send(Phase(phase, last.done_bytes, last.total_bytes))
    if isinstance(last, convert_job.Finished):
        return None
    return last if isinstance(last, Failed) else Failed("converter_failed", {"reason": f"exit {process.returncode}"})


def _failure_reason(failed: Failed) -> str:
    return f"{failed.code}: {json.dumps(failed.facts, ensure_ascii=False)}"[:300]


ADAPTER_FOLDER, ADAPTER_GGUF, HOLDOUT_FILE = "adapter", "adapter.gguf", "holdout.json"
VERSION = 1
MOST_CHATS = 20


def export_run(
    model: Any, material: TrainingInputs, rows: SplitRows, base: Path, folder: Path, step: int, journal: TrainerJournal
) -> tuple[Path, str]:
    """Write the adapter, the hold-out's likelihoods if there is a hold-out, and the GGUF if there is a converter.

    `base`: the folder from which the base was loaded. Return the adapter's folder and the path of the GGUF file, or "".

    Raises RunError("disk_full" | "export_failed").
    """
    saved = save_adapter(model, material, rows, folder, step)
    if rows.holdout:
        write_holdout(model, material, rows.holdout, folder, journal)
    if not material.spec.converter:
        return saved, ""
    convert_adapter(saved, base, folder / ADAPTER_GGUF, material.spec.converter, journal)
    return saved, str(folder / ADAPTER_GGUF)


def save_adapter(model: Any, material: TrainingInputs, rows: SplitRows, folder: Path, step: int) -> Path:
    """Write the adapter's folder completely or not at all, and return it.

    Besides PEFT's files it holds a record with the base's hash, because a GGUF adapter does not identify its base, and
    the ids of the rows on which the adapter was trained.
    """
    target, part = folder / ADAPTER_FOLDER, folder / f"{ADAPTER_FOLDER}.part"
    effective = spec.to_json(material.spec)
    base = Path(material.spec.base)
    record = {
        "version": VERSION,
        "name": material.spec.name,
        "base": material.spec.base,
        "base_sha256": material.spec.base_sha256,
        "base_mark": adapter.base_fingerprint(base) if base.is_dir() else "",
        "went_on_from": material.spec.hashes.get("adapter", ""),
        "form": effective["form"],
        "spec_sha256": hashlib.sha256(json.dumps(effective, sort_keys=True).encode()).hexdigest(),
        "step": step,
    }
    storage.discard(part)
    with storage.guarded_write(folder, part):
        model.create_or_update_model_card = lambda _folder: None  # PEFT's, a template with gaps
        model.save_pretrained(part, save_embedding_layers=False, selected_adapters=["default"])
        (part / adapter.RECORD).write_text(json.dumps(record, ensure_ascii=False, indent=1), encoding="utf-8")
        adapter.write_rows(part, _known_rows(material, rows))
    shutil.rmtree(target, ignore_errors=True)
    part.rename(target)
    return target


def _known_rows(material: TrainingInputs, rows: SplitRows) -> set[str]:
    before = adapter.trained_row_ids(Path(material.spec.adapter)) if material.spec.adapter else frozenset()
    return {*before, *(adapter.row_id(row.messages) for row in (*rows.train, *rows.validation))}


def write_holdout(
    model: Any, material: TrainingInputs, rows: Sequence[TrainingConversation], folder: Path, journal: TrainerJournal
) -> None:
    """Write the hold-out's token ids and their likelihoods with the base and with the adapter, in training precision.

    The gate measures every GGUF form on these token ids, and tokenizes the chats itself.
    """
    examples, sums = measure_holdout(model, material, rows, journal)
    content = {
        "version": VERSION,
        "precision": material.spec.precision,
        "end_ids": list(material.tokens.end_ids),
        "examples": [
            {"line": one.line, "ids": one.ids, "labels": one.labels, **{name: sums[name][at] for name in sums}}
            for at, one in enumerate(examples)
        ],
        "chats": [_chat(row, material) for row in rows[:MOST_CHATS]],
    }
    part = folder / f"{HOLDOUT_FILE}.part"
    with storage.guarded_write(folder, part):
        part.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
        part.replace(folder / HOLDOUT_FILE)


def measure_holdout(
    model: Any, material: TrainingInputs, rows: Sequence[TrainingConversation], journal: TrainerJournal
) -> tuple[list[EncodedExample], dict[str, list[float]]]:
    """Return the encoded rows, and their likelihoods with the base ("base_nll") and the adapter ("adapter_nll").

    Of pairs these are those of the chosen answers, and "margin" says how much more the adapter prefers them. The base
    is used without any adapter, even if an earlier adapter was trained further. With a shared-out base all processes
    measure together.
    """
    loss = material.spec.evaluated_loss
    examples = data.encode_rows(rows, material.form, material.tokens, data.ANY_LENGTH, "refuse", loss).examples
    chosen = [example.sequences[0] for example in examples]
    answers = [*chosen, *(example.rejected for example in examples if example.rejected is not None)]
    total = len(chosen) + (2 if loss == spec.PREFERENCE else 1) * len(answers)
    plain = model.base_model if loss == spec.PREFERENCE else model  # without the loss of pairs

    def measure(sequences: Sequence[EncodedExample], before: int) -> list[float]:
        def report(done: int) -> None:
            journal.send(Phase("evaluating", before + done, total))

        return example_nll(plain, sequences, material.tokens.pad_id, report, material.batch_tokens)

    with model.disable_adapter():
        base_nll = measure(chosen, 0)
    after = measure(answers, len(chosen))
    sums = {"base_nll": base_nll, "adapter_nll": after[: len(chosen)]}
    if loss == spec.PREFERENCE:
        with preference.reference_of(model):
            before = measure(answers, len(chosen) + len(answers))
        sums["margin"] = preference.margins(torch.tensor(after), torch.tensor(before)).tolist()
    return examples, sums


def _chat(row: TrainingConversation, material: TrainingInputs) -> dict[str, Any]:
    prompt = row.messages[:-1]
    return {"messages": list(prompt), "ids": material.tokens.encode(forms.prompt_pieces(material.form, prompt)).ids}
