"""Asks before a link in an answer is opened, with the whole address in characters that cannot deceive."""

from collections.abc import Callable

from PySide6.QtCore import QCoreApplication, QUrl
from PySide6.QtWidgets import QPlainTextEdit, QWidget

from app.chat.ui.text import links
from app.uikit.dialogs import Choice, Dialog
from app.uikit.theme import Theme

ADDRESS_PX = 72

translate = QCoreApplication.translate


def ask_to_open(theme: Theme, href: str, open_url: Callable[[QUrl], object], parent: QWidget) -> Dialog | None:
    """Shows the question. None, and nothing happens, for what never opens (files, shares, scripts, data)."""
    if not links.is_openable(href):
        return None
    url = QUrl(href, QUrl.ParsingMode.StrictMode)
    dialog = Dialog(
        theme,
        translate("LinkDialog", "このリンクを開きますか"),
        translate(
            "LinkDialog", "ブラウザーで {host} に接続します。モデルが書いた行き先です。内容を確かめてください。"
        ).format(host=links.shown_host(url)),
        (
            Choice("open", translate("LinkDialog", "ブラウザーで開く")),
            Choice("cancel", translate("LinkDialog", "キャンセル"), is_default=True),
        ),
        parent,
        content=_address(theme, links.full_address(url)),
    )
    dialog.chosen.connect(lambda key: open_url(url) if key == "open" else None)
    dialog.open()
    return dialog


def _address(theme: Theme, address: str) -> QPlainTextEdit:
    view = QPlainTextEdit(address)
    view.setReadOnly(True)
    view.setProperty("field", True)
    view.setAccessibleName(translate("LinkDialog", "行き先の全体"))
    view.setTabChangesFocus(True)
    view.setFixedHeight(theme.px(ADDRESS_PX))
    return view
