"""What is said, and asked, where text leaves this machine for a server of the local network."""

from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QWidget

from app.inference.local_model import LocalModel
from app.uikit.dialogs import Choice, Dialog
from app.uikit.theme import Theme

translate = QCoreApplication.translate


def consent_dialog(theme: Theme, model: LocalModel, parent: QWidget, *, is_batch: bool = False) -> Dialog:
    """Before the first question of a conversation, or of a file, is sent. `chosen` says send or cancel."""
    assert model.remote is not None
    question = translate("Remote", "この会話を外部へ送りますか")
    body = translate("Remote", "この会話の質問と、引用する資料の文章を、{address} へ送ります。")
    if is_batch:
        question = translate("Remote", "これらの質問を外部へ送りますか")
        body = translate("Remote", "ファイルの質問と、引用する資料の文章を、{address} へ送ります。")
    more = translate("Remote", "機密の会話と資料は送りません。この PC のモデルを選べば、何も送られません。")
    return Dialog(
        theme,
        question,
        "\n".join((body.format(address=model.remote.address), more)),
        (
            Choice("cancel", translate("Remote", "送らない"), is_default=True),
            Choice("send", translate("Remote", "送って質問する")),
        ),
        parent,
        icon=("external-link", "warning"),
    )
