"""Transfer kits: which models go along, and what came of writing or reading one."""

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.base.wording import describe_error
from app.inference.local_model import LocalModel
from app.models.kits.kit_import import Imported
from app.models.kits.kit_manifest import Kit
from app.models.ui import words
from app.models.ui.care.marked_list import MarkedList
from app.uikit import phrases
from app.uikit.dialogs import Choice, Dialog
from app.uikit.language import joined
from app.uikit.theme import Theme
from app.uikit.widgets.check_row import CheckRow
from app.uikit.widgets.fact_list import FactList
from app.uikit.widgets.labels import Label

WIDTH_PX = 600
SIDES_PX = 80  # margins of the dialog and of a row, left and right

translate = QCoreApplication.translate


class KitExportDialog(Dialog):
    """`chosen` says export or cancel; `list.marked()` are the ids."""

    def __init__(
        self, theme: Theme, models: Sequence[LocalModel], marked: str | None, parent: QWidget, *, has_presets: bool
    ) -> None:
        """`marked`: the id of the model that is marked at first; None: all are."""
        self._sizes = {model.id: model.size_bytes for model in models}
        self.sum = Label(tone="text2", wraps=True)
        self.list = MarkedList(theme, self.tr("持ち運ぶモデル"), parent)
        for model in models:
            facts = joined(words.gigabytes(model.size_bytes), model.quantization)
            self.list.add_row(model.id, CheckRow(model.name, facts, is_checked=marked in (None, model.id)))
        body = self.tr(
            "ネットワークのない PC へ、USB メモリで運ぶためのフォルダを作ります。"
            "3.9 GB ごとの部品に分けるので、FAT32 の USB メモリにも入ります。"
        )
        presets = self.tr("自分で作ったプリセットも入ります。会話は入りません。")
        super().__init__(
            theme,
            self.tr("どのモデルを持ち運びますか"),
            f"{body}\n{presets}" if has_presets else body,
            (
                Choice("cancel", self.tr("キャンセル")),
                Choice("export", self.tr("書き出す場所を選ぶ…"), "primary", is_default=True),
            ),
            parent,
            content=_column(self.list, self.sum),
            width_px=WIDTH_PX,
        )
        self.list.changed.connect(self._show_sum)
        self._show_sum()
        self.list.fit(self.width() - theme.px(SIDES_PX))
        (self.list.first() or self.buttons["cancel"]).setFocus()

    def _show_sum(self) -> None:
        marked = self.list.marked()
        total = sum(self._sizes[model_id] for model_id in marked)
        sentence = self.tr("{n} 個で {size}。書き出す先に、同じだけの空きがいります。")
        nothing = self.tr("持ち運ぶモデルに印を付けてください。")
        self.sum.setText(sentence.format(n=len(marked), size=words.gigabytes(total)) if marked else nothing)
        self.buttons["export"].setEnabled(bool(marked))


def written_dialog(theme: Theme, kit: Kit, folder: Path, parent: QWidget) -> Dialog:
    """The kit is there: what it is, and what to do at the other machine. `chosen` says folder or cancel."""
    facts = FactList(theme)
    parts = len(list(kit.parts()))
    facts.set_facts(
        [
            (translate("Kit", "場所"), str(folder)),
            (translate("Kit", "大きさ"), words.gigabytes(kit.size_bytes)),
            (translate("Kit", "モデル"), translate("Kit", "{n} 個").format(n=len(kit.models))),
            (translate("Kit", "部品"), translate("Kit", "{n} 個（読み直して確かめました）").format(n=parts)),
        ]
    )
    steps = (
        translate("Kit", "1. このフォルダを丸ごと USB メモリに入れ、使いたい PC につなぎます。"),
        translate(
            "Kit", "2. その PC の Kotae で「モデル」を開き、「持ち運びキット」の「キットを取り込む…」を選びます。"
        ),
        translate("Kit", "3. このフォルダを選びます。壊れた部品があれば、その名前を示します。"),
    )
    labels = [Label(step, tone="text2", wraps=True) for step in steps]
    return Dialog(
        theme,
        translate("Kit", "持ち運びキットを書き出しました"),
        translate("Kit", "使いたい PC では、次のようにします。"),
        (
            Choice("folder", translate("Kit", "フォルダを開く")),
            Choice("cancel", translate("Kit", "閉じる"), "primary", is_default=True),
        ),
        parent,
        icon=("circle-check", "success"),
        content=_column(*labels, facts),
        width_px=WIDTH_PX,
    )


def problems_dialog(theme: Theme, outcome: Imported, parent: QWidget) -> Dialog:
    """Something of the kit was damaged or missing: which part, and what to do. `chosen` says again or cancel."""
    lines = [str(describe_error(problem)) for problem in outcome.problems]
    new = [model.name for model in outcome.models if model not in outcome.here]
    added = translate("Kit", "取り込んだモデル：{names}").format(names=phrases.enumerated(new))
    waiting = translate("Kit", "まだ取り込んでいないモデル：{names}").format(names=phrases.enumerated(outcome.waiting))
    body = "\n".join(line for line, has in ((added, new), (waiting, outcome.waiting)) if has)
    problems = MarkedList(theme, translate("Kit", "問題のあった部品"), parent)
    for line in lines:
        label = Label(line, wraps=True)
        label.setContentsMargins(12, 8, 12, 8)
        problems.add(label)
    problems.fit(min(theme.px(WIDTH_PX), parent.width()) - theme.px(SIDES_PX))
    return Dialog(
        theme,
        translate("Kit", "キットの一部を取り込めませんでした"),
        body,
        (
            Choice("cancel", translate("Kit", "閉じる")),
            Choice("again", translate("Kit", "もう一度取り込む"), "primary", is_default=True),
        ),
        parent,
        icon=("triangle-alert", "warning"),
        content=problems,
        width_px=WIDTH_PX,
    )


def _column(*widgets: QWidget) -> QWidget:
    content = QWidget()
    column = QVBoxLayout(content)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(8)
    for widget in widgets:
        column.addWidget(widget)
    return content
