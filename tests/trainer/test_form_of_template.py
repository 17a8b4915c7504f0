"""A base's own chat template becomes a form where one says the same; else nothing is guessed."""

from pathlib import Path
from typing import Any

import pytest

from tests.trainer import trainer_side
from tests.trainer.card_forms import CARD_FORMS, as_json, form_of
from tests.trainer.training_runs import RunServer

START = "{% if add_generation_prompt %}{{ %START% }}{% endif %}"


def template(body: str, start: str) -> str:
    return body + START.replace("%START%", start)


CHATML = template(
    r"{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}",
    r"'<|im_start|>assistant\n'",
)
LLAMA3 = template(
    r"{% for m in messages %}{% set text = '<|start_header_id|>' + m['role'] + '<|end_header_id|>\n\n'"
    r" + m['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set text = bos_token + text %}{% endif %}"
    r"{{ text }}{% endfor %}",
    r"'<|start_header_id|>assistant<|end_header_id|>\n\n'",
)
GEMMA = template(
    r"{{ bos_token }}{% if messages[0].role == 'system' %}{% set first = messages[0].content + '\n\n' %}"
    r"{% set rest = messages[1:] %}{% else %}{% set first = '' %}{% set rest = messages %}{% endif %}"
    r"{% for m in rest %}{% set role = 'model' if m.role == 'assistant' else m.role %}"
    r"{{ '<start_of_turn>' + role + '\n' + (first if loop.first else '') + m.content | trim + '<end_of_turn>\n' }}"
    r"{% endfor %}",
    r"'<start_of_turn>model\n'",
)
GEMMA_2 = GEMMA.replace(r"{% set first = messages[0].content + '\n\n' %}", "{{ raise_exception('no system') }}")
DEFAULT = r"{% if messages[0].role != 'system' %}{{ '<|im_start|>system\nBe kind.<|im_end|>\n' }}{% endif %}" + CHATML
QWEN3 = template(
    r"{% for m in messages %}{% set thought = '<think>\n\n</think>\n\n' if loop.last and m.role == 'assistant' else ''"
    r" %}{{ '<|im_start|>' + m.role + '\n' + thought + m.content + '<|im_end|>\n' }}{% endfor %}",
    r"'<|im_start|>assistant\n' + ('<think>\n\n</think>\n\n' if enable_thinking is false else '')",
)

# Name -> family, template, the catalogue's form that says the same.
KNOWN = {
    "llama3": ("llama", LLAMA3, "llama3"),
    "chatml": ("qwen2", CHATML, "chatml"),
    "chatml with a system message of its own": ("qwen2", DEFAULT, "chatml"),
    "qwen3": ("qwen2", QWEN3, "qwen3"),
    "gemma": ("gemma3", GEMMA, "gemma"),
    "gemma of tokenizer.model": ("gemma3-spm", GEMMA, "gemma"),
    "gemma 2, without system messages": ("gemma3", GEMMA_2, "gemma"),
}
DIFFERENT = {  # where the form above gives other ids than its template
    "chatml with a system message of its own": ["question"],
    "gemma 2, without system messages": ["system"],
}
# No form says these, or they say nothing.
UNKNOWN = {
    "none": None,
    "empty": "",
    "not a template": "{% for %}",
    "only the last message": "{{ messages[-1].content }}",
    "numbered turns": CHATML.replace("m.role +", "m.role + loop.index | string +"),
    "upper case": CHATML.replace("m.content +", "m.content | upper +"),
    "written twice": CHATML.replace("m.content +", "m.content + m.content +"),
    "backwards": CHATML.replace("in messages", "in messages | reverse"),
    "no end": CHATML.replace("<|im_end|>", ""),
    "another end after the last answer": CHATML.replace(
        "+ '<|im_end|>", "+ ('<|endoftext|>' if loop.last and m.role == 'assistant' else '<|im_end|>') + '"
    ),
    "another start than it keeps": CHATML.replace("assistant\\n'", "assistant: '"),
    "a word that joins the answer": CHATML.replace("m.role + '\\n' + m.content", "m.role + '\\n' + m.content + 's'"),
}


@pytest.fixture(scope="module")
def answers(server: RunServer, tiny_bases: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    def request(family: str, text: str | None, form: str = "") -> dict[str, Any]:
        given = {"form": as_json(form_of(CARD_FORMS[form]))} if form else {}
        return {"call": "form_of", "folder": str(tiny_bases[family]), "template": text} | given

    asked = {name: request(family, text) for name, (family, text, _) in KNOWN.items()}
    asked |= {name: request("qwen2", text) for name, text in UNKNOWN.items()}
    asked["other form"] = request("qwen2", CHATML, "gemma")
    asked["no template"] = request("qwen2", None, "chatml")
    asked["without thought"] = request("qwen2", QWEN3, "chatml")
    return trainer_side.ask(server, asked, tmp_path_factory.mktemp("template"))


@pytest.mark.parametrize("name", KNOWN)
def test_a_template_becomes_the_form_of_the_catalogue_and_differs_only_where_a_form_cannot_follow(
    name: str, answers: dict[str, Any]
) -> None:
    expected = as_json(form_of(CARD_FORMS[KNOWN[name][2]]))
    assert answers[name]["form"] == expected | {"stop": list(expected["stop"])}
    assert answers[name]["differences"] == DIFFERENT.get(name, [])


def test_nothing_is_guessed(answers: dict[str, Any]) -> None:
    assert [name for name in UNKNOWN if answers[name]["form"] is not None] == []


def test_a_given_form_differs_from_a_template_of_another_family_or_with_thoughts_and_from_none(
    answers: dict[str, Any],
) -> None:
    everywhere = ["question", "system", "turns", "end"]
    found = [answers[name]["differences"] for name in ("other form", "without thought", "no template")]
    assert found == [everywhere, everywhere, []]
