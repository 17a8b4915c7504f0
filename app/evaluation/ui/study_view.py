"""Show a study that runs here or elsewhere, or that waits to be started or resumed."""

import dataclasses
import functools
from pathlib import Path

from PySide6.QtCore import QTimer, Signal
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import QWidget

from app.base.errors import AppError
from app.base.services import background
from app.base.services.background import LatestWork
from app.base.wording import format_duration, phrase
from app.evaluation.services.evaluations import Evaluations
from app.evaluation.study import study_preflight, study_steps
from app.evaluation.study.studies import Study, StudyEntry
from app.evaluation.study.study_preflight import MemoryShortage
from app.evaluation.study.study_steps import StudyStatus, SystemProgress
from app.evaluation.ui import study_texts
from app.inference import machine
from app.models.artifact_steps import StepProgress
from app.uikit.localization import join_facts, with_note
from app.uikit.theme import Theme
from app.uikit.widgets.banner import Banner
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import Card, IconLines, Stretch, make_column, make_row, make_scrollable
from app.uikit.widgets.labels import FactList, Label
from app.uikit.widgets.progress_row import ProgressRow

MARGIN_PX = 24
READ_EVERY_MS = 2000  # how often the folder of a running study is read
TICK_MS = 1000


def _system_line(system: SystemProgress, now: str) -> tuple[str, str, str]:
    """Return the icon, its colour and the text of a system. `now`: name of the system being measured; "": none."""
    if system.name == now:
        icon, tone, state = "play", "accent", phrase("evaluation.measuring")
    elif system.is_measured:
        icon, tone, state = "circle-check", "success", phrase("common.done")
    else:
        icon, tone = "ellipsis", "muted"
        state = phrase("evaluation.not_finished") if system.answered else phrase("common.waiting")
    count = ""
    if system.questions:
        count = phrase("evaluation.a_b_answers", a=f"{system.answered:,}", b=f"{system.questions:,}")
    return icon, tone, join_facts(system.name, count, state)


class StudyView(QWidget):
    failed = Signal(object)  # AppError: the folder cannot be read, or the study cannot continue
    ended_elsewhere = Signal()  # another process carried it out, and it has ended or paused

    def __init__(self, theme: Theme, evaluations: Evaluations) -> None:
        super().__init__()
        self._theme = theme
        self._evaluations = evaluations
        self._entry: StudyEntry | None = None
        self._standing: StudyStatus | None = None
        self._errors: dict[Path, AppError] = {}  # errors of studies that failed since the app started
        self._shown_step = ("", "", 0)  # kind, name and number of the shown step
        self._answered = 0  # number of answers of all systems together, as last shown
        self._facts: tuple[tuple[str, str], ...] = ()
        self._lines: list[tuple[str, str, str]] = []  # of the systems, as last shown
        self._is_reading = False
        self._checking = LatestWork()
        self._read_timer = QTimer(self, interval=READ_EVERY_MS)
        self._tick = QTimer(self, interval=TICK_MS)
        self._build()
        self._connect()

    @property
    def _study(self) -> Study | None:
        return self._entry.study if self._entry else None

    @property
    def folder(self) -> Path | None:
        return self._entry.folder if self._entry else None

    @property
    def is_ours(self) -> bool:
        """Return whether this process carries the study out or is about to."""
        return self._entry is not None and self._evaluations.folder == self._entry.folder

    def show_study(self, entry: StudyEntry) -> None:
        """Show a study. `entry.study` must not be None."""
        if entry.folder != self.folder:
            self._standing, self._shown_step, self._answered = None, ("", "", 0), 0
            self.progress.finish()
            self.warnings.hide()
        self._entry = entry
        self._show_study()
        self._read_folder()
        self._check_memory()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._read_timer.start()
        self._tick.start()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._read_timer.stop()
        self._tick.stop()

    # ------------------------------------------------------------------ building

    def _build(self) -> None:
        theme = self._theme
        self.banner = Banner(theme, can_close=False)
        self.name = Label(role="heading2", wraps=True)
        self.facts = FactList(theme)
        self.step = Label(role="heading3", wraps=True)
        self.progress = ProgressRow(theme, can_cancel=False)
        self.sentence = Label(tone="text2", wraps=True)
        self.pause_button = Button(theme, phrase("common.pause"), icon="pause")
        self.go_on_button = Button(theme, phrase("common.continue"), "primary", "play")
        self.notes = Label(role="caption", tone="muted", wraps=True)
        self.warnings = Label(tone="warning", wraps=True)
        self.systems = IconLines(theme)
        self.systems_card = Card(phrase("evaluation.settings_to_compare"))
        self.systems_card.column.addWidget(self.systems)
        self.elapsed = Label(role="caption", tone="text2")
        # at most one of the buttons is visible
        buttons = make_row(self.go_on_button, self.pause_button, Stretch(), self.elapsed)
        content = QWidget()
        make_column(
            self.banner, self.name, self.facts, self.step, self.progress, self.sentence, buttons, self.warnings,
            self.notes, self.systems_card, Stretch(),
            into=content, margins_px=(MARGIN_PX, 20, MARGIN_PX, 20), spacing_px=14,
        )  # fmt: skip
        make_column(make_scrollable(content), into=self)

    def _connect(self) -> None:
        evaluations = self._evaluations
        evaluations.started.connect(self._on_started)
        evaluations.progressed.connect(self._on_progressed)
        evaluations.ended.connect(self._on_ended)
        self._read_timer.timeout.connect(self._read_if_running)
        self._tick.timeout.connect(self._on_tick)
        self.pause_button.clicked.connect(self._on_pause)
        self.go_on_button.clicked.connect(self._on_go_on)

    # ------------------------------------------------------------------- showing

    def _show_study(self) -> None:
        entry, study = self._entry, self._study
        if entry is not None and study is not None:
            self.name.setText(study.name)
            self._show_facts(study)
            self._show_elapsed()
            self._show_step()
            self._show_buttons(entry, study)
            self._show_failure(entry)
            self._show_systems()

    def _show_facts(self, study: Study) -> None:
        standing = self._standing
        trainings = (
            study_texts.amount_text(standing.trained, standing.trainings) if standing and standing.trainings else ""
        )
        facts = (
            (phrase("evaluation.kind"), phrase(f"evaluation.study_kind.{study.kind}")),
            (phrase("evaluation.question_set"), with_note(study.set_name, phrase(f"common.label.{study.label}"))),
            (
                phrase("evaluation.judge"),
                study.judge.name if study.judge else phrase("evaluation.none_scored_by_rules_alone"),
            ),
            (phrase("evaluation.trained_runs"), trainings),
        )
        if facts != self._facts:  # text that the user has selected stays selected
            self._facts = facts
            self.facts.set_facts(facts)

    def _on_tick(self) -> None:
        self._show_elapsed()
        if self.is_ours and self._evaluations.progress is None:  # no signal reports that the study waits for something
            self._show_step()

    def _show_elapsed(self) -> None:
        time = format_duration(self._evaluations.elapsed_s)
        self.elapsed.setText(phrase("evaluation.time_so_far_this_time", time=time) if self.is_ours else "")

    def _show_step(self) -> None:
        evaluations = self._evaluations
        progress = evaluations.progress if self.is_ours else None
        self.step.setText(self._step_text(progress))
        self.step.setVisible(bool(self.step.text()))
        if progress is None:
            self._shown_step = ("", "", 0)
            self.progress.finish()
            return
        step = (progress.kind, progress.name, progress.number)
        if step != self._shown_step:
            is_next_system = progress.kind == "answers" == self._shown_step[0]
            self._shown_step = step
            if not is_next_system:  # the answers of all systems share one bar and one remaining time
                self.progress.start(phrase(f"evaluation.study_unit.{progress.kind}"))
            self._read_folder()
        if progress.kind == "answers":
            systems = self._systems_now(progress)
            self._answered = max(self._answered, sum(system.answered for system in systems))
            self.progress.set_progress(self._answered, sum(system.questions for system in systems))
        elif progress.total:
            self.progress.set_progress(progress.done, progress.total, is_bytes=progress.kind == "make")

    def _step_text(self, progress: StepProgress | None) -> str:
        if progress is not None:
            assert self._study is not None
            what = study_texts.step_description(progress, self._study)
            return phrase("evaluation.a_b_what", a=progress.number, b=progress.steps, what=what)
        if not self.is_ours:
            return ""
        if self._evaluations.is_waiting:
            return phrase("evaluation.waiting_for_an_answer_to")
        if self._evaluations.is_embedding:
            return phrase("evaluation.preparing_the_documents_for_search")
        return phrase("evaluation.preparing")

    def _show_buttons(self, entry: StudyEntry, study: Study) -> None:
        evaluations = self._evaluations
        self.pause_button.setVisible(self.is_ours)
        self.pause_button.setEnabled(not evaluations.is_stopping)
        self.go_on_button.setVisible(not self.is_ours and entry.state == "waiting")
        self.go_on_button.setEnabled(not evaluations.is_running)
        sentence = study_texts.state_sentence(entry, self._standing, evaluations)
        self.sentence.setText(sentence)
        self.sentence.setVisible(bool(sentence))
        for button in (self.pause_button, self.go_on_button):
            button.setAccessibleDescription("" if button.isEnabled() else sentence)
        self.notes.setText(study_texts.running_notes(study) if self.is_ours else "")
        self.notes.setVisible(self.is_ours)

    def _show_failure(self, entry: StudyEntry) -> None:
        error = self._errors.get(entry.folder)
        if error is None or self.is_ours:
            self.banner.hide()
            return
        message = study_texts.failure_message(study_texts.with_study_name(error, [entry]))
        self.banner.show_message("danger", message.message, message.next)

    def _show_systems(self) -> None:
        progress = self._evaluations.progress if self.is_ours else None
        systems = self._systems_now(progress)
        self.systems_card.setVisible(bool(systems))
        now = progress.name if progress and progress.kind in ("answers", "likelihood") else ""
        lines = [_system_line(system, now) for system in systems]
        if lines != self._lines:  # most signals change nothing here
            self._lines = lines
            self.systems.show_lines(lines)

    def _systems_now(self, progress: StepProgress | None) -> tuple[SystemProgress, ...]:
        """Return the progress of the systems as far as it is known; () until the folder has been read."""
        systems = self._standing.systems if self._standing else ()
        if progress is None or progress.kind != "answers" or not progress.total:
            return systems
        # adds the answers since the folder was read; with several seeds only the folder has the whole number
        return tuple(
            dataclasses.replace(one, answered=max(one.answered, progress.done)) if one.name == progress.name else one
            for one in systems
        )

    # ------------------------------------------------------------------- looking

    def _read_folder(self) -> None:
        study, folder = self._study, self.folder
        if study is None or folder is None or self._is_reading:
            return
        self._is_reading = True
        read = functools.partial(study_steps.study_status, study, folder)
        background.run(
            read,
            functools.partial(self._on_status_read, folder),
            functools.partial(self._on_unreadable, folder),
        )

    def _read_if_running(self) -> None:
        if self.is_ours or (self._entry is not None and self._entry.state == "running"):
            self._read_folder()

    def _on_status_read(self, folder: Path, status: StudyStatus) -> None:
        self._is_reading = False
        if folder != self.folder:
            self._read_folder()
            return
        self._standing = status
        if not self.is_ours:
            self._follow(status.state)
        self._show_study()

    def _on_unreadable(self, folder: Path, error: AppError) -> None:
        self._is_reading = False
        if folder != self.folder:
            self._read_folder()
        else:
            self.failed.emit(error)

    def _follow(self, state: str) -> None:
        """Take over the state of a study that another process may carry out."""
        entry = self._entry
        if entry is not None and entry.state != state:
            self._entry = dataclasses.replace(entry, state=state)
            if entry.state == "running":
                self.ended_elsewhere.emit()

    def _check_memory(self) -> None:
        """Check which models need more memory than there is; the window's model is unloaded before they are used."""
        study, folder = self._study, self.folder
        if study is not None and folder is not None:
            find = functools.partial(_memory_shortages, study, folder)
            self._checking.run(find, self._on_memory_read, self.failed.emit)

    def _on_memory_read(self, shortages: list[MemoryShortage]) -> None:
        lines = [study_texts.memory_warning(one.name, one.need_bytes, is_judge=one.is_judge) for one in shortages]
        self.warnings.setText("\n".join(f"▲ {line}" for line in lines))
        self.warnings.setVisible(bool(lines))

    # --------------------------------------------------------------------- slots

    def _on_started(self, folder: Path) -> None:
        self._errors.pop(folder, None)
        self._show_study()
        if self.is_ours:
            self._check_memory()

    def _on_progressed(self, _progress: object) -> None:
        if self.is_ours:
            self._show_study()

    def _on_ended(self, folder: Path, error: AppError | None) -> None:
        if error is not None:
            self._errors[folder] = error
        if self._entry is not None and folder == self.folder:
            state = "finished" if self._evaluations.outcome == "finished" else "waiting"
            self._entry = dataclasses.replace(self._entry, state=state)
        self._show_study()
        self._read_folder()

    def _on_pause(self) -> None:
        self._evaluations.stop()
        self._show_study()

    def _on_go_on(self) -> None:
        if self.folder is not None:
            try:
                self._evaluations.start(self.folder)
            except AppError as error:
                self.failed.emit(error)
            self._show_study()


def _memory_shortages(study: Study, folder: Path) -> list[MemoryShortage]:
    """Return the models that need more memory than there is, counting the memory of this process's models as free.

    [] if the folder cannot be read, which reading the progress reports.
    """
    try:
        return study_preflight.memory_shortages(study, folder, machine.measure_memory(machine.program_memory_bytes()))
    except AppError:
        return []
