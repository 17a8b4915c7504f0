"""Whether a file with a newer Kotae is whole, and how it is installed by hand. Nothing is opened or started."""

import sys

from PySide6.QtCore import QCoreApplication, Qt, Signal
from PySide6.QtWidgets import QLineEdit, QVBoxLayout, QWidget

from app import __version__
from app.base.wording import shell_word
from app.inference import engine_packs
from app.shell.update_file import UpdateFile
from app.uikit.dialogs import Choice, Dialog
from app.uikit.phrases import breakable
from app.uikit.theme import Theme
from app.uikit.widgets.fact_list import FactList
from app.uikit.widgets.labels import Label

translate = QCoreApplication.translate

WIDTH_PX = 620


class UpdateFacts(QWidget):
    """The sum of the file beside what it should be: what the user pastes. A list beside it only tells damage."""

    judged = Signal()

    def __init__(self, theme: Theme, found: UpdateFile) -> None:
        super().__init__()
        self._found = found
        facts = FactList(theme)
        sums = ((self.tr("SHA-256"), _in_pieces(found.sha256)), (self.tr("一覧の値"), _in_pieces(found.expected)))
        version = found.version or self.tr("名前からは分かりません")
        versions = ((self.tr("版"), version), (self.tr("今の版"), __version__))
        facts.set_facts(sums if found.other else (*versions, *sums))
        self.verdict = Label(wraps=True, strong=True)
        self.told = QLineEdit()
        self.told.setAccessibleName(self.tr("配布元が示した SHA-256"))
        self.told.setPlaceholderText(self.tr("配布元が示した SHA-256 を貼り付ける"))
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
            words = self.tr("× ファイルが空です（0 バイト）。使わずに、もう一度受け取ってください。")
        elif is_same is None and is_whole is False:
            is_same, tone = False, "danger"
            words = self.tr("× 同じフォルダの一覧の値と違います。使わずに、もう一度受け取ってください。")
        elif is_same is None and self._found.other:
            words, tone = self.tr("追加するときに、壊れていないかを Kotae が調べます。"), "text2"
        elif is_same is None and told.strip():
            words = self.tr("▲ 貼り付けた文字に、SHA-256 の全体（16 進数 64 文字）がありません。")
            tone = "warning"
        elif is_same is None and is_whole:
            words = self.tr(
                "▲ 同じフォルダの一覧の値と同じで、壊れてはいません。配布元のファイルかどうかは、"
                "配布元から別に受け取った値を貼り付けて確かめてください。"
            )
            tone = "warning"
        elif is_same is None:
            words = self.tr("▲ 比べる値がありません。配布元が示した値を貼り付けてください。")
            tone = "warning"
        elif is_same:
            words, tone = self.tr("✓ 配布元の値と同じです。ファイルは壊れていません。"), "success"
        else:
            words, tone = self.tr("× 配布元の値と違います。使わずに、もう一度受け取ってください。"), "danger"
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
        translate("UpdateFile", "受け取ったファイルの確認"),
        f"{breakable(str(found.path))}\n{_what_it_is(found)}",
        (Choice("cancel", translate("UpdateFile", "閉じる"), is_default=not asks),),
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
        return translate("UpdateFile", "Kotae の新しい版ではなく、GPU で計算するための部品です。")
    if found.other == "model_kit":
        return translate("UpdateFile", "Kotae の新しい版ではなく、モデルの持ち運びキットのファイルです。")
    if found.other == "training_kit":
        return translate("UpdateFile", "Kotae の新しい版ではなく、学習環境キットのファイルです。")
    if not found.version:
        return translate("UpdateFile", "名前からは、Kotae のファイルかどうか分かりません。")
    if found.is_newer:
        return translate("UpdateFile", "今の版より新しい版です。")
    if found.is_this:
        return translate("UpdateFile", "今と同じ版です。")
    return translate("UpdateFile", "今の版より古い版です。")


def _how_to_add(other: str) -> str:
    """What is given out beside a new version."""
    if other == "engine_pack" and not engine_packs.known():
        return translate("UpdateFile", "この Kotae は GPU の部品に対応していないため、追加できません。")
    if other == "engine_pack":
        return translate(
            "UpdateFile",
            "「設定」の「モデルと保存先」の「GPU の部品」で「ファイルから追加…」を押し、このファイルを選んでください。",
        )
    if other == "model_kit":
        return translate(
            "UpdateFile",
            "「モデル」の「持ち運びキット」の「キットを取り込む…」で、このファイルのあるフォルダを選んでください。"
            "1 つに圧縮されたファイルは、先に展開してください。",
        )
    return translate(
        "UpdateFile",
        "「設定」の「学習環境」の「オフラインで作る…」で、このファイルのあるフォルダを選んでください。",
    )


def how_to_install(found: UpdateFile | None = None) -> str:
    """By hand, on this platform; with the file's own name where there is one."""
    name = found.path.name if found is not None else ""
    if sys.platform == "linux" and not (name and not name.endswith((".tar.zst", ".deb"))):
        return _on_linux(name)
    if sys.platform == "darwin":
        return translate(
            "UpdateFile", "Kotae を閉じ、ディスクイメージを開いて、Kotae を「アプリケーション」へ入れ直してください。"
        )
    return translate("UpdateFile", "Kotae を閉じ、新しい版のファイルを開いて、画面の案内に従ってください。")


def _on_linux(name: str) -> str:
    """`name` "": of no file in particular."""
    deb = f"sudo apt install ./{shell_word(name)}"
    archive = shell_word(name or "kotae-X.Y.Z-linux-x86_64.tar.zst")
    unpacked = f"tar -xf {archive} && sh {archive.removesuffix('.tar.zst')}/install.sh"
    steps = translate("UpdateFile", "Kotae を閉じ、ファイルのあるフォルダで実行してください。\n{command}")
    kept = translate("UpdateFile", "会話、設定、モデルは別の場所にあり、そのまま使えます。")
    lines = [steps.format(command=deb if name.endswith(".deb") else unpacked), kept]
    if not name:
        lines.insert(1, translate("UpdateFile", ".deb のときは、sudo apt install ./ファイル名 です。"))
    return "\n".join(lines)


def _in_pieces(digest: str) -> str:
    """So that a line can end within it."""
    return " ".join(digest[at : at + 16] for at in range(0, len(digest), 16))
