"""A training environment kit for a machine without a network: for which machine, with which Python, where to."""

from pathlib import Path

from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.models import package_locks as locks
from app.models.package_locks import Lock
from app.training.environment import python_pins
from app.training.environment.messages import KitJob
from app.uikit.dialogs import Choice, Dialog
from app.uikit.language import joined
from app.uikit.path_row import PathRow
from app.uikit.pickers import Pickers
from app.uikit.theme import Theme
from app.uikit.widgets.labels import Label
from app.uikit.widgets.setting_rows import Chooser

translate = QCoreApplication.translate
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
        self.kind.setAccessibleName(self.tr("使う PC"))
        self.place = PathRow(theme, self.tr("キットのフォルダ"), "", can_clear=False)
        self.python = PathRow(theme, self.tr("いっしょに入れる Python（なくてもよい）"), "")
        self.note = Label(wraps=True)
        super().__init__(
            theme,
            self.tr("学習環境キットを作りますか"),
            self.tr("ネットワークのない PC で学習環境を作るための部品を、USB メモリ（FAT32 でも可）などに集めます。"),
            (Choice("cancel", self.tr("キャンセル")), Choice("write", self.tr("書き出す"), "primary", is_default=True)),
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
        path = self._pickers.folder(self, self.tr("キットのフォルダを選ぶ"), self._folder)
        if path:
            self._folder = path
            self._show()

    def _choose_python(self) -> None:
        kinds = self.tr("Python のファイル (*.tar.gz *.tgz *.tar.xz *.tar.bz2)")
        path = self._pickers.open(self, self.tr("いっしょに入れる Python を選ぶ"), self._archive, kinds)
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
            words = self.tr("▲ 「外部通信をすべて止める」が入っているので、部品を取得できません。")
        elif not self._folder:
            words = self.tr("約 {size} になります。キットのフォルダを選んでください。").format(size=size)
        else:
            fetched = self.tr("通信：pip の配布元（ふつうは pypi.org）から、約 {size} を取得します。")
            words = fetched.format(size=size)
        self.note.setText(words)
        self.note.set_tone("text" if self._may_use_network else "warning")
        self.buttons["write"].setEnabled(bool(self._folder) and self._lock is not None and self._may_use_network)
        self.fit_height()

    def _python_words(self) -> str:
        """Which file: one that Kotae does not know by its hash is refused."""
        pin = python_pins.newest(self._lock.system, self._lock.python) if self._lock else None
        words = self.tr("使う PC に Python がないときに：{name}")
        return words.format(name=pin.name.replace("-", "-\u200b")) if pin else ""


def lock_words(lock: Lock) -> str:
    systems = {
        "linux-x86_64": "Linux",
        "win32-x86_64": "Windows",
        "darwin-arm64": "Mac",
    }
    kind = translate("Training", "GPU 用（CUDA）") if lock.variant == "cuda" else translate("Training", "CPU 用")
    return joined(systems[lock.system], kind, f"Python {locks.dotted(lock.python)}")
