"""One model in full: what it is, what its licence asks, what is in force, and what can be done with it."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from app.core.catalogue import ModelCard
from app.core.records import LocalModel
from app.engine.messages import EngineFacts
from app.ui.language import joined
from app.ui.models import words
from app.ui.models.entries import Entry
from app.ui.theme import Theme
from app.ui.widgets.buttons import Button
from app.ui.widgets.fact_list import FactList
from app.ui.widgets.labels import Label, Rule
from app.ui.widgets.scroll import scrolled


class ModelDetail(QFrame):
    use_requested = Signal()
    starter_requested = Signal()
    folder_requested = Signal()
    remove_requested = Signal()
    licence_requested = Signal()
    back_requested = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._build()
        self._connect()

    def show_entry(self, entry: Entry, facts: EngineFacts | None, is_starter_available: bool, is_busy: bool) -> None:
        """`facts`: of the loaded model, whichever that is."""
        model, card = entry.model, entry.card
        self._title.setText(entry.title)
        self._summary.setText(card.summary if card else "")
        self._summary.setVisible(card is not None)
        self._show_fit(entry)
        self._facts.set_facts(self._described(model, card))
        self.licence_button.setVisible(bool(card and card.licence_url))
        is_loaded = model is not None and facts is not None and facts.path == model.path
        self._show_effective(model, facts if is_loaded else None)
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
        self._fit = Label(role="caption", strong=True)
        self._summary = Label(tone="text2", wraps=True)
        self._facts = FactList(self._theme)
        self.licence_button = Button(self._theme, self.tr("使用条件の全文を読む"), "link", "external-link")
        self._effective_title = Label(self.tr("詳細（読み込み後の実際の値）"), strong=True)
        self._effective_hint = Label(tone="muted", wraps=True)
        self._effective = FactList(self._theme)
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(20, 16, 20, 16)
        column.setSpacing(8)
        column.addWidget(self.back_button, 0, Qt.AlignmentFlag.AlignLeft)
        for widget in (self._title, self._fit, self._summary, self._facts):
            column.addWidget(widget)
        column.addWidget(self.licence_button, 0, Qt.AlignmentFlag.AlignLeft)
        column.addSpacing(12)
        for widget in (self._effective_title, self._effective_hint, self._effective):
            column.addWidget(widget)
        column.addStretch(1)
        return content

    def _build_actions(self) -> QHBoxLayout:
        self.use_button = Button(self._theme, self.tr("質問で使う"), "primary")
        self.starter_button = Button(self._theme, self.tr("お試し用を追加"), "primary")
        self.folder_button = Button(self._theme, self.tr("フォルダを開く"), icon="folder-open")
        self.remove_button = Button(self._theme, self.tr("一覧から外す…"), "danger")
        self._reason = Label(tone="text2", wraps=True)
        row = QHBoxLayout()
        row.setContentsMargins(20, 12, 20, 12)
        row.setSpacing(8)
        row.addWidget(self.use_button)
        row.addWidget(self.starter_button)
        row.addWidget(self._reason, 1)
        row.addWidget(self.folder_button)
        row.addStretch()
        row.addWidget(self.remove_button)
        return row

    def _connect(self) -> None:
        self.use_button.clicked.connect(self.use_requested)
        self.starter_button.clicked.connect(self.starter_requested)
        self.folder_button.clicked.connect(self.folder_requested)
        self.remove_button.clicked.connect(self.remove_requested)
        self.licence_button.clicked.connect(self.licence_requested)
        self.back_button.clicked.connect(self.back_requested)

    def _described(self, model: LocalModel | None, card: ModelCard | None) -> list[tuple[str, str]]:
        return [
            (self.tr("使用条件"), card.licence if card else self.tr("配布元で確かめてください")),
            (self.tr("お願い"), card.licence_notice if card else ""),
            (self.tr("元のモデル"), card.base_model if card else ""),
            (self.tr("大きさ"), words.gigabytes(model.size_bytes) if model else self._sizes(card)),
            (self.tr("形式"), joined(model.architecture, model.quantization) if model else ""),
            (self.tr("文脈の長さ"), self._context(model, card)),
            (self.tr("ファイル"), model.path if model else ""),
            (self.tr("前回の実測"), words.speeds(model) if model else ""),
        ]

    def _sizes(self, card: ModelCard | None) -> str:
        files = card.files if card else ()
        return "\n".join(joined(file.quantization, words.gigabytes(file.size_bytes)) for file in files)

    def _context(self, model: LocalModel | None, card: ModelCard | None) -> str:
        count = (model.context_tokens if model else 0) or (card.context_tokens if card else 0)
        return self.tr("最大 {tokens}").format(tokens=words.tokens(count)) if count else ""

    def _show_fit(self, entry: Entry) -> None:
        sentences = {
            "comfortable": ("success", self.tr("✓ 快適　必要なメモリに 1 割以上の余裕があります")),
            "tight": ("warning", self.tr("▲ 動作可　メモリの余裕がわずかです")),
            "insufficient": ("danger", self.tr("× メモリ不足　いまの空きメモリでは足りません")),
        }
        self._fit.setVisible(entry.fit in sentences)
        if entry.fit in sentences:
            tone, sentence = sentences[entry.fit]
            self._fit.setText(sentence)
            self._fit.set_tone(tone)

    def _show_effective(self, model: LocalModel | None, facts: EngineFacts | None) -> None:
        self._effective_title.setVisible(model is not None)
        self._effective_hint.setVisible(model is not None and facts is None)
        self._effective_hint.setText(self.tr("質問で使うと、読み込んだあとの実際の値がここに表示されます。"))
        self._effective.setVisible(facts is not None)
        if facts is not None:
            self._effective.set_facts(words.engine_facts(facts))

    def _show_actions(self, entry: Entry, is_starter_available: bool, is_busy: bool) -> None:
        is_local = entry.model is not None
        can_add = not is_local and entry.card is not None and entry.card.is_trial and is_starter_available
        self.use_button.setVisible(is_local and not entry.is_used)
        self.folder_button.setVisible(is_local)
        self.remove_button.setVisible(is_local)
        self.starter_button.setVisible(can_add)
        self.starter_button.setEnabled(not is_busy)
        reason = ""
        if entry.is_used:
            reason = self.tr("✓ 質問で使っています")
        elif can_add:
            reason = self.tr("追加しています…") if is_busy else self.tr("使用条件を読んでから追加してください。")
        elif not is_local:
            reason = self.tr("この版ではファイルの取り込みで追加できます")
        self._reason.setText(reason)
        self._reason.setVisible(bool(reason))
        self._reason.set_tone("success" if entry.is_used else "text2")
