"""The part with which a model reads pictures: found in its folder, counted in the forecast, and done without."""

import dataclasses

import pytest

from app.base.errors import AppError
from app.base.settings import Settings
from app.inference import gguf, load_plan, machine, memory_estimate
from app.models import catalogue, download_queue, local_models
from app.models.catalogue import ModelFile
from tests import model_files as models

BESIDE = [
    (("tiny-Q8_0.gguf",), "mmproj-tiny-f16.gguf", True),
    (("tiny-Q8_0.gguf", "other-Q4_K_M.gguf"), "tiny-mmproj-BF16.gguf", True),
    (("tiny-Q8_0.gguf", "tiny-Q4_K_M.gguf"), "mmproj-F16.gguf", True),  # every model there is this one
    (("tiny-Q8_0.gguf",), "mmproj-model-f16.gguf", True),
    (("tiny-Q8_0.gguf", "other-Q4_K_M.gguf"), "mmproj-F16.gguf", False),
    (("tiny-Q8_0.gguf",), "mmproj-other-f16.gguf", False),
    (("tiny-Q8_0.gguf",), "tiny-f16.gguf", False),
]


@pytest.mark.parametrize(("names", "part", "is_found"), BESIDE)
def test_it_is_found_in_the_folder_by_its_name(names, part, is_found, tmp_path):
    for name in names:
        models.tiny_llama(tmp_path / name)
    made = models.projector(tmp_path / part)
    assert local_models.describe(tmp_path / names[0]).projector == (str(made) if is_found else "")


def test_one_of_another_width_is_neither_found_nor_taken(tmp_path):
    path = models.tiny_llama(tmp_path / "tiny-F32.gguf")
    part = models.projector(tmp_path / "tiny-mmproj-F16.gguf", models.ProjectorShape(text=72))
    model = local_models.describe(path)
    assert model.projector == ""
    with pytest.raises(AppError, match="projector_mismatch"):
        local_models.with_projector(model, part)


def test_it_is_planned_and_counted_where_the_engine_can_use_it(tmp_path, monkeypatch):
    path = models.tiny_llama(tmp_path / "tiny-F32.gguf")
    part = models.projector(tmp_path / "tiny-mmproj-F16.gguf")
    model, header = local_models.describe(path), gguf.read_header(path)
    both = memory_estimate.estimate_memory(header, 512, projector=gguf.check_projector(part, header))
    alone = memory_estimate.estimate_memory(header, 512)
    assert both.weights_bytes - alone.weights_bytes == gguf.read_header(part).weights_bytes
    assert both.compute_bytes > alone.compute_bytes
    monkeypatch.setattr(machine, "has_picture_library", lambda: True)
    assert load_plan.plan_load(model, Settings()).projector == str(part)
    monkeypatch.setattr(machine, "has_picture_library", lambda: False)
    assert load_plan.plan_load(model, Settings()).projector == ""
    monkeypatch.setattr(machine, "has_picture_library", lambda: True)
    part.unlink()
    assert load_plan.plan_load(model, Settings()).projector == ""  # questions are answered without pictures
    again = local_models.merged_with_known(local_models.describe(path), [model])
    assert again.projector == str(part)  # it may be on a drive that is not plugged in


def test_a_download_of_another_size_is_refused_also_if_a_part_that_reads_pictures_came_along(tmp_path, monkeypatch):
    models.tiny_llama(tmp_path / "m.gguf")
    book = catalogue.load()
    file = ModelFile("F32", 10**9, repository="o/m", file="m.gguf", projector="mmproj.gguf")
    card = dataclasses.replace(book.cards[0], id="o--m", files=(file,), shape=None)
    monkeypatch.setattr(catalogue, "load", lambda: dataclasses.replace(book, cards=(card,)))
    planned = download_queue.plan_download(card, file, "", "1")
    models.projector(tmp_path / planned.files[1].name)
    with pytest.raises(AppError, match="download_other_model"):
        download_queue.downloaded_model(planned, tmp_path)


def test_a_download_goes_on_if_the_repository_has_its_part_that_reads_pictures_no_more():
    card = catalogue.card("gemma-3-4b-it")
    planned = download_queue.plan_download(card, card.files[0], "", "1")
    model, part = planned.files
    assert (part.name, part.source) == ("gemma-3-4b-it-mmproj-F16.gguf", "mmproj-F16.gguf")
    sizes = {model.source: (model.size_bytes, ""), part.source: (9, "a" * 64)}
    whole = download_queue.with_listing(planned, "c", sizes)
    assert (whole.files[1].size_bytes, whole.size_bytes) == (9, model.size_bytes + 9)
    del sizes[part.source]
    assert download_queue.with_listing(planned, "c", sizes).files == (model,)
    with pytest.raises(AppError, match="download_not_found"):
        download_queue.with_listing(planned, "c", {part.source: (9, "")})
