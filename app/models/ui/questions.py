"""What is asked of the user around adding and using a model, by the page モデル and by the first run."""

from PySide6.QtCore import QCoreApplication, QStandardPaths, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QFileDialog, QWidget

from app.inference.local_model import LocalModel
from app.uikit.dialogs import Choice, Dialog
from app.uikit.theme import Theme

translate = QCoreApplication.translate


def choose_gguf_file(parent: QWidget) -> str:
    """The path of the chosen file, "" when none was chosen."""
    start = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DownloadLocation)
    kinds = translate("Models", "GGUF ファイル (*.gguf);;すべてのファイル (*)")
    path, _ = QFileDialog.getOpenFileName(parent, translate("Models", "GGUF ファイルを選ぶ"), start, kinds)
    return path


def consent_dialog(theme: Theme, parent: QWidget) -> Dialog:
    """Whether a file's own chat template may run. `chosen` says allow, plain or cancel."""
    return Dialog(
        theme,
        translate("Models", "このファイルには作成者の会話書式（プログラム）が入っています"),
        translate(
            "Models",
            "隔離して使うと、時間とメモリを限った別の処理で書式を作り、作成者の想定した形で質問します。"
            "使わないときは、質問と回答だけの単純な形で質問します。",
        ),
        (
            Choice("plain", translate("Models", "使わない")),
            Choice("allow", translate("Models", "隔離して使う"), "primary", is_default=True),
        ),
        parent,
        icon=("file-text", "text2"),
    )


def licence_dialog(theme: Theme, url: str, parent: QWidget) -> Dialog:
    """Asks before the text of a licence is opened outside the program."""
    dialog = Dialog(
        theme,
        translate("Models", "ブラウザーで使用条件を開きますか"),
        translate("Models", "Kotae の外で、インターネットに接続します：\n{url}").format(url=url),
        (
            Choice("cancel", translate("Models", "キャンセル"), is_default=True),
            Choice("open", translate("Models", "ブラウザーで開く")),
        ),
        parent,
    )
    dialog.chosen.connect(lambda key: QDesktopServices.openUrl(QUrl(url)) if key == "open" else None)
    return dialog


def removal_dialog(theme: Theme, model: LocalModel, parent: QWidget) -> Dialog:
    """`chosen` says remove or cancel."""
    body = translate("Models", "ファイルは消えません（{path}）。もう一度使うには、取り込み直してください。")
    return Dialog(
        theme,
        translate("Models", "{name} を一覧から外しますか").format(name=model.name),
        body.format(path=model.path),
        (
            Choice("cancel", translate("Models", "キャンセル"), is_default=True),
            Choice("remove", translate("Models", "一覧から外す"), "danger_fill"),
        ),
        parent,
    )
