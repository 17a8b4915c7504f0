"""Show notices on the page 質問: the view before the first question, the line about the trial model below the header,
and those above the question field: where the text goes, after consent, and what cannot be asked now.

`ModelAvailability` informs the empty view whether a first model is being added or downloaded.
"""

from collections.abc import Callable

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QWidget

from app.base.services.preferences import Preferences
from app.base.wording import phrase
from app.chat.services.chat_session import ChatSession
from app.chat.ui.transcript.rows_view import CentredRow
from app.inference.local_model import LocalModel
from app.models import model_registry
from app.models.services.downloads import Downloads
from app.models.services.maintenance import ModelMaintenance
from app.models.services.model_library import ModelLibrary
from app.uikit.dialogs import Dialog, DialogButton
from app.uikit.localization import sending_note
from app.uikit.page import NavigationSignals
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button, make_icon_button
from app.uikit.widgets.containers import Stretch, make_column, make_row
from app.uikit.widgets.labels import ElidedLabel, IconLabel, Label, Separator, set_surface


class EmptyView(QWidget):
    """Shows example questions, or, without a model, the two ways to get one without a network."""

    example_chosen = Signal(str)

    def __init__(self, theme: Theme, navigation: NavigationSignals) -> None:
        super().__init__()
        self._theme = theme
        self._navigation = navigation
        self._has_model = self._is_temporary = self._asks_documents = self._asks_manual = False
        set_surface(self, "base")
        self.example_buttons = [
            self._example(phrase("chat.what_is_the_capital_of")),
            self._example(phrase("chat.write_an_e_mail_asking")),
        ]
        self.manual_button = self._example(phrase("common.how_do_i_add_a"))
        self._heading, self._privacy_note = Label(role="heading2"), Label(tone="text2")
        self._privacy_note.setAlignment(Qt.AlignmentFlag.AlignHCenter)  # of its two lines
        self._ready = _centred(self._heading, self._privacy_note, self.manual_button, *self.example_buttons)
        self.starter_button = Button(self._theme, "", "primary")
        self.starter_button.clicked.connect(self._navigation.starter_requested)
        self.import_button = make_icon_button(self._theme, phrase("common.import_a_gguf_file"), "file-box")
        self.import_button.clicked.connect(self._navigation.model_file_requested)
        self.progress_button = Button(self._theme, phrase("chat.show_progress"))
        self.progress_button.clicked.connect(lambda: self._navigation.page_requested.emit("models"))
        self.lacking, self._sentence = Label(role="heading2"), Label(tone="text2")
        buttons = QWidget()
        make_row(self.starter_button, self.import_button, into=buttons, spacing_px=8)
        self.show_model_progress(is_adding=False, is_downloading=False)
        self._without_model = _centred(self.lacking, self._sentence, self.progress_button, buttons)
        make_column(Stretch(2), self._ready, self._without_model, Stretch(3), into=self, margins_px=None)

    def show_state(
        self, *, has_model: bool, is_starter_available: bool, is_temporary: bool, is_remote: bool = False
    ) -> None:
        """Show the view for this state. `is_remote` is True when another machine runs the selected model."""
        self._has_model = has_model
        start = "common.start_with_the_trial_model" if is_starter_available else "common.import_the_trial_kit"
        self.starter_button.setText(phrase(start))
        self._is_temporary = is_temporary
        kept = "chat.what_you_type_is_sent" if is_remote else "chat.what_you_type_is_handled"
        note = phrase("chat.it_is_not_saved_and" if is_temporary else kept)
        quoted = "" if has_model else phrase("chat.documents_are_quoted_without")
        self._privacy_note.setText("\n".join(filter(None, (quoted, note))))
        self._show_text()

    def show_model_progress(self, *, is_adding: bool, is_downloading: bool) -> None:
        """Show whether a first model is being added or downloaded; only a download lets the user add another."""
        state = "adding" if is_adding else "downloading" if is_downloading else "none"
        self.lacking.setText(phrase(f"chat.first_model.{state}"))
        self._sentence.setText(phrase(f"chat.first_model_hint.{state}"))
        self.progress_button.setVisible(is_adding or is_downloading)
        for button in (self.starter_button, self.import_button):
            button.setVisible(not is_adding)

    def show_documents(self, asks_documents: bool, *, asks_manual: bool) -> None:
        """Show whether questions search documents. Only the manual's contents are known for an example question."""
        self._asks_documents, self._asks_manual = asks_documents, asks_manual
        self._show_text()

    def _show_text(self) -> None:
        is_ready = self._has_model or self._asks_documents  # documents are quoted without a model
        self._ready.setVisible(is_ready)
        self._without_model.setVisible(not is_ready)
        words = phrase("chat.ask_your_documents") if self._asks_documents else phrase("chat.ask_something")
        self._heading.setText(phrase("chat.this_is_a_temporary_chat") if self._is_temporary else words)
        self.manual_button.setVisible(self._asks_manual)
        for button in self.example_buttons:
            button.setVisible(not self._asks_documents)

    def _example(self, words: str) -> Button:
        button = Button(self._theme, words)
        button.clicked.connect(lambda: self.example_chosen.emit(words))
        return button


def _centred(*widgets: QWidget) -> QWidget:
    group = QWidget()
    heading, sentence, *others = ((widget, 0, Qt.AlignmentFlag.AlignHCenter) for widget in widgets)
    make_column(heading, sentence, 8, *others, into=group, margins_px=None, spacing_px=10)
    return group


def make_trial_notice(theme: Theme, navigation: NavigationSignals) -> QWidget:
    """Return the line that says that a trial model answers. Its lower edge limits the scrolling conversation."""
    words = Label(phrase("chat.this_is_a_small_trial"), tone="text2", wraps=True)
    choose = Button(theme, phrase("common.choose_a_model"), "link")
    choose.clicked.connect(lambda: navigation.page_requested.emit("models"))
    content, notice = QWidget(), QWidget()
    make_row(IconLabel(theme, "info"), (words, 1), choose, into=content, margins_px=(0, 6, 0, 6), spacing_px=8)
    make_column(CentredRow(theme, content), Separator(), into=notice, spacing_px=0)
    return notice


class ModelAvailability(QObject):
    """Updates the empty view while models are imported or downloaded."""

    def __init__(
        self, empty: EmptyView, library: ModelLibrary, upkeep: ModelMaintenance, downloads: Downloads, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._empty = empty
        self._library = library
        self._upkeep = upkeep
        self._downloads = downloads
        for signal in (
            library.progressed, library.imported, library.failed,
            upkeep.progressed, upkeep.kit_read, upkeep.failed,
            downloads.changed,
        ):  # fmt: skip
            signal.connect(self._show_progress_of_models)
        self._show_progress_of_models()

    def _show_progress_of_models(self) -> None:
        self._empty.show_model_progress(
            is_adding=self._library.is_working or self._upkeep.is_importing,
            is_downloading=any(item.state not in ("paused", "failed") for item in self._downloads.items()),
        )


class RemoteMark(QWidget):
    """The line above the field that informs the user that the text leaves this machine."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._icon = IconLabel(theme, "external-link", "warning")
        self.words = ElidedLabel("", "caption", "warning", strong=True)
        make_row(self._icon, (self.words, 1), into=self, margins_px=(4, 0, 4, 2), spacing_px=8)
        self.hide()

    def show_place(self, server: str, *, is_allowed: bool = True) -> None:
        """Show the server that gets the text (host and port; "": a local model), and whether the settings allow it."""
        self.setVisible(bool(server))
        stopped = phrase("chat.outside_traffic_is_blocked_so", place=server)
        self.words.setText(sending_note(server) if is_allowed else stopped)
        self._icon.show_icon("external-link" if is_allowed else "lock", "warning")
        self.setAccessibleName(self.words.text())


class AskingNotice(QWidget):
    """The line above the field that says, before a question is sent, what cannot be asked and what helps."""

    acted = Signal()  # the button was clicked

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._icon = IconLabel(theme, "info")
        self._words = Label(role="caption", wraps=True)
        self.button = Button(theme, "", compact=True)
        self.button.clicked.connect(self.acted)
        make_row(self._icon, (self._words, 1), self.button, into=self, margins_px=(4, 0, 0, 2), spacing_px=8)
        self.hide()

    @property
    def words(self) -> str:
        """Return the shown sentence; "" if there is none."""
        return "" if self.isHidden() else self._words.text()

    def show_notice(self, words: str, action: str = "", *, is_warning: bool = False) -> None:
        """Show a sentence and a button. `words` "": hide the line; `action` "": no button."""
        had_focus = self.button.hasFocus()
        self._words.setText(words)
        self._words.set_tone("warning" if is_warning else "text2")
        self._icon.show_icon("triangle-alert" if is_warning else "info", "warning" if is_warning else "text2")
        self.button.setText(action)
        self.button.setVisible(bool(action))
        self.button.setAccessibleDescription(words)
        self.setAccessibleName(words)
        self.setVisible(bool(words))
        if had_focus and not self.button.isVisible():
            self.focusNextChild()


def consent_dialog(theme: Theme, model: LocalModel, parent: QWidget, *, is_batch: bool = False) -> Dialog:
    """Return the dialog that asks before the first question of a conversation or file is sent."""
    assert model.remote is not None
    question = phrase("chat.send_these_questions_out" if is_batch else "chat.send_this_conversation_out")
    what = "chat.the_questions_of_the_file" if is_batch else "chat.the_questions_of_this_conversation"
    body = phrase(what, address=model.remote.address)
    sentence = f"{body}\n{phrase('chat.secret_conversations_and_documents_are')}"
    no = DialogButton("cancel", phrase("chat.do_not_send"), is_default=True)
    yes = DialogButton("send", phrase("chat.send_and_ask"))
    return Dialog(theme, question, sentence, (no, yes), parent, icon=("external-link", "warning"))


class RemoteConsent(QObject):
    """Asks for consent, and shows the server in the composer while a remote model is selected."""

    def __init__(
        self,
        theme: Theme,
        session: ChatSession,
        library: ModelLibrary,
        preferences: Preferences,
        mark: RemoteMark,
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._session = session
        self._preferences = preferences
        self._mark = mark
        self._parent = parent
        self.dialog: Dialog | None = None  # the dialog that was opened last
        library.changed.connect(self._show_remote_mark)
        preferences.changed.connect(self._show_remote_mark)
        self._show_remote_mark()

    def run_with_consent(self, go: Callable[[], object]) -> None:
        """Call `go` at once, or after the user agrees. A question that would be refused anyway needs no consent."""
        session, model = self._session, self._session.model
        is_allowed = self._preferences.value.network_allowed
        if model is None or model.remote is None or not is_allowed or not session.needs_remote_consent:
            go()
            return

        def agree() -> None:
            session.agree_to_remote()
            go()

        self.dialog = consent_dialog(self._theme, model, self._parent.window()).ask(agree)

    def _show_remote_mark(self) -> None:
        model = self._session.model
        place = model_registry.server_address(model) if model is not None else ""
        self._mark.show_place(place, is_allowed=self._preferences.value.network_allowed)
