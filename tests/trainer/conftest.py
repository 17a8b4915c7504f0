"""Tiny bases with trained tokenizers, made once in the training environment."""

import json
import shutil
from pathlib import Path

import pytest

from app.models.training_environment import TrainingEnvironment
from tests.convert.conftest import converter, environment, server, starter_folder  # noqa: F401  (the same environment)
from tests.convert.proof import CASES
from tests.trainer.training_runs import tiny_base, tiny_folder, undisturbed  # noqa: F401  (fixtures)

FAMILIES = ("llama", "qwen2", "gemma3", "gemma3-spm")


@pytest.fixture(scope="session")
def tiny_bases(environment: TrainingEnvironment, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:  # noqa: F811
    """Family -> folder with config, weights and tokenizer. Not to be changed: copy it."""
    cases = {case.family: case for case in CASES if case.tied}
    bases = {name: tiny_folder(environment.python, tmp_path_factory, cases[name]) / "base" for name in FAMILIES}
    for family in ("gemma3-spm", "qwen2"):
        bases[family] = Path(shutil.copytree(bases[family], tmp_path_factory.mktemp("土台") / family))
    _name_controls(bases["gemma3-spm"] / "tokenizer_config.json")
    _unname_control(bases["qwen2"] / "tokenizer.json")
    return bases


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
