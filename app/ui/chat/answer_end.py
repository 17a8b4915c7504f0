"""What stands below a finished answer: how it ended, time and speed, and what can be done with it."""

import re

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QMenu, QVBoxLayout, QWidget

from app.core import wording
from app.core.records import AnswerDetails, Message
from app.ui.chat.words import icon_button, literal
from app.ui.theme import Theme
from app.ui.widgets.buttons import Button, IconButton
from app.ui.widgets.icon import Icon
from app.ui.widgets.labels import Label, tip

_UNKNOWN_FACT = re.compile(r"（[^（）]*\?[^（）]*）|「\?」")


class AnswerEnd(QWidget):
    copy_requested = Signal()
    copy_shown_requested = Signal()
    regenerate_requested = Signal()
    branch_requested = Signal(int)  # -1: the answer before, 1: the next one
    log_requested = Signal()

    def __init__(self, message: Message, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._message = message
        self._details = message.details or AnswerDetails()
        self._theme = theme
        self._build()

    def explain(self, sentence: str) -> None:
        """What is known about the failure while the program still runs: sizes, names, causes."""
        if self._what is not None:
            self._what.setText(sentence)
            self._frame.updateGeometry()  # else the layouts above learn of it a round later
            self.updateGeometry()

    def _build(self) -> None:
        self._what: Label | None = None
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(self._theme.px(6))
        if self._message.status == "failed":
            column.addWidget(self._error())
        elif notice := self._notice():
            column.addWidget(Label(notice, role="caption", tone="text2", wraps=True))
        column.addLayout(self._actions())

    def _notice(self) -> str:
        match self._details.stop_reason:
            case "cancelled":
                return self.tr("ここで停止しました")
            case "interrupted":
                if not self._message.text:
                    return self.tr("回答の前に Kotae が終了しました。もう一度答えられます。")
                return self.tr("回答の途中で Kotae が終了しました。ここまでは保存済みです。")
            case "length":
                return self.tr("長さの上限に達したため、ここで終わりました。上限は設定で変えられます。")
            case "context":
                return self.tr("文脈の上限に達したため、ここで終わりました。")
        return self.tr("ここで停止しました") if self._message.status == "stopped" else ""

    def _error(self) -> QFrame:
        frame = self._frame = QFrame()
        frame.setProperty("surface", "danger")
        row = QHBoxLayout(frame)
        px = self._theme.px
        row.setContentsMargins(px(12), px(8), px(8), px(8))
        row.setSpacing(px(8))
        row.addWidget(Icon(self._theme, "circle-x", "danger"))
        self._what = Label(self._what_failed(), wraps=True)
        row.addWidget(self._what, 1)
        again = Button(self._theme, self.tr("もう一度答える"), compact=True)
        again.clicked.connect(self.regenerate_requested)
        log = Button(self._theme, self.tr("記録を見る"), "quiet", compact=True)
        log.clicked.connect(self.log_requested)
        row.addWidget(again)
        row.addWidget(log)
        return frame

    def _what_failed(self) -> str:
        """Facts (sizes, names) are not stored with an answer: what would need them is left out."""
        if not self._details.error_code:
            return self.tr("回答できませんでした。質問は保存済みです。")
        return _UNKNOWN_FACT.sub("", wording.describe(self._details.error_code, {}).message)

    def _actions(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(self._theme.px(2))
        meta = Label(self._meta(), role="caption", tone="text2")
        meta.setToolTip(tip(self._more_meta()))
        row.addWidget(meta)
        if self._message.branches > 1:
            self._add_branches(row)
        row.addStretch(1)
        if self._message.text:
            copy = icon_button(self._theme, self.tr("コピー"), "copy", "quiet", compact=True)
            copy.clicked.connect(self.copy_requested)
            row.addWidget(copy)
        if self._message.status != "failed":  # its error has a button for that
            again = icon_button(self._theme, self.tr("再生成"), "refresh-cw", "quiet", compact=True)
            again.clicked.connect(self.regenerate_requested)
            row.addWidget(again)
        row.addWidget(self._menu_button())
        return row

    def _add_branches(self, row: QHBoxLayout) -> None:
        """‹ 2／3 ›: the answers to the same question."""
        message = self._message
        row.addSpacing(self._theme.px(8))
        for step, icon, name in ((-1, "chevron-left", self.tr("前の回答")), (1, "chevron-right", self.tr("次の回答"))):
            button = IconButton(self._theme, icon, name)
            button.setEnabled(1 <= message.branch + step <= message.branches)
            button.clicked.connect(lambda _checked=False, step=step: self.branch_requested.emit(step))
            row.addWidget(button)
            if step < 0:
                count = self.tr("{i}／{n}").format(i=message.branch, n=message.branches)
                row.addWidget(Label(count, role="caption", tone="text2"))

    def _menu_button(self) -> IconButton:
        button = IconButton(self._theme, "ellipsis", self.tr("この回答のその他の操作"))
        button.clicked.connect(lambda: self._show_menu(button))
        return button

    def menu(self) -> QMenu:
        """Made when it is wanted: most answers scroll past without one."""
        menu = QMenu(self)
        if self._message.text:
            menu.addAction(self.tr("記号を除いてコピー"), self.copy_shown_requested.emit)
        menu.addAction(self.tr("記録を見る"), self.log_requested.emit)
        menu.addSeparator()
        for line in self._more_meta().split("\n"):
            if line:
                menu.addAction(literal(line)).setEnabled(False)
        return menu

    def _show_menu(self, button: QWidget) -> None:
        menu = self.menu()
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(button.mapToGlobal(QPoint(0, button.height())))

    def _meta(self) -> str:
        details = self._details
        parts = []
        if details.total_s > 0:
            parts.append(self.tr("{s} 秒").format(s=f"{details.total_s:.1f}"))
        if details.tokens_per_s > 0:
            parts.append(f"{details.tokens_per_s:.1f} tok/s")
        return self.tr("・").join(parts)

    def _more_meta(self) -> str:
        details = self._details
        lines = [details.model_name]
        if details.answer_tokens:
            lines.append(self.tr("{n} トークン").format(n=f"{details.answer_tokens:,}"))
        if details.seed is not None:
            lines.append(self.tr("乱数 {seed}").format(seed=details.seed))
        return "\n".join(line for line in lines if line)
