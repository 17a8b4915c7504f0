"""Tiny bases with trained tokenizers, made once in the training environment."""

import json
import subprocess
from pathlib import Path

import pytest

from app.models.training_environment import TrainingEnvironment
from tests.convert.conftest import converter, environment, starter_folder  # noqa: F401  (the same environment)

FAMILIES = ("llama", "qwen2", "gemma3", "gemma3-spm")
TINY_HF = Path(__file__).parents[1] / "convert" / "tiny_hf.py"


@pytest.fixture(scope="session")
def tiny_bases(environment: TrainingEnvironment, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:  # noqa: F811
    """Family -> folder with config, weights and tokenizer. Not to be changed: copy it."""
    root = tmp_path_factory.mktemp("土台")
    plan = [
        {"family": family, "tied": True, "with_adapter": False, "folder": str(root / family)} for family in FAMILIES
    ]
    (root / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    argv = [str(environment.python), str(TINY_HF), str(root / "plan.json")]
    made = subprocess.run(argv, capture_output=True, encoding="utf-8", check=False)
    assert made.returncode == 0, made.stderr[-3000:]
    _name_controls(root / "gemma3-spm" / "base" / "tokenizer_config.json")
    _unname_control(root / "qwen2" / "base" / "tokenizer.json")
    return {family: root / family / "base" for family in FAMILIES}


def _name_controls(file: Path) -> None:
    """As published beside tokenizer.model, which has no word for it."""
    config = json.loads(file.read_text(encoding="utf-8"))
    names = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "<start_of_turn>", "<end_of_turn>"]
    flags = dict.fromkeys(("lstrip", "rstrip", "normalized", "single_word"), False)
    config["added_tokens_decoder"] = {
        str(id): {"content": name, "special": True, **flags} for id, name in enumerate(names)
    }
    file.write_text(json.dumps(config), encoding="utf-8")


def _unname_control(file: Path) -> None:
    """Some of Qwen's control tokens are published as not special; llama.cpp takes them for such all the same."""
    tokenizer = json.loads(file.read_text(encoding="utf-8"))
    token = next(token for token in tokenizer["added_tokens"] if token["content"] == "<|im_start|>")
    token["special"] = False
    file.write_text(json.dumps(tokenizer), encoding="utf-8")
