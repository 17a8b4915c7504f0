"""The roles of `--offline-check`: the coordinator, the processes that try to leave on purpose, and the window's check.

For the window (`run`): told by one line {data, report, language}; prints {"stage", "done"} and ends with {"result"} or
{"error"}. The end of its input ends it.
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
        checking = OfflineCheckRun(where, lambda stage, done: _say(stage=stage, done=done))
        threading.Thread(target=_stop_with_input, args=(checking.stop,), daemon=True).start()
        result = checking.run()
        report = Path(job["report"])
        report_page.write_page(result, report)
        told = {
            "verdict": result.verdict,
            "title": report_page.verdict_title(result),
            "about": report_page.verdict_text(result),
        }
        _say(result=told, report=str(report))
    except AppError as error:
        _say(error={"code": error.code, "facts": {key: str(value) for key, value in error.facts.items()}})
    os._exit(0)


def _say(**event: Any) -> None:
    os.write(1, json.dumps(event, ensure_ascii=False).encode("utf-8") + b"\n")


def _stop_with_input(stop: Callable[[], None]) -> None:
    sys.stdin.read()
    stop()
