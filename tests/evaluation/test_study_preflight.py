"""A study goes on only with the models and documents with which it began, and what memory it lacks is named before."""

import dataclasses
from pathlib import Path

import pytest

from app.base.errors import AppError
from app.documents.grounding.grounding_record import CollectionRef
from app.documents.library import Library
from app.documents.retrieval import excerpts
from app.evaluation.judge import judge_prompt
from app.evaluation.study import compared_systems, planning, study_preflight, study_steps
from app.evaluation.study.compared_systems import AdapterInUse, DocumentScope
from app.evaluation.study.studies import MadeModel, Study
from app.evaluation.study.study_preflight import MemoryShortage
from app.inference import gguf, memory_estimate
from app.inference.local_model import FileFingerprint, LocalModel
from app.inference.machine import MemoryBudget
from app.inference.quantizations import parse_quantizations
from app.models import local_models
from tests import model_files as models
from tests.evaluation.driver import answer, write_study


class Desk:
    def __init__(self, folder: Path) -> None:
        self.folder = folder / "x"
        self.database = folder / "documents.sqlite"
        self.path = folder / "model.gguf"
        self.path.write_bytes(b"weights")
        status = self.path.stat()
        mark = FileFingerprint(self.path.name, status.st_size, status.st_mtime_ns, "")
        self.model = LocalModel("m", "モデル", str(self.path), 7, "llama", "F16", 4096, 1.0, files=(mark,))

    def study(self, scope: tuple[CollectionRef, ...] = (), adapter: Path | None = None) -> Study:
        documents = (
            DocumentScope(scope, sha256=study_preflight.documents_sha256(self.database, scope)) if scope else None
        )
        tuning = AdapterInUse(str(adapter)) if adapter else None
        asked = compared_systems.assign_ids([compared_systems.compared_system(self.model, tuning, documents)])
        return write_study(self.folder, *asked)

    def trouble(self, one: Study) -> str:
        try:
            study_preflight.require_unchanged(one, self.folder, 2, self.database)
        except AppError as error:
            return error.code
        return ""


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_model_that_became_another_file_is_refused_until_its_answers_are_all_there(desk: Desk) -> None:
    one = desk.study()
    assert desk.trouble(one) == ""
    desk.path.write_bytes(b"others!")
    assert desk.trouble(one) == "evaluation_model_changed"
    desk.path.unlink()
    assert desk.trouble(one) == "model_missing"
    answer(desk.folder, "s1")
    assert desk.trouble(one) == ""


def test_an_adapter_that_became_another_file_is_refused(desk: Desk, tmp_path: Path) -> None:
    adapter = tmp_path / "adapter.gguf"
    adapter.write_bytes(b"first")
    one = desk.study(adapter=adapter)
    assert desk.trouble(one) == ""
    adapter.write_bytes(b"other")
    assert desk.trouble(one) == "evaluation_adapter_changed"
    adapter.unlink()
    assert desk.trouble(one) == "evaluation_adapter_changed"


def test_an_adapter_counts_until_it_is_merged(desk: Desk, tmp_path: Path) -> None:
    adapter, merged = tmp_path / "adapter.gguf", tmp_path / "merged.gguf"
    adapter.write_bytes(b"first")
    made = MadeModel(
        str(merged), "F16", str(desk.path), str(adapter), adapter_sha256=compared_systems.adapter_sha256(str(adapter))
    )
    one = desk.study()
    model = dataclasses.replace(one.contenders[0].model, path=str(merged))
    one = dataclasses.replace(one, contenders=(dataclasses.replace(one.contenders[0], model=model),), made=(made,))
    adapter.write_bytes(b"other")
    assert desk.trouble(one) == "evaluation_adapter_changed"
    merged.write_bytes(b"made")
    assert desk.trouble(one) == ""


def test_an_adapter_that_is_still_to_be_trained_is_none_that_changed(desk: Desk, tmp_path: Path) -> None:
    one = desk.study(adapter=tmp_path / "adapter.gguf")
    (tmp_path / "adapter.gguf").write_bytes(b"trained")
    assert desk.trouble(one) == ""


def test_a_model_that_was_only_copied_back_is_the_same(desk: Desk) -> None:
    one = desk.study()
    desk.path.unlink()
    desk.path.write_bytes(b"weights")
    assert desk.trouble(one) == ""


def test_what_a_form_is_made_of_is_looked_at_too(desk: Desk) -> None:
    one = desk.study()
    answer(desk.folder, "s1")
    form = str(desk.folder / "models" / "form.gguf")
    first = one.contenders[0]
    made = dataclasses.replace(first, model=dataclasses.replace(first.model, path=form))
    contenders = compared_systems.assign_ids([first, made])
    two = dataclasses.replace(one, contenders=contenders, made=(MadeModel(form, "Q8_0", str(desk.path)),))
    assert study_steps.root_of(two, form) == str(desk.path)
    assert desk.trouble(two) == ""
    desk.path.write_bytes(b"others!")
    assert desk.trouble(two) == "evaluation_model_changed"


def test_a_file_that_forms_are_unpacked_from_is_looked_at_though_it_is_not_compared(desk: Desk, tmp_path: Path) -> None:
    one = desk.study()
    unpacked, form = tmp_path / "bases" / "1", str(desk.folder / "models" / "form.gguf")
    first, sha256 = one.contenders[0], one.contenders[0].system.model_sha256
    contenders = (dataclasses.replace(first, model=dataclasses.replace(first.model, path=form)),)
    folder = MadeModel(
        str(unpacked), "folder", str(desk.path), is_shared=True, source_form="Q4_K_M", source_sha256=sha256
    )
    two = dataclasses.replace(one, contenders=contenders, made=(folder, MadeModel(form, "F16", str(unpacked))))
    assert desk.trouble(two) == ""
    desk.path.write_bytes(b"others!")
    assert desk.trouble(two) == "evaluation_model_changed"
    desk.path.unlink()
    assert desk.trouble(two) == "model_missing"
    unpacked.mkdir(parents=True)  # the file is not needed any more
    assert desk.trouble(two) == ""


def test_documents_that_came_changed_or_went_are_refused(desk: Desk, tmp_path: Path) -> None:
    library = Library.open(desk.database)
    collection, other = library.add_collection("基準"), library.add_collection("別")
    scope = (CollectionRef(collection, "基準"),)
    one = desk.study(scope)
    path = tmp_path / "規程.md"
    path.write_text("# 点検\n", "utf-8")
    library.add_documents(other, [path])
    assert desk.trouble(one) == ""  # another collection
    library.rename_collection(collection, "新基準")
    assert desk.trouble(one) == ""
    (number,) = library.add_documents(collection, [path])
    assert desk.trouble(one) == "evaluation_documents_changed"
    library.remove_documents([number])
    assert desk.trouble(one) == ""
    library.close()


# ------------------------------------------------------------------------- memory


NONE = MemoryBudget(1 << 40, 1, 0)  # of which nothing is free


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "evaluations" / "x"


@pytest.fixture
def study(tmp_path: Path, folder: Path) -> Study:
    """Of a file in F32, of which two forms are to be made."""
    model = local_models.describe(models.tiny_llama(tmp_path / "小.gguf"))
    plan = planning.plan_quantizations(
        planning.source_of_model(model),
        parse_quantizations("F16,Q8_0,Q4_K_M"),
        None,
        tmp_path / "x",
        tmp_path / "bases",
    )
    return write_study(folder, *plan.contenders, kind="quantizations", context_tokens=512, made=plan.made_models)


def needed(study: Study, number: int) -> int:
    """Of a form, by its own size and what the file that it is made of tells of the rest."""
    like = memory_estimate.estimate_memory(gguf.read_header(Path(study.contenders[0].model.path)), study.context_tokens)
    return like.total_bytes - like.weights_bytes + study.contenders[number].system.size_bytes


def test_only_what_does_not_fit_is_named(study: Study, folder: Path) -> None:
    free = needed(study, 1)  # of Q8_0
    found = study_preflight.memory_shortages(study, folder, MemoryBudget(1 << 40, free, 0))
    assert [one.name for one in found] == [study.contenders[0].system.name]
    assert len(study_preflight.memory_shortages(study, folder, MemoryBudget(1 << 40, free - 1, 0))) == 2
    assert study_preflight.memory_shortages(study, folder, MemoryBudget(1 << 40, 1 << 40, 0)) == []


def test_graphics_memory_is_room_too(study: Study, folder: Path) -> None:
    assert study_preflight.memory_shortages(study, folder, MemoryBudget(1 << 40, 1, 0, graphics_bytes=1 << 34)) == []


def test_what_is_answered_already_needs_nothing(study: Study, folder: Path) -> None:
    for one in study.contenders[:2]:
        answer(folder, one.system.id)
    assert [one.name for one in study_preflight.memory_shortages(study, folder, NONE)] == [
        study.contenders[2].system.name
    ]


def test_the_judge_is_named_with_what_its_own_context_takes(study: Study, folder: Path, tmp_path: Path) -> None:
    path = models.tiny_llama(tmp_path / "採点.gguf", metadata={"llama.context_length": 1 << 15})
    judge = local_models.describe(path)
    for one in study.contenders:
        answer(folder, one.system.id)
    need = memory_estimate.estimate_memory(gguf.read_header(path), judge_prompt.CONTEXT_TOKENS)
    expected = need.total_bytes - need.weights_bytes + judge.size_bytes
    judged = dataclasses.replace(study, judge=judge)
    assert study_preflight.memory_shortages(judged, folder, NONE) == [
        MemoryShortage(judge.name, expected, is_judge=True)
    ]
    assert study_preflight.memory_shortages(judged, folder, MemoryBudget(1 << 40, expected, 0)) == []


def test_no_model_is_loaded_where_the_documents_are_quoted(
    study: Study, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = study.contenders[:2]
    quoted = dataclasses.replace(first, scope=(CollectionRef(1, "基準"),))
    asked = dataclasses.replace(second, model=first.model, scope=quoted.scope, may_quote=False)
    both = dataclasses.replace(study, contenders=(quoted, asked))
    assert [one.name for one in study_preflight.memory_shortages(both, folder, NONE)] == [asked.system.name]
    monkeypatch.setattr(excerpts, "PARAMETERS_MIN", 0)
    assert len(study_preflight.memory_shortages(both, folder, NONE)) == 2


def test_what_is_made_of_a_folder_needs_its_weights_at_least(study: Study, folder: Path, tmp_path: Path) -> None:
    first = study.contenders[0]
    model = dataclasses.replace(first.model, path=str(tmp_path))  # no GGUF file
    made = dataclasses.replace(first, model=model, system=dataclasses.replace(first.system, size_bytes=1000))
    study = dataclasses.replace(study, contenders=compared_systems.assign_ids([made]), made=())
    assert [
        one.need_bytes for one in study_preflight.memory_shortages(study, folder, MemoryBudget(1 << 40, 999, 0))
    ] == [1000]
    assert study_preflight.memory_shortages(study, folder, MemoryBudget(1 << 40, 1000, 0)) == []
