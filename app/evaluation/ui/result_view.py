"""Show the results of one study in tabs (overview, questions, blind comparison), and export them to files."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QMenu, QStackedWidget, QWidget

from app.base import confidentiality
from app.base.confidentiality import Permit
from app.base.errors import AppError
from app.base.services.background import LatestWork
from app.base.wording import describe_error, phrase
from app.evaluation import current_labels
from app.evaluation.records import Evaluation, ReportSection
from app.evaluation.report.result_view_data import ResultViewData, use_obstacle
from app.evaluation.study.studies import REPORT, Study
from app.evaluation.ui.file_export import FileExport
from app.evaluation.ui.overview import ResultOverview
from app.evaluation.ui.questions_tab import QuestionsTab
from app.inference.local_model import LocalModel
from app.uikit.confidentiality_guard import ConfidentialityGuard
from app.uikit.desktop import Pickers, open_file
from app.uikit.theme import Theme
from app.uikit.widgets.banner import Banner
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import make_column, make_scrollable
from app.uikit.widgets.labels import Label, Separator, set_surface
from app.uikit.widgets.section_bars import TabBar

if TYPE_CHECKING:
    from app.evaluation.ui.blind_view import BlindView

MARGIN_PX = 24
BOOK, PAGE = ".xlsx", ".html"
FORMS = (BOOK, ".csv", PAGE)


@dataclass(frozen=True, slots=True)
class _Result:
    """The results that are shown. `sections`: the report in results.json."""

    folder: Path
    study: Study
    evaluation: Evaluation
    sections: tuple[ReportSection, ...]


class EvaluationResultView(QWidget):
    """Shows results; empty until `show_result` is called, whose content is computed in the background."""

    failed = Signal(object)  # AppError

    def __init__(
        self,
        theme: Theme,
        secrecy: ConfidentialityGuard,
        documents: Path,
        models: Callable[[], Sequence[LocalModel]],
        pickers: Pickers | None = None,
    ) -> None:
        """Create the empty view.

        `documents`: the documents database, which gives the current label. `models`: returns the models of the list.
        """
        super().__init__()
        self._theme = theme
        self._models = models
        self._result: _Result | None = None
        self._blind: BlindView | None = None
        self._computing = LatestWork()
        self.view_data: ResultViewData | None = None  # None: still being computed
        self._documents = documents
        self.export_button = Button(theme, phrase("evaluation.export_to_excel"), "", "download")
        self.report_button = Button(theme, phrase("common.report"), "", "file-text")
        self.banner = Banner(theme)
        self.exporting = FileExport(
            self, secrecy, pickers or Pickers(), self.banner, lambda: self._result and self._result.folder
        )
        self.waiting = Label(phrase("evaluation.loading"), tone="text2", wraps=True)
        names = {
            "overview": phrase("evaluation.study_tab.questions"),
            "questions": phrase("evaluation.by_question"),
            "blind": phrase("evaluation.blind_sheet"),
        }
        self.tabs = TabBar(theme, names)
        self.overview = ResultOverview(theme)
        self.questions = QuestionsTab(theme)
        self.pages = QStackedWidget()
        self._build()
        self._connect()
        self._update_buttons_and_page()

    @property
    def header_actions(self) -> list[QWidget]:
        return [self.export_button, self.report_button]

    def label_now(self) -> confidentiality.Label:
        if self._result is None:
            return confidentiality.HIGHEST_LABEL
        return current_labels.label_of_evaluation(self._result.evaluation, self._documents)

    def show_result(
        self, folder: Path, study: Study, evaluation: Evaluation, sections: Sequence[ReportSection]
    ) -> None:
        """Show the results of a study. `sections`: the report in results.json."""
        self._computing.drop()
        self._result, self.view_data = _Result(folder, study, evaluation, tuple(sections)), None
        self.banner.hide()
        self.waiting.setText(phrase("evaluation.loading"))
        self._show_tabs(study, evaluation)
        self._update_buttons_and_page()

        def work() -> ResultViewData:
            from app.evaluation.report import result_view_model  # imports numpy

            return result_view_model.build_result_view(study, folder, evaluation, tuple(sections))

        # In a later turn: they would share the interpreter, and the window would wait twice as long.
        QTimer.singleShot(0, self, lambda: self._computing.run(work, self._on_read, self._on_unreadable))

    def showEvent(self, event: QShowEvent) -> None:
        """Check again whether the recommended system can be used, because models may have been added or removed."""
        super().showEvent(event)
        self._show_obstacle()

    # ------------------------------------------------------------------ building

    def _build(self) -> None:
        set_surface(self, "base")
        self._area = make_scrollable(self.overview)
        self._menu = QMenu(self.report_button)
        self._open_action = self._menu.addAction(phrase("common.open_the_report"))
        self._save_action = self._menu.addAction(phrase("evaluation.save_as_html"))
        self.report_button.setMenu(self._menu)
        self.waiting.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.waiting.setContentsMargins(MARGIN_PX, 20, MARGIN_PX, 20)
        for page in (self.waiting, self._area, self.questions):
            self.pages.addWidget(page)
        head = make_column(self.banner, self.tabs, Separator(), margins_px=(MARGIN_PX, 8, MARGIN_PX, 0), spacing_px=0)
        make_column(head, (self.pages, 1), into=self, spacing_px=0)

    def _connect(self) -> None:
        self.tabs.chosen.connect(self._show_page)
        self.export_button.clicked.connect(self._export_book)
        self._open_action.triggered.connect(self._open_report)
        self._save_action.triggered.connect(self._export_page)
        self.exporting.failed.connect(self.failed)
        self.exporting.changed.connect(self._update_buttons_and_page)

    # ----------------------------------------------------------------- exporting

    def _export_book(self) -> None:
        kinds = f"{phrase('evaluation.excel_workbook')} (*{BOOK});;CSV (*.csv)"
        self._export(phrase("evaluation.save_the_results"), kinds, BOOK)

    def _export_page(self) -> None:
        self._export(phrase("evaluation.save_the_report"), f"HTML (*{PAGE})", PAGE)

    def _export(self, title: str, kinds: str, suffix: str) -> None:
        assert self._result is not None
        result, found = self._result, self._result.evaluation
        # not for a merged table, whose systems have other ids than in the first study's votes
        of_votes = result.folder if len(result.study.contenders) == len(found.systems) else None

        def write(path: Path, permit: Permit) -> None:
            from app.evaluation.report import result_view_model

            result_view_model.save_result(found, result.sections, path, of_votes, permit=permit)

        name = "".join("_" if letter in '<>:"/\\|?*' else letter for letter in found.name)[:80].strip(" .")
        label_now = partial(current_labels.label_of_evaluation, found, self._documents)
        self.exporting.ask(
            result.folder, title, f"{name or found.id}{suffix}", kinds, (suffix, *FORMS), ("answers", label_now), write
        )

    def _open_report(self) -> None:
        """Open the report; write the file again if it is missing."""
        assert self._result is not None
        result, path = self._result, self._result.folder / REPORT

        def made() -> Path:
            from app.evaluation.report import report

            return path if path.is_file() else report.write(result.evaluation, result.sections, result.folder)

        self.exporting.work(made, open_file)

    # ------------------------------------------------------------------- showing

    def _show_tabs(self, study: Study, evaluation: Evaluation) -> None:
        has_answers = any(one.rows for one in evaluation.systems)
        self.tabs.buttons["overview"].show_words(phrase(f"evaluation.study_tab.{study.kind}"))
        self.tabs.buttons["questions"].setVisible(has_answers)
        self.tabs.buttons["blind"].setVisible(has_answers and len(evaluation.systems) > 1)
        self.tabs.show_tab("overview")

    def _on_unreadable(self, error: AppError) -> None:
        self.waiting.setText(str(describe_error(error)))
        self.failed.emit(error)

    def _on_read(self, view_data: ResultViewData) -> None:
        self.view_data = view_data
        self.overview.show_result(view_data)
        self._area.verticalScrollBar().setValue(0)
        self._show_obstacle()
        self._update_buttons_and_page()

    def _update_buttons_and_page(self) -> None:
        is_ready = self.view_data is not None and not self.exporting.is_working
        if not is_ready and self.window().focusWidget() in self.header_actions:
            self.tabs.buttons[self.tabs.key].setFocus()  # Qt would choose the next button, where Enter uses a model
        self.export_button.setEnabled(is_ready)
        self.report_button.setEnabled(is_ready)
        self._show_page(self.tabs.key)

    def _show_page(self, key: str) -> None:
        if self.view_data is None:
            self.pages.setCurrentWidget(self.waiting)
        elif key == "overview":
            self.pages.setCurrentWidget(self._area)
        elif key == "questions":
            self.pages.setCurrentWidget(self.questions)
            self.questions.show_result(self.view_data)
        else:
            self._show_blind()

    def _show_blind(self) -> None:
        assert self._result is not None
        if self._blind is None:
            from app.evaluation.ui.blind_view import BlindView

            self._blind = BlindView(self._theme)
            self._blind.setContentsMargins(MARGIN_PX, 16, MARGIN_PX, 20)
            self.pages.addWidget(self._blind)
        self._blind.show_study(self._result.folder, self._result.evaluation)
        self.pages.setCurrentWidget(self._blind)

    def _show_obstacle(self) -> None:
        """Show whether the recommended system can be used with the current models."""
        system = self.view_data.advised if self.view_data else None
        if system is None:
            return
        why_not = use_obstacle(system, self._models())
        self.overview.advice.show_obstacle(str(describe_error(why_not)) if why_not else "")
