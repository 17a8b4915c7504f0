"""Show the section 学習環境: the environment's state, place and size; make, roll back, delete it, write a kit."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QWidget

from app.base.paths import Paths
from app.base.services.preferences import Preferences
from app.base.wording import phrase
from app.models import package_locks as locks
from app.models.package_locks import PackageLock
from app.shell.ui.settings.sections import SettingsSection
from app.training.environment import base_pythons
from app.training.environment.messages import KitJob
from app.training.services.environment_setup import EnvironmentSetup
from app.training.ui.install_environment_flow import InstallEnvironmentFlow, environment_state
from app.uikit import desktop
from app.uikit.desktop import Pickers
from app.uikit.dialogs import Dialog, cancel_or
from app.uikit.localization import format_gigabytes, join_facts, make_breakable, with_note
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import FlowBox, make_box, make_column
from app.uikit.widgets.form_rows import Chooser, PathRow
from app.uikit.widgets.labels import Label

if TYPE_CHECKING:
    from app.models.training_environment import EnvironmentProbe
    from app.training.environment.folders import EnvironmentReport


_SYSTEMS = ("linux-x86_64", "win32-x86_64", "darwin-arm64")


class TrainingKitDialog(Dialog):
    """Asks for a training kit's `job` and `variant`, and emits `chosen` with "cancel" or "write"."""

    def __init__(self, theme: Theme, parent: QWidget, pickers: Pickers, *, may_use_network: bool) -> None:
        self._pickers = pickers
        self._may_use_network = may_use_network
        self._folder = self._archive = ""
        here = locks.this_system()
        systems = sorted(_SYSTEMS, key=lambda system: system != here)
        self._locks = [lock for system in systems for lock in locks.all_locks(system)]
        self._lock: PackageLock | None = next(iter(self._locks), None)
        self.kind = Chooser([(lock_words(lock), lock) for lock in self._locks], self._pick)
        self.kind.setAccessibleName(phrase("shell.pc_that_will_use_it"))
        self.folder_row = PathRow(theme, phrase("shell.folder_of_the_kit"), "", can_clear=False)
        self.python = PathRow(theme, phrase("shell.python_to_go_with_it"), "")
        self.note = Label(wraps=True)
        super().__init__(
            theme,
            phrase("shell.make_a_training_environment_kit"),
            phrase("shell.collects_what_a_pc_without"),
            cancel_or("write", phrase("shell.write_it")),
            parent,
            content=self._content(),
        )
        self.folder_row.choose_requested.connect(self._choose_place)
        self.python.choose_requested.connect(self._choose_python)
        self.python.cleared.connect(lambda: self._set_archive(""))
        self._show_choices()

    @property
    def variant(self) -> str:
        return self._lock.variant if self._lock else ""

    @property
    def job(self) -> KitJob:
        assert self._lock is not None
        return KitJob(self._folder, self._lock.system, locks.dotted(self._lock.python), self._archive)

    def fit_height(self, *inner: QWidget | None) -> None:
        super().fit_height(*inner, self.folder_row, self.python, self.folder_row.parentWidget())

    # ------------------------------------------------------------------- private

    def _content(self) -> QWidget:
        kind = make_column(Label(self.kind.accessibleName(), strong=True), self.kind, spacing_px=2)
        for path_row in (self.folder_row, self.python):
            path_row.setContentsMargins(-12, 0, -12, 0)
        return make_box(kind, self.folder_row, self.python, self.note, spacing_px=8)

    def _pick(self, lock: PackageLock) -> None:
        self._lock = lock
        self._show_choices()

    def _choose_place(self) -> None:
        path = self._pickers.folder(self, phrase("shell.choose_the_folder_of_the"), self._folder)
        if path:
            self._folder = path
            self._show_choices()

    def _choose_python(self) -> None:
        kinds = phrase("shell.python_archives_tar_gz_tgz")
        path = self._pickers.open(self, phrase("shell.choose_the_python_to_go"), self._archive, kinds)
        if path:
            self._set_archive(path)

    def _set_archive(self, path: str) -> None:
        self._archive = path
        self._show_choices()

    def _show_choices(self) -> None:
        self.folder_row.show_path(self._folder)
        self.python.show_path(Path(self._archive).name if self._archive else "")
        self.python.show_note(self._python_words(), "muted")
        size = f"{self._lock.size_bytes / 1e9:,.1f}\u00a0GB" if self._lock else ""
        if not self._may_use_network:
            words = phrase("shell.block_all_outside_traffic_is")
        elif not self._folder:
            words = phrase("shell.it_will_take_about_size", size=size)
        else:
            fetched = phrase("common.network_about_size_from_pips")
            words = fetched.format(size=size)
        self.note.setText(words)
        self.note.set_tone("text" if self._may_use_network else "warning")
        self.buttons["write"].setEnabled(bool(self._folder) and self._lock is not None and self._may_use_network)
        self.fit_height()

    def _python_words(self) -> str:
        """Return which Python archive to choose, as others are refused; "" if none is known for machine and kit."""
        pin = base_pythons.newest_pinned(self._lock.system, self._lock.python) if self._lock else None
        return phrase("shell.for_a_pc_without_python", name=pin.name.replace("-", "-\u200b")) if pin else ""


def lock_words(lock: PackageLock) -> str:
    systems = {"linux-x86_64": "Linux", "win32-x86_64": "Windows", "darwin-arm64": "Mac"}
    kind = phrase("common.for_gpus_cuda") if lock.variant == "cuda" else phrase("common.for_cpus")
    return join_facts(systems[lock.system], kind, f"Python {locks.dotted(lock.python)}")


class TrainingPanel(QWidget):
    """The panel of the training environment, examined when shown and changed, which imports torch for seconds."""

    def __init__(
        self, theme: Theme, setup: EnvironmentSetup, is_in_use: Callable[[], bool], pickers: Pickers | None = None
    ) -> None:
        super().__init__()
        self._theme = theme
        self._setup = setup
        self.report: EnvironmentReport | None = None  # None until the environment is examined
        self.state = Label(wraps=True, strong=True)
        self.versions = Label(role="caption", tone="muted", wraps=True)
        self.folder_label = Label(role="caption", tone="muted", wraps=True)
        self.make_button = Button(theme, phrase("common.make_the_training_environment"))
        self.offline_button = Button(theme, phrase("common.make_it_offline"))
        self.open_button = Button(theme, phrase("common.open_folder"), icon="folder-open")
        self.remove_button = Button(theme, phrase("shell.delete"), "danger")
        self.back_button = Button(theme, phrase("shell.go_back_to_the_one"))
        self.kit_button = Button(theme, phrase("shell.make_a_kit_to_carry"))
        self._pickers = pickers or Pickers()
        self.making = InstallEnvironmentFlow(theme, setup, self._pickers, is_in_use)
        buttons = FlowBox(
            *(self.make_button, self.offline_button, self.back_button, self.open_button, self.remove_button),
            self.kit_button,
        )
        make_column(self.state, self.versions, self.folder_label, buttons, self.making, into=self, spacing_px=6)
        self._connect()

    def _connect(self) -> None:
        making = self.making
        self.make_button.clicked.connect(lambda: making.unless_in_use(making.ask))
        self.offline_button.clicked.connect(lambda: making.unless_in_use(making.ask_offline))
        self.remove_button.clicked.connect(lambda: making.unless_in_use(self.ask_to_remove))
        self.back_button.clicked.connect(lambda: making.unless_in_use(self.ask_to_restore_previous))
        self.open_button.clicked.connect(self._open_folder)
        self.kit_button.clicked.connect(self.ask_for_kit)
        making.changed.connect(self._show_report)
        setup = self._setup
        for signal in (setup.finished, setup.removed, setup.previous_restored, setup.cancelled, setup.failed):
            signal.connect(self._examine)
        self._show_report()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self.report is None:
            self._examine()

    def ask_to_remove(self) -> Dialog:
        assert self.report is not None
        own = self.report.size_bytes + self.report.previous_bytes if self.report.is_own else 0
        size = format_gigabytes(self.report.left_bytes + own)
        return Dialog(
            self._theme,
            phrase("shell.delete_the_training_environment"),
            phrase("shell.frees_size_models_and_conversations", size=size),
            cancel_or("remove", phrase("shell.delete_2"), is_grave=True),
            self.window(),
        ).ask(self._setup.remove)

    def ask_to_restore_previous(self) -> Dialog:
        return Dialog(
            self._theme,
            phrase("shell.go_back_to_the_environment"),
            phrase("shell.the_one_in_use_is"),
            cancel_or("back", phrase("shell.go_back")),
            self.window(),
        ).ask(self._setup.go_back)

    def ask_for_kit(self) -> TrainingKitDialog:
        dialog = TrainingKitDialog(
            self._theme, self.window(), self._pickers, may_use_network=self._setup.may_use_network
        )
        return dialog.ask(lambda: self._setup.write_kit(dialog.job, variant=dialog.variant))

    # ------------------------------------------------------------------- private

    def _examine(self, *_: object) -> None:
        if self.isVisible():
            self._setup.look(self._on_examined)
        else:
            self.report = None  # showEvent examines the environment later

    def _on_examined(self, report: "EnvironmentReport") -> None:
        self.report = report
        self._show_report()

    def _show_report(self) -> None:
        found = self.report
        words, tone = environment_state(found)
        self.state.setText(words)
        self.state.set_tone(tone)
        self.versions.setText(_versions(found.probe) if found and found.probe else "")
        self.versions.setVisible(bool(self.versions.text()))
        self.folder_label.setText(self._place_text(found) if found else "")
        self.folder_label.setVisible(bool(self.folder_label.text()))
        has_own, has_left = bool(found and found.is_own), bool(found and found.left_bytes)
        self.make_button.setText(
            phrase("shell.make_it_again") if has_own else phrase("common.make_the_training_environment")
        )
        self.open_button.setVisible(has_own)
        self.remove_button.setVisible(has_own or has_left)
        self.back_button.setVisible(bool(found and found.previous_bytes))
        self.kit_button.setEnabled(not self._setup.is_running)
        for button in (self.make_button, self.offline_button, self.back_button, self.remove_button):
            button.setEnabled(found is not None and not self._setup.is_running)

    def _place_text(self, report: "EnvironmentReport") -> str:
        lines = []
        if report.python is not None:
            folder = report.python.parent.parent if report.size_bytes else report.python
            size = format_gigabytes(report.size_bytes) if report.size_bytes else ""
            other = "" if report.is_own else phrase("shell.not_made_by_kotae")
            lines.append(join_facts(make_breakable(str(folder)), size, other))
        if report.previous_bytes:
            lines.append(phrase("shell.the_environment_from_before_is", size=format_gigabytes(report.previous_bytes)))
        if report.left_bytes:
            lines.append(phrase("shell.size_of_parts_are_already", size=format_gigabytes(report.left_bytes)))
        return "\n".join(lines)

    def _open_folder(self) -> None:
        if self.report is not None and self.report.python is not None:
            desktop.open_folder(self.report.python.parent.parent)


class TrainingSection(SettingsSection):
    def __init__(
        self, theme: Theme, preferences: Preferences, paths: Paths, title: str, make_panel: Callable[[], TrainingPanel]
    ) -> None:
        self._make_panel = make_panel
        super().__init__(theme, preferences, paths, title)

    def _fill(self) -> None:
        self.panel = self._make_panel()
        self._add(
            phrase("common.training_environment"),
            self.panel,
            phrase("shell.models_are_converted_and_trained"),
            is_wide=True,
        )


def _versions(probe: "EnvironmentProbe") -> str:
    libraries = [f"{name} {version}" for name, version in probe.versions.items()]
    devices = [with_note(device.name, f"{device.memory_bytes / 1e9:.0f} GB") for device in probe.devices]
    cuda = f"CUDA {probe.cuda}" if probe.cuda else "CPU"
    return join_facts(f"Python {probe.python}", *libraries, f"llama.cpp {probe.converter}", cuda, *devices)
