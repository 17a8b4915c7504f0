"""Decide which model, preset, choices, collections and excluded turns an answer uses.

For a conversation that no longer fits the context, also count whether dropping its oldest turns or a wider context
would help.
"""

import collections
import dataclasses
import itertools
import secrets
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any, TypeGuard

from PySide6.QtCore import QObject, Signal

from app.base.errors import AppError
from app.base.services.preferences import Preferences
from app.base.settings import CONTEXT_CHOICES
from app.chat.presets import Choices, Preset, is_valid_choice
from app.chat.records import AnswerDetails, Conversation, Message
from app.chat.services.answer_run import AnswerRequest, choices_in_force
from app.chat.services.preset_library import PresetLibrary
from app.chat.services.retrieval_augmentation import RetrievalRequest
from app.inference import prompts
from app.inference.engine.messages import Event, Failed, Tokenize, Tokenized
from app.inference.local_model import LocalModel
from app.inference.prompts import Turn
from app.inference.services.engine import EngineClient
from app.inference.services.events import ContextOverflow
from app.models import catalogue, local_models, model_registry
from app.models.services.model_library import ModelLibrary

# Returns the fields of AnswerDetails that record the training data of a model.
LearnedDetails = Callable[[LocalModel], Mapping[str, Any]]


class AnswerSettings:
    """Decides with which model, preset and turns a conversation is answered. `here` is that conversation."""

    def __init__(
        self, presets: PresetLibrary, library: ModelLibrary, preferences: Preferences, learned: LearnedDetails
    ) -> None:
        self._presets = presets
        self._learned = learned
        self._library = library
        self._preferences = preferences
        # Context size -> (conversation uid, id of the last excluded question). A wider context has room for the turns
        # again.
        self._left_out: collections.defaultdict[int, set[tuple[str, int]]] = collections.defaultdict(set)

    @property
    def model(self) -> LocalModel | None:
        """Return the model that will answer the next question; None if no model is installed."""
        return local_models.answering_model(self._library.listed(), self._preferences.value.model_id)

    def preset(self, conversation: Conversation) -> Preset:
        """Return the preset of the conversation."""
        return self._presets.chat_preset(conversation.preset_id or self._preferences.value.preset_id)

    def leave_out(self, conversation: Conversation, line: Sequence[Message], turns: int) -> None:
        """Exclude the next `turns` oldest turns of the branch `line` from all later prompts, as the user chose."""
        count = self._turns_left_out(conversation, line) + turns
        last = answered_questions(line)[count - 1]
        self._left_out[self._preferences.value.context_tokens].add((conversation.uid, last.id))

    def plan(
        self, conversation: Conversation, line: Sequence[Message], own_choices: Choices, *, is_action: bool = False
    ) -> AnswerDetails:
        """Return the settings of a new answer, which are stored with it so that it can be repeated.

        `line` is the branch up to the question, `own_choices` are the choices of this one answer. Without a model only
        the context size and the collections are set.
        """
        scope = () if is_action else conversation.scope
        bare = AnswerDetails(context_tokens=self._preferences.value.context_tokens, scope=scope, is_action=is_action)
        model = self.model
        if model is None:
            return bare
        choices = choices_in_force(model, own_choices, conversation.choices, self.preset(conversation).choices)
        return dataclasses.replace(
            bare,
            model_id=model.id,
            model_name=model.name,
            seed=secrets.randbits(32) if choices.seed is None else choices.seed,
            choices=choices,
            left_out_turns=self._turns_left_out(conversation, line),
            remote=model_registry.server_address(model),
            **model_registry.provenance_fields(model),
            **self._learned(model),
        )

    def with_room(self, plan: AnswerDetails, prompt_tokens: int) -> AnswerDetails:
        """Return the settings with the least context that holds the prompt, the thoughts and the answer."""
        choices, limit = plan.choices or Choices(), self.model.context_tokens if self.model else 0
        needed = prompt_tokens + (choices.thought_tokens or 0) + (choices.max_tokens or 0)
        fitting = [size for size in CONTEXT_CHOICES if size > plan.context_tokens and (not limit or size <= limit)]
        if needed <= plan.context_tokens or not fitting:
            return plan
        return dataclasses.replace(plan, context_tokens=next((n for n in fitting if n >= needed), fitting[-1]))

    def _turns_left_out(self, conversation: Conversation, line: Sequence[Message]) -> int:
        left_out = self._left_out[self._preferences.value.context_tokens]
        questions = answered_questions(line)
        return max(
            (n for n, question in enumerate(questions, 1) if (conversation.uid, question.id) in left_out), default=0
        )


def can_repeat(details: AnswerDetails | None) -> TypeGuard[AnswerDetails]:
    """Return whether an answer's settings are complete and valid; the settings from an imported file may be neither."""
    if details is None or details.choices is None or details.context_tokens < 1 or details.left_out_turns < 0:
        return False
    settled = dataclasses.asdict(details.choices) | {"seed": details.seed or 0}
    settled["thought_tokens"] = settled["thought_tokens"] or 0
    return all(is_valid_choice(key, value) for key, value in settled.items())


def replan(answer: Message) -> AnswerDetails:
    """Return the settings to repeat an answer with its seed. `can_repeat` must hold for it."""
    before = answer.details
    assert can_repeat(before)
    settings = {name: getattr(before, name) for name in _SETTINGS}
    choices = Choices(seed=before.seed).with_defaults(before.choices or Choices())
    return AnswerDetails(**settings, choices=choices, reproduces_id=answer.id)


# The fields that are determined before an answer is written, except the choices.
_SETTINGS = (
    "model_id", "model_name", "seed", "context_tokens", "left_out_turns", "scope", "is_action", "remote", "run_id",
    "base_sha256", "adapter_sha256", "adapter_strength", "model_label", "learned",
)  # fmt: skip


def is_same_model(model: LocalModel, details: AnswerDetails) -> bool:
    """Return whether a model still is the one that wrote the answer; another may have its id now."""
    now = {**model_registry.provenance_fields(model), "remote": model_registry.server_address(model)}
    return all(getattr(details, name) == value for name, value in now.items())


def retrieval_request(
    documents: Path, plan: AnswerDetails, turns: tuple[Turn, ...], line: Sequence[Message]
) -> RetrievalRequest | None:
    """Return what to search for in documents, or None without documents. `line` is the branch up to the question."""
    answers = [message.details.grounding if message.details else None for message in line if message.role == "answer"]
    grounded = [one for one in answers if one is not None]
    last = (answers if plan.is_action else grounded)[-1:]
    before = last[0].sources if last and last[0] is not None and last[0].has_answer else ()
    if plan.is_action:
        return RetrievalRequest(documents, (), turns, before, last[0].verdict, before) if before and last[0] else None
    return RetrievalRequest(documents, plan.scope, turns, previous_sources=before) if plan.scope else None


def prompt_turns(thread: Sequence[Message], answer_id: int, left_out: int = 0) -> tuple[Turn, ...]:
    """Return the answered turns but the `left_out` oldest, and the question that `answer_id` answers."""
    found: list[Turn] = []
    for message in thread:
        if message.role == "question":
            found.append(Turn(message.prompt_text))
        elif message.id != answer_id and found and message.text:
            found[-1] = Turn(found[-1].question, message.text)
    answered = [turn for turn in found[:-1] if turn.answer is not None]
    return (*answered[left_out:], found[-1])


def answered_questions(line: Sequence[Message]) -> list[Message]:
    """Return the questions with an answer: those of the turns that `prompt_turns` returns before the last one."""
    followed = itertools.pairwise(line)
    return [one for one, next_one in followed if one.role == "question" and next_one.role == "answer" and next_one.text]


class OverflowCounter(QObject):
    """Counts how many turns to drop, or how wide a context, would make a conversation fit.

    After `count` it emits `counted`, or `failed` if the engine cannot count. `take` returns the result once.
    """

    counted = Signal(object)  # ContextOverflow
    failed = Signal(object)  # AppError

    def __init__(self, engine: EngineClient, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._engine = engine
        self._counting: tuple[str, Message, AppError] | None = None  # request id, answer, the answer's error
        self._counted: tuple[Message, ContextOverflow] | None = None  # the answer that did not fit, and the remedies
        engine.event_received.connect(self._on_engine_event)
        engine.died.connect(self._on_died)

    def count(self, answer: Message, request: AnswerRequest, error: AppError) -> None:
        """Ask for the tokens of each turn but the last: of a prompt with it alone, minus those of an empty one."""
        request_id = self._engine.new_id()
        self._counting = (request_id, answer, error)
        form = local_models.form_of(request.model) or catalogue.load().forms[local_models.FALLBACK_FORM]
        alone = [(), *((turn,) for turn in request.turns[:-1])]
        self._engine.send(Tokenize(request_id, tuple(prompts.build(form, turns) for turns in alone)))

    def take(self) -> tuple[Message, ContextOverflow] | None:
        """Return the answer that did not fit and what would help, or None; a second call returns None."""
        counted, self._counted = self._counted, None
        return counted

    def forget(self) -> None:
        """Discard the count, so that the window offers no remedy any more."""
        self._counting = self._counted = None

    def _on_engine_event(self, event: Event) -> None:
        if self._counting is None or not isinstance(event, Tokenized | Failed) or event.id != self._counting[0]:
            return
        if isinstance(event, Failed):
            self._on_died()
            return
        (_, answer, error), self._counting = self._counting, None
        trained = self._engine.facts.trained_context_tokens if self._engine.facts else 0
        facts = error.facts
        empty, *turns = event.counts
        shorter = [facts["prompt_tokens"] - total for total in accumulate(count - empty for count in turns)]
        overflow = _find_remedies(shorter, facts["prompt_tokens"], facts["context_tokens"], trained)
        self._counted = (answer, overflow)
        self.counted.emit(overflow)

    def _on_died(self, *_how: object) -> None:
        """Emit the error of the answer itself, because the engine cannot count any more."""
        if self._counting is not None:
            (_, _, error), self._counting = self._counting, None
            self.failed.emit(error)


def _find_remedies(
    tokens_without_oldest: Sequence[int], needed_tokens: int, context: int, trained_context: int
) -> ContextOverflow:
    """Return what would help while leaving a quarter of the context for the answer.

    `tokens_without_oldest`: the prompt tokens without the 1, 2, … oldest turns; `needed_tokens`: those of the whole
    prompt. `trained_context`: the context in tokens that the model was trained with, 0 if unknown.
    """
    room = context * 3 // 4
    dropped = next((count for count, tokens in enumerate(tokens_without_oldest, start=1) if tokens <= room), 0)
    wider = next((size for size in CONTEXT_CHOICES if size * 3 // 4 >= needed_tokens and size > context), None)
    if wider is not None and wider > trained_context > 0:
        wider = trained_context if trained_context * 3 // 4 >= needed_tokens else None
    return ContextOverflow(needed_tokens, context, dropped, wider)
