"""Step 3, モデルと設定: choose the base model, a preset and settings, with a forecast of each preset.

The base is a model of the library or a folder; models that cannot be trained are listed with the reason. Three cards
show the usual presets, and less prominent rows show those of the paper.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QGridLayout, QSizePolicy, QWidget

from app.base.errors import AppError
from app.base.paths import Paths
from app.base.services.background import LatestWork
from app.base.wording import describe_error, format_size, phrase
from app.inference.local_model import LocalModel
from app.models import base_models, local_models
from app.models.hf_folders import HfModel
from app.models.services.downloads import Downloads
from app.training import training_errors
from app.training.drafts import TrainingDraft
from app.training.run_plan import RunPlan
from app.training.services.draft_editor import DraftEditor
from app.training.services.preset_forecasts import PresetForecast, PresetForecasts
from app.training.ui import settings_form, training_texts
from app.training.ui.published_weights import PublishedWeightsOffer
from app.training.ui.settings_form import TrainingSettingsForm
from app.training.ui.wizard import MARGIN_PX, WizardStep
from app.uikit import localization
from app.uikit.desktop import Pickers
from app.uikit.localization import join_facts, with_note
from app.uikit.page import NavigationSignals
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import FlowBox, Stretch, make_column, make_grid, make_row
from app.uikit.widgets.form_rows import CardChoice, ChoiceCard, Chooser, DescribedChoice
from app.uikit.widgets.labels import Label, plain_tooltip
from trainer.spec import PAPER_PRESETS, PREFERENCE, PRESETS


class ModelStep(WizardStep):
    def __init__(
        self,
        theme: Theme,
        navigation: NavigationSignals,
        work: DraftEditor,
        paths: Paths,
        models: Callable[[], Sequence[LocalModel]],
        downloads: Downloads,
        pickers: Pickers | None = None,
    ) -> None:
        super().__init__(theme)
        self._navigation = navigation
        self._work = work
        self._models = models
        self.forecasts = PresetForecasts(paths, models, self)
        self.weights = PublishedWeightsOffer(theme, downloads)
        self.base = BaseModelField(theme, pickers or Pickers(), paths.models, self.weights)
        self.cards = PresetCards(theme)
        self.about = Label(role="caption", tone="muted", wraps=True)
        names = ("answers", PREFERENCE)
        self.learned = DescribedChoice(
            theme,
            {name: (phrase(f"training.learned.{name}"), phrase(f"training.learned_about.{name}")) for name in names},
        )
        self.fold_button = Button(theme, "", "", "sliders-horizontal")
        self.fold_button.setCheckable(True)
        self.expert = TrainingSettingsForm(theme)
        self._build()
        self._connect()

    def show_draft(self) -> None:
        draft = self._work.draft
        self.base.show_base(draft.base, self._models())
        self.weights.show_model(base_models.find_listed(draft.base, self._models()))
        self.forecasts.look(draft)
        lacking = draft.lacking_pairs
        text = phrase("training.draft_problem.pairs_lacking", lacking=lacking) if lacking else ""
        self.learned.answers[PREFERENCE].show_obstacle(text)
        self.learned.show_key(PREFERENCE if draft.settings.get("loss") == PREFERENCE else "answers")
        self._show_forecasts()

    def begin(self) -> None:
        """Choose the base if only one model can be trained."""
        trainable = [one for one in self._models() if base_models.training_refusal(one) is None]
        if not self._work.draft.base and len(trainable) == 1:
            self._run_or_show_error(lambda: self._work.change(base=trainable[0].id))

    def focus_first(self) -> None:
        if self._work.draft.base:
            self.cards.focus_chosen()
        elif self.base.box.isEnabled():
            self.base.box.setFocus(Qt.FocusReason.OtherFocusReason)
        else:
            self.base.get_button.setFocus(Qt.FocusReason.OtherFocusReason)

    # ------------------------------------------------------------- private methods

    def _build(self) -> None:
        make_column(
            self.banner,
            self.base,
            Label(phrase("training.how_to_train"), "heading3"),
            self.learned,
            self.cards,
            self.about,
            (self.fold_button, 0, Qt.AlignmentFlag.AlignLeft),
            self.expert,
            Stretch(),
            into=self,
            margins_px=(MARGIN_PX, 20, MARGIN_PX, 20),
            spacing_px=16,
        )
        self.expert.hide()

    def _connect(self) -> None:
        self.base.chosen.connect(lambda base: self._run_or_show_error(lambda: self._work.change(base=base)))
        self.weights.fetched.connect(lambda folder: self._run_or_show_error(lambda: self._work.change(base=folder)))
        self.weights.failed.connect(self.banner.show_error)
        self.base.get_button.clicked.connect(lambda: self._navigation.page_requested.emit("models"))
        self.cards.chosen.connect(lambda preset: self._run_or_show_error(lambda: self._work.change(preset=preset)))
        self.learned.chosen.connect(
            lambda name: self._run_or_show_error(lambda: self._work.choose(loss=name if name == PREFERENCE else None))
        )
        self.expert.chosen.connect(
            lambda name, value: self._run_or_show_error(lambda: self._work.choose(**{name: value}))
        )
        self.fold_button.toggled.connect(self.expert.setVisible)
        self.fold_button.toggled.connect(self._name_fold)
        self.forecasts.changed.connect(self._show_forecasts)

    def _show_forecasts(self) -> None:
        draft, forecasts = self._work.draft, self.forecasts
        self.cards.show_presets(draft.preset, forecasts.forecasts, is_working=forecasts.is_working)
        self.about.setText(self._forecast_note(draft))
        forecast = forecasts.forecasts.get(draft.preset)
        decided = {name: getattr(forecast.plan.spec, name) for name in self.expert.fields} if forecast else {}
        left = decided | dict(forecast.left) if forecast else {}
        fixed = {"rank": draft.start.rank, "alpha": draft.start.alpha} if draft.start else {}
        self.expert.show_settings(draft.settings, left, _setting_problem(draft), fixed)
        self._name_fold()

    def _forecast_note(self, draft: TrainingDraft) -> str:
        error = self.forecasts.error
        if error is not None:
            sentence = describe_error(error).message
            return phrase("training.time_and_memory_cannot_be", reason=sentence)
        if not draft.base:
            return phrase("training.choose_a_base_model_to")
        if draft.frozen is None:
            return phrase("training.split_the_data_to_see")
        return phrase("training.estimated_from_the_letters_of")

    def _name_fold(self) -> None:
        count = len(self._work.draft.settings)
        name = phrase("common.hide_details") if self.fold_button.isChecked() else phrase("common.show_details")
        self.fold_button.setText(with_note(name, phrase("training.n_changed", n=count) if count else ""))


def _setting_problem(draft: TrainingDraft) -> tuple[str, str]:
    """Return the invalid setting and its error text; ("", "") if all are valid."""
    found = next((one for one in draft.problems("model") if one.code == "setting_wrong"), None)
    return (str(found.facts["facts"].get("field")), training_texts.problem_text(found)) if found else ("", "")


WIDTH_PX = 520


class BaseModelField(QWidget):
    chosen = Signal(str)  # a model id or a folder, accepted by `base_models.resolve_base`

    def __init__(self, theme: Theme, pickers: Pickers, models: Path, weights: PublishedWeightsOffer) -> None:
        """Create the field. `models`: the models folder, which has publishers' weights that were fetched."""
        super().__init__()
        self._theme = theme
        self._pickers = pickers
        self._models_folder = models
        self._shown_choices: tuple[str, tuple[LocalModel, ...]] | None = None
        self._reading = LatestWork()
        self._build(weights)
        theme.changed.connect(self._resize)
        self._resize()

    def show_base(self, base: str, models: Sequence[LocalModel]) -> None:
        if self._shown_choices == (base, tuple(models)):
            return
        self._shown_choices = (base, tuple(models))
        names = local_models.distinct_names(models)
        refused = {model.id: error for model in models if (error := base_models.training_refusal(model)) is not None}
        choices = [(names[model.id], model.id) for model in models if model.id not in refused]
        self.refused.setText("\n".join(describe_error(error).message for error in refused.values()))
        self.refused.setVisible(bool(refused))
        path = base_models.existing_path(base)
        found = None if path else base_models.find_listed(base, models)
        folders = base_models.fetched_bases(self._models_folder)
        choices += [
            (with_note(_repository_of(one), phrase("training.publishers_weights")), str(one)) for one in folders
        ]
        if path is not None and path not in folders:
            choices.append((path.name, base))
        self.box.set_choices(choices)
        self.box.setEnabled(bool(choices))
        self.empty.setVisible(not choices)
        self._show_chosen(base, path, found)
        self.box.setToolTip(plain_tooltip(self.box.currentText()))  # the name may be longer than the box

    def _show_chosen(self, base: str, path: Path | None, model: LocalModel | None) -> None:
        self._reading.drop()
        if not base:
            self.box.setCurrentIndex(-1)
            self._show_state("", "text2")
        elif path is not None:
            self.box.show_value(base)
            self._show_state(phrase("training.looking") if path.is_dir() else phrase("training.can_be_used"), "text2")
            if path.is_dir():
                self._reading.run(lambda: base_models.read_base_folder(path), self._on_read, self._on_unreadable)
        elif model is None or base_models.training_refusal(model) is not None:
            self.box.setCurrentIndex(-1)
            reason = base_models.training_refusal(model) if model else None
            unknown = phrase("training.the_base_model_chosen_before", name=base)
            self._show_state(f"▲ {describe_error(reason).message}" if reason else unknown, "warning")
        else:
            self.box.show_value(model.id)
            facts = join_facts(model.quantization, format_size(model.size_bytes))
            self._show_state(join_facts(phrase("training.can_be_used"), facts), "success")

    # ------------------------------------------------------------- private methods

    def _build(self, weights: PublishedWeightsOffer) -> None:
        title = Label(phrase("training.base_model"), "heading3")
        self.box = Chooser((), self.chosen.emit)
        self.box.setAccessibleName(title.text())
        self.box.setPlaceholderText(phrase("training.choose_one"))
        self.box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.box.setMinimumContentsLength(8)
        self.box.setSizeAdjustPolicy(self.box.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        title.setBuddy(self.box)
        self.empty = Label(phrase("training.there_is_no_model_yet_that_can"), tone="text2", wraps=True)
        self.state = Label(role="caption", tone="text2", wraps=True)
        self.refused = Label(role="caption", tone="muted", wraps=True)
        self.folder_button = Button(self._theme, phrase("training.choose_a_folder"), "", "folder-open", compact=True)
        self.get_button = Button(self._theme, phrase("training.get_a_model"), "", "download", compact=True)
        buttons = FlowBox(self.folder_button, self.get_button)
        parts = (title, self.empty, self.box, self.state, weights, buttons, self.refused)
        make_column(*parts, into=self, spacing_px=8)
        self.folder_button.setToolTip(phrase("training.a_publishers_safetensors_folder_becomes"))
        self.folder_button.clicked.connect(self._choose_folder)

    def _resize(self) -> None:
        self.box.setMaximumWidth(self._theme.px(WIDTH_PX))

    def _show_state(self, text: str, tone: str) -> None:
        self.state.set_tone(tone)
        self.state.setText(text)
        self.state.setVisible(bool(text))

    def _choose_folder(self) -> None:
        if path := self._pickers.folder(self.window(), phrase("training.choose_the_base_models_folder"), ""):
            self.chosen.emit(path)

    def _on_read(self, model: HfModel) -> None:
        parameters = phrase("common.n_b_parameters", n=f"{model.parameters / 1e9:.1f}")
        weights = base_models.weights_text(base_models.weights_of_folder(model))
        self._show_state(join_facts(phrase("training.can_be_used"), model.name, parameters, weights), "success")

    def _on_unreadable(self, error: AppError) -> None:
        self._show_state(f"▲ {describe_error(error)}", "warning")


def _repository_of(folder: Path) -> str:
    return folder.parent.parent.name.removeprefix("models--").replace("--", "/", 1)


SIDE_BY_SIDE_PX = 200  # minimum width of a card with three in a row
UNKNOWN = "—"


class PresetCards(CardChoice):
    def __init__(self, theme: Theme) -> None:
        self.cards = {name: PresetCard(theme, name, is_quiet=name in PAPER_PRESETS) for name in PRESETS}
        super().__init__(self.cards)
        self._theme = theme
        self._grid = make_grid(self, spacing_px=(12, 12))
        self._columns = 0
        self._lay_out()
        theme.changed.connect(self._lay_out)

    def show_presets(self, preset_id: str, forecasts: Mapping[str, PresetForecast], *, is_working: bool) -> None:
        """Show the presets. `is_working`: cards without a forecast show that it is being computed, not a dash."""
        self.show_key(preset_id)
        for name, card in self.cards.items():
            forecast = forecasts.get(name)
            card.show_plan(forecast.plan if forecast else None, is_working=is_working)
            card.update()

    def minimumSizeHint(self) -> QSize:
        return QSize(0, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._lay_out()

    def _lay_out(self) -> None:
        """Place the cards side by side if there is space, otherwise one below the other."""
        columns = 3 if self.width() >= 3 * self._theme.px(SIDE_BY_SIDE_PX) else 1
        if columns == self._columns:
            return
        self._columns = columns
        for place, (name, card) in enumerate(self.cards.items()):
            if name in PAPER_PRESETS:
                self._grid.addWidget(card, place, 0, 1, columns)
            else:
                self._grid.addWidget(card, place // columns, place % columns)
        for column in range(3):
            self._grid.setColumnStretch(column, 1 if column < columns else 0)


class PresetCard(ChoiceCard):
    """A card with a preset's name, its purpose, and the resources that a run with it needs."""

    def __init__(self, theme: Theme, name: str, *, is_quiet: bool = False) -> None:
        super().__init__(theme, training_errors.preset_name(name), is_quiet=is_quiet)
        self._sentence = Label(phrase(f"training.preset_about.{name}"), "caption", "text2", wraps=True)
        self._names = [Label("", "caption", "muted") for _ in range(3)]
        self.values = [Label(UNKNOWN, "ui", strong=True) for _ in range(3)]
        self.line = Label(role="caption", tone="text2", wraps=True)  # all three facts on one line, for a quiet card
        self.note = Label(role="caption", tone="warning", wraps=True)
        self.note.hide()
        self._build(is_recommended=name == training_errors.RECOMMENDED_PRESET)
        theme.changed.connect(self._restyle)
        self._restyle()

    def show_plan(self, plan: RunPlan | None, *, is_working: bool) -> None:
        device = plan.device.kind if plan else ""
        names = (phrase("training.time"), settings_form.memory_name(device), phrase("training.disk"))
        if plan is not None:
            shown = [localization.format_about_time(plan.time.total_s)]
            shown += [localization.format_gigabytes(size) for size in (plan.memory.total, plan.disk.training)]
        else:
            shown = [phrase("training.computing") if is_working else UNKNOWN] * 3
        for label, name in zip(self._names, names, strict=True):
            label.setText(name)
        for label, value in zip(self.values, shown, strict=True):
            label.setText(value)
        facts = join_facts(*(f"{name} {value}" for name, value in zip(names, shown, strict=True)))
        self.line.setText(facts if plan is not None else shown[0])
        self._show_note(plan)
        self.radio.setAccessibleDescription(join_facts(self._sentence.text(), facts, self.note.text()))

    # ------------------------------------------------------------- private methods

    def _build(self, *, is_recommended: bool) -> None:
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        head = make_row(self.radio, Stretch(), spacing_px=8)
        if is_recommended:
            head.addWidget(Label(phrase("training.recommended"), "caption", "accent", strong=True))
        column = make_column(head, self._sentence, into=self, margins_px=(16, 12, 16, 12), spacing_px=6)
        if self._is_quiet:
            column.addWidget(self.line)
        else:
            column.addStretch(1)
            column.addLayout(self._facts())
        column.addWidget(self.note)

    def _restyle(self) -> None:
        self.radio.setFont(self._theme.font("ui", 400 if self._is_quiet else 600))
        self.update()

    def _facts(self) -> QGridLayout:
        grid = make_grid(spacing_px=(8, 2), stretch=1)
        for row, (name, value) in enumerate(zip(self._names, self.values, strict=True)):
            grid.addWidget(name, row, 0)
            grid.addWidget(value, row, 1, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        return grid

    def _show_note(self, plan: RunPlan | None) -> None:
        """Warn if the run needs more than the device's total memory; the check step compares with the free memory."""
        text = ""
        if plan is not None and plan.memory.total > plan.device.memory_bytes:
            total = localization.format_gigabytes(plan.device.memory_bytes)
            text = phrase("training.more_than_the_memory_of", size=total)
            if plan.device.kind == "cuda":
                text = phrase("training.more_than_the_memory_of_this_gpu", size=total)
        self.note.setText(text)
        self.note.setVisible(bool(text))
