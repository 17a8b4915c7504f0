"""Run the chat-template child: render the template of a foreign GGUF file once, under limits, and exit.

A sandbox keeps templates from running code, but not from using all memory or never ending (`{{ 'a' * 3000000000 }}`).
So the process has 512 MB of address space and 2 s of processor time (POSIX), and the parent kills it after 2 s.

The content of messages is wrapped in marker characters before rendering, so that afterwards it can be separated from
the template's markup and is never read as control tokens.
"""

import json
import re
import sys
from typing import Any

from app.base.isolation import sandbox
from app.inference import thoughts
from app.inference.prompts import Segment
from trainer.wire import claim_stdout

MEMORY_BYTES = 512 * 1024 * 1024
PROCESSOR_S = 2
OUTPUT_CHARACTERS = 4_000_000
# Private-use characters, removed from the text first, so that nobody can type a marker.
_BEGIN, _END = "\ue0f0", "\ue0f1"


def main() -> int:
    """Read one JSON object {template, messages, end, thinks}; write {"segments": [[text, markup], …]} or {"error"}."""
    writer = claim_stdout()
    sandbox.limit_processor_time(PROCESSOR_S)
    sandbox.limit_memory(MEMORY_BYTES)
    sandbox.confine(reads=())
    request = json.loads(sys.stdin.buffer.readline())
    try:
        segments = render(request["template"], request["messages"], request["end"], thinks=request["thinks"])
        writer.send({"segments": [[segment.text, segment.markup] for segment in segments]})
    except MemoryError:
        writer.send({"error": "it needs more than 512 MB"})
    except Exception as error:  # noqa: BLE001  a foreign template may fail in any way; the parent shows the reason
        writer.send({"error": f"{type(error).__name__}: {error}"[:300]})
    return 0


def render(template: str, messages: list[dict[str, str]], end: str, *, thinks: bool = False) -> tuple[Segment, ...]:
    """Return the prompt as segments.

    `messages`: {"role": system | user | assistant, "content"}, the last one with the role user. `end`: the text of the
    end-of-text token. The engine adds the beginning-of-text token, because it knows whether the model wants one.
    `thinks`: the model shall think first; False: thoughts that the template opens are ended at once. Raises
    jinja2.TemplateError and any other exception of the template.
    """
    from jinja2 import TemplateError
    from jinja2.ext import loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def raise_exception(message: str) -> None:
        raise TemplateError(message)

    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
    environment.globals["raise_exception"] = raise_exception
    environment.filters["tojson"] = lambda value, **_: json.dumps(value, ensure_ascii=False)
    marked: list[dict[str, Any]] = [{**message, "content": _marked(message["content"])} for message in messages]
    text = environment.from_string(template).render(
        messages=marked,
        add_generation_prompt=True,
        bos_token="",
        eos_token=end,
        enable_thinking=thinks,
        thinking=thinks,
    )
    if len(text) > OUTPUT_CHARACTERS:
        raise TemplateError("its output is too long")
    found = segments(text)
    return found if thinks else thoughts.without_thoughts(found)


def segments(text: str) -> tuple[Segment, ...]:
    """Split rendered text at the markers into content and markup; text outside a pair of markers is markup.

    A template may remove one marker of a pair (`content.split('</think>')[-1]`). Then one end of the content
    is unknown, and everything up to the next marker counts as content: too little markup is safer than too much.
    """
    found: list[Segment] = []
    is_text = False
    for part in re.split(f"({_BEGIN}|{_END})", text):
        if part == _END and not is_text and found and found[-1].markup:
            found[-1] = Segment(found[-1].text)
        if part in (_BEGIN, _END):
            is_text = part == _BEGIN
        elif part:
            found.append(Segment(part, markup=not is_text))
    return tuple(found)


def _marked(text: str) -> str:
    return _BEGIN + text.replace(_BEGIN, "").replace(_END, "").strip() + _END
