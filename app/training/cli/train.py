"""Run `kotae train …`: the training environment and its kits. Other modules add plans, runs and gates.

`kotae train environment` shows, creates, deletes or restores the environment. `kotae train env-kit` writes a folder
from which a machine without a network can create it.
"""

import argparse
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QTimer

from app.base import programs, wording
from app.base.cli.commands import Output, add_command
from app.base.cli.loop import CommandEventLoop, core_application
from app.base.errors import AppError
from app.base.files.input_file import absolute_path
from app.base.files.work_folder import folder_size_bytes
from app.base.paths import Paths
from app.base.services import background
from app.base.services.preferences import Preferences
from app.base.wording import help_text
from app.inference.services.events import NetworkContact
from app.models import package_locks as locks
from app.models.kits.transfer_kit import part_bytes_from
from app.models.training_environment import base_folder
from app.training.cli import train_plan, train_runs
from app.training.environment import folders, install_plan, kit, shipped_tools
from app.training.environment.folders import (
    EnvironmentFolders,
    EnvironmentReport,
    report_environment,
)
from app.training.environment.install_plan import InstallNeed
from app.training.environment.messages import KitJob
from app.training.services.environment_setup import EnvironmentSetup


def add_environment_parsers(actions: Any, shared: argparse.ArgumentParser) -> None:
    parser = add_command(actions, shared, "environment", help_text("train environment"), _environment)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--create", action="store_true", help=help_text("train environment --create"))
    what.add_argument("--remove", action="store_true", help=help_text("train environment --remove"))
    what.add_argument("--back", action="store_true", help=help_text("train environment --back"))
    parser.add_argument("--wheels", metavar="DIR", help=help_text("train environment --wheels"))
    parser.add_argument("--variant", choices=locks.VARIANTS, help=help_text("train environment --variant"))
    parser.add_argument("--folder", metavar="DIR", help=help_text("train environment --folder"))
    _add_kit(actions, shared)


def _environment(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Show or change the training environment.

    Exit status: 0; 1 if there is no environment or it is unusable; 3 for an expected error; 130 if interrupted.
    """
    for option in ("wheels", "folder", "variant"):
        value = getattr(options, option)
        if value and not options.create:
            raise AppError("bad_option", option=f"--{option}", value=value, expected=f"--create --{option} {value}")
    if options.remove:
        return _remove(where, output)
    if options.back:
        folders.restore_previous(base_folder(where.data))
    extra: dict[str, Any] = {}
    if options.create:
        wheels, base = (absolute_path(Path(name)) if name else None for name in (options.wheels, options.folder))
        base = base or folders.proposed_base(where.data)
        extra["seconds"] = _create(wheels, base, options.variant or "", where, output)
    return _print(report_environment(where.data), extra, output)


def _remove(where: Paths, output: Output) -> int:
    bases = dict.fromkeys((base_folder(where.data), where.data))
    there = [EnvironmentFolders(base) for base in bases]
    freed = sum(folder_size_bytes(folder) for one in there for folder in (one.final, one.old_folder, one.pythons))
    freed += sum(
        folder_size_bytes(EnvironmentFolders(base).part_folder)
        for base in dict.fromkeys((*bases, *folders.list_attempts(where.data)))
    )
    folders.remove_environment_and_attempts(where.data)
    output.result({"freed_bytes": freed}, output.phrase("training.training_removed", freed_bytes=freed))
    return 0


def _create(wheels: Path | None, base: Path, variant: str, where: Paths, output: Output) -> float:
    """Create the environment and return the seconds that this took. Raises AppError, KeyboardInterrupt."""
    folders.require_usable_base(base)
    folders.require_free_base(base, where.data)
    _print_need(install_plan.estimate_need(base, where.data, wheels, variant), output)
    try:
        seconds = run_setup(where, output, lambda setup: setup.start(wheels, base, variant))
    except (AppError, KeyboardInterrupt):
        left = folder_size_bytes(EnvironmentFolders(base).part_folder)
        if left:
            output.note("training.training_kept", left_bytes=left)
        raise
    return seconds


def _print_need(need: InstallNeed, output: Output) -> None:
    output.note(
        "training.training_need" if need.download_bytes else "training.training_need_offline",
        **dataclasses.asdict(need),
    )
    if need.fetches_python:
        output.note("training.training_needs_python", python=need.python, hosts=", ".join(shipped_tools.python_hosts()))
    if need.lacks_cuda:
        output.note("training.training_lacks_cuda")


def run_setup(where: Paths, output: Output, begin: Callable[[EnvironmentSetup], None]) -> float:
    """Run the setup that `begin` starts and return the seconds that it took. Raises AppError, KeyboardInterrupt."""
    app = core_application()
    preferences = Preferences(where.settings)
    setup = EnvironmentSetup(
        preferences, programs.training_setup_command(), where.data, where.logs, lambda: preferences.value.proxy
    )
    making = _SetupOutput(setup, output)
    making.wait(begin)
    setup.deleteLater()
    background.shut_down()
    del app
    if making.error is not None or making.was_interrupted:
        output.end_progress()
        raise making.error or KeyboardInterrupt
    return round(setup.elapsed_s, 1)


class _SetupOutput(CommandEventLoop):
    """Shows the progress of a setup until it ends."""

    def __init__(self, setup: EnvironmentSetup, output: Output) -> None:
        super().__init__(self._interrupt)
        self._setup = setup
        self._output = output
        setup.progressed.connect(self._show_phase)
        self._pulse = QTimer(interval=1000)  # some steps report nothing until they end
        self._pulse.timeout.connect(self._show_phase)
        setup.contacted.connect(self._on_contacted)
        setup.finished.connect(self.stop)
        setup.kit_written.connect(self.finish)
        setup.failed.connect(self.fail)

    def wait(self, begin: Callable[[EnvironmentSetup], None]) -> None:
        begin(self._setup)
        self._pulse.start()
        try:
            if self._setup.is_running:
                self.run()
        finally:
            self._pulse.stop()
            self._setup.close()
        self._output.end_progress()

    def _interrupt(self) -> None:
        self._setup.close()
        self.stop()

    def _show_phase(self) -> None:
        phase = self._setup.phase
        facts = {"package": phase.package, "done_bytes": phase.done_bytes, "total_bytes": phase.total_bytes}
        self._output.progress(f"training.environment_phase.{phase.name}", elapsed_s=int(self._setup.elapsed_s), **facts)

    def _on_contacted(self, contact: NetworkContact) -> None:
        self._output.end_progress()
        self._output.note("training.training_contact", host=contact.host)


def _print(report: EnvironmentReport, extra: dict[str, Any], output: Output) -> int:
    probe = report.probe
    data: dict[str, Any] = {
        "python": str(report.python) if report.python else None,
        "folder": str(report.base),
        "size_bytes": report.size_bytes,
        "is_own": report.is_own,
        "is_current": report.is_current,
        "left_bytes": report.left_bytes,
        "previous_bytes": report.previous_bytes,
        "probe": dataclasses.asdict(probe) if probe else None,
    } | extra
    if report.problem is not None:
        sentence = wording.describe_error(report.problem)
        data["problem"] = {"code": report.problem.code, "message": sentence.message, "next": sentence.next}
        output.result(data, str(sentence))
        return 1
    assert probe is not None
    libraries = "  ".join(f"{name} {version}" for name, version in probe.versions.items())
    lines = [
        output.phrase("training.training_environment", python=report.python, version=probe.python),
        f"{libraries}  llama.cpp {probe.converter}",
        output.phrase(
            "training.training_cuda" if probe.cuda and probe.devices else "training.training_cpu",
            cuda=probe.cuda,
            devices=", ".join(f"{device.name} {device.memory_bytes / 1e9:.0f} GB" for device in probe.devices),
        ),
    ]
    if report.size_bytes:
        lines.append(output.phrase("training.training_size", size_bytes=report.size_bytes))
    if not report.is_current:
        lines.append(output.phrase("training.training_outdated"))
    if report.previous_bytes:
        lines.append(output.phrase("training.training_previous", previous_bytes=report.previous_bytes))
    if report.left_bytes:
        lines.append(output.phrase("training.training_kept", left_bytes=report.left_bytes))
    output.result(data, "\n".join(lines))
    return 0


# ------------------------------------------------------------------------ kit


def _add_kit(actions: Any, shared: argparse.ArgumentParser) -> None:
    parser = add_command(actions, shared, "env-kit", help_text("train env-kit"), _write_kit)
    parser.add_argument("--out", metavar="DIR", required=True, help=help_text("train env-kit --out"))
    parser.add_argument("--variant", choices=locks.VARIANTS, help=help_text("train env-kit --variant"))
    parser.add_argument("--python-version", metavar="X.Y", help=help_text("train env-kit --python-version"))
    parser.add_argument("--system", metavar="SYSTEM", help=help_text("train env-kit --system"))
    parser.add_argument("--python", metavar="ARCHIVE", help=help_text("train env-kit --python"))
    parser.add_argument("--wheels", metavar="DIR", help=help_text("train env-kit --wheels"))
    parser.add_argument("--part-size", metavar="SIZE", default="3.9GB", help=help_text("train env-kit --part-size"))


def _write_kit(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Write a kit. Exit status: 0; 3 for an expected error; 130 if interrupted, and the same command resumes."""
    version = options.python_version or ""
    if version and locks.python_from(version) is None:
        raise AppError("bad_option", option="--python-version", value=version, expected="3.12")
    out = absolute_path(Path(options.out))
    wheels, archive = (absolute_path(Path(name)) if name else None for name in (options.wheels, options.python))
    if wheels is not None and not wheels.is_dir():
        raise AppError("wheels_folder_missing", path=str(wheels))
    job = KitJob(str(out), options.system or "", version, str(archive or ""), part_bytes_from(options.part_size))
    try:
        seconds = run_setup(where, output, lambda setup: setup.write_kit(job, wheels, options.variant or ""))
    except (AppError, KeyboardInterrupt):
        if out.is_dir() and any(out.glob("*.whl*")):
            output.note("training.training_kit_kept", path=str(out))
        raise
    written = kit.read_kit(out)
    facts = {"lock": written.lock, "files": len(list(written.entries)), "size_bytes": written.size_bytes}
    python = written.python.name if written.python else None
    data = {"folder": str(out), "seconds": seconds, "python": python, **facts}
    output.result(data, output.phrase("training.training_kit_written", path=str(out), **facts))
    return 0


def add_parser(commands: Any, shared: argparse.ArgumentParser) -> None:

    train = add_command(commands, shared, "train", help_text("train"), None)
    actions = train.add_subparsers(dest="action", metavar="ACTION", required=True, title=help_text("commands"))
    train_plan.add_parsers(actions, shared)
    train_runs.add_parsers(actions, shared)
    train_runs.add_gate_parsers(actions, shared)
    train_plan.add_import_parser(actions, shared)
    add_environment_parsers(actions, shared)
