"""Write a run as a folder for another machine: spec, data, trainer, requirements, and scripts that start it.

The other machine does not need this program. The base model is listed with its hashes; it is included if it is small
or if the user requests it. `app.training.remote_job_import` imports the finished run.
"""

import dataclasses
import json
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trainer
from app.base import confidentiality, wording
from app.base.confidentiality import ExportRequest, Label, Permit
from app.base.errors import AppError
from app.base.files import file_permissions, input_file, work_folder
from app.base.files.output_file import require_space
from app.base.paths import resources
from app.inference.local_model import LocalModel
from app.models import hf_folders
from app.training import run_plan
from app.training.data.rows import PARTS
from app.training.run_plan import PlannedDevice, RunPlan
from app.training.runs import lineage, run_folders
from app.training.runs.lineage import Lineage
from trainer import estimate, machine, spec
from trainer.machine import MachineSettings
from trainer.spec import RunSpec

JOB_FILE, SUMS, BASE_SUMS, VERSION = "job.json", "SHA256SUMS", "base.sha256", 1
RUN, DATA, BASE, START = "run", "data", "base", "start"  # folders inside the job's folder
SMALL_BYTES = 1_000_000_000  # a base up to this size is always included
_CARDS = (("NVIDIA GeForce RTX 4060 Ti", 16), ("NVIDIA GeForce RTX 4090", 24), ("NVIDIA A100", 80))  # memory in GB
WORDS = "words"
_WORDS = ("base.toml", "common.toml", "training.toml", "errors.toml")
_SCRIPTS = ("run.sh", "job.slurm", "run.ps1", "watch.py", "accelerate.yaml")


@dataclass(frozen=True, slots=True)
class RemoteJob:
    folder: Path
    size_bytes: int
    base_files: tuple[str, ...]  # paths relative to the job's folder
    has_base: bool  # False: the user must copy `base_files` into the job


def make_job(requested: RunSpec, folder: Path, *, permit: Permit, with_base: bool = False) -> RemoteJob:
    """Write the job of a run. This hashes the data and the base. `permit`: the permit for `job_export`.

    Raises AppError: job_folder_taken, job_is_file, job_unwritable, drive_space, run_data_missing, run_data_invalid,
    run_data_changed, hf_*, secret_export.
    """
    files = _base_files(Path(requested.base))
    has_base = with_base or sum(path.stat().st_size for path in files) <= SMALL_BYTES
    try:
        with permit.write_folder(folder):  # ask first: copying a base takes minutes
            permit.at(folder).mkdir(parents=True, exist_ok=True)
            if next(folder.iterdir(), None) is not None:
                raise AppError("job_folder_taken", path=str(folder))
            require_space(folder, sum(path.stat().st_size for path in files) if has_base else 0)
            _write(requested, folder, files, has_base=has_base, permit=permit)
    except (FileExistsError, NotADirectoryError) as error:
        file = next(path for path in (folder, *folder.parents) if path.exists())
        raise AppError("job_is_file", path=str(file)) from error
    except OSError as error:
        raise AppError("job_unwritable", path=str(folder), reason=error.strerror or str(error)) from error
    names = tuple(f"{BASE}/{path.name}" for path in files)
    return RemoteJob(folder, work_folder.folder_size_bytes(folder), names, has_base)


def job_export(
    known_lineage: Lineage, bases: Sequence[LocalModel], folder: Path, documents: Path, name: str
) -> ExportRequest:
    """Return the export request for a job. Its label is determined from the current labels of everything in the job.

    `known_lineage`: the lineage of the data and of the adapter to be trained further. `bases`: the models of the list
    that are the job's base. `documents`: path of the documents' database. `name`: the training's name.
    """

    def label_now() -> Label:
        of_bases = [lineage.label_of_model(documents, model) for model in bases]
        return confidentiality.highest_label((known_lineage.label_now(documents), *of_bases))

    return ExportRequest("job", str(folder.absolute()), label_now, name)


def _base_files(base: Path) -> list[Path]:
    """Return the base's GGUF file, or the files of which the model in its folder consists."""
    if not base.is_dir():
        return [base]
    return [base / fact.name for fact in hf_folders.read_hf_model(base).files]


def _write(requested: RunSpec, folder: Path, base_files: list[Path], *, has_base: bool, permit: Permit) -> None:
    hashes = _copy_data(requested, permit.at(folder / DATA))
    _copy_tree(Path(trainer.__file__).parent, folder / "trainer")
    if requested.adapter:
        run_folders.copy_adapter(Path(requested.adapter), folder / START)
        hashes["adapter"] = requested.hashes["adapter"]
    if requested.converter:
        _copy_tree(Path(requested.converter), folder / "converter")
    environment = resources() / "training_environment"
    shutil.copyfile(environment / "requirements.txt", folder / "requirements.txt")
    _copy_tree(environment / "locked", folder / "locked")
    (folder / BASE).mkdir()
    if has_base:
        for path in base_files:
            shutil.copyfile(path, folder / BASE / path.name)
    for name in _SCRIPTS:
        shutil.copyfile(resources() / "training_job" / name, folder / name)
        (folder / name).chmod(0o700)
    (folder / WORDS).mkdir()
    for name in _WORDS:  # texts for watch.py
        shutil.copyfile(resources() / "wording" / name, folder / WORDS / name)
    local = with_job_paths(requested, hashes, is_folder=Path(requested.base).is_dir())
    (folder / run_folders.SPEC).write_text(_json(spec.to_json(local)), encoding="utf-8")
    (folder / machine.FILE).write_text(_json(dataclasses.asdict(MachineSettings())), encoding="utf-8")
    (folder / "README.md").write_text(_readme(requested, base_files, has_base=has_base), encoding="utf-8")
    manifest = {
        "version": VERSION,
        "run": Path(requested.folder).name,
        "hashes": hashes,
        "base_sha256": requested.base_sha256,
    }
    (folder / JOB_FILE).write_text(_json(manifest), encoding="utf-8")
    _write_sums(folder / BASE_SUMS, ((f"{BASE}/{path.name}", path) for path in base_files))
    unsealed = {folder / machine.FILE, *(folder / BASE).iterdir()}
    shipped = sorted(path for path in folder.rglob("*") if path.is_file() and path not in unsealed)
    _write_sums(folder / SUMS, ((path.relative_to(folder).as_posix(), path) for path in shipped))


def with_job_paths(requested: RunSpec, hashes: dict[str, str], *, is_folder: bool) -> RunSpec:
    """Return the spec with paths relative to the job's folder."""
    parts: dict[str, Any] = {part: f"{DATA}/{part}.jsonl" if getattr(requested, part) else "" for part in PARTS}
    return dataclasses.replace(
        requested,
        folder=RUN,
        base=BASE if is_folder else f"{BASE}/{Path(requested.base).name}",
        adapter=START if requested.adapter else "",
        bases="bases",
        converter="converter" if requested.converter else "",
        hashes=hashes,
        device=None if requested.device == "cpu" else requested.device,
        **parts,
    )


def _copy_data(requested: RunSpec, folder: Path) -> dict[str, str]:
    """Copy the data into the job and return the hash of each part.

    Raises AppError: run_data_missing, run_data_invalid, run_data_changed.
    """
    folder.mkdir()
    hashes = {}
    for part in PARTS:
        source = getattr(requested, part)
        if not source:
            continue
        target = folder / f"{part}.jsonl"
        for _row in run_plan.read_rows(Path(source)):  # a SPEC may name any file, but only data rows may leave
            pass
        try:
            shutil.copyfile(source, target)
        except FileNotFoundError as error:
            raise AppError("run_data_missing", path=source) from error
        hashes[part] = input_file.sha256_of(target)
        if hashes[part] != requested.hashes.get(part, hashes[part]):
            raise AppError("run_data_changed", path=source, id=requested.name)
    return hashes


def _copy_tree(source: Path, target: Path) -> None:
    file_permissions.copy_folder(source, target, shutil.ignore_patterns("__pycache__", "*.pyc", "README.md"))


def _write_sums(path: Path, files: Iterable[tuple[str, Path]]) -> None:
    """Write the hashes of the files in the format of `sha256sum`. `files`: pairs of name and path."""
    lines = [f"{input_file.sha256_of(file)}  {name}\n" for name, file in files]
    path.write_text("".join(lines), encoding="utf-8", newline="\n")


def _readme(requested: RunSpec, base_files: list[Path], *, has_base: bool) -> str:
    from app.base.files.inert_markdown import escape_line  # importing its parser takes a tenth of a second

    text = (resources() / "training_job" / "README.md").read_text(encoding="utf-8")
    names = ", ".join(path.name for path in base_files)
    size = wording.format_size(sum(path.stat().st_size for path in base_files))
    japanese, english = [line.split("|") for line in _read_lines("base.txt")]
    at = 0 if has_base else 1
    base_texts = {"base_ja": japanese[at], "base_en": english[at]}
    expected = _expectations(requested)
    if not expected:
        text = "".join(line for line in text.splitlines(keepends=True) if "{memory}" not in line)
    for name, value in {
        **base_texts,
        **expected,
        "name": escape_line(requested.name),
        "names": escape_line(names),
        "size": size,
    }.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def _expectations(requested: RunSpec) -> dict[str, str]:
    """Return texts with memory and hours on the smallest common card that has enough memory, else on the largest.

    Return {} for a base whose config.json omits values that are defaults of transformers.
    """
    for card, gigabytes in _CARDS:
        try:
            plan = _on_card(dataclasses.replace(requested, device=None), card, gigabytes * 10**9)
        except AppError:
            return {}
        if plan.has_memory:
            break
    hours = f"{max(0.1, plan.time.total_s / 3600):.1f}"
    return {"card": card, "gigabytes": str(gigabytes), "memory": wording.format_size(plan.memory.total), "hours": hours}


def _on_card(requested: RunSpec, card: str, memory_bytes: int) -> RunPlan:
    device = PlannedDevice("cuda", card, memory_bytes, memory_bytes, estimate.card_flops_per_s(card))
    return run_plan.plan_run(requested, None, lambda _kind: device)


def _read_lines(name: str) -> list[str]:
    return (resources() / "training_job" / name).read_text(encoding="utf-8").splitlines()


def _json(data: dict[str, Any]) -> str:
    return json.dumps(data, ensure_ascii=False, indent=1) + "\n"
