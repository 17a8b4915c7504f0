"""Show all facts of one model: description, licence, fit, actual values after a load, and its actions."""

from collections.abc import Collection
from dataclasses import dataclass

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QFrame, QWidget

from app.base.wording import field_name, format_size, phrase
from app.inference.engine.messages import EngineFacts
from app.inference.local_model import LocalModel
from app.models import local_models
from app.models.catalogue import ModelCard, ModelFile
from app.models.model_fit import FitResult
from app.models.services.downloads import Download
from app.models.ui import model_text
from app.models.ui.download_row import DownloadRow
from app.models.ui.fit_views import MemoryBar, QuantizationChooser
from app.models.ui.model_list import ModelEntry
from app.models.verification import LastVerified
from app.uikit.localization import join_facts, with_note
from app.uikit.page import NavigationSignals
from app.uikit.theme import Theme
from app.uikit.widgets.banner import Banner
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import FlowBox, make_column, make_scrollable
from app.uikit.widgets.form_rows import CheckRow
from app.uikit.widgets.labels import FactList, Label, Separator, plain_tooltip

FOOT_SIDE_PX = 20


@dataclass(frozen=True, slots=True)
class DetailContext:
    """Holds the state of the program that a model's details depend on.

    `facts`: facts of the loaded model, which may be another than the shown one; None if none is loaded.
    """

    facts: EngineFacts | None = None
    last_verified: LastVerified | None = None
    brought_along: Collection[ModelCard] = ()  # models whose packages are installed
    is_busy: bool = False  # a model is being added
    is_network_allowed: bool = True
    reranks: bool = True  # the setting


class ModelDetail(QFrame):
    """Shows the details of the chosen entry."""

    kit_requested = Signal()  # to import a kit, because the network is off
    source_requested = Signal(object, object)  # ModelCard, ModelFile to download from another source, such as a folder
    download_requested = Signal(object, object)  # ModelCard, ModelFile
    file_changed = Signal()  # another quantization was chosen

    def __init__(self, theme: Theme, navigation: NavigationSignals) -> None:
        super().__init__()
        self._theme = theme
        self._navigation = navigation
        self._entry: ModelEntry | None = None
        self._context_facts = DetailContext()
        self._quantization = ""  # the chosen quantization
        self._build()
        self.download_button.clicked.connect(self._on_download_clicked)
        self.files.chosen.connect(self._on_file_chosen)
        self.offline.action_requested.connect(self._on_offline_action)

    def show_entry(self, entry: ModelEntry, context: DetailContext) -> None:
        model, card, facts = entry.model, entry.card, context.facts
        self._context_facts = context
        if self._entry is None or self._entry.key != entry.key:
            self._quantization = entry.quantization
        self._entry = entry
        self._title.setText(entry.title)
        tuned = model.tuned if model is not None else None
        summary = model_text.trained_on(tuned) if tuned is not None else card.summary if card else ""
        summary = model_text.remote_summary(model) if model is not None and model.remote is not None else summary
        summary = phrase("models.base_to_train") if entry.base is not None else summary
        self._summary.setText(summary)
        self._summary.setVisible(bool(summary))
        self._facts.set_facts(self._fact_rows(model, card))
        self._show_rerank_switch(model, card)
        self._show_files(entry)
        self._show_fit()
        self.licence_button.setVisible(bool(card and card.licence_url))
        is_loaded = model is not None and facts is not None and facts.path == model.path
        self._show_engine_facts(model, facts if is_loaded else None, entry.usual)
        self._show_verified(context.last_verified if model is not None else None)
        self._show_actions(entry)

    def update_download(self, download: Download, queue_position: int) -> None:
        """Show the progress of a download if its entry is shown."""
        shown = self._entry.download if self._entry else None
        if shown is not None and shown.id == download.id:
            self.download.show_download(download, queue_position)

    def set_back_visible(self, is_visible: bool) -> None:
        """Show the back button, and with it the download's progress, because the list is hidden."""
        self.back_button.setVisible(is_visible)
        self.download.setVisible(is_visible and self._entry is not None and self._entry.download is not None)
        self._show_footer()

    def _show_footer(self) -> None:
        """Show the footer if it has visible content."""
        parts = (self.download, self.offline, self._reason, self._actions)
        is_empty = all(part.isHidden() for part in parts)
        self._footer.setVisible(not is_empty)
        self._rule.setVisible(not is_empty and self._footer.parentWidget() is not self._content)

    def set_low(self, is_low: bool) -> None:
        """Put the buttons into the scrolling content if the window is low, else below it."""
        inside = self._content.layout()
        assert inside is not None
        is_inside = self._footer.parentWidget() is self._content
        if is_low != is_inside:
            (inside if is_low else self._outside).addWidget(self._footer)
            side = 0 if is_low else FOOT_SIDE_PX
            self._footer.setContentsMargins(side, 12, side, 12)
            self._show_footer()

    def _build(self) -> None:
        self.setProperty("surface", "card")
        column = make_column(into=self, margins_px=(1, 1, 1, 1), spacing_px=0)
        self._content, self._outside, self._rule = QWidget(), column, Separator()
        column.addWidget(make_scrollable(self._content), 1)
        self._build_content()
        column.addWidget(self._rule)
        self._footer = self._build_actions()
        column.addWidget(self._footer)

    def _build_content(self) -> None:
        self.back_button = Button(self._theme, phrase("models.back_to_the_list"), "quiet", "chevron-left", compact=True)
        self._title = Label(role="heading2", wraps=True)
        self._fit = Label(role="ui", strong=True)
        self._reason_of_fit = Label(tone="text2", wraps=True)
        self._advice = Label(tone="text2", wraps=True)
        self._summary = Label(tone="text2", wraps=True)
        self.rerank_switch = CheckRow(phrase("models.reorder_what_a_search_finds"), "")
        self._facts = FactList(self._theme)
        self._verified = Label(strong=True, wraps=True)
        self._verified_next = Label(tone="text2", wraps=True)
        self.licence_button = Button(self._theme, phrase("common.read_the_licence_in_full"), "link", "external-link")
        self._files_title = Label(phrase("models.choose_a_quantization"), strong=True)
        self._files_title.setToolTip(plain_tooltip(phrase("models.numbers_rounded_to_take_less")))
        self.files = QuantizationChooser()
        self._memory_title = Label(strong=True)
        self._memory = MemoryBar(self._theme)
        self._effective_title = Label(phrase("models.details_actual_values_after_loading"), strong=True)
        self._effective_hint = Label(tone="muted", wraps=True)
        self._effective = FactList(self._theme)
        back = self.back_button, 0, Qt.AlignmentFlag.AlignLeft
        column = make_column(back, into=self._content, margins_px=(20, 16, 20, 16), spacing_px=8)
        about: tuple[QWidget, ...] = (self._title, self._summary, self._fit, self._reason_of_fit, self._advice)
        for widget in (*about, self.rerank_switch, self._facts):
            column.addWidget(widget)
        column.addWidget(self.licence_button, 0, Qt.AlignmentFlag.AlignLeft)
        for widget in (self._verified, self._verified_next):
            column.addWidget(widget)
        column.addSpacing(8)
        for widget in (self._files_title, self.files, self._memory_title, self._memory):
            column.addWidget(widget)
        column.addSpacing(8)
        for widget in (self._effective_title, self._effective_hint, self._effective):
            column.addWidget(widget)
        column.addStretch(1)

    def _build_actions(self) -> QWidget:
        self.use_button = Button(self._theme, phrase("common.use_for_questions"), "primary")
        self.starter_button = Button(self._theme, phrase("models.add_the_trial_model"), "primary")
        self.download_button = Button(self._theme, phrase("models.download"), "primary", "download")
        self.verify_button = Button(self._theme, phrase("models.verify_file"), icon="shield-check")
        self.verify_button.setToolTip(plain_tooltip(phrase("models.reads_the_whole_file_and")))
        self.folder_button = Button(self._theme, phrase("common.open_the_folder"), icon="folder-open")
        self.remove_button = Button(self._theme, phrase("models.take_off_the_list"), "danger")
        self.connection_button = Button(self._theme, phrase("models.change_connection"), icon="pencil")
        self.projector_button = Button(self._theme, "", icon="paperclip")
        self.projector_button.setToolTip(plain_tooltip(phrase("models.choose_projector_tip")))
        self.rollback_button = Button(self._theme, phrase("common.back_to_the_base_model"), icon="undo-2")
        self.offline = Banner(self._theme, can_close=False)
        self.download = DownloadRow(self._theme)
        self._reason = Label(tone="text2", wraps=True)
        footer = QWidget()
        footer.setContentsMargins(FOOT_SIDE_PX, 12, FOOT_SIDE_PX, 12)
        column = make_column(self.download, self.offline, self._reason, into=footer, spacing_px=10)
        first = (self.use_button, self.rollback_button, self.starter_button, self.download_button)
        self._actions = FlowBox(
            *first,
            self.connection_button,
            self.projector_button,
            self.verify_button,
            self.folder_button,
            self.remove_button,
        )
        column.addWidget(self._actions)
        return footer

    def _fact_rows(self, model: LocalModel | None, card: ModelCard | None) -> list[tuple[str, str]]:
        if model is not None and model.remote is not None:
            return model_text.remote_details(model)
        tuned = model.tuned if model is not None else None
        if self._entry is not None and self._entry.base is not None:
            size = format_size(self._entry.base_bytes)
            return [(phrase("common.size"), size), (phrase("models.folder_of_weights"), str(self._entry.base))]
        judged = self._entry.usual if self._entry else None
        return [
            (phrase("models.licence_2"), self._licence(card)),
            (phrase("models.what_it_asks"), card.licence_notice if card else ""),
            (phrase("models.japanese_score"), _score(card)),
            (phrase("models.unconfirmed_facts"), _unconfirmed(card) if model is None else ""),
            (phrase("models.recognized"), self._recognition_note(model, card)),
            (phrase("models.training_run"), tuned.run_name if tuned else ""),
            (phrase("models.adapter"), model.adapter if model else ""),
            (
                phrase("models.base_for_fine_tuning"),
                card.base_model if card and card.kind == "chat" and not tuned else "",
            ),
            (phrase("common.base_model"), card.base_model if card and card.kind != "chat" else ""),
            (phrase("common.size"), format_size(model.size_bytes) if model else ""),
            (phrase("models.format"), join_facts(model.architecture, model.quantization) if model else ""),
            (phrase("models.adapter_it_comes_with"), self._adapter(model)),
            (phrase("models.reads_pictures"), model_text.reads_pictures(model) if model else self._projector(card)),
            (phrase("common.context_length"), self._context(model, card)),
            (
                phrase("models.vectors"),
                phrase("models.n_dimensions", n=card.dimensions) if card and card.dimensions else "",
            ),
            (phrase("models.file"), model.path if model else ""),
            (phrase("models.predicted"), model_text.predicted_speed(judged) if model else ""),
            (phrase("models.last_measured"), model_text.measured_speeds(model) if model else ""),
        ]

    def _licence(self, card: ModelCard | None) -> str:
        stated = card.licence if card is not None else phrase("models.see_where_it_is_published")
        return stated or phrase("models.licence_not_stated")

    def _recognition_note(self, model: LocalModel | None, card: ModelCard | None) -> str:
        """Return a note for a model that is recognized by name only: anyone can write a known name into a file."""
        if model is None or card is None or model.tuned is not None or local_models.is_published(model):
            return ""
        return phrase("models.by_the_name_inside_the")

    def _projector(self, card: ModelCard | None) -> str:
        comes_along = card is not None and any(file.projector for file in card.files)
        return phrase("models.projector_comes_along") if comes_along else ""

    def _adapter(self, model: LocalModel | None) -> str:
        has_one = model is not None and local_models.adapter_of(model) is not None
        return phrase("models.trained_to_answer_questions_used") if has_one else ""

    def _context(self, model: LocalModel | None, card: ModelCard | None) -> str:
        count = (model.context_tokens if model else 0) or (card.context_tokens if card else 0)
        if not count:
            return ""
        is_sure = (
            (model is not None and model.context_tokens > 0) or not card or "context_tokens" not in card.unverified
        )
        text = phrase("models.up_to_tokens", tokens=model_text.tokens(count))
        return text if is_sure else with_note(text, phrase("models.unconfirmed"))

    def _show_rerank_switch(self, model: LocalModel | None, card: ModelCard | None) -> None:
        """Show the switch with what it costs, or why the model's file cannot be used."""
        is_usable = model is not None and local_models.is_reranker(model)
        is_shown = is_usable or (card is not None and card.kind == "reranker")
        self.rerank_switch.setVisible(model is not None and is_shown)
        if model is None:
            return
        self.rerank_switch.box.setEnabled(is_usable)
        with QSignalBlocker(self.rerank_switch.box):
            self.rerank_switch.box.setChecked(is_usable and self._context_facts.reranks)
        cost_s = local_models.rerank_s(model)
        facts = (
            phrase("models.reordering_takes_s", s=f"{cost_s:.1f}") if cost_s else phrase("models.reordering_not_timed")
        )
        self.rerank_switch.show_facts(facts if is_usable else phrase("models.the_file_cannot_score"))

    def _show_files(self, entry: ModelEntry) -> None:
        files = entry.card.files if entry.card and not entry.is_tuned else ()
        self._files_title.setVisible(len(files) > 0)
        self.files.setVisible(len(files) > 0)
        if files:
            self.files.set_files(files, entry.judged, self._quantization)

    def _show_fit(self) -> None:
        judged = self._entry.judged.get(self._quantization) if self._entry else None
        for widget in (self._fit, self._reason_of_fit, self._memory_title, self._memory):
            widget.setVisible(judged is not None)
        self._advice.setVisible(judged is not None and model_text.fit_advice(judged) != "")
        if judged is None:
            return
        self._fit.setText(model_text.fit_verdict(judged))
        self._fit.set_tone(model_text.fit_badge(judged)[0])
        self._reason_of_fit.setText(model_text.fit_reason(judged))
        self._advice.setText(model_text.fit_advice(judged))
        where = (
            phrase("models.gpu_memory_use")
            if judged.fit.judgement.memory_kind == "graphics"
            else phrase("models.memory_use")
        )
        context = phrase("models.context_n", n=f"{judged.fit.context_tokens:,}")
        self._memory_title.setText(with_note(where, join_facts(self._quantization, context)))
        self._memory.show_fit(judged)

    def _show_engine_facts(self, model: LocalModel | None, facts: EngineFacts | None, judged: FitResult | None) -> None:
        is_file = model is not None and model.remote is None
        self._effective_title.setVisible(is_file or facts is not None)
        self._effective_hint.setVisible(is_file and facts is None)
        self._effective_hint.setText(phrase("models.the_actual_values_appear_here"))
        self._effective.setVisible(facts is not None)
        if facts is not None:
            is_same = judged is not None and judged.fit.context_tokens == facts.context_tokens
            predicted = judged.fit.memory_estimate if judged is not None and is_same and not facts.repack else None
            self._effective.set_facts(
                model_text.remote_engine_facts(facts) if facts.remote else model_text.engine_facts(facts, predicted)
            )

    def _show_verified(self, last_verified: LastVerified | None) -> None:
        for label in (self._verified, self._verified_next):
            label.setVisible(last_verified is not None)
        if last_verified is not None:
            text, tone = model_text.verify_state(last_verified)
            self._verified.setText(phrase("models.last_verified_result", result=text))
            self._verified.set_tone(tone)
            self._verified_next.setText(model_text.verify_next_step(last_verified))

    def _show_actions(self, entry: ModelEntry) -> None:
        is_local = entry.model is not None
        can_add = not is_local and entry.card in self._context_facts.brought_along
        file = self._file_to_download()
        is_allowed = self._context_facts.is_network_allowed
        self.use_button.setVisible(is_local and not entry.is_used and not entry.is_for_search)
        self.use_button.setEnabled(is_allowed or not entry.is_remote)
        self.connection_button.setVisible(entry.is_remote)
        can_read = is_local and not (entry.is_remote or entry.has_adapter or entry.is_for_search)
        self.projector_button.setVisible(can_read)
        has_projector = entry.model is not None and entry.model.projector != ""
        self.projector_button.setText(phrase("models.drop_projector" if has_projector else "models.choose_projector"))
        self.download_button.setVisible(file is not None and is_allowed and not can_add)
        # One primary button: for a local model, another quantization is secondary.
        self.download_button.set_kind("" if is_local else "primary")
        if file is not None:
            self.download_button.setText(self._download_words(file, entry))
        self._show_offline(is_wanted=file is not None and not is_allowed and not is_local and not can_add)
        self.download.setVisible(entry.download is not None and not self.back_button.isHidden())
        if entry.download is not None:
            self.download.show_download(entry.download)
        self.rollback_button.setVisible(entry.is_used and entry.is_tuned)
        # Base and adapter are compared with their hashes before each answer, so there is nothing to verify.
        self.verify_button.setVisible(is_local and not entry.has_adapter and not entry.is_remote)
        is_undone = entry.is_tuned or entry.is_remote  # the removal can be undone, so there is no question before it
        remove = "models.take_off_the_list_2" if is_undone else "models.take_off_the_list"
        self.remove_button.setText(phrase("models.delete_base" if entry.base is not None else remove))
        self.folder_button.setVisible((is_local and not entry.is_remote) or entry.base is not None)
        self.remove_button.setVisible(is_local or entry.base is not None)
        self.starter_button.setVisible(can_add)
        is_trial = entry.card is not None and entry.card.is_trial
        self.starter_button.setText(phrase("models.add_the_trial_model" if is_trial else "models.add"))
        self.starter_button.setEnabled(not self._context_facts.is_busy)
        self._show_reason(entry, can_add=can_add, can_download=file is not None)
        buttons = (self.use_button, self.starter_button, self.download_button, self.remove_button)
        self._actions.setVisible(any(not button.isHidden() for button in buttons))
        self._show_footer()

    def _show_reason(self, entry: ModelEntry, *, can_add: bool, can_download: bool) -> None:
        reason, is_stopped = "", entry.is_remote and not self._context_facts.is_network_allowed
        if is_stopped:
            reason = phrase("models.outside_traffic_is_blocked_so")
        elif entry.is_used:
            reason = phrase("models.in_use_for_questions")
        elif can_add:
            is_busy = self._context_facts.is_busy
            reason = phrase("models.adding_2") if is_busy else phrase("models.read_the_licence_before_you")
        elif entry.model is None and entry.download is None and not can_download and _is_runnable(entry):
            reason = phrase("models.add_it_by_importing_a")
        self._reason.setText(reason)
        self._reason.setVisible(bool(reason))
        self._reason.set_tone("warning" if is_stopped else "success" if entry.is_used else "text2")

    def _show_offline(self, *, is_wanted: bool) -> None:
        if not is_wanted:
            self.offline.hide()
        elif self.offline.isHidden():
            what = phrase("models.network_access_is_off")
            actions = (
                ("kit", phrase("common.import_a_kit")),
                ("source", phrase("models.another_source")),
                ("network", phrase("models.network_settings")),
            )
            sentence = phrase("models.it_can_be_added_from")
            self.offline.show_message("warning", what, sentence, actions)

    def _download_words(self, file: ModelFile, entry: ModelEntry) -> str:
        size = format_size(file.size_bytes)
        if entry.model is not None:
            return phrase("models.also_download_form_size", form=file.quantization, size=size)
        return phrase("common.download_size", size=size)

    def _on_offline_action(self, key: str) -> None:
        file = self._file_to_download()
        if key == "kit":
            self.kit_requested.emit()
        elif key == "network":
            self._navigation.settings_requested.emit("network")
        elif file is not None and self._entry is not None:
            self.source_requested.emit(self._entry.card, file)

    def _file_to_download(self) -> ModelFile | None:
        """Return the file of the chosen quantization; None if it exists, is being downloaded, or has no source."""
        card = self._entry.card if self._entry else None
        file = card.file_of(self._quantization) if card and not (self._entry and self._entry.is_tuned) else None
        if card is None or file is None or not file.repository or not card.is_runnable:
            return None
        entry = self._entry
        assert entry is not None
        is_here = entry.model is not None and entry.quantization == self._quantization
        is_coming = entry.download is not None and entry.download.quantization == self._quantization
        return None if is_here or is_coming else file

    def _on_download_clicked(self) -> None:
        file = self._file_to_download()
        if file is not None and self._entry is not None:
            self.download_requested.emit(self._entry.card, file)

    def _on_file_chosen(self, quantization: str) -> None:
        self._quantization = quantization
        self._show_fit()
        if self._entry is not None:
            self._show_actions(self._entry)
        self.file_changed.emit()


def _is_runnable(entry: ModelEntry) -> bool:
    return entry.base is None and (entry.card is None or entry.card.is_runnable)


def _score(card: ModelCard | None) -> str:
    if card is None or not card.japanese_score:
        return ""
    key = "models.score_with_thoughts" if card.scored_with_thoughts else "models.score_of_1"
    return phrase(key, score=f"{card.japanese_score:.3f}")


def _unconfirmed(card: ModelCard | None) -> str:
    """Return what of a card nobody has verified; a hash that it lacks comes from the hub when downloading."""
    if card is None:
        return ""
    names = [field_name(name) for name in card.unverified if name != "names"]
    lacks_hash = any(file.repository and not file.sha256 for file in card.files)
    return join_facts(*dict.fromkeys([*names, *([field_name("sha256")] if lacks_hash else [])]))
