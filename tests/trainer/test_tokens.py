"""The trainer's token ids are llama.cpp's, for prompts, answers and their ends; and what people see of a token."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from app.inference.engine.backend import Cancellation
from app.inference.engine.llama_backend import LlamaBackend
from app.inference.engine.messages import Load
from app.inference.prompts import Segment
from tests.convert.conversion import convert
from tests.trainer import trainer_side
from tests.trainer.card_forms import CARD_FORMS, as_json, engine_prompt, form_of
from tests.trainer.chats import CHATS
from tests.trainer.conftest import FAMILIES
from tests.trainer.training_runs import RunServer
from trainer.convert_job import HfToGguf

# The forms that a family's control tokens allow; the first and the last need none.
FORMS_OF = {
    "llama": ("question_answer", "llama3"),
    "qwen2": ("question_answer", "chatml", "qwen3"),
    "gemma3": ("question_answer", "gemma"),
    "gemma3-spm": ("question_answer", "gemma"),
}
CASES = [(family, form) for family, forms in FORMS_OF.items() for form in forms]
SENTENCE = "𠮷野家の砂防堰堤 です。\n👍 <eos> naïve"


def request(folder: Path, form: str) -> dict[str, Any]:
    return {"call": "encode", "folder": str(folder), "form": as_json(form_of(CARD_FORMS[form])), "chats": CHATS}


@pytest.fixture(scope="module")
def answers(server: RunServer, tiny_bases: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("tokens")
    broken = folder / "broken"
    broken.mkdir()
    (broken / "tokenizer.json").write_text("{")
    asked: dict[str, dict[str, Any]] = {f"{family} {form}": request(tiny_bases[family], form) for family, form in CASES}
    for family in FAMILIES:
        asked[f"{family} facts"] = {"call": "facts", "folder": str(tiny_bases[family])}
        asked[f"{family} texts"] = {"call": "texts", "folder": str(tiny_bases[family]), "text": SENTENCE}
    asked["missing"] = {"call": "facts", "folder": str(folder / "missing")}
    asked["empty"] = {"call": "facts", "folder": str(folder)}
    asked["broken"] = {"call": "facts", "folder": str(broken)}
    return trainer_side.ask(server, asked, folder)


@pytest.fixture(scope="module")
def ggufs(
    server: RunServer,
    converter: str,
    tiny_bases: dict[str, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("gguf")

    def made(family: str) -> Path:
        folder = root / family
        folder.mkdir()
        job = HfToGguf(str(tiny_bases[family]), str(folder / "base.gguf"), converter)
        convert(server, job, folder)
        return folder / "base.gguf"

    return {family: made(family) for family in FAMILIES}


@contextmanager
def engine(path: Path) -> Iterator[LlamaBackend]:
    backend = LlamaBackend()
    try:
        backend.load(
            Load("1", str(path), context_tokens=256, cpu_reason="not_requested"), Cancellation(), lambda _event: None
        )
        yield backend
    finally:
        backend.unload()


def ids_of(backend: LlamaBackend, text: str, *, markup: bool) -> list[int]:
    """Of one piece, without a first token."""
    whole = backend.prompt_tokens((Segment(text, markup),))
    return whole[len(backend.prompt_tokens(())) :]


def compare(backend: LlamaBackend, form: str, encoded: list[dict[str, Any]], eos_id: int) -> None:
    """Each chat: the prompt, and after it the answer and its end, as the engine would read them."""
    ours = form_of(CARD_FORMS[form])
    for chat, found in zip(CHATS, encoded, strict=True):
        prompt = backend.prompt_tokens(engine_prompt(CARD_FORMS[form], chat[:-1]))
        assert found["prompt"] == prompt, chat
        answer = (" " if ours.is_completion else "") + chat[-1]["content"]
        end = ids_of(backend, ours.end, markup=True) if ours.end else [eos_id]
        assert len(end) == 1
        last = found["examples"][-1]
        assert last["ids"] == prompt + ids_of(backend, answer, markup=False) + end, chat
        assert [label for label in last["labels"] if label != -100][-1] == end[0]
        assert backend.is_end(end[0])


@pytest.mark.parametrize("family", FAMILIES)
def test_ids_and_ends_are_those_of_llama_cpp(family: str, answers: dict[str, Any], ggufs: dict[str, Path]) -> None:
    facts = answers[f"{family} facts"]
    with engine(ggufs[family]) as backend:
        for form in FORMS_OF[family]:
            compare(backend, form, answers[f"{family} {form}"], facts["eos_id"])
        assert [id for id in range(facts["size"]) if backend.is_end(id)] == facts["end_ids"]


@pytest.mark.parametrize("family", FAMILIES)
def test_an_example_begins_with_one_first_token_and_labels_answers_and_their_ends(
    family: str, answers: dict[str, Any]
) -> None:
    bos = answers[f"{family} facts"]["bos_id"]
    assert (bos is None) == (family == "qwen2")
    for form in FORMS_OF[family]:
        for chat, found in zip(CHATS, answers[f"{family} {form}"], strict=True):
            ends = 0
            for example in found["examples"]:
                assert example["ids"].count(bos) == (0 if bos is None else 1), form
                assert bos is None or example["ids"][0] == bos, form
                assert example["labels"][0] == -100, form
                assert all(label in (id, -100) for id, label in zip(example["ids"], example["labels"], strict=True))
                trained = [label != -100 for label in example["labels"]]
                assert trained[-1], form
                assert any(trained[:-1]), form
                ends += sum(one and not other for one, other in zip(trained, [*trained[1:], False], strict=True))
            assert ends == len([message for message in chat if message["role"] == "assistant"]), form


@pytest.mark.parametrize("family", FAMILIES)
def test_pieces_of_characters_are_shown_as_bytes_and_give_the_text_together(
    family: str, answers: dict[str, Any]
) -> None:
    shown = answers[f"{family} texts"]
    assert shown["joined"] == SENTENCE
    assert "<0xF0>" in "".join(shown["pieces"])
    assert "�" not in "".join(shown["pieces"])
    assert any("です" in piece or "砂" in piece for piece in shown["pieces"])


def test_without_a_pad_token_the_end_fills_up_and_without_a_tokenizer_a_folder_is_refused(
    answers: dict[str, Any],
) -> None:
    facts = answers["llama facts"]
    assert facts["pad_id"] == facts["eos_id"]
    assert answers["missing"]["error"][0] == "base_missing"
    assert answers["empty"]["error"][0] == "base_unreadable"
    code, facts = answers["broken"]["error"]
    assert code == "base_unreadable"
    assert "tokenizer" in facts["reason"]


@pytest.mark.slow
def test_ids_are_those_of_llama_cpp_where_a_space_comes_before_each_text(
    server: RunServer, converter: str, tmp_path: Path
) -> None:
    base, gguf = tmp_path / "base", tmp_path / "base.gguf"
    server.call("tiny_spm", base)
    convert(server, HfToGguf(str(base), str(gguf), converter), tmp_path)
    asked = {form: request(base, form) for form in ("question_answer", "sarashina", "instruction")}
    asked["facts"] = {"call": "facts", "folder": str(base)}
    found = trainer_side.ask(server, asked, tmp_path)
    with engine(gguf) as backend:
        for form in ("question_answer", "sarashina", "instruction"):
            compare(backend, form, found[form], found["facts"]["eos_id"])


@pytest.mark.model
@pytest.mark.slow
def test_ids_of_the_trial_model_are_those_of_its_own_file(
    server: RunServer, starter_model: Path, starter_folder: Path, tmp_path: Path
) -> None:
    asked = {form: request(starter_folder, form) for form in ("question_answer", "gemma")}
    asked["facts"] = {"call": "facts", "folder": str(starter_folder)}
    found = trainer_side.ask(server, asked, tmp_path)
    with engine(starter_model) as backend:
        for form in ("question_answer", "gemma"):
            compare(backend, form, found[form], found["facts"]["eos_id"])
        assert all(backend.is_end(id) for id in found["facts"]["end_ids"])
