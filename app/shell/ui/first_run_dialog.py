"""Show the first run in three steps to take or skip: this machine and its speed, a model, a question on documents."""

import contextlib
from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QDialog, QFrame, QHBoxLayout, QStackedWidget, QWidget

from app.base.errors import AppError
from app.base.paths import Paths
from app.base.services import background
from app.base.services.background import LongTask
from app.base.services.preferences import Preferences
from app.base.settings import Settings
from app.base.wording import phrase
from app.documents.services.document_library import DocumentLibrary
from app.documents.services.reading_offers import ReadingOffers
from app.inference import machine, speed
from app.inference.machine import Gpu
from app.inference.speed import MachineSpeed
from app.models import model_fit
from app.models.model_fit import SizeFit
from app.models.services.model_library import ModelLibrary
from app.models.ui import model_text
from app.models.ui.download_controller import DownloadController
from app.shell.ui.first_run_documents import DocumentsStep
from app.shell.ui.first_run_model import FirstModelStep
from app.uikit.localization import join_sentences, with_note
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import Stretch, make_box, make_column, make_row, make_scrollable
from app.uikit.widgets.labels import FactList, IconLabel, Label, Separator, set_surface
from app.uikit.widgets.progress_row import ProgressRow
from app.uikit.widgets.section_bars import StepRail

ROOM_FOR_FILE = 1.05  # factor; a file system needs some space for itself


class MachineStep(QWidget):
    """Shows the machine, GPUs later, as their driver takes time, and the advice once the speed is measured."""

    def __init__(self, theme: Theme, paths: Paths, settings: Settings) -> None:
        super().__init__()
        self._theme = theme
        self._settings = settings
        self._speed_file = paths.data / speed.FILE_NAME
        self._machine = machine.measure_machine(paths.models)
        self._measuring: LongTask | None = None
        self._build()
        self._show_facts(phrase("common.checking"))
        background.run(machine.list_gpus, self._on_gpus_found, self._on_failed)

    def begin(self) -> None:
        """Show the advice; before it, measure the machine's speed if that is not known."""
        here = speed.load(self._speed_file)
        if here is not None:
            self._show_advice(here)
        elif self._measuring is None:
            self._card.hide()
            self.progress.start(phrase("shell.measuring_the_speed"))
            self._measuring = background.run_long(
                lambda progress: speed.measure(report=progress.report),
                self._on_measured,
                self._on_measuring_failed,
                self._on_progressed,
                self._on_cancelled,
            )

    def cancel(self) -> None:
        """Stop measuring. The advice then follows from the memory alone."""
        if self._measuring is not None:
            self._measuring.cancel()

    def _build(self) -> None:
        self._facts = FactList(self._theme)
        self.advice = Label(role="heading3", wraps=True)
        self.reasons = Label(tone="text2", wraps=True)
        self.warning = Label(tone="warning", wraps=True)
        self._card = QFrame()
        self._card.setProperty("surface", "raised")
        self.progress = ProgressRow(self._theme)
        self.progress.cancelled.connect(self.cancel)
        lines = self.advice, self.reasons, self.warning
        make_column(*lines, into=self._card, margins_px=(16, 12, 16, 12), spacing_px=6)
        make_column(
            Label(phrase("shell.what_this_pc_can_do"), "heading2"),
            self._facts,
            self.progress,
            self._card,
            Label(phrase("shell.8b_and_the_like_are"), "caption", "muted", wraps=True),
            Stretch(),
            into=self,
            spacing_px=16,
        )

    # -------------------------------------------------------------------- facts

    def _show_facts(self, gpus: str) -> None:
        here = self._machine
        memory = phrase("shell.a_gb_b_gb_free", a=_gb(here.memory_bytes), b=_gb(here.available_bytes))
        facts = [
            (phrase("common.memory"), memory),
            ("CPU", phrase("shell.n_physical_cores", n=here.cores)),
            ("GPU", gpus),
            (phrase("shell.disk_space_free"), f"{here.free_disk_bytes / 1e9:,.0f} GB"),
        ]
        self._facts.set_facts(facts)
        self.setAccessibleDescription(
            "\n".join(phrase("common.name_value", name=name, value=value) for name, value in facts)
        )

    def _on_gpus_found(self, gpus: Sequence[Gpu]) -> None:
        """Show the GPUs. Whether one can compute answers becomes known only when a model is loaded."""
        lines = [with_note(gpu.name, f"{_gb(gpu.memory_bytes)} GB" if gpu.memory_bytes else "") for gpu in gpus]
        if lines:
            lines.append(phrase("shell.whether_it_can_be_used"))
        self._show_facts("\n".join(lines) or phrase("shell.none_found_answers_are_computed"))

    def _on_failed(self, error: AppError) -> None:
        raise error  # not expected: listing GPUs raises no AppError

    # ---------------------------------------------------------------- measuring

    def _on_progressed(self, done: int, total: int) -> None:
        self.progress.set_progress(done, total, is_brief=True)

    def _on_measured(self, here: MachineSpeed) -> None:
        with contextlib.suppress(OSError):  # without the file it is measured again next time
            speed.save(self._speed_file, here)
        self._end_measuring(here)

    def _on_measuring_failed(self, _error: AppError) -> None:
        self._end_measuring(None)

    def _on_cancelled(self) -> None:
        self._end_measuring(None)

    def _end_measuring(self, here: MachineSpeed | None) -> None:
        self._measuring = None
        self.progress.finish()
        self._show_advice(here)

    # ------------------------------------------------------------------- advice

    def _show_advice(self, here: MachineSpeed | None) -> None:
        this_machine, settings = self._machine, self._settings
        sizes = model_fit.fit_sizes(this_machine.available_bytes, settings.context_tokens, settings.kv_type, here)
        best = model_fit.recommended_size(sizes)
        self._card.show()
        if best is None:
            self.advice.setText(phrase("shell.free_memory_is_tight_even"))
            self.reasons.setText(phrase("shell.closing_other_programs_frees_memory"))
        else:
            recommended = phrase("shell.recommended_model_size_size", size=best.name)
            fits = phrase("shell.size_fits_speed_not_measured", size=best.name)
            self.advice.setText(recommended if here is not None else fits)
            need, file, n = _gb(best.need_bytes), _gb(best.file_bytes), f"{settings.context_tokens:,}"
            needs = phrase("shell.it_needs_about_need_gb", need=need, file=file, n=n)
            self.reasons.setText("\n".join(filter(None, (_felt(best), needs, *self._other_sizes(best, sizes)))))
        is_disk_short = best is not None and best.file_bytes * ROOM_FOR_FILE > this_machine.free_disk_bytes
        self.warning.setVisible(is_disk_short)
        self.warning.setText(phrase("shell.there_is_not_enough_disk"))

    def _other_sizes(self, best_fit: SizeFit, sizes: Sequence[SizeFit]) -> list[str]:
        """Return a sentence on the recommended size or larger ones that fit, in a list; [] for none."""
        wanted = next(size for size in sizes if size.name == model_fit.RECOMMENDED_SIZE)
        largest = model_fit.largest_size(sizes)
        if wanted.verdict == "insufficient":
            return [phrase("shell.there_is_not_enough_free", size=wanted.name, need=_gb(wanted.need_bytes))]
        if wanted.verdict == "tight":
            return [phrase("shell.size_recommended_for_work_runs", size=wanted.name)]
        if wanted != best_fit and wanted.speed is not None:
            return [
                phrase(
                    "shell.size_recommended_for_work_is_slow",
                    size=wanted.name,
                    wait=model_text.about_wait(wanted.speed.first_word_s(speed.DOCUMENTS_TOKENS)),
                    n=max(1, round(wanted.speed.characters_per_s)),
                )
            ]
        if largest is not None and largest != best_fit:
            return [phrase("shell.models_up_to_size_fit", size=largest.name)]
        return []


def _felt(size: SizeFit) -> str:
    """Return what a person notices of the speed of a size; "" if it is not known."""
    is_slow = size.speed is not None and size.speed.is_slow
    slow = phrase("shell.even_this_size_is_slow") if is_slow else ""
    return join_sentences(slow, model_text.felt_speed(size.speed))


def _gb(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:.1f}"


SIZE_PX = (720, 520)
SCREEN_MARGIN_PX = 48

MACHINE, MODEL, DOCUMENTS = range(3)


class FirstRunDialog(QDialog):
    """The dialog of the first run. Closing it undoes nothing: an added model stays, and one being added continues."""

    example_chosen = Signal(str)  # an example for the question field
    asked = Signal(object, str)  # documents to ask, as `AskOffer.asked`
    kit_requested = Signal()  # the user wants to import a kit; the dialog closes, but the first run is not over

    def __init__(
        self,
        theme: Theme,
        library: ModelLibrary,
        preferences: Preferences,
        desk: DownloadController,
        paths: Paths,
        documents: DocumentLibrary,
        offers: ReadingOffers,
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(phrase("shell.getting_started"))
        self.machine = MachineStep(theme, paths, preferences.value)
        self.model = FirstModelStep(theme, library, preferences, desk, paths.data / speed.FILE_NAME)
        self.documents = DocumentsStep(theme, documents, offers, paths.data / "sample")
        self._build()
        self.rail.step_chosen.connect(self.show_step)
        self.model.changed.connect(self._on_model_changed)
        self.model.starter_added.connect(self._on_starter_added)
        self.documents.changed.connect(self._show_buttons)
        self.documents.asked.connect(self._on_asked)
        self.model.kit_requested.connect(self._on_kit_requested)
        self.back_button.clicked.connect(lambda: self.show_step(self.step - 1))
        self.later_button.clicked.connect(lambda: self.show_step(DOCUMENTS))
        self.next_button.clicked.connect(lambda: self.show_step(self.step + 1))
        self.start_button.clicked.connect(self._on_start_clicked)
        self.finished.connect(self.machine.cancel)
        for button in self.findChildren(Button):
            button.setAutoDefault(True)  # Enter presses the button with the focus
        self.show_step(MACHINE)
        # The size follows the user's text size, within the screen.
        room = parent.screen().availableSize() - QSize(SCREEN_MARGIN_PX, SCREEN_MARGIN_PX)
        self.resize(QSize(*(theme.px(n) for n in SIZE_PX)).boundedTo(room))

    @property
    def step(self) -> int:
        return self.stack.currentIndex()

    def show_step(self, step: int) -> None:
        if step == MACHINE:
            self.machine.begin()
        else:
            self.machine.cancel()
            self.model.suggest()
        self.stack.setCurrentIndex(step)
        self.rail.show_step(step)
        self.documents.show_model(self.model.used_name)
        self._show_buttons()
        self._focus_first()

    def go_on(self, problem: AppError | None) -> None:
        """Continue at the model step after an import, with the `problem` that ended it, if any."""
        self.show_step(MODEL)
        if problem is not None:
            self.model.explain(problem)

    # ----------------------------------------------------------------- building

    def _build(self) -> None:
        names = (phrase("shell.what_this_pc_can_do"), phrase("common.choose_a_model"), phrase("shell.ask_documents"))
        self.setAccessibleName(phrase("shell.getting_started"))
        self.rail = StepRail(self._theme, names)
        self.stack = QStackedWidget()
        set_surface(self.stack, "base")
        steps = self.machine, self.model, self.documents
        self._pages = [make_scrollable(make_box(step, margins_px=(24, 16, 24, 12))) for step in steps]
        for page in self._pages:
            self.stack.addWidget(page)
        head = make_row(self.rail, margins_px=(24, 14, 24, 14))
        make_column(head, Separator(), (self.stack, 1), Separator(), self._build_foot(), into=self, spacing_px=0)

    def _build_foot(self) -> QHBoxLayout:
        self.back_button = Button(self._theme, phrase("common.back"))
        self.later_button = Button(self._theme, phrase("shell.later"))
        self.next_button = Button(self._theme, "", "primary")
        self.start_button = Button(self._theme, phrase("shell.start"))
        privacy = phrase("shell.what_you_type_and_your")
        row = make_row(
            IconLabel(self._theme, "shield-check"),
            (Label(privacy, "caption", "text2", wraps=True), 1),
            margins_px=(24, 12, 24, 12),
            spacing_px=8,
        )
        for button in (self.back_button, self.later_button, self.next_button, self.start_button):
            row.addWidget(button)
        return row

    # ------------------------------------------------------------------ showing

    def _forward(self) -> Button:
        """Return the button that goes to the next step, or ends the dialog at the last step."""
        if self.step == DOCUMENTS:
            return self.start_button
        return self.next_button if self.step == MACHINE or self.model.has_model else self.later_button

    def _focus_first(self) -> None:
        first = None
        if self.step != MACHINE:
            first = self.model.first_button() if self.step == MODEL else self.documents.first_button()
        (first or self._forward()).setFocus()
        if first is not None:
            self._pages[self.step].ensureWidgetVisible(first)

    def _show_buttons(self) -> None:
        forward = self._forward()
        # The others are hidden first, because the dialog would grow to hold two buttons.
        for button in (self.later_button, self.next_button, self.start_button):
            if button is not forward:
                button.hide()
        forward.show()
        self.back_button.setVisible(self.step > MACHINE)
        if self.step < DOCUMENTS:
            name = self.rail.steps[self.step + 1].text()
            self.next_button.setText(phrase("common.next_step", step=name))

    def _on_model_changed(self) -> None:
        """Update the buttons, and focus the button of the next step once a model is installed."""
        self.documents.show_model(self.model.used_name)
        self._show_buttons()
        if self.step == MODEL and self.model.progress.isHidden():
            self._focus_first()
        elif self.step == MODEL:  # the focus has left the button pressed, which scrolls away from the progress
            self._pages[MODEL].verticalScrollBar().setValue(0)

    def _on_kit_requested(self) -> None:
        self.hide()
        self.deleteLater()
        self.kit_requested.emit()

    def _on_starter_added(self) -> None:
        """Go on by itself, since the button has said what it begins."""
        if self.step == MODEL:
            self.show_step(DOCUMENTS)

    def _on_asked(self, scope: object, question: str) -> None:
        self.accept()
        self.asked.emit(scope, question)

    def _on_start_clicked(self) -> None:
        self.example_chosen.emit(phrase("common.how_do_i_add_a"))
        self.accept()
