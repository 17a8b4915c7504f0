"""Chat templates of foreign files: 30 attacks on the real template child, under its real limits (fault S1)."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from app.base.errors import AppError
from app.chat.store import Store
from app.inference.local_model import LocalModel
from app.inference.prompts import Segment
from app.inference.services.template_renderer import TemplateRenderer
from tests import model_files as models
from tests.scene import Scene

# Each must end with an error, not with a prompt.
REFUSED = [
    "{{ 'a' * 3000000000 }}",
    "{{ 'a' * 10**9 ~ 'b' }}",
    "{% for a in range(99999) %}{% for b in range(99999) %}" * 3 + "x" + "{% endfor %}{% endfor %}" * 3,
    "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "{% set ns = namespace(x='aaaaaaaaaa') %}{% for i in range(99999) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
    "{{ range(10**8) | list | length }}",
    "{{ ('%0999999999d' | format(1)) | length }}",
    "{{ 'a'.ljust(3000000000) }}",
    "{{ 'a' | center(3000000000) }}",
    "{{ [1] * 10**10 }}",
    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "{{ 9**9**9 }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ messages.__class__.__init__.__globals__['os'] }}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ lipsum.__globals__['os'].system('id') }}",
    "{{ self.__init__.__globals__ }}",
    "{{ request.application.__globals__ }}",
    "{{ ().__class__.__bases__[0].__subclasses__() }}",
    "{{ ''|attr('__class__')|attr('__mro__') }}",
    "{{ '{0.__class__.__mro__}'.format('') }}",
    "{{ messages.append({'role': 'user', 'content': 'x'}) }}",
    "{% include '/etc/passwd' %}",
    "{% import '/etc/passwd' as p %}{{ p }}",
    "{% extends '/etc/passwd' %}",
    "{{ raise_exception('nein') }}",
    "{{ messages[99].content }}",
    "{{ undefined.attribute }}",
    "{% if %}",
    "{{ 'x' * 5000000 }}",
]


def _render(qtbot: QtBot, template: str) -> tuple[Segment, ...] | AppError:
    outcome: list[Any] = []
    request: dict[str, object] = {
        "template": template,
        "messages": [{"role": "user", "content": "秘密"}],
        "end": "</s>",
        "thinks": False,
    }
    renderer = TemplateRenderer(request, outcome.append, outcome.append)
    qtbot.waitUntil(lambda: bool(outcome))
    assert renderer is not None
    result: tuple[Segment, ...] | AppError = outcome[0]
    return result


@pytest.mark.parametrize("number", range(len(REFUSED)))
@pytest.mark.fault("S1")
def test_an_attack_ends_soon_with_an_error_and_nothing_of_the_machine(qtbot: QtBot, number: int) -> None:
    began = time.monotonic()
    result = _render(qtbot, REFUSED[number])
    assert time.monotonic() - began < 30  # two seconds are the limit; the machine may be busy
    if isinstance(result, tuple):  # a sandbox may also answer with nothing at all
        text = "".join(segment.text for segment in result)
        assert not any(word in text for word in ("root:", "uid=", "class", "function", "module"))
        assert len(text) < 100
    else:
        assert result.code == "template_failed"
        assert "root:" not in json.dumps(result.facts)


def test_an_honest_template_is_rendered(qtbot: QtBot) -> None:
    result = _render(qtbot, "[INST] {{ messages[0].content }} [/INST]")
    assert result == (Segment("[INST] ", markup=True), Segment("秘密"), Segment(" [/INST]", markup=True))


def _use_template(scene: Scene, store: Store, folder: Path, template: str, allowed: bool) -> None:
    path = models.tiny_llama(folder / "foreign.gguf", chat_template=template)
    store.put_local_model(
        LocalModel("foreign", "外来", str(path), 1, "llama", "F32", 512, 2.0, template_allowed=allowed)
    )
    scene.library._reload()
    scene.session.use_model("foreign")


@pytest.mark.fault("S1")
def test_a_conversation_with_a_template_that_never_ends_fails_in_words(
    scene: Scene, store: Store, tmp_path: Path
) -> None:
    _use_template(scene, store, tmp_path, REFUSED[2], allowed=True)
    answer = scene.ask("問い")
    assert answer.details is not None
    assert answer.details.error_code == "template_failed"
    assert not scene.session.is_busy


@pytest.mark.fault("S1")
def test_a_template_is_not_run_before_the_user_has_agreed(scene: Scene, store: Store, tmp_path: Path) -> None:
    _use_template(scene, store, tmp_path, "{{ raise_exception('was run') }}", allowed=False)
    assert scene.ask("問い").status == "done"


def test_an_allowed_template_answers(scene: Scene, store: Store, tmp_path: Path) -> None:
    _use_template(scene, store, tmp_path, "<u>{{ messages[0].content }}</u>", allowed=True)
    assert scene.ask("問い").text == "問い"
