"""Show the page モデル: list the models, add and maintain them, and choose which one answers."""

import functools
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QEvent, QModelIndex, QObject, Qt
from PySide6.QtGui import QResizeEvent, QShowEvent
from PySide6.QtWidgets import QMenu, QWidget

from app.base import confidentiality
from app.base.paths import Paths
from app.base.services.preferences import Preferences
from app.base.wording import describe_error, phrase
from app.inference import speed
from app.inference.local_model import LocalModel
from app.inference.services.engine import EngineClient
from app.inference.services.events import EngineStatus
from app.models import catalogue
from app.models.models_folder import FolderMoveResult
from app.models.services.maintenance import ModelMaintenance
from app.models.services.model_fits import FitChecker
from app.models.services.model_library import ModelLibrary
from app.models.ui import model_actions, model_list
from app.models.ui.build_views import BuildController, BuildDialog, BuildStrip
from app.models.ui.download_controller import DownloadController
from app.models.ui.download_presenter import DownloadPresenter
from app.models.ui.fit_views import MachineLine
from app.models.ui.hub_panel import HubPanel
from app.models.ui.maintenance_presenter import MaintenancePresenter
from app.models.ui.model_actions import UseModelAction
from app.models.ui.model_detail import DetailContext, ModelDetail
from app.models.ui.model_list import ModelEntry, ModelListModel, ModelListView, ModelTabs
from app.models.ui.remote_server_dialog import RemoteServerController
from app.models.ui.work_progress import ImportPresenter
from app.uikit import desktop
from app.uikit.desktop import FileDrops
from app.uikit.page import NavigationSignals, Page, PageHeader
from app.uikit.theme import Theme
from app.uikit.widgets.banner import Banner
from app.uikit.widgets.buttons import Button, IconButton, make_menu, pop_up
from app.uikit.widgets.containers import make_column, make_row
from app.uikit.widgets.labels import ElidedLabel, Label, set_surface
from app.uikit.widgets.progress_row import ProgressRow

STACK_BELOW_PX = 860
SHORT_HEADER_BELOW_PX = 640
LOW_BELOW_PX = 360


class ModelsPage(Page):
    """Shows the page モデル."""

    def __init__(
        self,
        theme: Theme,
        navigation: NavigationSignals,
        *,
        library: ModelLibrary,
        preferences: Preferences,
        engine: EngineClient,
        paths: Paths,
        upkeep: ModelMaintenance,
        download_desk: DownloadController,
        build_desk: BuildController,
        runs_on: Callable[[Path], list[str]],
    ) -> None:
        """Build the page. `runs_on` returns the names of the trainings on a base; it raises AppError("run_busy")."""
        super().__init__()
        self._theme = theme
        self._navigation = navigation
        self._library = library
        self._preferences = preferences
        self._engine = engine
        self._upkeep = upkeep
        self._downloads = download_desk
        self._build_desk = build_desk
        self._runs_on = runs_on
        self._bases: list[ModelEntry] = []
        self._fits = FitChecker(preferences, engine, paths.data / speed.FILE_NAME, self)
        self._chosen_key = ""
        self._is_detail_shown = False  # matters only if list and detail do not fit side by side
        self._build()
        self.downloading = DownloadPresenter(download_desk, self.list, self.detail, self.download_banner, self)
        self.using = UseModelAction(theme, navigation, library, preferences, self)
        self.remote = RemoteServerController(theme, library, preferences, engine, self)
        self._connect()
        self._connect_work()

    def label_now(self) -> confidentiality.Label:
        return confidentiality.LABELS[0]  # names and facts of models only

    def focus_first(self) -> None:
        self.list.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def import_path(self, path: str) -> None:
        """Add a GGUF file to the list in place, without copying it."""
        self.importing.add_files([path])

    def choose_file(self) -> None:
        path = model_actions.choose_gguf_file(self)
        if path:
            self.import_path(path)

    def add_starter(self) -> None:
        self.importing.add_starter()

    def show_model(self, model_id: str) -> None:
        self._chosen_key = f"model:{model_id}"
        self.tabs.show_tab("local")
        self._refill()

    def _choose_files(self, paths: list[Path]) -> list[Path]:
        return [path for path in paths if path.suffix.casefold() == ".gguf"]

    def _take_files(self, paths: list[Path]) -> None:
        self.importing.add_files([str(path) for path in paths])

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if not self.models.rowCount():
            self._refill()
        self._find_bases()
        self._fits.judge(self._library.models(), self.hub.cards, again=True)  # the memory of other programs has changed

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Lay out again when a banner appears or disappears: in a low window other widgets make room."""
        if event.type() in (QEvent.Type.ShowToParent, QEvent.Type.HideToParent):
            self._lay_out()
        return super().eventFilter(watched, event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._lay_out()

    # ------------------------------------------------------------------- building

    def _build(self) -> None:
        set_surface(self, "base")
        FileDrops(self, self._choose_files, self._take_files)
        self.header = PageHeader(self._theme, phrase("common.models"))
        self.import_button = Button(self._theme, phrase("common.import_a_gguf_file"), icon="folder-open")
        self.kit_button = Button(self._theme, phrase("models.transfer_kit"), icon="hard-drive")
        self.menu_button = IconButton(self._theme, "ellipsis", phrase("models.model_actions"))
        for action in (self.import_button, self.kit_button, self.menu_button):
            self.header.add_action(action)
        self.banner, self.download_banner = Banner(self._theme), Banner(self._theme)
        self.progress = ProgressRow(self._theme)
        self.importing = ImportPresenter(self._library, self.progress, self.banner, self)
        self.maintenance_strip = MaintenancePresenter(
            self._theme, self._upkeep, self._library, self.importing.add_files
        )
        self.building = BuildStrip(self._theme, self._build_desk)
        self.detail = ModelDetail(self._theme, self._navigation)
        self.machine = MachineLine(self._theme, self._upkeep.models_folder)
        self._banners = (self.banner, self.download_banner, self.maintenance_strip.banner, self.building.banner)
        for banner in self._banners:
            banner.installEventFilter(self)
        columns = make_row((self._build_list_side(), 10), (self.detail, 11), spacing_px=16)
        content = make_column(
            self.machine, self.banner, self.progress, self.maintenance_strip, self.building, self.download_banner,
            (columns, 1), margins_px=(24, 14, 24, 16), spacing_px=12,
        )  # fmt: skip
        make_column(self.header, (content, 1), into=self, spacing_px=0)

    def _build_list_side(self) -> QWidget:
        self.models = ModelListModel()
        self.list = ModelListView(self._theme, self.models)
        self.tabs = ModelTabs(self._theme)
        self.hub = HubPanel(self._theme, self._downloads.downloads.hub, self._preferences)
        self._nothing = Label(phrase("models.no_model_matches"), tone="muted", wraps=True)
        self._problems = Label(role="caption", tone="warning", wraps=True)
        self.found_button = Button(self._theme, phrase("models.find_models_of_other_apps"), "link", "search")
        # Elided, because the layout of a wrapping label would demand its height before a banner gets enough.
        hint = ElidedLabel(phrase("models.drop_a_gguf_file_here"), "caption", "muted")
        self._footer = QWidget()
        make_row((hint, 1), self.found_button, into=self._footer, spacing_px=12)
        self._list_side = QWidget()
        make_column(
            self.tabs, self.hub, self._nothing, (self.list, 1), self._problems, self._footer,
            into=self._list_side, spacing_px=8,
        )  # fmt: skip
        return self._list_side

    def _connect(self) -> None:
        self.import_button.clicked.connect(self.choose_file)
        self.kit_button.clicked.connect(lambda: pop_up(self.kit_menu(), self.kit_button))
        self.menu_button.clicked.connect(lambda: pop_up(self.menu(), self.menu_button))
        self.found_button.clicked.connect(self.maintenance_strip.search_other_programs)
        self.list.selectionModel().currentChanged.connect(self._on_current_changed)
        self.list.clicked.connect(self._on_entry_clicked)
        self.list.activated.connect(self._on_entry_clicked)
        self.detail.use_button.clicked.connect(lambda: self._with_model(self.using.use))
        self.detail.verify_button.clicked.connect(
            lambda: self._with_model(lambda model: self.maintenance_strip.verify([model.id]))
        )
        self.detail.starter_button.clicked.connect(self._on_starter_requested)
        self.detail.folder_button.clicked.connect(self._on_folder_requested)
        self.detail.remove_button.clicked.connect(self._on_remove_requested)
        self.detail.rollback_button.clicked.connect(lambda: self._with_model(self.using.back_to_base))
        self.detail.connection_button.clicked.connect(lambda: self._entry and self.remote.ask(self._entry.model))
        self.detail.licence_button.clicked.connect(self._on_licence_requested)
        self.detail.projector_button.clicked.connect(lambda: self._with_model(self.using.change_projector))
        self.detail.back_button.clicked.connect(self._on_back_requested)
        self.detail.kit_requested.connect(self.maintenance_strip.choose_import)
        self.detail.download_requested.connect(lambda card, file: self._downloads.offer(card, file, self.window()))
        self.detail.source_requested.connect(lambda card, file: self._downloads.ask_source(card, file, self.window()))
        self.detail.file_changed.connect(self._show_detail)
        self.detail.rerank_switch.toggled.connect(lambda is_on: self._preferences.change(reranks=is_on))
        self.machine.measure_button.clicked.connect(self._on_measure_requested)
        self.tabs.group.buttonClicked.connect(self._refill)
        self.tabs.filter.textChanged.connect(self._refill)
        self.tabs.buttons["hub"].clicked.connect(self.hub.field.setFocus)
        self.hub.found.connect(self._refill)

    def _connect_work(self) -> None:
        self.banner.action_requested.connect(self.choose_file)
        for signal in (self.detail.use_button.clicked, self.maintenance_strip.began):
            signal.connect(self.banner.hide)  # their outcome may contradict the banner
        self.using.failed.connect(self.banner.show_error)
        self.importing.began.connect(self._show_detail)
        self.importing.ended.connect(self._show_detail)
        self.maintenance_strip.verified.connect(self._show_detail)
        for source in (self.maintenance_strip, self.building, self.remote):
            source.model_requested.connect(self.show_model)
        self._downloads.downloads.changed.connect(self._refill)
        self._downloads.downloads.finished.connect(self._on_imported)
        self._downloads.downloads.base_finished.connect(self._find_bases)
        self._downloads.catalogue_changed.connect(self._on_catalogue_changed)
        self._downloads.catalogue_refused.connect(self.banner.show_error)
        self._library.changed.connect(self._refill)
        self._library.imported.connect(self._on_imported)
        self._preferences.changed.connect(self._refill)
        self._upkeep.folder_moved.connect(self._on_folder_moved)
        self._engine.status_changed.connect(self._on_status_changed)
        self._fits.changed.connect(self._on_fits_changed)
        self._fits.measured.connect(self._show_speed)
        self._theme.changed.connect(self._on_theme_changed)

    def _on_folder_moved(self, moved: FolderMoveResult) -> None:
        self.machine.use_folder(moved.folder)

    def kit_menu(self) -> QMenu:
        menu = make_menu(self)
        self._add_kit_actions(menu)
        return menu

    def menu(self) -> QMenu:
        """Return the page's menu. It repeats the kit actions, because a narrow header hides the kit button."""
        icon, strip, to_settings = self._theme.icon, self.maintenance_strip, self._navigation.settings_requested
        menu = make_menu(self)
        verify = menu.addAction(icon("shield-check"), phrase("models.verify_all"), strip.verify)
        verify.setEnabled(bool(self._library.models()))
        menu.addAction(icon("search"), phrase("models.find_models_of_other_apps"), strip.search_other_programs)
        menu.addSeparator()
        self._add_kit_actions(menu)
        menu.addSeparator()
        menu.addAction(icon("box"), phrase("models.build_a_model_2"), self.ask_to_build)
        menu.addAction(icon("external-link"), phrase("models.use_a_server_in_the"), self.remote.ask)
        to_folder = functools.partial(to_settings.emit, "models")
        menu.addAction(icon("folder-input"), phrase("models.change_the_models_folder"), to_folder)
        menu.addSeparator()
        book, desk = catalogue.load(), self._downloads
        update = phrase("models.update_the_catalogue", date=book.date)
        menu.addAction(icon("refresh-cw"), update, lambda: desk.update_catalogue(self.window()))
        if book.is_brought_in:
            menu.addAction(icon("undo-2"), phrase("models.back_to_the_own_catalogue"), desk.go_back_to_own_catalogue)
        return menu

    def _add_kit_actions(self, menu: QMenu) -> None:
        icon, strip = self._theme.icon, self.maintenance_strip
        menu.addAction(icon("file-up"), phrase("models.write_a_kit"), strip.choose_export)
        menu.addAction(icon("file-down"), phrase("models.import_a_kit"), strip.choose_import)

    def ask_to_build(self) -> BuildDialog:
        dialog = BuildDialog(self._theme, self._build_desk, self.window())
        dialog.plan_chosen.connect(self._build_desk.start)
        dialog.open()
        return dialog

    # -------------------------------------------------------------------- showing

    @property
    def _entry(self) -> ModelEntry | None:
        return self.models.entry(self.list.currentIndex())

    def _refill(self) -> None:
        self._fits.judge(self._library.models(), self.hub.cards)
        chosen, items = self._preferences.value.model_id, self._downloads.downloads.items()
        here, cards = model_list.list_entries(self._library, chosen, self._fits.findings, items)
        search_here, search_cards = [e for e in here if e.is_for_search], [e for e in cards if e.is_for_search]
        chat_here, chat_cards = [e for e in here if not e.is_for_search], [e for e in cards if not e.is_for_search]
        own = [*here, *self._bases]
        shown = {"chat": (chat_here, chat_cards), "search": (search_here, search_cards), "local": (own, [])}
        self.tabs.set_counts({tab: len(entries[0]) + len(entries[1]) for tab, entries in shown.items()})
        is_hub = self.tabs.tab == "hub"
        self.hub.setVisible(is_hub)
        self.tabs.filter.setVisible(not is_hub)
        if is_hub:
            downloads = {item.card_id: item for item in items}
            local: list[ModelEntry] = []
            found = [model_list.card_entry(one, self._fits.findings, downloads.get(one.id)) for one in self.hub.cards]
        else:
            local, found = ([one for one in some if one.matches(self.tabs.words)] for some in shown[self.tabs.tab])
        focused = self.downloading.focused()
        title = phrase("models.found_at_the_hub" if is_hub else "models.models_you_can_add")
        self.models.set_entries(local, found, title)
        self.downloading.place_rows(focused)
        index = self.models.index_of(self._chosen_key)
        if (entry := self.models.entry(index)) is not None:
            self._chosen_key = entry.key
        self.list.setCurrentIndex(index)
        self._nothing.setVisible(not (local or found or is_hub))
        self._show_problems()
        self._show_detail()

    def _show_problems(self) -> None:
        """Show the first error in the user's cards, and the number of others."""
        problems = catalogue.load().problems
        self._problems.setVisible(bool(problems))
        if problems:
            first, more = str(describe_error(problems[0])), len(problems) - 1
            rest = phrase("models.and_n_more", n=more) if more else ""
            self._problems.setText(f"{first}{rest}")

    def _show_detail(self) -> None:
        entry = self._entry
        if entry is not None and entry.key:
            context = DetailContext(
                self._engine.status.facts,
                self._upkeep.last_verified(entry.model) if entry.model else None,
                self._library.starter_cards(),
                self._library.is_working,
                self._downloads.is_allowed,
                self._preferences.value.reranks,
            )
            self.detail.show_entry(entry, context)
        self._lay_out()

    def _lay_out(self) -> None:
        is_stacked = self.width() < self._theme.px(STACK_BELOW_PX)
        self._list_side.setVisible(not is_stacked or not self._is_detail_shown)
        self.detail.setVisible(self._entry is not None and (not is_stacked or self._is_detail_shown))
        self.detail.set_back_visible(is_stacked)
        is_low = self.height() < self._theme.px(LOW_BELOW_PX)  # the menu has the actions that are hidden
        has_banner = any(not banner.isHidden() for banner in self._banners)
        self.machine.setVisible(not is_low)
        self._footer.setVisible(not is_low)
        self.tabs.setVisible(not (is_low and has_banner))
        self.detail.set_low(is_low)
        self.kit_button.setVisible(self.width() >= self._theme.px(SHORT_HEADER_BELOW_PX))

    # ---------------------------------------------------------------------- slots

    def _on_starter_requested(self) -> None:
        """Add the shown model; with the trial model, all that Kotae brings along."""
        card = self._entry.card if self._entry is not None else None
        self.importing.add_starter((card,) if card is not None and not card.is_trial else ())

    def _on_current_changed(self, current: QModelIndex, _previous: QModelIndex) -> None:
        entry = self.models.entry(current)
        if entry is not None and entry.key not in ("", self._chosen_key):  # `_refill` shows it once, at its end
            self._chosen_key = entry.key
            self._show_detail()

    def _on_entry_clicked(self, _index: QModelIndex) -> None:
        self._is_detail_shown = True
        self._lay_out()

    def _on_back_requested(self) -> None:
        self._is_detail_shown = False
        self._lay_out()
        self.list.setFocus()

    def _on_status_changed(self, status: EngineStatus) -> None:
        if status.state in ("ready", "off", "failed"):
            self._show_detail()

    def _on_fits_changed(self) -> None:
        self.machine.show_memory(self._fits.findings.budget)
        self._show_speed()
        self._refill()

    def _on_measure_requested(self) -> None:
        self._fits.measure_speed()
        self._show_speed()

    def _show_speed(self) -> None:
        self.machine.show_speed(self._fits.findings.speed, is_measuring=self._fits.is_measuring)

    def _on_theme_changed(self) -> None:
        self.list.scheduleDelayedItemsLayout()
        self._show_detail()

    def _on_catalogue_changed(self, book: catalogue.Catalogue) -> None:
        key = "models.catalogue_brought_in" if book.is_brought_in else "models.catalogue_of_program"
        self.banner.show_message("success", phrase(key, date=book.date, n=len(book.cards)), "", ())
        self._fits.judge(self._library.models(), self.hub.cards, again=True)
        self._refill()

    def _on_imported(self, model: LocalModel) -> None:
        self._chosen_key = f"model:{model.id}"
        self._refill()

    def _with_model(self, act: Callable[[LocalModel], object]) -> None:
        """Call `act` with the shown model; do nothing for a card."""
        entry = self._entry
        if entry is not None and entry.model is not None:
            act(entry.model)

    def _find_bases(self) -> None:
        bases = model_list.base_entries(self._library.folder)
        if bases != self._bases:
            self._bases = bases
            self._refill()

    def _on_folder_requested(self) -> None:
        if self._entry is not None and self._entry.base is not None:
            desktop.open_folder(self._entry.base)
        self._with_model(lambda model: desktop.open_folder(Path(model.path).parent))

    def _on_remove_requested(self) -> None:
        entry = self._entry
        if entry is not None and entry.base is not None:
            ends = self._on_base_deleted, self.banner.show_error
            model_actions.ask_to_delete_base(self._theme, entry.base, self._runs_on, *ends, self)
        elif entry is None or entry.model is None:
            return
        elif entry.is_tuned or entry.is_remote:
            self.using.remove(entry.model)  # it can be undone, so there is no question before it
            self._on_back_requested()
        else:
            remove = functools.partial(self._remove, entry.model.id)
            model_actions.removal_dialog(self._theme, entry.model, self).ask(remove)

    def _on_base_deleted(self, _nothing: None) -> None:
        self._find_bases()
        self._on_back_requested()

    def _remove(self, model_id: str) -> None:
        self._library.remove(model_id)
        self._on_back_requested()  # otherwise the focus stays on the button, which now removes the next model

    def _on_licence_requested(self) -> None:
        entry = self._entry
        if entry is not None and entry.card is not None:
            model_actions.licence_dialog(self._theme, entry.card.licence_url, self).open()
