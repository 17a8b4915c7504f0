"""The header of 質問: title, mark of a temporary conversation, label, model, preset and menu.

`HeaderPresenter` fills it from the open conversation and carries out what the user chooses.
"""

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QFrame, QLineEdit, QMenu

from app.base import confidentiality
from app.base.confidentiality import LABELS, Label
from app.base.wording import format_size, phrase
from app.chat import answer_check, conversation_privacy
from app.chat.presets import Choices, Preset
from app.chat.services.chat_session import ChatSession
from app.chat.services.conversations import Conversations
from app.chat.services.preset_library import PresetLibrary
from app.chat.ui.collection_picker import LabelTag
from app.chat.ui.collection_selection import CollectionSelection
from app.chat.ui.transcript.transcript import Transcript
from app.inference.local_model import LocalModel
from app.models import model_registry
from app.models.services.model_library import ModelLibrary
from app.uikit import clipboard_guard
from app.uikit.localization import join_facts, sends_to_text, with_note
from app.uikit.page import Navigation, PageHeader
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import IconButton, escape_mnemonic, make_icon_button, with_icon_space
from app.uikit.widgets.containers import make_row
from app.uikit.widgets.labels import ElidedLabel, IconLabel, plain_tooltip

_KEEPING_REASONS = (Qt.FocusReason.PopupFocusReason, Qt.FocusReason.ActiveWindowFocusReason)


class TitleField(QLineEdit):
    """A field that replaces the title while it is edited. Enter or leaving accepts the new title; Esc keeps the old
    one."""

    ended = Signal(str)  # the new title; "": unchanged
    left_by_key = Signal()  # after Enter or Esc, when something else needs the focus

    def __init__(self) -> None:
        super().__init__()
        self._title = ""
        self.setAccessibleName(phrase("chat.name_of_the_conversation"))
        self.returnPressed.connect(self.finish)
        self.hide()

    def start(self, title: str) -> None:
        self._title = title
        self.setText(title)
        self.show()
        self.selectAll()
        self.setFocus()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self._end("")
        else:
            super().keyPressEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        if event.reason() not in _KEEPING_REASONS:
            self.finish()

    def finish(self) -> None:
        """Accept the text if the field is shown."""
        title = self.text().strip()
        self._end(title if title != self._title else "")

    def _end(self, title: str) -> None:
        if not self.isHidden():
            had_keyboard = self.hasFocus()
            self.hide()
            self.ended.emit(title)
            if had_keyboard:
                self.left_by_key.emit()


class TemporaryTag(QFrame):
    """The mark of a temporary conversation."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.setProperty("surface", "tag")
        make_row(
            IconLabel(theme, "message-circle-dashed", size=14),
            ElidedLabel(phrase("chat.temporary_chat_not_saved"), role="caption", tone="text2"),
            into=self,
            margins_px=(8, 3, 8, 3),
            spacing_px=6,
        )


NARROW_PX = 620  # in a narrower header, model and preset are chosen in the menu
TAG_PX = 200  # additional width that the mark of a temporary conversation needs
NAME_CHARACTERS = 28


class ChatHeader(PageHeader):
    """The widgets and menus of the header."""

    model_chosen = Signal(str)  # model id
    preset_chosen = Signal(str)  # preset id
    new_requested = Signal()
    temporary_requested = Signal()
    keep_requested = Signal()
    renamed = Signal(str)
    copy_requested = Signal()
    label_chosen = Signal(str)  # public | internal | secret

    def __init__(self, theme: Theme, navigation: Navigation) -> None:
        super().__init__(theme)
        self._navigation = navigation
        self._models: list[LocalModel] = []
        self._model: LocalModel | None = None
        self._presets: list[Preset] = []
        self._preset_id = ""
        self._has_messages = False
        self._is_temporary = False
        self._label: Label = confidentiality.DEFAULT_LABEL
        self._lowest: Label = LABELS[0]
        self.field = TitleField()
        self.tag = TemporaryTag(theme)
        self.tag.hide()
        self.label_tag = LabelTag(theme)
        self.model_button = make_icon_button(theme, "", "box")
        self.model_button.setMenu(QMenu(self.model_button))
        self.model_button.menu().aboutToShow.connect(lambda: self._fill_models(self.model_button.menu()))
        self.preset_button = make_icon_button(theme, "", "sliders-horizontal")
        self.preset_button.setMenu(QMenu(self.preset_button))
        self.preset_button.menu().aboutToShow.connect(lambda: self._fill_presets(self.preset_button.menu()))
        self.menu_button = IconButton(theme, "ellipsis", phrase("chat.more_actions"))
        self.menu_button.clicked.connect(self._show_menu)
        self.field.ended.connect(self._on_renamed)
        self._row.insertWidget(0, self.field, 1)
        for tag in (self.tag, self.label_tag):
            self._row.addWidget(tag, 0, Qt.AlignmentFlag.AlignVCenter)
        self._row.setStretchFactor(self.title, 0)
        self._row.addStretch(1)
        for button in (self.model_button, self.preset_button, self.menu_button):
            self.add_action(button)

    # -------------------------------------------------------------------- shown

    def show_conversation(self, title: str, *, has_messages: bool, is_temporary: bool) -> None:
        self.title.setText(title)
        self._has_messages, self._is_temporary = has_messages, is_temporary
        self.tag.setVisible(is_temporary)
        self._fit_width()

    def show_label(self, label: Label | None) -> None:
        """Show the label of the conversation; None hides it, when no documents are involved."""
        self.label_tag.show_label(label)

    def offer_labels(self, given: Label, lowest: Label) -> None:
        """Set what the menu offers: `given` is the stored label, `lowest` the minimum that the documents require."""
        self._label, self._lowest = confidentiality.highest_label((given, lowest)), lowest

    def show_models(self, models: list[LocalModel], model: LocalModel | None) -> None:
        """Show the model that answers, and offer all that can."""
        self._models, self._model = models, model
        name = model.name if model else phrase("common.choose_a_model")
        self.model_button.setText(with_icon_space(escape_mnemonic(_shortened(name))))
        place = model_registry.server_address(model) if model else ""
        self.model_button.setToolTip(plain_tooltip(sends_to_text(place)) if place else "")
        self.model_button.setAccessibleName(
            with_note(phrase("chat.model_name", name=name), sends_to_text(place) if place else "")
        )

    def show_presets(self, presets: list[Preset], current: Preset, *, deviates: bool) -> None:
        """Show the preset. `deviates` says that the conversation differs from it."""
        self._presets, self._preset_id = presets, current.id
        name = with_note(current.name, phrase("chat.changed")) if deviates else current.name
        self.preset_button.setText(with_icon_space(escape_mnemonic(_shortened(name))))
        self.preset_button.setAccessibleName(phrase("chat.preset_name", name=name))

    def start_renaming(self) -> None:
        if self._has_messages and not self._is_temporary:
            self.title.hide()
            self.field.start(self.title.text())

    def end_renaming(self) -> None:
        """Accept the name as it is in the field."""
        self.field.finish()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit_width()

    def _fit_width(self) -> None:
        self.model_button.setVisible(not self._is_narrow())
        self.preset_button.setVisible(not self._is_narrow())

    def _is_narrow(self) -> bool:
        return self.width() < self._theme.px(NARROW_PX + (TAG_PX if self._is_temporary else 0))

    # -------------------------------------------------------------------- menus

    def menu(self) -> QMenu:
        menu, navigation = QMenu(self), self._navigation
        if self._is_narrow():
            self._fill_models(menu.addMenu(phrase("common.batch_column.model")))
            self._fill_presets(menu.addMenu(phrase("chat.preset")))
        else:
            menu.addAction(phrase("chat.settings_of_this_conversation"), navigation.answering_requested.emit)
        menu.addSeparator()
        menu.addAction(phrase("common.new_question"), self.new_requested.emit)
        menu.addAction(phrase("common.temporary_chat"), self.temporary_requested.emit)
        menu.addAction(phrase("chat.ask_in_batch_2"), lambda: navigation.page_requested.emit("batch"))
        menu.addSeparator()
        if self._has_messages:
            if self._is_temporary:
                menu.addAction(phrase("chat.save_this_conversation"), self.keep_requested.emit)
            else:
                menu.addAction(phrase("chat.rename"), self.start_renaming)
            self._fill_labels(menu.addMenu(phrase("common.batch_column.label")))
            menu.addAction(phrase("common.export_conversations"), navigation.export_requested.emit)
            menu.addAction(phrase("chat.copy_the_conversation"), self.copy_requested.emit)
            menu.addSeparator()
        menu.addAction(phrase("common.view_log"), navigation.log_requested.emit)
        return menu

    def _show_menu(self) -> None:
        menu = self.menu()
        menu.aboutToHide.connect(menu.deleteLater)
        corner = self.menu_button.rect().bottomRight()
        menu.popup(self.menu_button.mapToGlobal(corner) - menu.rect().topRight())

    def _fill_models(self, menu: QMenu) -> None:
        menu.clear()
        for model in self._models:
            action = menu.addAction(escape_mnemonic(join_facts(model.name, self._about(model))))
            action.setCheckable(True)
            action.setChecked(model == self._model)
            action.triggered.connect(lambda _=False, model_id=model.id: self.model_chosen.emit(model_id))
        menu.addSeparator()
        menu.addAction(phrase("chat.add_a_model"), lambda: self._navigation.page_requested.emit("models"))

    def _about(self, model: LocalModel) -> str:
        if model.remote is not None:
            return sends_to_text(model_registry.server_address(model))
        if model.tuned is not None:
            base = phrase("common.base_name", name=_shortened(model.tuned.base_name))
            return with_note(phrase("common.tuned"), base)
        return format_size(model.size_bytes)

    def _fill_presets(self, menu: QMenu) -> None:
        menu.clear()
        for preset in self._presets:
            action = menu.addAction(escape_mnemonic(preset.name))
            action.setCheckable(True)
            action.setChecked(preset.id == self._preset_id)
            action.triggered.connect(lambda _=False, preset_id=preset.id: self.preset_chosen.emit(preset_id))
        menu.addSeparator()
        menu.addAction(phrase("chat.settings_of_this_conversation"), self._navigation.answering_requested.emit)
        menu.addAction(phrase("chat.edit_presets"), lambda: self._navigation.settings_requested.emit("presets"))

    def _fill_labels(self, menu: QMenu) -> None:
        menu.setToolTipsVisible(True)
        for label in LABELS:
            action = menu.addAction(phrase(f"common.label.{label}"))
            action.setCheckable(True)
            action.setChecked(label == self._label)
            if LABELS.index(label) < LABELS.index(self._lowest):
                action.setEnabled(False)
                action.setToolTip(plain_tooltip(phrase("chat.it_cannot_be_lower_than")))
            action.triggered.connect(lambda _=False, label=label: self.label_chosen.emit(label))

    def _on_renamed(self, title: str) -> None:
        self.title.show()
        if title:
            self.renamed.emit(title)


def _shortened(name: str) -> str:
    return name if len(name) <= NAME_CHARACTERS else name[: NAME_CHARACTERS - 1] + "…"


class HeaderPresenter(QObject):
    """Fills the header when the page asks for it, and carries out the user's choices."""

    def __init__(
        self,
        header: ChatHeader,
        session: ChatSession,
        conversations: Conversations,
        presets: PresetLibrary,
        library: ModelLibrary,
        scoping: CollectionSelection,
        transcript: Transcript,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._header = header
        self._session = session
        self._conversations = conversations
        self._presets = presets
        self._library = library
        self._scoping = scoping
        self._transcript = transcript
        header.model_chosen.connect(session.use_model)
        header.preset_chosen.connect(self._on_preset_chosen)
        header.new_requested.connect(self._on_new_requested)
        header.temporary_requested.connect(self._on_temporary_requested)
        header.renamed.connect(self._on_renamed)
        header.label_chosen.connect(session.give_label)
        session.answering_changed.connect(self.show_label)
        header.copy_requested.connect(self._copy_conversation)

    def _on_preset_chosen(self, preset_id: str | None) -> None:
        self._session.answer_by(preset_id, self._session.choices)

    def _on_new_requested(self) -> None:
        self._session.new()

    def _on_temporary_requested(self) -> None:
        self._session.new(is_temporary=True)

    def show_title(self) -> None:
        conversation = self._session.conversation
        self._header.show_conversation(
            conversation.title if conversation else phrase("common.new_question"),
            has_messages=conversation is not None,
            is_temporary=self._session.is_temporary,
        )
        self.show_label()

    def show_label(self) -> None:
        """Show the label of the conversation, counting all its branches, which are exported together."""
        messages, given = self._transcript.messages, self._session.label
        is_unanswered = conversation_privacy.is_unanswered(messages)
        asked = self._scoping.labels(messages, self._session.asked())
        self._header.show_label(conversation_privacy.displayed_label(given, asked, is_unanswered=is_unanswered))
        self._header.offer_labels(given, confidentiality.highest_label(asked))

    def show_models(self) -> None:
        self._header.show_models(self._library.answering(), self._session.model)

    def show_presets(self) -> None:
        deviates = self._session.choices != Choices()
        self._header.show_presets(self._presets.all("chat"), self._session.preset, deviates=deviates)

    # ------------------------------------------------------------------ private

    def _on_renamed(self, title: str) -> None:
        if self._session.conversation is not None:
            self._conversations.rename(self._session.conversation.id, title)

    def _copy_conversation(self) -> None:
        """Copy all messages as they were written, marking questions and imported answers."""
        parts = [
            (phrase("chat.question") if message.role == "question" else phrase("chat.answer"))
            + answer_check.with_imported_mark(message, message.text)
            for message in self._transcript.messages
        ]
        clipboard_guard.copy_text(self._transcript, "\n\n".join(parts))
