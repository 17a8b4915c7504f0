"""From a SPEC to what the trainer takes: bases, models of the list, split data, hashes, and every mistake by name."""

import hashlib
import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from app.base import wording
from app.base.errors import AppError
from app.base.paths import Paths
from app.inference.local_model import LocalModel
from app.models import base_models, catalogue, local_models, verification
from app.training import spec_builder, training_errors
from tests import hf_models
from tests import model_files as models
from tests import model_files as tiny
from tests.training import driver
from tests.training.driver import ROW, code_of, refused
from trainer import events, spec
from trainer.prompt_form import TrainingPromptForm
from trainer.spec import RunSpec, SpecError


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return driver.write_split(tmp_path / "点検データ")


@pytest.fixture
def model(tmp_path: Path) -> LocalModel:
    return local_models.describe(tiny.tiny_llama(tmp_path / "小さなモデル.gguf"))


def draft(wishes: dict[str, Any], where: Paths, *models: LocalModel) -> RunSpec:
    return spec_builder.build_spec(wishes, where, models, "/converter")


def mistake(wishes: dict[str, Any], where: Paths, *models: LocalModel) -> AppError:
    """Return the error of what cannot be drafted, which says what to do."""
    error = refused(draft, wishes, where, *models)
    assert wording.describe_error(error).next
    return error


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "spec.json"
    path.write_text(text, encoding="utf-8")
    return path


def test_data_and_base_are_enough(where: Paths, data: Path, model: LocalModel) -> None:
    asked = draft({"data": str(data), "base": model.id}, where, model)
    assert asked.base == model.path
    assert asked.base_sha256 == hashlib.sha256(Path(model.path).read_bytes()).hexdigest()
    assert asked.base_weights == model.quantization
    assert asked.train == str(data / "train.jsonl")
    assert asked.holdout == str(data / "holdout.jsonl")
    assert asked.hashes["validation"] == hashlib.sha256((ROW * 2).encode()).hexdigest()
    assert asked.form.is_completion
    assert (asked.bases, asked.converter) == (str(where.bases), "/converter")
    assert asked.name == "点検データ"
    assert Path(asked.folder).parent == where.runs
    assert Path(asked.folder).name.endswith("-点検データ")
    assert not where.runs.exists()  # nothing is written yet
    assert spec.from_json(json.loads(json.dumps(spec.to_json(asked)))) == asked


def test_a_spec_says_more_and_its_paths_start_at_its_own_folder(
    tmp_path: Path, where: Paths, data: Path, model: LocalModel
) -> None:
    path = written(
        tmp_path,
        json.dumps({"data": data.name, "base": Path(model.path).name, "rank": 8, "epochs": 1}),
    )
    asked = draft(spec_builder.read_spec_file(path), where)
    assert (asked.base, asked.rank, asked.epochs) == (model.path, 8, 1)


def test_files_of_ones_own_get_their_hashes(tmp_path: Path, where: Paths, model: LocalModel) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text(ROW, encoding="utf-8")
    wishes = {"train": str(tmp_path / "a"), "validation": str(tmp_path / "b"), "base": model.path}
    asked = draft(wishes, where)
    assert asked.hashes == dict.fromkeys(("train", "validation"), hashlib.sha256(ROW.encode()).hexdigest())
    assert draft(wishes | {"hashes": {"train": "as frozen"}}, where).hashes["train"] == "as frozen"


def test_a_form_of_ones_own_is_kept(where: Paths, data: Path, model: LocalModel) -> None:
    form = {"question": "Q {text}\n", "answer": "A {text}\n", "answer_start": "A ", "stop": ["\n"]}
    asked = draft({"data": str(data), "base": model.path, "form": form}, where)
    assert asked.form == TrainingPromptForm("Q {text}\n", "A {text}\n", "A ", stop=("\n",))


def test_a_publishers_folder_is_a_base(tmp_path: Path, where: Paths, data: Path) -> None:
    folder = hf_models.model(tmp_path / "hf")
    (folder / "chat_template.jinja").write_text("{{ messages }}", encoding="utf-8")
    asked = draft({"data": str(data), "base": str(folder)}, where)
    assert (asked.base, asked.base_sha256, asked.form) == (str(folder), "", None)
    assert asked.base_weights == "safetensors"


@pytest.mark.parametrize(
    ("wishes", "code", "fact"),
    [
        ({"rank": 0}, "spec_invalid", ("field", "rank")),
        ({"rank": "8"}, "spec_invalid", ("expected", "1〜1024 の整数")),
        ({"rank": 3.5}, "spec_invalid", ("expected", "1〜1024 の整数")),
        ({"max_steps": 6.0}, "spec_invalid", ("expected", "1〜10000000 の整数")),
        ({"learning_rate": 2}, "spec_invalid", ("expected", "0.00000001〜1")),
        ({"学習率": 1e-4}, "spec_unknown_field", ("near", "learning_rate")),
        ({"learning_rate": float("nan")}, "spec_invalid", ("field", "learning_rate")),
        (
            {"preset": "quick"},
            "spec_invalid",
            ("expected", "light / standard / thorough / paper-2603.18037 / paper-2603.18037-bases のどれか"),
        ),
        ({"learning_rat": 1e-4}, "spec_unknown_field", ("near", "learning_rate")),
        ({"dta": "x"}, "spec_unknown_field", ("field", "dta")),
        ({"version": 2}, "spec_invalid", ("field", "version")),
        ({"form": 3}, "spec_invalid", ("field", "form")),
        ({"form": {"question": "no place", "answer": "{text}", "answer_start": ""}}, "spec_invalid", None),
        ({"hashes": [1]}, "spec_invalid", ("field", "hashes")),
        ({"name": 5}, "spec_invalid", ("field", "name")),
        ({"train": "a\0b"}, "spec_invalid", ("field", "train")),
        ({"name": "\ud800"}, "spec_invalid", ("field", "name")),
        ({"data": None}, "spec_missing", ("field", "data")),
        ({"base": ""}, "spec_missing", ("field", "base")),
        ({"train": "x"}, "spec_data_twice", ("field", "train")),
        ({"data": "/none"}, "split_unusable", None),
        ({"data": None, "train": "/none"}, "run_data_missing", ("path", "/none")),
        ({"base": "none"}, "base_unknown", ("wanted", "none")),
        ({"base": "starter"}, "base_starter_missing", None),
        ({"base": "/none.gguf"}, "file_missing", None),
    ],
)
def test_a_mistake_is_named(
    where: Paths, data: Path, model: LocalModel, wishes: dict[str, Any], code: str, fact: tuple[str, str] | None
) -> None:
    error = mistake({"data": str(data), "base": model.path} | wishes, where)
    assert error.code == code
    assert fact is None or error.facts[fact[0]] == fact[1]


def test_what_may_be_set_is_named_without_what_is_filled_in(where: Paths, data: Path, model: LocalModel) -> None:
    near = mistake({"data": str(data), "base": model.path, "qqq": 1}, where).facts["near"].split(" / ")
    assert {"data", "base", "learning_rate"} <= set(near)
    assert not {"version", "hashes", "bases", "base_sha256", "base_weights", "form", "converter"} & set(near)


def test_a_part_of_a_split_that_is_missing_is_named(where: Paths, data: Path, model: LocalModel) -> None:
    (data / "holdout.jsonl").unlink()
    error = mistake({"data": str(data), "base": model.path}, where)
    assert (error.code, error.facts["path"]) == ("run_data_missing", str(data / "holdout.jsonl"))


def test_data_without_validation_is_refused(tmp_path: Path, where: Paths, model: LocalModel) -> None:
    (tmp_path / "t").write_text(ROW, encoding="utf-8")
    error = mistake({"train": str(tmp_path / "t"), "base": model.path}, where)
    assert (error.code, error.facts["field"]) == ("spec_missing", "validation")


def test_what_is_trained_on_are_the_files_that_were_verified(where: Paths, data: Path, model: LocalModel) -> None:
    manifest = json.loads((data / "split.json").read_text(encoding="utf-8"))
    del manifest["files"]["train"]["file"]
    manifest["files"]["holdout"]["file"] = "../other.jsonl"
    (data / "split.json").write_text(json.dumps(manifest), encoding="utf-8")
    asked = draft({"data": str(data), "base": model.path}, where)
    assert (asked.train, asked.holdout) == (str(data / "train.jsonl"), str(data / "holdout.jsonl"))


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        *((content, "spec_unreadable", "") for content in (
            b"", b"nonsense", b'{"base": "a", "base": "b"}', b"[" * 100_000, "\ufeff".encode()
        )),
        (b'{"base": "a",\n"rank" 3}', "spec_unreadable", "2 行目"),
        ('{"base": "橋"}'.encode("cp932"), "spec_not_utf8", "UTF-8"),
        ('{"base": "橋"}'.encode("utf-16"), "spec_not_utf8", "UTF-8"),
        (b"[]", "spec_unreadable", "{ } で囲まれた"),
        (b'{"rank": NaN}', "spec_unreadable", "NaN は"),
        (b'{"rank": 1, "rank": 2}', "spec_unreadable", "2 回"),
        *((content, None, "") for content in (b'{"data": 5}', b'{"data": "a\\u0000b"}', b'{"base": "\\ud800"}')),
    ],
)  # fmt: skip
def test_why_a_spec_cannot_be_read_is_said_in_japanese(
    tmp_path: Path, content: bytes, code: str | None, words: str
) -> None:
    (tmp_path / "設定.json").write_bytes(content)
    error = refused(spec_builder.read_spec_file, tmp_path / "設定.json")
    assert error.code in ([code] if code else ["spec_invalid", "spec_unreadable"])
    said = str(wording.describe_error(error))
    assert words in said
    assert not re.search("Expecting|codec|object", said)


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("none.json", "spec_not_found"),
        ("\udcff.json", "spec_not_found"),
        (".", "spec_unreadable"),
        ("~no-such-user/x", "spec_unreadable"),
        ("x" * 300, "spec_unreadable"),
    ],
)
def test_a_spec_that_is_not_there_and_a_folder_are_refused(path: str, code: str) -> None:
    error = refused(spec_builder.read_spec_file, Path(path))
    said = str(wording.describe_error(error))
    assert (error.code, said.encode() != b"") == (code, True)
    assert path != "." or sys.platform == "win32" or "フォルダです" in said


# --------------------------------------------------------------------------- bases


def test_every_form_of_the_catalogue_ends_with_what_the_engine_stops_at() -> None:
    for form in catalogue.load().forms.values():
        made = base_models.trainer_form(form)
        assert made.is_completion == (made.end == "")
        assert made.end in (*form.stop, "")
        found = base_models.find_prompt_form(made)
        assert found is not None
        assert base_models.trainer_form(found) == made  # that of the same text without an opening for thoughts


def asked_of(model: LocalModel, **fields: Any) -> RunSpec:
    return RunSpec("/run", model.path, "/t", "/v", base_sha256=base_models.sha256_of_model(model), **fields)


def test_the_model_of_a_run_is_found_where_it_was_moved_to(tmp_path: Path, model: LocalModel) -> None:
    asked = asked_of(model)
    Path(model.path).rename(tmp_path / "moved.gguf")
    assert code_of(base_models.model_of_run, asked, ()) == "run_base_gone"
    moved = local_models.describe(tmp_path / "moved.gguf")
    with pytest.raises(AppError, match="run_base_gone"):  # nobody has read its hash yet
        base_models.model_of_run(asked, (moved,))
    known = verification.verify_model(moved).model
    assert base_models.model_of_run(asked, (known,)) == known


def test_an_adapter_is_refused_for_another_file(tmp_path: Path, model: LocalModel) -> None:
    asked = asked_of(model)
    base_models.require_same_base(asked, model)
    with Path(model.path).open("ab") as file:
        file.write(b"changed")
    assert code_of(base_models.require_same_base, asked, model) == "adapter_other_base"


def test_a_model_is_asked_as_it_was_trained(model: LocalModel) -> None:
    gemma = base_models.trainer_form(catalogue.load().forms["gemma"])
    assert base_models.with_trained_form(asked_of(model, form=gemma), model).form_id == "gemma"
    assert base_models.with_trained_form(asked_of(model), model) == model
    assert (
        code_of(
            base_models.with_trained_form, asked_of(model, form=TrainingPromptForm("Q {text}", "A {text}", "A ")), model
        )
        == "run_form_unknown"
    )


# ------------------------------------------------------------------------- problems


def test_each_failure_of_a_run_has_a_sentence_with_its_facts() -> None:
    for code, names in events.FAILURES.items():
        facts = {name: ["x"] if name == "codes" else 1 if name.endswith("_bytes") else "x" for name in names}
        error = training_errors.error_from_run(code, facts, "the-run")
        assert error.code in wording.error_codes()
        for language in wording.LANGUAGES:
            assert "?" not in str(wording.describe_error(error, language)), code


def test_what_the_trainer_says_is_told_in_words_and_by_its_code_where_there_are_none() -> None:
    said = [
        training_errors.error_from_spec(SpecError("x", 1, expected)).facts["expected"]
        for expected in ("a path", "an object")
    ]
    assert all(not text.isascii() for text in said)
    long = training_errors.error_from_spec(SpecError("x", "y" * 500, "a path")).facts["value"]
    assert len(long) < 100
    facts = {"count": 24, "p50": 77, "p90": 96, "longest": 110, "tokens": 1650, "trained": 1064}
    assert "全 1,650 トークンのうち 1,064 トークン" in training_errors.finding_text(
        events.PreflightFinding("lengths", "note", facts)
    )
    assert (
        training_errors.finding_text(events.PreflightFinding("of_tomorrow", "warn", {"rows": 3}))
        == "of_tomorrow (rows=3)"
    )
    assert training_errors.finding_text(events.PreflightFinding("of_tomorrow", "warn")) == "of_tomorrow"


@pytest.mark.parametrize(("why", "words"), [("no card", "GPU が見つかりません"), ("built without CUDA", "CPU 用で")])
def test_a_card_that_cannot_be_used_is_explained(why: str, words: str) -> None:
    error = training_errors.error_from_run(
        "spec_invalid", {"field": "device", "value": "cuda", "expected": f"cpu: {why}"}, "x"
    )
    assert words in wording.describe_error(error).next


@pytest.mark.parametrize("name", ["大-00001-of-00002.gguf", "大-00001-OF-00013.GGUF"])
def test_a_gguf_in_parts_is_refused_in_words(tmp_path: Path, name: str) -> None:
    first = models.tiny_llama(tmp_path / name)
    error = refused(base_models.resolve_base, str(first), ())
    assert (error.code, wording.describe_error(error).next[:6]) == ("base_is_split", "1 つのファ")
    listed = local_models.describe(first)
    refusal = base_models.training_refusal(listed)
    assert refusal.code == "base_is_split"


def test_a_model_whose_only_part_is_the_whole_is_a_base(tmp_path: Path) -> None:
    path = models.tiny_llama(tmp_path / "小-00001-of-00001.gguf")
    assert base_models.resolve_base(str(path), ()).path == path


def test_a_folder_without_a_chat_template_is_refused_with_the_way_on(tmp_path: Path) -> None:
    folder = hf_models.model(tmp_path / "土台")
    error = refused(base_models.read_base_folder, folder)
    assert error.code == "base_no_template"
    assert code_of(base_models.require_chat_template, base_models.resolve_base(str(folder), ())) == "base_no_template"
    assert "Instruct" in wording.describe_error(error).next
    about = folder / "tokenizer_config.json"
    about.write_text(json.dumps(json.loads(about.read_text("utf-8")) | {"chat_template": "{{ messages }}"}), "utf-8")
    base_models.require_chat_template(base_models.resolve_base(str(folder), ()))
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
