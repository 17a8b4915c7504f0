"""Run the whole offline check, for command line and window, with hashes of the program and its models to compare."""

import hashlib
import platform
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from app import __version__
from app.base import json_lines, programs, settings
from app.base.errors import AppError
from app.base.files.input_file import sha256_of, size_of
from app.base.files.output_file import CopyProgress, ReportBytes, hash_file
from app.base.paths import Paths
from app.base.wording import phrase
from app.compliance.offline_check import environment_facts
from app.compliance.offline_check.coordinator import CheckJob, run_probe
from app.compliance.offline_check.records import MESSAGES, CheckResult, HashedFile, KernelProbe, MeasuredTraffic
from app.inference import engine_packs, gguf
from app.inference.local_model import FileFingerprint, LocalModel
from app.models import local_models, model_registry
from app.models.model_store import ModelStore


def hash_program() -> Iterator[HashedFile]:
    """Yield the hash of the executable, and one hash of all files of the program's folder."""
    yield _hash_file("program", Path(sys.executable))
    yield hash_folder(_bundle())


def hash_folder(folder: Path) -> HashedFile:
    """Return the SHA-256 of a folder's lines "sha256 path", sorted (`files_note` of the page), without __pycache__.

    A link to a file inside is skipped; the target of a link out of the folder is hashed, as no other line has it.
    """
    lines, total, root = [], 0, folder.resolve()
    for path in sorted(folder.rglob("*"), key=lambda one: one.relative_to(folder).as_posix()):
        name = path.relative_to(folder)
        is_inner_link = path.is_symlink() and path.resolve().is_relative_to(root)
        if path.is_file() and not is_inner_link and "__pycache__" not in name.parts:
            lines.append(f"{sha256_of(path)}  {name.as_posix()}\n")
            total += path.stat().st_size
    digest = hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()
    return HashedFile("manifest", f"{folder.name} ({len(lines)})", str(folder), total, digest, "measured")


def hash_engine_packs() -> Iterator[HashedFile]:
    """Yield the hashes of the GPU packs in use."""
    folder = engine_packs.folder_in_use()
    if folder is not None:
        for pack in engine_packs.installed(folder):
            yield from (_hash_file("pack", folder / pack.name / file.name) for file in pack.files)


def hash_models(models: Sequence[LocalModel], report: ReportBytes) -> Iterator[HashedFile]:
    """Yield the hash of each model file, the stored one if size and time are unchanged; `report`: bytes done, total."""
    waiting = [(model, path, mark) for model in models for path, mark in _parts(model)]
    total = sum(size_of(path) for _, path, mark in waiting if not _is_unchanged(path, mark))
    meter = CopyProgress(report, total)
    for model, path, mark in waiting:
        if mark is not None and _is_unchanged(path, mark):
            yield HashedFile("model", model.name, str(path), mark.size_bytes, mark.sha256, "stored")
            continue
        try:
            digest = hash_file(path, meter)
        except OSError as error:
            yield HashedFile("model", model.name, str(path), 0, error.strerror or str(error), "missing")
            continue
        is_changed = mark is not None and bool(mark.sha256) and mark.sha256 != digest
        yield HashedFile("model", model.name, str(path), size_of(path), digest, "changed" if is_changed else "measured")


def _parts(model: LocalModel) -> Iterator[tuple[Path, FileFingerprint | None]]:
    first = Path(model.path)
    marks = {mark.name: mark for mark in model.files}
    try:
        others = gguf.check_model(first).parts
    except (AppError, OSError):
        others = ()
    for path in (first, *others):
        yield path, marks.get(path.name)


def _is_unchanged(path: Path, mark: FileFingerprint | None) -> bool:
    if mark is None or not mark.sha256:
        return False
    try:
        status = path.stat()
    except OSError:
        return False
    return (status.st_size, status.st_mtime_ns) == (mark.size_bytes, mark.modified_ns)


def _bundle() -> Path:
    """Return the folder of a bundle; in a checkout or an installation, that of the package `app`."""
    if not getattr(sys, "frozen", False):
        return Path(__file__).resolve().parents[2]
    folder = Path(sys.executable).parent
    return folder.parent if sys.platform == "darwin" else folder  # Contents/MacOS holds only the executable


def _hash_file(role: str, path: Path) -> HashedFile:
    return HashedFile(role, path.name, str(path), size_of(path), sha256_of(path), "measured")


ReportStage = Callable[[str, float], None]  # one of `records.STAGES`, and the fraction done of it


class OfflineCheckRun:
    """One run of the check. `report`: called at each stage. `stop` may be called from any thread."""

    def __init__(self, where: Paths, report: ReportStage) -> None:
        self._where = where
        self._report = report
        self._is_stopped = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None

    def run(self) -> CheckResult:
        """Run the check. Raises AppError: "cancelled" after `stop`, "offline_check_broke", and database errors."""
        models = self._models()
        chosen = self._choose_model(models)
        self._report_stage("filter")
        kernel = run_probe("filter", KernelProbe)
        measured = self._measure(chosen)
        self._report_stage("surroundings")
        remote = [model for model in models if model.remote is not None]
        facts = environment_facts.collect_facts({"data": self._where.data, "models": self._where.models}, remote)
        mode, policy = self._mode()
        local = [model for model in models if model.remote is None]
        self._report_stage("hashes")
        return CheckResult(
            __version__, time.time(), f"{platform.platform()} ({platform.machine()})", chosen.name if chosen else "",
            kernel.filter_state, mode, policy, measured, facts,
            (*hash_program(), *hash_engine_packs(), *hash_models(local, self._report_hashing)), kernel.confinement,
        )  # fmt: skip

    def stop(self) -> None:
        self._is_stopped.set()
        process = self._process
        if process is not None and process.stdin is not None:
            process.stdin.close()  # the coordinator then ends all its children and itself

    def _report_stage(self, stage: str, done: float = 0.0) -> None:
        if self._is_stopped.is_set():
            raise AppError("cancelled")
        self._report(stage, done)

    def _models(self) -> list[LocalModel]:
        store = ModelStore.open(self._where.database, self._where.backups)
        try:
            return [*store.local_models(), *model_registry.list_remote_models(store)]
        finally:
            store.close()

    def _choose_model(self, models: list[LocalModel]) -> LocalModel | None:
        """Return the model that the window uses, else the smallest, which is the fastest; None if there is none."""
        local = [one for one in models if one.remote is None and Path(one.path).is_file()]
        by_size = sorted(local, key=lambda one: one.size_bytes)
        return local_models.answering_model(by_size, settings.load(self._where.settings).model_id)

    def _mode(self) -> tuple[str, str]:
        policy = settings.policy_forbidding_network(self._where.data)
        if policy is not None:
            return "policy", str(policy)
        return ("nobody" if settings.load(self._where.settings).network_allowed else "settings"), ""

    def _measure(self, model: LocalModel | None) -> MeasuredTraffic:
        folder = Path(tempfile.gettempdir()) / f"kotae-offline-check-{secrets.token_hex(8)}"
        try:  # not mkdtemp: an interrupt inside it could leave a folder whose path is unknown
            folder.mkdir(0o700)
            return self._coordinate(folder, model)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _coordinate(self, folder: Path, model: LocalModel | None) -> MeasuredTraffic:
        job = CheckJob(
            str(folder),
            model.path if model else "",
            phrase("compliance.page.sample_text"),
            phrase("compliance.page.sample_question"),
        )
        command = [*programs.own_program(), "--offline-check", "coordinate"]
        log = folder / "coordinator.txt"
        with (
            log.open("wb") as errors,
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors) as process,
        ):
            self._process = process
            assert process.stdin is not None
            assert process.stdout is not None
            try:
                process.stdin.write(json_lines.encode_line(job))
                process.stdin.flush()
                for line in process.stdout:
                    event = json_lines.decode(line, MESSAGES)
                    if isinstance(event, MeasuredTraffic):
                        return event
                    self._report_stage(event.name)
            except (ValueError, BrokenPipeError) as error:
                if not self._is_stopped.is_set():
                    raise AppError("offline_check_broke", detail=str(error)) from error
            finally:
                self._process = None
                if not process.stdin.closed:
                    process.stdin.close()
        if self._is_stopped.is_set():
            raise AppError("cancelled")
        raise AppError("offline_check_broke", detail=log.read_text("utf-8", "replace")[-300:])

    def _report_hashing(self, done: int, total: int) -> None:
        self._report_stage("hashes", done / max(total, 1))
