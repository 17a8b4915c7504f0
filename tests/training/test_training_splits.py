"""Frozen splits of drafts and of runs in one list."""

import dataclasses
import json
from pathlib import Path

from app.base.paths import Paths
from app.training import drafts
from app.training.data import split
from app.training.data.rows import Message, Row
from app.training.plan import Frozen
from app.training.runs import runs, splits
from trainer.spec import RunSpec


def frozen_in(folder: Path, answers: str, source: str = "行.csv") -> Frozen:
    rows = [
        Row(n, (Message("user", f"{n * 7919 % 10_007:x} の点検は"), Message("assistant", f"{answers} {n * 104_729:x}")))
        for n in range(1, 61)
    ]
    made = split.split(rows)
    manifest = split.write(made, folder, {"name": source}, {})
    counts = (len(made.train), len(made.validation), len(made.holdout))
    return Frozen(str(folder), 1, *counts, manifest["files"]["holdout"]["sha256"], is_sound=True)


def draft_of(where: Paths, name: str, answers: str, now: float) -> Frozen:
    draft = drafts.new(where.drafts, now)
    frozen = frozen_in(drafts.free(where.drafts, draft.id, drafts.SPLIT), answers)
    drafts.save(where.drafts, dataclasses.replace(draft, name=name, frozen=frozen), now + 1)
    return frozen


def run_of(where: Paths, name: str, frozen: Frozen) -> Path:
    train, validation, holdout = (f"{frozen.folder}/{part}.jsonl" for part in ("train", "validation", "holdout"))
    asked = RunSpec(str(where.runs / name), "base.gguf", train, validation, holdout=holdout, name=name)
    return runs.create(asked, takes_data=True)


def test_nothing_is_listed_where_nothing_was_split(where: Paths) -> None:
    assert splits.listed(where) == []


def test_a_draft_and_its_run_have_one_split(where: Paths) -> None:
    frozen = draft_of(where, "敬体", "年ごと", 1.0)
    other = draft_of(where, "書式", "月ごと", 5.0)
    folder = run_of(where, "敬体の学習", frozen)
    found = splits.listed(where)
    assert [(one.name, one.folder, one.source) for one in found] == [
        ("敬体の学習", str(folder / "data"), "行.csv"),
        ("書式", other.folder, "行.csv"),
    ]
    assert (found[0].train, found[0].holdout) == (frozen.train, frozen.holdout)
    split.verify(Path(found[0].folder))


def test_what_cannot_be_read_is_left_out(where: Paths) -> None:
    gone = draft_of(where, "消えた", "年ごと", 1.0)
    torn = draft_of(where, "壊れた", "月ごと", 5.0)
    odd = draft_of(where, "違う形", "日ごと", 9.0)
    Path(gone.folder, split.MANIFEST).unlink()
    Path(torn.folder, split.MANIFEST).write_text('{"files": {', "utf-8")
    Path(odd.folder, split.MANIFEST).write_text(json.dumps(["files"]), "utf-8")
    run = where.runs / "壊れた学習"
    run.mkdir(parents=True)
    (run / runs.SPEC).write_text("{", "utf-8")
    assert splits.listed(where) == []
