"""What a training would take: time, memory and disk beside what there is, and what would make it fit."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QProgressBar, QSizePolicy, QVBoxLayout, QWidget

from app.training.plan import Forecast
from app.training.ui.model import words
from app.uikit import phrases
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.icon import Icon
from app.uikit.widgets.labels import Label

STEPS = 1000  # of a bar
BAR_PX = 560  # at most


class ForecastBox(QFrame):
    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.setProperty("surface", "card")
        self.headline = Label(role="heading3", wraps=True)
        self.source = Label(role="caption", tone="muted", wraps=True)
        self.memory = Meter(theme)
        self.disk = Meter(theme)
        self.advice = Label(tone="warning", wraps=True)
        self.changes_button = Button(theme, self.tr("この設定にする"), compact=True)
        self.trial_button = Button(theme, self.tr("3 ステップ試す"), compact=True)
        self.trial_words = Label(role="caption", tone="muted", wraps=True)
        self._build()

    def show_forecast(self, found: Forecast, *, can_try: bool, is_converted: bool, is_busy: bool) -> None:
        """`can_try`: there is a trainer. `is_converted`: the base can be loaded as it is."""
        name = words.memory_name(found.device)
        self.headline.setText(self._headline(found, name))
        self.source.setText(self._source(found))
        self.memory.show_share(name, found.memory_bytes, found.allowed_bytes, self.tr("必要 {need}／使える {free}"))
        self.disk.show_share(
            self.tr("ディスク"), found.disk_bytes, found.free_disk_bytes, self.tr("必要 {need}／空き {free}")
        )
        self._show_advice(found)
        fits = self.memory.fits and self.disk.fits
        for widget in (self.trial_button, self.trial_words):
            widget.setVisible(can_try and fits and not found.is_measured)
        for button in (self.trial_button, self.changes_button):
            button.setEnabled(not is_busy)
        self.trial_words.setText(
            self.tr("実際に 3 ステップだけ計算して、時間とメモリを測ります。数分かかることがあります。")
            if is_converted
            else self.tr(
                "土台を学習用に変換し、3 ステップだけ計算して測ります。変換は初めの一度だけで、時間がかかります。"
            )
        )

    # ------------------------------------------------------------------- private

    def _build(self) -> None:
        left = Qt.AlignmentFlag.AlignLeft
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 14, 16, 14)
        column.setSpacing(8)
        column.addWidget(self.headline)
        column.addWidget(self.source)
        column.addWidget(self.memory)
        column.addWidget(self.disk)
        column.addWidget(self.advice)
        column.addWidget(self.changes_button, 0, left)
        column.addWidget(self.trial_button, 0, left)
        column.addWidget(self.trial_words)

    def _headline(self, found: Forecast, name: str) -> str:
        text = self.tr("見積もり：{time}、{memory} {size}")
        if found.is_measured:
            text = self.tr("3 ステップ試した結果：{time}、{memory} {size}")
        size = phrases.gigabytes(found.memory_bytes)
        return text.format(time=phrases.about_time(found.seconds), memory=name, size=size)

    def _source(self, found: Forecast) -> str:
        if found.is_measured:
            return self.tr("長い例で測りました。時間には検証を含み、試しの回答と保存、学習後の判定は含みません。")
        if found.is_exact:
            return self.tr("トークンの数と、計算の速さの目安から計算しました。時間は大きく外れることがあります。")
        return self.tr("トークンの数を文字数から推し量った、おおよその値です。")

    def _show_advice(self, found: Forecast) -> None:
        text = ""
        if not self.memory.fits and found.changes:
            made = words.changes(dict(found.changes))
            text = self.tr("メモリが足りません。次の設定にすると始められます：{changes}").format(changes=made)
        elif not self.memory.fits:
            text = self.tr(
                "メモリが足りず、設定を変えても収まりません。"
                "小さいモデルを選ぶか、別の PC 用の作業フォルダを作ってください。"
            )
        elif not self.disk.fits:
            text = self.tr("ディスクの空きが足りません。不要なファイルを消してから、もう一度調べてください。")
        self.advice.setText(f"▲ {text}")
        self.advice.setVisible(bool(text))
        self.changes_button.setVisible(not self.memory.fits and bool(found.changes))


class Meter(QWidget):
    """What is needed beside what there is: a mark, a bar and both numbers."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._mark = Icon(theme, "circle-check", "success")
        self._name = Label(strong=True)
        self.words = Label(tone="text2", wraps=True)
        self.words.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._bar = QProgressBar()
        self._bar.setRange(0, STEPS)
        self._bar.setTextVisible(False)
        self._bar.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._bar.setMaximumWidth(theme.px(BAR_PX))
        self.fits = True
        head = QHBoxLayout()
        head.setSpacing(8)
        for widget in (self._mark, self._name):
            head.addWidget(widget)
        head.addWidget(self.words, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 2, 0, 2)
        column.setSpacing(4)
        column.addLayout(head)
        column.addWidget(self._bar)

    def show_share(self, name: str, needed: int, there: int, words_of: str) -> None:
        """`words_of`: with {need} and {free}."""
        self.fits = needed <= there
        self._mark.show_icon(*(("circle-check", "success") if self.fits else ("circle-x", "danger")))
        self._name.setText(name)
        self.words.setText(words_of.format(need=phrases.gigabytes(needed), free=phrases.gigabytes(there)))
        self.words.set_tone("text2" if self.fits else "danger")
        self._bar.setValue(min(STEPS, round(STEPS * needed / max(there, 1))))
        self._bar.setProperty("level", "" if self.fits else "low")
        self._bar.style().unpolish(self._bar)
        self._bar.style().polish(self._bar)
        self._bar.setAccessibleName(name)
        self._bar.setAccessibleDescription(self.words.text())
