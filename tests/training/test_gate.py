"""The verdict on a training run: one row for each reason, what is proposed, and how sure a difference is."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.base import bootstrap, wording
from app.inference import scoring_files
from app.inference.scoring_files import AnswerScore, ExampleScore, HeldOutChat, HeldOutExample, Holdout, Scores
from app.training import quality_gate, run_result
from app.training.quality_gate import BASE, BASE_ADAPTER, F16_ADAPTER, MERGED_F16, SHIPPED, GateResult
from tests.inference.engine import held_out
from tests.training.driver import code_of

COUNT, TOKENS = 40, 10
GB = 10**9
SIZES = {
    BASE: 50,
    SHIPPED: 51,
    BASE_ADAPTER: 51,
    F16_ADAPTER: 161,
    MERGED_F16: 160,
    "Q8_0": 80,
    "Q4_K_M": 50,
}  # tenths of a GB
# Nats a token of each form in a run where all went well.
WELL = {BASE: 2.0, BASE_ADAPTER: 1.06, F16_ADAPTER: 1.0, MERGED_F16: 1.0, "Q8_0": 1.001, "Q4_K_M": 1.1}


def scored(
    nll: float, *, apart: float = 0.01, ended: int = 20, text: str = "橋脚のかぶりは百ミリです。", same: bool = True
) -> Scores:
    """`ended`: of 20 answers, those that ended by themselves."""
    noise = np.random.default_rng(1).normal(0, 0.1, COUNT)  # the same in all forms: they are paired
    each = (TOKENS * (nll + noise[at]) for at in range(COUNT))
    examples = tuple(ExampleScore(at, TOKENS, float(one), TOKENS * apart, 9) for at, one in enumerate(each, start=1))
    answers = tuple(AnswerScore(at + 1, "問い", text, "end" if at < ended else "limit", 12) for at in range(20))
    return Scores(examples, answers, (same,) * 20, ("橋脚のかぶりは百ミリである。",) * 20, 10.0)


def measured(**other: object) -> dict[str, Scores]:
    """`other`: fields of `scored` for all forms."""
    return sized({form: scored(nll, **other) for form, nll in WELL.items()})


def changed(**fields: object) -> dict[str, Scores]:
    """What was measured of a run where all went well, but for these fields of each form."""
    return {form: replace(found, **fields) for form, found in measured().items()}


def sized(found: dict[str, Scores]) -> dict[str, Scores]:
    """A form takes a GB more in memory than on the drive."""
    tenth = GB // 10
    return {
        form: replace(one, size_bytes=SIZES[form] * tenth, memory_bytes=(SIZES[form] + 10) * tenth)
        for form, one in found.items()
    }


def holdout(count: int = COUNT, trained: float = 0.99, base: float = 2.0) -> Holdout:
    """`trained` and `base`: nats a token in training precision."""
    ids, labels = tuple(range(TOKENS + 1)), (-100, *range(1, TOKENS + 1))
    examples = tuple(HeldOutExample(at + 1, ids, labels, TOKENS * base, TOKENS * trained) for at in range(count))
    return Holdout(examples, (HeldOutChat(({"role": "user", "content": "問い"},), (1, 2)),), (2,), "nf4")


def judged(found: dict[str, Scores], *, kept: Holdout | None = None, available: int = 10 * GB) -> GateResult:
    return quality_gate.judge(kept or holdout(), sized(found), available)


def test_a_run_that_went_well_is_adopted_in_the_best_form_that_fits() -> None:
    found = judged(measured())
    assert (found.verdict, found.proposed, found.reasons) == ("adopt", "Q8_0", ())
    assert (found.chats_equal, found.chats) == (20, 20)
    assert found.adapter_nll == pytest.approx(0.99)
    row = found.row("Q8_0")
    assert row.change.is_better
    assert row.loss_nats == pytest.approx(0.001)
    assert found.row("Q4_K_M").loss_nats == pytest.approx(0.1)  # shown, though it is not the one proposed
    assert found.row(BASE).change is None


LOOP, ENGLISH = "同じ文の繰り返しです。" * 5, "I am sorry, but I can only answer in English."
CASES = {
    "form_worse": ("reject", measured() | dict.fromkeys(("Q8_0", BASE_ADAPTER, "Q4_K_M"), scored(2.2))),
    "ids_differ": ("reject", measured(same=False)),
    "merge_differs": ("reject", measured() | {MERGED_F16: scored(1.3)}),
    "ends_seldom": ("check", measured(ended=18) | {BASE: scored(2.0)}),
    "ends_seldom_yet": ("check", measured(ended=18) | {BASE: scored(2.0, ended=0)}),
    "looping": ("reject", measured(text=LOOP) | {BASE: scored(2.0)}),
    "looping_yet": ("reject", measured(text=LOOP)),
    "not_japanese": ("reject", measured(text=ENGLISH) | {BASE: scored(2.0)}),
    "not_japanese_yet": ("reject", measured(text=ENGLISH)),
    "shipped_worse": ("reject", measured() | {SHIPPED: scored(0.9)}),
    "not_answered": ("check", changed(answers=())),
    "ids_unchecked": ("check", changed(same_ids=())),
}


@pytest.mark.parametrize("code", CASES)
def test_each_reason_leads_to_its_verdict(code: str) -> None:
    verdict, found = CASES[code]
    result = judged(found)
    assert result.verdict == verdict
    reason = next(reason for reason in result.reasons if reason.code == code)
    assert reason.level == verdict
    assert set(reason.facts) == set(quality_gate.REASON_FACTS[code])
    assert code != "merge_differs" or reason.facts["loss_nats"] == pytest.approx(0.3)
    assert "?" not in quality_gate.reason_text(reason)


def test_answers_without_an_end_empty_or_half_japanese_ones_are_told_by_their_share() -> None:
    assert judged(measured(ended=5)).verdict == "reject"  # at most 47 % of all would end
    assert judged(measured(ended=19)).verdict == "adopt"  # 95 %
    some = scored(1.0)
    half = tuple(replace(one, answer="" if at % 2 else one.answer) for at, one in enumerate(some.answers))
    found = judged(changed(answers=half))
    assert codes(found) == [("ends_seldom_yet", "check")]
    result = judged(measured(text="橋脚のかぶりは cover です。"))
    assert [(reason.code, reason.level) for reason in result.reasons] == [("not_japanese_yet", "check")]


def test_few_answers_reject_a_better_model_only_when_more_could_not_save_it() -> None:
    """Of 20 answers: 9 that end may be 66 % of all, 5 at most 47 %; 9 loops may be 26 %, 11 at least 34 %."""
    base = {BASE: scored(2.0, ended=0, text=LOOP)}
    some = scored(1.0)

    def looping(count: int) -> GateResult:
        return judged(changed(answers=with_loops(some, count)) | base)

    assert [judged(measured(ended=ended) | base).verdict for ended in (9, 5)] == ["check", "reject"]
    assert [looping(count).verdict for count in (9, 11)] == ["check", "reject"]
    unlike = {BASE: scored(2.0, ended=20)}  # made worse by the training: no doubt is left in its favour
    assert judged(measured(ended=9) | unlike).verdict == "reject"
    assert judged(changed(answers=with_loops(some, 9)) | unlike).verdict == "reject"


def test_answers_of_one_group_and_those_of_no_known_line_count_as_one() -> None:
    """Of 20 answers 5 end, at most 47 % of all; as one answer they may be up to 84 %."""
    few = measured(ended=5) | {BASE: scored(2.0, ended=0)}
    apart, alike = ([f"節 {at % parts}" for at in range(COUNT)] for parts in (COUNT, 1))
    unknown = {form: replace(found, answers=without_lines(found)) for form, found in few.items()}
    for found, groups, level in ((few, apart, "reject"), (few, alike, "check"), (unknown, apart, "check")):
        result = quality_gate.judge(holdout(), found, 10 * GB, groups)
        assert [reason.level for reason in result.reasons if reason.code == "ends_seldom_yet"] == [level]


@pytest.mark.parametrize(
    ("apart", "verdict", "answered"),
    [(0.01, "check", BASE_ADAPTER), (0.05, "adopt", "Q8_0")],
)
def test_a_form_of_equal_predictions_does_not_pass_the_test_by_answering_again(
    apart: float, verdict: str, answered: str
) -> None:
    """Of the adapter's answers on the base's file 18 of 20 end, of those of the form to use all."""
    few = scored(1.06, apart=apart, ended=18)
    result = judged(measured() | {BASE_ADAPTER: few})
    assert (result.proposed, result.verdict, result.answered) == ("Q8_0", verdict, answered)
    ended = [one.tuned_ended_by for one in result.answers]
    assert ended.count("limit") == (2 if answered == BASE_ADAPTER else 0)
    [share] = [one.facts["share"] for one in run_result.conditions(result) if one.code == "ended"]
    assert share == ended.count("end") / 20
    smaller = judged(measured() | {BASE_ADAPTER: few}, available=int(6.05 * GB))
    assert (smaller.proposed, smaller.answered) == ("Q4_K_M", answered.replace("Q8_0", "Q4_K_M"))


def without_lines(scores: Scores) -> tuple[AnswerScore, ...]:
    """As where the prompt of the engine is not that of the training."""
    return tuple(replace(one, line=0) for one in scores.answers)


def with_loops(scores: Scores, count: int) -> tuple[AnswerScore, ...]:
    return tuple(replace(one, answer=LOOP if at < count else one.answer) for at, one in enumerate(scores.answers))


def test_a_short_training_is_told_to_be_longer_and_what_the_base_did() -> None:
    """The base loops always and never ends; after some steps half of the answers are well."""
    found = judged(changed(answers=with_loops(scored(1.0, ended=11), 9)) | {BASE: scored(2.0, ended=0, text=LOOP)})
    assert sorted(reason.code for reason in found.reasons) == ["ends_seldom_yet", "looping_yet"]
    told = " ".join(map(quality_gate.reason_text, found.reasons))
    assert "まだ 45\u00a0% あります（元のモデルでは 100\u00a0%）" in told
    assert "55\u00a0% で、まだ足りません（元のモデルでは 0\u00a0%" in told
    assert told.count("「軽い」で学習したときは、「標準」にしてください") == 2
    assert "--" not in told
    assert "減らす" not in told
    worse = judged(measured(text=LOOP) | {BASE: scored(2.0)})
    assert "学習の回数か学習率を減らす" in quality_gate.reason_text(worse.reasons[0])


@pytest.mark.parametrize(("shipped", "code"), [(2.0, ""), (0.9, "shipped_worse")])
def test_it_is_compared_with_what_answered_before_it(shipped: float, code: str) -> None:
    found = judged(measured() | {SHIPPED: scored(shipped)})
    assert codes(found) == ([(code, "reject")] if code else [])
    assert [row.form for row in found.forms][:3] == [BASE, SHIPPED, BASE_ADAPTER]
    assert found.proposed == "Q8_0"  # never the one that is there already
    assert found.change_from_shipped.mean == pytest.approx(1.001 - shipped)
    row = found.row(SHIPPED)
    assert (row.loss_nats, row.divergence) == (None, None)


def test_a_result_that_may_be_no_better_than_the_shipped_adapter_is_to_be_checked() -> None:
    found = judged(measured() | {SHIPPED: shaken(1.001)})
    assert codes(found) == [("shipped_unproven", "check")]
    assert judged(measured()).change_from_shipped is None


def codes(found: GateResult) -> list[tuple[str, str]]:
    return [(reason.code, reason.level) for reason in found.reasons]


def shaken(nll: float) -> Scores:
    noise = np.random.default_rng(3).normal(0, 3, COUNT)
    found = scored(nll)
    return replace(
        found, examples=tuple(replace(one, nll=one.nll + noise[at]) for at, one in enumerate(found.examples))
    )


@pytest.mark.parametrize(
    ("base", "code", "verdict"), [(0.99, "unproven", "check"), (0.9, "worse", "reject"), (2.0, "", "adopt")]
)
def test_a_finer_precision_than_the_bases_is_no_gain_of_training(base: float, code: str, verdict: str) -> None:
    found = judged(measured(), kept=holdout(base=base))
    assert found.row("Q8_0").change.is_better
    assert (found.verdict, codes(found)) == (verdict, [(code, verdict)] if code else [])
    assert found.change.mean == pytest.approx(0.99 - base)


def test_where_the_trainer_said_nothing_the_base_is_compared_with_and_without_the_adapter() -> None:
    unknown = holdout(trained=math.nan)
    assert judged(measured(), kept=unknown).change.mean == pytest.approx(1.06 - 2.0)
    same = judged(measured() | {BASE_ADAPTER: scored(2.0)}, kept=unknown)
    assert codes(same) == [("unproven", "check")]


def test_a_form_that_may_be_no_better_than_the_base_is_to_be_checked() -> None:
    found = measured() | dict.fromkeys(("Q8_0", BASE_ADAPTER, "Q4_K_M"), shaken(1.999))
    assert ("form_unproven", "check") in codes(judged(found))
    told = codes(judged(found, kept=holdout(base=0.99)))
    assert ("unproven", "check") in told
    assert ("form_unproven", "check") not in told  # said already
    worse = measured() | dict.fromkeys(("Q8_0", BASE_ADAPTER, "Q4_K_M"), scored(2.2))
    assert codes(judged(worse, kept=holdout(base=0.99)))[0] == ("form_worse", "reject")


def test_a_gain_that_all_lines_prove_and_the_form_keeps_needs_no_proof_by_a_sample() -> None:
    noisy = shaken(1.9)
    found = {BASE: scored(2.0), BASE_ADAPTER: noisy}
    trained = 2.0 + noisy.nll - found[BASE].nll  # the engine finds the gain of training
    assert codes(judged(found, kept=holdout(trained=trained))) == [("form_unproven", "check")]
    assert codes(judged(found, kept=holdout(10 * COUNT, trained=trained))) == []
    assert codes(judged(found, kept=holdout(10 * COUNT, trained=trained - 0.3))) == [("export_differs", "reject")]


@pytest.mark.parametrize(("trained", "level"), [(0.99, ""), (0.95, "check"), (0.7, "reject"), (math.nan, "")])
def test_a_model_that_is_another_after_the_export_is_told(trained: float, level: str) -> None:
    result = judged(measured(), kept=holdout(trained=trained))
    assert [reason.level for reason in result.reasons if reason.code == "export_differs"] == ([level] if level else [])


@pytest.mark.parametrize(
    ("groups", "count"),
    [(["節"] * COUNT, 1), ([f"節 {at % 4}" for at in range(COUNT)], 4), ([f"節 {at % 19}" for at in range(COUNT)], 19)],
)
def test_rows_of_one_group_count_once_and_a_few_prove_nothing(groups: list[str], count: int) -> None:
    for kept in (holdout(), holdout(base=0.9)):  # better, and worse
        found = quality_gate.judge(kept, measured(), 10 * GB, groups)
        assert [reason.facts["count"] for reason in found.reasons if reason.code == "few_examples"] == [count]
        if count < bootstrap.LEAST_UNITS:
            assert (found.verdict, "unproven" in dict(codes(found))) == ("check", True)
            text = next(quality_gate.reason_text(one) for one in found.reasons if one.code == "unproven")
            assert f"{count} 件では 95 % 区間を出せません" in text


def test_a_gain_that_is_not_proven_tells_how_many_questions_would_prove_it() -> None:
    found = judged(measured() | {SHIPPED: shaken(1.05)})
    [reason] = found.reasons
    change = found.change_from_shipped
    assert reason.code == "shipped_unproven"
    times = ((change.high - change.low) / 2 / change.mean) ** 2
    assert reason.facts["needed"] == pytest.approx(COUNT * times, rel=0.06)
    assert f"約 {reason.facts['needed']:,} 件あれば言い切れます" in quality_gate.reason_text(reason)
    for other in (replace(change, mean=0.1), replace(change, units=4), replace(change, mean=-1e-4)):
        assert quality_gate.change_facts(other)["needed"] == 0  # worse, too few, or far too many


def test_groups_that_nobody_knows_are_told_and_reasons_to_reject_come_first() -> None:
    assert codes(quality_gate.judge(holdout(), measured(), 10 * GB, None)) == [("groups_unknown", "check")]
    result = judged(measured(ended=18, same=False))
    assert [reason.code for reason in result.reasons] == ["ids_differ", "ends_seldom_yet"]
    assert result.verdict == "reject"
    found = judged(measured())
    first = found.answers[0]
    assert (first.question, first.reference) == ("問い", "橋脚のかぶりは百ミリである。")
    assert first.change_nats == pytest.approx(1.06 - 2.0)  # of the form that answered


@pytest.mark.parametrize(
    ("available", "proposed", "codes"),
    [
        (20 * GB, "Q8_0", []),  # f16 is no better by more than a hair, and twice as large
        (10 * GB, "Q8_0", []),
        (8 * GB, BASE_ADAPTER, ["form_loss"]),
        (6 * GB, "Q4_K_M", ["form_loss"]),
        (4 * GB, "Q4_K_M", ["nothing_fits", "form_loss"]),
    ],
)
def test_the_form_is_the_best_that_the_memory_allows(available: int, proposed: str, codes: list[str]) -> None:
    result = judged(measured(), available=available)
    assert result.proposed == proposed
    assert sorted(reason.code for reason in result.reasons) == sorted(codes)


def test_a_smaller_form_that_thinks_otherwise_is_not_taken_for_an_equal_one() -> None:
    assert judged(measured() | {"Q4_K_M": scored(1.002)}).proposed == "Q4_K_M"
    assert judged(measured() | {"Q4_K_M": scored(1.002, apart=0.05)}).proposed == "Q8_0"
    far = {form: scored(nll, apart=0.05) for form, nll in WELL.items()}
    assert judged(far).proposed == "Q8_0"  # all are far: the best it is


WINS: dict[int, tuple[str, list[tuple[str, str]]]] = {
    40: ("adopt", []),
    24: ("check", [("wins_unproven", "check")]),  # 60 %, interval from 44.6 %
    10: ("reject", [("wins_less", "reject")]),
}


@pytest.mark.parametrize("won", WINS)
def test_after_preference_tuning_the_win_rate_decides(won: int) -> None:
    kept = holdout()
    margins = [0.1 if at < won else -0.1 for at in range(COUNT)]
    pairs = [replace(one, margin=margin) for one, margin in zip(kept.examples, margins, strict=True)]
    found = judged(measured(), kept=replace(kept, examples=tuple(pairs)))
    assert (found.verdict, codes(found)) == WINS[won]
    assert found.win_rate is not None
    assert (found.win_rate.mean, found.win_rate.units) == (won / COUNT, COUNT)
    assert "?" not in quality_gate.win_rate_text(found.win_rate)


def test_chosen_answers_may_become_rarer_if_the_rejected_ones_do_more_so() -> None:
    kept = holdout(trained=2.3)
    pairs = tuple(replace(one, margin=0.2) for one in kept.examples)
    found = judged(measured(), kept=replace(kept, examples=pairs))
    assert "chosen_rarer" in {reason.code for reason in found.reasons}
    assert "worse" not in {reason.code for reason in found.reasons}


def test_the_share_of_wins_has_wilsons_interval() -> None:
    """Against the table of Brown, Cai & DasGupta (Statistical Science 16, 2001) method: 8 of 10 at 95 %."""
    found = bootstrap.share_interval([True] * 8 + [False] * 2)
    assert (found.mean, found.low, found.high) == pytest.approx((0.8, 0.4902, 0.9433), abs=1e-4)
    assert all(bootstrap.share_interval([True] * count).high == 1.0 for count in range(1, 60))
    assert all(bootstrap.share_interval([False] * count).low == 0.0 for count in range(1, 60))
    alike = bootstrap.share_interval([True] * 8 + [False] * 2, ["甲"] * 5 + ["乙"] * 5)
    assert (alike.units, alike.low < found.low) == (2, True)


def test_every_reason_has_its_sentence_in_both_languages() -> None:
    for code, facts in quality_gate.REASON_FACTS.items():
        reason = quality_gate.GateReason(code, "check", dict.fromkeys(facts, 1))
        assert "?" not in quality_gate.reason_text(reason)
    assert [wording.phrase(f"training.gate.{verdict}") for verdict in quality_gate.VERDICTS] == [
        "採用",
        "要確認",
        "不採用",
    ]


# ------------------------------------------------------------------------- file


def test_the_file_holds_the_whole_gate(tmp_path: Path) -> None:
    found = replace(judged(measured(ended=18) | {SHIPPED: scored(1.9)}), file="model-Q8_0.gguf", made_at=1.5)
    quality_gate.write_gate(found, tmp_path)
    assert quality_gate.read_gate(tmp_path) == found


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (None, "gate_missing"),
        ("{", "gate_unreadable"),
        ("[]", "gate_unreadable"),
        ('{"version": 2}', "gate_unreadable"),
    ],
)
def test_a_file_that_is_none_is_said_to_be_none(tmp_path: Path, content: str | None, code: str) -> None:
    if content is not None:
        (tmp_path / quality_gate.FILE_NAME).write_text(content, encoding="utf-8")
    assert code_of(quality_gate.read_gate, tmp_path) == code


def test_rows_without_a_group_stand_for_themselves(tmp_path: Path) -> None:
    rows = tmp_path / "holdout.jsonl"
    rows.write_text('{"group": "節 1"}\n{}\nno JSON\n{"group": "節 1"}\n', encoding="utf-8")
    assert quality_gate.groups_of_lines(rows, [1, 2, 3, 4, 9]) == ("節 1", "line 2", "line 3", "節 1", "line 9")
    assert quality_gate.groups_of_lines(tmp_path / "none", [1]) is None


# ----------------------------------------------------------------------- answers


@pytest.mark.parametrize(
    ("text", "is_loop"),
    [
        ("日本の首都は東京です。", False),
        ("富士山は高い。富士山は高い。富士山は高い。", True),
        ("ああああああああああ", True),
        ("第1条、第2条、第3条、第4条、第5条です。", False),
        ("項目 …………………………………… 12", False),  # a table of contents
        ("|---|---|---|---|---|---|", False),
        ("橋橋", False),
        ("", False),
    ],
)
def test_a_loop_is_told_from_a_table(text: str, is_loop: bool) -> None:
    assert scoring_files.is_looping(text) is is_loop


@pytest.mark.parametrize(
    ("text", "share"), [("東京です", 1.0), ("Tokyo", 0.0), ("東京 is", 0.5), ("100 mm", 0.0), ("100", None), ("", None)]
)
def test_japanese_is_counted_among_letters(text: str, share: float | None) -> None:
    assert scoring_files.japanese_share(text) == share


def test_equal_questions_have_each_its_own_answer(tmp_path: Path) -> None:
    pairs = [("首都は？", "東京です。"), ("首都は？", "京都でした。"), ("一年は？", "三百六十五日です。")]
    found = scoring_files.read_holdout(held_out.write(tmp_path / "holdout.json", pairs))
    assert [chat.line for chat in found.chats] == [1, 2, 3]
    assert [chat.answer for chat in found.chats] == [(*held_out.byte_ids(answer), held_out.END) for _, answer in pairs]
