"""The trial model's adapter, in .venv: `python packaging/starter_adapter.py DIR`, and `… --take RUN_FOLDER`.

Makes DIR with train.jsonl, validation.jsonl, holdout.jsonl and split.json from resources/starter_adapter/rows, as
`kotae train run --data DIR` takes it; always the same bytes. Where a row has passages, its system message is the one
that the program makes of them when it answers (app.documents.retrieval.packing).

--take: puts a run that is finished and judged into resources/starter_adapter: its adapter in f16, settings and report.
"""

import hashlib
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import gguf
import numpy as np

from app.base import wording
from app.base.errors import AppError
from app.base.paths import resources
from app.documents.records import Passage, Section
from app.documents.retrieval import packing
from app.training.data import data_split
from app.training.data.data_split import Split
from app.training.data.rows import PARTS, RowMessage, TrainingRow
from app.training.data.split_record import SplitSettings

ROWS = resources() / "starter_adapter" / "rows"
HOLDOUT = "_holdout"  # the files whose names end so are never trained
SEED = 17  # the first whose validation has its share of each kind of row
VALIDATION_ROWS = 60
NAME = "Kotae: answers in Japanese (LoRA of Gemma 3 270M)"
PLACES = ("folder", "base", "train", "validation", "holdout", "bases", "converter")  # of a run's settings
CHARACTERS_A_TOKEN = 1.6  # of these rows in the vocabulary of Gemma 3, counted


def main(arguments: Sequence[str]) -> int:
    """Exit status: 0; 1 something of the hold-out is known from training; 2 no folder; 3 expected error."""
    if len(arguments) == 2 and arguments[0] == "--take":
        take(Path(arguments[1]))
        return 0
    if len(arguments) != 1:
        print(__doc__)
        return 2
    made = build()
    report = data_split.report_leakage(made)
    try:
        data_split.write_split(made, Path(arguments[0]), source(), report)
    except AppError as error:
        print(wording.describe_error(error), file=sys.stderr)
        return 3
    for name in PARTS:
        print(f"{name:<10} {counts(made.rows_of(name))}")
    if not report.is_sound:
        print(f"known from training: {report.near} rows, groups {', '.join(report.shared_groups)}", file=sys.stderr)
    return 0 if report.is_sound else 1


def take(run: Path) -> None:
    """Settings and report name no place of the machine that it ran on. Raises OSError, ValueError: no such run."""
    target = ROWS.parent
    settings = json.loads((run / "effective.json").read_text("utf-8"))
    kept = {name: value for name, value in settings.items() if name not in PLACES}
    (target / "spec.json").write_text(json.dumps(kept, ensure_ascii=False, indent=1) + "\n", "utf-8")
    report = (run / "report.html").read_text("utf-8")
    for place in filter(None, map(settings.get, PLACES)):
        report = report.replace(place, Path(place).name)
    (target / "report.html").write_text(report, "utf-8")
    halve(run / "adapter.gguf", target / "adapter.gguf", kept["base_sha256"])


def halve(adapter: Path, target: Path, base_sha256: str) -> None:
    """The same matrices in f16: half the size, and the program takes them as they are."""
    reader = gguf.GGUFReader(adapter)
    text = {name: reader.fields[name].contents() for name in ("general.architecture", "general.type", "adapter.type")}
    writer = gguf.GGUFWriter(target, text["general.architecture"])
    writer.add_type(text["general.type"])
    writer.add_name(NAME)
    writer.add_license("gemma")
    writer.add_string("adapter.type", text["adapter.type"])
    writer.add_float32("adapter.lora.alpha", reader.fields["adapter.lora.alpha"].contents())
    writer.add_string("kotae.base_sha256", base_sha256)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, tensor.data.astype(np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def build() -> Split:
    """Every part in an order that the seed gives, so that no kind of row comes in a lump."""
    wording.use_language("ja")
    rows, held_out = (read(kept_back=is_kept_back) for is_kept_back in (False, True))
    groups = validation_groups(rows)
    return Split(
        settings=SplitSettings(seed=SEED),
        train=_ordered(row for row in rows if row.group not in groups),
        validation=_ordered(row for row in rows if row.group in groups),
        holdout=_ordered(held_out),
        removed=(),
    )


def files() -> list[Path]:
    return sorted(ROWS.glob("*.jsonl"))


def read(*, kept_back: bool) -> list[TrainingRow]:
    """The rows of the hold-out, or all others. `line` of a row: as if all files were one."""
    lines = ((path, line) for path in files() for line in path.read_text("utf-8").splitlines())
    found = []
    for number, (path, line) in enumerate(lines, start=1):
        written = json.loads(line)
        if path.stem.endswith(HOLDOUT) == kept_back:
            found.append(TrainingRow(number, tuple(messages(written)), written["group"]))
    return found


def messages(row: dict[str, Any]) -> list[RowMessage]:
    """`turns`: pairs of a question and its answer, or `question` and `answer`, with `passages` or without."""
    found = []
    if "passages" in row:
        found.append(RowMessage("system", packing.build_system_text(passages(row["passages"]))))
    for question, answer in row.get("turns") or [(row["question"], row["answer"])]:
        found += [RowMessage("user", question), RowMessage("assistant", answer)]
    return found


def passages(entries: Sequence[dict[str, Any]]) -> list[Passage]:
    """As a search gives them. Rows name no collection: prompts do not hold it."""
    documents = list(dict.fromkeys(entry["document"] for entry in entries))
    return [
        Passage(
            section_id=number,
            section=Section(tuple(one["heading"]), one["text"], page=one["page"] or 0),
            document_id=documents.index(one["document"]) + 1,
            document=one["document"],
            path=one["document"],
            collection="",
            label="public",
            score=1.0,
        )
        for number, one in enumerate(entries, start=1)
    ]


def validation_groups(rows: Sequence[TrainingRow]) -> set[str]:
    """Whole groups, in the seed's order, as long as they fit into VALIDATION_ROWS."""
    sizes: dict[str, int] = {}
    for row in rows:
        sizes[row.group] = sizes.get(row.group, 0) + 1
    taken: set[str] = set()
    left = VALIDATION_ROWS
    for group in sorted(sizes, key=_hash_as_number):
        if sizes[group] <= left:
            taken.add(group)
            left -= sizes[group]
    return taken


def source() -> dict[str, Any]:
    """What the split was made of, for its manifest."""
    raw = [path.read_bytes() for path in files()]
    digest = hashlib.sha256(b"".join(raw)).hexdigest()
    return {"name": ROWS.parent.name, "sha256": digest, "rows": sum(one.count(b"\n") for one in raw)}


def counts(rows: Sequence[TrainingRow]) -> str:
    with_passages = sum(row.messages[0].role == "system" for row in rows)
    of_turns = sum(len(row.messages) > 3 for row in rows)
    characters = sum(len(message.text) for row in rows for message in row.messages)
    tokens = round(characters / CHARACTERS_A_TOKEN, -3)
    parts = f"{with_passages} with passages, {of_turns} of several turns"
    return f"{len(rows):>5} rows ({parts}), {characters:,} characters, about {tokens:,.0f} tokens"


def _ordered(rows: Iterable[TrainingRow]) -> tuple[TrainingRow, ...]:
    return tuple(sorted(rows, key=lambda row: _hash_as_number(row.id)))


def _hash_as_number(name: str) -> str:
    """Stands for a random number: the same in every version of Python."""
    return hashlib.sha256(f"{SEED} {name}".encode()).hexdigest()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
