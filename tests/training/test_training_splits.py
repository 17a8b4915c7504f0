"""Frozen splits of drafts and of runs in one list."""

import dataclasses
import json
from pathlib import Path

from app.base.paths import Paths
from app.training import drafts
from app.training.data import data_split
from app.training.data.rows import RowMessage, TrainingRow
from app.training.drafts import DraftSplit
from app.training.runs import run_folders, training_list
from trainer.spec import RunSpec


def frozen_in(folder: Path, answers: str, source: str = "行.csv") -> DraftSplit:
    rows = [
        TrainingRow(
            n,
            (
                RowMessage("user", f"{n * 7919 % 10_007:x} の点検は"),
                RowMessage("assistant", f"{answers} {n * 104_729:x}"),
            ),
        )
        for n in range(1, 61)
    ]
    made = data_split.split_rows(rows)
    manifest = data_split.write_split(made, folder, {"name": source}, {})
    counts = (len(made.train), len(made.validation), len(made.holdout))
    return DraftSplit(str(folder), 1, *counts, manifest["files"]["holdout"]["sha256"], is_sound=True)


def draft_of(where: Paths, name: str, answers: str, now: float) -> DraftSplit:
    draft = drafts.create(where.drafts, now)
    frozen = frozen_in(drafts.free_folder(where.drafts, draft.id, drafts.SPLIT), answers)
    drafts.save(where.drafts, dataclasses.replace(draft, name=name, frozen=frozen), now + 1)
    return frozen


def run_of(where: Paths, name: str, frozen: DraftSplit) -> Path:
    train, validation, holdout = (f"{frozen.folder}/{part}.jsonl" for part in ("train", "validation", "holdout"))
    asked = RunSpec(str(where.runs / name), "base.gguf", train, validation, holdout=holdout, name=name)
    return run_folders.create(asked, takes_data=True)


def test_nothing_is_listed_where_nothing_was_split(where: Paths) -> None:
    assert training_list.list_splits(where) == []


def test_a_draft_and_its_run_have_one_split(where: Paths) -> None:
    frozen = draft_of(where, "敬体", "年ごと", 1.0)
    other = draft_of(where, "書式", "月ごと", 5.0)
    folder = run_of(where, "敬体の学習", frozen)
    found = training_list.list_splits(where)
    assert [(one.name, one.folder, one.source) for one in found] == [
        ("敬体の学習", str(folder / "data"), "行.csv"),
        ("書式", other.folder, "行.csv"),
    ]
    assert (found[0].train, found[0].holdout) == (frozen.train, frozen.holdout)
    data_split.verify_split(Path(found[0].folder))


def test_what_cannot_be_read_is_left_out(where: Paths) -> None:
    gone = draft_of(where, "消えた", "年ごと", 1.0)
    torn = draft_of(where, "壊れた", "月ごと", 5.0)
    odd = draft_of(where, "違う形", "日ごと", 9.0)
    Path(gone.folder, data_split.MANIFEST).unlink()
    Path(torn.folder, data_split.MANIFEST).write_text('{"files": {', "utf-8")
    Path(odd.folder, data_split.MANIFEST).write_text(json.dumps(["files"]), "utf-8")
    run = where.runs / "壊れた学習"
    run.mkdir(parents=True)
    (run / run_folders.SPEC).write_text("{", "utf-8")
    assert training_list.list_splits(where) == []
