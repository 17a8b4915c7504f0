"""Step 1, 目的: ask for the goal of the training, advise whether fine-tuning suits it, and show what this PC can do."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout

from app.base import wording
from app.base.services import background
from app.base.wording import phrase
from app.inference.local_model import LocalModel
from app.models import starter
from app.training import capability
from app.training.capability import CapabilityNote, MachineMeasurements, TrainingCapability
from app.training.drafts import GOALS
from app.training.services.draft_editor import DraftEditor
from app.training.services.environment_setup import EnvironmentSetup
from app.training.ui.install_environment_flow import EnvironmentBox
from app.training.ui.job_dialogs import ExportJobDialog
from app.training.ui.wizard import MARGIN_PX, WizardStep
from app.uikit.desktop import Pickers
from app.uikit.localization import join_facts
from app.uikit.page import NavigationSignals
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import FlowBox, Stretch, make_column, make_row, refill
from app.uikit.widgets.form_rows import DescribedChoice
from app.uikit.widgets.labels import FactList, IconLabel, Label

if TYPE_CHECKING:
    from app.training.environment.folders import EnvironmentReport

MARK_DOWN_PX = 3  # pixels; aligns the icon with the first line

# Codes of the notes for which a line of the facts gets a mark.
_CARD = ("no_gpu", "other_gpu", "driver_silent", "card_old", "card_unseen", "cpu_torch")
_CAPABILITY = ("card_old", "card_slow", "no_bf16")
_DRIVER = ("driver_silent", "driver_old")
_CARD_MEMORY = ("memory_taken", "memory_small", "memory_untold")
_MEMORY = ("practice_memory",)
_DISK = ("disk_short", "practice_disk")


class GoalStep(WizardStep):
    def __init__(
        self,
        theme: Theme,
        navigation: NavigationSignals,
        work: DraftEditor,
        data: Path,
        models: Callable[[], Sequence[LocalModel]],
        setup: EnvironmentSetup,
        is_in_use: Callable[[], bool],
        pickers: Pickers | None = None,
    ) -> None:
        """Create the step.

        `data`: the program's data folder. `is_in_use`: returns whether a run or a conversion uses the environment.
        """
        super().__init__(theme)
        self._navigation = navigation
        self._work = work
        self._data = data
        self._models = models
        self._setup = setup
        self._pickers = pickers or Pickers()
        self._measured: MachineMeasurements | None = None
        self._report: EnvironmentReport | None = None
        self._has_started = False
        self.choice = goal_choice(theme)
        self.advice = Label(wraps=True)
        self.documents_button = Button(theme, phrase("training.add_to_the_documents"), icon="library-big")
        self.machine = MachinePanel(theme)
        self.environment = EnvironmentBox(theme, setup, is_in_use, self._pickers)
        self._build()
        self._connect()

    def show_draft(self) -> None:
        goal = self._work.draft.goal
        self.choice.show_key(goal)
        self._advice_box.setVisible(goal in ("facts", "both"))
        if goal in ("facts", "both"):
            self.advice.setText(phrase(f"training.goal_documents.{goal}"))
        self._show_offers()

    def focus_first(self) -> None:
        self.choice.focus_chosen()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if not self._has_started:
            self._has_started = True
            self._measure()
            self._check_environment()

    # ------------------------------------------------------------------ building

    def _build(self) -> None:
        self._advice_box = QFrame()
        self._advice_box.setProperty("surface", "raised")
        offer = FlowBox(self.documents_button)
        make_column(self.advice, offer, into=self._advice_box, margins_px=(16, 12, 16, 12), spacing_px=8)
        limits = make_column(
            self._limit("circle-check", "success", phrase("training.it_can_unify_style_format")),
            self._limit("circle-x", "text2", phrase("training.it_cannot_teach_new_facts")),
            self._limit("info", "text2", phrase("training.prepare_at_least_50_pairs")),
            spacing_px=6,
        )
        make_column(
            self.banner,
            Label(phrase("training.before_you_start"), "heading2"),
            Label(phrase("training.what_do_you_want"), "heading3"),
            self.choice,
            self._advice_box,
            4,
            Label(phrase("training.what_fine_tuning_can_do"), "heading3", wraps=True),
            limits,
            4,
            self.machine,
            self.environment,
            Stretch(),
            into=self,
            margins_px=(MARGIN_PX, 20, MARGIN_PX, 20),
            spacing_px=12,
        )

    def _limit(self, icon: str, tone: str, text: str) -> QHBoxLayout:
        mark = IconLabel(self._theme, icon, tone)
        mark.setContentsMargins(0, MARK_DOWN_PX, 0, 0)
        return make_row((mark, 0, Qt.AlignmentFlag.AlignTop), (Label(text, tone="text2", wraps=True), 1), spacing_px=8)

    def _connect(self) -> None:
        self.choice.chosen.connect(lambda goal: self._run_or_show_error(lambda: self._work.change(goal=goal)))
        self.documents_button.clicked.connect(lambda: self._navigation.page_requested.emit("documents"))
        self.machine.measure_button.clicked.connect(self._measure_again)
        self.machine.practice_button.clicked.connect(self._choose_trial_model)
        self.machine.job_button.clicked.connect(
            lambda: ExportJobDialog(self._theme, self._work, self.window(), self._pickers).open()
        )
        for changed in (self._setup.finished, self._setup.removed):
            changed.connect(self._on_environment_changed)

    # ------------------------------------------------------------------- showing

    def _show_machine(self) -> None:
        measured, report = self._measured, self._report
        if measured is None:
            return
        found = capability.assess(measured, report.probe if report else None)
        self.machine.show_ability(found, measured)
        self.environment.show_report(report, lacks_cuda=found.has("cpu_torch"))
        self._show_offers()

    def _show_offers(self) -> None:
        draft, found = self._work.draft, self._starter()
        self.machine.show_offers(
            has_starter=found is not None,
            is_starter_chosen=found is not None and draft.base == found.id,
            can_make_job=draft.is_complete("data") and draft.is_complete("model") and not self._work.is_busy,
        )

    def _starter(self) -> LocalModel | None:
        card = starter.card().id
        return next((model for model in self._models() if model.card_id == card), None)

    # --------------------------------------------------------------- the machine

    def _measure(self) -> None:
        data = self._data
        background.run(lambda: capability.measure(data), self._on_measured)

    def _measure_again(self) -> None:
        self._measured = self._report = None
        self.machine.show_measuring()
        self.environment.show_report(None)
        self._measure()
        self._check_environment()

    def _check_environment(self) -> None:
        self._setup.look(self._on_environment_checked)

    def _on_measured(self, measurements: MachineMeasurements) -> None:
        self._measured = measurements
        self._show_machine()

    def _on_environment_checked(self, report: "EnvironmentReport") -> None:
        self._report = report
        self.environment.show_report(report)
        self._show_machine()

    def _on_environment_changed(self) -> None:
        self._run_or_show_error(self._work.refresh_environment)
        if self._has_started:
            self._report = None
            self.environment.show_report(None)
            self._check_environment()

    # ------------------------------------------------------------------- actions

    def _choose_trial_model(self) -> None:
        """Set the trial model as the base, and the processor as the device if there is a card.

        If the trial model is not installed, request it from the window.
        """
        found, here = self._starter(), self.machine.ability
        if found is None or here is None:
            self._navigation.starter_requested.emit()
            return
        self._run_or_show_error(lambda: self._work.change(base=found.id))
        if here.card is not None:
            self._run_or_show_error(lambda: self._work.choose(device="cpu"))


class MachinePanel(QFrame):
    """Shows facts about this PC, and a sentence on what can be trained with it."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.ability: TrainingCapability | None = None  # None: not measured yet
        self.measure_button = Button(theme, phrase("training.measure_again"), "quiet", "refresh-cw", compact=True)
        self._mark = IconLabel(theme, "info", "text2")
        self._mark.setContentsMargins(0, MARK_DOWN_PX, 0, 0)
        self.verdict = Label(role="heading3", wraps=True)
        self.facts = FactList(theme)
        self._remarks = make_column(spacing_px=4)
        self.practice_button = Button(theme, phrase("training.practise_with_the_trial_model"), "", "play")
        self.job_button = Button(theme, phrase("training.make_a_job_folder_for"), "", "folder-plus")
        self.reason = Label(role="caption", tone="text2", wraps=True)
        self._build()
        self.show_measuring()

    def show_measuring(self) -> None:
        self.ability = None
        self._mark.show_icon("info", "text2")
        self.verdict.setText(phrase("training.looking"))
        self.facts.hide()
        self._show_remarks(())
        self.measure_button.setEnabled(False)
        self._offers.hide()
        self.reason.hide()

    def show_ability(self, ability: TrainingCapability, measurements: MachineMeasurements) -> None:
        self.ability = ability
        is_open = ability.verdict.code == "unverified"
        is_grave = not (ability.size or is_open) or any(remark.is_grave for remark in ability.remarks)
        good = ("info", "text2") if is_open else ("circle-check", "success")
        self._mark.show_icon(*(("triangle-alert", "warning") if is_grave else good))
        self.verdict.setText(_remark_text(ability.verdict))
        self.facts.set_facts(self._facts(ability, measurements))
        self.facts.show()
        self._show_remarks(ability.notes)
        self.measure_button.setEnabled(True)

    def show_offers(self, *, has_starter: bool, is_starter_chosen: bool, can_make_job: bool) -> None:
        """Offer alternatives if no card can be used. `can_make_job`: data and base are chosen."""
        ability = self.ability
        is_offered = ability is not None and not ability.size
        self._offers.setVisible(is_offered)
        practise, add = phrase("training.practise_with_the_trial_model"), phrase("training.add_the_trial_model")
        self.practice_button.setText(practise if has_starter else add)
        self.practice_button.setEnabled(ability is not None and ability.can_practise and not is_starter_chosen)
        self.job_button.setEnabled(can_make_job)
        lines = []
        if is_starter_chosen:
            lines.append(phrase("training.the_trial_model_is_now"))
        if not can_make_job:
            lines.append(phrase("training.the_job_folder_needs_data"))
        self.reason.setText("\n".join(lines))
        self.reason.setVisible(is_offered and bool(lines))

    # ------------------------------------------------------------- private methods

    def _build(self) -> None:
        self.setProperty("surface", "card")
        head = make_row((Label(phrase("common.this_pc"), strong=True), 1), self.measure_button)
        verdict = make_row((self._mark, 0, Qt.AlignmentFlag.AlignTop), (self.verdict, 1), spacing_px=8)
        self._offers = FlowBox(self.practice_button, self.job_button)
        make_column(
            head,
            verdict,
            self._remarks,
            self.facts,
            self._offers,
            self.reason,
            into=self,
            margins_px=(16, 12, 16, 14),
            spacing_px=10,
        )

    def _show_remarks(self, remarks: tuple[CapabilityNote, ...]) -> None:
        signs = ((remark, ("▲", "warning") if remark.is_grave else ("•", "text2")) for remark in remarks)
        lines = (Label(f"{mark} {_remark_text(remark)}", tone=tone, wraps=True) for remark, (mark, tone) in signs)
        refill(self._remarks, lines)

    def _facts(self, ability: TrainingCapability, measurements: MachineMeasurements) -> list[tuple[str, str]]:
        card = ability.card
        names = join_facts(*(gpu.name for gpu in measurements.gpus)) or phrase("training.none_found")
        facts = [("GPU", self._marked(card.name if card else names, _CARD))]
        if card is not None:
            version = ".".join(map(str, card.capability)) if card.capability else ""
            facts += [
                (phrase("training.driver"), self._marked(card.driver or phrase("training.not_known"), _DRIVER)),
                ("Compute Capability", self._marked(version, _CAPABILITY) if version else ""),
                (
                    phrase("training.gpu_memory"),
                    self._marked(self._free_space_text(card.free_bytes, card.memory_bytes), _CARD_MEMORY),
                ),
            ]
        memory = self._free_space_text(measurements.available_bytes, measurements.memory_bytes)
        disk = phrase("training.free_gb_free", free=f"{measurements.disk_bytes / 1e9:,.0f}")
        return [
            *facts,
            (phrase("common.memory"), self._marked(memory, _MEMORY)),
            (phrase("training.disk"), self._marked(disk, _DISK)),
        ]

    def _free_space_text(self, free_bytes: int | None, total_bytes: int | None) -> str:
        if not total_bytes or free_bytes is None:
            return phrase("training.not_known")
        words = phrase("training.free_of_total_gb_free")
        return words.format(free=f"{free_bytes / 1e9:.1f}", total=f"{total_bytes / 1e9:.1f}")

    def _marked(self, value: str, codes: tuple[str, ...]) -> str:
        """Return the value after a mark: ▲ if the machine has one of the notes `codes`, otherwise ✓."""
        assert self.ability is not None
        return f"▲ {value}" if any(self.ability.has(code) for code in codes) else f"✓ {value}"


def _remark_text(remark: CapabilityNote) -> str:
    return wording.phrase(f"training.ability.{remark.code}", **remark.facts).replace(" GB", "\u00a0GB")


def goal_choice(theme: Theme) -> DescribedChoice:
    """Return a control for the question 何をしたいですか with its answers, each with advice."""
    texts = {goal: (phrase(f"training.goal_answer.{goal}"), phrase(f"training.goal_advice.{goal}")) for goal in GOALS}
    choice = DescribedChoice(theme, texts)
    for answer in choice.answers.values():  # the arrow is only visual, not part of the accessible text
        answer.about.setText(f"→ {answer.about.text()}")
    return choice
