"""Show the step データ: import or generate rows, review them, and split them so that test rows are not trained on."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QMenu, QStackedWidget, QWidget

from app.base.wording import phrase
from app.documents.services.document_library import DocumentLibrary
from app.models.services.model_library import ModelLibrary
from app.training.data import data_overview, file_import
from app.training.data.curation import Curation
from app.training.drafts import DraftSplit
from app.training.services.draft_editor import DraftEditor
from app.training.services.draft_pairs import DraftPairGeneration
from app.training.ui.data.columns_tab import ColumnsTab
from app.training.ui.data.data_sources import DataSourceController
from app.training.ui.data.data_status import PairGenerationRow, RowCountStrip, SplitOutlookLine
from app.training.ui.data.lengths_tab import LengthsTab
from app.training.ui.data.review_list import count_decided
from app.training.ui.data.review_tab import ReviewTab
from app.training.ui.data.split_tab import SplitTab
from app.training.ui.wizard import MARGIN_PX, PrimaryAction, WizardStep
from app.uikit import desktop
from app.uikit.confidentiality_guard import ConfidentialityGuard
from app.uikit.desktop import DropZone, FileDrops, Pickers
from app.uikit.localization import join_facts
from app.uikit.page import NavigationSignals
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import FlowBox, NoticeColumn, Stretch, make_column
from app.uikit.widgets.labels import Label, Separator, announce
from app.uikit.widgets.progress_row import ProgressRow
from app.uikit.widgets.section_bars import TAB_SIDE_PX, TabBar

STACK_PX = 300  # minimum height of a tab; with less space the page scrolls
OURS = ("opening", "importing", "freezing")  # kinds of the draft's work that this step shows

Tab = ColumnsTab | ReviewTab | LengthsTab | SplitTab


class DataStep(WizardStep):
    def __init__(
        self,
        theme: Theme,
        navigation: NavigationSignals,
        work: DraftEditor,
        *,
        documents: DocumentLibrary,
        library: ModelLibrary,
        generation: DraftPairGeneration,
        guard: ConfidentialityGuard,
        model_id: Callable[[], str | None],
        collect_pairs: Callable[[], Sequence[dict[str, Any]]],
        pickers: Pickers | None = None,
        go_on: Callable[[], None] | None = None,
    ) -> None:
        """Create the step. `model_id`, `collect_pairs` and `pickers` are those of `DataSourceController`.

        `go_on`: called to show the next step once the rows are split.
        """
        super().__init__(theme)
        self._navigation = navigation
        self._work = work
        self._generation = generation
        self._current_work = ""  # kind of the draft's current or last work
        self._has_tried = False  # whether loading the rows was tried
        self._go_on = go_on
        self._goes_on = False  # the next step follows the current split
        self._frozen_before: DraftSplit | None = None  # the split before the current attempt
        self._template = Path()  # the table to fill in that was saved last
        self._shown_folder = ""  # folder of the shown rows
        self._tabs: dict[str, Tab] = {}
        self.sources = DataSourceController(
            theme, work, self, documents=documents, library=library, generation=generation, guard=guard,
            model_id=model_id, collect_pairs=collect_pairs, pickers=pickers,
        )  # fmt: skip
        self._build()
        self._connect()
        documents.open()
        self.show_draft()
        if work.draft.data is None:
            QTimer.singleShot(0, self, self.find_generated_pairs)

    # ---------------------------------------------------------- as a WizardStep

    def show_draft(self) -> None:
        data, rows = self._work.draft.data, self._rows
        self.empty.setVisible(data is None)
        self._board.setVisible(rows is not None)
        for button in (*self.empty.buttons, self.source_button):
            button.setEnabled(not self._work.is_busy)
        if data is not None and rows is None:
            QTimer.singleShot(0, self, self._open)  # deferred, in case the caller opens the draft itself
        if rows is None or data is None:
            return
        if data.folder != self._shown_folder:
            self._shown_folder = data.folder
            self._show_tab(self._first_tab())
        self.strip.show_rows(data_overview.count_rows(rows, data.unusable))
        self.strip.show_split(self._work.draft.frozen, data.revision)
        self.outlook.look(rows, self._work.draft)
        self.tabs.show_count("review", rows.counts["undecided"] + rows.counts["left_out"])
        self._tab(self.tabs.key).show_rows()

    def focus_first(self) -> None:
        if self._rows is not None:
            self._tab(self.tabs.key).focus_first()
        elif not self.empty.isHidden():
            self.empty.focus_first()

    def primary_action(self) -> PrimaryAction | None:
        """Return the action to split the rows if only the split is missing, otherwise None."""
        draft = self._work.draft
        lacking = [one.code for one in draft.problems("data") if one.is_blocking]
        if lacking != ["not_frozen"] or self._rows is None:
            return None
        again, first = phrase("training.split_again"), phrase("training.split_and_go_on")
        return PrimaryAction(again if draft.frozen else first, self._freeze_and_go_on)

    # -------------------------------------------------------------------- events

    def _choose_files(self, paths: list[Path]) -> list[Path]:
        is_fit = len(paths) == 1 and paths[0].suffix.lower() in file_import.SUFFIXES and not self._work.is_busy
        return paths if is_fit else []

    def _take_files(self, paths: list[Path]) -> None:
        self.sources.take_file(paths[0])

    # ------------------------------------------------------------------ building

    def _build(self) -> None:
        theme = self._theme
        FileDrops(self, self._choose_files, self._take_files)
        self.progress = ProgressRow(theme)
        self.pairs = PairGenerationRow(theme, self._generation, self._work.draft.id)
        notices = NoticeColumn(self.banner, self.progress, self.pairs, margins_px=(MARGIN_PX, 12, MARGIN_PX, 0))
        self.empty = DataEmptyState(theme)
        self._board = self._build_board()
        make_column(notices, self.empty, (self._board, 1), Stretch(0), into=self, spacing_px=0)

    def _build_board(self) -> QWidget:
        theme = self._theme
        self.tabs = TabBar(
            theme,
            {
                "columns": phrase("common.columns"),
                "review": phrase("training.review"),
                "lengths": phrase("training.lengths"),
                "split": phrase("training.split_and_leakage"),
            },
        )
        self.source_button = Button(theme, phrase("training.change_data"), "quiet", compact=True)
        self.source_button.setAccessibleName(phrase("training.change_data_2"))
        self.source_menu = QMenu(self.source_button)
        self.source_menu.addAction(phrase("common.choose_a_file")).triggered.connect(self.sources.choose_file)
        self.source_menu.addAction(phrase("training.make_from_documents")).triggered.connect(self.sources.ask_pairs)
        ratings = self.source_menu.addAction(phrase("training.make_from_ratings"))
        ratings.triggered.connect(self.sources.take_collected)
        save = self.source_menu.addAction(phrase("training.save_a_table_to_fill_in"))
        save.triggered.connect(self.sources.save_template)
        self.strip = RowCountStrip(theme, self.source_button)
        self.outlook = SplitOutlookLine()
        self._stack = QStackedWidget()
        strip = make_column(self.strip, self.outlook, margins_px=(MARGIN_PX, 10, MARGIN_PX, 2), spacing_px=4)
        tabs = make_column(self.tabs, margins_px=(MARGIN_PX - TAB_SIDE_PX, 0, MARGIN_PX - TAB_SIDE_PX, 0))
        board = QWidget()
        make_column(strip, tabs, Separator(), (self._stack, 1), into=board, spacing_px=0)
        return board

    def _connect(self) -> None:
        work, sources = self._work, self.sources
        work.began.connect(self._on_began)
        work.progressed.connect(self._on_progressed)
        work.columns_unknown.connect(sources.ask_columns)
        work.ended.connect(self._on_ended)
        sources.refused.connect(self.banner.show_error)
        self.empty.file_button.clicked.connect(sources.choose_file)
        self.empty.pairs_button.clicked.connect(sources.ask_pairs)
        self.empty.ratings_button.clicked.connect(sources.take_collected)
        self.empty.template_button.clicked.connect(sources.save_template)
        sources.template_saved.connect(self._on_template_saved)
        self.banner.action_requested.connect(lambda _key: desktop.open_file(self._template))
        self.progress.cancelled.connect(work.cancel)
        self.pairs.made.connect(self.find_generated_pairs)
        self.pairs.taken.connect(self._take_pairs)
        self.pairs.go_on_requested.connect(sources.go_on)
        self.tabs.chosen.connect(self._show_tab)
        self.source_button.clicked.connect(self._show_menu)
        self._theme.changed.connect(self._fit_stack)
        self._fit_stack()

    # ---------------------------------------------------------------------- tabs

    @property
    def _rows(self) -> Curation | None:
        """Return the draft's rows; None while they are not loaded."""
        rows, data = self._work.curation, self._work.draft.data
        return rows if rows is not None and data is not None and str(rows.folder) == data.folder else None

    def _first_tab(self) -> str:
        """Return the tab in which the user should continue."""
        draft, rows = self._work.draft, self._rows
        if rows is not None and (rows.counts["undecided"] or (rows.counts["left_out"] and draft.frozen is None)):
            return "review"
        if draft.frozen is not None:
            return "split"
        return "columns"

    def _tab(self, key: str) -> Tab:
        if key not in self._tabs:
            theme, work = self._theme, self._work
            make: dict[str, Callable[[], Tab]] = {
                "columns": lambda: ColumnsTab(theme, work, self.sources.read_again),
                "review": lambda: ReviewTab(theme, work, self._navigation),
                "lengths": lambda: LengthsTab(theme, work),
                "split": lambda: SplitTab(theme, work, self._freeze),
            }
            tab = self._tabs[key] = make[key]()
            self._stack.addWidget(tab)
        return self._tabs[key]

    def _show_tab(self, key: str) -> None:
        self.tabs.show_tab(key)
        self._tab(key).show_rows()
        self._stack.setCurrentWidget(self._tab(key))

    def _fit_stack(self) -> None:
        self._stack.setMinimumHeight(self._theme.px(STACK_PX))

    # --------------------------------------------------------------------- slots

    def _freeze_and_go_on(self) -> None:
        self._goes_on = self._work.draft.frozen is None
        self._freeze()

    def _freeze(self) -> None:
        if not self._work.is_busy and self._rows is not None:
            self.banner.hide()
            self._frozen_before = self._work.draft.frozen
            self._work.freeze()

    def _open(self) -> None:
        if self._rows is None and not self._work.is_busy and not self._has_tried:
            self._has_tried = True
            self._work.open()

    def _on_began(self, work: str) -> None:
        self._current_work = work
        if work not in OURS:
            return
        self.banner.hide()
        self.progress.start(phrase(f"training.data_work.{work}"))
        self.progress.cancel_button.setVisible(work in ("importing", "freezing"))
        self.show_draft()

    def _on_progressed(self, done: int, total: int) -> None:
        if self._current_work in OURS:
            self.progress.set_progress(done, total)

    def _on_ended(self) -> None:
        if self._current_work not in OURS:
            return
        self.progress.finish()
        self.show_draft()
        if self._current_work == "importing" and self._rows is not None:
            counts = [count for count in self.strip.counts.values() if not count.isHidden()]
            announce(self, join_facts(*(count.accessibleName() for count in counts)))
        draft, generation = self._work.draft, self._generation
        if self._current_work == "freezing" and draft.frozen is not self._frozen_before:
            if self._goes_on and self._go_on is not None and draft.is_complete("data"):
                QTimer.singleShot(0, self, self._go_on)  # the wizard hears of the split first
            else:
                self._show_tab("split")
        self._goes_on = False
        if draft.data is not None and draft.data.file == str(generation.finished_file(draft.id)):
            generation.forget(draft.id)
        self.find_generated_pairs()

    def find_generated_pairs(self) -> None:
        """Offer pairs of an earlier generation, finished or not."""
        self.pairs.look(may_take=not count_decided(self._work.curation))

    def _take_pairs(self) -> None:
        generation, draft_id = self._generation, self._work.draft.id
        path, request = generation.finished_file(draft_id), generation.unfinished(draft_id)
        if path is not None and request is not None and not self._work.is_busy:
            self._work.import_pairs(path, request.collection)

    def _on_template_saved(self, path: Path) -> None:
        self._template = path
        told = phrase("training.the_table_was_saved", name=path.name)
        self.banner.show_message(
            "success", told, phrase("training.fill_it_in_and_choose"), (("open", phrase("training.open_the_table")),)
        )

    def _show_menu(self) -> None:
        button = self.source_button
        self.source_menu.popup(button.mapToGlobal(button.rect().bottomLeft()))


class DataEmptyState(QWidget):
    """Shown before there are any rows: what is needed, the possible sources, and an example."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.file_button = Button(theme, phrase("common.choose_a_file"), "primary", "file-text")
        self.pairs_button = Button(theme, phrase("training.make_from_documents"), icon="library-big")
        self.ratings_button = Button(theme, phrase("training.make_from_ratings"), icon="thumbs-up")
        self.buttons = (self.file_button, self.pairs_button, self.ratings_button)  # disabled while work is done
        self.template_button = Button(theme, phrase("training.save_a_table_to_fill_in"), icon="file-down")
        self.drop_zone = DropZone(theme, phrase("training.drop_a_file_here"))
        need = phrase("training.training_needs_pairs_of_question")
        forms = phrase("training.files_that_can_be_read")
        example = phrase("training.example_a_table_with_question")
        question, answer = phrase("training.how_often_is_it_inspected"), phrase("training.twice_a_year")
        line = f'{{"question": "{question}", "answer": "{answer}"}}'
        make_column(
            Label(need, wraps=True),
            FlowBox(self.file_button, self.template_button, self.pairs_button, self.ratings_button),
            self.drop_zone,
            Label(forms, tone="muted", wraps=True),
            Label(example, tone="muted", wraps=True),
            Label(line, "mono", "text2", wraps=True),
            Stretch(),
            into=self,
            margins_px=(MARGIN_PX, 24, MARGIN_PX, 16),
            spacing_px=12,
        )

    def focus_first(self) -> None:
        self.file_button.setFocus(Qt.FocusReason.ShortcutFocusReason)
