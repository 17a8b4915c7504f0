"""The check as a whole, for the command line and for the window's child."""

import json
import platform
import secrets
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from app import __version__
from app.base import children, html_page, settings
from app.base.errors import AppError
from app.base.isolation import network_policy
from app.base.paths import Paths
from app.compliance.offline_check import files, surroundings
from app.compliance.offline_check.coordinator import Job
from app.compliance.offline_check.records import HashedFile, Measured, Result
from app.inference.local_model import LocalModel
from app.models import remote_models
from app.models.local_models import is_for_search
from app.models.model_store import ModelStore

WORDS = "offline.toml"
Report = Callable[[str, float], None]  # one of `records.STAGES`, and how much of it is done, 0 to 1


class Checking:
    """One check. `stop`, from any thread, ends it: `run` raises AppError("cancelled") then."""

    def __init__(self, where: Paths, report: Report) -> None:
        self._where = where
        self._report = report
        self._is_stopped = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None

    def run(self) -> Result:
        """Raises AppError: "cancelled", "offline_check_broke", and what the database gives."""
        models = self._models()
        chosen = self._chosen(models)
        self._say("filter")
        kernel = self._ask("filter")
        filter_state, confinement = str(kernel.get("state", "refused")), str(kernel.get("confinement", "unsupported"))
        measured = self._measure(chosen)
        self._say("surroundings")
        elsewhere = [one for one in models if one.remote is not None]
        facts = surroundings.look({"data": self._where.data, "models": self._where.models}, elsewhere)
        mode, policy = self._mode()
        return Result(
            __version__, time.time(), f"{platform.platform()} ({platform.machine()})", chosen.name if chosen else "",
            filter_state, mode, policy, measured, facts, self._hashes([one for one in models if one.remote is None]),
            confinement,
        )  # fmt: skip

    def stop(self) -> None:
        self._is_stopped.set()
        process = self._process
        if process is not None and process.stdin is not None:
            process.stdin.close()  # it ends all that it has started

    def _say(self, stage: str, done: float = 0.0) -> None:
        if self._is_stopped.is_set():
            raise AppError("cancelled")
        self._report(stage, done)

    def _models(self) -> list[LocalModel]:
        store = ModelStore.open(self._where.database, self._where.backups)
        try:
            return [*store.local_models(), *remote_models.listed(store)]
        finally:
            store.close()

    def _chosen(self, models: list[LocalModel]) -> LocalModel | None:
        """The one that the window asks, else the smallest: the check shall not take an hour."""
        here = [one for one in models if one.remote is None and Path(one.path).is_file()]
        answering = [one for one in here if not is_for_search(one)]
        wanted = settings.load(self._where.settings).model_id
        named = next((one for one in answering if one.id == wanted), None)
        return named or min(answering, key=lambda one: one.size_bytes, default=None)

    def _mode(self) -> tuple[str, str]:
        policy = network_policy.forbidding(self._where.data)
        if policy is not None:
            return "policy", str(policy)
        return ("nobody" if settings.load(self._where.settings).network_allowed else "settings"), ""

    def _ask(self, what: str) -> dict[str, Any]:
        command = [*children.program(), "--offline-check", what]
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=300, check=False)
            told = json.loads(done.stdout)
        except (ValueError, subprocess.TimeoutExpired):
            return {}
        return told if isinstance(told, dict) else {}

    def _measure(self, model: LocalModel | None) -> Measured:
        folder = Path(tempfile.gettempdir()) / f"kotae-offline-check-{secrets.token_hex(8)}"
        try:  # from before it exists: mkdtemp may be interrupted behind its mkdir
            folder.mkdir(0o700)
            return self._coordinate(folder, model)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _coordinate(self, folder: Path, model: LocalModel | None) -> Measured:
        word = html_page.words(WORDS)
        job = Job(str(folder), model.path if model else "", word["sample_text"], word["sample_question"])
        command = [*children.program(), "--offline-check", "coordinate"]
        log = folder / "coordinator.txt"
        with (
            log.open("wb") as errors,
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors) as process,
        ):
            self._process = process
            assert process.stdin is not None
            assert process.stdout is not None
            try:
                process.stdin.write(json.dumps(asdict(job)).encode("ascii") + b"\n")
                process.stdin.flush()
                for line in process.stdout:
                    event = json.loads(line)
                    if "measured" in event:
                        return Measured.from_json(event["measured"])
                    self._say(event["stage"])
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

    def _hashes(self, models: list[LocalModel]) -> tuple[HashedFile, ...]:
        self._say("hashes")
        of_models = files.of_models(models, lambda done, total: self._say("hashes", done / max(total, 1)))
        return (*files.of_program(), *files.of_packs(), *of_models)
