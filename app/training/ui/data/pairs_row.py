"""Pairs being made from a collection: how far it is, and what became of it; also what is left of an earlier time."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.base.errors import AppError
from app.base.wording import describe_error, phrase
from app.training.services.generation import GenerationProgress, Stopped
from app.training.services.pair_making import Made, PairMaking
from app.uikit.localization import join_facts
from app.uikit.theme import Theme
from app.uikit.widgets.banner import Banner
from app.uikit.widgets.progress_row import ProgressRow

REASONS_MOST = 3


class PairsRow(QWidget):
    """Hidden while there is nothing to show. It follows the pairs of one draft alone."""

    made = Signal()  # the pairs are there now
    taken = Signal()  # they are to take the place of the rows
    go_on_requested = Signal()
    changed = Signal()  # it is shown, or hidden

    def __init__(self, theme: Theme, making: PairMaking, draft_id: str) -> None:
        super().__init__()
        self._making = making
        self._draft_id = draft_id
        self._total = 0  # prompts of the round
        self.progress = ProgressRow(theme)
        self.banner = Banner(theme)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.progress)
        column.addWidget(self.banner)
        making.began.connect(self._on_began)
        making.progressed.connect(self._on_progressed)
        making.finished.connect(self._on_finished)
        making.stopped.connect(self._on_stopped)
        making.failed.connect(self._on_failed)
        self.progress.cancelled.connect(making.stop)
        self.banner.action_requested.connect(self._on_action)
        self.banner.closed.connect(self._settle)
        if making.draft_id == draft_id:
            self._on_began(draft_id)
        self._settle()

    def look(self, *, may_take: bool) -> None:
        """For pairs of an earlier time. `may_take`: nothing that somebody has decided would be lost."""
        wish = self._making.unfinished(self._draft_id)
        if wish is None:
            return
        if self._making.finished_file(self._draft_id) is None:
            what = phrase("training.making_questions_and_answers_from", name=wish.collection)
            self._show(
                "warning",
                what,
                "",
                (("again", phrase("training.resume")), ("forget", phrase("training.do_not_resume"))),
            )
        elif may_take:
            self.taken.emit()
        else:
            what = phrase("training.there_are_questions_and_answers", name=wish.collection)
            about = phrase("training.importing_them_replaces_the_rows")
            self._show(
                "warning",
                what,
                about,
                (("take", phrase("common.import")), ("forget", phrase("training.do_not_import"))),
            )

    # ------------------------------------------------------------------- private

    def _on_began(self, draft_id: str) -> None:
        if draft_id != self._draft_id:
            return
        self._total = 0
        self.banner.hide()
        self.progress.start(phrase("training.reading_the_documents"))
        self.progress.cancel_button.setText(phrase("common.stop_here"))
        if self._making.progress is not None:
            self._on_progressed(draft_id, self._making.progress)
        self._settle()

    def _on_progressed(self, draft_id: str, found: GenerationProgress) -> None:
        if draft_id != self._draft_id:
            return
        words = phrase("training.making_questions_and_answers_a", a=f"{found.accepted:,}", b=f"{found.wanted:,}")
        if found.round.total != self._total:  # another round: its time is told anew
            self._total = found.round.total
            self.progress.start(words)
            self.progress.cancel_button.setText(phrase("common.stop_here"))
        self.progress.say(words)
        self.progress.set_progress(found.round.done, found.round.total)

    def _on_finished(self, draft_id: str, made: Made) -> None:
        if draft_id != self._draft_id:
            return
        self.progress.finish()
        standing = made.generated.standing
        accepted, wanted = len(standing.accepted), made.wish.wanted
        reasons = [
            phrase("training.generation_reason", what=phrase(f"training.generation_{reason}"), count=f"{count:,}")
            for reason, count in standing.rejected.most_common(REASONS_MOST)
        ]
        why = (
            phrase("training.main_reasons_why_others_could", reasons=phrase("common.data_gap").join(reasons))
            if reasons
            else ""
        )
        if made.path is None:
            self._show("warning", phrase("training.no_usable_pairs_could_be"), why)
            return
        what = phrase("training.n_pairs_were_made_from", name=made.wish.collection, n=f"{accepted:,}")
        few = phrase("training.that_is_fewer_than_the", n=f"{wanted:,}") if accepted < wanted else ""
        self._show("success" if accepted >= wanted else "warning", what, join_facts(few, why))
        self.made.emit()

    def _on_stopped(self, draft_id: str, stopped: Stopped) -> None:
        if draft_id != self._draft_id:
            return
        self.progress.finish()
        what = phrase("training.making_questions_and_answers_was")
        self._show(
            "warning", what.format(n=f"{stopped.replies:,}", a=f"{stopped.accepted:,}"),
            phrase("training.the_replies_so_far_are"),
            (("again", phrase("training.resume")), ("forget", phrase("training.do_not_resume"))),
        )  # fmt: skip

    def _on_failed(self, draft_id: str, error: AppError) -> None:
        if draft_id == self._draft_id:
            self.progress.finish()
            sentence = describe_error(error)
            self._show("danger", sentence.message, sentence.next, (("again", phrase("common.try_again")),))

    def _show(self, level: str, what: str, sentence: str, actions: tuple[tuple[str, str], ...] = ()) -> None:
        self.banner.show_message(level, what, sentence, actions)
        self._settle()

    def _on_action(self, key: str) -> None:
        self.banner.hide()
        self._settle()
        if key == "again":
            self.go_on_requested.emit()
        elif key == "take":
            self.taken.emit()
        else:
            self._making.forget(self._draft_id)

    def _settle(self) -> None:
        self.setVisible(not (self.progress.isHidden() and self.banner.isHidden()))
        self.changed.emit()
