"""`kotae models` and `kotae ask` with a trained model: added, listed, asked by its name, and removed."""

import json
import shutil
from pathlib import Path

import pytest

from app.base.paths import resources
from app.training.runs import lineage, run_folders
from tests import hf_models
from tests.training_runs import finished_run

QUESTION = "日本の首都はどこですか？"


@pytest.mark.model
def test_the_starter_with_its_adapter_answers_under_the_name_of_a_training(kotae, starter_model, tmp_path, monkeypatch):
    """The adapter that comes with the program stands for one that was trained: both ways give the same answer."""
    monkeypatch.setenv("KOTAE_ENGINE", "llama")
    assert kotae("models", "import", str(starter_model))[0] == 0
    run = finished_run(tmp_path / "データ" / "runs" / "r1", starter_model, name="首都の答え")
    shipped = resources() / "starter_adapter" / "adapter.gguf"
    shutil.copyfile(shipped, run / run_folders.ADAPTER)
    status, added, log = kotae("models", "add", "首都の答え")
    assert status == 0, log
    base, model = kotae("models", "list")[1]["models"]
    assert model == added
    assert (model["name"], model["path"], model["is_present"]) == ("首都の答え", base["path"], True)
    assert model["tuned"]["base_name"] == base["name"]
    assert base["tuned"] is None
    shutil.rmtree(run)
    asking = ("ask", QUESTION, "--temperature", "0", "--max-tokens", "16")
    tuned, of_card, alone = (
        kotae(*asking, *how)[1]
        for how in (("--model", "首都の答え"), ("--model", "starter"), ("--model", "starter", "--adapter", "none"))
    )
    assert tuned["answer"] == of_card["answer"] != alone["answer"]
    assert "東京" in tuned["answer"]
    assert (tuned["model"], tuned["adapter"], of_card["adapter"]) == (added["id"], "首都の答え", "card")


def test_it_is_added_at_a_strength_and_goes_without_its_base(kotae, trained):
    status, added, log = kotae("models", "add", trained["id"], "--strength", "0.5")
    assert status == 0, log
    assert added["tuned"]["strength"] == 0.5
    assert kotae("ask", QUESTION, "--model", added["name"])[1]["adapter"].endswith(":0.5")
    assert kotae("models", "remove", added["name"])[0] == 0
    left = kotae("models", "list")[1]["models"]
    assert [(model["tuned"], model["is_present"]) for model in left] == [(None, True)]


def test_an_adapter_keeps_its_label_through_folders_of_peft(kotae, base, tmp_path, monkeypatch):
    added = kotae("models", "import", str(base))[1]
    run = finished_run(tmp_path / "データ" / "runs" / "r1", base)
    (run / lineage.LINEAGE_FILE).write_text(json.dumps({"label": "secret"}))
    source = hf_models.adapter(run / "adapter")
    first = kotae("models", "import", str(source), "--base", added["id"], "--name", "甲")[1]
    shutil.rmtree(run)
    out = tmp_path / "外" / "甲"
    out.parent.mkdir()
    exporting = ("models", "export-adapter", first["id"], str(out))
    assert kotae(*exporting)[1]["error"]["code"] == "secret_export"
    assert kotae(*exporting, "--allow-secret")[0] == 0
    monkeypatch.setenv("KOTAE_DATA_DIR", str(tmp_path / "別"))  # as on another machine
    other = kotae("models", "import", str(base))[1]
    again = kotae("models", "import", str(out), "--base", other["id"])[1]
    exporting = ("models", "export-adapter", again["id"], str(out.with_name("乙")))
    assert kotae(*exporting)[1]["error"]["code"] == "secret_export"


def test_what_cannot_be_added_is_said(kotae, trained):
    assert kotae("models", "add", "どこにもない")[1]["error"]["code"] == "run_unknown"
    assert kotae("models", "add", trained["id"], "--form", "Q4_K_M")[1]["error"]["code"] == "tuned_form_missing"
    assert kotae("models", "add", trained["id"], "--strength", "3")[1]["error"]["code"] == "bad_option"
    added = kotae("models", "add", trained["id"])[1]
    for adapter in (Path(added["path"]).parent / "データ" / "models" / "adapters").iterdir():
        adapter.unlink()
    assert kotae("ask", QUESTION, "--model", added["id"])[1]["error"]["code"] == "tuned_adapter_gone"
    assert not next(model for model in kotae("models", "list")[1]["models"] if model["tuned"])["is_present"]


def test_a_folder_that_is_not_there_is_named_before_its_options(kotae, tmp_path):
    status, told, words = kotae("models", "import", str(tmp_path / "missing"), "--base", "any")
    assert (status, told["error"]["code"]) == (3, "file_missing")
    assert "missing" in words
