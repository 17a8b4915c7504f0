"""Drive the page 学習 and its steps as a person does: click, type, wait and read; with the data that they need."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QPushButton, QScrollArea, QWidget
from pytestqt.qtbot import QtBot

from app.base import paths, programs
from app.base.confidentiality import Label
from app.base.paths import Paths
from app.base.settings import Settings
from app.base.wording import phrase
from app.documents.library import Library
from app.documents.services.document_library import DocumentLibrary
from app.inference import speed
from app.inference.local_model import LocalModel
from app.inference.services.engine import EngineClient
from app.inference.speed import MachineSpeed
from app.models import local_models
from app.training import drafts
from app.training.data import curation, data_split
from app.training.data.curation import Curation, CurationItem, RowEvidence
from app.training.data.rows import RowMessage, TrainingRow
from app.training.data.split_record import LeakageReport
from app.training.drafts import DraftData, DraftSplit, TrainingDraft
from app.training.services.draft_editor import DraftEditor
from app.training.services.draft_pairs import DraftPairGeneration
from app.training.services.training_run import Trainer
from app.training.ui.data.data_sources import GeneratePairsDialog
from app.training.ui.data.data_step import DataStep
from app.training.ui.data.review_list import ItemRole
from app.training.ui.data.review_tab import ReviewTab
from app.training.ui.wizard import WizardStep
from app.uikit.confidentiality_guard import ConfidentialityGuard
from app.uikit.desktop import Pickers
from app.uikit.page import NavigationSignals
from app.uikit.theme import Theme
from app.uikit.widgets.containers import make_scrollable
from app.uikit.widgets.form_rows import Chooser
from tests import model_files as models
from tests.scene import Scene
from tests.training.generation.collection import library_of
from tests.uikit.ui import accessible
from tests.uikit.ui.clipping import clipped
from tests.window_fixtures import settle

LEFT = Qt.MouseButton.LeftButton
CONTROL = Qt.KeyboardModifier.ControlModifier
CHECK, START = phrase("training.check_these_settings"), phrase("training.start_training")
SPLIT, SPLIT_AGAIN = phrase("training.split_and_go_on"), phrase("training.split_again")


class Driver:
    """`area`: what shows the step, as the page does."""

    step: Any

    def __init__(self, qtbot: QtBot, theme: Theme) -> None:
        self.qtbot, self.theme = qtbot, theme
        self.area = QScrollArea()

    def show(self, step: WizardStep, width: int = 1000, height: int = 900) -> None:
        self.step, self.area = step, make_scrollable(step)
        self.qtbot.addWidget(self.area)
        self.area.resize(width, height)
        self.area.show()
        self.area.activateWindow()
        QTest.qWaitForWindowActive(self.area)

    def enlarge(self, percent: int) -> None:
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        self.theme.apply(app, Settings(theme="light", text_scale_percent=percent))

    def click(self, button: QWidget) -> None:
        assert button.isVisible()
        assert button.isEnabled()
        QTest.mouseClick(button, LEFT)

    def press(self, widget: QWidget, key: Qt.Key, modifiers: Any = Qt.KeyboardModifier.NoModifier) -> None:
        QTest.keyClick(widget, key, modifiers)

    def until(self, condition: Callable[[], object], seconds: float = 30) -> None:
        self.qtbot.waitUntil(lambda: bool(condition()), timeout=round(seconds * 1000))

    def dialog(self, kind: type) -> Any:
        """The one that is open."""
        (found,) = [one for one in QApplication.topLevelWidgets() if isinstance(one, kind) and one.isVisible()]
        return found

    def act(self, name: str) -> None:
        """By the primary button of the foot, which is called so."""
        action = self.step.primary_action()
        assert offered(self.step) == name
        action.act()

    def assert_whole(self) -> None:
        """Nothing is cut off, wider than its place, or nameless for a screen reader."""
        settle()
        assert clipped(self.area) == []
        assert self.step.width() <= self.area.width()
        nodes = accessible.walk(self.area)
        assert [node for node in nodes if node.is_interactive and not node.name] == []


def offered(step: WizardStep) -> str:
    """The name of what the primary button of the foot does; "" if it leads to the next step."""
    action = step.primary_action()
    return action.name if action is not None else ""


def words(widget: QWidget) -> str:
    """What is seen, a line for each text."""
    return "\n".join(label.text() for label in widget.findChildren(QLabel) if label.isVisibleTo(widget))


def texts(buttons: Any) -> list[str]:
    """Of those that are shown."""
    return [button.text() for button in buttons if isinstance(button, QPushButton) and not button.isHidden()]


_made: list[DraftSplit] = []  # the same for all tests: it takes a moment, and nobody changes it


class Planned(Driver):
    """`models`: a small one, another, and one that is for searching. The first is the base."""

    def __init__(
        self,
        where: Paths,
        folder: Path,
        qtbot: QtBot,
        theme: Theme,
        trainer: Trainer | None = None,
        engine: EngineClient | None = None,
    ) -> None:
        super().__init__(qtbot, theme)
        self.where, self.folder = where, folder
        where.data.mkdir(parents=True, exist_ok=True)
        speed.save(where.data / speed.FILE_NAME, MachineSpeed(5.3e9, 3.1e11, 1e11, 2, 1.0))  # measuring takes seconds
        found = local_models.describe(models.tiny_llama(folder / "小.gguf"))
        self.models: tuple[LocalModel, ...] = (
            dataclasses.replace(found, id="small", name="小さいモデル"),
            dataclasses.replace(found, id="other", name="別のモデル"),
            dataclasses.replace(found, id="search", name="検索のモデル", architecture="modern-bert"),
        )
        self.work = DraftEditor(drafts.create(where.drafts, 1.0), where, lambda: self.models, lambda: trainer, engine)
        if not _made:
            _made.append(_frozen(folder / "分割"))
        data = DraftData("行.csv", _made[0].revision, 60)
        self.work.change(name="敬体", goal="style", base="small", data=data, frozen=_made[0])

    def wait(self) -> None:
        self.until(lambda: not self.work.is_busy)

    def show(self, step: WizardStep, *size: Any) -> None:
        """As the page does it."""
        self.work.changed.connect(step.show_draft)
        self.work.ended.connect(step.show_draft)
        super().show(step, *size)
        step.show_draft()


def _frozen(folder: Path) -> DraftSplit:
    texts = ((f"{n * 7919 % 10_007:x} の点検は", f"{n * 104_729 % 99_991:x} 年ごと") for n in range(60))
    rows = [
        TrainingRow(line, (RowMessage("user", question), RowMessage("assistant", answer)))
        for line, (question, answer) in enumerate(texts, 1)
    ]
    made = data_split.split_rows(rows)
    return DraftSplit.of_manifest(folder, 1, data_split.write_split(made, folder, {"name": "行.csv"}, LeakageReport()))


CLEAN = 30


class DataDriver(Driver):
    def __init__(self, scene: Scene, theme: Theme, model: LocalModel) -> None:
        super().__init__(scene.qtbot, theme)
        self.scene, self.where, self.model = scene, scene.where, model
        self.chosen = Path()  # what the file window gives
        self.collected: list[dict[str, Any]] = []  # the preference pairs of conversations
        scene.preferences.change(context_tokens=8192)
        self.documents = DocumentLibrary(
            self.where.documents, programs.reader_command(self.where.documents), self.where.logs
        )
        self.guard = ConfidentialityGuard(theme, self.where.exports_log)
        self.open(drafts.create(self.where.drafts, 1.0))

    def open(self, draft: TrainingDraft) -> None:
        """As the page does it."""
        of = self.scene
        self.generation = DraftPairGeneration(of.session, of.library, of.preferences, of.engine, self.where, of.engine)
        self.work = DraftEditor(draft, self.where, tuple, lambda: None, parent=of.engine)
        pickers = Pickers(open=lambda *_: str(self.chosen), save=lambda *_: str(self.chosen))
        step = DataStep(
            self.theme, NavigationSignals(), self.work, documents=self.documents, library=of.library,
            generation=self.generation, guard=self.guard, model_id=lambda: self.model.id, pickers=pickers,
            collect_pairs=lambda: self.collected,
        )  # fmt: skip
        self.work.changed.connect(lambda _draft: step.show_draft())
        self.work.ended.connect(step.show_draft)
        self.show(step, 1100, 640)

    def reopen(self) -> None:
        """After a restart."""
        self.generation.close()
        self.open(drafts.read(self.where.drafts, self.work.draft.id))

    def close(self) -> None:
        self.documents.close()

    # ---------------------------------------------------------------------- shown

    def tab(self, key: str) -> Any:
        """By a click."""
        if self.step.tabs.key != key:
            self.click(self.step.tabs.buttons[key])
        return self.step._stack.currentWidget()

    @property
    def counts(self) -> dict[str, str]:
        """Of the strip, as far as they are shown."""
        counts = self.step.strip.counts | self.step.strip.parts
        return {name: count.number.text() for name, count in counts.items() if not count.isHidden()}

    # ----------------------------------------------------------------------- acts

    def wait(self) -> None:
        self.until(lambda: not self.work.is_busy)

    def take(self, path: Path) -> None:
        self.step.sources.take_file(path)
        self.wait()

    def choose(self, box: Chooser, column: str) -> None:
        box.show_value(column)
        box.activated.emit(box.currentIndex())

    def split(self, name: str) -> None:
        self.act(name)
        self.wait()

    def collect(self, *sections: Any, label: Label = "internal") -> None:
        """Make a collection of documents with these sections."""
        library_of(self.where.documents, {"基準.md": sections}).close()
        library = Library.open_second(self.where.documents)
        library.set_label(library.collection("基準").id, label)
        library.close()
        self.until(lambda: self.documents.is_open)
        self.documents.check_for_changes()

    def ask(self, wanted: int = 10) -> Any:
        self.click(self.step.empty.pairs_button)
        dialog = self.dialog(GeneratePairsDialog)
        dialog.pair_count.setMinimum(1)
        dialog.pair_count.setValue(wanted)
        return dialog

    def make(self, wanted: int) -> None:
        self.ask(wanted).buttons["make"].click()

    def stop_after_one(self) -> None:
        self.generation.progressed.connect(lambda _id, one: self.generation.stop() if one.round.done == 1 else None)

    def answer(self, key: str) -> None:
        """The question about confidential documents."""
        self.until(lambda: self.guard.dialog is not None)
        assert not self.generation.is_running
        self.guard.dialog.buttons[key].click()  # type: ignore[union-attr]
        self.guard.dialog = None

    def until_taken(self) -> None:
        self.until(lambda: self.work.draft.data is not None and not self.work.is_busy)

    def banner(self) -> str:
        self.until(self.step.pairs.banner.isVisible)
        text: str = self.step.pairs.banner.accessibleName()
        return text


def table(folder: Path, more: str = "", name: str = "点検.csv") -> Path:
    """CLEAN rows without a flaw, in three groups, and `more`."""
    path = folder / name
    rows = (
        f"{n * 7919 % 10_007:x} の点検は何年ごとか,{n * 104_729 % 99_991:x} 年ごとに行う。,第{n % 3}章\n"
        for n in range(CLEAN)
    )
    path.write_bytes(("質問,回答,章\n" + "".join(rows) + more).encode("cp932"))
    return path


# A telephone number, remains of JSON, a line without a question, and the first row once more.
TROUBLED = (
    "担当はどこか,03-1234-5678 に電話する。,第1章\n"
    '期間は,"{""answer"": ""五年。""}",第1章\n'
    ",答えだけ。,第1章\n"
    "0 の点検は何年ごとか,0 年ごとに行う。,第0章\n"
)


QUOTE = "鍵は守衛室で受け取り、20時までに返す。"
PASSAGE = f"第3条 鍵\n{QUOTE}\n返すときは、返却簿に時刻を書く。\n第4条 照明\n退出するときは、照明を消す。"


def pair(number: int, answer: str = "20時までに返します。", quote: str = QUOTE, page: int = 3) -> CurationItem:
    evidence = RowEvidence(
        "利用規則.pdf", ("第1章 施設", "第3条 鍵"), page, quote, PASSAGE, "number", 3 if quote else None
    )
    return CurationItem(number, row(number, f"鍵は何時までに返しますか。（{number}）", answer), evidence=evidence)


def row(line: int, question: str, answer: str) -> TrainingRow:
    return TrainingRow(line, (RowMessage("user", question), RowMessage("assistant", answer)))


def file_items() -> list[CurationItem]:
    """Rows of a file: the second has a flaw, the third is like the first, the fifth ends a conversation."""
    said = (RowMessage("system", "敬体で答える。"), RowMessage("user", "こんにちは"), RowMessage("assistant", "はい。"))
    last = row(6, "照明はどうしますか。", "退出するときに消します。")
    return [
        CurationItem(1, row(2, "鍵はどこですか。", "守衛室です。")),
        CurationItem(2, row(3, "返却簿に何を書きますか。", "時刻を書き、"), ("unfinished",)),
        CurationItem(3, row(4, "鍵はどこですか。", "守衛室です。"), ("same_row",), like=1),
        CurationItem(4, row(5, "窓は閉めますか。", "閉めます。")),
        CurationItem(5, dataclasses.replace(last, messages=(*said, *last.messages))),
    ]


def make_work(folder: Path, items: Sequence[CurationItem]) -> DraftEditor:
    """With the rows opened already."""
    where = paths.locate(str(folder / "データ"))
    rows = where.drafts / "下書き" / "rows-1"
    curation.create(rows, items)
    draft = TrainingDraft("下書き", data=DraftData("組.jsonl", 0, len(items), folder=str(rows)))
    work = DraftEditor(draft, where, tuple, lambda: None)
    work.curation = Curation(rows)
    return work


class ReviewDriver(Driver):
    def __init__(self, work: DraftEditor, theme: Theme, qtbot: QtBot, width: int = 1168, height: int = 640) -> None:
        super().__init__(qtbot, theme)
        self.work, self.navigation = work, NavigationSignals()
        self.tab = ReviewTab(theme, work, self.navigation)
        self.editor, self.view, self.foot = self.tab.editor, self.tab.list.view, self.tab.foot
        self.area = make_scrollable(self.tab)  # as in the page
        qtbot.addWidget(self.area)
        self.area.resize(width, height)
        self.area.show()
        self.area.activateWindow()
        self.tab.focus_first()
        self.until(self.view.hasFocus)
        work.changed.connect(self.tab.show_rows)  # as the page does

    # ---------------------------------------------------------------------- shown

    @property
    def number(self) -> int:
        """Of the item that is shown."""
        assert self.tab.item is not None
        assert self.tab.item is self.editor.item
        return self.tab.item.number

    @property
    def amount(self) -> str:
        return self.tab.list.amount.text()

    @property
    def answer(self) -> str:
        return self.editor.texts[1]

    @property
    def curation(self) -> Curation:
        assert self.work.curation is not None
        return self.work.curation

    def states(self, *numbers: int) -> list[str]:
        return [self.curation.state_of(self.curation.items[number - 1]) for number in numbers]

    def shown(self) -> list[int]:
        """Numbers of the items that the list shows."""
        items = self.tab.items
        return [items.index(place).data(ItemRole).number for place in range(items.rowCount())]

    def spoken(self, number: int) -> str:
        """What a screen reader says of it."""
        text: str = self.tab.items.index_of(number).data(Qt.ItemDataRole.AccessibleTextRole)
        return text

    # ----------------------------------------------------------------------- acts

    def decide(self, keys: str) -> None:
        """By keys in the list."""
        assert self.view.hasFocus()
        QTest.keyClicks(self.view, keys)

    def undo(self) -> None:
        self.press(self.view, Qt.Key.Key_Z, CONTROL)

    def edit(self, text: str, *, keeps: bool = True) -> None:
        """Type in place of the answer. `keeps`: with Ctrl+Enter at the end."""
        if self.view.hasFocus():
            self.decide("e")
        assert self.editor.answer.hasFocus()
        self.editor.answer.selectAll()
        self.editor.answer.insertPlainText(text)
        if keeps:
            self.press(self.editor.answer, Qt.Key.Key_Return, CONTROL)

    def filter(self, key: str) -> None:
        button = self.tab.list.filters[key]
        self.click(button)
        assert button.isChecked()
        self.view.setFocus()
