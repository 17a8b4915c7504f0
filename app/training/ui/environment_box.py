"""学習環境 in the first step: whether there is one, what it takes, and how it is made."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QFrame, QVBoxLayout

from app.base.errors import AppError
from app.base.wording import describe_error, phrase
from app.training.services.training_setup import TrainingSetup
from app.training.ui.making import EnvironmentMaking
from app.uikit.desktop import Pickers
from app.uikit.localization import join_facts, make_breakable
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import FlowBox
from app.uikit.widgets.labels import Label

if TYPE_CHECKING:
    from app.training.environment.need import Need
    from app.training.environment.report import Report


class EnvironmentBox(QFrame):
    def __init__(self, theme: Theme, setup: TrainingSetup, is_in_use: Callable[[], bool], pickers: Pickers) -> None:
        """`is_in_use`: whether a run or a conversion works with it."""
        super().__init__()
        self._setup = setup
        self._is_in_use = is_in_use
        self._report: Report | None = None
        self._need: Need | None = None
        self._lacks_cuda = False
        self._platform = sys.platform
        self.state = Label(wraps=True)
        self.about = Label(role="caption", tone="text2", wraps=True)
        self.make_button = Button(theme, phrase("common.make_the_training_environment"))
        self.offline_button = Button(theme, phrase("common.make_it_offline"), "quiet")
        self.making = EnvironmentMaking(theme, setup, pickers)
        self._build()
        self.make_button.clicked.connect(lambda: self._unless_used(self.making.ask))
        self.offline_button.clicked.connect(lambda: self._unless_used(self.making.ask_offline))
        self.making.changed.connect(self._show)
        self.show_report(None)

    def show_report(self, report: "Report | None", *, lacks_cuda: bool = False) -> None:
        """`report`: None while it is being looked at. `lacks_cuda`: its torch is for processors, beside a card."""
        is_new = report is not None and report is not self._report
        self._report, self._lacks_cuda = report, lacks_cuda
        self._show()
        if is_new and report is not None and report.python is None:
            self._setup.estimate(None, self._on_estimated, self._on_refused)

    # ------------------------------------------------------------------- private

    def _build(self) -> None:
        self.setProperty("surface", "card")
        self._buttons = FlowBox(self.make_button, self.offline_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 12, 16, 14)
        column.setSpacing(8)
        column.addWidget(Label(phrase("common.training_environment"), strong=True))
        for widget in (self.state, self.about, self._buttons, self.making):
            column.addWidget(widget)

    def _show(self) -> None:
        report = self._report
        words, tone = self._state_words(report)
        self.state.setText(words)
        self.state.set_tone(tone)
        about = self._about_words(report)
        self.about.setText(about)
        self.about.setVisible(bool(about))
        is_lacking = report is not None and (report.probe is None or self._lacks_cuda or not report.is_current)
        self._buttons.setVisible(is_lacking and not self._setup.is_making)
        has_one = report is not None and report.python is not None
        self.make_button.setText(
            phrase("training.make_it_anew") if has_one else phrase("common.make_the_training_environment")
        )
        for button in (self.make_button, self.offline_button):
            button.setEnabled(not self._setup.is_running)

    def _state_words(self, report: "Report | None") -> tuple[str, str]:
        if report is None:
            return phrase("training.looking"), "muted"
        if report.problem is not None and report.problem.code == "training_place_missing":
            return f"▲ {describe_error(report.problem)}", "warning"
        if report.python is None:
            return phrase("training.there_is_none_yet_it"), "text"
        if report.problem is not None:
            return f"▲ {describe_error(report.problem).message}", "warning"
        if self._lacks_cuda:
            return phrase("training.it_works_but_its_torch"), "warning"
        if not report.is_current:
            return phrase("training.it_works_but_its_parts"), "warning"
        return phrase("training.it_works_computing_in_4"), "success"

    def _about_words(self, report: "Report | None") -> str:
        if report is None:
            return ""
        if report.python is None:
            words = phrase("training.python_torch_and_others_for")
            return f"{words}\n{self._need_words(self._need)}" if self._need else words
        if self._lacks_cuda and self._platform == "win32":
            return phrase("training.this_version_of_kotae_has")
        probe = report.probe
        if probe is None:
            return ""
        return join_facts(
            f"Python {probe.python}",
            f"torch {probe.versions.get('torch', '')}",
            f"CUDA {probe.cuda}" if probe.cuda else phrase("training.no_cuda"),
        )

    def _need_words(self, need: "Need") -> str:
        words = phrase("training.about_download_gb_is_fetched")
        sizes = {"download": need.download_bytes, "room": need.room_bytes, "free": need.free_bytes}
        text = words.format(**{name: f"{size_bytes / 1e9:,.1f}" for name, size_bytes in sizes.items()})
        place = phrase("training.place_folder_you_can_choose", folder=make_breakable(str(need.base)))
        short = phrase("training.there_is_not_enough_space_choose_a")
        return "\n".join([text, place, *([short] if need.free_bytes < need.room_bytes else [])])

    def _on_estimated(self, need: "Need") -> None:
        self._need = need
        self._show()

    def _on_refused(self, error: AppError) -> None:
        """The dialog says why, and lets another place be chosen."""

    def _unless_used(self, act: Callable[[], object]) -> None:
        if self._is_in_use():
            what = phrase("training.the_training_environment_is_in")
            self.making.say_no(what, phrase("training.choose_this_again_afterwards"))
        else:
            act()
