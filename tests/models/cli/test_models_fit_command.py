"""`kotae models fit`, `show` and `list --catalogue`: models that are not here yet are judged too."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from app.base.paths import Paths
from app.inference import memory_estimate, speed
from app.inference.speed import MachineSpeed
from tests.models.cli.conftest import Run

GB = 10**9
Kotae = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def measuring_is_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine is measured in `test_model_fit`."""
    monkeypatch.setattr(speed, "_MULTIPLY_S", 0.05)
    monkeypatch.setattr(speed, "_measure_engine", lambda *_: (2e10, 6e11))


@pytest.fixture
def kotae(run: Run) -> Callable[..., tuple[int, str, str]]:
    """Runs a command; returns its exit status, and what it printed on both streams."""

    def call(*arguments: str) -> tuple[int, str, str]:
        said = run(*arguments)
        return said.status, said.out, said.err

    return call


def has_free(monkeypatch: pytest.MonkeyPatch, available_gb: float) -> None:
    monkeypatch.setattr(memory_estimate, "available_memory_bytes", lambda: int(available_gb * GB))


def test_a_model_of_the_catalogue_is_judged_by_the_contract(kotae: Kotae, monkeypatch: pytest.MonkeyPatch) -> None:
    has_free(monkeypatch, 7.0)
    status, out, _ = kotae("models", "fit", "llama-3-elyza", "--context", "8192", "--json")
    found = json.loads(out)
    assert status == 0
    assert found["total_bytes"] == found["weights_bytes"] + found["kv_bytes"] + found["compute_bytes"]
    assert found["kv_bytes"] == 1 << 30
    assert found["available_bytes"] == 7 * GB
    assert found["verdict"] == "comfortable"
    assert found["predicted"] is None


def test_what_does_not_fit_says_who_has_the_memory_and_what_would_fit(kotae, monkeypatch):
    has_free(monkeypatch, 5.8)
    status, out, _ = kotae("models", "fit", "llama-3-swallow-8b-instruct-v0.1", "--context", "8192")
    assert status == 1
    assert out.startswith("メモリ不足：必要")
    assert "ほかのプログラムが" in out
    assert "文脈を 4,096 トークンにすると収まります" in out
    assert "ならメモリに余裕があります" in out
    status, out, _ = kotae("--lang", "en", "models", "fit", "llama-3-swallow", "--quant", "q8_0", "--json")
    assert status == 1
    found = json.loads(out)
    assert (found["quantization"], found["would_fit"]["quantization"]) == ("Q8_0", "Q4_K_M")
    assert found["short_bytes"] == found["total_bytes"] - found["available_bytes"]


def test_the_machine_is_measured_once_and_then_predicted_from(kotae: Kotae, where: Paths) -> None:
    _, out, _ = kotae("models", "fit", "sarashina2.2-1b", "--measure")
    assert "予測：読み" in out
    assert (where.data / speed.FILE_NAME).is_file()
    _, out, _ = kotae("models", "fit", "sarashina2.2-1b", "--json")
    assert json.loads(out)["predicted"]["answer"] > 0
    _, out, _ = kotae("models", "fit", "bge-m3", "--json")
    assert json.loads(out)["predicted"] is None, "it answers nothing"


@pytest.mark.parametrize(
    ("answer_bytes_per_s", "word"), [(2e9, "動くが遅い："), (45e9, "快適："), (0, "メモリは足ります・速さは未測定：")]
)
def test_what_fits_and_answers_slowly_is_not_called_comfortable(kotae, where, monkeypatch, answer_bytes_per_s, word):
    has_free(monkeypatch, 24.0)
    if answer_bytes_per_s:
        speed.save(where.data / speed.FILE_NAME, MachineSpeed(answer_bytes_per_s, 6.2e12, 2e12, 4, 1.0))
    _, out, _ = kotae("models", "fit", "qwen2.5-7b-instruct")
    assert out.startswith(word)
    _, out, _ = kotae("models", "fit", "qwen2.5-7b-instruct", "--json")
    assert json.loads(out)["verdict"] == "comfortable", "the verdict is on memory"


@pytest.mark.parametrize("language", ["ja", "en"])
def test_every_fact_has_a_name_in_the_language_in_use(kotae: Kotae, tiny_model: Path, language: str) -> None:
    for model in ("qwen2.5-7b-instruct", "bge-m3", str(tiny_model)):
        _, out, _ = kotae("--lang", language, "models", "show", model)
        named = [line.split("\t") for line in out.splitlines()]
        _, out, _ = kotae("--lang", language, "--json", "models", "show", model)
        told = json.loads(out)
        assert len(named) > 8
        assert not {name for name, _ in named} & set(told)
        assert not {value for _, value in named} & {"True", "False", "chat", "embedding"}
        assert any(letter > "\u3040" for name, _ in named for letter in name) == (language == "ja")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("ruri-v3-30m",), "ある形：-"),
        (("qwen3-8b", "--quant", "Q2_K"), "Q4_K_M / Q5_K_M / Q6_K / Q8_0"),
        (("swallow",), "swallow"),  # two cards
    ],
)
def test_what_cannot_be_judged_is_said_to_be_so(kotae: Kotae, arguments: tuple[str, ...], words: str) -> None:
    status, _, err = kotae("models", "fit", *arguments)
    assert status == 3
    assert words in err


def test_a_card_is_shown_in_the_language_in_use(kotae: Kotae) -> None:
    _, out, _ = kotae("models", "show", "bge-m3")
    assert "資料検索の標準モデル" in out
    assert "Q8_0 0.63 GB" in out
    _, out, _ = kotae("--lang", "en", "--json", "models", "show", "bge-m3")
    assert "for any language" in json.loads(out)["summary"]


def test_the_catalogue_is_listed_and_a_bad_card_of_the_user_is_named(kotae: Kotae, where: Paths) -> None:
    (where.data / "cards").mkdir()
    Path(where.data / "cards" / "mine.toml").write_text("[[model]]\nid = 3\n", "utf-8")
    status, out, err = kotae("models", "list", "--catalogue", "--json")
    assert status == 0
    listed = json.loads(out)["catalogue"]
    assert {"bge-m3", "qwen3-8b"} <= {card["id"] for card in listed}
    assert listed[1]["files"][0]["repository"].count("/") == 1
    assert "mine.toml" in err
    _, out, _ = kotae("models", "list", "--json")
    assert json.loads(out) == {"models": [], "bases": []}
