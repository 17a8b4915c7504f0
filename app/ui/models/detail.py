"""One model in full: what it is, what its licence asks, what is in force, and what can be done with it."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from app.core.catalogue import ModelCard, ModelFile
from app.core.records import LocalModel
from app.engine.messages import EngineFacts
from app.ui.language import joined, noted
from app.ui.models import words
from app.ui.models.entries import Entry
from app.ui.models.fits import Judged
from app.ui.models.memory_bar import MemoryBar
from app.ui.models.quantizations import Quantizations
from app.ui.theme import Theme
from app.ui.widgets.buttons import Button
from app.ui.widgets.fact_list import FactList
from app.ui.widgets.labels import Label, Rule, tip
from app.ui.widgets.scroll import scrolled


class ModelDetail(QFrame):
    use_requested = Signal()
    starter_requested = Signal()
    folder_requested = Signal()
    remove_requested = Signal()
    licence_requested = Signal()
    download_requested = Signal(object, object)  # ModelCard, ModelFile
    file_changed = Signal()  # another form of the model was chosen
    back_requested = Signal()

    def __init__(self, theme: Theme, *, can_download: bool = False) -> None:
        super().__init__()
        self._theme = theme
        self._can_download = can_download
        self._entry: Entry | None = None
        self._chosen = ""  # quantization
        self._build()
        self._connect()

    def show_entry(self, entry: Entry, facts: EngineFacts | None, is_starter_available: bool, is_busy: bool) -> None:
        """`facts`: of the loaded model, whichever that is."""
        model, card = entry.model, entry.card
        if self._entry is None or self._entry.key != entry.key:
            self._chosen = entry.quantization
        self._entry = entry
        self._title.setText(entry.title)
        self._summary.setText(card.summary if card else "")
        self._summary.setVisible(card is not None)
        self._facts.set_facts(self._described(model, card))
        self._show_files(entry)
        self._show_fit()
        self.licence_button.setVisible(bool(card and card.licence_url))
        is_loaded = model is not None and facts is not None and facts.path == model.path
        self._show_effective(model, facts if is_loaded else None, entry.usual)
        self._show_actions(entry, is_starter_available, is_busy)

    def set_back_visible(self, is_visible: bool) -> None:
        self.back_button.setVisible(is_visible)

    def _build(self) -> None:
        self.setProperty("surface", "card")
        column = QVBoxLayout(self)
        column.setContentsMargins(1, 1, 1, 1)
        column.setSpacing(0)
        column.addWidget(scrolled(self._build_content()), 1)
        column.addWidget(Rule())
        column.addLayout(self._build_actions())

    def _build_content(self) -> QWidget:
        self.back_button = Button(self._theme, self.tr("一覧に戻る"), "quiet", "chevron-left", compact=True)
        self._title = Label(role="heading2", wraps=True)
        self._fit = Label(role="ui", strong=True)
        self._reason_of_fit = Label(tone="text2", wraps=True)
        self._advice = Label(tone="text2", wraps=True)
        self._summary = Label(tone="text2", wraps=True)
        self._facts = FactList(self._theme)
        self.licence_button = Button(self._theme, self.tr("使用条件の全文を読む"), "link", "external-link")
        self._files_title = Label(self.tr("量子化を選ぶ"), strong=True)
        self._files_title.setToolTip(tip(self.tr("数値を丸めて小さくした形です。小さいほど速く、品質は少し下がります")))
        self.files = Quantizations(self._theme)
        self._memory_title = Label(strong=True)
        self._memory = MemoryBar(self._theme)
        self._effective_title = Label(self.tr("詳細（読み込み後の実際の値）"), strong=True)
        self._effective_hint = Label(tone="muted", wraps=True)
        self._effective = FactList(self._theme)
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(20, 16, 20, 16)
        column.setSpacing(8)
        column.addWidget(self.back_button, 0, Qt.AlignmentFlag.AlignLeft)
        about: tuple[QWidget, ...] = (self._title, self._summary, self._fit, self._reason_of_fit, self._advice)
        for widget in (*about, self._facts):
            column.addWidget(widget)
        column.addWidget(self.licence_button, 0, Qt.AlignmentFlag.AlignLeft)
        column.addSpacing(8)
        for widget in (self._files_title, self.files, self._memory_title, self._memory):
            column.addWidget(widget)
        column.addSpacing(8)
        for widget in (self._effective_title, self._effective_hint, self._effective):
            column.addWidget(widget)
        column.addStretch(1)
        return content

    def _build_actions(self) -> QHBoxLayout:
        self.use_button = Button(self._theme, self.tr("質問で使う"), "primary")
        self.starter_button = Button(self._theme, self.tr("お試し用を追加"), "primary")
        self.download_button = Button(self._theme, "", "primary")
        self.folder_button = Button(self._theme, self.tr("フォルダを開く"), icon="folder-open")
        self.remove_button = Button(self._theme, self.tr("一覧から外す…"), "danger")
        self._reason = Label(tone="text2", wraps=True)
        row = QHBoxLayout()
        row.setContentsMargins(20, 12, 20, 12)
        row.setSpacing(8)
        row.addWidget(self.use_button)
        row.addWidget(self.starter_button)
        row.addWidget(self.download_button)
        row.addWidget(self._reason, 1)
        row.addWidget(self.folder_button)
        row.addStretch()
        row.addWidget(self.remove_button)
        return row

    def _connect(self) -> None:
        self.use_button.clicked.connect(self.use_requested)
        self.starter_button.clicked.connect(self.starter_requested)
        self.download_button.clicked.connect(self._on_download_clicked)
        self.files.chosen.connect(self._on_file_chosen)
        self.folder_button.clicked.connect(self.folder_requested)
        self.remove_button.clicked.connect(self.remove_requested)
        self.licence_button.clicked.connect(self.licence_requested)
        self.back_button.clicked.connect(self.back_requested)

    def _described(self, model: LocalModel | None, card: ModelCard | None) -> list[tuple[str, str]]:
        predicted = self._entry.usual.predicted if self._entry and self._entry.usual else None
        return [
            (self.tr("使用条件"), card.licence if card else self.tr("配布元で確かめてください")),
            (self.tr("お願い"), card.licence_notice if card else ""),
            (self.tr("学習の土台"), card.base_model if card and card.kind == "chat" else ""),
            (self.tr("元のモデル"), card.base_model if card and card.kind != "chat" else ""),
            (self.tr("大きさ"), words.gigabytes(model.size_bytes) if model else ""),
            (self.tr("形式"), joined(model.architecture, model.quantization) if model else ""),
            (self.tr("文脈の長さ"), self._context(model, card)),
            (self.tr("ベクトル"), self.tr("{n} 次元").format(n=card.dimensions) if card and card.dimensions else ""),
            (self.tr("ファイル"), model.path if model else ""),
            (self.tr("予測"), words.speed(predicted) if model else ""),
            (self.tr("前回の実測"), words.speeds(model) if model else ""),
        ]

    def _context(self, model: LocalModel | None, card: ModelCard | None) -> str:
        count = (model.context_tokens if model else 0) or (card.context_tokens if card else 0)
        if not count:
            return ""
        is_sure = (
            (model is not None and model.context_tokens > 0) or not card or "context_tokens" not in card.unverified
        )
        text = self.tr("最大 {tokens}").format(tokens=words.tokens(count))
        return text if is_sure else noted(text, self.tr("未確認"))

    def _show_files(self, entry: Entry) -> None:
        files = entry.card.files if entry.card else ()
        self._files_title.setVisible(len(files) > 0)
        self.files.setVisible(len(files) > 0)
        if files:
            self.files.set_files(files, entry.judged, self._chosen)

    def _show_fit(self) -> None:
        judged = self._entry.judged.get(self._chosen) if self._entry else None
        for widget in (self._fit, self._reason_of_fit, self._memory_title, self._memory):
            widget.setVisible(judged is not None)
        self._advice.setVisible(judged is not None and words.advice(judged) != "")
        if judged is None:
            return
        self._fit.setText(words.verdict(judged.verdict))
        self._fit.set_tone(words.FIT_BADGES[judged.verdict][0])
        self._reason_of_fit.setText(words.reason(judged))
        self._advice.setText(words.advice(judged))
        where = self.tr("GPU メモリの内訳") if judged.fit.judgement.place == "graphics" else self.tr("メモリの内訳")
        context = self.tr("文脈 {n}").format(n=f"{judged.fit.context_tokens:,}")
        self._memory_title.setText(noted(where, joined(self._chosen, context)))
        self._memory.show_judged(judged)

    def _show_effective(self, model: LocalModel | None, facts: EngineFacts | None, judged: Judged | None) -> None:
        self._effective_title.setVisible(model is not None)
        self._effective_hint.setVisible(model is not None and facts is None)
        self._effective_hint.setText(self.tr("質問で使うと、読み込んだあとの実際の値がここに表示されます。"))
        self._effective.setVisible(facts is not None)
        if facts is not None:
            is_same = judged is not None and judged.fit.context_tokens == facts.context_tokens
            predicted = judged.fit.needed if judged is not None and is_same and not facts.repack else None
            self._effective.set_facts(words.engine_facts(facts, predicted))

    def _show_actions(self, entry: Entry, is_starter_available: bool, is_busy: bool) -> None:
        is_local = entry.model is not None
        can_add = not is_local and entry.card is not None and entry.card.is_trial and is_starter_available
        file = self._file_to_download()
        self.use_button.setVisible(is_local and not entry.is_used and not entry.is_for_search)
        self.download_button.setVisible(file is not None)
        if file is not None:
            self.download_button.setText(
                self.tr("ダウンロード（{size}）").format(size=words.gigabytes(file.size_bytes))
            )
        self.folder_button.setVisible(is_local)
        self.remove_button.setVisible(is_local)
        self.starter_button.setVisible(can_add)
        self.starter_button.setEnabled(not is_busy)
        reason = ""
        if entry.is_used:
            reason = self.tr("✓ 質問で使っています")
        elif can_add:
            reason = self.tr("追加しています…") if is_busy else self.tr("使用条件を読んでから追加してください。")
        elif not is_local and file is None:
            reason = self.tr("この版ではファイルの取り込みで追加できます")
        self._reason.setText(reason)
        self._reason.setVisible(bool(reason))
        self._reason.set_tone("success" if entry.is_used else "text2")

    def _file_to_download(self) -> ModelFile | None:
        """The chosen form, where it can be downloaded and is not here."""
        card = self._entry.card if self._entry else None
        file = card.file_of(self._chosen) if card and self._can_download else None
        if file is None or not file.repository:
            return None
        is_here = self._entry is not None and self._entry.model is not None and self._entry.quantization == self._chosen
        return None if is_here else file

    def _on_download_clicked(self) -> None:
        file = self._file_to_download()
        if file is not None and self._entry is not None:
            self.download_requested.emit(self._entry.card, file)

    def _on_file_chosen(self, quantization: str) -> None:
        self._chosen = quantization
        self._show_fit()
        self.file_changed.emit()
