"""Run the child process that makes the environment or a kit: it reads one job, sends events and ends with its parent.

The steps of an environment: plan, files, venv, libraries, converter, check. The steps of a kit: lock, files from the
network or a folder, kit. The output of each program that the child starts goes to a log file.
"""

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn, Protocol

import psutil

from app.base import json_lines
from app.base.errors import AppError
from app.base.files.output_file import drive_errors, require_space
from app.base.isolation import network_guard
from app.models import package_locks as locks
from app.models import training_environment
from app.models.downloads import package_download
from app.models.downloads.package_download import PackageIndexes
from app.models.package_locks import LockedFile, PackageLock
from app.models.training_environment import CONVERTER, TrainingEnvironment
from app.training.environment import base_pythons, folders, install_plan, kit, shipped_tools
from app.training.environment.base_pythons import BasePython, PinnedPython
from app.training.environment.folders import EnvironmentFolders
from app.training.environment.install_plan import InstallPlan
from app.training.environment.kit import TrainingKit
from app.training.environment.messages import (
    ContactedHost,
    Done,
    Event,
    Failed,
    InstallJob,
    KitJob,
    Phase,
)
from trainer.wire import end_with_parent

SendEvent = Callable[[Event], None]


class StepListener:
    """Listens to a download and reports its progress as phases."""

    def __init__(self, report: SendEvent, total_bytes: int) -> None:
        self._report = report
        self._total = total_bytes

    def contacted(self, host: str) -> None:
        self._report(ContactedHost(host))

    def progressed(self, package: str, done_bytes: int) -> None:
        self._report(Phase("fetch", package, done_bytes, self._total))


class FetchPackages(Protocol):
    """The type of `package_download.fetch_packages`, which is passed in so that this module imports no network code."""

    def __call__(
        self, files: Sequence[LockedFile], folder: Path, indexes: PackageIndexes, proxy: str, listener: StepListener
    ) -> None: ...


def make_environment(job: InstallJob, report: SendEvent, fetch: FetchPackages) -> Path:
    """Make the environment and return the folder that contains it.

    Raises AppError; the previous environment is then unchanged.
    """
    data, source = Path(job.data), _source(job)
    chosen = Path(job.base) if job.base else folders.proposed_base(data)
    folders.require_usable_base(chosen)
    folders.require_free_base(chosen, data)
    where = EnvironmentFolders(folders.known_base(chosen, data))
    with folders.locked(where):
        report(Phase("prepare"))
        folders.record_attempt(data, where.base)
        folders.finish_renaming(where)
        base_pythons.discard_unused_pythons(where, data)  # the drive may have been elsewhere since an earlier attempt
        tools = shipped_tools.find_converter()
        plan = install_plan.plan_install(job.variant, source, where, data)
        folders.prepare_part(where)
        install_plan.require_room(where, install_plan.need_of_plan(plan, where.base))
        if source is not None:  # all files are verified before any is unpacked or started
            found = provide_wheels(job, plan.lock, where.wheels, report, fetch, plan.kit)
            python = plan.python or _provide_python(job, plan, where, report)
        else:
            python = plan.python or _provide_python(job, plan, where, report)
            found = _fetch_wheels(job, plan, where, report, fetch)
        forbid_network()
        kit.remove_other_wheels(where.wheels, found)
        _install(python, plan.lock, where, Path(job.logs), report)
        report(Phase("check"))
        with drive_errors(where.half, folders.UNWRITABLE):
            shipped_tools.copy_converter(*tools, where.half)
            training_environment.check(
                TrainingEnvironment(training_environment.python_in(where.half), where.half / CONVERTER)
            )
            folders.write_stamp(where.half, plan.lock, training_environment.key(data))
        folders.replace_current(where)
        base_pythons.discard_unused_pythons(where, data)
    return where.base


def _source(job: InstallJob) -> Path | None:
    """Return the folder with the job's files and block the network; return None for files from the package indexes."""
    if not job.wheels:
        return None
    forbid_network()
    return Path(job.wheels)


def forbid_network() -> None:
    """Block the network for this process and every process that it starts from now on, including uv."""
    network_guard.enforce_offline()
    network_guard.install_socket_filter()


def _provide_python(job: InstallJob, plan: InstallPlan, where: EnvironmentFolders, report: SendEvent) -> BasePython:
    """Unpack the Python of the kit, or download one with uv, and return it."""
    report(Phase("python"))
    if plan.source is not None:
        archive, sha256 = kit.copy_python_archive(plan.source, plan.kit, plan.lock, where)
        base_pythons.unpack_archive(archive, sha256, where)
    else:
        for host in shipped_tools.python_hosts():
            report(ContactedHost(host))
        shipped_tools.fetch_python(locks.dotted(plan.lock.python), where, Path(job.logs), job.proxy)
    own = [[str(program)] for program in base_pythons.own_programs(where)]
    python = base_pythons.first_working(own, (plan.lock.python,))
    if python is None or not python.path.is_relative_to(where.pythons):
        reason = f"Python {locks.dotted(plan.lock.python)}"
        raise AppError("python_archive_unusable", path=str(where.pythons), reason=reason)
    return python


def _fetch_wheels(
    job: InstallJob, plan: InstallPlan, where: EnvironmentFolders, report: SendEvent, fetch: FetchPackages
) -> dict[str, Path]:
    try:
        return provide_wheels(job, plan.lock, where.wheels, report, fetch)
    except AppError as error:
        if error.code == "download_disk_full":
            raise AppError("training_disk_full", path=str(where.base)) from error
        raise


def provide_wheels(
    job: InstallJob,
    lock: PackageLock,
    folder: Path,
    report: SendEvent,
    fetch: FetchPackages,
    table: TrainingKit | None = None,
) -> dict[str, Path]:
    """Copy the lock's files from the job's folder into `folder`, or download them from the indexes of pip's settings.

    `table`: the table of the kit in the job's folder; None without a kit. Return the files by name. Raises AppError.
    """
    if job.wheels:

        def report_package(package: str, done_bytes: int, total_bytes: int) -> None:
            report(Phase("fetch", package, done_bytes, total_bytes))

        return kit.collect_wheels(Path(job.wheels), lock, table, folder, report_package)
    settings = package_download.indexes_of_pip(os.environ)
    if settings.certificates:
        os.environ["SSL_CERT_FILE"] = settings.certificates
    fetch(lock.files, folder, settings, job.proxy, StepListener(report, lock.size_bytes))
    return {file.name: folder / file.name for file in lock.files}


def _install(python: BasePython, lock: PackageLock, where: EnvironmentFolders, logs: Path, report: SendEvent) -> None:
    report(Phase("venv"))
    shipped_tools.make_venv(python.path, where, logs)
    report(Phase("install"))
    shipped_tools.install_wheels(lock.path, where, logs)


def write_kit_for(job: InstallJob, report: SendEvent, fetch: FetchPackages) -> Path:
    """Write a kit and return its folder. Raises AppError. No file gets its final name before it is complete."""
    assert job.kit is not None
    target, source = Path(job.kit.folder), _source(job)
    report(Phase("prepare"))
    archive = Path(job.kit.archive) if job.kit.archive else None
    version = locks.python_from(job.kit.python)
    pin = base_pythons.identify_archive(archive, job.kit.system, version) if archive else None
    listed = kit.kit_in(source) if source is not None else None
    lock = choose_kit_lock(job.kit, job.variant, pin, source, listed)
    kit.refuse_foreign_files(target)
    _prepare_target(target, lock)
    wheels = provide_wheels(job, lock, target, report, fetch, listed)  # files that are not split keep their name
    forbid_network()

    def report_bytes(done_bytes: int, total_bytes: int) -> None:
        report(Phase("kit", "", done_bytes, total_bytes))

    together = (archive, pin) if archive and pin else None
    kit.write_kit(target, lock, wheels, together, job.kit.part_bytes, report_bytes)
    return target


def choose_kit_lock(
    job: KitJob, variant: str, pin: PinnedPython | None, source: Path | None, listed: TrainingKit | None = None
) -> PackageLock:
    """Return the lock of the kit: of several that fit, the first whose files are all in `source`.

    `pin`: the Python to include; None for none. `source`: the folder with files; None for the indexes. `listed`: the
    table of the kit in `source`. Raises AppError: training_no_lock, python_archive_other.
    """
    python = locks.python_from(job.python) or (pin.python if pin else None)
    system = job.system or locks.this_system()
    if pin is not None and (pin.system, pin.python) != (system, python):
        requested = f"{locks.dotted(python or ())}, {system}"
        have = f"{locks.dotted(pin.python)}, {pin.system}"
        raise AppError("python_archive_other", path=job.archive, have=have, wanted=requested)
    suiting = locks.proposed_variant(variant, job.system)
    found = locks.fitting(suiting, job.system, [python] if python else None)
    if source is not None:
        others = () if variant or python else locks.all_locks(job.system)
        whole = [lock for lock in (*found, *others) if not kit.missing_wheels(source, lock, listed)]
        found = (*whole, *found)
    return found[0]


def _prepare_target(target: Path, lock: PackageLock) -> None:
    try:
        target.mkdir(parents=True, exist_ok=True)
        there = sum(path.stat().st_size for file in lock.files if (path := target / file.name).is_file())
        require_space(target, lock.size_bytes - there)
    except OSError as error:
        raise AppError("kit_unwritable", path=str(target), reason=error.strerror or str(error)) from error


def main(fetch: FetchPackages) -> NoReturn:
    """Run the job on the first line of standard input. The process ends at once when standard input is closed."""
    if os.name == "posix" and os.getpgid(0) != os.getpid():
        os.setsid()  # starts an own process group, which can be killed as a whole
    job = json_lines.decode(sys.stdin.buffer.readline(), {"InstallJob": InstallJob})
    end_with_parent(_kill_children)
    try:
        made = write_kit_for(job, _send, fetch) if job.kit else make_environment(job, _send, fetch)
    except AppError as error:
        _send(Failed(error.code, error.facts))
    else:
        _send(Done(str(made)))
    os._exit(0)  # a normal exit would wait for the thread, which blocks in a read


def _send(event: Event) -> None:
    with contextlib.suppress(BrokenPipeError):  # the parent is gone: the thread will end this process
        sys.stdout.buffer.write(json_lines.encode_line(event))
        sys.stdout.buffer.flush()


def _kill_children() -> None:
    if os.name == "posix":
        os.killpg(0, signal.SIGKILL)
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            child.kill()
