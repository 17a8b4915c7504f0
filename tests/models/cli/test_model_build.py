"""`kotae models build` as a whole program: with the real converter where the training environment is there."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.base.errors import AppError
from app.inference import gguf
from app.models import training_environment
from tests import hf_models
from tests.base.cli.processes import Start, ended, programs
from tests.convert.conftest import environment, starter_folder  # noqa: F401  (fixtures)
from tests.hf_models import HfShape
from tests.models.cli.conftest import Run
from tests.waiting import wait_until

SHAPE = HfShape(embedding=256, feed_forward=512)


def has_converter() -> bool:
    try:
        return training_environment.locate(Path("/nowhere")).converter is not None
    except AppError:
        return False


needs_converter = pytest.mark.skipif(not has_converter(), reason="no training environment")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts `kotae models build ARGUMENTS --json`."""
    with programs(tmp_path / "データ") as begin:
        yield lambda *arguments, **variables: begin("models", "build", *arguments, "--json", variables=variables)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return hf_models.model(tmp_path / "元のモデル", shape=SHAPE, shards=2, _name_or_path="kotae/tiny-8B")


@needs_converter
def test_a_folder_becomes_models_in_the_list(tmp_path: Path, start: Start, source: Path) -> None:
    adapter = hf_models.adapter(tmp_path / "lora", shape=SHAPE, size=0.05)
    text = tmp_path / "文章.txt"
    text.write_text("橋脚のかぶりを確かめる。\n" * 100, encoding="utf-8")
    status, result, log = ended(
        start(str(source), "--quant", "Q4_K_M,Q8_0", "--adapter", str(adapter), "--imatrix", str(text))
    )
    assert status == 0, log
    first, second = result["models"]
    assert (first["quantization"], second["quantization"]) == ("Q4_K_M", "Q8_0")
    assert first["name"] == "tiny-8B + lora Q4_K_M"
    assert all(model["trial"] is not None for model in result["models"])
    titles = [step["title"] for step in result["steps"]]
    assert titles == ["convert", "adapter", "merge", "imatrix", "quantize Q4_K_M", "quantize Q8_0"]
    assert all(step["seconds"] > 0 and step["peak_rss_bytes"] > 1e6 for step in result["steps"])
    header = gguf.check_model(Path(first["path"]))
    assert header.text("general.source.repo_url") == "https://huggingface.co/kotae/tiny-8B"
    assert header.vocab_size == SHAPE.vocabulary
    assert [path.name for path in sorted((tmp_path / "データ" / "models").iterdir())] == [
        "tiny-8B-+-lora-Q4_K_M.gguf",
        "tiny-8B-+-lora-Q8_0.gguf",
    ]
    assert "このアダプターは kotae/tiny で学習したものです" in log


@needs_converter
def test_a_build_that_was_interrupted_or_killed_goes_on_where_it_was_put(tmp_path: Path, start: Start) -> None:
    source = hf_models.model(tmp_path / "hf", shape=HfShape(layers=2, embedding=512, feed_forward=2048))
    folder = tmp_path / "別の場所"
    arguments = (str(source), "--quant", "IQ4_XS,Q8_0", "--to", str(folder), "--name", "別の名前")

    def halves(name: str = "*") -> list[Path]:
        return list(folder.glob(f"building/*/{name}.part"))

    process = start(*arguments)
    wait_until(lambda: bool(halves("IQ4_XS-*.weights")))
    process.send_signal(signal.SIGINT)
    status, _, log = ended(process)
    assert status == 130
    assert "続きから" in log
    assert list(folder.glob("building/*/base.weights"))
    assert not halves()
    process = start(*arguments)
    wait_until(lambda: bool(halves("IQ4_XS-*.weights")))
    process.kill()
    process.wait()
    wait_until(lambda: not halves())  # the child deletes it when its parent is gone
    status, result, log = ended(start(*arguments))
    assert status == 0, log
    assert [step["title"] for step in result["steps"]] == ["quantize IQ4_XS", "quantize Q8_0"]
    assert sorted(path.name for path in folder.iterdir()) == ["別の名前-IQ4_XS.gguf", "別の名前-Q8_0.gguf"]


def test_what_is_wrong_is_said_with_the_next_step(run: Run, source: Path, tmp_path: Path) -> None:
    def refusal(*arguments: str, **variables: str) -> str:
        said = run("models", "build", str(source), *arguments, "--json", **variables)
        assert said.status == 3
        assert said.object["error"]["next"] in said.err
        return said.code

    assert refusal("--quant", "Q4") == "build_unknown_quant"
    assert refusal("--adapter", "none") == "hf_folder_unreadable"
    assert refusal("--imatrix", "none.txt") == "imatrix_text_unreadable"
    assert refusal("--to", "~nobody-of-that-name/x") == "hf_folder_unreadable"
    assert refusal(KOTAE_TRAINER_PYTHON=str(tmp_path / "none")) == "no_training_environment"
    (source / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    assert refusal() == "hf_pickle"
    said = run("models", "build")
    assert said.status == 2
    assert "HF_FOLDER" in said.err


def test_what_interrupted_builds_have_left_can_be_deleted(tmp_path: Path, run: Run) -> None:
    left = tmp_path / "データ" / "models" / "building" / "0123"
    left.mkdir(parents=True)
    (left / "base.weights").write_bytes(bytes(5000))
    said = run("models", "build", "--clean", "--json")
    assert (said.status, said.object) == (0, {"freed_bytes": 5000})
    assert not left.parent.exists()


@pytest.mark.slow
@pytest.mark.model
@needs_converter
def test_the_trial_model_taken_apart_and_built_again_gives_its_answer(
    start: Start,
    starter_folder: Path,  # noqa: F811
) -> None:
    status, result, messages = ended(start(str(starter_folder), "--quant", "Q8_0"))
    assert status == 0, messages
    assert result["models"][0]["architecture"] == "gemma3"
    assert result["models"][0]["trial"].startswith("首都は、東京")
