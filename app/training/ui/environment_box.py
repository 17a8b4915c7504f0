"""学習環境 in the first step: whether there is one, what it takes, and how it is made."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QFrame, QVBoxLayout

from app.base.errors import AppError
from app.base.wording import describe_error
from app.training.services.training_setup import TrainingSetup
from app.training.ui.making import EnvironmentMaking
from app.uikit.language import joined
from app.uikit.phrases import breakable
from app.uikit.pickers import Pickers
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.flow import Flow
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
        self.make_button = Button(theme, self.tr("学習環境を作る"))
        self.offline_button = Button(theme, self.tr("オフラインで作る…"), "quiet")
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
        self._buttons = Flow(self.make_button, self.offline_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 12, 16, 14)
        column.setSpacing(8)
        column.addWidget(Label(self.tr("学習環境"), strong=True))
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
        self.make_button.setText(self.tr("作り直す") if has_one else self.tr("学習環境を作る"))
        for button in (self.make_button, self.offline_button):
            button.setEnabled(not self._setup.is_running)

    def _state_words(self, report: "Report | None") -> tuple[str, str]:
        if report is None:
            return self.tr("調べています…"), "muted"
        if report.problem is not None and report.problem.code == "training_place_missing":
            return f"▲ {describe_error(report.problem)}", "warning"
        if report.python is None:
            return self.tr("まだありません。学習を始める前に、一度だけ作ります。"), "text"
        if report.problem is not None:
            return f"▲ {describe_error(report.problem).message}", "warning"
        if self._lacks_cuda:
            return self.tr("▲ 使えますが、torch が CPU 用なので GPU を使えません。"), "warning"
        if not report.is_current:
            return self.tr("▲ 使えますが、この版の Kotae が使う部品とは違います。作り直すと揃います。"), "warning"
        return self.tr("✓ 使えます。4 ビットの計算も確かめました。"), "success"

    def _about_words(self, report: "Report | None") -> str:
        if report is None:
            return ""
        if report.python is None:
            words = self.tr("学習とモデルの変換に使う Python と torch などです。質問に答えるだけなら要りません。")
            return f"{words}\n{self._need_words(self._need)}" if self._need else words
        if self._lacks_cuda and self._platform == "win32":
            return self.tr("この版の Kotae には、Windows の GPU（CUDA）用の部品がまだありません。変換はできます。")
        probe = report.probe
        if probe is None:
            return ""
        return joined(
            f"Python {probe.python}",
            f"torch {probe.versions.get('torch', '')}",
            f"CUDA {probe.cuda}" if probe.cuda else self.tr("CUDA なし"),
        )

    def _need_words(self, need: "Need") -> str:
        words = self.tr("取得は約 {download} GB、作るあいだにディスクを最大 {room} GB 使います（空き {free} GB）。")
        sizes = {"download": need.download_bytes, "room": need.room_bytes, "free": need.free_bytes}
        text = words.format(**{name: f"{size_bytes / 1e9:,.1f}" for name, size_bytes in sizes.items()})
        place = self.tr("入れる場所：{folder}（作る前に選べます）").format(folder=breakable(str(need.base)))
        short = self.tr("▲ 空きが足りません。別のドライブの場所を選んでください。")
        return "\n".join([text, place, *([short] if need.free_bytes < need.room_bytes else [])])

    def _on_estimated(self, need: "Need") -> None:
        self._need = need
        self._show()

    def _on_refused(self, error: AppError) -> None:
        """The dialog says why, and lets another place be chosen."""

    def _unless_used(self, act: Callable[[], object]) -> None:
        if self._is_in_use():
            what = self.tr("いま、学習環境を使っています。")
            self.making.say_no(what, self.tr("終わってから、もう一度選んでください。"))
        else:
            act()
