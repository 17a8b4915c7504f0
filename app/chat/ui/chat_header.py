"""Show the header of the page 質問: title, mark of a temporary conversation, label, model, preset and menu."""

import dataclasses
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction, QFocusEvent, QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QFrame, QLineEdit, QMenu

from app.base import confidentiality
from app.base.confidentiality import LABELS, Label
from app.base.wording import format_size, phrase, shorten
from app.chat import answer_check, conversation_privacy
from app.chat.presets import Choices
from app.chat.services.chat_session import ChatSession
from app.chat.services.conversations import Conversations
from app.chat.services.preset_library import PresetLibrary
from app.chat.ui.collection_picker import LabelTag
from app.chat.ui.collection_selection import CollectionSelection
from app.chat.ui.conversations import conversation_actions
from app.chat.ui.transcript.transcript import Transcript
from app.inference.local_model import LocalModel
from app.models import model_registry
from app.models.services.model_library import ModelLibrary
from app.uikit import clipboard_guard
from app.uikit.localization import join_facts, sending_note, with_note
from app.uikit.page import NavigationSignals, PageHeader
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import (
    Button,
    IconButton,
    escape_mnemonic,
    make_icon_button,
    make_menu,
    pop_up,
    with_icon_space,
)
from app.uikit.widgets.containers import make_row
from app.uikit.widgets.labels import ElidedLabel, IconLabel, plain_tooltip

_KEEPING_REASONS = (Qt.FocusReason.PopupFocusReason, Qt.FocusReason.ActiveWindowFocusReason)


class TitleField(QLineEdit):
    """A field for a new title in place of the old. Enter or leaving the field accepts it; Esc keeps the old one."""

    ended = Signal(str)  # the new title; "": unchanged
    left_by_key = Signal()  # Enter or Esc has closed the field, so something else needs the focus

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
            self._close("")
        else:
            super().keyPressEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        if event.reason() not in _KEEPING_REASONS:
            self.finish()

    def finish(self) -> None:
        """Accept the text and hide the field, if it is shown."""
        title = self.text().strip()
        self._close(title if title != self._title else "")

    def _close(self, title: str) -> None:
        """Hide the field, if it is shown, and emit `ended` with the new title; "": unchanged."""
        if not self.isHidden():
            had_keyboard = self.hasFocus()
            self.hide()
            self.ended.emit(title)
            if had_keyboard:
                self.left_by_key.emit()


NARROW_PX = 620  # width in px; in a narrower header, model and preset are chosen in the menu
TAG_PX = 200  # additional width in px that the mark of a temporary conversation needs
NAME_CHARACTERS = 28


class ChatHeader(PageHeader):
    """Shows title, label, model and preset of the open conversation. The page calls the `show_` methods."""

    keep_requested = Signal()  # the user wants to store the temporary conversation

    def __init__(
        self,
        theme: Theme,
        navigation: NavigationSignals,
        session: ChatSession,
        conversations: Conversations,
        presets: PresetLibrary,
        library: ModelLibrary,
        scoping: CollectionSelection,
        transcript: Transcript,
    ) -> None:
        super().__init__(theme)
        self._navigation = navigation
        self._session = session
        self._conversations = conversations
        self._presets = presets
        self._library = library
        self._scoping = scoping
        self._transcript = transcript
        self.field = TitleField()
        self.field.ended.connect(self._on_renamed)
        self.tag = _temporary_tag(theme)
        self.label_tag = LabelTag(theme)
        self.model_button = self._menu_button("box", self._fill_models)
        self.preset_button = self._menu_button("sliders-horizontal", self._fill_presets)
        self.menu_button = IconButton(theme, "ellipsis", phrase("chat.more_actions"))
        self.menu_button.clicked.connect(lambda: pop_up(self.menu(), self.menu_button))
        self._row.insertWidget(0, self.field, 1)
        for tag in (self.tag, self.label_tag):
            self._row.addWidget(tag, 0, Qt.AlignmentFlag.AlignVCenter)
        self._row.setStretchFactor(self.title, 0)
        self._row.addStretch(1)
        for button in (self.model_button, self.preset_button, self.menu_button):
            self.add_action(button)
        session.answer_settings_changed.connect(self.show_label)

    # -------------------------------------------------------------------- shown

    def show_title(self) -> None:
        conversation = self._session.conversation
        self.title.setText(conversation.title if conversation else phrase("common.new_question"))
        self.tag.setVisible(self._session.is_temporary)
        self._fit_width()
        self.show_label()

    def show_label(self) -> None:
        """Show the label of the conversation, computed from all its branches, which are exported together."""
        messages = self._transcript.messages
        is_unanswered = conversation_privacy.is_unanswered(messages)
        asked = self._labels_of_documents()
        self.label_tag.show_label(
            conversation_privacy.displayed_label(self._session.label, asked, is_unanswered=is_unanswered)
        )

    def show_models(self) -> None:
        model = self._session.model
        name = model.name if model else phrase("common.choose_a_model")
        self.model_button.setText(with_icon_space(escape_mnemonic(shorten(name, NAME_CHARACTERS))))
        place = model_registry.server_address(model) if model else ""
        note = sending_note(place) if place else ""
        self.model_button.setToolTip(plain_tooltip(note))
        self.model_button.setAccessibleName(with_note(phrase("chat.model_name", name=name), note))

    def show_presets(self) -> None:
        name = self._session.preset.name
        if dataclasses.replace(self._session.choices, thought_tokens=None) != Choices():  # those stand at the field
            name = with_note(name, phrase("chat.changed"))
        self.preset_button.setText(with_icon_space(escape_mnemonic(shorten(name, NAME_CHARACTERS))))
        self.preset_button.setAccessibleName(phrase("chat.preset_name", name=name))

    def start_renaming(self) -> None:
        if self._session.conversation is not None and not self._session.is_temporary:
            self.title.hide()
            self.field.start(self.title.text())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit_width()

    def _fit_width(self) -> None:
        self.model_button.setVisible(not self._is_narrow())
        self.preset_button.setVisible(not self._is_narrow())

    def _is_narrow(self) -> bool:
        return self.width() < self._theme.px(NARROW_PX + (TAG_PX if self._session.is_temporary else 0))

    def _labels_of_documents(self) -> list[Label]:
        return self._scoping.labels(self._transcript.messages, self._session.referenced_collections())

    # -------------------------------------------------------------------- menus

    def menu(self) -> QMenu:
        menu, navigation, session = make_menu(self), self._navigation, self._session
        if self._is_narrow():
            self._fill_models(menu.addMenu(phrase("common.batch_column.model")))
            self._fill_presets(menu.addMenu(phrase("chat.preset")))
        else:
            menu.addAction(phrase("chat.settings_of_this_conversation"), navigation.answer_settings_requested.emit)
        menu.addSeparator()
        menu.addAction(phrase("common.new_question"), lambda: session.open_new())
        menu.addAction(phrase("common.temporary_chat"), lambda: session.open_new(is_temporary=True))
        menu.addAction(phrase("chat.ask_in_batch_2"), lambda: navigation.page_requested.emit("batch"))
        menu.addSeparator()
        if session.conversation is not None:
            if session.is_temporary:
                menu.addAction(phrase("chat.save_this_conversation"), self.keep_requested.emit)
            else:
                menu.addAction(phrase("chat.rename"), self.start_renaming)
            self._fill_labels(menu.addMenu(phrase("common.batch_column.label")))
            menu.addAction(phrase("common.export_conversations"), navigation.export_requested.emit)
            menu.addAction(phrase("chat.copy_the_conversation"), self._copy_conversation)
            menu.addSeparator()
        menu.addAction(phrase("common.view_log"), navigation.log_requested.emit)
        return menu

    def _menu_button(self, icon: str, fill: Callable[[QMenu], None]) -> Button:
        button = make_icon_button(self._theme, "", icon)
        menu = QMenu(button)
        menu.aboutToShow.connect(lambda: fill(menu))
        button.setMenu(menu)
        return button

    def _fill_models(self, menu: QMenu) -> None:
        menu.clear()
        for model in self._library.answering():
            words = join_facts(model.name, _about(model))
            _add_choice(menu, words, model.id == self._session.model_id, self._session.use_model, model.id)
        menu.addSeparator()
        menu.addAction(phrase("chat.add_a_model"), lambda: self._navigation.page_requested.emit("models"))

    def _fill_presets(self, menu: QMenu) -> None:
        menu.clear()
        current_id = self._session.preset.id

        def choose(preset_id: str) -> None:
            self._session.answer_by(preset_id, self._session.choices)

        for preset in self._presets.presets_of_kind("chat"):
            _add_choice(menu, preset.name, preset.id == current_id, choose, preset.id)
        menu.addSeparator()
        menu.addAction(phrase("chat.settings_of_this_conversation"), self._navigation.answer_settings_requested.emit)
        menu.addAction(phrase("chat.edit_presets"), lambda: self._navigation.settings_requested.emit("presets"))

    def _fill_labels(self, menu: QMenu) -> None:
        menu.setToolTipsVisible(True)
        lowest = confidentiality.highest_label(self._labels_of_documents())
        current = confidentiality.highest_label((self._session.label, lowest))
        for label in LABELS:
            words = phrase(f"common.label.{label}")
            action = _add_choice(menu, words, label == current, self._session.give_label, label)
            if LABELS.index(label) < LABELS.index(lowest):
                action.setEnabled(False)
                action.setToolTip(plain_tooltip(phrase("chat.it_cannot_be_lower_than")))

    # ------------------------------------------------------------------ chosen

    def _on_renamed(self, title: str) -> None:
        self.title.show()
        if title and self._session.conversation is not None:
            offer = self._navigation.undo_offered.emit
            conversation_actions.rename(self._conversations, self._session.conversation, title, offer)

    def _copy_conversation(self) -> None:
        """Copy all messages of the shown branch as they were written, with marks for questions and imported answers."""
        self._session.read_earlier()
        parts = [
            (phrase("chat.question") if message.role == "question" else phrase("chat.answer"))
            + answer_check.with_origin_marks(message, message.text)
            for message in self._transcript.messages
        ]
        clipboard_guard.copy_text(self._transcript, "\n\n".join(parts))


def _temporary_tag(theme: Theme) -> QFrame:
    """Return the mark of a temporary conversation."""
    tag = QFrame()
    tag.setProperty("surface", "tag")
    words = ElidedLabel(phrase("chat.temporary_chat_not_saved"), role="caption", tone="text2")
    make_row(IconLabel(theme, "message-circle-dashed", size=14), words, into=tag, margins_px=(8, 3, 8, 3), spacing_px=6)
    tag.hide()
    return tag


def _add_choice(menu: QMenu, words: str, is_chosen: bool, choose: Callable[[Any], object], key: str) -> QAction:
    """Add a checkable entry to a menu. When the user picks it, `choose` is called with `key`."""
    action = menu.addAction(escape_mnemonic(words))
    action.setCheckable(True)
    action.setChecked(is_chosen)
    action.triggered.connect(lambda: choose(key))
    return action


def _about(model: LocalModel) -> str:
    if model.remote is not None:
        return sending_note(model_registry.server_address(model))
    if model.tuned is not None:
        base = phrase("common.base_name", name=shorten(model.tuned.base_name, NAME_CHARACTERS))
        return with_note(phrase("common.tuned"), base)
    return format_size(model.size_bytes)
