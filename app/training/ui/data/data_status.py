"""Show the numbers of rows in one line, and the progress of generating pairs from a collection.

The line shows imported and usable rows, problems, and the split.
"""

from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.base.errors import AppError
from app.base.services import background
from app.base.wording import describe_error, phrase
from app.training.data import data_split
from app.training.data.curation import Curation
from app.training.data.data_overview import DataOverview
from app.training.data.data_split import LEAST_FOR_VERDICT, SplitOutlook
from app.training.drafts import DraftSplit, TrainingDraft
from app.training.services.draft_pairs import DraftPairGeneration
from app.training.services.pair_generation import GenerationOutcome, GenerationProgress, GenerationStopped
from app.training.ui.data import row_texts
from app.uikit.localization import join_facts, join_sentences, with_note
from app.uikit.theme import Theme
from app.uikit.widgets.banner import Banner
from app.uikit.widgets.containers import Badge, FlowBox, NoticeColumn, make_row, set_direction
from app.uikit.widgets.labels import IconLabel, Label
from app.uikit.widgets.progress_row import ProgressRow
from trainer import adapter

OUTLOOK_ROWS_MOST = 3000  # with more rows the test is large enough, and comparing them takes long


class RowCount(QWidget):
    """Shows an emphasized number within the text of `key`, in which {n} stands for it."""

    def __init__(self, theme: Theme, key: str, icon: str = "", tone: str = "text2") -> None:
        super().__init__()
        self._key = key
        self.number, self._before, self._after = Label(strong=True), Label(), Label()
        icons = (IconLabel(theme, icon, tone),) if icon else ()
        words = (self._before, self.number, self._after)
        make_row(*icons, *words, into=self, margins_px=(0, 0, theme.px(8), 0), spacing_px=theme.px(4))

    def show_count(self, count: int, *, is_shown: bool) -> None:
        text = phrase(self._key, n=f"{count:,}")
        before, number, after = text.partition(f"{count:,}")
        self.number.setText(number)
        for label, words in ((self._before, before.strip()), (self._after, after.strip())):
            label.setText(words)
            label.setVisible(bool(words))
        self.setAccessibleName(text)
        self.setVisible(is_shown)


class RowCountStrip(QWidget):
    def __init__(self, theme: Theme, action: QWidget) -> None:
        """Create the line. `action`: a button to show after the counts."""
        super().__init__()
        self._theme = theme
        self.counts = {
            "total": RowCount(theme, "training.imported_n_rows"),
            "used": RowCount(theme, "training.usable_n"),
            "duplicates": RowCount(theme, "training.duplicates_n", "triangle-alert", "warning"),
            "flawed": RowCount(theme, "training.with_problems_n", "triangle-alert", "warning"),
            "undecided": RowCount(theme, "training.not_reviewed_n", "info"),
            "rejected": RowCount(theme, "training.rejected_n", "x"),
            "unusable": RowCount(theme, "training.unusable_n", "circle-x", "danger"),
        }
        self.parts = {
            "train": RowCount(theme, "training.training_n"),
            "validation": RowCount(theme, "training.validation_n"),
        }
        self.lock = SplitLockTag(theme)
        self._counts, self._split = FlowBox(*self.counts.values()), FlowBox(*self.parts.values(), self.lock, action)
        self._row = make_row((self._counts, 1), self._split, into=self, spacing_px=8)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._lay_out()

    def _lay_out(self) -> None:
        """Move the split below the counts if both do not fit side by side."""
        needed = self._counts.sizeHint().width() + self._split.sizeHint().width() + self._theme.px(24)
        is_wide = needed <= self.width()
        policy = self._split.sizePolicy()
        policy.setHorizontalPolicy(QSizePolicy.Policy.Maximum if is_wide else QSizePolicy.Policy.Preferred)
        self._split.setSizePolicy(policy)
        set_direction(self._row, is_row=is_wide)

    def show_rows(self, overview: DataOverview) -> None:
        for name, shown in self.counts.items():
            count = getattr(overview, name)
            shown.show_count(count, is_shown=count > 0 or name in ("total", "used"))

    def show_split(self, frozen: DraftSplit | None, revision: int) -> None:
        """Show the split. `revision`: the revision of the current rows."""
        is_current = frozen is not None and frozen.revision == revision
        for name, shown in self.parts.items():
            shown.show_count(getattr(frozen, name, 0), is_shown=is_current)
        self.lock.show_split(frozen, is_current=is_current)
        self._lay_out()


class SplitOutlookLine(Label):
    """Says what the current rows become when they are split, or have become, and what a verdict still lacks.

    It says so too if they cannot be split, except where the footer does: with too few rows.
    """

    def __init__(self) -> None:
        super().__init__(tone="text2", wraps=True)
        self._asked: tuple[Path, int] | None = None  # the rows whose outlook is shown or being computed
        self._rows: Curation | None = None
        self._draft: TrainingDraft | None = None
        self._found: SplitOutlook | AppError | None = None
        self._is_working = self._is_split = False
        self.hide()

    def look(self, rows: Curation, draft: TrainingDraft) -> None:
        """Show the outlook of the rows; it is computed in the background, again after each change."""
        self._rows, self._draft = rows, draft
        frozen = draft.frozen
        self._is_split = frozen is not None and frozen.revision == rows.revision
        asked = (rows.folder, rows.revision)
        self._show_text()
        if asked == self._asked or self._is_working:
            return
        self._asked = asked
        used, start = rows.rows(), draft.start
        if len(used) > OUTLOOK_ROWS_MOST:
            self._found = None
            self.hide()
            return
        self._is_working = True

        def work() -> SplitOutlook | AppError | None:
            known = adapter.trained_row_ids(Path(start.folder)) if start else frozenset()
            try:
                return data_split.look_ahead(used, known)
            except AppError as error:
                return None if error.code == "split_too_few" else error

        background.run(work, self._show)

    def _show(self, found: SplitOutlook | AppError | None) -> None:
        self._is_working, self._found = False, found
        self._show_text()
        if self._rows is not None and self._draft is not None:  # they may have changed meanwhile
            self.look(self._rows, self._draft)

    def _show_text(self) -> None:
        found = self._found
        if isinstance(found, AppError):
            self.setText(str(describe_error(found)))
        else:
            self.setText(self._text(found) if found is not None else "")
        self.setVisible(bool(self.text()))

    def _text(self, outlook: SplitOutlook) -> str:
        counts = {name: f"{getattr(outlook, name):,}" for name in ("train", "validation", "holdout", "same", "near")}
        removed = [
            phrase(f"training.outlook.{name}", n=counts[name]) for name in ("same", "near") if counts[name] != "0"
        ]
        sentence = with_note(phrase("training.rows_become", **counts), phrase("common.data_gap").join(removed))
        lacks = phrase("training.verdict_lacks_rows", least=LEAST_FOR_VERDICT, n=outlook.lacking)
        enough = phrase("training.verdict_has_rows", least=LEAST_FOR_VERDICT)
        if self._is_split:
            return lacks if outlook.lacking else ""
        return join_sentences(sentence, lacks if outlook.lacking else enough)


class SplitLockTag(Badge):
    """A tag that shows whether the test rows are frozen, and the short form of their hash."""

    def __init__(self, theme: Theme) -> None:
        super().__init__(theme)
        self.hash = Label(role="caption", tone="muted")
        self.row.addWidget(self.hash)

    def show_split(self, frozen: DraftSplit | None, *, is_current: bool) -> None:
        self.hash.setVisible(frozen is not None and is_current)
        if frozen is None:
            self.show_state("tag", "info", phrase("training.not_split_yet"))
        elif is_current:
            self.show_state("tag", "lock", phrase("training.test_n_held_fast", n=f"{frozen.holdout:,}"))
            self.hash.setText(row_texts.short_hash(frozen.sha256))
        else:
            self.show_state("warning", "triangle-alert", phrase("training.the_split_is_out_of"))


REASONS_MOST = 3


class PairGenerationRow(NoticeColumn):
    """Shows the progress and outcome of generating pairs for one draft. It is hidden if there is nothing to show."""

    made = Signal()  # the pairs are complete
    taken = Signal()  # the user wants the pairs to replace the rows
    go_on_requested = Signal()

    def __init__(self, theme: Theme, generation: DraftPairGeneration, draft_id: str) -> None:
        self.progress = ProgressRow(theme)
        self.banner = Banner(theme)
        super().__init__(self.progress, self.banner)
        self._generation = generation
        self._draft_id = draft_id
        self._total = 0  # number of prompts in the current round
        generation.began.connect(self._on_began)
        generation.progressed.connect(self._on_progressed)
        generation.ended.connect(self._on_ended)
        self.progress.cancelled.connect(generation.stop)
        self.banner.action_requested.connect(self._on_action)
        if generation.draft_id == draft_id:
            self._on_began(draft_id)

    def look(self, *, may_take: bool) -> None:
        """Offer pairs that an earlier session generated. `may_take`: import them at once, as no decisions are lost."""
        request = self._generation.unfinished(self._draft_id)
        if request is None:
            return
        if self._generation.finished_file(self._draft_id) is None:
            what = phrase("training.making_questions_and_answers_from", name=request.collection)
            self.banner.show_message("warning", what, "", _resume_actions())
        elif may_take:
            self.taken.emit()
        else:
            what = phrase("training.there_are_questions_and_answers", name=request.collection)
            about = phrase("training.importing_them_replaces_the_rows")
            actions = (("take", phrase("common.import")), ("forget", phrase("training.do_not_import")))
            self.banner.show_message("warning", what, about, actions)

    # ------------------------------------------------------------- private methods

    def _on_began(self, draft_id: str) -> None:
        if draft_id != self._draft_id:
            return
        self._total = 0
        self.banner.hide()
        self.progress.start(phrase("training.reading_the_documents"))
        self.progress.cancel_button.setText(phrase("common.stop_here"))
        if self._generation.progress is not None:
            self._on_progressed(draft_id, self._generation.progress)

    def _on_progressed(self, draft_id: str, progress: GenerationProgress) -> None:
        if draft_id != self._draft_id:
            return
        words = phrase(
            "training.making_questions_and_answers_a", a=f"{progress.accepted:,}", b=f"{progress.pair_count:,}"
        )
        if progress.round.total != self._total:  # a new round: restart its time
            self._total = progress.round.total
            self.progress.start(words)
            self.progress.cancel_button.setText(phrase("common.stop_here"))
        self.progress.say(words)
        self.progress.set_progress(progress.round.done, progress.round.total)

    def _on_ended(self, draft_id: str, end: GenerationOutcome | GenerationStopped | AppError) -> None:
        if draft_id != self._draft_id:
            return
        self.progress.finish()
        if isinstance(end, AppError):
            self.banner.show_error(end, (("again", phrase("common.try_again")),))
        elif isinstance(end, GenerationStopped):
            what = phrase("training.making_questions_and_answers_was", n=f"{end.replies:,}", a=f"{end.accepted:,}")
            self.banner.show_message("warning", what, phrase("training.the_replies_so_far_are"), _resume_actions())
        else:
            self._show_outcome(end)

    def _show_outcome(self, outcome: GenerationOutcome) -> None:
        standing = outcome.standing
        accepted, wanted = len(standing.accepted), outcome.job.pair_count
        reasons = [
            phrase("training.generation_reason", what=phrase(f"training.pair_refusal.{reason}"), count=f"{count:,}")
            for reason, count in standing.rejected.most_common(REASONS_MOST)
        ]
        named = phrase("common.data_gap").join(reasons)
        why = phrase("training.main_reasons_why_others_could", reasons=named) if reasons else ""
        if outcome.file is None:
            self.banner.show_message("warning", phrase("training.no_usable_pairs_could_be"), why)
            return
        what = phrase("training.n_pairs_were_made_from", name=outcome.job.collection.name, n=f"{accepted:,}")
        few = phrase("training.that_is_fewer_than_the", n=f"{wanted:,}") if accepted < wanted else ""
        self.banner.show_message("success" if accepted >= wanted else "warning", what, join_facts(few, why))
        self.made.emit()

    def _on_action(self, key: str) -> None:
        self.banner.hide()
        if key == "again":
            self.go_on_requested.emit()
        elif key == "take":
            self.taken.emit()
        else:
            self._generation.forget(self._draft_id)


def _resume_actions() -> tuple[tuple[str, str], ...]:
    return ("again", phrase("training.resume")), ("forget", phrase("training.do_not_resume"))
