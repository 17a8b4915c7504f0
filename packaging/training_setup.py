"""The development training environment, .venv-train: torch, what fine-tunes and converts, and llama.cpp's converter.

Apart from .venv, as for users: the program must not import any of it. Looked for by app/models/training_environment.py.
"""

import shutil
from pathlib import Path
from typing import Any

import steps
import system_packages
from steps import SetupError, run_step

VENV = ".venv-train"
REQUIREMENTS = "resources/training_environment/requirements.txt"
STAMP = "kotae-setup.json"
CONVERTER = "llama.cpp"
NEXT_STEP = (
    "次に: ネットワークと空き容量（3 GB 以上）を確かめて、もう一度実行してください / check the network and free space "
    "(3 GB or more). --without-training を付けると、これなしで進めます / --without-training goes on without it."
)


def is_current(root: Path, version: str) -> bool:
    venv = root / VENV
    is_whole = steps.python_in(venv).exists() and (venv / CONVERTER / "VERSION").is_file()
    return is_whole and steps.read_stamp(venv / STAMP) == wanted_stamp(root, version)


def prepare(root: Path, build: Path, version: str) -> None:
    """Makes or renews `root`/.venv-train. `build`: llama_build's folder, with the converter of `version` in it."""
    venv = root / VENV
    python = steps.python_in(venv)
    is_moved = steps.read_stamp(venv / STAMP).get("root", str(root)) != str(root)
    (venv / STAMP).unlink(missing_ok=True)  # whatever is interrupted from here on is done again
    if is_moved or not python.exists():
        system_packages.make_venv(venv)
    run_step(
        "学習環境の部品の取り付け（初回は 1〜4 分） / installing the training environment (1-4 min once)",
        [python, "-m", "pip", "install", "--requirement", root / REQUIREMENTS],
        log_name="pip-training",
        next_step=NEXT_STEP,
    )
    copy_converter(build / CONVERTER, venv / CONVERTER, version)
    steps.write_stamp(venv / STAMP, wanted_stamp(root, version))


def wanted_stamp(root: Path, version: str) -> dict[str, Any]:
    digest = steps.digest_of(root / REQUIREMENTS, Path(__file__).resolve())
    return {"inputs": digest, "root": str(root), "converter": version}


def copy_converter(source: Path, target: Path, version: str) -> None:
    """With the version beside it: the program refuses a converter that is not of its engine's version."""
    if not (source / "convert_hf_to_gguf.py").is_file():
        raise SetupError(
            f"{source}: llama.cpp の変換プログラムがありません / llama.cpp's converter is missing.\n"
            f"次に: {source.parent} を消して、もう一度実行してください / delete that folder and run this again."
        )
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)
    (target / "VERSION").write_text(f"{version}\n", encoding="utf-8")
