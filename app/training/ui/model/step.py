"""Step 3, モデルと設定: what is trained and how much of it, with what each choice would take."""

from collections.abc import Callable, Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QVBoxLayout

from app.base.errors import AppError
from app.base.paths import Paths
from app.base.wording import describe_error, phrase
from app.inference.local_model import LocalModel
from app.training.plan import Draft
from app.training.services.training_draft import TrainingDraft
from app.training.services.training_preview import Outlooks
from app.training.ui import words as shared
from app.training.ui.model.base import BaseField
from app.training.ui.model.expert import ExpertForm
from app.training.ui.model.preset_cards import PresetCards
from app.training.ui.step import Step
from app.uikit.desktop import Pickers
from app.uikit.localization import with_note
from app.uikit.page import Navigation
from app.uikit.theme import Theme
from app.uikit.widgets.banner import Banner
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.labels import Label

MARGIN_PX = 24


class ModelStep(Step):
    def __init__(
        self,
        theme: Theme,
        navigation: Navigation,
        work: TrainingDraft,
        paths: Paths,
        models: Callable[[], Sequence[LocalModel]],
        pickers: Pickers | None = None,
    ) -> None:
        super().__init__()
        self._theme = theme
        self._navigation = navigation
        self._work = work
        self._models = models
        self.outlooks = Outlooks(paths, models, self)
        self.banner = Banner(theme)
        self.base = BaseField(theme, pickers or Pickers())
        self.cards = PresetCards(theme)
        self.about = Label(role="caption", tone="muted", wraps=True)
        self.fold_button = Button(theme, "", "", "sliders-horizontal")
        self.fold_button.setCheckable(True)
        self.expert = ExpertForm(theme)
        self._build()
        self._connect()

    def show_draft(self) -> None:
        draft = self._work.draft
        self.base.show_base(draft.base, self._models())
        self.outlooks.look(draft)
        self._show_outlooks()

    def focus_first(self) -> None:
        if self._work.draft.base:
            self.cards.focus_chosen()
        elif self.base.box.isEnabled():
            self.base.box.setFocus(Qt.FocusReason.OtherFocusReason)
        else:
            self.base.get_button.setFocus(Qt.FocusReason.OtherFocusReason)

    # ------------------------------------------------------------------- private

    def _build(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(MARGIN_PX, 20, MARGIN_PX, 20)
        column.setSpacing(16)
        column.addWidget(self.banner)
        column.addWidget(self.base)
        column.addWidget(Label(phrase("training.how_to_train"), "heading3"))
        column.addWidget(self.cards)
        column.addWidget(self.about)
        column.addWidget(self.fold_button, 0, Qt.AlignmentFlag.AlignLeft)
        column.addWidget(self.expert)
        column.addStretch(1)
        self.expert.hide()

    def _connect(self) -> None:
        self.base.chosen.connect(lambda base: self._change(base=base))
        self.base.get_button.clicked.connect(lambda: self._navigation.page_requested.emit("models"))
        self.cards.chosen.connect(lambda preset: self._change(preset=preset))
        self.expert.chosen.connect(self._choose)
        self.fold_button.toggled.connect(self._fold)
        self.outlooks.changed.connect(self._show_outlooks)

    def _show_outlooks(self) -> None:
        draft, outlooks = self._work.draft, self.outlooks
        self.cards.show_presets(draft.preset, outlooks.found, is_working=outlooks.is_working)
        self.about.setText(self._about(draft))
        outlook = outlooks.found.get(draft.preset)
        decided = {name: getattr(outlook.plan.spec, name) for name in self.expert.fields} if outlook else {}
        left = decided | dict(outlook.left) if outlook else {}
        fixed = {"rank": draft.start.rank, "alpha": draft.start.alpha} if draft.start else {}
        self.expert.show_settings(draft.settings, left, _problem(draft), fixed)
        self._name_fold()

    def _about(self, draft: Draft) -> str:
        error = self.outlooks.error
        if error is not None:
            sentence = describe_error(error).message
            return phrase("training.time_and_memory_cannot_be", reason=sentence)
        if not draft.base:
            return phrase("training.choose_a_base_model_to")
        if draft.frozen is None:
            return phrase("training.split_the_data_to_see")
        return phrase("training.estimated_from_the_letters_of")

    def _fold(self, is_open: bool) -> None:
        self.expert.setVisible(is_open)
        self._name_fold()

    def _name_fold(self) -> None:
        count = len(self._work.draft.settings)
        name = phrase("common.hide_details") if self.fold_button.isChecked() else phrase("common.show_details")
        self.fold_button.setText(with_note(name, phrase("training.n_changed", n=count) if count else ""))

    def _change(self, **fields: str) -> None:
        try:
            self._work.change(**fields)
        except AppError as error:
            self._refuse(error)

    def _choose(self, name: str, value: object) -> None:
        try:
            self._work.choose(**{name: value})
        except AppError as error:
            self._refuse(error)

    def _refuse(self, error: AppError) -> None:
        sentence = describe_error(error)
        self.banner.show_message("danger", sentence.message, sentence.next)


def _problem(draft: Draft) -> tuple[str, str]:
    """The setting that is wrong, and why."""
    found = next((one for one in draft.problems("model") if one.code == "setting_wrong"), None)
    return (str(found.facts["facts"].get("field")), shared.problem(found)) if found else ("", "")
