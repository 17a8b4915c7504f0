"""What can be trained, and why not: a GGUF in parts, a publisher's folder without a chat template."""

import json
import shutil
from pathlib import Path

import pytest

from app.base import wording
from app.base.errors import AppError
from app.models import base_models, local_models
from app.training import training_errors
from tests import hf_models
from tests import model_files as models


def refused(wanted: Path) -> AppError:
    with pytest.raises(AppError) as caught:
        base_models.resolve_base(str(wanted), ())
    return caught.value


@pytest.mark.parametrize("name", ["大-00001-of-00002.gguf", "大-00001-OF-00013.GGUF"])
def test_a_gguf_in_parts_is_refused_in_words(tmp_path: Path, name: str) -> None:
    first = models.tiny_llama(tmp_path / name)
    error = refused(first)
    assert (error.code, wording.describe_error(error).next[:6]) == ("base_is_split", "1 つのファ")
    listed = local_models.describe(first)
    refusal = base_models.training_refusal(listed)
    assert refusal is not None
    assert refusal.code == "base_is_split"


def test_a_model_whose_only_part_is_the_whole_is_a_base(tmp_path: Path) -> None:
    path = models.tiny_llama(tmp_path / "小-00001-of-00001.gguf")
    assert base_models.resolve_base(str(path), ()).path == path


def test_a_folder_without_a_chat_template_is_refused_with_the_way_on(tmp_path: Path) -> None:
    folder = hf_models.model(tmp_path / "土台")
    with pytest.raises(AppError) as caught:
        base_models.read_base_folder(folder)
    error = caught.value
    assert error.code == "base_no_template"
    with pytest.raises(AppError, match="base_no_template"):
        base_models.require_form(base_models.resolve_base(str(folder), ()))
    assert "Instruct" in wording.describe_error(error).next
    about = folder / "tokenizer_config.json"
    about.write_text(json.dumps(json.loads(about.read_text("utf-8")) | {"chat_template": "{{ messages }}"}), "utf-8")
    base_models.require_form(base_models.resolve_base(str(folder), ()))
    assert base_models.read_base_folder(folder).folder == folder
    shutil.rmtree(folder)
    (hf_models.model(folder) / "chat_template.jinja").write_text("{{ messages }}", encoding="utf-8")
    assert base_models.read_base_folder(folder).folder == folder


def test_a_template_that_says_what_no_form_can_is_told_without_a_fields_name(tmp_path: Path) -> None:
    facts = {"field": "form", "value": None, "expected": "a form: the base has no chat template"}
    error = training_errors.error_from_run("spec_invalid", facts, "点検")
    assert error.code == "base_form_unreadable"
    assert "form" not in str(wording.describe_error(error))
    assert (
        training_errors.error_from_run("spec_invalid", facts | {"field": "rank", "value": 0}, "点検").code
        == "spec_invalid"
    )
