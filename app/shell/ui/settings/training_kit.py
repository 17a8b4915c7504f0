"""A training environment kit for a machine without a network: for which machine, with which Python, where to."""

from pathlib import Path

from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.base.wording import phrase
from app.models import package_locks as locks
from app.models.package_locks import Lock
from app.training.environment import python_pins
from app.training.environment.messages import KitJob
from app.uikit.desktop import Pickers
from app.uikit.dialogs import Dialog, DialogButton
from app.uikit.localization import join_facts
from app.uikit.theme import Theme
from app.uikit.widgets.form_rows import Chooser, PathRow
from app.uikit.widgets.labels import Label

_SYSTEMS = ("linux-x86_64", "win32-x86_64", "darwin-arm64")


class KitDialog(Dialog):
    """Chosen: cancel, or write; then `job` and `variant` say what."""

    def __init__(self, theme: Theme, parent: QWidget, pickers: Pickers, *, may_use_network: bool) -> None:
        self._pickers = pickers
        self._may_use_network = may_use_network
        self._folder = self._archive = ""
        here = locks.this_system()
        systems = sorted(_SYSTEMS, key=lambda system: system != here)
        self._locks = [lock for system in systems for lock in locks.all_locks(system)]
        self._lock: Lock | None = next(iter(self._locks), None)
        self.kind = Chooser([(lock_words(lock), lock) for lock in self._locks], self._pick)
        self.kind.setAccessibleName(phrase("shell.pc_that_will_use_it"))
        self.place = PathRow(theme, phrase("shell.folder_of_the_kit"), "", can_clear=False)
        self.python = PathRow(theme, phrase("shell.python_to_go_with_it"), "")
        self.note = Label(wraps=True)
        super().__init__(
            theme,
            phrase("shell.make_a_training_environment_kit"),
            phrase("shell.collects_what_a_pc_without"),
            (
                DialogButton("cancel", phrase("common.cancel")),
                DialogButton("write", phrase("shell.write_it"), "primary", is_default=True),
            ),
            parent,
            content=self._content(),
        )
        self.place.choose_requested.connect(self._choose_place)
        self.python.choose_requested.connect(self._choose_python)
        self.python.cleared.connect(lambda: self._set_archive(""))
        self._show()

    @property
    def variant(self) -> str:
        return self._lock.variant if self._lock else ""

    @property
    def job(self) -> KitJob:
        assert self._lock is not None
        return KitJob(self._folder, self._lock.system, locks.dotted(self._lock.python), self._archive)

    def fit_height(self, *inner: QWidget | None) -> None:
        super().fit_height(*inner, self.place, self.python, self.place.parentWidget())

    # ------------------------------------------------------------------- private

    def _content(self) -> QWidget:
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        kind = QVBoxLayout()
        kind.setSpacing(2)
        kind.addWidget(Label(self.kind.accessibleName(), strong=True))
        kind.addWidget(self.kind)
        column.addLayout(kind)
        for path_row in (self.place, self.python):
            path_row.setContentsMargins(-12, 0, -12, 0)
            column.addWidget(path_row)
        column.addWidget(self.note)
        return content

    def _pick(self, lock: Lock) -> None:
        self._lock = lock
        self._show()

    def _choose_place(self) -> None:
        path = self._pickers.folder(self, phrase("shell.choose_the_folder_of_the"), self._folder)
        if path:
            self._folder = path
            self._show()

    def _choose_python(self) -> None:
        kinds = phrase("shell.python_archives_tar_gz_tgz")
        path = self._pickers.open(self, phrase("shell.choose_the_python_to_go"), self._archive, kinds)
        if path:
            self._set_archive(path)

    def _set_archive(self, path: str) -> None:
        self._archive = path
        self._show()

    def _show(self) -> None:
        self.place.show_path(self._folder)
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
        """Which file: one that Kotae does not know by its hash is refused."""
        pin = python_pins.newest(self._lock.system, self._lock.python) if self._lock else None
        words = phrase("shell.for_a_pc_without_python")
        return words.format(name=pin.name.replace("-", "-\u200b")) if pin else ""


def lock_words(lock: Lock) -> str:
    systems = {
        "linux-x86_64": "Linux",
        "win32-x86_64": "Windows",
        "darwin-arm64": "Mac",
    }
    kind = phrase("common.for_gpus_cuda") if lock.variant == "cuda" else phrase("common.for_cpus")
    return join_facts(systems[lock.system], kind, f"Python {locks.dotted(lock.python)}")
