"""The page モデル: import, add the trial model, choose which model answers."""

from pathlib import Path

from PySide6.QtCore import QModelIndex, QObject, Qt, QUrl, Signal
from PySide6.QtGui import QDesktopServices, QDragEnterEvent, QDropEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QListView, QVBoxLayout, QWidget

from app.core import catalogue, local_models, model_fit, speed
from app.core.errors import AppError
from app.core.paths import Paths
from app.core.records import LocalModel
from app.core.wording import describe_error
from app.services import background
from app.services.engine import EngineClient
from app.services.events import EngineStatus
from app.services.library import ModelLibrary
from app.services.preferences import Preferences
from app.ui.dialogs import Choice, Dialog
from app.ui.models import questions
from app.ui.models.delegate import ModelDelegate
from app.ui.models.detail import ModelDetail
from app.ui.models.entries import Entry, ModelList
from app.ui.models.fits import Fits
from app.ui.models.machine import MachineLine
from app.ui.models.tabs import ModelTabs
from app.ui.theme import Theme
from app.ui.widgets.banner import Banner
from app.ui.widgets.buttons import Button
from app.ui.widgets.header import Header
from app.ui.widgets.labels import ElidedLabel, Label, set_surface
from app.ui.widgets.page import Page
from app.ui.widgets.progress_row import ProgressRow

STACK_BELOW_PX = 860
LIST_LEAST_PX = 48  # a banner above the list needs the room of a small window more


class ModelsPage(Page):
    ask_requested = Signal()  # a model was chosen for questions
    download_requested = Signal(object, object)  # ModelCard, ModelFile

    def __init__(
        self,
        theme: Theme,
        library: ModelLibrary,
        preferences: Preferences,
        engine: EngineClient,
        paths: Paths,
        downloads: QObject | None = None,
    ) -> None:
        """`downloads`: the service that fetches what `download_requested` names; without one nothing offers it."""
        super().__init__()
        self._theme = theme
        self._library = library
        self._preferences = preferences
        self._engine = engine
        self._paths = paths
        self._downloads = downloads
        self._fits = Fits(preferences, engine, paths.data / speed.FILE_NAME, self)
        self._chosen_key = ""
        self._is_detail_shown = False  # where list and detail do not fit side by side
        self._asked_model: LocalModel | None = None
        self._build()
        self._connect()
        self._refill()

    def set_header_inset(self, inset_px: int) -> None:
        self._header.set_inset(inset_px)

    def focus_first(self) -> None:
        self.list.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def import_path(self, path: str) -> None:
        """Adds a GGUF file where it lies."""
        self.banner.hide()
        self.progress.start(self.tr("取り込んでいます：{name}").format(name=Path(path).name))
        self._library.import_file(path)
        self._show_detail()

    def choose_file(self) -> None:
        path = questions.choose_gguf_file(self)
        if path:
            self.import_path(path)

    def add_starter(self) -> None:
        self.banner.hide()
        self.progress.start(self.tr("お試し用モデルを追加しています"))
        self._library.add_starter()
        self._show_detail()

    def take_over(self) -> None:
        """Work that somebody else began, who is gone, is shown here from now on."""
        if self._library.is_working:
            self.banner.hide()
            self.progress.start(self.tr("モデルを追加しています"))

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if _dropped_files(event):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        files = _dropped_files(event)
        if files:
            event.acceptProposedAction()
            self.import_path(files[0])

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._fits.judge(self._library.models(), anew=True)  # other programs have come and gone

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._lay_out()

    # ------------------------------------------------------------------- building

    def _build(self) -> None:
        set_surface(self, "base")
        self.setAcceptDrops(True)
        self._header = Header(self._theme, self.tr("モデル"))
        self.import_button = Button(self._theme, self.tr("GGUF ファイルを取り込む"), icon="folder-open")
        self._header.add_action(self.import_button)
        self.banner = Banner(self._theme)
        self.progress = ProgressRow(self._theme)
        self.models = ModelList()
        self.list = self._build_list()
        self.detail = ModelDetail(self._theme, can_download=self._downloads is not None)
        self.tabs = ModelTabs(self._theme)
        self._nothing = Label(self.tr("条件に合うモデルはありません。"), tone="muted", wraps=True)
        self._problems = Label(role="caption", tone="warning", wraps=True)
        self.machine = MachineLine(self._theme, self._paths.models)
        # Not a text that wraps: its layout would ask for all the height it likes before a banner gets what it needs.
        self._drop_hint = ElidedLabel(
            self.tr("GGUF ファイルは、ここにドロップしても追加できます。"), "caption", "muted"
        )
        self._list_side = QWidget()
        side = QVBoxLayout(self._list_side)
        side.setContentsMargins(0, 0, 0, 0)
        side.setSpacing(8)
        side.addWidget(self.tabs)
        side.addWidget(self._nothing)
        side.addWidget(self.list, 1)
        side.addWidget(self._problems)
        side.addWidget(self._drop_hint)
        columns = QHBoxLayout()
        columns.setSpacing(16)
        columns.addWidget(self._list_side, 10)
        columns.addWidget(self.detail, 11)
        content = QVBoxLayout()
        content.setContentsMargins(24, 14, 24, 16)
        content.setSpacing(12)
        content.addWidget(self.machine)
        content.addWidget(self.banner)
        content.addWidget(self.progress)
        content.addLayout(columns, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._header)
        column.addLayout(content, 1)

    def _build_list(self) -> QListView:
        view = QListView()
        view.setModel(self.models)
        view.setItemDelegate(ModelDelegate(self._theme, view))
        view.setProperty("framed", True)
        view.setAccessibleName(self.tr("モデルの一覧"))
        view.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        view.setMouseTracking(True)
        view.setMinimumHeight(LIST_LEAST_PX)
        return view

    def _connect(self) -> None:
        self.import_button.clicked.connect(self.choose_file)
        self.banner.action_requested.connect(self.choose_file)
        self.progress.cancelled.connect(self._library.cancel)
        self.list.selectionModel().currentChanged.connect(self._on_current_changed)
        self.list.clicked.connect(self._on_clicked)
        self.list.activated.connect(self._on_clicked)
        self.detail.use_requested.connect(self._on_use_requested)
        self.detail.starter_requested.connect(self.add_starter)
        self.detail.folder_requested.connect(self._on_folder_requested)
        self.detail.remove_requested.connect(self._on_remove_requested)
        self.detail.licence_requested.connect(self._on_licence_requested)
        self.detail.back_requested.connect(self._on_back_requested)
        self._library.changed.connect(self._refill)
        self._library.progressed.connect(self._on_progressed)
        self._library.imported.connect(self._on_imported)
        self._library.failed.connect(self._on_work_failed)
        self._preferences.changed.connect(self._refill)
        self._engine.status_changed.connect(self._on_status_changed)
        self._fits.changed.connect(self._on_fits_changed)
        self._fits.measured.connect(self._show_speed)
        self.machine.measure_requested.connect(self._on_measure_requested)
        self.tabs.changed.connect(self._refill)
        self.detail.download_requested.connect(self.download_requested)
        self.detail.file_changed.connect(self._show_detail)
        self._theme.changed.connect(self._on_theme_changed)

    # -------------------------------------------------------------------- showing

    @property
    def _entry(self) -> Entry | None:
        return self.models.entry(self.list.currentIndex())

    def _refill(self) -> None:
        local = self._library.models()
        self._fits.judge(local)
        here, cards = self._entries(local)
        search_here, search_cards = [e for e in here if e.is_for_search], [e for e in cards if e.is_for_search]
        chat_here, chat_cards = [e for e in here if not e.is_for_search], [e for e in cards if not e.is_for_search]
        shown = {"chat": (chat_here, chat_cards), "search": (search_here, search_cards), "local": (here, [])}
        self.tabs.set_counts({tab: len(entries[0]) + len(entries[1]) for tab, entries in shown.items()})
        wanted = [[entry for entry in entries if entry.speaks_of(self.tabs.words)] for entries in shown[self.tabs.tab]]
        key = self._chosen_key
        self.models.set_entries(*wanted)
        self.list.setCurrentIndex(self.models.index_of(key))
        self._nothing.setVisible(not any(wanted))
        self._show_problems()
        self._show_detail()

    def _entries(self, local: list[LocalModel]) -> tuple[list[Entry], list[Entry]]:
        """What is here, and the cards of what is not."""
        used, found = self._used_id(local), self._fits.findings
        here = []
        for model in local:
            card = self._library.card(model)
            judged = dict(found.cards.get(card.id, {})) if card else {}
            if model.path in found.models:
                judged[model.quantization] = found.models[model.path]
            here.append(Entry(model.name, model, card, model.id == used, judged, model.quantization))
        cards_here = {model.card_id for model in local}
        cards = []
        for card in catalogue.load().cards:
            if card.id not in cards_here:
                usual = model_fit.usual_file(card)
                judged = dict(found.cards.get(card.id, {}))
                quantization = usual.quantization if usual else ""
                cards.append(Entry(card.title, card=card, judged=judged, quantization=quantization))
        return here, cards

    def _show_problems(self) -> None:
        """Cards of the user that could not be read."""
        problems = catalogue.load().problems
        self._problems.setVisible(bool(problems))
        if problems:
            first, more = str(describe_error(problems[0])), len(problems) - 1
            rest = self.tr("（ほかに {n} 件）").format(n=more) if more else ""
            self._problems.setText(f"{first}{rest}")

    def _used_id(self, local: list[LocalModel]) -> str | None:
        """The chosen model, else the first there is: as the session of questions decides."""
        chosen = self._preferences.value.model_id
        if any(model.id == chosen for model in local):
            return chosen
        return local[0].id if local else None

    def _show_detail(self) -> None:
        entry = self._entry
        if entry is not None and entry.key:
            self.detail.show_entry(
                entry, self._engine.status.facts, self._library.is_starter_available(), self._library.is_working
            )
        self._lay_out()

    def _lay_out(self) -> None:
        is_stacked = self.width() < self._theme.px(STACK_BELOW_PX)
        self._list_side.setVisible(not is_stacked or not self._is_detail_shown)
        self.detail.setVisible(self._entry is not None and (not is_stacked or self._is_detail_shown))
        self.detail.set_back_visible(is_stacked)

    # ---------------------------------------------------------------------- slots

    def _on_current_changed(self, current: QModelIndex, _previous: QModelIndex) -> None:
        entry = self.models.entry(current)
        if entry is not None and entry.key:
            self._chosen_key = entry.key
            self._show_detail()

    def _on_clicked(self, _index: QModelIndex) -> None:
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
        self.machine.show_room(self._fits.findings.room)
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

    def _on_progressed(self, done_bytes: int, total_bytes: int) -> None:
        self.progress.set_progress(done_bytes, total_bytes, is_bytes=True)

    def _on_imported(self, model: LocalModel) -> None:
        self.progress.finish()
        self._chosen_key = f"model:{model.id}"
        self._refill()

    def _on_work_failed(self, error: AppError) -> None:
        """Work that the first run has begun is explained there."""
        if self.progress.isHidden():
            self._show_detail()
        else:
            self._on_failed(error)

    def _on_failed(self, error: AppError) -> None:
        self.progress.finish()
        self._show_detail()
        if error.code != "cancelled":
            sentence = describe_error(error)
            actions = (("import", self.tr("別のファイルを選ぶ")),)
            self.banner.show_message("danger", sentence.message, sentence.next, actions)

    def _on_use_requested(self) -> None:
        """A file that brings its own chat template asks first; whether it does stands in its header."""
        entry = self._entry
        if entry is None or entry.model is None:
            return
        model = self._asked_model = entry.model
        background.run(lambda: local_models.needs_template_consent(model), self._on_consent_known, self._on_failed)

    def _on_consent_known(self, is_needed: bool) -> None:
        if self._asked_model is None:
            return
        if not is_needed:
            self._use(self._asked_model)
            return
        self.consent_dialog().open()

    def consent_dialog(self) -> Dialog:
        dialog = questions.consent_dialog(self._theme, self)
        dialog.chosen.connect(self._on_consent_given)
        return dialog

    def _on_consent_given(self, key: str) -> None:
        model = self._asked_model
        if model is None or key == "cancel":
            return
        if key == "allow":
            self._library.allow_template(model.id)
        self._use(model)

    def _use(self, model: LocalModel) -> None:
        self._asked_model = None
        self._preferences.change(model_id=model.id)
        self.ask_requested.emit()

    def _on_folder_requested(self) -> None:
        entry = self._entry
        if entry is not None and entry.model is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(Path(entry.model.path).parent)))

    def _on_remove_requested(self) -> None:
        entry = self._entry
        if entry is None or entry.model is None:
            return
        dialog = self.removal_dialog(entry.model)
        dialog.open()

    def removal_dialog(self, model: LocalModel) -> Dialog:
        dialog = Dialog(
            self._theme,
            self.tr("{name} を一覧から外しますか").format(name=model.name),
            self.tr("ファイルは消えません（{path}）。もう一度使うには、取り込み直してください。").format(
                path=model.path
            ),
            (
                Choice("cancel", self.tr("キャンセル"), is_default=True),
                Choice("remove", self.tr("一覧から外す"), "danger_fill"),
            ),
            self,
        )
        dialog.chosen.connect(lambda key: self._library.remove(model.id) if key == "remove" else None)
        return dialog

    def _on_licence_requested(self) -> None:
        entry = self._entry
        if entry is not None and entry.card is not None:
            questions.licence_dialog(self._theme, entry.card.licence_url, self).open()


def _dropped_files(event: QDropEvent) -> list[str]:
    """The GGUF files among what is dragged."""
    paths = [url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()]
    return [path for path in paths if path.casefold().endswith(".gguf")]
