"""Whether a file with a newer Kotae is whole, and how it is installed by hand. Nothing is opened or started."""

import sys

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QLineEdit, QVBoxLayout, QWidget

from app import __version__
from app.base.wording import phrase, shell_word
from app.inference import engine_packs
from app.shell.update_file import UpdateFile
from app.uikit.dialogs import Dialog, DialogButton
from app.uikit.localization import make_breakable
from app.uikit.theme import Theme
from app.uikit.widgets.labels import FactList, Label

WIDTH_PX = 620


class UpdateFacts(QWidget):
    """The sum of the file beside what it should be: what the user pastes. A list beside it only tells damage."""

    judged = Signal()

    def __init__(self, theme: Theme, found: UpdateFile) -> None:
        super().__init__()
        self._found = found
        facts = FactList(theme)
        sums = (
            (phrase("shell.sha_256"), _in_pieces(found.sha256)),
            (phrase("shell.in_the_list"), _in_pieces(found.expected)),
        )
        version = found.version or phrase("shell.the_name_does_not_tell")
        versions = ((phrase("common.version"), version), (phrase("shell.this_version_2"), __version__))
        facts.set_facts(sums if found.other else (*versions, *sums))
        self.verdict = Label(wraps=True, strong=True)
        self.told = QLineEdit()
        self.told.setAccessibleName(phrase("shell.the_sha_256_that_the"))
        self.told.setPlaceholderText(phrase("shell.paste_the_sha_256_that"))
        self.told.setVisible(_asks(found))
        self.how = Label(tone="text2", wraps=True)
        self.how.setText(_how_to_add(found.other) if found.other else how_to_install(found))
        self.how.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        for widget in (facts, self.told, self.verdict, self.how):
            column.addWidget(widget)
        self.told.textChanged.connect(self._judge)
        self._judge()

    def _judge(self) -> None:
        told = self.told.text()
        is_same, is_whole = self._found.is_as_told(told), self._found.is_as_listed
        if self._found.is_empty:
            is_same, tone = False, "danger"
            words = phrase("shell.the_file_is_empty_0")
        elif is_same is None and is_whole is False:
            is_same, tone = False, "danger"
            words = phrase("shell.it_differs_from_the_list")
        elif is_same is None and self._found.other:
            words, tone = phrase("shell.kotae_checks_whether_it_is"), "text2"
        elif is_same is None and told.strip():
            words = phrase("shell.the_pasted_text_holds_no")
            tone = "warning"
        elif is_same is None and is_whole:
            words = phrase("shell.it_matches_the_list_in")
            tone = "warning"
        elif is_same is None:
            words = phrase("shell.there_is_nothing_to_compare")
            tone = "warning"
        elif is_same:
            words, tone = phrase("shell.the_same_as_the_publishers"), "success"
        else:
            words, tone = phrase("shell.not_the_publishers_do_not"), "danger"
        self.verdict.setText(words)
        self.verdict.set_tone(tone)
        # What nobody vouches for is not installed.
        self.how.setVisible(bool(is_same) or (is_same is None and bool(self._found.other)))
        layout = self.layout()
        assert layout is not None
        layout.invalidate()
        self.judged.emit()


def update_file_dialog(theme: Theme, found: UpdateFile, parent: QWidget) -> Dialog:
    facts = UpdateFacts(theme, found)
    asks = _asks(found)
    dialog = Dialog(
        theme,
        phrase("shell.check_of_the_file_you"),
        f"{make_breakable(str(found.path))}\n{_what_it_is(found)}",
        (DialogButton("cancel", phrase("common.close"), is_default=not asks),),
        parent,
        icon=("file-search", "text2"),
        content=facts,
        width_px=WIDTH_PX,
    )
    if asks:
        facts.told.setFocus()  # and Enter behind what was pasted does not close it unread
        facts.judged.connect(dialog.fit_height)
    return dialog


def _asks(found: UpdateFile) -> bool:
    """Whether a sum is to be pasted."""
    return not (found.other or found.is_empty)


def _what_it_is(found: UpdateFile) -> str:
    if found.other == "engine_pack":
        return phrase("shell.not_a_new_version_of")
    if found.other == "model_kit":
        return phrase("shell.not_a_new_version_of_kotae_but")
    if found.other == "training_kit":
        return phrase("shell.not_a_new_version_of_kotae_but_a_file")
    if not found.version:
        return phrase("shell.its_name_does_not_tell")
    if found.is_newer:
        return phrase("shell.it_is_newer_than_this")
    if found.is_this:
        return phrase("shell.it_is_the_same_version")
    return phrase("shell.older_than_this_version")


def _how_to_add(other: str) -> str:
    """What is given out beside a new version."""
    if other == "engine_pack" and not engine_packs.known():
        return phrase("shell.this_kotae_takes_no_parts")
    if other == "engine_pack":
        return phrase("shell.open_settings_models_and_storage")
    if other == "model_kit":
        return phrase("shell.open_models_transfer_kit_import")
    return phrase("shell.open_settings_training_make_it")


def how_to_install(found: UpdateFile | None = None) -> str:
    """By hand, on this platform; with the file's own name where there is one."""
    name = found.path.name if found is not None else ""
    if sys.platform == "linux" and not (name and not name.endswith((".tar.zst", ".deb"))):
        return _on_linux(name)
    if sys.platform == "darwin":
        return phrase("shell.close_kotae_open_the_disk")
    return phrase("shell.close_kotae_open_the_file")


def _on_linux(name: str) -> str:
    """`name` "": of no file in particular."""
    deb = f"sudo apt install ./{shell_word(name)}"
    archive = shell_word(name or "kotae-X.Y.Z-linux-x86_64.tar.zst")
    unpacked = f"tar -xf {archive} && sh {archive.removesuffix('.tar.zst')}/install.sh"
    steps = phrase("shell.close_kotae_and_run_this")
    kept = phrase("shell.conversations_settings_and_models_are")
    lines = [steps.format(command=deb if name.endswith(".deb") else unpacked), kept]
    if not name:
        lines.insert(1, phrase("shell.for_a_deb_sudo_apt"))
    return "\n".join(lines)


def _in_pieces(digest: str) -> str:
    """So that a line can end within it."""
    return " ".join(digest[at : at + 16] for at in range(0, len(digest), 16))
