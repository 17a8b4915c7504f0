"""Show step 2 of the first run: the trial model, a GGUF file, a download where a network is allowed, or nothing yet."""

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from app.base.errors import AppError
from app.base.services import background
from app.base.services.preferences import Preferences
from app.base.settings import Settings
from app.base.wording import describe_error, format_size, phrase
from app.inference import machine, speed
from app.inference.local_model import LocalModel
from app.inference.speed import MachineSpeed
from app.models import catalogue, local_models, model_fit, starter
from app.models.catalogue import ModelCard, ModelFile
from app.models.services.downloads import Download
from app.models.services.model_library import ModelLibrary
from app.models.ui import model_actions
from app.models.ui.download_controller import DownloadController
from app.models.ui.download_row import DownloadRow
from app.uikit.localization import join_facts, join_sentences
from app.uikit.theme import Theme
from app.uikit.widgets.banner import Banner
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import make_column, make_row
from app.uikit.widgets.labels import Label, repolish
from app.uikit.widgets.progress_row import ProgressRow

LARGER_AT_MOST = 1.2  # a 9B is as good a beginning as the 8B by which the size was chosen
THINKING_TOKENS_PER_S = 10.0  # from which some hundred tokens of thoughts take less than a minute


class DownloadCard(QFrame):
    """The card of a recommended download. The download continues after the dialog closes."""

    def __init__(
        self, theme: Theme, desk: DownloadController, card: ModelCard, file: ModelFile, *, is_measured: bool
    ) -> None:
        super().__init__()
        self._desk = desk
        self._is_measured = is_measured
        self._card = card
        self._file = file
        self.setProperty("surface", "card")
        size = format_size(file.size_bytes)
        self.button = Button(theme, phrase("common.download_size", size=size), icon="download")
        self.kit_button = Button(theme, phrase("common.import_a_kit"), icon="hard-drive")
        self.row = DownloadRow(theme)
        self.banner = Banner(theme, can_close=False)
        self._offline = Label(phrase("shell.network_access_is_off_add"), tone="text2", wraps=True)
        self._goes_on = Label(phrase("shell.the_download_goes_on_when"), "caption", "muted", wraps=True)
        self._build()
        downloads = self._desk.downloads
        self.button.clicked.connect(lambda: self._desk.offer(self._card, self._file, self.window()))
        self.row.pause_requested.connect(downloads.pause)
        self.row.resume_requested.connect(downloads.resume)
        self.row.cancel_requested.connect(downloads.cancel)  # Kotae deletes the received part when it closes
        self.banner.action_requested.connect(lambda key: self._desk.act(key, self.window()))
        downloads.changed.connect(self._refresh)
        downloads.progressed.connect(self._refresh)
        self._refresh()

    def _build(self) -> None:
        inside = make_column(into=self, margins_px=(16, 12, 16, 12), spacing_px=6)
        title = join_facts(self._card.title, format_size(self._file.size_bytes))
        inside.addWidget(Label(title, strong=True, wraps=True))
        suits = "shell.it_suits_this_pc" if self._is_measured else "shell.memory_suffices_speed_not_measured"
        inside.addWidget(Label(join_sentences(self._card.summary, phrase(suits)), tone="text2", wraps=True))
        licence = phrase("shell.terms_of_use_name", name=self._card.licence)
        inside.addWidget(Label(licence, "caption", "text2", wraps=True))
        widgets: tuple[QWidget, ...] = (self._offline, self.banner, self.row, self._goes_on)
        for widget in widgets:
            inside.addWidget(widget)
        for button in (self.button, self.kit_button):
            inside.addWidget(button, 0, Qt.AlignmentFlag.AlignLeft)

    def _refresh(self, _item: Download | None = None) -> None:
        item = self._desk.downloads.find(self._card.id, self._file.quantization)
        is_allowed = self._desk.is_allowed
        self._offline.setVisible(item is None and not is_allowed)
        self.kit_button.setVisible(item is None and not is_allowed)
        self.button.setVisible(item is None and is_allowed)
        self.row.setVisible(item is not None)
        self._goes_on.setVisible(item is not None and item.state != "failed")
        if item is not None:
            self.row.show_download(item)
        if item is None or item.state != "failed" or item.problem is None:
            self.banner.hide()
        elif self.banner.isHidden():
            sentence = describe_error(item.problem)
            self.banner.show_message("danger", sentence.message, self._desk.next_step(item), self._desk.actions(item))


def suggestion(
    available_bytes: int, settings: Settings, here: MachineSpeed | None
) -> tuple[ModelCard, ModelFile] | None:
    """Return the model of the best published score for this memory and speed (`here`; None: unmeasured), or None."""
    sizes = model_fit.fit_sizes(available_bytes, settings.context_tokens, settings.kv_type, here)
    best = model_fit.recommended_size(sizes)
    found = [(card, file) for card in catalogue.load().cards if (file := _file(card)) is not None]
    suited = [pair for pair in found if best is not None and pair[1].size_bytes <= best.file_bytes * LARGER_AT_MOST]
    thinks = best is not None and best.speed is not None and best.speed.answer >= THINKING_TOKENS_PER_S
    return max(suited, key=lambda pair: (_score(pair[0], thinks=thinks), pair[1].size_bytes), default=None)


def _score(card: ModelCard, *, thinks: bool) -> float:
    """Return the published score; 0 if it needs thoughts that this machine is too slow for."""
    return card.japanese_score if thinks or not card.scored_with_thoughts else 0.0


def _file(card: ModelCard) -> ModelFile | None:
    if card.kind != "chat" or card.is_trial:
        return None
    file = model_fit.usual_file(card)
    return file if file is not None and file.repository else None


class FirstModelStep(QWidget):
    """Shows the ways to add a model. Adding continues after the dialog closes; only the cancel button stops it."""

    changed = Signal()  # a model was added, or adding one has begun or ended
    starter_added = Signal()  # the trial model was added by its button here
    kit_requested = Signal()  # the user wants to import a kit

    def __init__(
        self, theme: Theme, library: ModelLibrary, preferences: Preferences, desk: DownloadController, speed_file: Path
    ) -> None:
        super().__init__()
        self._desk = desk
        self._speed_file = speed_file
        self._theme = theme
        self._library = library
        self._preferences = preferences
        self._added: LocalModel | None = None
        self._is_adding_starter = False
        self._build()
        self.starter_button.clicked.connect(self._on_starter_clicked)
        self.licence_button.clicked.connect(self._on_licence_clicked)
        self.file_button.clicked.connect(self._on_file_clicked)
        self.banner.action_requested.connect(self._on_file_clicked)
        self.progress.cancelled.connect(self._library.cancel)
        self._library.progressed.connect(self._on_progressed)
        self._library.imported.connect(self._on_imported)
        self._library.failed.connect(self._on_work_failed)
        self._library.changed.connect(self._refresh)
        self._desk.downloads.finished.connect(self._on_imported)
        self._refresh()

    @property
    def has_model(self) -> bool:
        return bool(self._library.answering())

    @property
    def used_name(self) -> str:
        """Return the name of the model that answers questions; "" if there is none."""
        used = local_models.answering_model(self._library.listed(), self._preferences.value.model_id)
        return used.name if used is not None else ""

    def first_button(self) -> Button | None:
        """Return the button that gets the focus first; None when a model is installed or being added."""
        if self.has_model or self._library.is_working:
            return None
        return self.starter_button if self.starter_button.isVisibleTo(self) else self.file_button

    # ----------------------------------------------------------------- building

    def _build(self) -> None:
        self.state = Label(tone="text2", wraps=True)
        self.banner = Banner(self._theme)
        self.progress = ProgressRow(self._theme)
        column = make_column(
            Label(phrase("common.choose_a_model"), "heading2"),
            self.state,
            self.banner,
            self.progress,
            self._build_starter(),
            into=self,
            spacing_px=12,
        )
        self.download: DownloadCard | None = None
        self._suggested = make_column()
        column.addLayout(self._suggested)
        column.addWidget(self._build_file())
        column.addStretch(1)

    def _build_starter(self) -> QFrame:
        """Build the card of the trial model. The licence is above the button that accepts it."""
        card = starter.card()
        is_there = self._library.is_starter_available()
        label = phrase("common.start_with_the_trial_model") if is_there else phrase("common.import_the_trial_kit")
        self.starter_button = Button(self._theme, label, "primary")
        self.licence_button = Button(self._theme, phrase("common.read_the_licence_in_full"), "link", "external-link")
        title = join_facts(card.title, format_size(card.files[0].size_bytes))
        self.starter_card, inside = self._card(title, card.summary)
        licence = Label(phrase("shell.licence_name", name=card.licence), "caption", "text2", wraps=True)
        inside.addLayout(_row(licence, self.licence_button))
        inside.addWidget(Label(card.licence_notice, "caption", "text2", wraps=True))
        for other in starter.cards()[1:] if is_there else ():
            size = format_size(other.files[0].size_bytes)
            words = phrase("shell.also_adds_name", name=other.title, size=size, licence=other.licence)
            inside.addWidget(Label(words, "caption", "text2", wraps=True))
        inside.addSpacing(4)
        inside.addWidget(self.starter_button, 0, Qt.AlignmentFlag.AlignLeft)
        return self.starter_card

    def suggest(self) -> None:
        """Show a suggested download, if any; its network is used after the licence is accepted."""
        available, here = machine.measure_machine(self._library.folder).available_bytes, speed.load(self._speed_file)
        found = suggestion(available, self._preferences.value, here)
        if self.download is not None:
            self.download.hide()
            self.download.deleteLater()
        self.download = None
        if found is not None:
            self.download = DownloadCard(self._theme, self._desk, *found, is_measured=here is not None)
            self.download.kit_button.clicked.connect(self.kit_requested)
            self._suggested.addWidget(self.download)

    def _build_file(self) -> QFrame:
        self.file_button = Button(self._theme, phrase("common.choose_a_file"), icon="folder-open")
        sentence = phrase("shell.uses_a_gguf_file_you")
        frame, inside = self._card(phrase("shell.from_a_file"))
        inside.addLayout(_row(Label(sentence, tone="text2", wraps=True), self.file_button))
        return frame

    def _card(self, title: str, sentence: str = "") -> tuple[QFrame, QVBoxLayout]:
        frame = QFrame()
        frame.setProperty("surface", "card")
        inside = make_column(
            Label(title, strong=True, wraps=True), into=frame, margins_px=(16, 12, 16, 12), spacing_px=6
        )
        if sentence:
            inside.addWidget(Label(sentence, tone="text2", wraps=True))
        return frame, inside

    # ------------------------------------------------------------------ showing

    def _refresh(self) -> None:
        models = self._library.listed()
        used = local_models.answering_model(models, self._preferences.value.model_id)
        if used is None:
            self.state.setText(phrase("shell.add_a_model_that_writes"))
        else:
            self.state.setText(phrase("shell.name_is_used_for_questions", name=used.name))
        self.state.set_tone("text2" if used is None else "success")
        has_starter = any(model.card_id == starter.card().id for model in models)
        self.starter_card.setVisible(not has_starter)
        kind = "primary" if used is None else ""  # with a model, the next step's button is the primary one
        if self.starter_button.property("kind") != kind:
            self.starter_button.setProperty("kind", kind)
            repolish(self.starter_button)
        for button in (self.starter_button, self.file_button):
            button.setEnabled(not self._library.is_working)
        self.changed.emit()

    def import_path(self, path: str) -> None:
        self.banner.hide()
        self._is_adding_starter = False
        self.progress.start(phrase("common.importing_name", name=Path(path).name))
        self._library.import_file(path)
        self._refresh()
        self.progress.cancel_button.setFocus()

    def explain(self, error: AppError, actions: tuple[tuple[str, str], ...] = ()) -> None:
        """Show an error, except "cancelled". `actions` are the banner's buttons as (key, text)."""
        if error.code != "cancelled":
            sentence = describe_error(error)
            self.banner.show_message("danger", sentence.message, sentence.next, actions)

    # -------------------------------------------------------------------- slots

    def _on_starter_clicked(self) -> None:
        if not self._library.is_starter_available():
            self.kit_requested.emit()
            return
        self.banner.hide()
        self._is_adding_starter = True
        self.progress.start(phrase("common.adding_the_trial_model"))
        self._library.add_starter()
        self._refresh()
        self.progress.cancel_button.setFocus()

    def _on_file_clicked(self) -> None:
        path = model_actions.choose_gguf_file(self)
        if path:
            self.import_path(path)

    def _on_licence_clicked(self) -> None:
        model_actions.licence_dialog(self._theme, starter.card().licence_url, self).open()

    def _on_progressed(self, done_bytes: int, total_bytes: int) -> None:
        if self.progress.isHidden():  # the work began before this dialog opened
            self.progress.start(phrase("common.adding_a_model"))
        self.progress.set_progress(done_bytes, total_bytes, is_bytes=True)

    def _on_imported(self, model: LocalModel) -> None:
        """Use the added model for questions, and ask for consent if its chat template needs it."""
        self.progress.finish()
        self._preferences.change(model_id=model.id)
        self._refresh()
        self._added = model
        if self._is_adding_starter:
            self.starter_added.emit()
        background.run(lambda: local_models.needs_template_consent(model), self._on_consent_checked, self._on_failed)

    def _on_consent_checked(self, is_needed: bool) -> None:
        model = self._added
        if is_needed and model is not None:
            dialog = model_actions.template_consent_dialog(self._theme, self)
            dialog.chosen.connect(lambda key: self._library.allow_template(model.id) if key == "allow" else None)
            dialog.open()

    def _on_work_failed(self, error: AppError) -> None:
        """Show the failure, unless the work began in another place, which then shows it."""
        if self.progress.isHidden():
            self._refresh()
        else:
            self._on_failed(error)

    def _on_failed(self, error: AppError) -> None:
        self.progress.finish()
        self._refresh()
        self.explain(error, (("file", phrase("common.choose_another_file")),))


def _row(label: Label, button: Button) -> QHBoxLayout:
    return make_row((label, 1), button, spacing_px=12)
