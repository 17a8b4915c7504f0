"""The engine child with real models: a tiny one with random weights, and the starter."""

import json
import os
import random
import signal
import string
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from gguf import TokenType
from msgspec import structs

from app.inference.engine.messages import (
    AdapterUse,
    Ask,
    Cancel,
    Done,
    Embed,
    Embedded,
    Failed,
    Load,
    Ready,
    Sampling,
    Segment,
    Token,
    Tokenize,
    Tokenized,
    Unload,
    Unloaded,
)
from tests import model_files as models
from tests.embedding_model import tiny_bert
from tests.forked_program import ROOT
from tests.inference.engine.child import Child

LONG = "橋の点検では、ひび割れの幅を測る。" * 12


def test_the_facts_are_those_of_the_file_and_of_the_context(child: Child, tiny_model: Path) -> None:
    facts = child.load(tiny_model, context_tokens=300, threads=1)
    assert (facts.architecture, facts.trained_context_tokens, facts.total_layers, facts.threads) == ("llama", 512, 3, 1)
    assert facts.context_tokens == 512  # llama.cpp rounds up to a multiple of 256
    assert facts.kv_bytes > 0
    assert facts.compute_bytes > 0
    assert facts.gpu_layers > 0 or facts.gpu_reason in ("no_backend", "no_device")
    assert child.load(tiny_model, context_tokens=100_000).context_tokens == 512  # not longer than trained


def test_the_engine_starts_without_what_llama_cpp_python_has_beside_its_bindings() -> None:
    code = (
        "import sys; from app.inference.engine import llama_backend; "
        "print(*{'jinja2', 'diskcache', 'llama_cpp.llama'} & sys.modules.keys()); "
        "from llama_cpp.llama import Llama; print(Llama.__name__)"  # the module can still be imported
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["", "Llama"]


def test_children_let_the_threads_of_numpy_sleep_unless_told_otherwise() -> None:
    code = "import os; from app.base import programs; programs.prepare_child_environment(); print(os.environ[NAME])"
    name, found = "OPENBLAS_THREAD_TIMEOUT", []
    for value in ("", "20"):
        environment = {key: one for key, one in os.environ.items() if key != name} | ({name: value} if value else {})
        command = [sys.executable, "-c", code.replace("NAME", repr(name))]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
        found.append(done.stdout.strip())
    assert found == ["4", "20"]


def test_a_quantized_cache_is_smaller_and_read_back_from_the_engine(child: Child, starter_model: Path) -> None:
    full = child.load(starter_model, context_tokens=2048)
    small = child.load(starter_model, context_tokens=2048, kv_type="q8_0", flash_attention=True)
    assert (full.kv_type, small.kv_type) == ("f16", "q8_0")
    assert small.flash_attention
    assert small.kv_bytes < 0.6 * full.kv_bytes


def test_the_next_question_of_a_conversation_evaluates_only_what_is_new(child: Child) -> None:
    start = "abcdefghij" * 20
    _, first = child.ask(start, max_tokens=5)
    reused, again = child.ask(start + "klm", max_tokens=20)
    assert first.usage.cached_tokens == 0
    assert again.usage.cached_tokens >= first.usage.prompt_tokens
    assert again.usage.prompt_tokens - again.usage.cached_tokens <= 4
    child.ask("q", max_tokens=1)
    fresh, done = child.ask(start + "klm", max_tokens=20)
    assert done.usage.cached_tokens < 5  # the beginning of text, and a space that the tokenizer adds
    assert reused == fresh


def together(child: Child, asks: list[Ask]) -> dict[str, tuple[str, Done | Failed]]:
    """The text and the end of each answer, asked for at once."""
    for ask in asks:
        child.send(ask)
    texts, ends = {ask.id: "" for ask in asks}, {}
    while len(ends) < len(asks):
        for event in child.events_until(Token, Done, Failed):
            if isinstance(event, Token):
                texts[event.id] += event.text
            elif isinstance(event, Done | Failed):
                ends[event.id] = event
    return {id: (texts[id], end) for id, end in ends.items()}


def test_answers_that_are_written_together_are_those_that_are_written_alone(child: Child, starter_model: Path) -> None:
    drawn, likeliest = Sampling(temperature=1.2, seed=3), Sampling(temperature=0)
    asks = [
        Ask(str(at), (Segment(f"{at}橋目。" + LONG[: 6 * at]),), 3 + at, sampling=drawn if at % 2 else likeliest)
        for at in range(9)
    ]
    asks[2] = structs.replace(asks[2], grammar='root ::= "はい" | "いいえ"', max_tokens=8)
    asks[3] = Ask("3", (Segment("x" * 9000),))
    asks[4] = structs.replace(asks[4], grammar="root ::= (")
    child.load(starter_model, context_tokens=512, parallel=1)
    alone = {ask.id: together(child, [ask])[ask.id] for ask in asks}
    facts = child.load(starter_model, context_tokens=512, parallel=7)
    found = together(child, asks)
    assert facts.context_tokens == 512
    assert {id: text for id, (text, _) in found.items()} == {id: text for id, (text, _) in alone.items()}
    for id, (_, end) in found.items():
        before = alone[id][1]
        if isinstance(end, Done) and isinstance(before, Done):
            assert (end.stop_reason, end.usage.answer_tokens) == (before.stop_reason, before.usage.answer_tokens)
        else:
            assert isinstance(end, Failed)
            assert isinstance(before, Failed)
            assert end.code == before.code
    assert found["2"][0] in ("はい", "いいえ")
    assert [end.code for _, end in found.values() if isinstance(end, Failed)] == ["context_full", "grammar_invalid"]


def test_one_of_several_answers_is_cancelled_and_the_others_go_on(child: Child, starter_model: Path) -> None:
    asks = [Ask(str(at), (Segment(LONG[at:40]),), 10 + at, sampling=Sampling(temperature=0)) for at in range(3)]
    endless = Ask("endless", (Segment(LONG),), 400, sampling=Sampling(temperature=1.5, seed=1))
    child.load(starter_model, context_tokens=1024, parallel=4)
    expected = {id: text for id, (text, _) in together(child, asks).items()}
    child.send(endless)
    child.events_until(Token)
    for ask in asks:
        child.send(ask)
    child.send(Tokenize("count", ((Segment("abc"),),)))
    child.send(Cancel("endless"))
    child.send(Cancel("1"))
    child.send(Load("next", str(starter_model)))  # waits for them all
    events = child.events_until(Ready)
    ends = {event.id: event for event in events if isinstance(event, Done)}
    assert {id: end.stop_reason for id, end in ends.items()} == {
        "endless": "cancelled", "0": "length", "1": "cancelled", "2": "length"
    }  # fmt: skip
    for id in ("0", "2"):
        assert "".join(one.text for one in events if isinstance(one, Token) and one.id == id) == expected[id]
    assert any(isinstance(event, Tokenized) for event in events)


def test_a_conversation_finds_its_beginning_among_several(child: Child, tiny_model: Path) -> None:
    child.load(tiny_model, parallel=3)
    starts = ("abcdefghij" * 10, "klmnopqrst" * 10)
    for start in starts:
        child.ask(start, max_tokens=5)
    for start in starts:
        _, done = child.ask(start + "uvw", max_tokens=5)
        assert done.usage.cached_tokens >= 100


def test_a_prompt_that_does_not_fit_is_refused_and_nothing_is_cut(child: Child) -> None:
    failed = child.failure_of(Ask("a", (Segment("x" * 600),)))
    assert failed.code == "context_full"
    assert failed.facts["prompt_tokens"] > failed.facts["context_tokens"] == 512
    failed = child.failure_of(Ask("a", (Segment("z\n\n" * 100_000),)))  # no more is counted than shows it
    assert failed.code == "context_full"
    assert 512 < failed.facts["prompt_tokens"] < 512 + 4_000
    _, done = child.ask("x" * 480, max_tokens=200)  # the engine goes on, up to the end of the context
    assert done.stop_reason == "context"
    assert done.usage.prompt_tokens + done.usage.answer_tokens <= 512


def test_the_same_seed_gives_the_same_text_and_the_seed_is_reported(child: Child) -> None:
    texts = []
    for _ in range(2):
        child.ask("something else", max_tokens=1)
        text, done = child.ask("abc", max_tokens=30, sampling=Sampling(temperature=1.5, seed=11))
        texts.append(text)
        assert done.seed == 11
    other, _ = child.ask("abc", max_tokens=30, sampling=Sampling(temperature=1.5, seed=12))
    assert texts[0] == texts[1] != other
    _, drawn = child.ask("abc", max_tokens=1, sampling=Sampling(temperature=1.5))
    assert drawn.seed not in (11, 12)


def test_the_time_inside_llama_cpp_is_a_part_of_that_of_the_answer(child: Child) -> None:
    for tokens in (1, 5):
        timings = child.ask("abc", max_tokens=tokens)[1].timings
        assert 0 <= timings.decode_s <= timings.answer_s
    assert timings.decode_s > 0


def test_random_bytes_from_a_model_never_show_half_a_character(child: Child) -> None:
    text, _ = child.ask(
        "abc", max_tokens=200, sampling=Sampling(temperature=3.0, top_k=0, top_p=1.0, min_p=0.0, seed=1)
    )
    assert "\ufffd" not in text


def test_a_schema_forces_json(child: Child) -> None:
    properties = '"properties": {"ok": {"type": "boolean"}}, "required": ["ok"], "additionalProperties": false'
    schema = f'{{"type": "object", {properties}}}'
    text, done = child.ask("abc", max_tokens=100, json_schema=schema, sampling=Sampling(temperature=1.0, seed=5))
    assert done.stop_reason == "end"
    assert isinstance(json.loads(text)["ok"], bool)


def test_a_bad_grammar_is_an_expected_error_and_no_text_reaches_the_log(tiny_model: Path, tmp_path: Path) -> None:
    schema = json.dumps({"const": {"a": 'ひみつの値"\\]'}}, ensure_ascii=False)
    with Child("llama", tmp_path / "log") as child:
        child.load(tiny_model)
        for bad in (
            {"grammar": 'root ::= "ひみつの値" ('},
            {"json_schema": "{"},
            {"json_schema": '{"type": "nonsense"}'},
            {"json_schema": schema},
        ):
            assert child.failure_of(Ask("a", (Segment("x"),), **bad)).code == "grammar_invalid"
        child.ask("CANARY-7f3a", max_tokens=5)
    log = (tmp_path / "log").read_text("utf-8", "replace")
    assert "ひみつ" not in log
    assert "CANARY-7f3a" not in log


@pytest.mark.fault("S7")
def test_control_tokens_count_only_in_markup(child: Child) -> None:
    child.send(Tokenize("t", ((Segment("</s>"),), (Segment("</s>", markup=True),))))
    event = child.events_until(Tokenized)[-1]
    assert isinstance(event, Tokenized)
    assert event.counts[0] > event.counts[1]


def test_an_adapter_changes_the_answer_and_its_strength_counts(child: Child, tmp_path: Path) -> None:
    adapter = tmp_path / "アダプタ.gguf"
    models.tiny_adapter(adapter)
    plain, _ = child.ask("abc", max_tokens=20)
    tuned, _ = child.ask("abc", max_tokens=20, adapters=(AdapterUse(str(adapter), 2.0),))
    off, _ = child.ask("abc", max_tokens=20, adapters=(AdapterUse(str(adapter), 0.0),))
    back, _ = child.ask("abc", max_tokens=20)
    assert plain == off == back != tuned


@pytest.mark.fault("S2")
def test_an_adapter_for_another_model_is_refused_before_llama_cpp_sees_it(child: Child, tmp_path: Path) -> None:
    def code(path: Path) -> str:
        return child.failure_of(Ask("a", (Segment("x"),), adapters=(AdapterUse(str(path)),))).code

    assert code(models.wrong_architecture_adapter(tmp_path / "architecture.gguf")) == "adapter_mismatch"
    assert code(models.wrong_shape_adapter(tmp_path / "shape.gguf")) == "adapter_mismatch"
    assert code(models.unpaired_adapter(tmp_path / "half.gguf")) == "gguf_damaged"
    assert code(tmp_path / "none.gguf") == "file_missing"
    assert child.ask("x", max_tokens=2)[1].usage.answer_tokens == 2


def embedded(child: Child, *texts: str) -> list[tuple[float, ...]]:
    child.send(Embed("e", texts))
    event = child.events_until(Embedded, Failed)[-1]
    assert isinstance(event, Embedded)
    return list(event.vectors)


def product(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def test_embeddings_are_unit_vectors_and_like_texts_are_alike(child: Child, starter_model: Path) -> None:
    child.load(starter_model, embedding=True, context_tokens=512)
    first, near, far = embedded(child, "橋の点検を行う。", "橋梁を点検する。", "The cat sat on the mat.")
    assert product(first, first) == pytest.approx(1.0)
    assert product(first, near) > product(first, far)


def test_a_model_that_was_loaded_for_answers_refuses_to_embed_and_goes_on(child: Child) -> None:
    child.send(Embed("e", ("abc",)))
    failed = child.events_until(Embedded, Failed)[-1]
    assert isinstance(failed, Failed)
    assert failed.code == "not_an_embedding_model"
    assert child.ask("abc", max_tokens=2)[1].usage.answer_tokens == 2


@pytest.mark.model
def test_the_search_model_brings_a_question_to_its_answer_however_it_is_typed(child: Child, search_model: Path) -> None:
    facts = child.load(search_model, embedding=True, context_tokens=1024)
    assert (facts.context_tokens, facts.embedding_dimensions) == (512, 384)
    question, near, far = embedded(
        child,
        "query: 給料はいつ支払われますか",
        "passage: 賃金は、毎月一回以上、一定の期日を定めて支払わなければならない。",
        "passage: 堤防の天端幅は、計画高水流量に応じて定める。",
    )
    assert product(question, near) > product(question, far) + 0.05
    plain, wide, lines = embedded(
        child, "passage: 第3条 ポンプ 5m", "passage: 第３条　ﾎﾟﾝﾌﾟ ５ｍ", "passage:\n第3条\n\nポンプ\n5m\n"
    )
    assert wide == lines == plain


def test_an_encoder_embeds_cuts_what_is_too_long_and_says_nothing_of_it_in_the_log(tmp_path: Path) -> None:
    path = tiny_bert(tmp_path / "bert.gguf", {"賃": "給", "金": "与"})
    with Child("llama", tmp_path / "log") as child:
        child.load(path, embedding=True, context_tokens=512)
        before = (tmp_path / "log").stat().st_size
        wage, pay, dog = embedded(child, "賃金", "給与", "子犬")
        assert wage == pytest.approx(pay)
        assert product(pay, dog) < 0.9
        fits, longer, other = embedded(child, "橋" * 126, "橋" * 126 + "川" * 1000, "橋" * 125 + "川" * 1000)
        assert fits == pytest.approx(longer)
        assert fits != pytest.approx(other)
        assert (tmp_path / "log").stat().st_size == before
        # The token that ends a text stays when it is cut: its vector is zero in this model, which pools there.
        child.load(tiny_bert(tmp_path / "last.gguf", pooling=3), embedding=True, context_tokens=512)
        assert not any(embedded(child, "橋")[0])
        assert not any(embedded(child, "橋" * 1000)[0])


def test_a_vocabulary_of_unigrams_that_python_reads_gives_the_same_vectors_as_that_of_llama_cpp(tmp_path: Path) -> None:
    chance = random.Random(1)
    letters = [*string.printable.strip()[:80], *map(chr, range(0x3041, 0x3097)), *map(chr, range(0x4E00, 0x5000)), "é"]
    words = ["".join(chance.choices(letters[60:200], k=chance.randint(2, 5))) for _ in range(2000)]
    pieces = {piece: -20 * chance.random() for piece in ("▁", *letters, *words, *(f"▁{word}" for word in words[:500]))}
    texts = ["", " ", "▁ ▁▁", "<s> [UNK] [PAD]", "第３条　ﾎﾟﾝﾌﾟ\n５ｍ", "한국어 と😀😀と\u200bx", "\0é", "あ" * 3000]
    texts += [
        "".join(chance.choices([*letters, *words, " ", "\n", "한", "漢", "😀"], k=chance.randint(1, 30)))
        for _ in range(500)
    ]
    vectors = []
    with Child("llama", tmp_path / "log") as child:
        for kind in (TokenType.NORMAL, TokenType.USER_DEFINED):  # a vocabulary with the latter is left to llama.cpp
            path = tiny_bert(tmp_path / f"{kind.name}.gguf", pieces=pieces | {"\ue000": -1.0}, last_kind=kind)
            child.load(path, embedding=True, context_tokens=512)
            vectors.append(embedded(child, *texts))
            if kind is TokenType.NORMAL:  # it can only embed
                assert child.failure_of(Ask("a", (Segment("x"),))).code == "no_model_loaded"
                assert child.failure_of(Tokenize("t", ((Segment("x"),),))).code == "no_model_loaded"
    assert (tmp_path / "log").read_text("utf-8").count("dummy tokens") == 1
    assert len(set(vectors[0])) > 500
    assert vectors[0] == vectors[1]


def test_unloading_gives_the_memory_back(child: Child, starter_model: Path) -> None:
    child.load(starter_model)
    engine = psutil.Process(child.process.pid)
    loaded = engine.memory_info().rss
    child.send(Unload("u"))
    child.events_until(Unloaded)
    assert loaded - engine.memory_info().rss > 200e6
    assert child.failure_of(Ask("a", (Segment("x"),))).code == "no_model_loaded"


def test_a_load_that_fails_or_is_cancelled_leaves_an_engine_that_loads(child: Child, tiny_model: Path) -> None:
    assert child.failure_of(Load("l", str(tiny_model.with_name("なし.gguf")))).code == "file_missing"
    child.send(Cancel("late"))
    assert child.failure_of(Load("late", str(tiny_model))).code == "cancelled"
    assert child.load(tiny_model).architecture == "llama"


def test_cancelling_ends_soon_and_the_engine_goes_on(child: Child, starter_model: Path) -> None:
    child.load(starter_model, context_tokens=8192)
    for pages in (25, 1):  # while it reads, while it answers
        child.send(Ask("a", (Segment(LONG * pages),), max_tokens=1000))
        if pages == 1:
            child.events_until(Token)
        else:
            time.sleep(0.2)
        child.send(Cancel("a"))
        began = child.processor_s()
        assert child.answer()[1].stop_reason == "cancelled"
        assert child.processor_s() - began < 5  # a prompt of this length takes more than that here
        text, _ = child.ask("質問: 日本の首都はどこですか？\n回答:", stop=("\n質問", "\n\n"), max_tokens=60)
        assert "東京" in text
        assert "質問" not in text


@pytest.mark.fault("F4")
def test_the_child_ends_when_its_parent_is_gone_even_while_it_answers(tmp_path: Path, starter_model: Path) -> None:
    with Child("llama", tmp_path / "log") as child:
        child.load(starter_model)
        child.send(Ask("a", (Segment(LONG),), max_tokens=5000))
        child.events_until(Token)
        child.process.stdin.close()
        assert child.process.wait(60) == 0


@pytest.mark.fault("F4")
def test_a_line_that_is_no_command_ends_the_child_with_a_word_in_the_log(tmp_path: Path) -> None:
    with Child("echo", tmp_path / "log") as child:
        child.process.stdin.write(b"not json\n")
        child.process.stdin.flush()
        assert child.process.wait(60) == 2
        assert "unreadable command" in (tmp_path / "log").read_text("utf-8")


def test_the_fake_says_what_its_prompt_tells_it_to(tmp_path: Path, tiny_model: Path) -> None:
    score = '{"reason": "数値が違う", "score": 1}'
    answers = {
        f"採点せよ\n!say {score}\n</回答>": score,
        "!say 一つ目\n!say 二つ目": "二つ目",
        "!say !say 三つ目": "!say 三つ目",
        "!say\nここは読まない": "",
        "何もない": "何もない",
    }
    turns = (Segment("!say 12345"), Segment("<end>", markup=True), Segment("質問"), Segment("<start>", markup=True))
    with Child("echo", tmp_path / "log") as child:
        child.load(tiny_model)
        said = {prompt: child.ask(prompt) for prompt in answers}
        child.send(Ask("a", turns, max_tokens=3))
        *events, done = child.events_until(Done)
    assert {prompt: text for prompt, (text, _) in said.items()} == answers
    assert {ended.stop_reason for _, ended in said.values()} == {"end"}
    assert "".join(event.text for event in events if isinstance(event, Token)) == "123"
    assert isinstance(done, Done)
    assert done.stop_reason == "length"


@pytest.mark.fault("F4")
def test_a_killed_child_says_nothing_more(tmp_path: Path) -> None:
    with Child("echo", tmp_path / "log") as child:
        os.kill(child.process.pid, signal.SIGKILL)
        with pytest.raises(EOFError):
            child.events_until(Ready)


@pytest.mark.fault("F4")
def test_stopping_a_load_at_any_moment_leaves_an_engine_that_loads(child: Child, starter_model: Path) -> None:
    for delay_s in (0.0, 0.1, 0.2, 0.4):
        child.send(Load("l", str(starter_model)))
        time.sleep(delay_s)
        child.send(Cancel("l"))
        last = child.events_until(Ready, Failed)[-1]
        assert isinstance(last, Ready) or last.code == "cancelled"
    assert child.load(starter_model).architecture == "gemma3"


def test_an_empty_prompt_is_refused(child: Child, tmp_path: Path) -> None:
    path = models.tiny_llama(tmp_path / "no-bos.gguf", metadata={"tokenizer.ggml.add_bos_token": False})
    child.load(path)
    assert child.failure_of(Ask("a", (Segment(""),))).code == "template_failed"
