"""Let a model call the functions of a client, whatever its chat template knows.

The functions are described in the system prompt, and a grammar makes the answer one JSON object: a call with arguments
that fit the function's JSON schema, or a text.
"""

import json
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from app.base.files import strict_json
from app.base.wording import phrase

NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
TOOLS_MOST = 64
_REFERENCE = re.compile(r'"\$ref": "#/\$defs/[^"/]+')


@dataclass(frozen=True, slots=True)
class Tool:
    """A function of the client. `parameters`: the JSON schema of its arguments."""

    name: str
    description: str
    parameters: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that the model asks for. `arguments`: a JSON object as text."""

    name: str
    arguments: str
    id: str = field(default_factory=lambda: f"call_{secrets.token_hex(12)}")

    @property
    def function(self) -> dict[str, str]:
        return {"name": self.name, "arguments": self.arguments}


def instruction(tools: Sequence[Tool]) -> str:
    """Return what the system prompt says of the functions."""
    described = ({"tool": one.name, "description": one.description, "arguments": one.parameters} for one in tools)
    return phrase("serve.tools", tools="\n".join(json.dumps(one, ensure_ascii=False) for one in described))


def answer_schema(tools: Sequence[Tool], *, is_required: bool) -> str:
    """Return the JSON schema of an answer that calls one of the functions or, unless `is_required`, is a text."""
    shapes: list[Any] = []
    definitions: dict[str, Any] = {}
    for number, one in enumerate(tools):
        # References in a schema are from its root, which is another one now, and shared with the other functions.
        parameters = json.loads(_REFERENCE.sub(rf"\g<0>-{number}", json.dumps(one.parameters)))
        definitions |= {f"{name}-{number}": shape for name, shape in parameters.pop("$defs", {}).items()}
        shapes.append(_shape({"tool": {"const": one.name}, "arguments": {"type": "object", **parameters}}))
    if not is_required:
        shapes.append(_shape({"answer": {"type": "string"}}))
    return json.dumps({"anyOf": shapes, "$defs": definitions})


def _shape(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def call_text(name: str, arguments: str) -> str:
    """Return a call as the model has written it. Raises TypeError for arguments that are no text."""
    return f'{{"tool": {json.dumps(name)}, "arguments": ' + arguments + "}"


def read_answer(text: str) -> tuple[str, ToolCall | None]:
    """Return the text and the call of an answer in the shape of `answer_schema`; an answer that was cut off is text."""
    try:
        data = strict_json.loads(text)
    except ValueError:
        return text, None
    if "tool" in data:
        return "", ToolCall(data["tool"], json.dumps(data["arguments"], ensure_ascii=False))
    return data["answer"], None
