"""Beginnings of prompts that the engine keeps on disk, with real models and real processes."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import structs

from app.inference import prefix_states
from app.inference.engine.backend import Cancellation
from app.inference.engine.llama_backend import LlamaBackend
from app.inference.engine.messages import AdapterUse, Ask, Done, Event, Load, Sampling, Segment, Token
from app.inference.prompts import SharedStart
from tests import model_files as models
from tests.inference.engine.child import Child
from tests.waiting import wait_until

INSTRUCTIONS = "文書だけから答えてください。数値は単位とともに書いてください。"
PASSAGES = "".join(f"[{at}] 橋梁の点検は{at}年ごとに行い、幅{at}mm以上のひび割れを記録する。\n" for at in range(1, 13))
TINY_PASSAGES = "abcdefghij" * 20


def question(text: str, start: str = "use the text. ", passages: str = TINY_PASSAGES, max_tokens: int = 12) -> Ask:
    shared = SharedStart((len(start), len(start + passages)), (3, 7), time.time())
    prompt = (Segment(start + passages), Segment(f"\n{text}\n"))
    return Ask("ask", prompt, max_tokens, sampling=Sampling(temperature=0), shared=shared)


class Engine:
    """An engine in this process."""

    def __init__(self, states: Path, model: Path, **fields: object) -> None:
        self._cancellation = Cancellation()
        self.backend = LlamaBackend(states=states)
        self.backend.load(Load("load", str(model), **fields), self._cancellation, lambda _event: None)  # type: ignore[arg-type]

    def ask(self, command: Ask) -> tuple[str, Done]:
        events: list[Event] = []
        self.backend.answer(command, lambda: None, self._cancellation, events.append)
        self.backend.settle()
        done = events[-1]
        assert isinstance(done, Done)
        return "".join(event.text for event in events if isinstance(event, Token)), done


@pytest.fixture
def states(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(prefix_states, "LEAST_SAVED_S", 0.0)  # a tiny model takes no time
    monkeypatch.setattr(prefix_states, "WORTH_READING", 0.0)
    folder = tmp_path / "states"
    folder.mkdir()
    return folder


@pytest.fixture
def engines(states: Path, tiny_model: Path) -> Iterator[list[Engine]]:
    """Two engines one after the other would find the same; both at once are quicker to make."""
    made = [Engine(states, tiny_model) for _ in range(2)]
    yield made
    for engine in made:
        engine.backend.close()


def test_a_new_process_finds_the_passages_read_and_answers_with_the_same_tokens(tmp_path, starter_model):
    states = tmp_path / "states"
    arguments = {"start": INSTRUCTIONS, "passages": PASSAGES}
    with Child("llama", tmp_path / "first", str(states)) as child:
        child.load(starter_model, context_tokens=2048, threads=1)
        fresh, first = child.answer(question("点検の頻度は？", **arguments))
        child.answer(question("記録する幅は？", **arguments))
        wait_until(lambda: len(list(states.glob("3-7.*.state"))) == 1)
    with Child("llama", tmp_path / "second", str(states)) as child:
        child.load(starter_model, context_tokens=2048, threads=1)
        again, second = child.answer(question("点検の頻度は？", **arguments))
    assert first.usage.cached_tokens == 0
    assert second.usage.prompt_tokens - second.usage.cached_tokens < 20
    assert again == fresh


def test_the_answers_with_and_without_a_state_are_the_same(engines, states):
    one, other = engines
    fresh, first = one.ask(question("why?"))
    one.ask(question("how?"))
    assert len(list(states.glob("*.state"))) == 2  # with the instructions alone, which other passages follow
    again, second = other.ask(question("why?"))
    assert (first.usage.cached_tokens, fresh) == (0, again)
    assert second.usage.cached_tokens >= len(TINY_PASSAGES)
    _, third = other.ask(question("why? because"))  # the conversation goes on in the loaded cache
    assert third.usage.cached_tokens >= second.usage.cached_tokens


def test_other_passages_after_the_same_instructions_are_read_but_not_the_instructions(engines):
    one, other = engines
    for _ in range(2):
        one.ask(question("why?"))
    _, done = other.ask(question("why?", passages="zyx" * 60))
    assert 10 <= done.usage.cached_tokens < 20


def test_with_a_damaged_state_the_prompt_is_evaluated(engines, states):
    one, other = engines
    fresh, _ = one.ask(question("why?"))
    one.ask(question("how?"))
    for file in states.glob("*.state"):
        file.write_bytes(file.read_bytes()[:-200])
    again, done = other.ask(question("why?"))
    assert (done.usage.cached_tokens, again) == (0, fresh)


def test_a_state_that_llama_cpp_cannot_use_leaves_an_empty_cache(engines, states):
    one, other = engines
    fresh, _ = one.ask(question("why?"))
    one.ask(question("how?"))
    kept = prefix_states.PrefixStates(states)
    for file in list(states.glob("*.state")):
        assert kept.keep(file, 100, time.time(), lambda part: bool(part.write_bytes(b"no state " * 9)))
    again, done = other.ask(question("why?"))
    assert (done.usage.cached_tokens, again) == (0, fresh)


@pytest.mark.parametrize("changed", ["model", "cache", "context"])
def test_a_state_of_another_model_or_context_is_not_used(engines, states, tmp_path, tiny_model, changed):
    for _ in range(2):
        engines[0].ask(question("why?"))
    fields = {"cache": {"flash_attention": False}, "context": {"context_tokens": 256}}
    model = models.tiny_llama(tmp_path / "other.gguf") if changed == "model" else tiny_model
    other = Engine(states, model, **fields.get(changed, {}))
    _, done = other.ask(question("why?"))
    other.backend.close()
    assert done.usage.cached_tokens == 0


def test_nothing_is_kept_of_a_prompt_that_is_not_to_be_shared(engines, states):
    for _ in range(3):
        engines[0].ask(Ask("ask", question("why?").prompt, 4))
    assert not list(states.iterdir())


def test_the_question_and_the_answer_are_not_in_a_state(engines, states):
    sizes = []
    for text in ("why?", "why? " * 20):
        for _ in range(2):
            engines[0].ask(question(text))
        (file,) = states.glob("3-7.*.state")
        sizes.append(file.stat().st_size)
        file.unlink()
    assert sizes[0] == sizes[1]


def test_an_adapter_that_is_replaced_while_it_is_in_use_leaves_no_state_for_its_successor(engines, states, tmp_path):
    one, other = engines
    adapter = models.tiny_adapter(tmp_path / "adapter.gguf")
    tuned = structs.replace(question("why?"), adapters=(AdapterUse(str(adapter)),))
    one.ask(tuned)
    adapter.unlink()
    one.ask(tuned)
    models.tiny_adapter(adapter)
    _, done = other.ask(tuned)
    assert len(list(states.glob("*.state"))) == 2
    assert done.usage.cached_tokens == 0
