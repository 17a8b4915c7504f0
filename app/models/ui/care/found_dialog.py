"""Models that other programs have put on this machine: looked for while the dialog is open, marked, added in place."""

from collections.abc import Collection
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.base.errors import AppError
from app.base.wording import describe_error, phrase
from app.models.found_models import Findings, FoundModel, Skipped
from app.models.services.upkeep import ModelUpkeep
from app.models.ui import words
from app.models.ui.care.marked_list import MarkedList
from app.models.ui.care.work import Work
from app.uikit.dialogs import Dialog, DialogButton
from app.uikit.localization import join_facts
from app.uikit.theme import Theme
from app.uikit.widgets.banner import Banner
from app.uikit.widgets.form_rows import CheckRow
from app.uikit.widgets.labels import ElidedLabel, Label
from app.uikit.widgets.progress_row import ProgressRow

WIDTH_PX = 640
SIDES_PX = 80  # margins of the dialog and of a row, left and right


class FoundDialog(Dialog):
    """`paths_chosen` says which files to add."""

    paths_chosen = Signal(object)  # list[str]

    def __init__(self, theme: Theme, upkeep: ModelUpkeep, listed: Collection[str], parent: QWidget) -> None:
        """`listed`: the paths of the models in the list."""
        self.state = Label(tone="text2", wraps=True)
        self.progress = ProgressRow(theme, can_cancel=False)  # Esc and キャンセル end the search
        self.banner = Banner(theme)
        self.list = MarkedList(theme, phrase("models.models_found"), parent)
        super().__init__(
            theme,
            phrase("models.find_models_of_other_apps"),
            phrase("models.looks_into_the_folders_of"),
            (
                DialogButton("cancel", phrase("common.cancel")),
                DialogButton("add", phrase("models.add"), "primary", is_default=True),
            ),
            parent,
            content=self._content(),
            width_px=WIDTH_PX,
        )
        self._listed = {_real(path) for path in listed}
        self._upkeep = upkeep
        self._work = Work(upkeep, self.progress, self.banner, self)
        self.list.changed.connect(self._show_count)
        self.chosen.connect(self._on_chosen)
        self._show_count()

    def showEvent(self, event: QShowEvent) -> None:
        if not self._work.is_mine and not self.list.rows:
            self.search()
        super().showEvent(event)

    def search(self) -> None:
        self.state.setText(phrase("models.searching_cancel_ends_the_search"))
        what = phrase("models.looking_through_folders")
        if not self._work.begin(
            what, self._upkeep.find, self._upkeep.found, self.show_findings, failed=self._on_failed
        ):
            self.state.setText("")

    def show_findings(self, found: Findings) -> None:
        """New ones first; then those that are in the list; then what cannot be used, with the reason."""
        self.progress.hide()
        models = sorted(found.models, key=lambda model: (_real(model.path) in self._listed, model.name.casefold()))
        for model in models:
            self._add(model)
        self.list.setVisible(bool(models or found.skipped))
        new = sum(row.box.isEnabled() for row in self.list.rows.values())
        sentence = phrase("models.models_that_can_be_added") if new else phrase("models.there_are_no_new_models")
        more = "" if found.is_complete else phrase("models.found_incomplete")
        self.state.setText(join_facts(sentence.format(n=new), more))
        if found.skipped:
            self._add_skipped(found.skipped)
        self._show_count()
        first = self.list.first()
        (first or self.buttons["cancel"]).setFocus()
        self.list.fit(self.width() - self._theme.px(SIDES_PX))
        self.fit_height()

    # ------------------------------------------------------------------- private

    def _content(self) -> QWidget:
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(10)
        for widget in (self.banner, self.progress, self.state, self.list):
            column.addWidget(widget)
        column.addStretch(1)
        return content

    def _add(self, model: FoundModel) -> None:
        is_listed = _real(model.path) in self._listed
        parts = phrase("models.n_files", n=model.parts) if model.parts > 1 else ""
        facts = join_facts(
            phrase("models.added_2") if is_listed else "",
            phrase(f"models.source_{model.source}"),
            words.gigabytes(model.size_bytes),
            model.quantization,
            parts,
        )
        name = model.name.partition("-00001-of-")[0]
        row = CheckRow(name, facts, is_checked=is_listed, is_fixed=is_listed)
        self.list.add_row(str(model.path), row)

    def _add_skipped(self, skipped: list[Skipped]) -> None:
        head = Label(phrase("models.cannot_be_used_n", n=len(skipped)), "caption", "muted", strong=True)
        head.setContentsMargins(12, 8, 12, 4)
        self.list.add(head)
        for one in skipped:
            self.list.add(_SkippedRow(one))

    def _show_count(self) -> None:
        count = len(self.list.marked())
        add = self.buttons["add"]
        add.setText(phrase("models.add_n", n=count) if count else phrase("models.add"))
        add.setEnabled(count > 0)
        add.setAccessibleDescription("" if count else phrase("models.tick_the_models_to_add"))

    def _on_failed(self, error: AppError) -> None:
        sentence = describe_error(error)
        self.state.setText("")
        self.banner.show_message("danger", sentence.message, sentence.next)

    def _on_chosen(self, key: str) -> None:
        if self._work.is_mine:
            self._upkeep.cancel()
        if key == "add":
            self.paths_chosen.emit(self.list.marked())


class _SkippedRow(QWidget):
    def __init__(self, skipped: Skipped) -> None:
        super().__init__()
        name = skipped.reason.facts.get("name") or skipped.path.name
        why = str(describe_error(skipped.reason))
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 6, 12, 6)
        column.setSpacing(0)
        column.addWidget(ElidedLabel(join_facts(str(name), phrase(f"models.source_{skipped.source}"))))
        column.addWidget(Label(why, "caption", "text2", wraps=True))


def _real(path: str | Path) -> str:
    try:
        return str(Path(path).resolve())
    except (OSError, RuntimeError):  # a link in a circle
        return str(path)
