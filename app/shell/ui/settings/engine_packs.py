"""The engine's GPU parts in the settings: which is in use, and a file to take one from."""

from collections.abc import Iterable
from pathlib import Path

from PySide6.QtCore import QEvent
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.base.errors import AppError
from app.base.paths import Paths
from app.base.services import background
from app.base.wording import describe_error, phrase
from app.inference import engine_packs
from app.inference.engine_packs import Pack
from app.uikit.desktop import Pickers
from app.uikit.dialogs import Dialog, DialogButton
from app.uikit.localization import join_facts
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import FlowBox
from app.uikit.widgets.labels import Label, announce


class EnginePacks(QWidget):
    def __init__(self, theme: Theme, paths: Paths, pickers: Pickers | None = None) -> None:
        super().__init__()
        self._theme = theme
        self._folder = paths.engine_packs
        self._pickers = pickers or Pickers()
        self._parked: QWidget | None = None  # has the keyboard in the meantime
        self._there: tuple[Pack, ...] = ()  # when something was said last
        self.state = Label(wraps=True)
        self.add_button = Button(theme, phrase("shell.add_from_a_file"))
        self.remove_button = Button(theme, phrase("shell.remove"), "danger")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addWidget(self.state)
        column.addWidget(FlowBox(self.add_button, self.remove_button))
        self.setFocusProxy(self.add_button)
        self.add_button.clicked.connect(self._choose)
        self.remove_button.clicked.connect(self.ask_to_remove)
        self._show_state()

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.WindowActivate:
            self._look_again()
        return super().event(event)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._look_again()

    def take(self, file: str) -> None:
        """Puts the part of that file in its place; what is wrong with it is said here."""
        source, folder = Path(file), self._folder
        self._begin(phrase("common.checking_2"))
        background.run(lambda: engine_packs.install(source, folder), self._on_taken, self._on_failed)

    def ask_to_remove(self) -> Dialog:
        dialog = Dialog(
            self._theme,
            phrase("shell.remove_the_parts_for_graphics"),
            phrase("shell.the_processor_will_compute_instead"),
            (
                DialogButton("cancel", phrase("common.cancel"), is_default=True),
                DialogButton("remove", phrase("common.remove"), "danger_fill"),
            ),
            self.window(),
        )
        dialog.chosen.connect(lambda key: self._remove() if key == "remove" else None)
        dialog.open()
        return dialog

    def _choose(self) -> None:
        file = self._pickers.open(
            self, phrase("shell.choose_a_part_for_graphics"), "", phrase("shell.part_for_graphics_cards") + " (*.zip)"
        )
        if file:
            self.take(file)

    def _remove(self) -> None:
        folder = self._folder
        self._begin(phrase("shell.removing"))
        background.run(lambda: engine_packs.remove(folder), self._on_removed, self._on_failed)

    def _on_taken(self, pack: Pack) -> None:
        self._tell(self._added_words(pack), "success")

    def _on_removed(self, _nothing: None) -> None:
        """A library that is loaded cannot be deleted on every system."""
        if engine_packs.installed(self._folder):
            words = phrase("shell.in_use_so_it_could")
            self._tell(words, "warning")
        else:
            self._tell(self._removed_words(), "success")

    def _on_failed(self, error: AppError) -> None:
        self._tell(f"× {describe_error(error)}", "danger")

    def _begin(self, words: str) -> None:
        """Qt takes the keyboard from what is disabled; it comes back, unless the user has gone on to something else."""
        had_keyboard = self.window().focusWidget() in (self.add_button, self.remove_button)
        self._say(words, "muted", is_busy=True)
        self._parked = self.window().focusWidget() if had_keyboard else None

    def _tell(self, words: str, tone: str) -> None:
        self._say(words, tone)
        announce(self, words)
        if self._parked is not None and self.window().focusWidget() is self._parked:
            self.add_button.setFocus()

    def _look_again(self) -> None:
        """The command line adds and removes parts too, perhaps while the user was away from the window."""
        there = engine_packs.installed(self._folder)
        if there == self._there or not self.add_button.isEnabled():
            return
        new = [pack for pack in there if pack not in self._there]
        if new:
            self._say(self._added_words(*new), "success")
        elif there:
            self._show_state()
        else:
            self._say(self._removed_words(), "success")

    def _show_state(self) -> None:
        there = engine_packs.installed(self._folder)
        words = (
            phrase("shell.there_names", names=_titles(there)) if there else phrase("shell.none_the_processor_computes")
        )
        self._say(words, "text")

    def _added_words(self, *packs: Pack) -> str:
        words = phrase("shell.added_name_it_is_used")
        return words.format(name=_titles(packs))

    def _removed_words(self) -> str:
        return phrase("shell.removed_from_the_next_start")

    def _say(self, words: str, tone: str, *, is_busy: bool = False) -> None:
        self.state.set_tone(tone)
        self.state.setText(words)
        self.add_button.setEnabled(not is_busy)
        self.remove_button.setEnabled(not is_busy)
        self._there = engine_packs.installed(self._folder)
        self.remove_button.setVisible(bool(self._there))


def _titles(packs: Iterable[Pack]) -> str:
    return join_facts(*({"vulkan": "Vulkan", "cuda": "CUDA"}.get(pack.name, pack.name) for pack in packs))
