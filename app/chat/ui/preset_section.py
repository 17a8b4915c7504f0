"""The section プリセット of the settings: all presets and quick actions in one list, and what can be done with them."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, QPoint, QRect, QSize, Qt
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QListView, QMenu, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from app.base.errors import AppError
from app.base.services import background
from app.base.services.preferences import Preferences
from app.base.wording import describe_error, phrase
from app.chat import preset_files
from app.chat.presets import Choices, Preset
from app.chat.services.preset_library import PresetLibrary
from app.chat.ui import preset_editor, preset_file_dialogs
from app.chat.ui.preset_editor import PresetEditor
from app.models.catalogue import ModelCard
from app.uikit.desktop import open_folder
from app.uikit.localization import join_facts
from app.uikit.page import Navigation
from app.uikit.theme import Theme
from app.uikit.widgets import list_rows
from app.uikit.widgets.banner import Banner
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import FlowBox, make_column
from app.uikit.widgets.labels import Label

EntryRole = Qt.ItemDataRole.UserRole + 1
MARGIN_PX = 16

Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True, slots=True)
class PresetEntry:
    """A row of the list: a preset, or a heading (None)."""

    title: str
    preset: Preset | None = None
    is_default: bool = False  # used for new conversations
    is_changed: bool = False  # comes with Kotae and was changed by the user


class PresetListModel(QAbstractListModel):
    """The presets of conversations and the quick actions, as one list under two headings."""

    def __init__(self) -> None:
        super().__init__()
        self._entries: list[PresetEntry] = []

    def set_entries(self, chat: Sequence[PresetEntry], actions: Sequence[PresetEntry]) -> None:
        self.beginResetModel()
        self._entries = [
            PresetEntry(phrase("chat.presets_of_conversations")), *chat,
            PresetEntry(phrase("chat.quick_actions_below_answers")), *actions,
        ]  # fmt: skip
        self.endResetModel()

    def entry(self, index: Index) -> PresetEntry | None:
        return self._entries[index.row()] if index.isValid() else None

    def index_of(self, preset_id: str, near: int = 0) -> QModelIndex:
        """Return the row of that preset, or else of the preset nearest to the row `near`."""
        presets = {row: entry.preset for row, entry in enumerate(self._entries) if entry.preset is not None}
        same = (row for row, preset in presets.items() if preset.id == preset_id)
        return self.index(next(same, min(presets, key=lambda row: abs(row - near))))

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 (Qt's signature)
        return 0 if parent.isValid() else len(self._entries)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        entry = self._entries[index.row()]
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return join_facts(entry.title, self.note(entry), self.summary(entry))
        if role == Qt.ItemDataRole.DisplayRole:
            return entry.title
        return entry if role == EntryRole else None

    def flags(self, index: Index) -> Qt.ItemFlag:
        if self._entries[index.row()].preset is None:
            return Qt.ItemFlag.NoItemFlags
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable

    def note(self, entry: PresetEntry) -> str:
        return phrase("chat.used_for_new_conversations") if entry.is_default else ""

    def summary(self, entry: PresetEntry) -> str:
        if entry.preset is None:
            return ""
        changed = phrase("chat.changed_2") if entry.is_changed else ""
        return join_facts(changed, preset_editor.preset_summary(entry.preset))


class PresetDelegate(QStyledItemDelegate):
    """Paints the rows: headings, and presets with their summary."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:  # noqa: ARG002 (Qt passes it)
        theme = self._theme
        if index.data(EntryRole).preset is None:
            return QSize(0, theme.px(32))
        return QSize(0, theme.line_height("ui") + theme.line_height("caption") + theme.px(18))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        entry: PresetEntry = index.data(EntryRole)
        theme, area = self._theme, QRect(option.rect)
        painter.save()
        if entry.preset is None:
            painter.fillRect(area, theme.color("raised"))
            line = area.adjusted(MARGIN_PX, 0, -MARGIN_PX, 0)
            list_rows.draw_text(painter, theme, line, entry.title, "caption", "text2", weight=600)
        else:
            self._paint_preset(painter, option, index, entry)
        painter.fillRect(QRect(area.left(), area.bottom(), area.width(), 1), theme.color("line"))
        painter.restore()

    def _paint_preset(self, painter: QPainter, option: QStyleOptionViewItem, index: Index, entry: PresetEntry) -> None:
        theme, area = self._theme, QRect(option.rect)
        model = index.model()
        assert isinstance(model, PresetListModel)
        is_chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        list_rows.draw_row_ground(painter, theme, area, is_chosen=is_chosen, option=option)
        left, right, top = area.left() + MARGIN_PX, area.right() - MARGIN_PX, area.top() + theme.px(8)
        end = right
        if note := model.note(entry):
            end = list_rows.draw_badge(painter, theme, right, top, note, "accent", "circle-check") - theme.px(12)
        name = QRect(left, top, end - left, theme.line_height("ui"))
        list_rows.draw_text(painter, theme, name, entry.title, "ui", "text", weight=600)
        line = QRect(left, name.bottom() + 1 + theme.px(1), right - left, theme.line_height("caption"))
        list_rows.draw_text(painter, theme, line, model.summary(entry), "caption", "text2" if is_chosen else "muted")


LIST_HEIGHT_PX = 140  # minimum


class PresetsSection(QWidget):
    """The list with its buttons, import and export."""

    def __init__(
        self,
        theme: Theme,
        navigation: Navigation,
        preferences: Preferences,
        presets: PresetLibrary,
        card: Callable[[], ModelCard | None],
    ) -> None:
        """`card` returns the card of the model that answers now, for its recommendations."""
        super().__init__()
        self._theme = theme
        self._navigation = navigation
        self._preferences = preferences
        self._presets = presets
        self._card = card
        self._chosen_id = ""
        self._exported: Path | None = None
        self.choose_source = preset_file_dialogs.choose_import_path  # attributes, because both open a system dialog
        self.choose_target = preset_file_dialogs.choose_export_path
        self._build()
        self._connect()
        self._refill()

    def set_stacked(self, is_stacked: bool) -> None:
        """Do nothing: no widget of this section is next to another."""

    # ------------------------------------------------------------------- building

    def _build(self) -> None:
        sentence = phrase("chat.instructions_and_settings_for_answers")
        self.new_button = Button(self._theme, phrase("chat.new"), icon="plus")
        self.new_button.setMenu(self._new_menu())
        self.import_button = Button(self._theme, phrase("chat.import"))
        self.export_button = Button(self._theme, phrase("chat.export"))
        self.banner = Banner(self._theme)
        self.entries = PresetListModel()
        self.list = self._build_list()
        self.edit_button = Button(self._theme, phrase("common.edit"), icon="pencil")
        self.copy_button = Button(self._theme, phrase("chat.duplicate"), icon="copy")
        self.use_button = Button(self._theme, phrase("chat.use_for_new_conversations"))
        self.reset_button = Button(self._theme, phrase("chat.reset"), icon="undo-2")
        self.delete_button = Button(self._theme, phrase("common.delete"), "danger", icon="trash-2")
        self._action_buttons = (
            self.edit_button,
            self.copy_button,
            self.use_button,
            self.reset_button,
            self.delete_button,
        )
        make_column(
            Label(phrase("common.presets"), "heading2"),
            Label(sentence, "caption", "muted", wraps=True),
            self.banner,
            FlowBox(self.new_button, self.import_button, self.export_button),
            (self.list, 1),
            FlowBox(*self._action_buttons),
            into=self,
            margins_px=(32, 24, 32, 24),
            spacing_px=12,
        )

    def _new_menu(self) -> QMenu:
        self._menu = QMenu(self)
        self._menu.addAction(phrase("chat.preset_for_conversations"), lambda: self._new("chat"))
        self._menu.addAction(phrase("chat.quick_action"), lambda: self._new("action"))
        return self._menu

    def _build_list(self) -> QListView:
        view = QListView()
        view.setModel(self.entries)
        view.setItemDelegate(PresetDelegate(self._theme, view))
        view.setProperty("framed", True)
        view.setAccessibleName(phrase("chat.list_of_presets"))
        view.setEditTriggers(QListView.EditTrigger.NoEditTriggers)
        view.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        view.setMouseTracking(True)
        view.setMinimumHeight(self._theme.px(LIST_HEIGHT_PX))
        return view

    def _connect(self) -> None:
        self.import_button.clicked.connect(self._on_import_clicked)
        self.export_button.clicked.connect(lambda: self.export_dialog().open())
        self.edit_button.clicked.connect(self._edit_chosen)
        self.copy_button.clicked.connect(self._copy)
        self.use_button.clicked.connect(self._use)
        self.reset_button.clicked.connect(self._remove)
        self.delete_button.clicked.connect(self._remove)
        self.banner.action_requested.connect(self._on_folder_requested)
        self.list.activated.connect(self._edit_chosen)
        self.list.customContextMenuRequested.connect(self._show_menu)
        self.list.selectionModel().currentChanged.connect(self._on_current_changed)
        self._presets.changed.connect(self._refill)
        self._preferences.changed.connect(self._refill)
        self._theme.changed.connect(self._on_theme_changed)

    # -------------------------------------------------------------------- showing

    @property
    def chosen(self) -> Preset | None:
        entry = self.entries.entry(self.list.currentIndex())
        return entry.preset if entry is not None else None

    def _refill(self) -> None:
        chosen_id, row = self._chosen_id, self.list.currentIndex().row()
        place = self.list.verticalScrollBar().value()
        default_id = self._presets.chat_preset(self._preferences.value.preset_id).id
        chat, actions = (
            [
                PresetEntry(preset.name, preset, preset.id == default_id, self._is_changed(preset))
                for preset in self._presets.all(kind)
            ]
            for kind in ("chat", "action")
        )
        self.entries.set_entries(chat, actions)
        self.list.setCurrentIndex(self.entries.index_of(chosen_id, max(row, 0)))
        self.list.verticalScrollBar().setValue(place)
        self._show_actions()

    def _is_changed(self, preset: Preset) -> bool:
        return preset.is_built_in and preset != self._presets.original(preset.id)

    def _show_actions(self) -> None:
        """Show the buttons that apply to the chosen preset; a disabled button would give no reason."""
        entry = self.entries.entry(self.list.currentIndex())
        if entry is None or entry.preset is None:
            return
        self.use_button.setVisible(entry.preset.kind == "chat" and not entry.is_default)
        self.reset_button.setVisible(entry.is_changed)
        self.delete_button.setVisible(not entry.preset.is_built_in)

    # -------------------------------------------------------------------- actions

    def edit(self, preset: Preset) -> PresetEditor:
        """Open the editor of a preset."""
        details = self._preferences.value.shows_details
        self.editor = PresetEditor(
            self._theme, self._presets, preset, self._card(), shows_details=details, parent=self.window()
        )
        self.editor.saved.connect(self._choose)
        self.editor.open()
        return self.editor

    def _new(self, kind: str) -> None:
        self.edit(Preset("", kind, "", Choices()))

    def _edit_chosen(self) -> None:
        if self.chosen is not None:
            self.edit(self.chosen)

    def _copy(self) -> None:
        chosen = self.chosen
        if chosen is not None:
            name = self._presets.free_name(chosen.kind, chosen.name)
            self._choose(self._presets.add(chosen.kind, name, chosen.choices, chosen.request))

    def _use(self) -> None:
        if self.chosen is not None:
            self._preferences.change(preset_id=self.chosen.id)
            self.list.setFocus()  # the button that had the focus is hidden now

    def _remove(self) -> None:
        """Remove the user's preset, or the user's changes of one that comes with Kotae."""
        chosen = self.chosen
        if chosen is None or not self._presets.remove(chosen.id):
            return
        words = phrase("chat.name_was_reset") if chosen.is_built_in else phrase("chat.name_was_deleted")
        self._navigation.undo_offered.emit(words.format(name=chosen.name), lambda: self._restore(chosen))
        self.list.setFocus()

    def _restore(self, preset: Preset) -> None:
        self._presets.put(preset)
        self._choose(preset)

    def _choose(self, preset: Preset | None) -> None:
        if preset is not None:
            self._chosen_id = preset.id
            self.list.setCurrentIndex(self.entries.index_of(preset.id))

    # ----------------------------------------------------------------------- files

    def export_dialog(self) -> preset_file_dialogs.PresetExportDialog:
        presets = [preset for kind in ("chat", "action") for preset in self._presets.all(kind)]
        own = [preset for preset in presets if not preset.is_built_in or self._is_changed(preset)]
        dialog = preset_file_dialogs.PresetExportDialog(self._theme, presets, own, self.window())
        dialog.chosen.connect(lambda key: self._export(dialog.marked()) if key == "export" else None)
        return dialog

    def _export(self, presets: list[Preset]) -> None:
        path = self.choose_target(self.window())
        if path:
            target = Path(path)
            background.run(
                lambda: preset_files.write(target, presets),
                functools.partial(self._on_exported, target, len(presets)),
                self._on_failed,
            )

    def _on_exported(self, path: Path, count: int, _written: None) -> None:
        self._exported = path
        what = phrase("chat.presets_exported_n", n=count)
        self.banner.show_message("success", what, str(path), (("folder", phrase("common.open_the_folder")),))

    def _on_folder_requested(self) -> None:
        if self._exported is not None:
            open_folder(self._exported.parent)

    def _on_import_clicked(self) -> None:
        path = self.choose_source(self.window())
        if path:
            background.run(lambda: preset_files.read(Path(path)), self._on_read, self._on_failed)

    def _on_read(self, contents: preset_files.PresetFile) -> None:
        self.banner.hide()
        added = self._presets.add_all(contents.presets)
        if added:
            self._choose(added[0])
            words = phrase("chat.presets_imported_n", n=len(added))
            self._navigation.undo_offered.emit(words, lambda: self._remove_all(added))
        if contents.problems:
            preset_file_dialogs.preset_import_dialog(self._theme, len(added), contents.problems, self.window()).open()

    def _remove_all(self, presets: list[Preset]) -> None:
        for preset in presets:
            self._presets.remove(preset.id)

    def _on_failed(self, error: AppError) -> None:
        sentence = describe_error(error)
        self.banner.show_message("danger", sentence.message, sentence.next)

    # ----------------------------------------------------------------------- slots

    def _on_current_changed(self, _current: QModelIndex, _previous: QModelIndex) -> None:
        if self.chosen is not None:
            self._chosen_id = self.chosen.id
        self._show_actions()

    def _show_menu(self, place: QPoint) -> None:
        """Show the actions of the buttons as a context menu."""
        menu = QMenu(self)
        menu.aboutToHide.connect(menu.deleteLater)
        for button in self._action_buttons:
            if not button.isHidden():
                menu.addAction(button.text(), button.click)
        menu.popup(self.list.viewport().mapToGlobal(place))

    def _on_theme_changed(self) -> None:
        self.list.setMinimumHeight(self._theme.px(LIST_HEIGHT_PX))
        self.list.scheduleDelayedItemsLayout()
