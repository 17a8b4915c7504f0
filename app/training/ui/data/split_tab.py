"""Show the split (分割と漏れ検査): the numbers of rows, the hash of the test rows, and whether training rows leak
into them.
"""

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget

from app.base.errors import AppError
from app.base.services import background
from app.base.wording import describe_error, phrase
from app.training.data import split_record
from app.training.data.split_record import SplitManifest
from app.training.drafts import DraftSplit
from app.training.services.draft_editor import DraftEditor
from app.training.ui.data import row_texts
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import Stretch, make_column, make_row, make_scrollable
from app.uikit.widgets.labels import FactList, IconLabel, Label
from app.uikit.widgets.number_table import NumberTableModel, NumberTableView

MARGIN_PX = 24

SplitReading = tuple[DraftSplit, SplitManifest, list[int]]


class SplitTab(QWidget):
    def __init__(self, theme: Theme, work: DraftEditor) -> None:
        super().__init__()
        self._theme = theme
        self._work = work
        self._requested: DraftSplit | None = None
        self._icon = IconLabel(theme, "info")
        self.state = Label(strong=True, wraps=True)
        self.split_button = Button(theme, phrase("training.split_again"), icon="refresh-cw", compact=True)
        self.about = Label(tone="text2", wraps=True)
        self.facts = FactList(theme)
        self.check_title = Label(phrase("training.leakage_check"), "heading3")
        self._checks = make_column(spacing_px=4)
        self.said: list[str] = []
        self.removed_title = Label(role="heading3")
        titles = (
            phrase("training.row"),
            phrase("training.kept_row"),
            phrase("training.similarity"),
            phrase("training.why_it_was_removed"),
        )
        self.removed = NumberTableModel(titles, 3)
        self.removed_table = NumberTableView(theme, self.removed, phrase("training.removed_rows"))
        self._build()

    def show_rows(self) -> None:
        draft = self._work.draft
        frozen, data = draft.frozen, draft.data
        is_stale = frozen is not None and data is not None and frozen.revision != data.revision
        self._show_state(frozen, is_stale=is_stale)
        if frozen is None:
            self._requested = None
            self._show_parts(is_shown=False)
        elif frozen != self._requested:
            self._requested = frozen
            rows = self._work.curation.rows() if self._work.curation is not None and not frozen.is_sound else []
            folder = Path(frozen.folder)

            def work() -> SplitReading:
                found = split_record.verify_split(folder)
                return frozen, found, found.leaking_lines(rows)

            background.run(work, self._on_read, self._on_failed)

    def focus_first(self) -> None:
        first = self.split_button if not self.split_button.isHidden() else self.removed_table
        first.setFocus(Qt.FocusReason.ShortcutFocusReason)

    # ------------------------------------------------------------------- private

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
            12,
            self.check_title,
            self._checks,
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
        parts = phrase("training.training_rows_are_learned_validation")
        self.about.setText(parts)
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
        parts = (self.facts, self.check_title, self.removed_title, self.removed_table)
        for part in parts:
            part.setVisible(is_shown)
        if not is_shown:
            self._show_checks([])

    def _on_read(self, reading: SplitReading) -> None:
        frozen, found, leaking = reading
        if frozen != self._requested:
            return
        self._show_parts(is_shown=True)
        rows = phrase("training.n_rows")
        self.facts.set_facts((
            (phrase("training.training"), rows.format(n=f"{found.files['train'].rows:,}")),
            (phrase("training.validation"), rows.format(n=f"{found.files['validation'].rows:,}")),
            (phrase("training.test"), rows.format(n=f"{found.files['holdout'].rows:,}")),
            (phrase("training.setting_name.seed"), str(found.seed)),
            (phrase("training.hash_of_the_test_rows"), _grouped_hash(found.files["holdout"].sha256)),
        ))  # fmt: skip
        self._show_checks(self._check_lines(found, leaking))
        self.removed_title.setText(phrase("training.removed_rows_n", n=f"{len(found.removed):,}"))
        self.removed.set_rows([
            (f"{one.line:,}", f"{one.other_line:,}", f"{one.similarity:.2f}", self._reason(one.reason))
            for one in found.removed
        ])  # fmt: skip
        for part in (self.removed_title, self.removed_table):
            part.setVisible(bool(found.removed))

    def _check_lines(self, found: SplitManifest, leaking: Sequence[int]) -> list[tuple[str, str, str]]:
        """Return (icon, tone, sentence) of each check."""
        leakage, threshold = found.leakage, found.settings.measure.threshold
        good, bad, warned = ("circle-check", "success"), ("circle-x", "danger"), ("triangle-alert", "warning")
        near = phrase("training.test_rows_nearly_the_same")
        known = phrase("training.test_rows_whose_answer_is")
        lines = [
            (*(bad if leakage.near else good), near.format(t=threshold, n=f"{leakage.near:,}")),
            (
                *(bad if leakage.answers_known else good),
                known.format(n=f"{len(leakage.answers_known):,}", c=f"{leakage.answers_compared:,}"),
            ),
            (
                *(bad if leakage.shared_groups else good),
                phrase("training.groups_in_both_training_and", n=f"{len(leakage.shared_groups):,}"),
            ),
        ]
        if leaking:
            numbers = row_texts.line_numbers(leaking)
            lines.append(
                (
                    *bad,
                    phrase("training.test_rows_concerned_lines_edit", lines=numbers),
                )
            )
        if leakage.near_validation:
            sentence = phrase("training.n_validation_rows_are_much")
            lines.append((*warned, sentence.format(n=f"{leakage.near_validation:,}")))
        nearest = phrase("training.similarity_of_each_test_row")
        lines.append(
            (
                "info",
                "text2",
                nearest.format(
                    median=_format_similarity(leakage.median), most=_format_similarity(leakage.most_similar)
                ),
            )
        )
        return lines

    def _reason(self, reason: str) -> str:
        same, near = phrase("training.the_same_as_another"), phrase("training.like_a_test_row")
        return same if reason == "same" else near

    def _show_checks(self, found: Sequence[tuple[str, str, str]]) -> None:
        while (item := self._checks.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        self.said = [sentence for _, _, sentence in found]
        for icon, tone, sentence in found:
            line = QWidget()
            row = make_row(into=line, spacing_px=self._theme.px(6))
            sign = IconLabel(self._theme, icon, tone)
            sign.setFixedHeight(self._theme.line_height("ui"))
            row.addWidget(sign, 0, Qt.AlignmentFlag.AlignTop)
            row.addWidget(Label(sentence, wraps=True), 1)
            self._checks.addWidget(line)
            line.show()

    def _on_failed(self, error: AppError) -> None:
        """Show that the files of the split have changed or are missing."""
        self._show_parts(is_shown=False)
        self.check_title.show()
        self._show_checks([("circle-x", "danger", str(describe_error(error)))])
        self.split_button.show()


def _grouped_hash(sha256: str) -> str:
    """Group a hash in fours, so that it is readable and can break across lines."""
    return " ".join(sha256[at : at + 4] for at in range(0, len(sha256), 4))


def _format_similarity(similarity: float) -> str:
    """Round down, so that a value just below the threshold does not look like one that reaches it."""
    return f"{int(100 * similarity) / 100:.2f}"
