"""Show the dialog 「評価を実行」: what to compare over which questions, the forecast, and the start button."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, Qt, QTimer, Signal
from PySide6.QtGui import QResizeEvent, QShowEvent
from PySide6.QtWidgets import QDialog, QVBoxLayout, QWidget

from app.base.errors import AppError
from app.base.services import background
from app.base.wording import describe_error, phrase
from app.evaluation.services import study_making
from app.evaluation.services.study_making import StudyForecast
from app.evaluation.study import study_preflight
from app.evaluation.study.request import StudyRequest
from app.evaluation.ui import study_dialog_rules
from app.evaluation.ui.study_dialog_choices import DialogPart, StudyDialogModel
from app.evaluation.ui.study_dialog_parts import (
    DocumentsPart,
    ExpertPart,
    FormsPart,
    JudgePart,
    ModelsPart,
    QuestionsPart,
    ScalePart,
    ThinkingPart,
    answer_parameters,
)
from app.evaluation.ui.study_dialog_rules import DialogOffer
from app.uikit.dialogs import Dialog, cancel_or, fit_to_parent
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import Stretch, make_column, make_row, make_scrollable
from app.uikit.widgets.fields import AutoSpin
from app.uikit.widgets.form_rows import DescribedChoice
from app.uikit.widgets.labels import Label, Separator, set_surface
from app.uikit.widgets.progress_row import ProgressRow

SIZE_PX = (760, 540)
MARGIN_PX = 24
STACKED_BELOW_PX = 560  # below this width a name is above its control
PARTS: dict[str, Callable[[Theme, DialogOffer], DialogPart]] = {
    "documents": DocumentsPart, "models": ModelsPart, "thinking": ThinkingPart, "quantizations": FormsPart,
    "scale": ScalePart,
}  # fmt: skip
WAIT_MS = 250  # milliseconds after the last key press


class ForecastController(QObject):
    """Forecasts in the background the time and space that the study of `request` will take.

    The result is `forecast` or `error`; both are None while the forecast is computed, or without a request.
    """

    changed = Signal()

    def __init__(self, model: StudyDialogModel, parent: QObject) -> None:
        super().__init__(parent)
        self._model = model
        self.request: StudyRequest | None = None
        self.forecast: StudyForecast | None = None
        self.error: AppError | None = None
        self._computing: StudyRequest | None = None  # the request whose forecast is being computed
        self._wait = QTimer(self, singleShot=True, interval=WAIT_MS)
        self._wait.timeout.connect(self._compute_forecast)

    def set_request(self, request: StudyRequest | None) -> None:
        """Forecast the study of a request, WAIT_MS after the last change; None: clear the forecast.

        A request that differs only in the study's name is not forecast again.
        """
        if request is not None:
            request = dataclasses.replace(request, asking=dataclasses.replace(request.asking, name=""))
        if request == self.request:
            return
        self.request, self.forecast, self.error = request, None, None
        self._wait.start() if request is not None else self._wait.stop()
        self.changed.emit()

    def _compute_forecast(self) -> None:
        request, model = self.request, self._model
        if request is None or self._computing is not None:
            return
        self._computing = request
        models = tuple(model.models())
        background.run(
            lambda: study_making.forecast(request, model.paths, models, model.trainer()),
            functools.partial(self._take_forecast, error=None),
            functools.partial(self._take_forecast, None),
        )

    def _take_forecast(self, forecast: StudyForecast | None, error: AppError | None) -> None:
        computed, self._computing = self._computing, None
        if computed != self.request:  # the user has changed the request meanwhile
            self._compute_forecast()
            return
        self.forecast, self.error = forecast, error
        self.changed.emit()


class StudyDialog(QDialog):
    """The dialog. Nothing is written before `request_made`; then the dialog stays open until the study is made.

    The caller then accepts the dialog, or after a failure calls `end_making`, which keeps all choices.
    """

    request_made = Signal(object)  # StudyRequest

    def __init__(
        self, theme: Theme, model: StudyDialogModel, offer: DialogOffer, parent: QWidget, question_set: str = ""
    ) -> None:
        """Build the dialog, which `choose_first` fills. `question_set`: the set to choose; "": the first set."""
        super().__init__(parent)
        self._theme = theme
        self._model = model
        self._offer = offer
        self._is_stacked = False
        self._has_changes = False  # the user has made choices that closing would lose
        self._is_making = False
        self._is_awaited = False  # the start button was pressed before the forecast was computed
        self._failure: AppError | None = None  # the error of the last attempt
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(phrase("evaluation.run_evaluation_2"))
        self.setAccessibleName(self.windowTitle())
        self.kinds = DescribedChoice(
            theme,
            {
                kind: (phrase(f"evaluation.study_kind.{kind}"), phrase(f"evaluation.study_about.{kind}"))
                for kind in study_dialog_rules.KINDS
            },
        )
        self.questions = QuestionsPart(theme, offer, question_set)
        self._parts: dict[str, DialogPart] = {}  # by kind, each built when the kind is first chosen
        self.judge = JudgePart(theme, offer)
        self.expert = ExpertPart(theme, offer)
        self.forecasting = ForecastController(model, self)
        self._build()
        self._connect()
        self._show_kinds()
        fit_to_parent(self, theme, SIZE_PX)

    def choose_first(self) -> None:
        """Choose the first possible kind; its controls take as long as the rest of the dialog."""
        self._choose(next((kind for kind in study_dialog_rules.KINDS if not self._obstacle(kind)), ""))

    def open_in_turns(self) -> None:
        """Fill and open the dialog, each in a turn of the event loop of its own, so that the window answers."""

        def fill() -> None:
            self.choose_first()
            QTimer.singleShot(0, self, self.open)

        QTimer.singleShot(0, self, fill)

    @property
    def request(self) -> StudyRequest:
        """Return the current request, even if it is incomplete."""
        kind = self.kinds.key
        fields: dict[str, Any] = {"compares": ""} if not kind else self.part(kind).request_fields()
        asked = answer_parameters(self.judge, self.expert, kind, has_questions=self._has_questions)
        return StudyRequest(**fields, **self.questions.request_fields(), asking=asked)

    @property
    def problem(self) -> str:
        """Return the code of what prevents the start; "": nothing does, as far as is known without reading files.

        The code is one of `study_dialog_rules.problem`, kind or sizes_form.
        """
        if not self.kinds.key:
            return "kind"
        found = self.part("scale").problem if self.kinds.key == "scale" else ""
        return found or study_dialog_rules.problem(self.request)

    def part(self, kind: str) -> Any:
        """Return the part that chooses the systems of a kind, which is built at its first use."""
        if kind not in self._parts:
            part = self._parts[kind] = PARTS[kind](self._theme, self._offer)
            part.hide()
            self._systems.addWidget(part)
            self._connect_part(part)
            if isinstance(part, FormsPart):
                part.model.changed.connect(self._read_model)
            part.set_stacked(self._is_stacked)
        return self._parts[kind]

    def end_making(self, error: AppError | None = None) -> None:
        """Show that no study was made. `error`: the reason; None: the user has cancelled it."""
        self._failure = error
        self._show_making(is_making=False)
        self.start_button.setFocus(Qt.FocusReason.OtherFocusReason)

    def reject(self) -> None:
        """Close on Esc, the cancel button, and the window's close button, asking first if choices would be lost."""
        for spin in self.findChildren(AutoSpin):
            spin.interpretText()  # so that typed text counts as a change
        self._cancel_awaited_start()
        self._show_footer()
        if self._is_making:
            self.progress.cancel_button.click()
        elif self._has_changes:
            question = phrase("evaluation.close_without_running_the_evaluation")
            body = phrase("evaluation.what_you_have_chosen_here")
            leave, stay = phrase("evaluation.close_without_running"), phrase("evaluation.go_on_choosing")
            choices = cancel_or("leave", leave, stay, is_grave=True)
            Dialog(self._theme, question, body, choices, self).ask(self._leave)
        else:
            super().reject()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        first = self.kinds.answers[self.kinds.key].radio if self.kinds.key else self.cancel_button
        first.setFocus(Qt.FocusReason.OtherFocusReason)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._is_stacked = self.width() - 2 * self._theme.px(MARGIN_PX) < self._theme.px(STACKED_BELOW_PX)
        for part in (self.questions, self.judge, self.expert, *self._parts.values()):
            part.set_stacked(self._is_stacked)

    # ------------------------------------------------------------------ building

    def _build(self) -> None:
        theme = self._theme
        self.fold_button = Button(theme, phrase("common.show_details"), "", "sliders-horizontal", compact=True)
        self.fold_button.setCheckable(True)
        content, self._systems = QWidget(), make_column()
        set_surface(content, "base")
        self._area = make_scrollable(content, self)
        make_column(
            Label(phrase("evaluation.what_do_you_want_to"), "heading3"),
            self.kinds,
            4,
            *(self.questions, self._systems, self.judge),
            (self.fold_button, 0, Qt.AlignmentFlag.AlignLeft),
            self.expert,
            Stretch(),
            into=content,
            margins_px=(MARGIN_PX, 20, MARGIN_PX, 20),
            spacing_px=14,
        )
        self.expert.hide()
        make_column((self._area, 1), Separator(), self._build_footer(), into=self, spacing_px=0)

    def _build_footer(self) -> QVBoxLayout:
        self.forecast = Label(tone="text2", wraps=True)
        self.systems = Label(tone="text2", wraps=True)
        self.reason = Label(tone="warning", wraps=True)
        self.cancel_button = Button(self._theme, phrase("common.cancel"))
        self.start_button = Button(self._theme, phrase("evaluation.run_evaluation_2"), "primary", "play")
        row = make_row(Stretch(), self.cancel_button, self.start_button, spacing_px=8)
        self.progress = ProgressRow(self._theme)
        lines = (self.forecast, self.systems, self.reason, self.progress)
        return make_column(*lines, row, margins_px=(MARGIN_PX, 12, MARGIN_PX, 14), spacing_px=6)

    def _connect(self) -> None:
        self.kinds.chosen.connect(self._cancel_awaited_start)
        self.kinds.chosen.connect(self._choose)
        for part in (self.questions, self.judge, self.expert):
            self._connect_part(part)
        self.fold_button.toggled.connect(self._fold)
        self.forecasting.changed.connect(self._show_footer)
        self.cancel_button.clicked.connect(self.reject)
        self.start_button.clicked.connect(self._begin)

    def _connect_part(self, part: DialogPart) -> None:
        part.changed.connect(self._note_change)
        part.changed.connect(self._on_changed)

    # ------------------------------------------------------------------- showing

    def _choose(self, kind: str) -> None:
        self.kinds.show_key(kind)
        for part in self._parts.values():
            part.hide()
        if kind:
            self.part(kind).show()
        for widget in (self.questions, self.fold_button):
            widget.setVisible(bool(kind))
        if not kind:
            self.fold_button.setChecked(False)
        self.questions.show_kind(kind)
        self.expert.show_name(self._offer.files.study_names.get(kind, ""))
        if kind == "quantizations":
            self._read_model()
        self._on_changed()

    def _show_kinds(self) -> None:
        for kind in study_dialog_rules.KINDS:
            self.kinds.answers[kind].show_obstacle(study_dialog_rules.obstacle_text(self._obstacle(kind)))

    def _obstacle(self, kind: str) -> str:
        return study_dialog_rules.obstacle(kind, self._offer)

    @property
    def _has_questions(self) -> bool:
        """Return whether any question is asked; a scale study can use the loss on its hold-out alone."""
        return self.kinds.key != "scale" or bool(self.questions.set.value)

    def _note_change(self) -> None:
        self._has_changes = True
        self._cancel_awaited_start()

    def _cancel_awaited_start(self) -> None:
        """Forget that the start button was pressed, because the user has changed the request since."""
        self._is_awaited = False

    def _on_changed(self) -> None:
        self._failure = None
        can_judge = bool(self.kinds.key) and self._has_questions
        self.judge.setVisible(can_judge)
        self.expert.show_for(self.kinds.key, has_judge=can_judge and self.judge.judge.value is not None)
        self.forecasting.set_request(None if self.problem else self.request)
        self._show_footer()

    def _show_footer(self) -> None:
        found, error, problem = self.forecasting.forecast, self.forecasting.error or self._failure, self.problem
        if found is not None and found.disk_bytes > found.free_bytes:
            problem = "disk"
        can_begin = not problem and self.forecasting.error is None
        text = study_dialog_rules.forecast_text(found, self.request.asking.seeds) if found else ""
        waiting = phrase("evaluation.begins_as_soon_as_it" if self._is_awaited else "evaluation.estimating")
        self.forecast.setText(text or ("" if problem or error or found else waiting))
        self.systems.setText(study_dialog_rules.systems_text(found) if found else "")
        reason = study_dialog_rules.problem_text(problem)
        if not problem and error is not None:
            reason = str(describe_error(error))
        self.reason.setText(f"▲ {reason}" if reason else "")
        for label in (self.forecast, self.systems, self.reason):
            label.setVisible(bool(label.text()))
        self._is_awaited = self._is_awaited and can_begin
        self.start_button.setEnabled(can_begin and not self._is_making)
        self.start_button.setDown(self._is_awaited)
        self.start_button.setAccessibleDescription(reason or ("" if found else self.forecast.text()))
        if self._is_awaited and found is not None:
            self._begin()

    def _fold(self, is_open: bool) -> None:
        self.expert.setVisible(is_open)
        self.fold_button.setText(phrase("common.hide_details" if is_open else "common.show_details"))

    def _on_unreadable(self, error: AppError) -> None:
        raise error  # the sizes are left out

    def _read_model(self) -> None:
        """Read the number of parameters of the chosen model, which gives the sizes of its quantizations."""
        forms = self.part("quantizations")
        if path := forms.path:
            show = functools.partial(forms.show_header, path)
            background.run(lambda: study_preflight.read_header(path), show, self._on_unreadable)

    # ------------------------------------------------------------------------ end

    def _begin(self) -> None:
        self._is_awaited = self.forecasting.forecast is None
        if self._is_awaited:
            self._show_footer()
        elif not self.problem:
            self._failure = None
            self._show_making(is_making=True)
            self.request_made.emit(self.request)

    def _show_making(self, *, is_making: bool) -> None:
        self._is_making = is_making
        if is_making:
            self.progress.start(phrase("evaluation.preparing_the_evaluation"))
            self.progress.cancel_button.setFocus(Qt.FocusReason.OtherFocusReason)
        else:
            self.progress.finish()
        self._area.setEnabled(not is_making)
        self.cancel_button.setVisible(not is_making)  # only the progress row can cancel now
        self._show_footer()

    def _leave(self) -> None:
        self._has_changes = False
        self.reject()
