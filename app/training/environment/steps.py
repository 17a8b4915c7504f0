"""The steps: what is installed, its files, venv, libraries, converter, check. Each child process has its log."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from app.base.errors import AppError
from app.base.isolation import network_guard
from app.models import package_indexes as indexes
from app.models import package_locks as locks
from app.models import training_environment
from app.models.package_indexes import PackageIndexes
from app.models.package_locks import LockedFile, PackageLock
from app.models.training_environment import CONVERTER, TrainingEnvironment
from app.training.environment import base_python, converter, folders, gathering, need, own_python, place, planning, uv
from app.training.environment.base_python import BasePython
from app.training.environment.folders import Folders
from app.training.environment.messages import Event, Host, Job, Phase
from app.training.environment.planning import Plan

Report = Callable[[Event], None]


class Listener:
    """Tells of what is fetched."""

    def __init__(self, report: Report, total_bytes: int) -> None:
        self._report = report
        self._total = total_bytes

    def contacted(self, host: str) -> None:
        self._report(Host(host))

    def progressed(self, package: str, done_bytes: int) -> None:
        self._report(Phase("fetch", package, done_bytes, self._total))


class Fetch(Protocol):
    """`app.models.downloads.package_download.fetch_packages`; handed in, because nothing else here knows a network."""

    def __call__(
        self, files: Sequence[LockedFile], folder: Path, indexes: PackageIndexes, proxy: str, listener: Listener
    ) -> None: ...


def make(job: Job, report: Report, fetch: Fetch) -> Path:
    """All of it; gives the folder that it is below. Raises AppError; what was there before is as it was then."""
    data = Path(job.data)
    chosen = Path(job.base) if job.base else folders.proposed(data)
    source = Path(job.wheels) if job.wheels else None
    if source is not None:
        forbid_network()
    place.require_usable(chosen)
    place.require_free(chosen, data)
    where = Folders(place.known_as(chosen, data))
    with folders.held(where):
        report(Phase("prepare"))
        folders.note_attempt(data, where.base)
        folders.finish_renaming(where)
        own_python.discard_unused(where, data)  # what an earlier attempt has left was with the drive since
        tools = converter.find()
        plan = planning.plan(job.variant, source, where, data)
        needed = need.of_plan(plan, source, where.base)
        folders.begin(where)
        need.require_room(where, needed)
        if source is not None:  # all of it is verified before anything of it is unpacked or started
            found = _gathered(plan, source, where, report)
            python = plan.python or _own_python(job, plan, source, where, report)
        else:
            python = plan.python or _own_python(job, plan, source, where, report)
            found = _fetched(job, plan.lock, where, report, fetch)
        forbid_network()
        gathering.remove_others(where.wheels, found)
        _install(python, plan.lock, where, Path(job.logs), report)
        _finish(plan.lock, tools, where, data, report)
    return where.base


def forbid_network() -> None:
    """From here on, for this process and all that it starts, uv and what it installs included."""
    network_guard.enforce_offline()
    network_guard.install_filter()


def _own_python(job: Job, plan: Plan, source: Path | None, where: Folders, report: Report) -> BasePython:
    """The one in the kit, or one over the network."""
    report(Phase("python"))
    if source is not None:
        assert plan.kit is not None
        archive, sha256 = gathering.python_archive(source, plan.kit, plan.lock, where)
        own_python.unpack(archive, sha256, where)
    else:
        for host in uv.python_hosts():
            report(Host(host))
        uv.fetch_python(locks.dotted(plan.lock.python), where, Path(job.logs), job.proxy)
    own = [[str(program)] for program in own_python.programs(where)]
    python = base_python.first(own, (plan.lock.python,))
    if python is None or not python.path.is_relative_to(where.pythons):
        reason = f"Python {locks.dotted(plan.lock.python)}"
        raise AppError("python_archive_unusable", path=str(where.pythons), reason=reason)
    return python


def _gathered(plan: Plan, source: Path, where: Folders, report: Report) -> set[str]:
    """Names of the lock's files, which are all in `where.wheels` now; with a kit's Python, if it is needed."""

    def tell(package: str, done_bytes: int, total_bytes: int) -> None:
        report(Phase("fetch", package, done_bytes, total_bytes))

    found = set(gathering.gather(source, plan.lock, plan.kit, where.wheels, tell))
    if plan.python is None:
        assert plan.kit is not None
        gathering.python_archive(source, plan.kit, plan.lock, where)
    return found


def _fetched(job: Job, lock: PackageLock, where: Folders, report: Report, fetch: Fetch) -> set[str]:
    """As `_gathered`, over the network."""
    try:
        return set(fetched(lock, where.wheels, job.proxy, report, fetch))
    except AppError as error:
        if error.code == "download_disk_full":
            raise AppError("training_disk_full", path=str(where.base)) from error
        raise


def fetched(lock: PackageLock, folder: Path, proxy: str, report: Report, fetch: Fetch) -> dict[str, Path]:
    """Into `folder`, as pip's settings say. Raises AppError."""
    settings = indexes.from_settings(os.environ)
    if settings.certificates:
        os.environ["SSL_CERT_FILE"] = settings.certificates
    fetch(lock.files, folder, settings, proxy, Listener(report, lock.size_bytes))
    return {file.name: folder / file.name for file in lock.files}


def _install(python: BasePython, lock: PackageLock, where: Folders, logs: Path, report: Report) -> None:
    report(Phase("venv"))
    uv.make_venv(python.path, where, logs)
    report(Phase("install"))
    uv.install(lock.path, where, logs)


def _finish(lock: PackageLock, tools: tuple[Path, str], where: Folders, data: Path, report: Report) -> None:
    report(Phase("check"))
    source, version = tools
    try:
        converter.copy(source, version, where.half)
        training_environment.check(_environment(where.half))
        folders.write_stamp(where.half, lock, training_environment.key(data))
    except OSError as error:
        raise folders.unwritable(error, where.half) from error
    folders.take_place(where)
    own_python.discard_unused(where, data)


def _environment(folder: Path) -> TrainingEnvironment:
    return TrainingEnvironment(training_environment.python_in(folder), folder / CONVERTER)
