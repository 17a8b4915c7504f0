"""The page 質問: header, problems, conversation, composer."""

from collections.abc import Callable

from PySide6.QtCore import Qt, QUrl, Signal
from PySide6.QtGui import QDesktopServices, QGuiApplication, QKeySequence, QResizeEvent, QShortcut, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QScrollArea, QStackedWidget, QVBoxLayout, QWidget

from app.core.errors import AppError
from app.core.records import Conversation, Message
from app.core.settings import Settings
from app.core.wording import describe_error
from app.services.chat import ChatSession
from app.services.conversations import Conversations
from app.services.events import Overflow, Stage
from app.services.library import ModelLibrary
from app.services.preferences import Preferences
from app.services.presets import Presets
from app.ui.chat import link_dialog, problems
from app.ui.chat.column import SIDE
from app.ui.chat.composer import Composer
from app.ui.chat.empty import EmptyView
from app.ui.chat.header import ChatHeader
from app.ui.chat.transcript import Transcript
from app.ui.theme import Theme
from app.ui.widgets.banner import Banner
from app.ui.widgets.buttons import Button
from app.ui.widgets.icon import Icon
from app.ui.widgets.labels import Label, set_surface

_OVERFLOW_CHOICES = ("drop", "widen", "new")


class ChatPage(QWidget):
    models_requested = Signal()
    text_changed = Signal()  # somebody types a question
    log_requested = Signal()
    starter_requested = Signal()
    import_requested = Signal()

    def __init__(
        self,
        theme: Theme,
        session: ChatSession,
        conversations: Conversations,
        presets: Presets,
        library: ModelLibrary,
        preferences: Preferences,
        open_url: Callable[[QUrl], object] = QDesktopServices.openUrl,
    ) -> None:
        """`open_url` is called with an address that the user has seen and agreed to."""
        super().__init__()
        self._theme = theme
        self._session = session
        self._conversations = conversations
        self._presets = presets
        self._library = library
        self._preferences = preferences
        self._open_url = open_url
        self._failed_id = 0  # the answer whose failure the next problem explains
        self._build()
        self._connect()
        self._show_settings(preferences.value)
        self._show_conversation()

    # ---------------------------------------------------------------- building

    def _build(self) -> None:
        set_surface(self, "base")
        self.header = ChatHeader(self._theme)
        self.banner = Banner(self._theme)
        self.transcript = Transcript(self._theme)
        self.empty = EmptyView(self._theme)
        scrolled = QScrollArea()
        scrolled.setWidget(self.empty)
        scrolled.setWidgetResizable(True)
        scrolled.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.stack = QStackedWidget()
        self.stack.setMinimumHeight(1)
        self.stack.addWidget(scrolled)
        self.stack.addWidget(self.transcript)
        self.composer = Composer(self._theme)
        self._banner_row = QVBoxLayout()
        self._banner_row.addWidget(self.banner)
        foot = QWidget()
        foot_column = QVBoxLayout(foot)
        foot_column.setContentsMargins(0, 8, 0, 16)
        foot_column.setSpacing(6)
        foot_column.addLayout(self._build_scope_line())
        foot_column.addWidget(self.composer)
        self._centred = tuple((widget, _centred(widget)) for widget in (self._build_trial_notice(), foot))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.header)
        column.addLayout(self._banner_row)
        column.addLayout(self._centred[0][1])
        column.addWidget(self.stack, 1)
        column.addLayout(self._centred[1][1])
        self._stop_shortcut = QShortcut(QKeySequence(Qt.Key.Key_Escape), self, self._session.stop)
        self._stop_shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)

    def _build_trial_notice(self) -> QWidget:
        self.trial_notice = QWidget()
        words = self.tr("お試し用の小さなモデルです。業務には 8B 以上をお使いください。")
        choose = Button(self._theme, self.tr("モデルを選ぶ"), "link")
        choose.clicked.connect(self.models_requested)
        row = QHBoxLayout(self.trial_notice)
        row.setContentsMargins(0, 10, 0, 0)
        row.setSpacing(8)
        row.addWidget(Icon(self._theme, "info"))
        row.addWidget(Label(words, tone="text2", wraps=True), 1)
        row.addWidget(choose)
        return self.trial_notice

    def _build_scope_line(self) -> QHBoxLayout:
        words = self.tr("資料なしで回答します（出典は付きません）")
        row = QHBoxLayout()
        row.setSpacing(6)
        row.addWidget(Icon(self._theme, "library-big", size=14))
        row.addWidget(Label(words, role="caption", tone="text2"), 1)
        return row

    def _connect(self) -> None:
        session, header = self._session, self.header
        session.conversation_opened.connect(self._on_conversation_opened)
        self._conversations.changed.connect(self._show_title)
        self._conversations.problem_occurred.connect(self._on_problem_occurred)
        session.message_added.connect(self._on_message_added)
        session.text_received.connect(self.transcript.append_text)
        session.answer_finished.connect(self._on_answer_finished)
        session.stage_changed.connect(self._on_stage_changed)
        session.overflowed.connect(self._on_overflowed)
        session.problem_occurred.connect(self._on_problem_occurred)
        self._library.changed.connect(self._on_library_changed)
        self._preferences.changed.connect(self._show_settings)
        self._theme.changed.connect(self._lay_out)
        header.model_chosen.connect(session.use_model)
        header.models_requested.connect(self.models_requested)
        header.new_requested.connect(session.new)
        header.copy_requested.connect(self._copy_conversation)
        header.log_requested.connect(self.log_requested)
        self.banner.closed.connect(self._lay_out)
        self.banner.action_requested.connect(self._on_banner_action)
        self.transcript.regenerate_requested.connect(self._on_regenerate_requested)
        self.transcript.branch_requested.connect(session.show_branch)
        self.transcript.log_requested.connect(self.log_requested)
        self.transcript.link_chosen.connect(self._on_link_chosen)
        self.composer.editor.textChanged.connect(self.text_changed)
        self.composer.submitted.connect(self._on_submitted)
        self.composer.stop_requested.connect(session.stop)
        self.empty.example_chosen.connect(self.composer.set_text)
        self.empty.starter_requested.connect(self.starter_requested)
        self.empty.import_requested.connect(self.import_requested)

    # ------------------------------------------------------------------ layout

    def focus_composer(self) -> None:
        self.composer.setFocus()

    def offer_question(self, text: str) -> None:
        """Puts an example into the field; what somebody has begun to write is left alone."""
        if not self.composer.text():
            self.composer.set_text(text)

    def set_header_inset(self, inset_px: int) -> None:
        """Room at the left of the header for the window's menu button."""
        self.header.set_inset(inset_px)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.focus_composer()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._lay_out()

    def _lay_out(self) -> None:
        """Notice and composer stand in the column of the conversation; the banner takes the width of the page."""
        side = self._theme.px(SIDE)
        self._banner_row.setContentsMargins(side, 0 if self.banner.isHidden() else 12, side, 0)
        for widget, row in self._centred:
            row.setContentsMargins(side, 0, side, 0)
            widget.setMaximumWidth(self._theme.metric("column_width"))
        self.composer.editor.fit_window(self.window().height())

    # ------------------------------------------------------------------- shown

    def _show_conversation(self) -> None:
        has_messages = bool(self.transcript.messages)
        self.stack.setCurrentIndex(1 if has_messages else 0)
        self.composer.set_has_history(has_messages)
        self._show_title()
        self._show_models()
        self._show_busy()

    def _show_title(self) -> None:
        conversation = self._session.conversation
        self.header.title.setText(conversation.title if conversation else self.tr("新しい質問"))

    def _show_models(self) -> None:
        models = self._library.models()
        self.header.show_models(models, self._session.model_id)
        self.empty.show_state(has_model=bool(models), is_starter_available=self._library.is_starter_available())
        current = next((model for model in models if model.id == self._session.model_id), None)
        card = self._library.card(current) if current else None
        self.trial_notice.setVisible(card is not None and card.is_trial)
        self._lay_out()

    def _show_settings(self, settings: Settings) -> None:
        self.composer.set_send_key(settings.send_key)
        self._show_models()

    def _show_busy(self) -> None:
        self.composer.set_busy(self._session.is_busy)
        self._stop_shortcut.setEnabled(self._session.is_busy)

    def _show_banner(self, level: str, what: str, sentence: str, actions: tuple[problems.Action, ...]) -> None:
        self.banner.show_message(level, what, sentence, actions)
        self._lay_out()

    # ---------------------------------------------------------- from the session

    def _on_conversation_opened(self, _conversation: Conversation | None, messages: list[Message]) -> None:
        self.banner.hide()
        self.transcript.show_messages(messages)
        self._show_conversation()

    def _on_message_added(self, message: Message) -> None:
        shown = self.transcript.messages
        if shown and message.parent_id != shown[-1].id:
            return  # a branch beside what is shown; the session opens it next
        self.transcript.add(message)
        self._show_conversation()

    def _on_answer_finished(self, message: Message) -> None:
        self._failed_id = message.id if message.status == "failed" else 0
        self.transcript.finish(message)
        self._show_busy()

    def _on_stage_changed(self, stage: Stage) -> None:
        self.transcript.show_stage(stage)
        self._show_busy()

    def _on_overflowed(self, overflow: Overflow) -> None:
        needed = self.tr("必要 {a}、上限 {b} トークン。会話は何も失われていません。").format(
            a=f"{overflow.prompt_tokens:,}", b=f"{overflow.context_tokens:,}"
        )
        what = self.tr("会話が文脈の上限に達しました。")
        self._show_banner("warning", what, needed, problems.overflow_actions(overflow))

    def _on_problem_occurred(self, error: AppError) -> None:
        sentence = describe_error(error)
        if self._failed_id and not problems.needs_banner(error):
            self.transcript.explain(self._failed_id, str(sentence))
        else:
            actions = problems.actions_for(error, self._preferences.value.context_tokens)
            self._show_banner("warning", sentence.message, sentence.next, actions)

    def _on_library_changed(self) -> None:
        if not self._failed_id and self._library.models():
            self.banner.hide()  # it may have said that there is no model
        self._show_models()

    # ------------------------------------------------------------- from the user

    def _on_submitted(self, text: str) -> None:
        """The text leaves the editor only when the question is stored."""
        if self._session.model_id is None:
            self._failed_id = 0
            self._on_problem_occurred(AppError("no_model"))
        elif self._session.ask(text):
            self.banner.hide()
            self.composer.clear()
            self._lay_out()

    def _on_regenerate_requested(self, answer_id: int) -> None:
        self.banner.hide()
        self._session.regenerate(answer_id)
        self.focus_composer()

    def _on_banner_action(self, key: str) -> None:
        self.banner.hide()
        self._lay_out()
        if key in _OVERFLOW_CHOICES:
            self._session.resolve_overflow(key)
        elif key == "models":
            self.models_requested.emit()
        elif key == "starter":
            self.starter_requested.emit()
        elif key == "import":
            self.import_requested.emit()
        elif key == "log":
            self.log_requested.emit()
        else:
            self._try_again(key)

    def _try_again(self, key: str) -> None:
        if key == "shrink":
            smaller = problems.smaller_context(self._preferences.value.context_tokens)
            self._preferences.change(context_tokens=smaller)
        if self._failed_id:
            self._session.regenerate(self._failed_id, force_load=key == "force")

    def _on_link_chosen(self, href: str) -> None:
        link_dialog.ask_to_open(self._theme, href, self._open_url, self)

    def _copy_conversation(self) -> None:
        """Everything as it was written, questions marked."""
        parts = [
            (self.tr("質問：") if message.role == "question" else self.tr("回答：")) + message.text
            for message in self.transcript.messages
        ]
        QGuiApplication.clipboard().setText("\n\n".join(parts))


def _centred(widget: QWidget) -> QHBoxLayout:
    """As wide as the conversation's column; without margins that would keep the page from getting narrower."""
    row = QHBoxLayout()
    row.setSpacing(0)
    row.addStretch(1)
    row.addWidget(widget, 10_000)
    row.addStretch(1)
    return row
