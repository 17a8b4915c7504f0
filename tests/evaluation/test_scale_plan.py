"""A scale study as it is planned: exact subsets, one hold-out that nobody trains on, and settings that are the same."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from app.base import paths, wording
from app.base.errors import AppError
from app.base.paths import Paths
from app.evaluation import question_files
from app.evaluation.study import paper, scale_plan, scale_subsets, studies
from app.evaluation.study.scale_plan import PlannedScaleStudy
from app.evaluation.study.scale_subsets import SubsetFiles
from app.models import local_models
from app.training import run_plan, spec_builder
from app.training.data import data_split, file_import, split_record
from app.training.data.split_record import LeakageReport
from app.training.run_plan import PlannedDevice
from app.training.runs import run_folders
from tests import model_files as tiny
from trainer import recipe, spec
from trainer.spec import RunSpec

SUBJECTS = "橋脚堤防水門床版支承舗装隧道擁壁護岸樋門"


def lines_of(count: int) -> list[dict[str, Any]]:
    """Rows that have little in common."""
    numbers = [(n, SUBJECTS[n % 20], SUBJECTS[n // 20 % 20]) for n in range(count)]
    return [
        {
            "instruction": f"{one}{n * 7919 % 10_007}番を{other}{n * 104_729 % 99_991}で？",
            "output": f"{n * 15_485_863 % 999_983:x}号{SUBJECTS[n * 3 % 20]}",
        }
        for n, one, other in numbers
    ]


def written(path: Path, rows: Sequence[Any]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of `kotae data split`, beside the file that was split. Tests leave it as it is."""
    folder = tmp_path_factory.mktemp("data")
    made = data_split.split_rows(file_import.import_file(written(folder / "rows.jsonl", lines_of(300))).rows)
    data_split.write_split(made, folder / "点検", {}, LeakageReport())
    return folder / "点検"


def rows_of(raw: bytes) -> list[Any]:
    return [json.loads(line) for line in raw.splitlines()]


def refused(call: Callable[[], object]) -> AppError:
    with pytest.raises(AppError) as caught:
        call()
    assert wording.describe_error(caught.value).next
    return caught.value


# ------------------------------------------------------------------------- subsets


def test_each_subset_is_the_beginning_of_the_split_s_training_part_by_itself_an_eighth_to_all(data: Path) -> None:
    material = scale_subsets.nested_subsets(data, (20, 50, 100))
    train = (data / "train.jsonl").read_bytes()
    assert [one.rows for one in material.subsets] == [20, 50, 100]
    for one in material.subsets:
        assert train.startswith(one.raw)
        assert len(rows_of(one.raw)) == one.rows
    assert material.holdout == (data / "holdout.jsonl").read_bytes()
    assert material.validation == (data / "validation.jsonl").read_bytes()
    assert material.is_nested
    count = len((data / "train.jsonl").read_bytes().splitlines())
    sizes = [one.rows for one in scale_subsets.nested_subsets(data).subsets]
    assert sizes == [round(count / 8), round(count / 4), round(count / 2), count]
    assert scale_subsets.nested_subsets(data.parent / "rows.jsonl", (20, 50)).subsets == (
        scale_subsets.nested_subsets(data, (20, 50)).subsets
    )


def test_rows_of_a_file_that_are_none_are_counted(tmp_path: Path) -> None:
    path = written(tmp_path / "rows.jsonl", [*lines_of(100), {"instruction": "", "output": ""}])
    assert scale_subsets.nested_subsets(path, (20, 50)).unusable == 1


@pytest.mark.parametrize(
    ("sizes", "code"),
    [
        ((100,), "scale_sizes_order"),
        ((100, 50), "scale_sizes_order"),
        ((50, 50), "scale_sizes_order"),
        ((5, 50), "scale_size_small"),
        ((50, 5000), "scale_size_large"),
    ],
)
def test_sizes_that_cannot_be_compared_are_refused(data: Path, sizes: tuple[int, ...], code: str) -> None:
    assert refused(lambda: scale_subsets.nested_subsets(data, sizes)).code == code


def test_too_few_rows_for_four_sizes_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "few.jsonl", lines_of(60))
    assert refused(lambda: scale_subsets.nested_subsets(path)).code == "scale_few_rows"


def test_a_split_that_was_changed_is_refused(data: Path, tmp_path: Path) -> None:
    data = shutil.copytree(data, tmp_path / "changed")
    with (data / "train.jsonl").open("a", encoding="utf-8") as file:
        file.write("{}\n")
    assert refused(lambda: scale_subsets.nested_subsets(data)).code == "split_changed"


def test_the_papers_subsets_are_exactly_its_rows_in_their_order(tmp_path: Path) -> None:
    rows, drawn = lines_of(200), {"20": list(range(40, 0, -2)), "30": list(range(3, 33))}
    material = _paper(tmp_path, rows, drawn)
    for one, places in zip(material.subsets, drawn.values(), strict=True):
        assert [row["messages"][0]["content"] for row in rows_of(one.raw)] == [
            rows[place]["instruction"] for place in places
        ]
    assert not material.is_nested
    assert [len(rows_of(raw)) for raw in (material.holdout, material.validation)] == [82, 83]


def test_a_part_of_the_papers_subsets_is_their_beginning(tmp_path: Path) -> None:
    drawn = {"20": list(range(20)), "60": list(range(100, 160))}
    whole, half = (_paper(tmp_path, lines_of(200), drawn, divisor) for divisor in (1, 2))
    assert [one.rows for one in half.subsets] == [10, 30]
    assert all(two.raw.startswith(one.raw) for one, two in zip(half.subsets, whole.subsets, strict=True))


def test_what_is_like_a_row_of_the_subsets_is_not_held_out(tmp_path: Path) -> None:
    rows, drawn = lines_of(100), {"20": list(range(20)), "30": list(range(30))}
    held = rows_of(_paper(tmp_path, rows, drawn).holdout)[0]
    rows[7] = {"instruction": held["messages"][0]["content"], "output": "まったく別の答え"}
    material = _paper(tmp_path, rows, drawn)
    assert [one.rows for one in material.subsets] == [20, 30]
    assert held["id"] not in {row["id"] for row in rows_of(material.holdout)}


def _paper(folder: Path, rows: list[Any], drawn: dict[str, list[int]], divisor: int = 1) -> SubsetFiles:
    path, indices = written(folder / "all.jsonl", rows), folder / "indices.json"
    indices.write_text(json.dumps(drawn), encoding="utf-8")
    return scale_subsets.paper_material(path, indices, divisor)


@pytest.mark.parametrize(
    ("drawn", "code"),
    [
        ({}, "scale_indices_unreadable"),
        ({"2": [1, "2"]}, "scale_indices_unreadable"),
        ({"2": [1, True]}, "scale_indices_unreadable"),
        ({"2": [1, 1]}, "scale_indices_unreadable"),
        ({"2": [-1, 0]}, "scale_indices_unreadable"),
        ({"20": list(range(20)), "30": list(range(90, 120))}, "scale_index_outside"),
        ({"20": list(range(20)), "80": list(range(80))}, "scale_no_holdout"),
    ],
)
def test_subsets_that_cannot_be_trained_on_are_refused(tmp_path: Path, drawn: Any, code: str) -> None:
    assert refused(lambda: _paper(tmp_path, lines_of(100), drawn)).code == code


@pytest.mark.parametrize(("divisor", "counts"), [(1, (400, 200)), (4, (100, 50)), (40, (50, 20))])
def test_a_part_of_the_size_is_judged_by_a_part_of_the_rows(
    tmp_path: Path, divisor: int, counts: tuple[int, int]
) -> None:
    drawn = {"400": list(range(400)), "800": list(range(800))}
    material = _paper(tmp_path, lines_of(1700), drawn, divisor)
    held, validating = (len(rows_of(raw)) for raw in (material.holdout, material.validation))
    assert (held, validating) in (counts, (counts[0] - 1, counts[1]))  # a row may be like one of a subset by chance


# ---------------------------------------------------------------------------- plan


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory, data: Path) -> PlannedScaleStudy:
    folder = tmp_path_factory.mktemp("planned")
    where = paths.locate(str(folder / "data"))
    return plan(folder / "study", where, scale_subsets.nested_subsets(data, (20, 60, 200)))


def plan(
    folder: Path, where: Paths, material: SubsetFiles, *, has_control: bool = True, **wishes: Any
) -> PlannedScaleStudy:
    base = folder.parent / "tiny.gguf"
    base = base if base.exists() else tiny.tiny_llama(base)
    said = {"base": str(base), "name": "点検", **wishes}
    return scale_plan.plan_trainings(
        folder,
        material,
        lambda files: spec_builder.build_spec({**said, **files}, where, (), "/converter"),
        lambda asked: run_plan.plan_run(asked, None, lambda _kind: PlannedDevice("cpu", "", 16 << 30, 8 << 30, 1e11)),
        (42, 43),
        has_control=has_control,
    )


def specs_of(planned: PlannedScaleStudy) -> list[RunSpec]:
    return [spec.read(Path(one.folder) / run_folders.SPEC) for one in planned.trainings]


def steps_of(one: RunSpec, rows: int) -> int:
    assert one.epochs is not None
    return recipe.total_steps(rows, (one.micro_batch or 0) * (one.accumulation or 0), one.epochs, one.max_steps)


def test_every_size_is_trained_with_every_seed_and_the_control_with_the_first(planned: PlannedScaleStudy) -> None:
    told = [(one.rows, one.seed, one.is_control) for one in planned.trainings]
    first = [(rows, 42, False) for rows in (20, 60, 200)]
    assert told == [*first, (20, 42, True), (60, 42, True), *((rows, 43, False) for rows in (20, 60, 200))]
    assert {Path(one.folder).parent.name for one in planned.trainings} == {studies.RUNS}
    assert len({one.folder for one in planned.trainings}) == 8
    assert [one.seed for one in specs_of(planned)] == [one.seed for one in planned.trainings]


def test_every_run_has_its_own_rows_and_the_very_same_validation_and_holdout_that_it_is_not_trained_on(
    planned: PlannedScaleStudy, data: Path
) -> None:
    split_hashes = split_record.verify_split(data).files
    for one, training in zip(specs_of(planned), planned.trainings, strict=True):
        assert len(Path(one.train).read_bytes().splitlines()) == training.rows
        for part in ("validation", "holdout"):
            assert one.hashes[part] == split_hashes[part].sha256
            assert Path(getattr(one, part)).read_bytes() == (data / f"{part}.jsonl").read_bytes()
    for one in specs_of(planned):
        held = {row["id"] for row in rows_of(Path(one.holdout).read_bytes())}
        assert held
        assert not held & {row["id"] for row in rows_of(Path(one.train).read_bytes())}
    time, disk = planned.largest.time, planned.largest.disk
    assert 2 * time.total_s < planned.seconds < len(planned.trainings) * time.total_s
    assert planned.disk_bytes >= len(planned.trainings) * (disk.checkpoints + disk.adapter)


def test_settings_are_those_of_the_largest_whatever_the_size(planned: PlannedScaleStudy) -> None:
    """By itself the recipe would give fewer than 100 steps another rate, and fewer rows another rank."""
    main = [one for one, training in zip(specs_of(planned), planned.trainings, strict=True) if not training.is_control]
    settings = {(one.rank, one.dropout, one.learning_rate, one.micro_batch, one.accumulation) for one in main}
    assert len(settings) == 1
    assert None not in settings.pop()
    assert {(one.epochs, one.evaluations_per_epoch, one.patience) for one in main} == {(3.0, 2, 3)}


def test_the_control_has_as_many_steps_as_the_largest_and_is_not_ended_early(planned: PlannedScaleStudy) -> None:
    specs = dict(zip([(one.rows, one.is_control) for one in planned.trainings], specs_of(planned), strict=True))
    most = steps_of(specs[200, False], 200)
    assert most > steps_of(specs[20, False], 20)
    for rows in (20, 60):
        control = specs[rows, True]
        assert steps_of(control, rows) == most
        assert control.epochs is not None
        evaluations = control.epochs * (control.evaluations_per_epoch or 0)
        assert (control.patience or 0) > evaluations > 0
        same = {"rank", "alpha", "learning_rate", "train", "validation", "holdout", "micro_batch", "accumulation"}
        assert all(getattr(control, name) == getattr(specs[rows, False], name) for name in same)


def test_steps_that_are_limited_are_the_same_with_and_without_control(tmp_path: Path, where: Paths, data: Path) -> None:
    made = plan(tmp_path / "study", where, scale_subsets.nested_subsets(data, (20, 200)), max_steps=10)
    steps = [steps_of(one, training.rows) for one, training in zip(specs_of(made), made.trainings, strict=True)]
    assert steps == [9, 10, 10, 9, 10]


def test_without_a_control_there_is_none(tmp_path: Path, where: Paths, data: Path) -> None:
    made = plan(tmp_path / "study", where, scale_subsets.nested_subsets(data, (20, 200)), has_control=False)
    assert not any(one.is_control for one in made.trainings)


def test_a_plan_that_fails_leaves_nothing_behind(tmp_path: Path, where: Paths, data: Path) -> None:
    material = scale_subsets.nested_subsets(data, (20, 200))
    assert refused(lambda: plan(tmp_path / "study", where, material, rank=0)).code == "spec_invalid"
    assert not (tmp_path / "study").exists()


def test_a_folder_that_another_study_has_just_begun_is_left_as_it_is(tmp_path: Path, where: Paths, data: Path) -> None:
    begun = tmp_path / "x" / scale_plan.DATA / "train-10.jsonl"
    begun.parent.mkdir(parents=True)
    begun.write_bytes(b"rows")
    material = scale_subsets.nested_subsets(data, (20, 200))
    assert refused(lambda: plan(tmp_path / "x", where, material)).code == "evaluation_unwritable"
    assert begun.read_bytes() == b"rows"


def test_the_holdout_is_the_question_set_where_none_is_named(planned: PlannedScaleStudy, data: Path) -> None:
    material = scale_subsets.nested_subsets(data, (20, 200))
    questions = scale_plan.holdout_questions(material, Path(planned.trainings[0].folder).parents[1])
    held = rows_of(material.holdout)
    assert [one.text for one in questions.questions] == [row["messages"][-2]["content"] for row in held]
    assert [one.reference for one in questions.questions] == [row["messages"][-1]["content"] for row in held]


def test_held_out_rows_that_no_question_set_can_hold_are_no_questions(tmp_path: Path, data: Path) -> None:
    texts, groups = ("堤防とは？", "12 × 3 = ?", "水門とは？", "橋とは？"), ("", "", "章" * 201, "章")
    pairs = [({"role": "user", "content": text}, {"role": "assistant", "content": "36"}) for text in texts]
    (tmp_path / scale_plan.DATA).mkdir()
    rows = [{"messages": pair, "group": group} for pair, group in zip(pairs, groups, strict=True)]
    written(tmp_path / scale_plan.DATA / "holdout.jsonl", rows)
    questions = scale_plan.holdout_questions(scale_subsets.nested_subsets(data, (20, 200)), tmp_path)
    assert [one.text for one in questions.questions] == ["堤防とは？", "橋とは？"]
    assert question_files.from_lines(question_files.to_lines(questions.questions), "") == questions.questions


def test_questions_are_asked_of_the_base_and_of_each_size_once(planned: PlannedScaleStudy) -> None:
    model = local_models.describe(Path(planned.requested.base))
    found = scale_plan.planned_systems(model, planned.requested, planned.trainings)
    assert len({one.system.id for one in found}) == 4
    assert [one.system.adapter for one in found] == [
        "",
        *(str(Path(one.folder) / run_folders.ADAPTER) for one in planned.trainings[:3]),
    ]
    assert "1 行" not in found[1].system.name
    assert "20 行" in found[1].system.name


def test_the_papers_subsets_follow_from_its_rule(tmp_path: Path) -> None:
    kinds = ["章"] * 5000 + ["節"] * 2500 + ["項"] * 1500
    lines = [json.dumps({"instruction": f"{n}？", "metadata": {"rel_type": kind}}) for n, kind in enumerate(kinds)]
    (tmp_path / "a.jsonl").write_text("\n".join(lines), "utf-8")
    found = scale_subsets.paper_subsets(tmp_path / "a.jsonl")
    assert [len(set(places)) for places in found] == [1000, 2000, 3000, 4000, 5000]
    first = [sum(kinds[place] == kind for place in found[0]) for kind in ("章", "節", "項")]
    assert first == [388, 383, 229]  # 0.7 of 5/9, the rest 5 : 3, and what rounding left goes to the second


@pytest.mark.slow
def test_the_papers_subsets_are_those_that_it_published(kasensabo: Path) -> None:
    published = json.loads((kasensabo / paper.SUBSETS).read_bytes())
    assert scale_subsets.paper_subsets(kasensabo / paper.ROWS) == list(published.values())
    made = scale_subsets.paper_material(kasensabo / paper.ROWS, None, system_prompt="答え")
    assert [subset.rows for subset in made.subsets] == list(map(int, published))
    assert made.holdout.count(b"\n") > 200
