"""What a hub says becomes a card, or is left out."""

import pytest

from app.base.errors import AppError
from app.models import hub_models
from app.models.download_queue import PublishedWeights
from app.models.downloads.messages import HubRepository, ListedFile

SHA = "a" * 64


def listed(*names: str) -> tuple[ListedFile, ...]:
    return tuple(ListedFile(name, 1_000_000 + number, SHA) for number, name in enumerate(names))


def quantizations(*names: str) -> dict[str, str]:
    card = hub_models.card_of(HubRepository("owner/Model-GGUF", "c" * 40, listed(*names)))
    return {file.quantization: file.file for file in card.files}


def test_each_model_has_a_distinct_quantization_and_a_split_one_is_one() -> None:
    assert quantizations("M-Q4_K_M.gguf", "M.i1-IQ3_XXS.gguf", "m-f16.gguf", "M-UD-Q4_K_XL.gguf") == {
        "Q4_K_M": "M-Q4_K_M.gguf",
        "IQ3_XXS": "M.i1-IQ3_XXS.gguf",
        "F16": "m-f16.gguf",
        "UD-Q4_K_XL": "M-UD-Q4_K_XL.gguf",
    }
    parts = [f"Q8_0/M-Q8_0-{number:05}-of-00003.gguf" for number in (1, 2, 3)]
    assert quantizations(*parts) == {"Q8_0": parts[0]}
    assert quantizations("A-Q4_0.gguf", "B-Q4_0.gguf") == {"A-Q4_0": "A-Q4_0.gguf", "B-Q4_0": "B-Q4_0.gguf"}


def test_the_part_that_reads_pictures_comes_with_each_model() -> None:
    names = ("M-Q4_K_M.gguf", "M-Q8_0.gguf", "mmproj-BF16.gguf", "mmproj-F16.gguf", "../mmproj-F16.gguf")
    card = hub_models.card_of(HubRepository("owner/Model-GGUF", "c" * 40, listed(*names)))
    assert {file.quantization: file.projector for file in card.files} == dict.fromkeys(
        ("Q4_K_M", "Q8_0"), "mmproj-F16.gguf"
    )


@pytest.mark.parametrize(
    ("repository", "files"),
    [
        ("owner/model", ("../../etc/x.gguf", "a b.gguf", "mmproj-F16.gguf", "imatrix.gguf", "x.safetensors")),
        ("owner/model", ("M-Q8_0-00001-of-00002.gguf",)),  # half of it
        ("../model", ("M-Q8_0.gguf",)),
        ("owner/mod\u202eel", ("M-Q8_0.gguf",)),
    ],
)
def test_what_is_no_model_or_has_a_deceitful_name_is_left_out(repository: str, files: tuple[str, ...]) -> None:
    with pytest.raises(AppError) as caught:
        hub_models.card_of(HubRepository(repository, "c" * 40, listed(*files)))
    assert caught.value.code == "hub_no_gguf"


def test_of_the_files_of_a_pattern_the_usual_one_is_taken() -> None:
    card = hub_models.card_of(HubRepository("owner/m", "c" * 40, listed("M-Q2_K.gguf", "M-Q4_K_M.gguf", "M-Q8_0.gguf")))
    found = [hub_models.choose_file(card, wanted).quantization for wanted in ("*.gguf", "*Q8*", "q2_k")]
    assert found == ["Q4_K_M", "Q8_0", "Q2_K"]


@pytest.mark.parametrize(
    "name", ["qwen3-8b", "Qwen3", "./model.gguf", "/srv/models/m.gguf", "a/b/c", "owner/", "a b/c"]
)
def test_other_names_are_no_repository(name: str) -> None:
    assert hub_models.parse_reference(name) is None


def test_a_base_takes_no_file_from_elsewhere_and_each_name_once() -> None:
    names = ("model.safetensors", "config.json", "LICENSE", "license", "../config.json", "/etc/model.safetensors")
    odd = ("model\n.safetensors", "modelx/../../a.safetensors", "model\u202e.safetensors", "..", "", "auto.py")
    card = hub_models.base_card_of(HubRepository("owner/Model", "c" * 40, listed(*names, *odd, "config.json")))
    (weights,) = card.files
    assert isinstance(weights, PublishedWeights)
    assert [part.name for part in weights.parts] == ["config.json", "license", "model.safetensors"]


@pytest.mark.parametrize(
    ("parameters", "label"), [(0, ""), (494_032_768, "494M"), (7_615_616_512, "7.6B"), (123_000_000_000, "123B")]
)
def test_the_number_of_parameters_is_shown_as_people_write_it(parameters: int, label: str) -> None:
    found = HubRepository("owner/M", "c" * 40, listed("M-Q8_0.gguf"), parameters=parameters)
    assert hub_models.card_of(found).size_label == label
