"""Run the roles of `--offline-check`: the coordinator, the processes that try to leave, and the window's check.

The window's check (`run`) reads its job from one line {data, report, language}, prints {"stage", "done"} and ends with
{"result"} or {"error"}. It stops when its input is closed.
"""

import json
import os
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from app.base.errors import AppError


def main(arguments: Sequence[str]) -> NoReturn:
    from app.compliance.offline_check import coordinator

    roles: dict[str, Callable[[], NoReturn]] = {
        "run": _run,
        "coordinate": coordinator.main,
        "guard": coordinator.probe_guard,
        "filter": coordinator.probe_filter,
        "leak": coordinator.try_to_leak,
    }
    role = roles.get(arguments[0] if arguments else "")
    if role is None:
        sys.exit(2)
    role()


def _run() -> NoReturn:
    from app.base import paths, wording
    from app.compliance.offline_check import report_page
    from app.compliance.offline_check.check_run import OfflineCheckRun
    from app.models import catalogue

    job = json.loads(sys.stdin.readline())
    wording.use_language(job["language"])
    try:
        where = paths.locate(job["data"])
        catalogue.use_own_cards(where.cards)
        check = OfflineCheckRun(where, lambda stage, done: _send(stage=stage, done=done))
        threading.Thread(target=_stop_with_input, args=(check.stop,), daemon=True).start()
        result = check.run()
        report = Path(job["report"])
        report_page.write_page(result, report)
        outcome = {
            "verdict": result.verdict,
            "title": report_page.verdict_title(result),
            "about": report_page.verdict_text(result),
        }
        _send(result=outcome, report=str(report))
    except AppError as error:
        _send(error={"code": error.code, "facts": {key: str(value) for key, value in error.facts.items()}})
    os._exit(0)


def _send(**event: Any) -> None:
    os.write(1, json.dumps(event, ensure_ascii=False).encode("utf-8") + b"\n")


def _stop_with_input(stop: Callable[[], None]) -> None:
    sys.stdin.read()
    stop()
