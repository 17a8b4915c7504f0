"""Our own prompt forms against the chat templates of the models: the same text, but for the first token.

The templates are written out here as their authors' cards show them, in Jinja, as files carry them. The first token
(BOS) is the file's and the engine's affair, so it is rendered as nothing.
"""

import pytest
from jinja2.sandbox import ImmutableSandboxedEnvironment

from app.inference import prompts, thoughts
from app.inference.prompts import Turn
from app.models import catalogue

LLAMA_3 = """{% for m in messages %}{{ '<|start_header_id|>' + m['role'] + '<|end_header_id|>\n\n' \
+ m['content'] | trim + '<|eot_id|>' }}{% endfor %}\
{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}\
{% endif %}"""

CHATML = """{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endfor %}\
{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"""

QWEN_3 = (
    CHATML[: -len("{% endif %}")]
    + "{% if enable_thinking is defined and enable_thinking is false %}"
    + r"{{ '<think>\n\n</think>\n\n' }}"
    + r"{% else %}{{ '<think>\n' }}"  # Qwen 3.5; before it the model itself wrote that
    + "{% endif %}{% endif %}"
)

CHATML_THINKING = (
    CHATML[: CHATML.index("{% if add_")]
    + r"{{ '<|im_start|>assistant\n<think>\n' }}"
    + r"{% if not enable_thinking %}{{ '\n</think>\n\n' }}{% endif %}"  # without a switch, they are ended
)

GEMMA = """{% if messages[0]['role'] == 'system' %}{% set first = messages[0]['content'] + '\n\n' %}\
{% set rest = messages[1:] %}{% else %}{% set first = '' %}{% set rest = messages %}{% endif %}\
{% for m in rest %}{{ '<start_of_turn>' + ('model' if m['role'] == 'assistant' else m['role']) + '\n' \
+ (first if loop.first else '') + m['content'] | trim + '<end_of_turn>\n' }}{% endfor %}\
{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"""

GEMMA_4 = """{% if enable_thinking and messages[0]['role'] != 'system' %}{{ '<|turn>system\n<|think|>\n<turn|>\n' }}\
{% endif %}{% for m in messages %}{{ '<|turn>' + ('model' if m['role'] == 'assistant' else m['role']) + '\n' \
+ ('<|think|>\n' if enable_thinking and m['role'] == 'system' else '') + m['content'] | trim + '<turn|>\n' }}\
{% endfor %}{% if add_generation_prompt %}{{ '<|turn>model\n' }}{% endif %}"""

SARASHINA = """{% for m in messages %}{% if m['role'] == 'user' %}{{ '<|user|>' + m['content'] + eos_token }}\
{% elif m['role'] == 'system' %}{{ '<|system|>' + m['content'] }}\
{% else %}{{ '<|assistant|>' + m['content'] + eos_token }}{% endif %}{% endfor %}\
{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"""

INSTRUCTION = """{% for m in messages %}{% if m['role'] == 'user' %}{{ '\n\n### 指示:\n' + m['content'] }}\
{% elif m['role'] == 'system' %}{{ m['content'] }}\
{% else %}{{ '\n\n### 応答:\n' + m['content'] + eos_token }}{% endif %}{% endfor %}\
{% if add_generation_prompt %}{{ '\n\n### 応答:\n' }}{% endif %}"""

HARMONY = """{% for m in messages %}{{ '<|start|>' + m['role'] + \
('<|channel|>final' if m['role'] == 'assistant' else '') + '<|message|>' + m['content'] + '<|end|>' }}{% endfor %}\
{% if add_generation_prompt %}{{ '<|start|>assistant<|channel|>' }}\
{{ 'analysis' if enable_thinking else 'final' }}{{ '<|message|>' }}{% endif %}"""

# Of Nemotron Nano v2, whose own template opens an empty system turn where there is none: ours begins with the question.
NEMOTRON = """{% for m in messages %}{% if m['role'] == 'system' %}{{ '<SPECIAL_10>System\n' + m['content'] + '\n' }}\
{% elif m['role'] == 'user' %}{{ '<SPECIAL_11>User\n' + m['content'] + '\n' }}\
{% else %}{{ '<SPECIAL_11>Assistant\n' + m['content'] + '\n<SPECIAL_12>\n' }}{% endif %}{% endfor %}\
{% if add_generation_prompt %}{{ '<SPECIAL_11>Assistant\n<think>' }}\
{{ '\n' if enable_thinking else '</think>' }}{% endif %}"""

TEMPLATES = {
    "llama3": LLAMA_3,
    "chatml": CHATML,
    "qwen3": QWEN_3,
    "chatml_thinking": CHATML_THINKING,
    "gemma": GEMMA,
    "gemma4": GEMMA_4,
    "sarashina": SARASHINA,
    "instruction": INSTRUCTION,
    "harmony": HARMONY,
    "harmony_thinking": HARMONY,
    "nemotron": NEMOTRON,
}
THINKING = [form.id for form in catalogue.load().forms.values() if form.thinking_start]
TURNS = [
    [Turn("堤防の点検はいつですか。")],
    [Turn("一つ目\n\n改行", "はい。"), Turn("二つ目 😀", "いいえ。"), Turn("三つ目")],
]


def rendered(template: str, turns: list[Turn], system: str, *, thinks: bool = False) -> str:
    messages = [{"role": "system", "content": system}] if system else []
    for turn in turns:
        messages.append({"role": "user", "content": turn.question})
        if turn.answer is not None:
            messages.append({"role": "assistant", "content": turn.answer})
    environment = ImmutableSandboxedEnvironment()
    return environment.from_string(template).render(
        messages=messages, add_generation_prompt=True, enable_thinking=thinks, eos_token="</s>"
    )


@pytest.mark.parametrize("system", ["", "あなたは誠実なアシスタントです。"], ids=["alone", "with a system text"])
@pytest.mark.parametrize("turns", TURNS, ids=["one question", "a conversation"])
@pytest.mark.parametrize("form_id", TEMPLATES)
def test_our_form_is_what_the_models_own_template_makes(form_id: str, turns: list[Turn], system: str) -> None:
    form = catalogue.load().forms[form_id]
    ours = "".join(segment.text for segment in prompts.build(form, turns, system))
    assert ours == rendered(TEMPLATES[form_id], turns, system)


@pytest.mark.parametrize("system", ["", "あなたは誠実なアシスタントです。"], ids=["alone", "with a system text"])
@pytest.mark.parametrize("form_id", THINKING)
def test_with_thoughts_too_our_form_is_what_the_template_makes(form_id: str, system: str) -> None:
    segments = prompts.build(catalogue.load().forms[form_id], TURNS[1], system, thinks=True)
    assert "".join(one.text for one in segments) == rendered(TEMPLATES[form_id], TURNS[1], system, thinks=True)
    assert bool(thoughts.begins_open(segments)) == (form_id != "gemma4")  # which opens them itself


def test_a_form_without_thoughts_stays_as_it_is() -> None:
    form = catalogue.load().forms["llama3"]
    assert prompts.build(form, TURNS[1], "簡潔に", thinks=True) == prompts.build(form, TURNS[1], "簡潔に")


def test_every_form_of_the_catalogue_is_compared() -> None:
    forms = catalogue.load().forms.values()
    assert {form.id for form in forms if not form.is_completion} == set(TEMPLATES)


@pytest.mark.parametrize("form_id", [key for key in TEMPLATES if catalogue.load().forms[key].marker])
def test_a_file_with_the_template_is_given_our_form(form_id: str) -> None:
    """Also where templates share tokens: a Qwen 3 is no plain ChatML."""
    found = catalogue.load().form_of_template(TEMPLATES[form_id])
    assert found.id == form_id


def test_llm_jp_is_prompted_as_its_card_says() -> None:
    card = catalogue.card("llm-jp-3.1-1.8b-instruct4")
    form = catalogue.load().forms[card.form]
    text = "".join(segment.text for segment in prompts.build(form, [Turn("問い")], card.system_prompt))
    sentence = "以下は、タスクを説明する指示です。要求を適切に満たす応答を書きなさい。"
    assert text == f"{sentence}\n\n### 指示:\n問い\n\n### 応答:\n"
