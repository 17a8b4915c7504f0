"""Tuned models of the list: where they come from, what they borrow, and when they are refused."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.base.errors import AppError
from app.base.files import input_file
from app.base.paths import Paths
from app.chat.store import Store
from app.inference.local_model import LocalModel
from app.models import local_models, model_registry, models_folder
from app.training import published_model, quality_gate
from app.training.runs import run_folders
from tests import model_files as models
from tests.training_runs import finished_run


@dataclass
class Shelf:
    where: Paths
    store: Store
    base: LocalModel
    run: Path

    def use(self, form: str = quality_gate.BASE_ADAPTER, strength: float = 1.0) -> LocalModel:
        return published_model.publish(self.run, self.store, self.where.models, form=form, strength=strength)

    def listed(self) -> list[LocalModel]:
        return model_registry.list_models(self.store, self.where.models)

    def refusal(self, model: LocalModel) -> str:
        with pytest.raises(AppError) as caught:
            model_registry.require_unchanged(model)
        return caught.value.code


@pytest.fixture
def shelf(where: Paths, store: Store) -> Shelf:
    path = models.tiny_llama(where.models / "base.gguf")
    base = local_models.add(store, dataclasses.replace(local_models.describe(path), name="土台"))
    return Shelf(where, store, base, finished_run(where.runs / "r1", path, name="敬語の応答"))


def test_a_base_with_the_adapter_of_a_run_stands_in_the_list_under_the_name_of_the_run(shelf: Shelf) -> None:
    model = shelf.use(strength=0.8)
    assert shelf.store.local_models() == [dataclasses.replace(shelf.base, files=model.files)]
    assert shelf.listed()[1:] == [model]
    assert (model.name, model.path, model.form_id) == ("敬語の応答 ×0.8", shelf.base.path, "question_answer_trained")
    assert (model.tuned.base_name, model.tuned.strength) == ("土台", 0.8)
    assert model.tuned.base_sha256 == model.files[0].sha256 == input_file.sha256_of(Path(shelf.base.path))
    assert model.tuned.adapter_sha256 == input_file.sha256_of(shelf.run / run_folders.ADAPTER)
    assert model_registry.base_of(model, shelf.listed()) == shelf.store.local_models()[0]
    assert local_models.adapter_of(model) is None
    model_registry.require_unchanged(model)


def test_the_same_run_and_strength_are_one_model_and_another_strength_or_training_is_another(shelf: Shelf) -> None:
    first = shelf.use()
    assert shelf.use() == first
    assert shelf.use(strength=0.5).id != first.id
    assert len(list((shelf.where.models / model_registry.ADAPTERS_FOLDER).iterdir())) == 1
    shelf.run = finished_run(shelf.where.runs / "r2", Path(shelf.base.path), name="敬語の応答", seed=3)
    assert shelf.use().name == "敬語の応答 (2)"


def test_it_answers_on_when_its_run_is_gone(shelf: Shelf) -> None:
    model = shelf.use()
    run_folders.delete_run(run_folders.read(shelf.run))
    assert not shelf.run.exists()
    model_registry.require_unchanged(model)  # raises where something of it is gone
    assert Path(model.adapter).is_file()


def test_a_base_or_an_adapter_that_is_gone_or_another_is_refused(shelf: Shelf) -> None:
    model = shelf.use()
    adapter, base = Path(model.adapter), Path(model.path)
    kept = adapter.read_bytes()
    adapter.write_bytes(kept[:-1] + b"\0")
    assert shelf.refusal(model) == "tuned_adapter_changed"
    adapter.unlink()
    assert shelf.refusal(model) == "tuned_adapter_gone"
    assert shelf.use() == model
    model_registry.require_unchanged(model)  # used once more it is whole again
    models.tiny_llama(base, seed=7)
    assert shelf.refusal(model) == "tuned_base_changed"
    base.unlink()
    assert shelf.refusal(model) == "tuned_base_gone"


def test_a_base_that_was_changed_before_is_not_taken(shelf: Shelf) -> None:
    models.tiny_llama(Path(shelf.base.path), seed=7)
    with pytest.raises(AppError, match="tuned_base_changed"):
        shelf.use()
    assert shelf.listed() == [shelf.base]


def test_base_and_adapter_go_along_to_another_models_folder(shelf: Shelf, tmp_path: Path) -> None:
    model = shelf.use()
    target = tmp_path / "ほか"
    moved = models_folder.move(shelf.where, target, shelf.store)
    (there,) = model_registry.list_models(shelf.store, moved.folder)[1:]
    assert there.id == model.id
    assert Path(there.path).parent == target
    assert Path(there.adapter).is_relative_to(target)
    model_registry.require_unchanged(there)


def test_a_base_that_was_added_anew_from_elsewhere_is_found_by_its_hash(shelf: Shelf, tmp_path: Path) -> None:
    model = shelf.use()
    base = shelf.store.local_models()[0]
    elsewhere = Path(base.path).rename(tmp_path / "elsewhere.gguf")
    shelf.store.remove_local_model(base.id)
    assert model_registry.base_of(model, shelf.listed()) is None
    (alone,) = shelf.listed()
    assert alone.path == base.path
    local_models.add(shelf.store, dataclasses.replace(base, path=str(elsewhere)))
    assert shelf.listed()[1].path == str(elsewhere)


def test_a_merged_form_is_a_model_of_its_own_that_keeps_name_and_form(shelf: Shelf) -> None:
    merged = models.tiny_llama(shelf.run / "keigo-Q4_K_M.gguf", seed=5)
    model = shelf.use("Q4_K_M")
    assert shelf.store.local_models() == shelf.listed() == [model_registry.base_of(model, shelf.listed()), model]
    assert (model.name, model.path, model.adapter) == ("敬語の応答 Q4_K_M", str(merged), "")
    assert model.form_id == "question_answer_trained"
    assert model.files[0].sha256 == input_file.sha256_of(merged)
    assert shelf.use("Q4_K_M") == model
    again = local_models.add(shelf.store, local_models.describe(merged))
    assert (again.name, again.form_id, again.tuned) == (model.name, model.form_id, model.tuned)
    with pytest.raises(AppError, match="tuned_form_missing"):
        shelf.use("Q8_0")


def test_what_is_removed_can_be_put_back_and_its_adapter_goes_with_the_next(shelf: Shelf) -> None:
    model = shelf.use()
    shelf.store.remove_local_model(model.id)
    assert shelf.listed() == shelf.store.local_models()
    model_registry.put_tuned_model(shelf.store, model)
    assert shelf.listed()[1:] == [model]
    shelf.store.remove_local_model(model.id)
    model_registry.delete_unused_adapters(shelf.store, shelf.where.models, {model.adapter})
    assert Path(model.adapter).is_file()
    model_registry.delete_unused_adapters(shelf.store, shelf.where.models)
    assert not Path(model.adapter).exists()


def test_a_name_finds_it_and_a_card_finds_its_base(shelf: Shelf) -> None:
    model = dataclasses.replace(shelf.use(), card_id="c")
    base = dataclasses.replace(shelf.base, card_id="c")
    assert local_models.find([model, base], "敬語の応答") == model
    assert local_models.find([model, base], "c") == base
    assert local_models.find([model, base], base.path) == base


def test_a_publishers_template_must_be_allowed_first(shelf: Shelf) -> None:
    base = models.tiny_llama(Path(shelf.base.path), chat_template="{{ messages }}")
    shelf.store.put_local_model(dataclasses.replace(local_models.describe(base), id=shelf.base.id))
    shelf.run = finished_run(shelf.where.runs / "r2", base, form=None)
    with pytest.raises(AppError, match="tuned_needs_template"):
        shelf.use()
    shelf.store.put_local_model(dataclasses.replace(shelf.store.local_models()[0], template_allowed=True))
    model = shelf.use()
    assert (model.form_id, model.template_allowed) == (None, True)


def test_a_run_without_an_adapter_has_nothing_to_use(shelf: Shelf) -> None:
    (shelf.run / run_folders.ADAPTER).unlink()
    with pytest.raises(AppError, match="run_no_adapter"):
        shelf.use()
    (shelf.run / run_folders.SPEC).write_text(json.dumps({}), encoding="utf-8")
    models.tiny_adapter(shelf.run / run_folders.ADAPTER)
    with pytest.raises(AppError, match="run_damaged"):
        shelf.use()
