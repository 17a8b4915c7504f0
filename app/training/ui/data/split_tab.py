"""Show the split (分割と漏れ検査): the numbers of rows, the hash of the test rows, and whether training rows leak."""

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget

from app.base.errors import AppError
from app.base.services.background import LatestWork
from app.base.wording import describe_error, phrase
from app.training.data import split_record
from app.training.data.split_record import SplitManifest
from app.training.drafts import DraftSplit
from app.training.services.draft_editor import DraftEditor
from app.training.ui import training_texts
from app.training.ui.data import row_texts
from app.training.ui.wizard import MARGIN_PX
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import IconLines, Stretch, make_column, make_row, make_scrollable
from app.uikit.widgets.labels import FactList, IconLabel, Label
from app.uikit.widgets.tables import NumberTableModel, NumberTableView


class SplitTab(QWidget):
    def __init__(self, theme: Theme, work: DraftEditor, freeze: Callable[[], None]) -> None:
        """Create the tab. `freeze`: called to split the rows."""
        super().__init__()
        self._work = work
        self._requested: DraftSplit | None = None
        self._reading = LatestWork()
        self._icon = IconLabel(theme, "info")
        self.state = Label(strong=True, wraps=True)
        self.split_button = Button(theme, phrase("training.split_again"), icon="refresh-cw", compact=True)
        self.about = Label(tone="text2", wraps=True)
        self.facts = FactList(theme)
        self.hash_note = Label(phrase("training.what_the_hash_is_for"), "caption", "text2", wraps=True)
        self.check_title = Label(phrase("training.leakage_check"), "heading3")
        self.checks = IconLines(theme)
        self.removed_title = Label(role="heading3")
        titles = (
            phrase("training.row"),
            phrase("training.kept_row"),
            phrase("training.similarity"),
            phrase("training.why_it_was_removed"),
        )
        self.removed = NumberTableModel(titles, 3)
        self.removed_table = NumberTableView(theme, self.removed, phrase("training.removed_rows"))
        self.split_button.clicked.connect(freeze)
        self._build()

    def show_rows(self) -> None:
        draft = self._work.draft
        frozen, data = draft.frozen, draft.data
        is_stale = frozen is not None and data is not None and frozen.revision != data.revision
        self._show_state(frozen, is_stale=is_stale)
        if frozen is None:
            self._requested = None
            self._reading.drop()
            self._show_parts(is_shown=False)
        elif frozen != self._requested:
            self._requested = frozen
            rows = self._work.curation.rows() if self._work.curation is not None and not frozen.is_sound else []
            folder = Path(frozen.folder)

            def verify() -> tuple[SplitManifest, list[int]]:
                found = split_record.verify_split(folder)
                return found, found.leaking_lines(rows)

            self._reading.run(verify, self._on_read, self._on_failed)

    def focus_first(self) -> None:
        first = self.split_button if not self.split_button.isHidden() else self.removed_table
        first.setFocus(Qt.FocusReason.ShortcutFocusReason)

    # ------------------------------------------------------------- private methods

    def _build(self) -> None:
        state = make_row(
            (self._icon, 0, Qt.AlignmentFlag.AlignTop),
            (self.state, 1),
            (self.split_button, 0, Qt.AlignmentFlag.AlignTop),
            spacing_px=8,
        )
        content = QWidget()
        make_column(
            state,
            self.about,
            self.facts,
            self.hash_note,
            12,
            self.check_title,
            self.checks,
            12,
            self.removed_title,
            self.removed_table,
            Stretch(),
            into=content,
            margins_px=(MARGIN_PX, 16, MARGIN_PX, 16),
            spacing_px=8,
        )
        make_column(make_scrollable(content), into=self)
        self._show_parts(is_shown=False)

    def _show_state(self, frozen: DraftSplit | None, *, is_stale: bool) -> None:
        self.about.setText(phrase("training.training_rows_are_learned_validation"))
        self.split_button.setVisible(is_stale)
        self.split_button.setEnabled(not self._work.is_busy)
        if frozen is None:
            self._icon.show_icon("info", "text2")
            self.state.setText(phrase("training.the_rows_are_not_split"))
        elif is_stale:
            self._icon.show_icon("triangle-alert", "warning")
            self.state.setText(phrase("training.the_rows_have_changed_since"))
        else:
            self._icon.show_icon("lock", "success")
            self.state.setText(phrase("training.the_rows_are_split_and"))

    def _show_parts(self, *, is_shown: bool) -> None:
        parts = (self.facts, self.hash_note, self.check_title, self.removed_title, self.removed_table)
        for part in parts:
            part.setVisible(is_shown)
        if not is_shown:
            self.checks.show_lines(())

    def _on_read(self, reading: tuple[SplitManifest, list[int]]) -> None:
        found, leaking = reading
        self._show_parts(is_shown=True)
        train, validation, holdout = (
            phrase("training.n_rows", n=f"{found.files[part].rows:,}") for part in ("train", "validation", "holdout")
        )
        self.facts.set_facts((
            (phrase("training.training"), train),
            (phrase("training.validation"), validation),
            (phrase("training.test"), holdout),
            (training_texts.setting_label("seed"), str(found.seed)),
            (phrase("training.hash_of_the_test_rows"), _grouped_hash(found.files["holdout"].sha256)),
        ))  # fmt: skip
        self.checks.show_lines(_check_lines(found, leaking))
        self.removed_title.setText(phrase("training.removed_rows_n", n=f"{len(found.removed):,}"))
        reasons = {"same": phrase("training.the_same_as_another"), "near_holdout": phrase("training.like_a_test_row")}
        self.removed.set_rows([
            (f"{one.line:,}", f"{one.other_line:,}", f"{one.similarity:.2f}", reasons[one.reason])
            for one in found.removed
        ])  # fmt: skip
        for part in (self.removed_title, self.removed_table):
            part.setVisible(bool(found.removed))

    def _on_failed(self, error: AppError) -> None:
        """Show that files of the split have changed or are missing."""
        self._show_parts(is_shown=False)
        self.check_title.show()
        self.checks.show_lines([("circle-x", "danger", str(describe_error(error)))])
        self.split_button.show()


def _check_lines(manifest: SplitManifest, leaking: Sequence[int]) -> list[tuple[str, str, str]]:
    """Return (icon, tone, sentence) for each check of the split. `leaking`: lines of test rows that leak."""
    good, bad, warned = ("circle-check", "success"), ("circle-x", "danger"), ("triangle-alert", "warning")
    leakage = manifest.leakage
    near, known, shared = f"{leakage.near:,}", f"{len(leakage.answers_known):,}", f"{len(leakage.shared_groups):,}"
    lines = [
        (
            *(bad if leakage.near else good),
            phrase("training.test_rows_nearly_the_same", t=manifest.settings.measure.threshold, n=near),
        ),
        (
            *(bad if leakage.answers_known else good),
            phrase("training.test_rows_whose_answer_is", n=known, c=f"{leakage.answers_compared:,}"),
        ),
        (*(bad if leakage.shared_groups else good), phrase("training.groups_in_both_training_and", n=shared)),
    ]
    if leaking:
        lines.append((*bad, phrase("training.test_rows_concerned_lines_edit", lines=row_texts.line_numbers(leaking))))
    if leakage.near_validation:
        lines.append((*warned, phrase("training.n_validation_rows_are_much", n=f"{leakage.near_validation:,}")))
    median, most = _format_similarity(leakage.median), _format_similarity(leakage.most_similar)
    return [*lines, ("info", "text2", phrase("training.similarity_of_each_test_row", median=median, most=most))]


def _grouped_hash(sha256: str) -> str:
    """Return the hash in groups of four digits, so that it is readable and can break across lines."""
    return " ".join(sha256[at : at + 4] for at in range(0, len(sha256), 4))


def _format_similarity(similarity: float) -> str:
    """Format a similarity, rounded down: a value just below the threshold must not look as if it reached it."""
    return f"{int(100 * similarity) / 100:.2f}"
