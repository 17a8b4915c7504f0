"""The section プリセット of the settings: all presets, and what can be done with them."""

import functools
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QModelIndex, QPoint, Qt
from PySide6.QtWidgets import QListView, QMenu, QVBoxLayout, QWidget

from app.base.errors import AppError
from app.base.services import background
from app.base.services.preferences import Preferences
from app.base.wording import describe_error, phrase
from app.chat import preset_files
from app.chat.presets import Choices, Preset
from app.chat.services.presets import Presets
from app.chat.ui.presets import files
from app.chat.ui.presets.editor import PresetEditor
from app.chat.ui.presets.entries import Entry, PresetDelegate, PresetList
from app.models.catalogue import ModelCard
from app.uikit.desktop import open_folder
from app.uikit.page import Navigation
from app.uikit.theme import Theme
from app.uikit.widgets.banner import Banner
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import FlowBox
from app.uikit.widgets.labels import Label

LIST_HEIGHT_PX = 140  # at least


class PresetsSection(QWidget):
    def __init__(
        self,
        theme: Theme,
        navigation: Navigation,
        preferences: Preferences,
        presets: Presets,
        card: Callable[[], ModelCard | None],
    ) -> None:
        """`card`: of the model that answers now, for what it recommends."""
        super().__init__()
        self._theme = theme
        self._navigation = navigation
        self._preferences = preferences
        self._presets = presets
        self._card = card
        self._chosen_id = ""
        self._exported: Path | None = None
        self.choose_source = files.choose_source  # both open a dialog of the system
        self.choose_target = files.choose_target
        self._build()
        self._connect()
        self._refill()

    def set_stacked(self, is_stacked: bool) -> None:
        """Nothing here stands beside anything."""

    # ------------------------------------------------------------------- building

    def _build(self) -> None:
        sentence = phrase("chat.instructions_and_settings_for_answers")
        self.new_button = Button(self._theme, phrase("chat.new"), icon="plus")
        self.new_button.setMenu(self._new_menu())
        self.import_button = Button(self._theme, phrase("chat.import"))
        self.export_button = Button(self._theme, phrase("chat.export"))
        self.banner = Banner(self._theme)
        self.entries = PresetList()
        self.list = self._build_list()
        self.edit_button = Button(self._theme, phrase("common.edit"), icon="pencil")
        self.copy_button = Button(self._theme, phrase("chat.duplicate"), icon="copy")
        self.use_button = Button(self._theme, phrase("chat.use_for_new_conversations"))
        self.reset_button = Button(self._theme, phrase("chat.reset"), icon="undo-2")
        self.delete_button = Button(self._theme, phrase("common.delete"), "danger", icon="trash-2")
        self._deeds = (self.edit_button, self.copy_button, self.use_button, self.reset_button, self.delete_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(32, 24, 32, 24)
        column.setSpacing(12)
        column.addWidget(Label(phrase("common.presets"), "heading2"))
        column.addWidget(Label(sentence, "caption", "muted", wraps=True))
        column.addWidget(self.banner)
        column.addWidget(FlowBox(self.new_button, self.import_button, self.export_button))
        column.addWidget(self.list, 1)
        column.addWidget(FlowBox(*self._deeds))

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
                Entry(preset.name, preset, preset.id == default_id, self._is_changed(preset))
                for preset in self._presets.all(kind)
            ]
            for kind in ("chat", "action")
        )
        self.entries.set_entries(chat, actions)
        self.list.setCurrentIndex(self.entries.index_of(chosen_id, max(row, 0)))
        self.list.verticalScrollBar().setValue(place)
        self._show_deeds()

    def _is_changed(self, preset: Preset) -> bool:
        return preset.is_built_in and preset != self._presets.original(preset.id)

    def _show_deeds(self) -> None:
        """What can be done with the chosen one; the rest would be greyed out without a reason beside it."""
        entry = self.entries.entry(self.list.currentIndex())
        if entry is None or entry.preset is None:
            return
        self.use_button.setVisible(entry.preset.kind == "chat" and not entry.is_default)
        self.reset_button.setVisible(entry.is_changed)
        self.delete_button.setVisible(not entry.preset.is_built_in)

    # ------------------------------------------------------------------- the deeds

    def edit(self, preset: Preset) -> PresetEditor:
        """Opens the editor."""
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
            self.list.setFocus()  # the button that had the keyboard is gone

    def _remove(self) -> None:
        """Forgets the user's own, or what was changed of one that came with Kotae."""
        chosen = self.chosen
        if chosen is None or not self._presets.remove(chosen.id):
            return
        words = phrase("chat.name_was_reset") if chosen.is_built_in else phrase("chat.name_was_deleted")
        self._navigation.undo_offered.emit(words.format(name=chosen.name), lambda: self._put_back(chosen))
        self.list.setFocus()

    def _put_back(self, preset: Preset) -> None:
        self._presets.put(preset)
        self._choose(preset)

    def _choose(self, preset: Preset | None) -> None:
        if preset is not None:
            self._chosen_id = preset.id
            self.list.setCurrentIndex(self.entries.index_of(preset.id))

    # ----------------------------------------------------------------------- files

    def export_dialog(self) -> files.ExportDialog:
        presets = [preset for kind in ("chat", "action") for preset in self._presets.all(kind)]
        own = [preset for preset in presets if not preset.is_built_in or self._is_changed(preset)]
        dialog = files.ExportDialog(self._theme, presets, own, self.window())
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

    def _on_read(self, contents: preset_files.Contents) -> None:
        self.banner.hide()
        added = self._presets.add_all(contents.presets)
        if added:
            self._choose(added[0])
            words = phrase("chat.presets_imported_n", n=len(added))
            self._navigation.undo_offered.emit(words, lambda: self._remove_all(added))
        if contents.problems:
            files.report(self._theme, len(added), contents.problems, self.window()).open()

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
        self._show_deeds()

    def _show_menu(self, place: QPoint) -> None:
        """The buttons once more, under the mouse."""
        menu = QMenu(self)
        menu.aboutToHide.connect(menu.deleteLater)
        for button in self._deeds:
            if not button.isHidden():
                menu.addAction(button.text(), button.click)
        menu.popup(self.list.viewport().mapToGlobal(place))

    def _on_theme_changed(self) -> None:
        self.list.setMinimumHeight(self._theme.px(LIST_HEIGHT_PX))
        self.list.scheduleDelayedItemsLayout()
