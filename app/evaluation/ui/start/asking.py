"""Which questions, who judges the answers, and, folded, how all systems are asked."""

from typing import Any

from PySide6.QtWidgets import QCheckBox, QLineEdit

from app.evaluation.study.planning import MAX_TOKENS, Asking
from app.evaluation.ui.start import rules, words
from app.evaluation.ui.start.part import Combo, Offer, Part, number
from app.uikit.language import joined, noted
from app.uikit.theme import Theme

LIMIT_MOST = 100_000  # questions
TOKENS_MOST, CONTEXT_MOST = 8192, 131_072
SEEDS_MOST = 100
NAME_LETTERS = 60


class QuestionsPart(Part):
    def __init__(self, theme: Theme, offer: Offer, chosen: str) -> None:
        """`chosen`: the set that is asked for; "": none."""
        super().__init__(theme)
        self._sets = offer.sets
        self._wanted: str | None = chosen or None  # None: nobody has chosen; "": none of the sets
        self._shipped = 0
        self._kind = ""
        self.set = Combo()
        self.limit = number((1, LIMIT_MOST), (self.tr("すべて"), None), self.changed.emit, unit=self.tr(" 問"), step=10)
        self._add(self.tr("質問集"), self.set)
        self._add(self.tr("最初の N 問だけ"), self.limit, self.tr("短い時間で試すときに使います。"))
        self.set.changed.connect(self._on_chosen)

    def show_kind(self, kind: str) -> None:
        """`kind`: one of `rules.KINDS`."""
        self._kind = kind
        self._offer()

    def show_shipped(self, count: int) -> None:
        """How many questions come with the program."""
        self._shipped = count
        self._offer()

    def wish(self) -> dict[str, Any]:
        limit = self.limit.number()
        return {"question_set": self.set.value or "", "limit": int(limit) if limit is not None else None}

    def _offer(self) -> None:
        kept = [(noted(one.name, words.questions(one.newest.count)), one.name) for one in self._sets]
        none = {
            "models": [(noted(self.tr("付属の質問"), self._general()), "")],
            "quantizations": [(noted(self.tr("付属の質問"), self._general()), "")],
            "scale": [(self.tr("使わない（取り分けたデータで判定）"), "")],
        }.get(self._kind, [])
        first = kept[0][1] if kept and self._kind != "scale" else ""
        self.set.offer([*kept, *none], first if self._wanted is None else self._wanted)
        self._show_limit()

    def _show_limit(self) -> None:
        self.rows[1].setVisible(self._kind != "scale" or bool(self.set.value))

    def _on_chosen(self) -> None:
        self._wanted = self.set.value
        self._show_limit()
        self.changed.emit()

    def _general(self) -> str:
        count = words.questions(self._shipped) if self._shipped else ""
        return joined(self.tr("一般の質問"), count)


class JudgePart(Part):
    def __init__(self, theme: Theme, offer: Offer) -> None:
        super().__init__(theme)
        self.judge = Combo()
        self._add(
            self.tr("採点モデル"),
            self.judge,
            self.tr(
                "回答を模範解答と比べ、0〜3 点を付けます。8B 未満のモデルの採点は、当てにならないことがあります。"
                "人の採点との一致は、結果の「ブラインド比較」で確かめられます。"
            ),
        )
        choices: list[tuple[str, Any]] = [(self.tr("なし（規則だけで採点）"), None)]
        choices += [(offer.name(model), model) for model in rules.answering(offer.models) if not model.adapter]
        self.judge.offer(choices, None)
        self.judge.changed.connect(self.changed)

    def wish(self) -> dict[str, Any]:
        return {"judge": self.judge.value}


class ExpertPart(Part):
    """Of what is left to the default, nothing need be said. Fields of an Asking."""

    def __init__(self, theme: Theme, offer: Offer) -> None:
        super().__init__(theme)
        self._context_tokens = offer.context_tokens
        self._default_name = ""
        self.name = QLineEdit()
        self.name.setMaxLength(NAME_LETTERS)
        tokens, times = self.tr(" トークン"), self.tr(" 回")
        default = f"{offer.context_tokens:,}{tokens}"
        self.max_tokens = number(
            (16, TOKENS_MOST), (f"{MAX_TOKENS:,}{tokens}", MAX_TOKENS), self.changed.emit, unit=tokens, step=64
        )
        self.context = number(
            (512, CONTEXT_MOST), (default, offer.context_tokens), self.changed.emit, unit=tokens, step=512
        )
        self.seeds = number((1, SEEDS_MOST), (self.tr("1 回"), 1), self.changed.emit, unit=times)
        self.temperature = number((0, 5), (self.tr("自動"), None), self.changed.emit, step=0.1, decimals=2)
        self.preset = Combo()
        self.pairs = QCheckBox(self.tr("採点モデルに、2 つの回答を並べて見比べさせる"))
        self._build()
        self.preset.offer([(words.judge_preset(one), one) for one in words.JUDGE_PRESETS], words.JUDGE_PRESETS[0])
        self.name.textChanged.connect(self.changed)
        self.preset.changed.connect(self.changed)
        self.pairs.toggled.connect(self.changed)

    def show_for(self, kind: str, *, has_judge: bool) -> None:
        """Only what the kind leaves open, and of the judge only where there is one."""
        for row in self.rows:
            is_open = kind != "scale" or row not in self._open
            row.setVisible(is_open and (has_judge or row not in self._of_judge))

    def show_name(self, name: str) -> None:
        """`name`: what it is called where nobody gives one."""
        self._default_name = name
        self.name.setPlaceholderText(name)

    def wish(self) -> dict[str, Any]:
        """Of an Asking."""
        seeds = self.seeds.number()
        return {
            "name": self.name.text().strip() or self._default_name,
            "max_tokens": int(self.max_tokens.number() or MAX_TOKENS),
            "context_tokens": int(self.context.number() or self._context_tokens),
            "seeds": int(seeds) if seeds is not None else 1,
            "temperature": self.temperature.number(),
            "judge_preset": self.preset.value,
            "has_pairs": self.pairs.isChecked(),
        }

    def _build(self) -> None:
        self._add(self.tr("名前"), self.name)
        self._open = [
            self._add(
                self.tr("回答の長さ"),
                self.max_tokens,
                self.tr("この長さで回答を打ち切ります。1 トークンは 1〜2 文字です。"),
            ),
            self._add(self.tr("文脈"), self.context, self.tr("資料と質問と回答を合わせた長さの上限です。")),
            self._add(
                self.tr("尋ねる回数"),
                self.seeds,
                self.tr("同じ質問を何回尋ねるかです。増やすと、回答のばらつきも分かります。"),
            ),
            self._add(
                self.tr("温度"),
                self.temperature,
                self.tr("自動では、1 回なら 0（毎回同じ回答）、2 回以上ならモデルの推奨値にします。"),
            ),
        ]
        self._of_judge = [self._add(self.tr("採点のしかた"), self.preset)]
        pairs = self._add(self.tr("見比べ"), self.pairs, self.tr("採点にかかる時間が増えます。"))
        self._of_judge.append(pairs)
        self._open.append(pairs)


def asking(judge: JudgePart, expert: ExpertPart, kind: str, *, has_questions: bool) -> Asking:
    """`has_questions`: a scale study may ask none, and then nobody judges."""
    said = expert.wish() | judge.wish()
    if not has_questions:
        said["judge"] = None
    if said["judge"] is None:
        said["has_pairs"] = False
    if kind == "scale":  # answers are the likeliest ones, once
        said |= {"seeds": 1, "temperature": None, "has_pairs": False}
    return Asking(**said)
