"""The step of the data as a person meets it, with everything under it."""

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget

from app.base import programs
from app.documents.services.document_library import DocumentLibrary
from app.inference import child_commands
from app.inference.local_model import LocalModel
from app.training import drafts
from app.training.drafts import TrainingDraft
from app.training.services.draft_editor import DraftEditor
from app.training.services.draft_pairs import DraftPairGeneration
from app.training.ui.data.columns_tab import ColumnsTab
from app.training.ui.data.data_step import DataStep
from app.training.ui.data.lengths_tab import LengthsTab
from app.training.ui.data.problems_tab import ProblemsTab
from app.training.ui.data.split_tab import SplitTab
from app.uikit.confidentiality_guard import ConfidentialityGuard
from app.uikit.desktop import Pickers
from app.uikit.page import Navigation
from app.uikit.theme import Theme
from tests.scene import Scene

CLEAN = 30


class Desk:
    def __init__(self, scene: Scene, theme: Theme, model: LocalModel) -> None:
        self.scene, self.where, self.model = scene, scene.where, model
        self.chosen = Path()  # what the file window gives
        scene.preferences.change(context_tokens=8192)
        self.documents = DocumentLibrary(
            self.where.documents, programs.reader_command(self.where.documents), self.where.logs
        )
        self.making = self.pair_making()
        self.secrecy = ConfidentialityGuard(theme, self.where.exports_log)
        self.theme, self.navigation = theme, Navigation()
        self.work = self.draft(drafts.create(self.where.drafts, 1.0))
        self.step = self.shown(self.work)

    def pair_making(self) -> DraftPairGeneration:
        of = self.scene
        return DraftPairGeneration(
            of.session, of.library, of.preferences, of.engine, child_commands.template(), self.where, of.engine
        )  # fmt: skip

    def draft(self, draft: TrainingDraft) -> DraftEditor:
        return DraftEditor(draft, self.where, tuple, lambda: None, parent=self.scene.engine)

    def shown(self, work: DraftEditor) -> DataStep:
        """As the page does it."""
        pickers = Pickers(open=lambda *_: str(self.chosen))
        step = DataStep(
            self.theme, self.navigation, work, documents=self.documents, library=self.scene.library,
            making=self.making, secrecy=self.secrecy, model_id=lambda: self.model.id, pickers=pickers,
        )  # fmt: skip
        self.scene.qtbot.addWidget(step)
        work.changed.connect(lambda _draft: step.show_draft())
        work.ended.connect(step.show_draft)
        step.resize(1100, 640)
        step.show()
        self.scene.qtbot.waitExposed(step)
        return step

    def reopened(self) -> DataStep:
        """After a restart."""
        self.making.close()
        self.making = self.pair_making()
        self.work = self.draft(drafts.read(self.where.drafts, self.work.draft.id))
        self.step = self.shown(self.work)
        return self.step

    # --------------------------------------------------------------------- parts

    @property
    def columns(self) -> ColumnsTab:
        tab = self.tab("columns")
        assert isinstance(tab, ColumnsTab)
        return tab

    @property
    def problems(self) -> ProblemsTab:
        tab = self.tab("problems")
        assert isinstance(tab, ProblemsTab)
        return tab

    @property
    def lengths(self) -> LengthsTab:
        tab = self.tab("lengths")
        assert isinstance(tab, LengthsTab)
        return tab

    @property
    def split(self) -> SplitTab:
        tab = self.tab("split")
        assert isinstance(tab, SplitTab)
        return tab

    def tab(self, key: str) -> QWidget:
        """Shown, by a click."""
        if self.step.tabs.key != key:
            self.click(self.step.tabs.buttons[key])
        found = self.step._stack.currentWidget()
        assert found is not None
        return found

    @property
    def counts(self) -> dict[str, str]:
        """Of the strip, as far as they are shown."""
        strip = self.step.strip
        names = ("total", "used", "duplicates", "flawed", "undecided", "rejected", "unusable", "train", "validation")
        counts = {name: getattr(strip, name) for name in names}
        return {name: count.number.text() for name, count in counts.items() if not count.isHidden()}

    # --------------------------------------------------------------------- deeds

    def wait(self, condition: Callable[[], object]) -> None:
        self.scene.qtbot.waitUntil(lambda: bool(condition()), timeout=30_000)

    def done(self) -> None:
        self.wait(lambda: not self.work.is_busy)

    def click(self, button: QWidget) -> None:
        assert button.isVisible()
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)

    def take(self, path: Path) -> None:
        self.step.sources.take_file(path)
        self.done()

    def dialog(self, kind: type) -> object:
        self.wait(lambda: isinstance(self.step.sources.dialog, kind))
        return self.step.sources.dialog

    def close(self) -> None:
        self.documents.close()


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
