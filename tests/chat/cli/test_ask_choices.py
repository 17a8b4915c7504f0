"""What `kotae ask` takes from the database, and which adapter answers."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.base.database import Database
from app.base.errors import AppError
from app.chat.cli import ask
from app.chat.services import command_request
from app.chat.store import Store
from app.inference.engine.messages import AdapterUse
from app.inference.local_model import LocalModel
from app.models import local_models, model_registry, starter
from app.training.runs import run_folders
from tests import model_files as models


def test_model_and_preset_come_from_one_look_into_the_database(where, monkeypatch):
    store = Store.open(where.database, where.backups)
    store.put_local_model(LocalModel("a", "A", str(where.data / "a.gguf"), 1, "llama", "Q4_K_M", 4096, 1.0))
    store.close()
    opened = []
    before = Database.open

    def counted(*arguments: Any) -> Database:
        opened.append(before(*arguments))
        return opened[-1]

    monkeypatch.setattr(Database, "open", counted)
    model, _settings, preset = command_request._choose_model("a", None, where)
    assert (model.id, bool(preset.name), len(opened)) == ("a", True, 1)
    with pytest.raises(AppError, match="unknown_model"):
        command_request._choose_model("b", None, where)
    for database in opened:
        with pytest.raises(AppError):  # it is closed, also after a failure
            database.read("SELECT 1")


MODEL = LocalModel("a", "お試し用 270M", "/a.gguf", 1, "llama", "Q4_K_M", 4096, 1.0)


def test_the_trial_model_is_called_starter_as_for_a_training(where):
    """Not what is called so in part: `starter-answers` is a model that somebody has trained."""
    other = LocalModel("starter-answers", "starter-answers", "/b.gguf", 1, "llama", "F16", 4096, 1.0)
    trial = LocalModel("gemma", "お試し用", "/c.gguf", 1, "gemma3", "Q4_K_M", 4096, 1.0, starter.card().id)
    store = Store.open(where.database, where.backups)
    store.put_local_model(other)
    store.put_local_model(trial)
    store.close()
    assert model_registry.choose_model("starter", where).id == "gemma"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "adapter_not_gguf"),
        ("メモです。".encode(), "adapter_not_gguf"),
        (b"\x01\xff" * 100, "adapter_not_gguf"),
        (b"<!doctype html><html></html>", "not_gguf_html"),  # which tells what went wrong
    ],
)
def test_a_file_that_is_none_is_called_no_adapter(tmp_path, content, code):
    (tmp_path / "絵.png").write_bytes(content)
    with pytest.raises(AppError) as caught:
        command_request.choose_adapter(str(tmp_path / "絵.png"), tmp_path / "runs", run_folders.find_folder)
    assert caught.value.code == code


def test_a_strength_that_is_no_number_is_named_and_not_the_adapter(tmp_path):
    (tmp_path / "own.gguf").write_bytes(b"GGUF")
    with pytest.raises(AppError) as caught:
        command_request.choose_adapter(f"{tmp_path / 'own.gguf'}:強", tmp_path / "runs", run_folders.find_folder)
    assert (caught.value.code, caught.value.facts["value"]) == ("bad_option", "強")
    with pytest.raises(AppError, match="adapter_unknown"):
        command_request.choose_adapter("なし:強", tmp_path / "runs", run_folders.find_folder)


def test_the_line_below_an_answer_names_the_adapter(monkeypatch):
    own = (AdapterUse("/files/own.gguf", 0.5),)
    assert command_request.adapter_name(own, MODEL) == "own.gguf:0.5"
    assert command_request.adapter_name((), MODEL) is None
    assert command_request.adapter_name(None, MODEL) is None
    monkeypatch.setattr(local_models, "adapter_of", lambda _model: local_models.CardAdapter(Path("card.gguf"), ""))
    assert command_request.adapter_name((), MODEL) is None
    assert command_request.adapter_name(None, MODEL) == "card"
    assert ask._model_name(MODEL, None) == "お試し用 270M"
    assert ask._model_name(MODEL, "card") == "お試し用 270M ＋ 付属のアダプター"
    assert ask._model_name(MODEL, "試し-一回目") == "お試し用 270M ＋ 試し-一回目"


def test_an_answer_that_was_cut_says_whether_in_its_thoughts_and_what_cannot_think_is_refused(
    run_at, monkeypatch, tmp_path
):
    monkeypatch.setenv("KOTAE_ENGINE", "echo")
    model = models.tiny_llama(tmp_path / "a.gguf", metadata={"llama.context_length": 8192})
    asked = ("pc", "ask", "--model", model, "--context", "8192", "--max-tokens", "5", "--json")
    for question, part, told in (
        (f"!say <think>{'う' * 2500}", "reasoning", "--no-think"),
        ("!say いろはにほへと", "answer", "途中で切れて"),
    ):
        status, out, note = run_at(*asked, question)
        found = json.loads(out)
        assert (status, found["verdict"], found["ended_in"]) == (0, "length", part)
        assert told in note
    status, out, _ = run_at(*asked, "--think", "質問")
    assert (status, json.loads(out)["error"]["code"]) == (3, "model_cannot_think")
