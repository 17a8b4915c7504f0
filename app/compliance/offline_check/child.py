"""Run a role of the child process `--offline-check`: the coordinator, a probe of network access, or a whole check.

The whole check (`run`), which the window starts, reads a `CheckRequest` on standard input, prints each `CheckStage` and
ends with a `CheckOutcome` or a `CheckFailure`. It stops when its input is closed.
"""

import os
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from app.base import json_lines
from app.base.errors import AppError
from app.compliance.offline_check.records import MESSAGES, CheckFailure, CheckOutcome, CheckRequest, CheckStage


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
    from app.compliance.offline_check import coordinator, report_page
    from app.compliance.offline_check.check_run import OfflineCheckRun
    from app.models import catalogue

    asked: CheckRequest = json_lines.decode(sys.stdin.buffer.readline(), MESSAGES)
    wording.use_language(asked.language)
    try:
        where = paths.locate(asked.data)
        catalogue.set_user_cards_folder(where.cards)
        check = OfflineCheckRun(where, lambda stage, done: coordinator.send_message(CheckStage(stage, done)))
        threading.Thread(target=_stop_with_input, args=(check.stop,), daemon=True).start()
        result = check.run()
        report_page.write_page(result, Path(asked.report))
        texts = report_page.verdict_title(result), report_page.verdict_text(result)
        coordinator.send_message(CheckOutcome(result.verdict, *texts, asked.report))
    except AppError as error:
        coordinator.send_message(CheckFailure(error.code, {key: str(value) for key, value in error.facts.items()}))
    os._exit(0)


def _stop_with_input(stop: Callable[[], None]) -> None:
    sys.stdin.read()
    stop()
