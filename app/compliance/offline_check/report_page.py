"""Write the result as an HTML page for an IT department, and the list of components in a second file."""

import base64
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.base import html_report, settings
from app.base.files.output_file import drive_error, write_atomically
from app.base.wording import ErrorMessage, format_size, format_time, phrase
from app.compliance import components
from app.compliance.offline_check.records import CheckResult, HashedFile, MeasuredTraffic, ScenarioResult

RESIDUAL = (
    *("ime", "clipboard", "screen", "folders", "disk", "programs", "children", "opened", "exports", "download"),
    "remote",
)
_COLOURS = {"clean": "adopt", "limited": "check", "incomplete": "check", "leak": "reject"}
_SHOWN = 5  # the most sockets and refusals listed
_FRONT_PAGE_FILES = 6  # the most files on the first printed page
_BAD = ("changed", "missing")
_LICENCES = re.compile(r"\s+(?:AND|OR)\s+|[()]+")


def sbom_path(path: Path) -> Path:
    """Return the path of the CycloneDX file for a page."""
    return path.with_suffix(".cdx.json")


def write_page(result: CheckResult, path: Path) -> Path:
    """Write the page and, beside it, the CycloneDX file, whose path is returned. Raises AppError."""
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


def render_page(result: CheckResult, parts: Sequence[components.Component], listed: str, listed_name: str) -> str:
    """Return the page as HTML. `listed`: the content of the CycloneDX file; `listed_name`: its name."""
    packed = base64.b64encode(listed.encode("utf-8")).decode("ascii")
    return html_report.render(
        "offline.html", phrase("compliance.page.title"),
        name=phrase("compliance.page.name", version=result.version), id=result.system,
        made_at=format_time(result.made_at),
        colour=_COLOURS[result.verdict], verdict=verdict_title(result), about=verdict_text(result),
        head=list(_head(result)), methods=list(_methods(result)),
        flows=[_scenario_row(flow) for flow in result.measured.flows],
        facts=[(fact.level, phrase(f"compliance.page_fact.{fact.key}", detail=fact.detail)) for fact in result.facts],
        residual=[
            (phrase(f"compliance.page_residual.{key}"), phrase(f"compliance.page_residual_do.{key}"))
            for key in RESIDUAL
        ],
        block=_blocking_instructions(), files=[_file_row(file) for file in result.files],
        first_files=[_file_row(file) for file in _front_page_files(result)],
        components=parts, components_title=phrase("compliance.page.section_components", count=len(parts)),
        licences=_licences(parts),
        sbom_name=listed_name, sbom_link=f"data:application/vnd.cyclonedx+json;base64,{packed}",
        sbom_beside=phrase("compliance.page.sbom_beside", name=listed_name),
    )  # fmt: skip


def verdict_title(result: CheckResult) -> str:
    return phrase(f"compliance.page_verdict.{result.verdict}")


def verdict_text(result: CheckResult) -> str:
    """Return one or two sentences that explain the verdict."""
    measured = result.measured
    is_filtered = result.verdict == "clean" and measured.kernel is None
    counted = measured.kernel
    packets, tries = (counted.packets, counted.tries) if counted else (0, 0)
    text = phrase(
        f"compliance.page_about.{'filtered' if is_filtered else result.verdict}", packets=packets, tries=tries
    )
    if any(flow.state == "not_tried" for flow in measured.flows):
        text = str(ErrorMessage(text, phrase("compliance.page_about.no_model")))
    return text


def _head(result: CheckResult) -> Iterator[tuple[str, str]]:
    yield phrase("compliance.page.version"), f"Kotae {result.version}"
    yield phrase("compliance.page.system"), result.system
    yield phrase("compliance.page.model"), result.model or phrase("compliance.page.no_model")
    yield phrase("compliance.page.mode"), phrase(f"compliance.page_mode.{result.mode}", policy=result.policy)
    warnings = sum(fact.level == "warning" for fact in result.facts)
    yield (
        phrase("compliance.page.section_surroundings"),
        phrase("compliance.page.warnings" if warnings else "compliance.page.warnings_none", count=warnings),
    )


def _methods(result: CheckResult) -> Iterator[tuple[str, str, bool]]:
    """Yield the name of each method of the check, its outcome, and whether the outcome is bad."""
    measured = result.measured
    yield phrase("compliance.page.method_kernel"), *_kernel(measured)
    if measured.leak is not None:
        is_seen = measured.leak.tries > 0
        outcome = phrase(
            "compliance.page.leak_counted" if is_seen else "compliance.page.leak_missed", tries=measured.leak.tries
        )
        yield phrase("compliance.page.method_leak"), outcome, not is_seen
    sockets, refusals = measured.sockets, measured.refusals
    outcome = phrase("compliance.page.sockets_none", samples=measured.samples)
    if sockets:
        outcome = phrase("compliance.page.sockets_some", count=len(sockets), found=_shorten_list(sockets))
    yield phrase("compliance.page.method_sockets"), outcome, bool(sockets) or not measured.samples
    outcome = phrase("compliance.page.guard_none")
    if refusals:
        outcome = phrase("compliance.page.guard_some", count=len(refusals), found=_shorten_list(refusals))
    yield phrase("compliance.page.method_guard"), outcome, bool(refusals)
    refused, tried = measured.guard
    outcome = phrase("compliance.page.probe_refused", refused=refused, tried=tried)
    yield phrase("compliance.page.method_probe"), outcome, not refused == tried > 0
    outcome = phrase(f"compliance.page_filter.{result.filter_state}")
    yield phrase("compliance.page.method_filter"), outcome, result.filter_state == "leaky"
    outcome = phrase(f"compliance.page_confinement.{result.confinement}")
    yield phrase("compliance.page.method_confinement"), outcome, result.confinement == "leaky"


def _kernel(measured: MeasuredTraffic) -> tuple[str, bool]:
    counted = measured.kernel
    if counted is None:
        return phrase(f"compliance.page_kernel.{measured.isolation}"), False
    outcome = phrase("compliance.page_kernel.counted", packets=counted.packets, tries=counted.tries)
    if counted.counters:
        moved = ", ".join(f"{name} {count}" for name, count in counted.counters.items())
        outcome += "\n" + phrase("compliance.page_kernel.moved", counters=moved)
    return outcome, counted.packets > 0 or counted.tries > 0


def _scenario_row(result: ScenarioResult) -> tuple[str, str, str, bool]:
    """Return name, outcome, seconds, and whether that is bad."""
    outcome = phrase(f"compliance.page_flow.{result.state}", reason=result.reason)
    seconds = f"{result.seconds:.1f}" if result.seconds else ""
    return phrase(f"compliance.page_flow.{result.name}"), outcome, seconds, result.state == "failed"


def _front_page_files(result: CheckResult) -> list[HashedFile]:
    """Return the files of the first printed page: the program's, changed and missing ones, the used model's."""
    program = [file for file in result.files if file.role != "model"]
    bad = [file for file in result.files if file.state in _BAD]
    model = [file for file in result.files if file.name == result.model]
    return list(dict.fromkeys([*program, *bad, *model]))[:_FRONT_PAGE_FILES]


def _licences(parts: Sequence[components.Component]) -> str:
    """Return the licences and their numbers of components as one text, the most frequent first."""
    named = [name for part in parts for name in set(_LICENCES.split(part.licence)) if name]
    counted = sorted(Counter(named).items(), key=lambda one: (-one[1], one[0].casefold()))
    return ", ".join(f"{name} ({count})" for name, count in counted)


def _file_row(file: HashedFile) -> tuple[str, str, str, str, str, str, bool]:
    """Return role, name, path, size, hash, state, and whether that is bad."""
    role, state = phrase(f"compliance.page_role.{file.role}"), phrase(f"compliance.page_state.{file.state}")
    size = format_size(file.size_bytes) if file.size_bytes else ""
    return role, file.name, file.path, size, file.sha256, state, file.state in _BAD


def _blocking_instructions() -> dict[str, Any]:
    """Return texts about blocking Kotae's network access on this system, and a command for it (`code`, "": none)."""
    system = {"win32": "windows", "darwin": "macos"}.get(sys.platform, "linux")
    rule = (
        'New-NetFirewallRule -DisplayName "Kotae" -Direction Outbound -Action Block '
        f'-Program "{sys.executable}"'
    )  # fmt: skip
    code = {"windows": rule, "macos": sys.executable, "linux": ""}[system]
    policy = phrase("compliance.page_block.policy", path=settings.system_policy_file())
    return {"policy": policy, "words": phrase(f"compliance.page_block.{system}"), "code": code}


def _shorten_list(items: Sequence[str]) -> str:
    return ", ".join([*items[:_SHOWN], *(["…"] if len(items) > _SHOWN else [])])
