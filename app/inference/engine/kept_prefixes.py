"""Load evaluated beginnings of prompts into llama.cpp's cache from files, and write those that are asked again."""

import ctypes
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.inference import gguf, prefix_states
from app.inference.engine.llama import NAME, api
from app.inference.engine.messages import Ask, Done, EngineFacts, Load
from app.inference.prompts import Segment, common_length

_SPARE = 1  # the sequence that holds only a beginning while it is written; the conversation is sequence 0
_MEASURED_TOKENS = 64  # from so many evaluated tokens on, an answer measures how long a prompt takes
_WORTH_SHARE = 0.2  # of a state that must not be in the cache yet, so that loading it saves time


@dataclass(frozen=True, slots=True)
class _Beginning:
    file: Path
    tokens: list[int]
    since: float


class KeptPrefixes:
    """Reads and writes the states of the loaded model's context, for one thread. Without a folder it does nothing."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._states: prefix_states.PrefixStates | None = None
        self._basis: list[Any] = []
        self._adapters: dict[str, tuple[str, int, int]] = {}  # by path, as they were when they were loaded
        self._forget()

    def _forget(self) -> None:
        self._tokens_per_s = 0.0  # with which prompts are evaluated; 0: not measured yet
        self._beginnings: list[_Beginning] = []  # of the latest prompt, the longest first
        self._wanted: list[_Beginning] = []

    def prepare(self, model: Any, command: Load) -> bool:
        """Return whether states of a model's next context are kept, which needs a spare sequence.

        They are not of one that writes several answers at a time, and a recurrent state cannot be cut after any token.
        """
        self._forget()
        is_recurrent = api.llama_model_is_recurrent(model) or api.llama_model_is_hybrid(model)
        is_fit = command.parallel == 1 and not command.embedding and not is_recurrent
        self._states = prefix_states.PrefixStates(self._folder) if self._folder and is_fit else None
        return self._states is not None

    def describe(self, facts: EngineFacts) -> None:
        """Set what the states depend on besides tokens and adapters."""
        context = (facts.context_tokens, facts.batch_tokens, facts.kv_type, facts.flash_attention)
        files = [_identity(part) for part in gguf.parts_of(Path(facts.path))]
        self._basis = [NAME, files, *context, facts.repack, facts.gpu_layers, facts.backend]
        self._adapters = {}

    def describe_adapter(self, path: str) -> None:
        """Note which file an adapter is loaded from; it may be replaced or deleted while the adapter is in use."""
        self._adapters[path] = _identity(Path(path))

    def begin(self, command: Ask, prompt: list[int], tokens_of: Callable[[Sequence[Segment]], list[int]]) -> list[int]:
        """Find the beginnings of a prompt that may be kept, and return where they end, in tokens."""
        self._beginnings, self._wanted = [], []
        shared, states = command.shared, self._states
        if shared is None or states is None:
            return []
        adapters = [(*self._adapters[use.path], use.strength) for use in command.adapters]
        basis = json.dumps([*self._basis, adapters])
        for number, end in enumerate(shared.ends):
            tokens = prompt[: common_length(tokens_of(_cut(command.prompt, end)), prompt[:-1])]
            owners = shared.collections if number else ()  # the first beginning has no passages
            if tokens:
                self._beginnings.insert(0, _Beginning(states.file_of(owners, basis, tokens), tokens, shared.since))
        return [len(one.tokens) for one in self._beginnings]

    def load(self, context: Any, cached: int) -> list[int] | None:
        """Replace the cache by the longest state that saves time; return its tokens.

        `cached`: number of the prompt's tokens in the cache. Return None, with the cache as it was, if there is no such
        state; [], with an empty cache, if one could not be read.
        """
        for one in self._beginnings:
            is_longer = len(one.tokens) - cached > _WORTH_SHARE * len(one.tokens)
            if is_longer and self._states is not None and self._states.is_own(one.file):
                if _load(context, one.file, len(one.tokens)):
                    return list(one.tokens)
                api.llama_memory_clear(api.llama_get_memory(context), True)
                return []
        return None

    def note(self, done: Done) -> None:
        """Record the beginnings of an answer that has ended, and how long its prompt took."""
        evaluated, prompt_s = done.usage.prompt_tokens - done.usage.cached_tokens, done.timings.prompt_s
        if evaluated >= _MEASURED_TOKENS and prompt_s > 0:
            self._tokens_per_s = evaluated / prompt_s
        if self._states is not None and done.stop_reason != "cancelled":
            self._wanted = [one for one in self._beginnings if self._states.is_wanted(one.file)]

    def write(self, context: Any, cached: list[int]) -> None:
        """Write the beginnings that were asked before, if reading them is much faster. `cached`: ids in the cache."""
        wanted, self._wanted = self._wanted, []
        for one in wanted:
            count = len(one.tokens)
            if cached[:count] != one.tokens or not self._tokens_per_s or self._states is None:
                continue
            memory = api.llama_get_memory(context)
            api.llama_memory_seq_cp(memory, 0, _SPARE, 0, count)
            try:
                size = api.llama_state_seq_get_size(context, _SPARE)
                if prefix_states.is_worth(count, size, self._tokens_per_s):
                    self._states.keep(one.file, size, one.since, lambda part: _save(context, part))
            finally:
                api.llama_memory_seq_rm(memory, _SPARE, -1, -1)


def _identity(file: Path) -> tuple[str, int, int]:
    found = file.stat()
    return file.name, found.st_size, found.st_mtime_ns


def _cut(prompt: Sequence[Segment], characters: int) -> list[Segment]:
    """Return the first `characters` of a prompt."""
    kept = []
    for segment in prompt:
        kept.append(Segment(segment.text[: max(0, characters)], segment.markup))
        characters -= len(segment.text)
    return [segment for segment in kept if segment.text]


def _save(context: Any, part: Path) -> bool:
    no_tokens = (api.llama_token * 1)()
    return bool(api.llama_state_seq_save_file(context, str(part).encode("utf-8"), _SPARE, no_tokens, 0))


def _load(context: Any, file: Path, count: int) -> bool:
    """Load a state that is known to be whole; return whether the cache holds its `count` tokens now."""
    memory = api.llama_get_memory(context)
    api.llama_memory_clear(memory, False)
    found = ctypes.c_size_t()
    no_tokens = (api.llama_token * 1)()
    read = api.llama_state_seq_load_file(context, str(file).encode("utf-8"), 0, no_tokens, 1, ctypes.byref(found))
    return bool(read > 0 and api.llama_memory_seq_pos_max(memory, 0) == count - 1)
