"""Write the result of the check as a page for an IT department, and the list of components beside it.

When printed, the first sheet has the essentials, and long lists are annexes that begin on new sheets.
"""

import base64
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import localtime, strftime
from typing import Any

from app.base import html_report, settings
from app.base.files.output_file import drive_error, write_atomically
from app.base.wording import ErrorMessage, format_size
from app.compliance import components
from app.compliance.components import Component
from app.compliance.offline_check.check_run import REPORT_WORDS
from app.compliance.offline_check.records import CheckedFlow, CheckResult, HashedFile, MeasuredTraffic

RESIDUAL = (
    "ime",
    "clipboard",
    "screen",
    "folders",
    "disk",
    "programs",
    "children",
    "opened",
    "exports",
    "download",
    "remote",
)
_COLOURS = {"clean": "adopt", "limited": "check", "incomplete": "check", "leak": "reject"}
_SHOWN = 5  # sockets and refusals that are listed
_FIRST_FILES = 6  # files on the first sheet
_BAD = ("changed", "missing")
_LICENCES = re.compile(r"\s+(?:AND|OR)\s+|[()]+")


@dataclass(frozen=True, slots=True)
class _Flow:
    name: str
    outcome: str
    seconds: str
    is_bad: bool


@dataclass(frozen=True, slots=True)
class _File:
    role: str
    name: str
    path: str
    size: str
    sha256: str
    state: str
    is_bad: bool


def sbom_path(path: Path) -> Path:
    """Return the path of the list of components that belongs to a page."""
    return path.with_suffix(".cdx.json")


def write_page(result: CheckResult, path: Path) -> Path:
    """Write the page, and beside it the list of components, whose path is returned. Create their folder.

    Raises AppError("offline_check_unwritable" | "drive_space").
    """
    parts = components.load()
    made_at = datetime.fromtimestamp(result.made_at, UTC)
    listed = json.dumps(components.make_cyclonedx(parts, result.version, made_at), ensure_ascii=False, indent=1)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, render_page(result, parts, listed, sbom_path(path).name).encode("utf-8", "replace"))
        write_atomically(sbom_path(path), listed.encode("utf-8"))
    except OSError as error:
        raise drive_error(error, path.parent, "offline_check_unwritable") from error
    return sbom_path(path)


def render_page(result: CheckResult, parts: Sequence[Component], listed: str, listed_name: str) -> str:
    """Return the page as HTML. `listed`: the list of components as CycloneDX; `listed_name`: of its file."""
    word = html_report.load_words(REPORT_WORDS)
    packed = base64.b64encode(listed.encode("utf-8")).decode("ascii")
    return html_report.render(
        "offline.html", word,
        name=word["name"].format(version=result.version), id=result.system,
        made_at=strftime("%Y-%m-%d %H:%M", localtime(result.made_at)),
        colour=_COLOURS[result.verdict], verdict=word[f"verdict_{result.verdict}"], about=verdict_text(result),
        head=list(_head(result, word)), methods=list(_methods(result, word)),
        flows=[_flow(one, word) for one in result.measured.flows],
        facts=[(one.level, word[f"fact_{one.key}"].format(detail=one.detail)) for one in result.facts],
        residual=[(word[f"residual_{key}"], word[f"residual_{key}_do"]) for key in RESIDUAL],
        block=_block(word), files=[_file(one, word) for one in result.files],
        first_files=[_file(one, word) for one in _first_files(result)],
        components=parts, components_title=word["section_components"].format(count=len(parts)),
        licences=_licences(parts),
        sbom_name=listed_name, sbom_link=f"data:application/vnd.cyclonedx+json;base64,{packed}",
        sbom_beside=word["sbom_beside"].format(name=listed_name),
    )  # fmt: skip


def verdict_title(result: CheckResult) -> str:
    return html_report.load_words(REPORT_WORDS)[f"verdict_{result.verdict}"]


def verdict_text(result: CheckResult) -> str:
    """Return the verdict in one or two sentences."""
    word, measured = html_report.load_words(REPORT_WORDS), result.measured
    is_filtered = result.verdict == "clean" and measured.kernel is None
    counted = measured.kernel
    packets, tries = (counted.packets, counted.tries) if counted else (0, 0)
    text = word["about_filtered" if is_filtered else f"about_{result.verdict}"].format(packets=packets, tries=tries)
    if any(flow.state == "not_tried" for flow in measured.flows):
        text = str(ErrorMessage(text, word["about_no_model"]))
    return text


def _head(result: CheckResult, word: dict[str, str]) -> Iterator[tuple[str, str]]:
    yield word["version"], f"Kotae {result.version}"
    yield word["system"], result.system
    yield word["model"], result.model or word["no_model"]
    yield word["mode"], word[f"mode_{result.mode}"].format(policy=result.policy)
    warnings = sum(fact.level == "warning" for fact in result.facts)
    yield word["section_surroundings"], word["warnings" if warnings else "warnings_none"].format(count=warnings)


def _methods(result: CheckResult, word: dict[str, str]) -> Iterator[tuple[str, str, bool]]:
    """Yield each method, its outcome, and whether the outcome is bad."""
    measured = result.measured
    yield word["method_kernel"], *_kernel(measured, word)
    if measured.leak is not None:
        is_seen = measured.leak.tries > 0
        outcome = word["leak_counted" if is_seen else "leak_missed"].format(tries=measured.leak.tries)
        yield word["method_leak"], outcome, not is_seen
    sockets, refusals = measured.sockets, measured.refusals
    some = word["sockets_some"].format(count=len(sockets), found=_some(sockets))
    yield (
        word["method_sockets"],
        some if sockets else word["sockets_none"].format(samples=measured.samples),
        bool(sockets) or not measured.samples,
    )
    some = word["guard_some"].format(count=len(refusals), found=_some(refusals))
    yield word["method_guard"], some if refusals else word["guard_none"], bool(refusals)
    refused, tried = measured.guard
    yield word["method_probe"], word["probe_refused"].format(refused=refused, tried=tried), not refused == tried > 0
    yield word["method_filter"], word[f"filter_{result.filter_state}"], result.filter_state == "leaky"
    is_leaky = result.confinement == "leaky"
    yield word["method_confinement"], word[f"confinement_{result.confinement}"], is_leaky


def _kernel(measured: MeasuredTraffic, word: dict[str, str]) -> tuple[str, bool]:
    counted = measured.kernel
    if counted is None:
        return word[f"kernel_{measured.isolation}"], False
    outcome = word["kernel_counted"].format(packets=counted.packets, tries=counted.tries)
    if counted.counters:
        moved = ", ".join(f"{name} {count}" for name, count in counted.counters.items())
        outcome += "\n" + word["kernel_moved"].format(counters=moved)
    return outcome, counted.packets > 0 or counted.tries > 0


def _flow(flow: CheckedFlow, word: dict[str, str]) -> _Flow:
    outcome = word[f"flow_{flow.state}"].format(reason=flow.reason)
    seconds = f"{flow.seconds:.1f}" if flow.seconds else ""
    return _Flow(word[f"flow_{flow.name}"], outcome, seconds, flow.state == "failed")


def _first_files(result: CheckResult) -> list[HashedFile]:
    """Return the files for the first sheet: the program's, bad ones, and the model that answered."""
    program = [file for file in result.files if file.role != "model"]
    bad = [file for file in result.files if file.state in _BAD]
    model = [file for file in result.files if file.name == result.model]
    return list(dict.fromkeys([*program, *bad, *model]))[:_FIRST_FILES]


def _licences(parts: Sequence[Component]) -> str:
    """Return the licences with their number of components, the most frequent first."""
    named = [name for part in parts for name in set(_LICENCES.split(part.licence)) if name]
    counted = sorted(Counter(named).items(), key=lambda one: (-one[1], one[0].casefold()))
    return ", ".join(f"{name} ({count})" for name, count in counted)


def _file(file: HashedFile, word: dict[str, str]) -> _File:
    is_bad = file.state in _BAD
    size = format_size(file.size_bytes) if file.size_bytes else ""
    return _File(
        word[f"role_{file.role}"], file.name, file.path, size, file.sha256, word[f"state_{file.state}"], is_bad
    )


def _block(word: dict[str, str]) -> dict[str, Any]:
    system = {"win32": "windows", "darwin": "macos"}.get(sys.platform, "linux")
    rule = (
        'New-NetFirewallRule -DisplayName "Kotae" -Direction Outbound -Action Block '
        f'-Program "{sys.executable}"'
    )  # fmt: skip
    code = {"windows": rule, "macos": sys.executable, "linux": ""}[system]
    policy = word["block_policy"].format(path=settings.system_policy_file())
    return {"policy": policy, "words": word[f"block_{system}"], "code": code}


def _some(items: Sequence[str]) -> str:
    return ", ".join([*items[:_SHOWN], *(["…"] if len(items) > _SHOWN else [])])
