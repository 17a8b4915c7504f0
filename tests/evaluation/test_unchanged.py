"""A study goes on only with the very models and documents with which it began."""

import dataclasses
from pathlib import Path

import pytest

from app.base.errors import AppError
from app.documents.grounding.grounding_record import CollectionRef
from app.documents.library import Library
from app.evaluation.study import compared_systems, study_preflight, study_steps
from app.evaluation.study.compared_systems import AdapterInUse, DocumentScope
from app.evaluation.study.studies import MadeModel, Study
from app.inference.local_model import FileFingerprint, LocalModel
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
