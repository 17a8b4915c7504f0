"""The forms in which a tuned model can be given out, and the steps to make and measure each of them once.

    convert    the base as one GGUF in f16, kept in a cache by what it was made of
    score      f16+adapter: what training has made, unrounded; the reference that the others are held against
    quantize   the base, where there is no GGUF of it that answers are given with
    score      base, base+adapter
    merge      base + adapter in f16;  score
    quantize   Q8_0, Q6_K, Q5_K_M, Q4_K_M from that;  score each

Of the files only the best so far stays (`gate.choose`). What was measured is kept: the same export goes on from there.
"""

import contextlib
import hashlib
import json
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from app.core import build_plan, hf_folder, quantizations
from app.core.build_plan import BuildPlan, BuildRequest
from app.core.copying import require_space, write_failure
from app.core.errors import AppError
from app.core.hf_folder import HfModel
from app.core.quantizations import FORMS
from app.core.training import holdout as holdouts
from app.core.training import runs
from app.core.training import scores as score_files
from app.core.training.gate import BASE, BASE_ADAPTER, F16_ADAPTER, MERGED_F16, WITH_ADAPTER
from app.core.training.holdout import Holdout
from app.core.training.scores import Scores
from trainer.form import Form

QUANTIZED = quantizations.named("Q8_0,Q6_K,Q5_K_M,Q4_K_M")
BASE_FORM = FORMS["Q4_K_M"]
ALL = (F16_ADAPTER, BASE, BASE_ADAPTER, MERGED_F16, *(form.name for form in QUANTIZED))
FOLDER = "export"  # below the run's folder
_HOLDOUT = "holdout.json"
_REFERENCE_BYTES = 8200  # a place (app/engine/reference.py)


@dataclass(frozen=True, slots=True)
class Step:
    """`kind`: convert | quantize | merge | score. `form`: one of ALL; of `quantize` BASE or a merged one."""

    kind: str
    form: str
    path: Path  # what it writes
    writes_bytes: int
    drops_bytes: int = 0  # of what nobody needs after it


@dataclass(frozen=True, slots=True)
class Export:
    """`base`: the GGUF that answers are given with today; None: one is made. `cache`: where the base in f16 is kept."""

    run: Path
    source: HfModel
    base: Path | None
    cache: Path
    name: str
    form: Form | None
    holdout: Holdout
    groups: Path | None  # rows that were kept back; a group of them is drawn together
    build: BuildPlan  # sizes and names of what is made of the source
    key: str  # of all that the numbers depend on

    @property
    def adapter(self) -> Path:
        return self.run / runs.ADAPTER

    @property
    def holdout_file(self) -> Path:
        return self.run / _HOLDOUT

    @property
    def folder(self) -> Path:
        """What lies between, and what was measured."""
        return self.run / FOLDER / self.key

    @property
    def reference(self) -> Path:
        return self.folder / "reference"

    @property
    def base_f16(self) -> Path:
        return self.cache / f"{self.build.id}-f16.gguf"

    def file(self, form: str) -> Path:
        if form == F16_ADAPTER:
            return self.base_f16
        if form in (BASE, BASE_ADAPTER):
            return self.base or self.folder / "base.gguf"
        return self.folder / f"{form}.gguf"

    def adapter_of(self, form: str) -> str:
        return str(self.adapter) if form in WITH_ADAPTER else ""

    def score_file(self, form: str) -> Path:
        return self.folder / f"{form}.json"

    def size_bytes(self, form: str) -> int:
        """About, of what is made."""
        name = {F16_ADAPTER: "", MERGED_F16: "", BASE: BASE_FORM.name}.get(form, form)
        return next(step.writes_bytes for step in self.build.steps if (step.form.name if step.form else "") == name)


def of_run(run: Path, cache: Path) -> Export:
    """What the finished run in this folder is to be exported as. Reads its adapter whole.

    Raises AppError: gate_not_finished, gate_no_base, holdout_unreadable, and what `hf_folder.read` finds.
    """
    asked = runs.effective(runs.read(run))
    if asked is None or not (run / runs.ADAPTER).is_file() or not (run / _HOLDOUT).is_file():
        raise AppError("gate_not_finished", id=run.name)
    base = Path(asked.base) if asked.base.lower().endswith(".gguf") else None
    folder = Path(asked.bases or run / "base") / _sha256(base, asked.base_sha256)[:16] if base else Path(asked.base)
    if not folder.is_dir() or (base is not None and not base.is_file()):
        raise AppError("gate_no_base", path=str(folder if base is None or base.is_file() else base))
    source = hf_folder.read(folder)
    name = asked.name or run.name
    build = build_plan.plan(BuildRequest(source, QUANTIZED, run, name=name))
    marks = [build.id, _hash(run / runs.ADAPTER), _hash(run / _HOLDOUT), _mark(base)]
    return Export(
        run=run,
        source=source,
        base=base,
        cache=cache,
        name=name,
        form=asked.form,
        holdout=holdouts.read(run / _HOLDOUT),
        groups=Path(asked.holdout) if asked.holdout else None,
        build=build,
        key=hashlib.sha256(json.dumps(marks).encode()).hexdigest()[:16],
    )


def _sha256(base: Path, known: str) -> str:
    """By it the trainer calls the folder that it has made of a GGUF base. Raises AppError("gate_no_base")."""
    try:
        return known or _hash(base)
    except OSError as error:
        raise AppError("gate_no_base", path=str(base)) from error


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _mark(path: Path | None) -> list[object]:
    if path is None:
        return []
    status = path.stat()
    return [str(path), status.st_size, status.st_mtime_ns]


# ------------------------------------------------------------------------- steps


def measured(export: Export) -> dict[str, Scores]:
    """What an earlier try has measured. A damaged file counts as none."""
    found = {}
    for form in ALL:
        with contextlib.suppress(AppError):
            found[form] = score_files.read(export.score_file(form))
    return found


def remaining(export: Export, done: Collection[str]) -> list[Step]:
    """All that is still to be made and measured. `done`: forms that are measured."""
    wanted = [form for form in ALL if form not in done]
    if wanted and F16_ADAPTER not in wanted and not export.reference.is_file():
        wanted.insert(0, F16_ADAPTER)
    quantized = [form.name for form in QUANTIZED if form.name in wanted]
    steps = []
    for form in wanted:
        if form == F16_ADAPTER:
            steps += _base_steps(export)
        if form in (BASE, BASE_ADAPTER):
            steps += making(export, form)
        if form == MERGED_F16 or (quantized[:1] == [form] and MERGED_F16 in done):
            steps += making(export, MERGED_F16)
        if form in quantized:
            steps.append(Step("quantize", form, export.file(form), export.size_bytes(form)))
        is_dropped = form in quantized and form != QUANTIZED[0].name
        writes = export.holdout.positions * _REFERENCE_BYTES if form == F16_ADAPTER else 0
        drops = export.size_bytes(form) if is_dropped else 0
        steps.append(Step("score", form, export.score_file(form), writes, drops))
    return list(dict.fromkeys(steps))


def making(export: Export, form: str) -> list[Step]:
    """The steps to have the file of a form."""
    if export.file(form).is_file():
        return []
    if form in (BASE, BASE_ADAPTER):
        return [*_base_steps(export), Step("quantize", BASE, export.file(BASE), export.size_bytes(BASE))]
    if form == MERGED_F16:
        merge = Step("merge", form, export.file(form), export.size_bytes(form))
        return [*_base_steps(export), merge]
    return [*making(export, MERGED_F16), Step("quantize", form, export.file(form), export.size_bytes(form))]


def _base_steps(export: Export) -> list[Step]:
    path = export.base_f16
    return [] if path.is_file() else [Step("convert", F16_ADAPTER, path, export.size_bytes(F16_ADAPTER))]


def peak_bytes(steps: Collection[Step]) -> int:
    """The most that these steps take at one moment beyond what is there."""
    now = highest = 0
    for step in steps:
        now += step.writes_bytes
        highest = max(highest, now)
        now -= step.drops_bytes
    return highest


# ------------------------------------------------------------------------ folder


def open_folder(export: Export, steps: Collection[Step]) -> None:
    """Makes the folders; deletes what belongs to other numbers. Raises AppError: drive_space, run_unwritable."""
    try:
        export.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        export.cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        for other in export.folder.parent.iterdir():
            if other != export.folder:
                shutil.rmtree(other, ignore_errors=True)
        require_space(export.run, peak_bytes(steps))
        require_space(export.cache, max((step.writes_bytes for step in steps if step.kind == "convert"), default=0))
    except OSError as error:
        raise write_failure(error, export.run, "run_unwritable") from error


def drop(export: Export, keep: Collection[str]) -> None:
    """Deletes the quantized files that nobody needs any more; `keep`: forms."""
    for form in (BASE, MERGED_F16, *(form.name for form in QUANTIZED)):
        path = export.file(form)
        if form not in keep and path.parent == export.folder:
            path.unlink(missing_ok=True)


def publish(export: Export, form: str) -> str:
    """Moves the form's file to where it stays and empties the folder. Gives its name; "": the base as it was.

    The base in f16 stays in its cache. Raises AppError("run_unwritable").
    """
    name = ""
    try:
        for old in ("base.gguf", *(export.build.file_name(one) for one in (FORMS["F16"], *QUANTIZED))):
            (export.run / old).unlink(missing_ok=True)  # of an earlier gate
        if export.file(form).parent == export.folder:
            name = "base.gguf" if form == BASE_ADAPTER else export.build.file_name(FORMS[form])
            export.file(form).replace(export.run / name)
        drop(export, ())
        export.reference.unlink(missing_ok=True)
    except OSError as error:
        raise write_failure(error, export.run, "run_unwritable") from error
    return name
