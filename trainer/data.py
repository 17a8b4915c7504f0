"""Read rows of messages, encode them as examples, and batch them; also describe the base folder and a run's inputs.

An answer is never cut, and no example of a batch sees another. TrainingInputs holds everything that a run trains
with: the effective spec, the prompt form, the tokenizer and the examples as tokens.
"""

import codecs
import dataclasses
import hashlib
import json
import math
import os
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer import estimate
from trainer import prompt_form as forms
from trainer.convert import hf_folder
from trainer.convert.report import JobError
from trainer.events import RunError
from trainer.prompt_form import FormPiece, Messages, TrainingPromptForm
from trainer.spec import PREFERENCE, RunSpec
from trainer.tokenization import UNTRAINED, BaseTokenizer, EncodedExample

ANY_LENGTH = 1 << 30  # as a context length: no limit


@dataclass(frozen=True, slots=True)
class TrainingConversation:
    """One row: an optional system message, then user and assistant in turn, ending with the assistant.

    `line`: its line in the data file, from 1. `rejected`: of a pair, an answer that is liked less than the last one.
    """

    line: int
    messages: tuple[dict[str, str], ...]
    rejected: str = ""


@dataclass(frozen=True, slots=True)
class SplitRows:
    """The rows of all data files; `holdout` may be empty."""

    train: list[TrainingConversation]
    validation: list[TrainingConversation]
    holdout: list[TrainingConversation]


@dataclass(frozen=True, slots=True)
class EncodedRows:
    """The examples of one data file.

    `dropped`, `split` and `too_long`: line numbers, in the file's order. The rows in `too_long` exceed the context but
    are still among the examples (over_length "refuse"). `longest`: tokens of the longest row, including dropped rows.
    """

    examples: list[EncodedExample]
    dropped: tuple[int, ...]
    split: tuple[int, ...]
    too_long: tuple[int, ...]
    longest: int


# ------------------------------------------------------------------- reading


def read_rows(path: Path, sha256: str = "", *, needs_pairs: bool = False) -> list[TrainingConversation]:
    """Return the rows of a data file (JSON Lines in UTF-8) without empty lines. `sha256`: expected hash; "" for any.

    `needs_pairs`: each row must also have a "rejected" answer.
    Raises RunError: data_missing, data_changed, data_invalid (with the line and the reason in English).
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RunError("data_missing", path=str(path)) from error
    if sha256 and hashlib.sha256(data).hexdigest() != sha256:
        raise RunError("data_changed", path=str(path))
    found = []
    for line, raw in enumerate(data.removeprefix(codecs.BOM_UTF8).split(b"\n"), 1):
        try:
            if raw.strip():
                found.append(_conversation(line, raw, needs_pairs=needs_pairs))
        except ValueError as error:
            raise RunError("data_invalid", path=str(path), line=line, reason=_reason(error)) from error
    return found


def _conversation(line: int, raw: bytes, *, needs_pairs: bool) -> TrainingConversation:
    row = json.loads(raw.decode("utf-8"))
    messages = row.get("messages") if isinstance(row, dict) else None
    if not isinstance(messages, list) or not messages:
        raise ValueError('no {"messages": [...]}')
    read_messages = tuple(_message(message) for message in messages)
    roles = [message["role"] for message in read_messages]
    turns = roles[1:] if roles[0] == "system" else roles
    if not turns or turns != ["user", "assistant"] * (len(turns) // 2):
        raise ValueError(f"roles: {', '.join(roles[:8])}; wanted: user and assistant in turns, an assistant last")
    rejected = _message({"role": "assistant", "content": row.get("rejected")})["content"] if needs_pairs else ""
    if rejected == read_messages[-1]["content"]:
        raise ValueError("the rejected answer is the last answer")
    return TrainingConversation(line, read_messages, rejected)


def _message(message: Any) -> dict[str, str]:
    role, content = (message.get("role"), message.get("content")) if isinstance(message, dict) else (None, None)
    if role not in ("system", "user", "assistant"):
        raise ValueError(f"role: {role!r}")
    if not isinstance(content, str) or not content.strip():
        raise ValueError(f"no text in a message of {role}")
    content.encode("utf-8")  # raises for a lone surrogate, which is not text
    return {"role": role, "content": content}


def _reason(error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"no JSON: {error.msg} (column {error.colno})"
    return "no UTF-8" if isinstance(error, UnicodeError) else str(error)


# ------------------------------------------------------------------ encoding


def encode_rows(
    conversations: Iterable[TrainingConversation],
    form: TrainingPromptForm,
    tokens: BaseTokenizer,
    context_tokens: int,
    over_length: str,
    loss: str,
) -> EncodedRows:
    """Encode conversations as training examples. Nothing is cut silently: the result lists lines that are too long.

    `over_length`: "refuse" keeps examples that are too long, "drop" drops them, "split" cuts them into several examples
    and drops only turns that are too long by themselves; a pair is never cut. `loss`: as in RunSpec.
    """
    examples: list[EncodedExample] = []
    lines: dict[str, list[int]] = {"dropped": [], "split": [], "refuse": []}
    longest = 0
    for conversation in conversations:
        line = conversation.line
        if loss == PREFERENCE:
            found = [_pair(conversation, form, tokens)]
        else:
            pieces_of = forms.example_pieces(form, conversation.messages)
            found = [_example(pieces, tokens, loss, line) for pieces in pieces_of]
        length = max(example.longest for example in found)
        longest = max(longest, length)
        if length > context_tokens and over_length == "refuse":
            lines["refuse"].append(line)
        elif length > context_tokens:
            found, is_complete = [], False
            if over_length == "split" and loss != PREFERENCE:
                found, is_complete = _windows(conversation, form, tokens, context_tokens, loss)
            lines["split"] += [line] * bool(found)
            lines["dropped"] += [line] * (not is_complete)
        examples += found
    dropped, split, too_long = (tuple(lines[name]) for name in ("dropped", "split", "refuse"))
    return EncodedRows(examples, dropped, split, too_long, longest)


def _example(pieces: Iterable[FormPiece], tokens: BaseTokenizer, loss: str, line: int) -> EncodedExample:
    encoded = tokens.encode(pieces)
    labels = encoded.labels
    if loss == "all":
        labels = encoded.ids if tokens.bos_id is None else [UNTRAINED, *encoded.ids[1:]]
    return EncodedExample(encoded.ids, list(labels), line)


def _pair(conversation: TrainingConversation, form: TrainingPromptForm, tokens: BaseTokenizer) -> EncodedExample:
    """Encode a pair: of both conversations only the last answer is trained."""
    *prompt, last = conversation.messages
    chosen, rejected = (
        tokens.encode(forms.prompt_pieces(form, prompt) + forms.answer_pieces(form, text))
        for text in (last["content"], conversation.rejected)
    )
    return dataclasses.replace(chosen, line=conversation.line, rejected=rejected)


def _windows(
    conversation: TrainingConversation, form: TrainingPromptForm, tokens: BaseTokenizer, context_tokens: int, loss: str
) -> tuple[list[EncodedExample], bool]:
    """Split a conversation into examples that each fit the context. Return them, and whether every turn fits.

    Each answer is trained once. A window begins with as many earlier turns as fit in half of the context, so that a
    question keeps its context; these turns are trained again only if `loss` is "all".
    """
    messages = conversation.messages
    system, turns = (messages[:1], messages[1:]) if messages[0]["role"] == "system" else ((), messages)
    count = len(turns) // 2
    is_whole = len(forms.example_pieces(form, messages)) == 1  # otherwise each answer has its own example

    def window(begin: int, end: int, first: int) -> EncodedExample:
        """Encode the turns from `begin` up to, not including, `end`; answers before `first` are not trained."""
        pieces = forms.example_pieces(form, [*system, *turns[2 * begin : 2 * end]])[-1]
        return _example(_untrained(pieces, first - begin if is_whole else 0), tokens, loss, conversation.line)

    def fits(begin: int, end: int, room: int) -> bool:
        return begin == end or len(window(begin, end, begin).ids) <= room

    found, first, is_complete = list[EncodedExample](), 0, True
    while first < count:
        end = first + 1
        fitting = (at for at in range(end) if fits(at, end, context_tokens) and fits(at, first, context_tokens // 2))
        begin = next(fitting, None)
        if begin is None:
            is_complete = False
        else:
            while is_whole and end < count and fits(begin, end + 1, context_tokens):
                end += 1
            found.append(window(begin, end, first))
        first = end
    return found, is_complete


def _untrained(pieces: Sequence[FormPiece], answers: int) -> Iterator[FormPiece]:
    """Yield the pieces with the first `answers` answers and their end tokens marked as untrained."""
    for piece in pieces:
        yield dataclasses.replace(piece, is_trained=False) if answers > 0 else piece
        answers -= piece.is_end


# ------------------------------------------------------------------- batches


def count_trained_tokens(examples: Sequence[EncodedExample]) -> int:
    found = (one for example in examples for one in example.sequences)
    return sum(sum(label != UNTRAINED for label in one.labels[1:]) for one in found)


def collate(examples: Sequence[EncodedExample], pad_id: int) -> dict[str, Any]:
    """Pad examples on the right into a batch.

    It has input_ids, attention_mask and labels, each of shape (sequences, tokens), int64, on the CPU. Of pairs it has
    all chosen answers, then all rejected ones.
    """
    import torch

    examples = [*examples, *(example.rejected for example in examples if example.rejected is not None)]
    longest = max(len(example.ids) for example in examples)

    def rows(filler: int, values: Callable[[EncodedExample], list[int]]) -> Any:
        filled = [values(example) + [filler] * (longest - len(example.ids)) for example in examples]
        return torch.tensor(filled, dtype=torch.int64)

    return {
        "input_ids": rows(pad_id, lambda one: one.ids),
        "attention_mask": rows(0, lambda one: [1] * len(one.ids)),
        "labels": rows(UNTRAINED, lambda one: one.labels),
    }


def packed(batch: Mapping[str, Any]) -> dict[str, Any]:
    """Return a padded batch as one sequence without padding: input_ids, position_ids and labels, of shape (1, tokens).

    Positions begin anew with each example, by which transformers recognizes that none may see another. The first token
    of an example is not trained, because the position before it belongs to another one.
    """
    import torch

    is_token = batch["attention_mask"] == 1
    places = torch.arange(is_token.shape[1], device=is_token.device).expand_as(is_token)
    found = {
        "input_ids": batch["input_ids"],
        "position_ids": places,
        "labels": batch["labels"].masked_fill(places == 0, UNTRAINED),
    }
    return {name: tensor[is_token][None] for name, tensor in found.items()}


def untrained(example: EncodedExample) -> EncodedExample:
    """Return the first token of an example or pair without a trained one, which fills batches and changes nothing."""
    filler = EncodedExample(example.ids[:1], [UNTRAINED], example.line)
    return filler if example.rejected is None else dataclasses.replace(filler, rejected=filler)


def batches_of(lengths: Sequence[int], most_tokens: int) -> list[list[int]]:
    """Return the indices of examples of like lengths in batches of at most `most_tokens` tokens, with padding.

    A batch has one example at least.
    """
    batches: list[list[int]] = []
    for at in sorted(range(len(lengths)), key=lambda at: -lengths[at]):
        if batches and lengths[batches[-1][0]] * (len(batches[-1]) + 1) <= most_tokens:
            batches[-1].append(at)
        else:
            batches.append([at])
    return batches


def epoch_order(count: int, batch: int, seed: int, epoch: int, lengths: Sequence[int]) -> list[int]:
    """Return the indices of an epoch's examples, each once, in an order that depends only on `seed` and `epoch`.

    `batch`: examples per step. `lengths`: tokens of each example. Within a step the longest come first, so that micro
    batches need little padding; the sum of gradients stays the same.
    """
    chosen = list(range(count))
    random.Random(f"{seed} {epoch}").shuffle(chosen)  # noqa: S311  no secret
    steps = (chosen[at : at + batch] for at in range(0, count, batch))
    return [one for step in steps for one in sorted(step, key=lambda at: -lengths[at])]


# Settings that affect every step of a run; a resumed run must have the same values.
_FIXED_SETTINGS = (
    "seed", "rank", "alpha", "dropout", "precision", "loss", "optimizer", "context_tokens", "over_length", "epochs",
    "max_steps", "warmup_share", "final_rate_share", "evaluations_per_epoch",
)  # fmt: skip
# The base's matrices to which LoRA is applied.
TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True, slots=True)
class BaseFacts:
    """Properties of a base model that can be read without loading its weights."""

    folder: Path
    model_type: str
    vocab_size: int
    parameters: int
    config: dict[str, Any]


def inspect_base(folder: Path) -> BaseFacts:
    """Return the properties of a base from config.json and the headers of the weights; check that nothing is missing.

    Raises RunError("base_missing" | "base_unreadable").
    """
    if not (folder / "config.json").is_file():
        raise RunError("base_missing", path=str(folder))
    try:
        hf_folder.check(folder)
        config = hf_folder.read_config(folder)
        tensors = {
            name: tensor
            for file in sorted(folder.glob("model*.safetensors"))
            for name, tensor in hf_folder.tensors_of(file).items()
        }
        count = sum(math.prod(tensor.shape) for tensor in tensors.values())
        if not config.get("vision_config"):  # image models lack some lengths, and the preflight checks refuse them
            estimate.shape_from_config(config, count)
        text = config.get("text_config") or config
        return BaseFacts(folder, str(text.get("model_type", "")), int(text.get("vocab_size", 0)), count, config)
    except JobError as error:
        raise RunError("base_unreadable", path=str(folder), reason=str(error)) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:  # a damaged or foreign file
        raise RunError("base_unreadable", path=str(folder), reason=repr(error)[:300]) from error


def process_count() -> int:
    """Return the number of processes of the run, which the launcher of a distributed run sets."""
    return int(os.environ.get("WORLD_SIZE", "1"))


@dataclass(frozen=True, slots=True)
class TrainingInputs:
    """Everything with which a run trains. `spec`: the effective spec. `questions`: answered at each evaluation."""

    spec: RunSpec
    form: TrainingPromptForm
    tokens: BaseTokenizer
    train: Sequence[EncodedExample]
    validation: Sequence[EncodedExample]
    questions: Sequence[Messages]
    report_to: str | None = None  # as in MachineSettings
    base_mark: str = ""  # hash or name that identifies the base's weights
    even_tokens: float = 0.0  # of the base's shape, for `estimate.is_packed`; 0.0: batches are never packed

    @property
    def conditions(self) -> dict[str, Any]:
        """Return the conditions that a resumed run must share with its beginning.

        With another order of examples, epoch length or base, the checkpoint would not fit. The micro batch and the
        learning rate, which a run may halve, and the number of processes that share a step are not included.
        """
        own = {name: getattr(self.spec, name) for name in _FIXED_SETTINGS}
        return own | {
            "step_examples": self.step_examples,
            "examples": len(self.train),
            "base": self.base_mark,
        }

    @property
    def micro_batch(self) -> int:
        return self.spec.micro_batch or 1

    @property
    def step_examples(self) -> int:
        """Return the number of examples per step in all processes together, which does not depend on their number."""
        return self.micro_batch * (self.spec.accumulation or 1)

    @property
    def batch_tokens(self) -> int:
        """Return the most tokens of a micro batch, with padding, for which a step has the memory."""
        return self.micro_batch * self.spec.sequences * max(example.longest for example in self.train)

    @property
    def accumulation(self) -> int:
        """Return the number of micro batches per step in one process."""
        return self.step_examples // (self.micro_batch * process_count())

    def with_half_the_micro_batch(self) -> "TrainingInputs":
        """Return inputs with half the micro batch (at least 1) and the same step: less memory, the same gradient."""
        micro = max(1, self.micro_batch // 2)
        while self.step_examples % micro:
            micro -= 1
        return self.with_spec(micro_batch=micro, accumulation=self.step_examples // micro)

    def with_spec(self, **changes: object) -> "TrainingInputs":
        return dataclasses.replace(self, spec=dataclasses.replace(self.spec, **changes))  # type: ignore[arg-type]
