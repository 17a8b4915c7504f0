"""Show the section プリセット of the settings: all presets and quick actions, with buttons for their actions."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtCore import QModelIndex, QPoint, QRect, QSize, QStandardPaths, Qt
from PySide6.QtGui import QPainter, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QListView, QMenu, QStyle, QStyleOptionViewItem, QWidget

from app.base.errors import AppError
from app.base.services import background
from app.base.services.preferences import Preferences
from app.base.wording import describe_error, phrase
from app.chat.presets import KINDS, Choices, Preset, PresetFile, read_presets, write_presets
from app.chat.services.preset_library import PresetLibrary
from app.chat.ui import preset_editor
from app.chat.ui.preset_editor import PresetEditor
from app.models.catalogue import ModelCard
from app.uikit.desktop import Pickers, open_folder
from app.uikit.dialogs import Dialog, DialogButton, make_text_view, scrolled_height
from app.uikit.localization import join_facts
from app.uikit.page import NavigationSignals
from app.uikit.theme import Theme
from app.uikit.undo import UndoableAction
from app.uikit.widgets import list_rows
from app.uikit.widgets.banner import Banner
from app.uikit.widgets.buttons import Button, make_menu
from app.uikit.widgets.containers import FlowBox, make_column
from app.uikit.widgets.labels import Label
from app.uikit.widgets.list_rows import EntryListModel, EntryRole, EntryRow, Index, ThemedDelegate, group_rows

MARGIN_PX = 16


@dataclass(frozen=True, slots=True)
class PresetEntry:
    """A row of the list of presets."""

    preset: Preset
    is_default: bool = False  # True for the preset of new conversations
    is_changed: bool = False  # True for one that comes with Kotae and was changed by the user

    @property
    def note(self) -> str:
        return phrase("chat.used_for_new_conversations") if self.is_default else ""

    @property
    def summary(self) -> str:
        changed = phrase("chat.changed_2") if self.is_changed else ""
        return join_facts(changed, preset_editor.preset_summary(self.preset))


class PresetListModel(EntryListModel):
    """The presets of conversations and the quick actions, as one list under two headings."""

    def set_entries(self, entries: Sequence[PresetEntry]) -> None:
        rows = [EntryRow(entry.preset.name, entry.preset.id, entry) for entry in entries]
        chat, actions = ([row for row in rows if row.entry.preset.kind == kind] for kind in KINDS)
        self.set_rows(
            [
                *group_rows(phrase("chat.presets_of_conversations"), chat),
                *group_rows(phrase("chat.quick_actions_below_answers"), actions),
            ]
        )

    def index_of(self, key: object, start_row: int = 0) -> QModelIndex:
        """Return the index of the preset with the id `key`, or else of the preset nearest to the row `start_row`."""
        found = super().index_of(key)
        presets = [row for row in range(self.rowCount()) if self.index(row).data(EntryRole) is not None]
        return found if found.isValid() else self.index(min(presets, key=lambda row: abs(row - start_row)))

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role == Qt.ItemDataRole.ToolTipRole:
            return None
        found = super().data(index, role)
        if role == Qt.ItemDataRole.AccessibleTextRole and found is not None:
            entry: PresetEntry = index.data(EntryRole)
            return join_facts(entry.preset.name, entry.note, entry.summary)
        return found


class PresetDelegate(ThemedDelegate):
    """Paints the rows: headings, and presets with their summary."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:  # noqa: ARG002 (Qt passes it)
        theme = self._theme
        if index.data(EntryRole) is None:
            return QSize(0, theme.px(32))
        return QSize(0, theme.line_height("ui") + theme.line_height("caption") + theme.px(18))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        entry: PresetEntry | None = index.data(EntryRole)
        theme, area = self._theme, QRect(option.rect)
        painter.save()
        if entry is None:
            painter.fillRect(area, theme.color("raised"))
            line = area.adjusted(MARGIN_PX, 0, -MARGIN_PX, 0)
            list_rows.draw_text(painter, theme, line, index.data(), "caption", "text2", weight=600)
        else:
            self._paint_preset(painter, option, entry)
        painter.fillRect(QRect(area.left(), area.bottom(), area.width(), 1), theme.color("line"))
        painter.restore()

    def _paint_preset(self, painter: QPainter, option: QStyleOptionViewItem, entry: PresetEntry) -> None:
        theme, area = self._theme, QRect(option.rect)
        is_chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        list_rows.draw_row_ground(painter, theme, area, is_chosen=is_chosen, option=option)
        left, right, top = area.left() + MARGIN_PX, area.right() - MARGIN_PX, area.top() + theme.px(8)
        end = right
        if entry.is_default:
            end = list_rows.draw_badge(painter, theme, right, top, entry.note, "accent", "circle-check") - theme.px(12)
        name = QRect(left, top, end - left, theme.line_height("ui"))
        list_rows.draw_text(painter, theme, name, entry.preset.name, "ui", "text", weight=600)
        line = QRect(left, name.bottom() + 1 + theme.px(1), right - left, theme.line_height("caption"))
        list_rows.draw_text(painter, theme, line, entry.summary, "caption", "text2" if is_chosen else "muted")


LIST_HEIGHT_PX = 140  # minimum height in px
EXPORT_FILE_NAME = "kotae-presets"


def _documents_folder() -> str:
    return QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation)


class PresetsSection(QWidget):
    """Shows the list of presets with its buttons, and imports and exports presets."""

    def __init__(
        self,
        theme: Theme,
        navigation: NavigationSignals,
        preferences: Preferences,
        presets: PresetLibrary,
        card: Callable[[], ModelCard | None],
    ) -> None:
        """Build the section. `card` returns that whose recommendations the editor shows, or None."""
        super().__init__()
        self._theme = theme
        self._navigation = navigation
        self._preferences = preferences
        self._presets = presets
        self._card = card
        self._chosen_id = ""
        self._exported: Path | None = None
        self.pickers = Pickers()
        self._build()
        self.import_button.clicked.connect(self._on_import_clicked)
        self.export_button.clicked.connect(self.ask_to_export)
        self.edit_button.clicked.connect(self._edit_chosen)
        self.copy_button.clicked.connect(self._copy)
        self.use_button.clicked.connect(self._use_for_new_conversations)
        self.reset_button.clicked.connect(self._remove)
        self.delete_button.clicked.connect(self._remove)
        self.banner.action_requested.connect(self._on_folder_requested)
        self.list.activated.connect(self._edit_chosen)
        self.list.customContextMenuRequested.connect(self._show_menu)
        self.list.selectionModel().currentChanged.connect(self._on_current_changed)
        self._presets.changed.connect(self._refill)
        self._preferences.changed.connect(self._refill)
        self._theme.changed.connect(self._on_theme_changed)
        self._refill()

    def set_stacked(self, is_stacked: bool) -> None:
        """Do nothing: this section has no widgets side by side that could be stacked."""

    # ------------------------------------------------------------------- building

    def _build(self) -> None:
        sentence = phrase("chat.instructions_and_settings_for_answers")
        self.new_button = Button(self._theme, phrase("chat.new"), icon="plus")
        new_menu = QMenu(self)
        new_menu.addAction(phrase("chat.preset_for_conversations"), lambda: self._create_preset("chat"))
        new_menu.addAction(phrase("chat.quick_action"), lambda: self._create_preset("action"))
        self.new_button.setMenu(new_menu)
        self.import_button = Button(self._theme, phrase("chat.import"))
        self.export_button = Button(self._theme, phrase("chat.export"))
        self.banner = Banner(self._theme)
        self.entries = PresetListModel()
        self.list = QListView()
        list_rows.set_up_list(
            self.list, self.entries, PresetDelegate(self._theme, self.list), phrase("chat.list_of_presets")
        )
        self.list.setProperty("framed", True)
        self.list.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.list.setMinimumHeight(self._theme.px(LIST_HEIGHT_PX))
        self.edit_button = Button(self._theme, phrase("common.edit"), icon="pencil")
        self.copy_button = Button(self._theme, phrase("chat.duplicate"), icon="copy")
        self.use_button = Button(self._theme, phrase("chat.use_for_new_conversations"))
        self.reset_button = Button(self._theme, phrase("chat.reset"), icon="undo-2")
        self.delete_button = Button(self._theme, phrase("common.delete"), "danger", icon="trash-2")
        self._action_buttons = (
            self.edit_button, self.copy_button, self.use_button, self.reset_button, self.delete_button,
        )  # fmt: skip
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

    # -------------------------------------------------------------------- showing

    @property
    def chosen_preset(self) -> Preset | None:
        entry: PresetEntry | None = self.list.currentIndex().data(EntryRole)
        return entry.preset if entry is not None else None

    def _refill(self) -> None:
        chosen_id, row = self._chosen_id, self.list.currentIndex().row()
        place = self.list.verticalScrollBar().value()
        default_id = self._presets.chat_preset(self._preferences.value.preset_id).id
        self.entries.set_entries(
            [
                PresetEntry(
                    preset, preset.id == default_id, preset.is_built_in and preset != self._presets.original(preset.id)
                )
                for kind in KINDS
                for preset in self._presets.presets_of_kind(kind)
            ]
        )
        self.list.setCurrentIndex(self.entries.index_of(chosen_id, max(row, 0)))
        self.list.verticalScrollBar().setValue(place)
        self._show_actions()

    def _show_actions(self) -> None:
        """Show only the buttons that apply to the chosen preset, because a disabled button would give no reason."""
        entry: PresetEntry | None = self.list.currentIndex().data(EntryRole)
        if entry is None:
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

    def _create_preset(self, kind: str) -> None:
        self.edit(Preset("", kind, "", Choices()))

    def _edit_chosen(self) -> None:
        if self.chosen_preset is not None:
            self.edit(self.chosen_preset)

    def _copy(self) -> None:
        chosen = self.chosen_preset
        if chosen is not None:
            name = self._presets.free_name(chosen.kind, chosen.name)
            self._choose(self._presets.add(chosen.kind, name, chosen.choices, chosen.request))

    def _use_for_new_conversations(self) -> None:
        if self.chosen_preset is not None:
            self._preferences.change(preset_id=self.chosen_preset.id)
            self.list.setFocus()  # the button that had the focus is hidden now

    def _remove(self) -> None:
        """Remove one of the user's presets, or the user's changes of one that comes with Kotae, with an undo."""
        chosen = self.chosen_preset
        if chosen is None or not self._presets.remove(chosen.id):
            return
        key = "chat.name_was_reset" if chosen.is_built_in else "chat.name_was_deleted"
        action = UndoableAction(
            done=phrase(key, name=chosen.name),
            undone=phrase("common.name_is_back", name=chosen.name),
            undo=lambda: self._restore(chosen),
            redo=lambda: self._remove_again(chosen),
        )
        self._navigation.undo_offered.emit(action)
        self.list.setFocus()

    def _restore(self, preset: Preset) -> bool:
        is_done = self._presets.put(preset)
        self._choose(preset)
        return is_done

    def _remove_again(self, preset: Preset) -> None:
        self._choose(preset)
        self._remove()

    def _choose(self, preset: Preset | None) -> None:
        if preset is not None:
            self._chosen_id = preset.id
            self.list.setCurrentIndex(self.entries.index_of(preset.id))

    # ----------------------------------------------------------------------- files

    def ask_to_export(self) -> "PresetExportDialog":
        presets = [preset for kind in KINDS for preset in self._presets.presets_of_kind(kind)]
        dialog = PresetExportDialog(self._theme, presets, self._presets.own_presets(), self.window())
        return dialog.ask(lambda: self._export(dialog.marked()))

    def _export(self, presets: list[Preset]) -> None:
        start = str(Path(_documents_folder()) / EXPORT_FILE_NAME)
        kinds = phrase("chat.presets_json_all_files")
        if path := self.pickers.save(self.window(), phrase("chat.export_presets_to"), start, kinds):
            target = Path(path)
            background.run(
                lambda: write_presets(target, presets),
                functools.partial(self._on_exported, target, len(presets)),
                self.banner.show_error,
            )

    def _on_exported(self, path: Path, count: int, _written: None) -> None:
        self._exported = path
        what = phrase("chat.presets_exported_n", n=count)
        self.banner.show_message("success", what, str(path), (("folder", phrase("common.open_the_folder")),))

    def _on_folder_requested(self) -> None:
        if self._exported is not None:
            open_folder(self._exported.parent)

    def _on_import_clicked(self) -> None:
        title, kinds = phrase("chat.choose_a_preset_file"), phrase("chat.presets_json_all_files")
        if path := self.pickers.open(self.window(), title, _documents_folder(), kinds):
            background.run(lambda: read_presets(Path(path)), self._on_read, self.banner.show_error)

    def _on_read(self, contents: PresetFile) -> None:
        self.banner.hide()
        added = self._presets.add_all(contents.presets)
        if added:
            self._choose(added[0])
            self._offer_undo_of_import(added)
        if contents.problems:
            preset_import_dialog(self._theme, len(added), contents.problems, self.window()).open()

    def _offer_undo_of_import(self, added: list[Preset]) -> None:
        def undo() -> bool:
            results = [self._presets.remove(preset.id) for preset in added]
            return all(results)

        def redo() -> None:
            results = [self._presets.put(preset) for preset in added]
            if all(results):
                self._offer_undo_of_import(added)

        done = phrase("chat.presets_imported_n", n=len(added))
        undone = phrase("chat.presets_taken_out_n", n=len(added))
        self._navigation.undo_offered.emit(UndoableAction(done=done, undone=undone, undo=undo, redo=redo))

    # ---------------------------------------------------------------------- events

    def _on_current_changed(self, _current: QModelIndex, _previous: QModelIndex) -> None:
        if self.chosen_preset is not None:
            self._chosen_id = self.chosen_preset.id
        self._show_actions()

    def _show_menu(self, position: QPoint) -> None:
        """Show a context menu with the same actions as the buttons. `position` is in coordinates of the list."""
        menu = make_menu(self)
        for button in self._action_buttons:
            if not button.isHidden():
                menu.addAction(button.text(), button.click)
        menu.popup(self.list.viewport().mapToGlobal(position))

    def _on_theme_changed(self) -> None:
        self.list.setMinimumHeight(self._theme.px(LIST_HEIGHT_PX))
        self.list.scheduleDelayedItemsLayout()


LIST_PX = 240


class PresetExportDialog(Dialog):
    """Lets the user choose the presets to export. At first those of `chosen_presets` are checked."""

    def __init__(
        self, theme: Theme, presets: Sequence[Preset], chosen_presets: Sequence[Preset], parent: QWidget
    ) -> None:
        items = QStandardItemModel()
        for preset in presets:
            item = QStandardItem(preset.name)
            item.setCheckable(True)
            item.setEditable(False)
            item.setCheckState(Qt.CheckState.Checked if preset in chosen_presets else Qt.CheckState.Unchecked)
            items.appendRow(item)
        view = QListView()
        view.setModel(items)
        view.setProperty("framed", True)
        view.setAccessibleName(phrase("chat.presets_to_export"))
        view.setSpacing(2)
        view.setFixedHeight(scrolled_height(theme, parent, theme.px(LIST_PX)))
        view.setCurrentIndex(items.index(0, 0))
        question = phrase("chat.which_presets_should_be_exported")
        body = phrase("chat.instructions_and_settings_go_into")
        cancel, export = phrase("common.cancel"), phrase("chat.export")
        buttons = (DialogButton("cancel", cancel), DialogButton("export", export, "primary"))
        super().__init__(theme, question, body, buttons, parent, content=view)
        self._presets = presets
        self.items = items
        self.items.itemChanged.connect(self._on_item_changed)
        self._on_item_changed()

    def marked(self) -> list[Preset]:
        rows = range(self.items.rowCount())
        return [self._presets[row] for row in rows if self.items.item(row).checkState() == Qt.CheckState.Checked]

    def _on_item_changed(self) -> None:
        self.buttons["export"].setEnabled(bool(self.marked()))


def preset_import_dialog(theme: Theme, added: int, problems: Sequence[AppError], parent: QWidget) -> Dialog:
    """Return a dialog that lists the entries of a file that could not be read, each with its number and the reason."""
    lines = "\n".join(describe_error(problem).message for problem in problems)
    height_px = scrolled_height(theme, parent, theme.px(LIST_PX))
    return Dialog(
        theme,
        phrase("chat.some_presets_could_not_be"),
        phrase("chat.added_were_imported_correct_these", added=added, refused=len(problems)),
        parent=parent,
        icon=("triangle-alert", "warning"),
        content=make_text_view(lines, phrase("chat.what_could_not_be_imported"), height_px),
    )
