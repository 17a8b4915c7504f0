"""Files of runs, drafts and data that came from elsewhere: none holds the program up, or says more than its types."""

import copy
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.base.errors import AppError
from app.base.paths import Paths
from app.base.wording import describe_error
from app.chat.batch import question_table as batch_questions
from app.evaluation import question_files
from app.models import hf_weights
from app.training import run_result
from app.training.cli import train_texts
from app.training.data import curation, file_import
from app.training.runs import lineage, run_folders, run_journal, run_report, training_list
from app.training.runs.run_progress import ProgressReader
from tests.faults import returned_job
from tests.faults.ledger import Tally
from trainer import spec
from trainer.spec import SpecError

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pipes")
WRONG: tuple[Any, ...] = (float("inf"), 10**400, -1, "\ud800", "a\0b", True, None, [], {"a": 1}, "x" * 300)


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that the fake trainer has trained."""
    return returned_job.finished(tmp_path_factory.mktemp("trained")).parent


@pytest.fixture
def run(planned: Path) -> Iterator[Path]:
    """Its folder; what a test changes in it is as before afterwards."""
    folder = planned / "job" / "run"
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    (folder / run_folders.SPEC).write_bytes((planned / "runs" / "r" / run_folders.SPEC).read_bytes())
    yield folder
    for path, content in before.items():
        path.unlink()
        path.write_bytes(content)


def looked_at(folder: Path) -> None:
    """Everywhere where a run is listed, described, reported and drawn."""
    where = Paths(folder.parent.parent)
    training_list.list_trainings(where).search("x")
    run = run_folders.read(folder)
    json.dumps([train_texts.run_page(run), train_texts.run_line(run), train_texts.run_as_json(run)])
    run_report.render_report(folder)
    run_result.read_result(folder)
    ProgressReader(folder).look(is_ours=False)
    training_list.list_splits(where)
    lineage.lineage_of_run(folder)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value[:1]) if isinstance(value, list) else ()
    for key, one in items:
        yield (*path, key)
        yield from places(one, (*path, key))


def with_value(data: Any, path: tuple[Any, ...], value: Any) -> Any:
    changed = copy.deepcopy(data)
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return changed


def written(value: Any) -> str:
    return json.dumps(value).replace("Infinity", "1e999")


KINDS = ("started", "findings", "effective", "evaluation", "sample", "step", "checkpoint", "finished")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.fault("S15")
def test_a_wrong_value_in_a_journal_is_left_out_wherever_it_is_shown(kind: str, run: Path, tally: Tally) -> None:
    journal = run / run_journal.JOURNAL_FILE
    told = [json.loads(line) for line in journal.read_text("utf-8").splitlines()]
    at = next(number for number, one in enumerate(told) if one["event"] == kind)
    whole = [path for path in places(told[at]) if path != ("event",) and path[0] != "spec"]
    for number, path in enumerate(whole):
        for value in (WRONG[number % len(WRONG)], WRONG[(number + 3) % len(WRONG)]):
            lines = [*told[:at], with_value(told[at], path, value), *told[at + 1 :]]
            journal.write_text("".join(f"{written(one)}\n" for one in lines), encoding="utf-8")
            looked_at(run)
    tally.tried(2 * len(whole))


@pytest.mark.parametrize("name", ["rank", "memory_share", "train", "seed", "name", "samples", "form", "validation"])
@pytest.mark.fault("S19")
def test_a_wrong_value_in_a_spec_is_refused_in_words(name: str, tmp_path: Path, tally: Tally) -> None:
    asked = {"folder": "r", "base": "b", "train": "t", "validation": "v"}
    for value in (10**400, -(10**400), float("inf"), [[[]]], {"a": 1}, "a\0b", "\ud800"):
        (tmp_path / run_folders.SPEC).write_text(written(asked | {name: value}), encoding="utf-8")
        with pytest.raises(SpecError):
            spec.read(tmp_path / run_folders.SPEC)
    tally.tried(7)


@pytest.mark.fault("S19")
def test_a_device_that_a_spec_calls_its_data_is_not_read(run: Path, tally: Tally) -> None:
    """In a process that may not have much memory: read to its end it would take all there is."""
    for name in (run_folders.SPEC, run_folders.EFFECTIVE):
        returned_job.change(run / name, train="/dev/zero", validation="/dev/zero", holdout="/dev/zero")
    tally.tried(3)
    code = (
        "import resource, sys; from pathlib import Path; resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30));"
        "from tests.faults.test_foreign_files import looked_at; looked_at(Path(sys.argv[1]))"
    )
    environment = os.environ | {"QT_QPA_PLATFORM": "offscreen", "OPENBLAS_NUM_THREADS": "1"}
    subprocess.run(
        [sys.executable, "-c", code, str(run)], cwd=Path(__file__).parents[2], env=environment, check=True, timeout=60
    )


READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "a journal": (run_journal.JOURNAL_FILE, lambda path: run_folders.read(path.parent)),
    "a settled spec": (run_folders.EFFECTIVE, lambda path: run_folders.effective_spec(path.parent)),
    "a spec": (run_folders.SPEC, spec.read),
    "a note": (training_list.NOTE_FILE, lambda path: training_list.read_note(path.parent)),
    "the place of a job": (run_folders.EXPORTED, lambda path: run_folders.exported_to(path.parent)),
    "pairs to look through": (curation.ITEMS, lambda path: curation.Curation(path.parent)),
    "rows": ("rows.jsonl", file_import.import_file),
    "questions": ("set.csv", question_files.read),
    "a workbook": ("set.xlsx", question_files.read),
    "weights": ("model.safetensors", hf_weights.read_safetensors_header),
}


@pytest.mark.parametrize("case", READERS)
@pytest.mark.fault("S10")
def test_a_pipe_under_the_name_of_a_file_holds_nothing_up(case: str, tmp_path: Path) -> None:
    name, read = READERS[case]
    os.mkfifo(tmp_path / name)
    try:
        read(tmp_path / name)
    except (AppError, SpecError):
        return


@pytest.mark.parametrize("read", [batch_questions.read_batch_file, question_files.read, file_import.import_file])
@pytest.mark.fault("S10")
def test_a_folder_or_a_pipe_is_no_file_of_questions_or_rows(read: Callable[[Path], object], tmp_path: Path) -> None:
    (tmp_path / "folder.xlsx").mkdir()
    with pytest.raises(AppError) as caught:
        read(tmp_path / "folder.xlsx")
    assert describe_error(caught.value).next == "フォルダの中のファイルを 1 つ指定してください。"
    for name in ("pipe.csv", "pipe"):  # the latter: as a shell hands one in
        os.mkfifo(tmp_path / name)
        with pytest.raises(AppError) as caught:
            read(tmp_path / name)
        assert describe_error(caught.value).next == "中身をファイルに保存し、そのファイルを指定してください。"
