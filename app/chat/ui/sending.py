"""What is said, and asked, where text leaves this machine for a server of the local network."""

from PySide6.QtWidgets import QWidget

from app.base.wording import phrase
from app.inference.local_model import LocalModel
from app.uikit.dialogs import Dialog, DialogButton
from app.uikit.theme import Theme


def consent_dialog(theme: Theme, model: LocalModel, parent: QWidget, *, is_batch: bool = False) -> Dialog:
    """Before the first question of a conversation, or of a file, is sent. `chosen` says send or cancel."""
    assert model.remote is not None
    question = phrase("chat.send_this_conversation_out")
    body = phrase("chat.the_questions_of_this_conversation")
    if is_batch:
        question = phrase("chat.send_these_questions_out")
        body = phrase("chat.the_questions_of_the_file")
    more = phrase("chat.secret_conversations_and_documents_are")
    return Dialog(
        theme,
        question,
        "\n".join((body.format(address=model.remote.address), more)),
        (
            DialogButton("cancel", phrase("chat.do_not_send"), is_default=True),
            DialogButton("send", phrase("chat.send_and_ask")),
        ),
        parent,
        icon=("external-link", "warning"),
    )
