"""The steps of writing a kit: the lock, its files out of the network or a folder, then the kit itself."""

from pathlib import Path

from app.base.errors import AppError
from app.base.files.output_file import require_space
from app.models import package_locks as locks
from app.models.package_locks import PackageLock
from app.training.environment import gathering, kit, python_pins
from app.training.environment.messages import Job, KitJob, Phase
from app.training.environment.python_pins import PinnedPython
from app.training.environment.steps import Fetch, Report, fetched, forbid_network


def write(job: Job, report: Report, fetch: Fetch) -> Path:
    """Gives the kit's folder. Raises AppError; no file has its final name before it is whole."""
    assert job.kit is not None
    target, source = Path(job.kit.folder), Path(job.wheels) if job.wheels else None
    if source is not None:
        forbid_network()
    report(Phase("prepare"))
    archive = Path(job.kit.archive) if job.kit.archive else None
    pin = _pin(job.kit, archive) if archive else None
    lock = chosen_lock(job.kit, job.variant, pin, source)
    kit.require_ours(target)
    _prepare(target, lock)
    wheels = _wheels(job, lock, source, target, report, fetch)
    forbid_network()

    def told(done_bytes: int, total_bytes: int) -> None:
        report(Phase("kit", "", done_bytes, total_bytes))

    together = (archive, pin) if archive and pin else None
    kit.write(target, lock, wheels, together, job.kit.part_bytes, told)
    return target


def _pin(wanted: KitJob, archive: Path) -> PinnedPython:
    """What the archive is, by its content. Raises AppError: file_unreadable, python_archive_unknown."""
    return python_pins.of_file(archive, wanted.system, locks.python_from(wanted.python) if wanted.python else None)


def chosen_lock(wanted: KitJob, variant: str, pin: PinnedPython | None, source: Path | None) -> PackageLock:
    """`pin`: the Python that goes with the kit. Of several locks one that `source` has all files of.

    Raises AppError: training_no_lock, python_archive_other.
    """
    python = locks.python_from(wanted.python) if wanted.python else pin.python if pin else None
    system = wanted.system or locks.this_system()
    if pin is not None and (pin.system, pin.python) != (system, python):
        wish = f"{locks.dotted(python or ())}, {system}"
        have = f"{locks.dotted(pin.python)}, {pin.system}"
        raise AppError("python_archive_other", path=wanted.archive, have=have, wanted=wish)
    suiting = locks.proposed_variant(variant, wanted.system)
    found = locks.fitting(suiting, wanted.system, [python] if python else None)
    if source is not None:
        others = () if variant or python else locks.all_locks(wanted.system)
        listed = gathering.kit_in(source)
        whole = [lock for lock in (*found, *others) if not gathering.missing(source, lock, listed)]
        found = (*whole, *found)
    return found[0]


def _prepare(target: Path, lock: PackageLock) -> None:
    try:
        target.mkdir(parents=True, exist_ok=True)
        there = sum(path.stat().st_size for file in lock.files if (path := target / file.name).is_file())
        require_space(target, lock.size_bytes - there)
    except OSError as error:
        raise AppError("kit_unwritable", path=str(target), reason=error.strerror or str(error)) from error


def _wheels(
    job: Job, lock: PackageLock, source: Path | None, target: Path, report: Report, fetch: Fetch
) -> dict[str, Path]:
    """What is fetched lies in the kit at once: under its own name, which it keeps if it needs no parts."""
    if source is None:
        return fetched(lock, target, job.proxy, report, fetch)

    def tell(package: str, done_bytes: int, total_bytes: int) -> None:
        report(Phase("fetch", package, done_bytes, total_bytes))

    return gathering.gather(source, lock, gathering.kit_in(source), target, tell)
