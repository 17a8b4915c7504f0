"""The loop overrides and calls private methods of transformers' Trainer. They are listed here, as they were read.

A version in which one of them is another fails here: read it again beside `trainer/loop.py`, then renew its line.
"""

import ast
import hashlib
import re
from pathlib import Path

import pytest

from app.models.training_environment import TrainingEnvironment
from tests.trainer.conftest import environment  # noqa: F401

LOOP = Path(__file__).parents[2] / "trainer" / "loop.py"
READ_IN = "5.24.0"
READ = {
    "_determine_best_metric": "04f3f296c6ef281b",
    "_get_grad_norm": "9361b5a871ff9a1e",
    "_get_learning_rate": "36b2e0ecf2b74b0d",
    "_get_train_sampler": "795ed19e8d10d797",
    "_load_from_checkpoint": "47025e0b78176365",
    "_load_optimizer_and_scheduler": "6a2f59e396389961",
    "_save_checkpoint": "01d34b3db02db3a9",
    "_save_optimizer_and_scheduler": "09d0a97ff9d184fe",
    "_save_rng_state": "a34de9cd6f782103",
    "_save_scaler": "d490d935d262162b",
}  # name: hash of its code


def class_of(path: Path, name: str) -> ast.ClassDef:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name)


def digest(method: ast.FunctionDef) -> str:
    """Return a hash of a method's code, without its docstring and comments."""
    body = method.body[1:] if ast.get_docstring(method) else method.body
    code = [ast.unparse(method.args), *map(ast.unparse, body)]
    return hashlib.sha256("\n".join(code).encode()).hexdigest()[:16]


def private_names(path: Path) -> set[str]:
    """Return the names with one underscore that a file defines or uses as attributes."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
    names |= {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    return {name for name in names if re.match(r"_[a-z]", name)}


@pytest.fixture
def theirs(environment: TrainingEnvironment) -> Path:  # noqa: F811
    return next(environment.python.parent.parent.glob("[Ll]ib/**/site-packages/transformers/trainer.py"))


def test_what_the_loop_takes_of_the_trainer_is_as_it_was_read(theirs: Path) -> None:
    methods = {node.name: node for node in class_of(theirs, "Trainer").body if isinstance(node, ast.FunctionDef)}
    used = private_names(LOOP) & methods.keys()
    assert {name: digest(methods[name]) for name in sorted(used)} == READ, f"it was read in transformers {READ_IN}"
