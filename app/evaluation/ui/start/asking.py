"""Which questions, who judges the answers, and, folded, how all systems are asked."""

from typing import Any

from PySide6.QtWidgets import QCheckBox, QLineEdit

from app.base.wording import phrase
from app.evaluation.study.planning import MAX_TOKENS, Asking
from app.evaluation.ui.start import rules, words
from app.evaluation.ui.start.part import Combo, Offer, Part, number
from app.uikit.localization import join_facts, with_note
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
        self.limit = number(
            (1, LIMIT_MOST),
            (phrase("common.all"), None),
            self.changed.emit,
            unit=phrase("evaluation.questions_2"),
            step=10,
        )
        self._add(phrase("evaluation.question_set"), self.set)
        self._add(phrase("evaluation.only_the_first_n_questions"), self.limit, phrase("evaluation.for_a_quick_try"))
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
        kept = [(with_note(one.name, words.questions(one.newest.count)), one.name) for one in self._sets]
        none = {
            "models": [(with_note(phrase("evaluation.questions_that_come_with_kotae"), self._general()), "")],
            "quantizations": [(with_note(phrase("evaluation.questions_that_come_with_kotae"), self._general()), "")],
            "scale": [(phrase("evaluation.none_judged_by_the_hold"), "")],
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
        return join_facts(phrase("evaluation.general_questions"), count)


class JudgePart(Part):
    def __init__(self, theme: Theme, offer: Offer) -> None:
        super().__init__(theme)
        self.judge = Combo()
        self._add(
            phrase("evaluation.judge"),
            self.judge,
            phrase("evaluation.compares_answers_with_the_references"),
        )
        choices: list[tuple[str, Any]] = [(phrase("evaluation.none_scored_by_rules_alone"), None)]
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
        tokens, times = phrase("evaluation.tokens"), phrase("evaluation.times")
        default = f"{offer.context_tokens:,}{tokens}"
        self.max_tokens = number(
            (16, TOKENS_MOST), (f"{MAX_TOKENS:,}{tokens}", MAX_TOKENS), self.changed.emit, unit=tokens, step=64
        )
        self.context = number(
            (512, CONTEXT_MOST), (default, offer.context_tokens), self.changed.emit, unit=tokens, step=512
        )
        self.seeds = number((1, SEEDS_MOST), (phrase("evaluation.once"), 1), self.changed.emit, unit=times)
        self.temperature = number((0, 5), (phrase("common.automatic"), None), self.changed.emit, step=0.1, decimals=2)
        self.preset = Combo()
        self.pairs = QCheckBox(phrase("evaluation.let_the_judge_also_compare"))
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
        self._add(phrase("common.name"), self.name)
        self._open = [
            self._add(
                phrase("evaluation.answer_length"),
                self.max_tokens,
                phrase("evaluation.answers_are_cut_off_at"),
            ),
            self._add(phrase("common.context"), self.context, phrase("evaluation.the_most_that_documents_question")),
            self._add(
                phrase("evaluation.times_each_is_asked"),
                self.seeds,
                phrase("evaluation.how_often_the_same_question"),
            ),
            self._add(
                phrase("common.temperature"),
                self.temperature,
                phrase("evaluation.automatic_0_always_the_same"),
            ),
        ]
        self._of_judge = [self._add(phrase("evaluation.way_of_judging"), self.preset)]
        pairs = self._add(phrase("evaluation.pairs"), self.pairs, phrase("evaluation.judging_takes_longer"))
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
