"""What the runs of a scale study tell: a known curve is found again, and each advice is given where it is due."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import pytest

from app.base import wording
from app.base.errors import AppError
from app.evaluation.records import Gold, Question, QuestionSet, System
from app.evaluation.study import scale_report, scale_results
from app.evaluation.study.scale_results import ScaleResults
from app.evaluation.study.studies import ComparedSystem, Study
from app.inference.local_model import LocalModel
from app.training.runs import run_folders
from app.training.runs.run_journal import RunHistory
from tests.evaluation.scale_folder import (
    BASE,
    SIZES,
    Folder,
    Losses,
    course,
    law,
    main,
    measured,
    write_events,
    write_holdout,
)
from trainer import events

NO_QUESTIONS = QuestionSet("点検", 0, "", ())


# --------------------------------------------------------------------------- curve


def test_the_numbers_of_a_known_curve_are_found_again() -> None:
    found = scale_report.fit_power_law((50, 100, 200, 400, 800), [law(rows) for rows in (50, 100, 200, 400, 800)])
    assert found == pytest.approx((1.0, 8.0, 0.5), rel=0.03)


def test_what_twice_the_data_bring_is_foretold_with_an_interval_that_holds_it(tmp_path: Path) -> None:
    losses = main(lambda rows, seed: law(rows) + 0.01 * (seed - 43), seeds=(42, 43, 44))
    found = measured(tmp_path, losses, noise=0.05)
    drawn = scale_report.curve_of(found)
    assert drawn is not None
    truth = law(400) - law(800)
    assert drawn.gain == pytest.approx(truth, rel=0.05)
    assert drawn.low < truth < drawn.high
    assert drawn.rms < 1e-3


def test_more_noise_makes_the_interval_of_the_gain_wider(tmp_path: Path) -> None:
    widths = []
    for noise in (0.02, 0.2):
        drawn = scale_report.curve_of(measured(tmp_path / str(noise), main(lambda rows, _: law(rows)), noise=noise))
        assert drawn is not None
        widths.append(drawn.high - drawn.low)
    assert widths[1] > 2 * widths[0]


@pytest.mark.parametrize(
    "losses",
    [
        [2.0, 1.8, 1.7],  # three numbers go through three points whatever they are
        [1.5, 1.6, 1.7, 1.8],  # it rises
        [1.5, 1.5, 1.5, 1.5],
        [2.0, 1.95, 1.8, 1.4],  # the gains grow
        [2.0, 1.7, 1.75, 1.5],  # it wavers
    ],
)
def test_what_the_sizes_do_not_tell_is_no_curve(losses: list[float]) -> None:
    assert scale_report.fit_power_law([50 * 2**at for at in range(len(losses))], losses) is None


# ---------------------------------------------------------------------- measurement


def test_sizes_are_means_over_seeds_paired_with_the_base_and_the_size_before(tmp_path: Path) -> None:
    found = measured(tmp_path, main(lambda rows, seed: 2.0 - rows / 1000 + 0.1 * (seed - 43), (100, 200), (42, 43, 44)))
    small, large = found.sizes
    assert [small.nll, large.nll] == pytest.approx([1.9, 1.8])
    assert small.spread == pytest.approx(0.1)
    assert found.base_nll == pytest.approx(BASE)
    assert small.from_previous is None
    assert large.from_previous is not None
    assert large.from_previous.by_example.mean == pytest.approx(-0.1)
    assert large.from_previous.by_seed == pytest.approx((-0.1, -0.1, -0.1))
    assert large.from_base.decisive.mean == pytest.approx(1.8 - BASE)


def test_what_is_compared_with_all_rows_is_about_half_of_them(tmp_path: Path) -> None:
    losses = main(lambda rows, _: law(rows), sizes=(100, 190, 300, 400), seeds=(42,))
    assert measured(tmp_path / "a", losses).half == 190
    losses = main(lambda rows, _: law(rows), sizes=(300, 350, 400), seeds=(42,))
    assert measured(tmp_path / "b", losses).half == 300


def test_rows_of_one_document_are_drawn_together(tmp_path: Path) -> None:
    losses = main(lambda rows, _: law(rows), seeds=(42,))
    found = measured(tmp_path, losses, noise=0.1, group_size=4)
    assert found.largest.from_base.decisive.units == 10
    assert found.largest.from_base.by_example.units == 40
    apart = measured(tmp_path / "apart", losses, noise=0.1)
    assert apart.largest.from_base.by_group is None


def test_an_interval_that_holds_0_decides_also_where_that_of_groups_does_not(tmp_path: Path) -> None:
    """Groups that happen to be alike make its interval narrow."""
    study = Folder(tmp_path, examples=60, group_size=10).study({(100, 42, False): 2.0, (200, 42, False): 1.9})
    nll = [38.0 + (60 if n % 2 else -60) for n in range(60)]
    write_holdout(Path(study.trainings[1].folder), nll)
    change = scale_results.measure(study).doubling
    assert change.by_group is not None
    assert change.by_group.units == 6
    assert not change.by_group.holds_zero
    assert change.decisive is change.by_example
    assert not change.is_better


def test_few_documents_leave_the_decision_to_the_rows(tmp_path: Path) -> None:
    found = measured(tmp_path, main(lambda rows, _: law(rows), seeds=(42,)), group_size=20)
    assert found.largest.from_base.by_group is not None
    assert found.largest.from_base.decisive.units == 40


def test_a_gain_that_one_seed_does_not_have_is_none(tmp_path: Path) -> None:
    losses = main(lambda rows, seed: law(rows), sizes=(100, 200))
    losses[200, 43, False] = law(100) + 0.01
    assert not measured(tmp_path, losses).doubling.is_better


def test_a_run_that_has_not_ended_is_waited_for(tmp_path: Path) -> None:
    study = Folder(tmp_path).study(main(lambda rows, _: law(rows), seeds=(42,)))
    (Path(study.trainings[1].folder) / run_folders.HOLDOUT).unlink()
    with pytest.raises(AppError, match="evaluation_not_finished"):
        scale_results.measure(study)


@pytest.mark.parametrize("nll", [[20.0] * 39, [float("nan"), *[20.0] * 39]])
def test_runs_that_were_judged_by_other_examples_are_not_compared(tmp_path: Path, nll: list[float]) -> None:
    study = Folder(tmp_path).study(main(lambda rows, _: law(rows), seeds=(42,)))
    write_holdout(Path(study.trainings[1].folder), nll)
    with pytest.raises(AppError, match="evaluation_damaged"):
        scale_results.measure(study)


# ------------------------------------------------------------------------- control


@pytest.mark.parametrize(
    ("small", "control", "large", "explains"),
    [
        (2.0, 1.95, 1.6, "data"),  # as many steps bring a little, more data the rest
        (2.0, 2.1, 1.6, "data"),  # as many steps only learn by heart
        (2.0, 1.6, 1.6, "steps"),
        (2.0, 1.5, 1.6, "steps"),  # fewer data, better still
        (1.6, 1.5, 1.6, "nothing"),
    ],
)
def test_the_control_tells_more_data_from_more_steps(
    tmp_path: Path, small: float, control: float, large: float, explains: str
) -> None:
    losses = {(100, 42, False): small, (100, 42, True): control, (200, 42, False): large}
    found = measured(tmp_path, losses, noise=0.05)
    (one,) = found.controls
    assert one.explains == explains
    assert one.gain.decisive.mean == pytest.approx(one.by_steps.decisive.mean + one.by_data.decisive.mean)
    assert [size.rows for size in found.sizes] == [100, 200]
    assert len(found.main_runs) == 2


def test_a_control_whose_differences_are_all_within_chance_is_unclear(tmp_path: Path) -> None:
    losses = {(100, 42, False): 2.0, (100, 42, True): 1.9, (200, 42, False): 1.8}
    (one,) = measured(tmp_path, losses, noise=0.45).controls
    assert one.explains == "unclear"


def test_a_control_is_compared_with_runs_of_its_own_seed(tmp_path: Path) -> None:
    losses = main(lambda rows, seed: 2.0 - rows / 1000 + (seed == 43), sizes=(100, 200), seeds=(42, 43))
    losses[100, 42, True] = 1.85
    (one,) = measured(tmp_path, losses).controls
    assert one.gain.decisive.mean == pytest.approx(-0.1)


# -------------------------------------------------------------------------- course


def told(events_: Sequence[events.Event]) -> RunHistory:
    history = RunHistory()
    for one in events_:
        history.take(one)
    return history


@pytest.mark.parametrize(
    ("training", "validation", "expected"),
    [
        ((2.0, 1.5, 1.2), (2.5, 2.0, 1.8), None),  # both fall
        ((2.0, 1.5, 1.2, 1.0), (2.5, 2.0, 2.2, 2.4), 4),
        ((2.0, 1.5, 1.2, 1.0), (2.5, 2.0, 2.001, 2.004), None),  # it wavers
        ((2.0, 1.5, 1.6, 1.7), (2.5, 2.0, 2.2, 2.4), None),  # training rises too: the rate, not learning by heart
        ((2.0, 1.5, 1.2), (2.5, 2.0, 2.2), None),  # one evaluation is no trend
        ((2.0, 1.5, 1.2), (3.1, 3.2, 3.4), 0),  # never better than the base
    ],
)
def test_overfitting_is_validation_that_rises_while_training_falls(
    training: Sequence[float], validation: Sequence[float], expected: int | None
) -> None:
    assert scale_results.training_curve_of(told(course(training, validation))).overfit_step == expected


def test_the_gap_is_that_of_the_best_step() -> None:
    found = scale_results.training_curve_of(told(course((2.0, 1.5, 1.2, 1.0), (2.5, 1.9, 2.2, 2.4))))
    assert (found.best_step, found.steps) == (4, 8)
    assert found.gap == pytest.approx(1.9 - 1.5)
    assert found.training[1] == (4, 1.5)


def test_the_share_of_runs_that_ended_early_leaves_the_control_out(tmp_path: Path) -> None:
    losses = main(lambda rows, _: law(rows), sizes=(100, 200), seeds=(42, 43)) | {(100, 42, True): 1.8}
    study = Folder(tmp_path).study(losses)
    for at in (0, 4):
        write_events(Path(study.trainings[at].folder), course(reason="early_stopping"))
    assert study.trainings[4].is_control
    assert scale_results.measure(study).early_share == 0.25


# -------------------------------------------------------------------------- advice


def advice_of(found: ScaleResults, questions: QuestionSet | None = None) -> tuple[str, str]:
    advice = scale_report.advise(found, questions)
    assert advice.sentence.endswith("。")
    return advice.code, advice.sentence


def by_law(rows: int, _seed: int) -> float:
    return law(rows)


@pytest.mark.parametrize(
    ("losses", "noise", "code", "words"),
    [
        pytest.param(main(by_law), 0.05, "more", ("200 行から 400 行", f"{law(400) - law(200):+.3f}"), id="clear gain"),
        pytest.param(
            main(lambda rows, _: 1.5 - rows / 100_000),
            0.01,
            "enough",
            (str(scale_report.WORTH_NATS),),
            id="not worth it",
        ),
        pytest.param(main(lambda rows, _: 1.5 + rows / 1000), 0.05, "enough", ("悪く",), id="worse"),
        pytest.param(main(by_law) | {(200, 42, True): law(400)}, 0.05, "enough", ("ステップ",), id="more steps do it"),
        pytest.param(
            main(by_law) | {(50, 42, True): law(400), (200, 42, True): law(200)}, 0.05, "more", (), id="other control"
        ),
        pytest.param(main(by_law, seeds=(42,)), 1.5, "early", ("差があるとは言えません",), id="within the interval"),
        pytest.param(main(by_law) | {(400, 43, False): law(200) + 0.01}, 0.05, "early", ("乱数の種",), id="seeds"),
        pytest.param(main(lambda _, seed: BASE + 0.001 * (seed - 43)), 0.1, "documents", ("資料集",), id="as the base"),
        pytest.param(
            main(lambda _, seed: BASE + 0.2 + 0.001 * (seed - 43)),
            0.1,
            "documents",
            ("資料集",),
            id="below the base",
        ),
    ],
)
def test_what_is_advised_follows_from_what_chance_does_not_explain(
    tmp_path: Path, losses: Losses, noise: float, code: str, words: tuple[str, ...]
) -> None:
    found, sentence = advice_of(measured(tmp_path, losses, noise=noise))
    assert found == code
    assert [word for word in words if word not in sentence] == []


def test_few_rows_that_show_no_gain_are_too_early_to_say(tmp_path: Path) -> None:
    found = measured(tmp_path, main(lambda rows, _: BASE - 0.1), examples=8, noise=1.0)
    assert advice_of(found)[0] == "early"


@pytest.mark.parametrize(("facts", "expected"), [(3, "documents"), (1, "more")])
def test_questions_about_facts_ask_for_documents(tmp_path: Path, facts: int, expected: str) -> None:
    gold = (Gold("許容応力度は 180 N/mm2 とする"),)
    asked = tuple(Question(str(n), "？", gold=gold if n < facts else ()) for n in range(4))
    found = measured(tmp_path, main(lambda rows, _: law(rows)), noise=0.05)
    assert advice_of(found, QuestionSet("質問", 1, "", asked))[0] == expected


# -------------------------------------------------------------------------- report


def full(root: Path, contenders: tuple[ComparedSystem, ...] = ()) -> tuple[Study, Path]:
    losses = main(lambda rows, _: law(rows)) | {(rows, 42, True): law(rows) - 0.05 for rows in SIZES[:-1]}
    return Folder(root, noise=0.05).study(losses, contenders), root


@pytest.mark.parametrize("language", wording.LANGUAGES)
def test_the_report_has_every_size_run_and_control_in_the_language_in_use(tmp_path: Path, language: str) -> None:
    study, folder = full(tmp_path)
    wording.use_language(language)
    verdict, control, runs_ = scale_report.scale_sections(study, folder, NO_QUESTIONS)
    assert len(verdict.tables[0].rows) == 1 + len(SIZES)
    assert len(control.tables[0].rows) == len(control.sentences) == 3
    assert len(runs_.tables[0].rows) == 8 + 3
    assert len(verdict.plots) == 1
    assert len(runs_.plots) == len(SIZES)
    for section in (verdict, control, runs_):
        for table in section.tables:
            assert {len(row) for row in table.rows} == {len(table.head)}
    text = " ".join((*verdict.sentences, *control.sentences, *runs_.sentences))
    assert "{" not in text
    assert ("。" in text) == (language == "ja")


def test_the_curve_is_drawn_to_twice_the_rows_and_no_further(tmp_path: Path) -> None:
    study, folder = full(tmp_path)
    verdict = scale_report.scale_sections(study, folder, NO_QUESTIONS)[0]
    assert "800 行" in " ".join(verdict.sentences)
    assert ">800<" in verdict.plots[0]
    assert ">1000<" not in verdict.plots[0]


def test_where_steps_explain_the_gain_the_curve_s_promise_is_said_to_hold_it(tmp_path: Path) -> None:
    told = []
    for name, losses in (("steps", {(200, 42, True): law(400)}), ("data", {(200, 42, True): law(200)})):
        folder = Folder(tmp_path / name)
        study = folder.study(main(lambda rows, _: law(rows)) | losses)
        told.append(" ".join(scale_report.scale_sections(study, folder.root, NO_QUESTIONS)[0].sentences))
    assert ["ステップ数が増える分も含まれます" in one for one in told] == [True, False]


def test_three_sizes_have_no_curve_and_say_so(tmp_path: Path) -> None:
    study = Folder(tmp_path, noise=0.05).study(main(lambda rows, _: law(rows), sizes=SIZES[:3]))
    verdict = scale_report.scale_sections(study, tmp_path, NO_QUESTIONS)[0]
    assert any("3 通りしかない" in one for one in verdict.sentences)
    assert ">400<" not in verdict.plots[0]


def test_without_a_control_there_is_no_section_of_it(tmp_path: Path) -> None:
    study = Folder(tmp_path, noise=0.05).study(main(lambda rows, _: law(rows)))
    found = scale_report.scale_sections(study, tmp_path, NO_QUESTIONS)
    assert len(found) == 2
    assert not any("そろえた" in sentence for section in found for sentence in section.sentences)


def test_what_makes_the_numbers_doubtful_is_said(tmp_path: Path) -> None:
    folder = Folder(tmp_path, examples=8)
    study = folder.study(main(lambda rows, _: law(rows), seeds=(42,)))
    folder.about({"name": "点検", "is_nested": False})
    verdict = scale_report.scale_sections(study, tmp_path, NO_QUESTIONS)[0]
    told = " ".join(verdict.sentences)
    assert "入れ子" in told
    assert "1 通り" in told
    assert "8 件" in told


def test_questions_count_only_where_somebody_is_asked(tmp_path: Path) -> None:
    asked = QuestionSet("質問", 1, "", (Question("1", "？", must_include=("180",)),))
    study, folder = full(tmp_path)
    model = LocalModel("m", "m", "m.gguf", 1, "llama", "Q4_K_M", 4096, 0.0)
    contender = ComparedSystem(System("s1", "m", "m.gguf", "m"), model)
    unasked = scale_report.scale_sections(study, folder, asked)[0].sentences[0]
    with_answers = scale_report.scale_sections(dataclasses.replace(study, contenders=(contender,)), folder, asked)[
        0
    ].sentences[0]
    assert "資料集" not in unasked
    assert "資料集" in with_answers
