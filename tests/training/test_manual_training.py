"""What the manual says of the settings of a run, against the program: their ranges and defaults."""

import dataclasses
import itertools
import json
import re
from pathlib import Path

import pytest

from app.base.paths import resources
from app.training import spec_builder
from trainer import recipe, spec
from trainer.recipe import GIB, RecipeFacts
from trainer.spec import PRESETS, RunSpec

# What Kotae itself fills in.
OURS = {"folder", "version", "hashes", "bases", "base_sha256", "base_weights", "form", "converter"}
# What is said in words: it is no number and no choice, or has no default of the recipe.
IN_WORDS = {
    "data", "train", "validation", "holdout", "base", "adapter", "name", "samples", "max_steps", "embedding_on_cpu"
}  # fmt: skip
UNLISTED = {"warmup_share", "accumulation"}  # computed from the number of steps and from micro_batch
AUTOMATIC = {"ja": "自動", "en": "automatic"}
HEADING = {"ja": "学習の設定ファイル", "en": "The settings file of a run"}

languages = pytest.mark.parametrize("language", ["ja", "en"])


def section(language: str, heading: str) -> str:
    text = (resources() / "manual" / f"manual.{language}.md").read_text(encoding="utf-8")
    return text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def table(language: str) -> dict[str, list[str]]:
    """Key -> meaning, values, default."""
    lines = re.findall(r"^\| `(\w+)` \| (.+) \|$", section(language, HEADING[language]), re.MULTILINE)
    return {key: rest.split(" | ") for key, rest in lines}


def defaults(name: str) -> set[object]:
    """All that the recipe decides for a standard run, on many machines and with many rows."""
    asked = RunSpec(folder="r", base="b", train="t", validation="v")
    machines = [("cuda", memory, bf16) for memory in (8, 12, 16, 24, 80) for bf16 in (True, False)]
    machines += [("cpu", 16, True), ("cpu", 16, False)]
    rows, lengths, sizes = (100, 1_000, 5_000, 50_000), (100, 9_000), (300_000_000, 8_000_000_000)
    found = set()
    for (device, memory, bf16), count, longest, size in itertools.product(machines, rows, lengths, sizes):
        facts = RecipeFacts(count, longest, device, memory * GIB, bf16, size, "llama", "linux")
        found.add(getattr(recipe.resolve(asked, facts), name))
    return found


def shown(value: object) -> str:
    return json.dumps(value) if isinstance(value, bool) else str(value)


@languages
def test_every_setting_that_a_user_may_write_is_in_the_table(language: str) -> None:
    fields = {field.name for field in dataclasses.fields(RunSpec)}
    assert set(table(language)) == (fields - OURS) | {"data"}
    assert all(len(cells) == 3 for cells in table(language).values())


@languages
def test_what_may_be_written_is_what_the_spec_takes(language: str) -> None:
    cells = {key: values for key, (_, values, _) in table(language).items()}
    for key, choices in spec._CHOICES.items():
        assert re.split("、|, ", cells[key]) == list(choices)
    for key, (low, high) in (spec.WHOLE | spec.REAL).items():
        assert cells[key] == (f"{low}〜{high}" if language == "ja" else f"{low} to {high}")


@languages
def test_what_holds_where_nothing_is_said_is_what_the_recipe_decides(language: str) -> None:
    for key, (_, _, default) in table(language).items():
        if key in IN_WORDS:
            continue
        values = defaults(key)
        if len(values) == 1:
            assert default == shown(*values), key
            continue
        assert default.startswith(AUTOMATIC[language]), key
        said = re.findall(r"[A-Za-z0-9_.]+", default)
        assert key in UNLISTED or {shown(value) for value in values} <= set(said), (key, values)


@languages
def test_every_preset_has_a_sentence_with_its_passes(language: str) -> None:
    sentences = dict(re.findall(r"^- `([\w.-]+)`(.+)$", section(language, HEADING[language]), re.MULTILINE))
    assert list(sentences) == list(PRESETS)
    words = {1: "one epoch", 3: "three epochs", 6: "six epochs"}
    for name, sentence in sentences.items():
        passes = recipe._PRESETS[name].get("epochs", 3.0)
        assert name.startswith("paper") or (f"{passes:.0f} 周" if language == "ja" else words[passes]) in sentence


@languages
def test_the_example_is_a_settings_file(language: str, tmp_path: Path) -> None:
    example = re.search(r"^    \{.*?^    \}$", section(language, HEADING[language]), re.MULTILINE | re.DOTALL)
    (tmp_path / "a.json").write_text(example[0], encoding="utf-8")
    said = spec_builder.read_spec_file(tmp_path / "a.json")
    assert said["data"] == str(tmp_path / json.loads(example[0])["data"])
    spec_builder._check_values(said)
