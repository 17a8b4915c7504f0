"""Pictures of the settings of the network: a check that nothing is sent, and a network that is switched off."""

from collections.abc import Callable

from app.application import AppContext
from app.base.files.output_file import write_atomically
from app.base.wording import phrase
from app.compliance.offline_check.records import CheckOutcome
from app.compliance.ui.offline_panel import OfflineCheckPanel
from app.shell.ui.settings.network import NetworkSection

SENTENCES = {
    "ja": ("送信はありませんでした", "送られたパケットは 0 個、送信の試行は 0 回です。"),
    "en": ("Nothing was sent", "Packets sent: 0. Attempts to send: 0."),
}


def section(parts: AppContext) -> NetworkSection:
    parts.window.show_settings("network")
    found = parts.window.page("settings").section("network")
    assert isinstance(found, NetworkSection)
    return found


def panel(parts: AppContext) -> OfflineCheckPanel:
    found: OfflineCheckPanel = section(parts).check
    return found


def offline_checked(parts: AppContext) -> None:
    from app.base.wording import current_language

    shown = panel(parts)
    report = shown._check.report_path
    report.parent.mkdir()
    write_atomically(report, b"<!doctype html>")
    title, about = SENTENCES[current_language()]
    shown.show_outcome(CheckOutcome("clean", title, about, str(report)))


def offline_checking(parts: AppContext) -> None:
    shown = panel(parts)
    shown._show_buttons(is_idle=False)
    shown.progress.start(phrase("compliance.checking"))
    shown._on_stage_changed("hashes", 0.4)


def network_stopped(parts: AppContext) -> None:
    parts.preferences.change(network_allowed=False)
    section(parts)


def network_forbidden(parts: AppContext) -> None:
    """By a file in the data folder, as an administrator's does it."""
    data = parts.paths.data
    write_atomically(data / "policy.toml", b'network = "never"\n')
    parts.preferences.change(network_allowed=True)
    section(parts).show_settings(parts.preferences.value)


OFFLINE_SHOTS: dict[str, Callable[[AppContext], None]] = {
    shot.__name__: shot for shot in (offline_checked, offline_checking, network_stopped, network_forbidden)
}
