"""Transfer kits: which models go along, and what came of writing or reading one."""

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.base.wording import describe_error, phrase
from app.inference.local_model import LocalModel
from app.models.kits.kit_import import Imported
from app.models.kits.kit_manifest import Kit
from app.models.ui import words
from app.models.ui.care.marked_list import MarkedList
from app.uikit import localization
from app.uikit.dialogs import Dialog, DialogButton
from app.uikit.localization import join_facts
from app.uikit.theme import Theme
from app.uikit.widgets.form_rows import CheckRow
from app.uikit.widgets.labels import FactList, Label

WIDTH_PX = 600
SIDES_PX = 80  # margins of the dialog and of a row, left and right


class KitExportDialog(Dialog):
    """`chosen` says export or cancel; `list.marked()` are the ids."""

    def __init__(
        self, theme: Theme, models: Sequence[LocalModel], marked: str | None, parent: QWidget, *, has_presets: bool
    ) -> None:
        """`marked`: the id of the model that is marked at first; None: all are."""
        self._sizes = {model.id: model.size_bytes for model in models}
        self.sum = Label(tone="text2", wraps=True)
        self.list = MarkedList(theme, phrase("models.models_to_carry"), parent)
        for model in models:
            facts = join_facts(words.gigabytes(model.size_bytes), model.quantization)
            self.list.add_row(model.id, CheckRow(model.name, facts, is_checked=marked in (None, model.id)))
        body = phrase("models.makes_a_folder_that_a")
        presets = phrase("models.your_own_presets_go_along")
        super().__init__(
            theme,
            phrase("models.which_models_do_you_want"),
            f"{body}\n{presets}" if has_presets else body,
            (
                DialogButton("cancel", phrase("common.cancel")),
                DialogButton("export", phrase("models.choose_where_to_write"), "primary", is_default=True),
            ),
            parent,
            content=_column(self.list, self.sum),
            width_px=WIDTH_PX,
        )
        self.list.changed.connect(self._show_sum)
        self._show_sum()
        self.list.fit(self.width() - theme.px(SIDES_PX))
        (self.list.first() or self.buttons["cancel"]).setFocus()

    def _show_sum(self) -> None:
        marked = self.list.marked()
        total = sum(self._sizes[model_id] for model_id in marked)
        sentence = phrase("models.models_n_size_as_much")
        nothing = phrase("models.tick_the_models_to_carry")
        self.sum.setText(sentence.format(n=len(marked), size=words.gigabytes(total)) if marked else nothing)
        self.buttons["export"].setEnabled(bool(marked))


def written_dialog(theme: Theme, kit: Kit, folder: Path, parent: QWidget) -> Dialog:
    """The kit is there: what it is, and what to do at the other machine. `chosen` says folder or cancel."""
    facts = FactList(theme)
    parts = len(list(kit.parts()))
    facts.set_facts(
        [
            (phrase("common.place"), str(folder)),
            (phrase("common.size"), words.gigabytes(kit.size_bytes)),
            (phrase("common.models"), phrase("models.n", n=len(kit.models))),
            (phrase("models.parts"), phrase("models.n_read_back_and_checked", n=parts)),
        ]
    )
    steps = (
        phrase("models.1_put_this_whole_folder"),
        phrase("models.2_there_open_models_in"),
        phrase("models.3_choose_this_folder_if"),
    )
    labels = [Label(step, tone="text2", wraps=True) for step in steps]
    return Dialog(
        theme,
        phrase("common.the_transfer_kit_is_written"),
        phrase("models.on_the_other_pc_do"),
        (
            DialogButton("folder", phrase("common.open_the_folder")),
            DialogButton("cancel", phrase("common.close"), "primary", is_default=True),
        ),
        parent,
        icon=("circle-check", "success"),
        content=_column(*labels, facts),
        width_px=WIDTH_PX,
    )


def problems_dialog(theme: Theme, outcome: Imported, parent: QWidget) -> Dialog:
    """Something of the kit was damaged or missing: which part, and what to do. `chosen` says again or cancel."""
    lines = [str(describe_error(problem)) for problem in outcome.problems]
    new = [model.name for model in outcome.models if model not in outcome.here]
    added = phrase("models.imported_names", names=localization.join_names(new))
    waiting = phrase("models.not_imported_yet_names", names=localization.join_names(outcome.waiting))
    body = "\n".join(line for line, has in ((added, new), (waiting, outcome.waiting)) if has)
    problems = MarkedList(theme, phrase("models.parts_with_a_problem"), parent)
    for line in lines:
        label = Label(line, wraps=True)
        label.setContentsMargins(12, 8, 12, 8)
        problems.add(label)
    problems.fit(min(theme.px(WIDTH_PX), parent.width()) - theme.px(SIDES_PX))
    return Dialog(
        theme,
        phrase("models.part_of_the_kit_could"),
        body,
        (
            DialogButton("cancel", phrase("common.close")),
            DialogButton("again", phrase("models.import_again"), "primary", is_default=True),
        ),
        parent,
        icon=("triangle-alert", "warning"),
        content=problems,
        width_px=WIDTH_PX,
    )


def _column(*widgets: QWidget) -> QWidget:
    content = QWidget()
    column = QVBoxLayout(content)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(8)
    for widget in widgets:
        column.addWidget(widget)
    return content
