"""A prompt for a server that wants messages, not text. Its markup holds who speaks and nothing else.

So everything that makes, counts or repeats prompts works as for a model of this machine.
"""

import re
from collections.abc import Sequence

from app.inference.prompt import PromptForm, Segment

_ROLE = re.compile(r"<\|(system|user|assistant|reply)\|>")
FORM = PromptForm(
    id="messages",
    question="<|user|>{text}",
    answer="<|assistant|>{text}",
    answer_start="<|reply|>",
    system="<|system|>{text}",
)
_MESSAGE_TOKENS = 8  # around each message, of the server's own markup
_LATIN_CHARACTERS = 3  # a token, or more
_TOKENS_A_CHARACTER = 1.2  # Japanese; tokenizers in use need 0.5 to 1.1


def messages(prompt: Sequence[Segment]) -> list[dict[str, str]]:
    """Role and content of each. What a person or a model wrote is never read as a role: it is no markup."""
    found: list[dict[str, str]] = []
    for segment in prompt:
        if segment.markup:
            roles = _ROLE.findall(segment.text)
            found += [{"role": role, "content": ""} for role in roles if role != "reply"]
        else:
            found = found or [{"role": "user", "content": ""}]
            found[-1]["content"] += segment.text
    return found


def estimated_tokens(text: str) -> int:
    """Rather too many, for servers that do not count."""
    latin = sum(character < "\u0300" for character in text)
    return round(latin / _LATIN_CHARACTERS + (len(text) - latin) * _TOKENS_A_CHARACTER + 0.5)


def framing_tokens(prompt: Sequence[Segment]) -> int:
    """What the server puts around the messages of a prompt, about."""
    return _MESSAGE_TOKENS * (len(messages(prompt)) + 1)
