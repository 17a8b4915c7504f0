"""Each known way to end in a model that is no good is found before training, and told in words."""

import hashlib
import json
import shutil
import string
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.base import wording
from app.base.paths import resources
from app.training import training_errors
from tests.trainer import trainer_side
from tests.trainer.card_forms import CARD_FORMS, as_json, form_of
from tests.trainer.test_folder_for_converter import write_safetensors
from tests.trainer.training_runs import RunServer
from trainer import adapter, preflight
from trainer.events import PreflightFinding

Json = dict[str, Any]
FORM = as_json(form_of(CARD_FORMS["llama3"]))
CHATML = as_json(form_of(CARD_FORMS["chatml"]))
GEMMA = as_json(form_of(CARD_FORMS["gemma"]))
ALWAYS = {"some_rows", "lengths"}
LINES = {"file": "train.jsonl", "lines": [3], "count": 1}
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}{{ '<|start_header_id|>' + m.role + '<|end_header_id|>\\n\\n' + m.content"
    " + '<|eot_id|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}"
)


def chat(*texts: str) -> list[dict[str, str]]:
    return [{"role": ("user", "assistant")[at % 2], "content": text} for at, text in enumerate(texts)]


def plain_rows(count: int, first: int = 0) -> list[list[dict[str, str]]]:
    return [chat(f"{number} 番の橋の長さは？", f"{number * 3} m です。") for number in range(first, first + count)]


LONG = chat("長い問い", "とても長い答え。" * 60)
TURNS = chat(*("短い問い", "これは短い答えです。" * 5) * 6)


class Kitchen:
    """Makes the files and requests of the cases: a run that is all right, and one defect each."""

    def __init__(self, folder: Path, bases: dict[str, Path]) -> None:
        self.folder = folder
        self.bases = bases
        self._number = 0

    def request(
        self,
        *,
        train: list[Any] | None = None,
        validation: list[Any] | None = None,
        holdout: list[Any] | None = None,
        base: Path | None = None,
        spec: Json | None = None,
        **more: Any,
    ) -> Json:
        """`spec`: changes; more goes into the request as it is."""
        self._number += 1
        place = self.folder / str(self._number)
        place.mkdir()
        rows = {
            "train": plain_rows(60) if train is None else train,
            "validation": plain_rows(5, 1000) if validation is None else validation,
            "holdout": plain_rows(5, 2000) if holdout is None else holdout,
        }
        written: Json = {"folder": str(place / "run"), "base": str(base or self.bases["llama"]), "form": FORM}
        written |= {"context_tokens": 256, "precision": "f32", "hashes": {}}
        for name, conversations in rows.items():
            file = place / f"{name}.jsonl"
            lines = (json.dumps({"messages": messages}, ensure_ascii=False) + "\n" for messages in conversations)
            file.write_text("".join(lines), encoding="utf-8")
            written[name] = str(file)
            written["hashes"][name] = hashlib.sha256(file.read_bytes()).hexdigest()
        return {"call": "findings", "spec": written | (spec or {}), **more}

    def changed_base(self, family: str = "llama", **config: Any) -> Path:
        """A copy with other values in its config.json."""
        self._number += 1
        folder = self.folder / f"base {self._number}"
        shutil.copytree(self.bases[family], folder)
        file = folder / "config.json"
        file.write_text(json.dumps(json.loads(file.read_bytes()) | config), encoding="utf-8")
        return folder

    def base_with(self, *matrices: str) -> Path:
        """A copy with other weights: a layer with these."""
        folder = self.changed_base(num_hidden_layers=1, model_type="phi3")
        tensors = {f"model.layers.0.{name}.weight": np.ones((4, 8), np.float32) for name in matrices}
        write_safetensors(folder / "model.safetensors", tensors)
        return folder

    def adapter_that_knows(self, messages: list[dict[str, str]]) -> str:
        folder = self.folder / "adapter"
        folder.mkdir()
        adapter.write_rows(folder, [adapter.row_id(messages)])
        return str(folder)

    def base_with_template(self, template: str) -> Path:
        folder = self.changed_base()
        (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
        return folder

    def base_that_sees(self) -> Path:
        """As Gemma 3 is published: what is as usual goes without saying."""
        return self.changed_base(vision_config={"hidden_size": 8}, text_config={"model_type": "llama"})

    def base_that_splits_otherwise(self) -> Path:
        folder = self.changed_base()
        file = folder / "tokenizer.json"
        file.write_text(file.read_text(encoding="utf-8").replace("{1,3}", "{1,4}"), encoding="utf-8")
        return folder


def form(**changes: Any) -> Json:
    return {"form": FORM | changes}


def cases(kitchen: Kitchen) -> Iterator[tuple[str, Json, Json | None]]:
    """Code that must be found, the request, and the facts that it must have (None: whatever)."""
    third = {"damaged_line": 3}
    rows = plain_rows(60)
    long, split = [*rows[:2], LONG, *rows[2:]], [*rows[:2], TURNS, *rows[2:]]
    beginning = f"<|begin_of_text|>{FORM['question']}"
    yield "some_rows", kitchen.request(), {"rows": 60, "wanted": 500}
    yield "few_rows", kitchen.request(train=plain_rows(49)), {"rows": 49, "wanted": 50}
    yield "no_rows", kitchen.request(train=[]), {"file": "train.jsonl"}
    yield "too_long", kitchen.request(train=long), None
    yield "rows_dropped", kitchen.request(train=long, spec={"over_length": "drop"}), LINES | {"context_tokens": 256}
    yield "rows_split", kitchen.request(train=split, spec={"over_length": "split"}), LINES | {"context_tokens": 256}
    yield "validation_empty", kitchen.request(validation=[]), {}
    yield "validation_shared", kitchen.request(validation=[*plain_rows(4, 1000), rows[7]]), {
        "file": "validation.jsonl", "lines": [5], "count": 1,
    }  # fmt: skip
    yield "holdout_shared", kitchen.request(holdout=[rows[0], rows[1], *plain_rows(4, 2000)]), {
        "file": "holdout.jsonl", "lines": [1, 2], "count": 2,
    }  # fmt: skip
    yield (
        "data_unfrozen",
        kitchen.request(spec={"hashes": {}}),
        {"files": ["train.jsonl", "validation.jsonl", "holdout.jsonl"]},
    )
    known = kitchen.adapter_that_knows(chat("続きの問い", "答え"))
    shared = [chat("新しい問い", "答え"), chat("続きの問い", "答え")]
    yield "holdout_known", kitchen.request(spec={"adapter": known}, holdout=shared), {
        "file": "holdout.jsonl", "lines": [2], "count": 1,
    }  # fmt: skip
    yield "end_unknown", kitchen.request(spec=form(end="<end_of_turn>")), {"text": "<end_of_turn>"}
    yield "end_not_stopping", kitchen.request(spec=form(end="<|end_header_id|>")), {"text": "<|end_header_id|>"}
    yield "end_masked", kitchen.request(damage="end", **third), LINES
    yield "end_masked", kitchen.request(train=split, damage="first end", spec={"context_tokens": 2048}, **third), LINES
    yield "nothing_trained", kitchen.request(damage="labels", **third), LINES
    yield "prompts_trained", kitchen.request(damage="prompt", **third), LINES
    yield "prompts_wanted", kitchen.request(spec={"loss": "all"}), {}
    yield "double_bos", kitchen.request(damage="bos", **third), LINES
    yield "double_bos", kitchen.request(damage="no bos", **third), LINES
    yield "double_bos", kitchen.request(validation=[], spec=form(question=beginning) | {"evaluations_per_epoch": 0}), {
        "file": "train.jsonl", "lines": list(range(1, 11)), "count": 60,
    }  # fmt: skip
    yield "stop_in_answer", kitchen.request(spec=form(stop=["<|eot_id|>", "15 m"])), {
        "file": "train.jsonl", "lines": [6], "count": 1, "text": "15 m",
    }  # fmt: skip
    yield "pad_is_end", kitchen.request(spec=form(end="")), {"text": "<|end_of_text|>"}
    yield (
        "template_differs",
        kitchen.request(base=kitchen.base_with_template(TEMPLATE.replace("eot_id", "eom"))),
        {"cases": ["question", "system", "turns", "end"]},
    )
    yield "token_outside", kitchen.request(damage="id", **third), LINES | {"vocabulary": 3000}
    yield "vocabulary_larger", kitchen.request(base=kitchen.changed_base(vocab_size=2999)), {
        "tokens": 3000, "vocabulary": 2999,
    }  # fmt: skip
    yield "vocabulary_padded", kitchen.request(base=kitchen.changed_base(vocab_size=3008)), {
        "tokens": 3000, "vocabulary": 3008,
    }  # fmt: skip
    yield "pre_tokenizer_unknown", kitchen.request(base=kitchen.base_that_splits_otherwise()), {}
    yield (
        "base_quantized",
        kitchen.request(base=kitchen.changed_base(quantization_config={"quant_method": "awq"})),
        {"method": "awq"},
    )
    yield "base_sees", kitchen.request(base=kitchen.base_that_sees()), {}
    yield (
        "targets_missing",
        kitchen.request(base=kitchen.base_with("self_attn.qkv_proj", "mlp.gate_up_proj")),
        {"targets": ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]},
    )
    yield (
        "targets_few",
        kitchen.request(base=kitchen.base_with("self_attn.o_proj", "mlp.down_proj")),
        {"targets": ["q_proj", "k_proj", "v_proj", "gate_proj", "up_proj"]},
    )
    qwen = {"precision": "f16", "form": CHATML}
    yield "f16_overflows", kitchen.request(base=kitchen.bases["qwen2"], spec=qwen), {"model_type": "qwen2"}
    gemma = {"precision": "f16", "form": GEMMA}
    yield "f16_overflows", kitchen.request(base=kitchen.bases["gemma3"], spec=gemma), {"model_type": "gemma3_text"}
    yield "f16_narrow", kitchen.request(spec={"precision": "f16"}), {}
    yield "disk_short", kitchen.request(base=kitchen.changed_base(intermediate_size=10**13)), None
    yield "network_open", kitchen.request(is_open=True), {}
    yield "shared_memory", kitchen.request(spec={"device": "cuda"}, platform="win32"), {}


def harmless(kitchen: Kitchen) -> Iterator[tuple[str, Json]]:
    """What looks like a defect and is none, with what is found all the same."""
    yield "no validation, and no evaluation either", kitchen.request(validation=[], spec={"evaluations_per_epoch": 0})
    yield "no holdout", kitchen.request(holdout=[], spec={"holdout": ""})
    yield "the base's own template", kitchen.request(base=kitchen.base_with_template(TEMPLATE))
    yield "cuda on linux", kitchen.request(spec={"device": "cuda"}, platform="linux")
    yield "several turns", kitchen.request(train=[*plain_rows(60), chat("一", "二", "三", "四")])


@pytest.fixture(scope="module")
def kitchen(tiny_bases: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Kitchen:
    return Kitchen(tmp_path_factory.mktemp("preflight"), tiny_bases)


@pytest.fixture(scope="module")
def seeded(kitchen: Kitchen) -> list[tuple[str, Json, Json | None]]:
    return list(cases(kitchen))


@pytest.fixture(scope="module")
def answers(kitchen: Kitchen, seeded: list[Any], server: RunServer) -> Json:
    """One process for all of them."""
    asked = {f"seeded {at}": request for at, (_, request, _) in enumerate(seeded)}
    asked |= {f"harmless {name}": request for name, request in harmless(kitchen)}
    asked["many rows"] = kitchen.request(train=plain_rows(500))
    blocked = kitchen.request(validation=[], spec=form(end="<end_of_turn>"))
    asked["blocked"] = blocked | {"call": "report", "events": str(kitchen.folder / "blocked.jsonl")}
    asked["told"] = kitchen.request() | {"call": "report", "events": str(kitchen.folder / "told.jsonl")}
    return trainer_side.ask(server, asked, kitchen.folder)


def test_each_defect_is_found_and_nothing_else(seeded: list[Any], answers: Json) -> None:
    wrong = []
    for at, (code, _, facts) in enumerate(seeded):
        found = {finding["code"]: finding for finding in answers[f"seeded {at}"]}
        expected = (ALWAYS - {"some_rows"} if code == "few_rows" else ALWAYS) | {code}
        if code == "no_rows":
            expected = {code}
        if set(found) != expected or (facts is not None and found[code]["facts"] != facts):
            wrong.append((code, found))
        if code == "too_long":
            told = found[code]["facts"]
            assert {name: told[name] for name in LINES} == LINES
            assert told["longest"] > told["context_tokens"] == 256
    assert wrong == []
    assert {code for code, _, _ in seeded} | {"lengths"} == set(preflight.CODES)  # every code has a case


def test_what_is_no_defect_is_not_told(answers: Json) -> None:
    told = {name: {one["code"] for one in found} for name, found in answers.items() if name.startswith("harmless ")}
    assert told == dict.fromkeys(told, ALWAYS)
    assert len(told) == 5


def test_many_rows_need_no_word_and_their_lengths_are_told_in_numbers(answers: Json) -> None:
    (finding,) = answers["many rows"]
    assert finding["code"] == "lengths"
    facts = finding["facts"]
    assert facts["count"] == 500 == sum(count for _, count in facts["bins"])
    assert facts["p50"] <= facts["p90"] <= facts["p99"] <= facts["longest"] <= facts["bins"][-1][0]
    assert 0 < facts["trained"] < facts["tokens"]


def test_findings_that_forbid_it_end_the_run_after_they_are_told(answers: Json) -> None:
    told = answers["blocked"]
    assert told["failed"] == ["preflight_blocked", {"codes": ["validation_empty", "end_unknown"]}]
    levels = {finding["code"]: finding["level"] for finding in told["events"][0]["found"]}
    assert levels == {"some_rows": "note", "lengths": "note", "validation_empty": "block", "end_unknown": "block"}


def test_examples_are_shown_token_by_token_as_they_are_trained(answers: Json) -> None:
    told = answers["told"]
    assert told["failed"] is None
    first, *previews = told["events"]
    assert first["event"] == "findings"
    assert [(event["event"], event["line"]) for event in previews] == [("preview", line) for line in (1, 2, 3)]
    tokens = previews[1]["tokens"]
    kinds = [token["kind"] for token in tokens if token["kind"]]
    assert kinds == ["bos", "control", "control", "end", "control", "control", "end"]
    assert "".join(token["text"] for token in tokens if token["is_trained"]) == "3 m です。<|eot_id|>"
    assert "1 番の" in "".join(token["text"] for token in tokens if not token["is_trained"])


# ------------------------------------------------------------------- wording


@pytest.mark.parametrize("language", wording.LANGUAGES)
def test_every_finding_has_words_for_its_facts(language: str) -> None:
    words = tomllib.loads((resources() / "wording/training.toml").read_text("utf-8"))["finding"]
    for code, (_, facts) in preflight.CODES.items():
        known = {*facts, *(name.removesuffix("_bytes") + "_gb" for name in facts if name.endswith("_bytes"))}
        text = words[code][language]
        fields = {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
        assert fields <= known, code
        assert text.endswith("。" if language == "ja" else "."), code


def test_lines_are_told_as_a_list() -> None:
    found = PreflightFinding("end_masked", "block", {"file": "train.jsonl", "lines": [3, 8], "count": 2})
    assert "train.jsonl の 2 行" in training_errors.finding_text(found)
    assert "3, 8 行目" in training_errors.finding_text(found)
