"""The base's own chat template as a Form, and where a form differs from it.

A template is a program; a form is a few strings. It is rendered with markers in place of the texts, cut at the markers,
and what comes out counts only if it gives the same token ids for another conversation.
"""

from collections.abc import Sequence
from typing import Any

from trainer import form as forms
from trainer.form import Form, Messages, Piece
from trainer.tokens import Tokens

_MARKS = ("KqSystemZ", "KqFirstZ", "KqReplyZ", "KqSecondZ", "KqAnswerZ")
_ROLES = ("system", "user", "assistant", "user", "assistant")
_OTHER = ("Be brief.\nNo lists.", "What is 12 + 30?", "42", "Why?\n\n(2 lines)", "Because 1 < 2; see <b>.\n- so")


def form_of(tokenizer: Any) -> Form | None:
    """None: there is no template, or no form says the same."""
    if not tokenizer.chat_template:
        return None
    tokens = Tokens(tokenizer)
    for has_system in (True, False):
        found = _cut(tokens, _conversation(_MARKS, has_system))
        if found is not None:
            return found if _is_same(found, tokens, _conversation(_OTHER, has_system)) else None
    return None


def differences(form: Form, tokenizer: Any) -> list[str]:
    """Where the form gives other token ids than the base's template: "question", "system", "turns", "end". Empty
    without a template.
    """
    if not tokenizer.chat_template:
        return []
    tokens = Tokens(tokenizer)
    whole = _conversation(_OTHER, has_system=True)
    system, *turns = whole
    prompts = {"question": turns[:1], "system": [system, *turns[:1]]}
    if _rendered(tokens, whole) is None:  # without a system message, then
        whole = turns
    prompts["turns"] = whole[:-1]
    found = [name for name, messages in prompts.items() if not _is_same_prompt(form, tokens, messages)]
    return found if _is_same_end(form, tokens, whole) else [*found, "end"]


# ------------------------------------------------------------------- cutting


def _cut(tokens: Tokens, messages: Messages) -> Form | None:
    """What stands between the markers, shared out among the turns."""
    marks = [message["content"] for message in messages]
    whole, asked = _rendered(tokens, messages), _rendered(tokens, messages[:-1])
    prompt = _rendered(tokens, messages[:-1], with_start=True)
    between = _between(whole, marks)
    if between is None or asked is None or prompt is None:
        return None
    *beginning, before_reply, after_reply, before_answer, ending = between
    question_end = asked.rpartition(marks[-2])[2]
    starts = (prompt.rpartition(marks[-2])[2], before_reply, before_answer)
    if not after_reply.startswith(ending) or not all(text.startswith(question_end) for text in starts):
        return None
    start, reply_start, answer_start = (text.removeprefix(question_end) for text in starts)
    question_start = after_reply.removeprefix(ending)
    system = _system(beginning, question_start)
    end = next((text for text in tokens.added_texts if ending.startswith(text)), "")
    if system is None or not end or not answer_start.startswith(start):
        return None
    return Form(
        question=f"{question_start}{{text}}{question_end}",
        answer=f"{reply_start}{{text}}{ending}",
        answer_start=answer_start,
        system=system,
        end=end,
        stop=(end,),
    )


def _system(beginning: Sequence[str], question_start: str) -> str | None:
    """The form's `system`, from what stands before the first question's text. None: no form says this."""
    *before, opening = beginning
    if not before:
        return "" if opening == question_start else None
    if before[0] == question_start and opening == "\n\n":
        return ""  # there is no turn for it, and a form puts it just there
    if question_start and opening.endswith(question_start):
        return f"{before[0]}{{text}}{opening.removesuffix(question_start)}"
    return None


def _between(text: str | None, marks: Sequence[str]) -> list[str] | None:
    """What stands before, between and after the marks; None where one is missing, comes twice or out of turn."""
    if text is None or any(text.count(mark) != 1 for mark in marks):
        return None
    found = []
    for mark in marks:
        before, is_here, text = text.partition(mark)
        if not is_here:
            return None
        found.append(before)
    return [*found, text]


# ----------------------------------------------------------------- rendering


def _conversation(texts: Sequence[str], has_system: bool) -> list[dict[str, str]]:
    turns = [{"role": role, "content": text} for role, text in zip(_ROLES, texts, strict=True)]
    return turns if has_system else turns[1:]


def _rendered(tokens: Tokens, messages: Messages, *, with_start: bool = False) -> str | None:
    """Without the first token where the tokenizer adds it; None where the template does not take such messages."""
    import jinja2

    try:
        text: str = tokens.tokenizer.apply_chat_template(
            [dict(message) for message in messages],
            tokenize=False,
            add_generation_prompt=with_start,
            enable_thinking=False,  # Qwen's: answers come at once
        )
    except (jinja2.TemplateError, ValueError, TypeError, KeyError):
        return None
    return text.removeprefix(tokens.tokenizer.bos_token or "") if tokens.bos_id is not None else text


# ----------------------------------------------------------------- comparing


def _is_same(form: Form, tokens: Tokens, messages: Messages) -> bool:
    return _is_same_prompt(form, tokens, messages[:-1]) and _is_same_end(form, tokens, messages)


def _is_same_prompt(form: Form, tokens: Tokens, messages: Messages) -> bool:
    return _is_equal(forms.prompt(form, messages), _rendered(tokens, messages, with_start=True), tokens)


def _is_same_end(form: Form, tokens: Tokens, messages: Messages) -> bool:
    """The last answer and what ends it; templates may write a line feed after that, which no answer needs."""
    rendered = _rendered(tokens, messages)
    pieces = forms.examples(form, messages)[-1]
    return rendered is not None and _is_equal(pieces, rendered.removesuffix("\n"), tokens)


def _is_equal(pieces: Sequence[Piece], rendered: str | None, tokens: Tokens) -> bool:
    """In ids: a template's text is tokenized as a whole, ours piece by piece."""
    if rendered is None:
        return False
    ids = tokens.encode(pieces).ids[tokens.bos_id is not None :]
    return ids == tokens.ids(rendered, has_markup=True)
