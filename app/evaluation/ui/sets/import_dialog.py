"""A file of questions, read: what was taken as what, and which rows are no questions, before anything is stored."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from PySide6.QtWidgets import QWidget

from app.base.files.file_names import safe_name
from app.base.wording import phrase
from app.evaluation.question_files import QuestionFile
from app.evaluation.question_sets import KeptSet
from app.evaluation.ui.sets import words
from app.evaluation.ui.sets.take_dialog import Part, TakeDialog, Taken, some
from app.training.data.records import short
from app.uikit.language import joined
from app.uikit.theme import Theme

EXAMPLES = 3


class ImportDialog(TakeDialog):
    def __init__(
        self, theme: Theme, folder: Path, sets: Sequence[KeptSet], found: QuestionFile, parent: QWidget
    ) -> None:
        name = safe_name(Path(found.name).stem.replace("@", "_"), self.tr("新しい質問集"))
        taken = Taken(name, found.questions, found.label, found.name)
        super().__init__(theme, folder, sets, taken, list(self._parts(found)), parent)
        sheet = self.tr("シート「{sheet}」").format(sheet=short(found.sheet)) if found.sheet else ""
        title = self.tr("{n} 問を取り込みますか").format(n=f"{len(found.questions):,}")
        self.set_words(title, joined(found.name, sheet), self.tr("取り込む"))

    def _parts(self, found: QuestionFile) -> Iterator[Part]:
        yield self._skipped(found)
        yield Part(self.tr("列の対応"), facts=words.mapping(found.columns))
        unused = phrase("data_gap").join(map(short, found.columns.unused[: words.SHOWN_ROWS]))
        yield Part(self.tr("使わない列"), unused)
        yield Part(self.tr("はじめの問い"), some(found.questions, EXAMPLES))
        yield Part(self.tr("確かめてください"), "\n".join(self._doubts(found)), tone="warning")
        lines = words.lines([words.renamed(*pair) for pair in found.renamed], self.tr("ほか {n} 件"))
        yield Part(self.tr("付け替えた ID"), lines)
        sheets = phrase("data_gap").join(map(short, found.other_sheets))
        yield Part(self.tr("読まなかったシート"), sheets)

    def _skipped(self, found: QuestionFile) -> Part:
        rows = [words.bad_row(row) for row in found.skipped]
        title = self.tr("▲ 問いにできない {n} 行は取り込みません").format(n=f"{len(rows):,}")
        return Part(title, words.lines(rows, self.tr("ほか {n} 行")), tone="warning")

    def _doubts(self, found: QuestionFile) -> Iterator[str]:
        doubts = [words.doubt(row) for row in found.doubts if row.code != "not_scored"]
        if doubts:
            yield words.lines(doubts, self.tr("ほか {n} か所"))
        if not_scored := words.not_scored(found.questions):
            yield not_scored
        repeated = len(found.questions) - len({one.text for one in found.questions})
        if repeated:
            yield self.tr("同じ文の問いが {n} 問重なっています。").format(n=f"{repeated:,}")
        if found.blank:
            yield self.tr("空の行 {n} 行は数えていません。").format(n=f"{found.blank:,}")
