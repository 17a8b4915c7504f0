"""The scoring child on tiny models: the numbers against numpy, and every way in which it can end."""

import json
import math
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import gguf as gguf_writer
import numpy as np
import pytest

from app.base.errors import AppError
from app.inference import memory_estimate, offload, scoring_files
from app.inference.engine.model_jobs import ChatToScore, Score
from app.inference.engine.score import ReferenceHeader, ReferenceWriter
from app.inference.engine.scored_model import ScoredModel
from app.inference.prompts import Segment
from app.inference.scoring_files import Scores
from tests import model_files as models
from tests.convert import engine_side
from tests.inference.engine import direct, held_out, jobs
from trainer.convert_job import EXIT_PARENT_GONE, EXIT_UNREADABLE_JOB, Event, Phase, Progress, part_path

PAIRS = [("水は何度で沸く？", "百度です。"), ("一年は何日？", "三百六十五日です。"), ("首都は？", "東京です。")]


@pytest.fixture
def job(tmp_path: Path, tiny_model: Path) -> Score:
    holdout = held_out.write(tmp_path / "holdout.json", PAIRS)
    return Score(str(tiny_model), str(holdout), str(tmp_path / "点数.json"))


def to_chats(limit: int) -> tuple[ChatToScore, ...]:
    return tuple(
        ChatToScore((Segment(question),), tuple(held_out.prompt_ids(question)), limit) for question, _ in PAIRS
    )


def places_of(example: dict[str, Any]) -> tuple[int, ...]:
    return tuple(at for at, label in enumerate(example["labels"]) if label != -100)


def scored(job: Score, folder: Path) -> Scores:
    return scoring_files.read_scores(Path(jobs.finished(job, folder).path))


def test_the_likelihood_is_that_of_all_logits_at_once(tmp_path, job):
    found = scored(job, tmp_path)
    for pair, example in zip(PAIRS, found.examples, strict=True):
        ids = tuple(held_out.example(1, *pair)["ids"])
        places = range(len(held_out.prompt_ids(pair[0])), len(ids))
        rows = direct.log_probabilities(Path(job.model), [(ids, tuple(places))])
        expected = -sum(log_p[ids[at]] for at, log_p in zip(places, rows, strict=True))
        assert example.tokens == len(places)
        assert example.nll == pytest.approx(expected, abs=1e-4)
    assert found.nll == pytest.approx(sum(one.nll for one in found.examples) / found.tokens)
    assert found.divergence is None


def test_a_long_answer_is_read_in_parts_with_the_same_result(tmp_path, job, monkeypatch):
    monkeypatch.setattr("app.inference.engine.scored_model.ROWS_BYTES", 4 * 260 * 3)  # three rows
    example = held_out.example(1, "問", "答えは長い。" * 20)
    ids = tuple(example["ids"])
    places = places_of(example)
    told: list[int] = []
    model = ScoredModel(Path(job.model), "", on_step=lambda: told.append(1))
    loading = len(told)
    try:
        model.open(len(ids))
        assert model.rows == 3
        read: list[int] = []
        values = model.log_probabilities(ids, places, read.append)
        in_parts = [float(log_p[ids[at]]) for at, log_p in zip(places, values, strict=True)]
    finally:
        model.close()
    assert sum(read) == len(ids) - 1  # nothing is predicted from the last token
    assert 0 < loading < len(told) == loading + model.progress  # so that a silence is a driver that hangs
    rows = direct.log_probabilities(Path(job.model), [(ids, places)])
    at_once = [log_p[ids[at]] for at, log_p in zip(places, rows, strict=True)]
    assert in_parts == pytest.approx(at_once, abs=1e-4)


@pytest.mark.parametrize("answers", [1, 7])
def test_what_the_context_takes_on_a_card_is_what_its_layers_are_planned_with(tmp_path, monkeypatch, answers):
    shape = models.TinyShape(embedding=512, heads=32, heads_kv=8, feed_forward=1024, context=2048)
    path = models.tiny_llama(tmp_path / "wide.gguf", shape=shape)
    adapter = models.tiny_adapter(tmp_path / "adapter.gguf", shape=shape)
    planned, plan = [], offload.plan_offload

    def planning(*given, **named):
        planned.append(named["besides_bytes"])
        return plan(*given, **named)

    monkeypatch.setattr(offload, "plan_offload", planning)
    for given in ("", str(adapter)):
        model = ScoredModel(path, given, context_tokens=2048, answers=answers)
        model.open(2048, 2048, answers)
        (line,) = (line for line in model._log.lines if "CPU compute buffer size" in line)
        measured = float(line.split("=")[1].split()[0]) * memory_estimate.MIB
        besides = planned[-1] - (adapter.stat().st_size if given else 0)
        activations = memory_estimate.activations_bytes(model.header, 2048, 512, answers)
        assert 0.95 < (besides + activations) / measured < 1.15
        model.close()


def test_the_last_part_is_never_a_few_tokens(job, monkeypatch):
    monkeypatch.setattr("app.inference.engine.scored_model.ROWS_BYTES", 4 * 260 * 32)
    model = ScoredModel(Path(job.model), "")
    model.open(100)
    for length in range(40, 80):
        read: list[int] = []
        list(model.log_probabilities((1,) * (length + 1), tuple(range(1, length + 1)), read.append))
        assert sum(read) == length
        assert 8 <= min(read) <= max(read) <= 32
    model.close()


def test_the_memory_is_told_for_the_context_in_which_it_answers(tmp_path, job):
    path = str(models.tiny_llama(tmp_path / "long.gguf", metadata={"llama.context_length": 8192}))
    short, long = (scored(replace(job, model=path, context_tokens=tokens), tmp_path) for tokens in (512, 8192))
    assert long.memory_bytes > short.memory_bytes


def test_an_adapter_changes_the_likelihood(tmp_path, job):
    adapter = models.tiny_adapter(tmp_path / "lora.gguf", size=0.1)
    plain, whole, half, none = (
        scored(replace(job, adapter=path, strength=strength), tmp_path)
        for path, strength in (("", 1.0), (str(adapter), 1.0), (str(adapter), 0.5), (str(adapter), 0.0))
    )
    assert abs(whole.nll - plain.nll) > 1e-3
    assert len({round(one.nll, 4) for one in (plain, half, whole)}) == 3
    assert none.nll == pytest.approx(plain.nll, abs=1e-4)


def test_divergence_is_the_whole_one_where_every_token_is_kept_and_other_references_are_refused(tmp_path, job):
    reference = str(tmp_path / "reference")
    adapter = models.tiny_adapter(tmp_path / "lora.gguf", size=0.1)
    first = scored(replace(job, reference=reference, makes_reference=True), tmp_path)
    same = scored(replace(job, reference=reference), tmp_path)
    other = scored(replace(job, reference=reference, adapter=str(adapter)), tmp_path)
    assert first.divergence is None
    assert same.divergence == pytest.approx(0.0, abs=1e-6)
    assert same.same_first_share == 1.0
    assert other.divergence is not None
    assert other.divergence == pytest.approx(divergence_by_hand(Path(job.model), adapter), rel=1e-3)
    assert other.same_first_share is not None
    assert other.same_first_share < 1
    ids = held_out.write(tmp_path / "other.json", [*PAIRS[:2], ("首都は？", "京都です。")])
    refused = [replace(job, holdout=str(ids), reference=reference), replace(job, reference=str(tmp_path / "none"))]
    assert {jobs.failure(one, tmp_path).code for one in refused} == {"reference_unreadable"}
    Path(reference).write_bytes(Path(reference).read_bytes()[:-1])
    assert jobs.failure(replace(job, reference=reference), tmp_path).code == "reference_unreadable"


def divergence_by_hand(path: Path, adapter: Path) -> float:
    """Over all 260 tokens of the vocabulary."""
    total = count = 0.0
    plain, tuned = ScoredModel(path, ""), ScoredModel(path, str(adapter))
    for model in (plain, tuned):
        model.open(256)
    for pair in PAIRS:
        example = held_out.example(1, *pair)
        places = places_of(example)
        ids = tuple(example["ids"])
        both = zip(*(model.log_probabilities(ids, places, lambda _n: None) for model in (plain, tuned)), strict=True)
        for p, q in both:
            total += float(np.sum(np.exp(p.astype(np.float64)) * (p.astype(np.float64) - q)))
            count += 1
    plain.close()
    tuned.close()
    return total / count


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.fault("F2")
def test_a_reference_that_the_drive_has_no_room_for_is_told_when_it_is_closed():
    writer = ReferenceWriter(Path("/dev/full"), ReferenceHeader(1, 4, "x"))
    writer.add(np.log(np.full(4, 0.25, np.float32)))  # waits in memory
    with pytest.raises(AppError) as caught:
        writer.close()
    assert caught.value.code == "drive_space"


def test_chats_are_tokenized_by_the_engine_and_compared(tmp_path, job):
    ids = tuple(held_out.prompt_ids(PAIRS[0][0]))
    segments = (Segment(PAIRS[0][0]),)
    chats = (ChatToScore(segments, ids), ChatToScore(segments, (1, *ids)), ChatToScore((Segment("<s>"),), (1, 1)))
    found = scored(replace(job, chats=chats), tmp_path)
    assert found.same_ids == (True, False, False)  # a second BOS, and text that looks like one
    assert found.references == tuple(answer for _, answer in PAIRS)
    assert found.answers == ()


def test_answers_end_by_themselves_at_a_stop_text_or_at_the_limit(tmp_path, job):
    chats = to_chats(24)
    free = scored(replace(job, chats=chats, answers=True), tmp_path)
    assert [answer.question for answer in free.answers] == [question for question, _ in PAIRS]
    assert [answer.line for answer in free.answers] == [1, 2, 3]
    assert {answer.ended_by for answer in free.answers} <= {"end", "limit"}
    assert any(answer.tokens == 24 for answer in free.answers if answer.ended_by == "limit")
    with engine_side.loaded(Path(job.model)) as model:
        said = model.text(model.greedy(PAIRS[0][0], 24))
    assert ascii_of(free.answers[0].answer) == ascii_of(said)  # noise is no whole UTF-8
    wanted = next(one for one in said if one.isascii() and one.isprintable() and one != " ")
    stopped = scored(replace(job, chats=chats[:1], answers=True, stop=(wanted,)), tmp_path).answers[0]
    assert (stopped.ended_by, wanted in stopped.answer) == ("stop", False)


def test_answers_are_the_same_however_many_are_written_at_a_time(job):
    pairs = [(question * count, limit) for count in (1, 2, 3, 4) for question, _ in PAIRS for limit in (0, 1, 9, 30)]
    prompts = [ChatToScore((), tuple(held_out.prompt_ids(question)), limit) for question, limit in pairs]
    model = ScoredModel(Path(job.model), "")
    try:
        model.open(256, 256, len(prompts))
        assert model.sequences == 7
        said = "".join(answer.text for _, answer in model.write_answers(prompts, frozenset(), ()))
        stop = (next(one for one in said[::-1] if one.isascii() and one.isprintable() and one != " "),)
        together = dict(model.write_answers(prompts, frozenset(), stop))
        model.sequences = 1
        alone = dict(model.write_answers(prompts, frozenset(), stop))
    finally:
        model.close()
    assert sorted(together) == list(range(len(prompts)))
    assert [replace(together[at], seconds=0) for at in sorted(together)] == [
        replace(alone[at], seconds=0) for at in sorted(alone)
    ]
    assert {answer.ended_by for answer in alone.values()} >= {"limit", "stop"}
    assert [answer.tokens for at, answer in alone.items() if not prompts[at].limit] == [0] * 12


def test_one_step_evaluates_all_answers_also_after_some_have_ended(job, monkeypatch):
    ids = tuple(held_out.prompt_ids("一年は何日？"))
    chats = [ChatToScore((), ids, limit) for limit in (30, 2, 30, 9, 30, 5, 30, 8, 15)]
    steps: list[list[int]] = []
    model = ScoredModel(Path(job.model), "")
    decode = model._decode
    monkeypatch.setattr(model, "_decode", lambda tokens: (steps.append([one[0] for one in tokens]), decode(tokens)))
    model.open(256, 256, len(chats))
    together = dict(model.write_answers(chats, None, ()))
    kept = [tokens[: len(ids)] for tokens in model.cached]
    model.sequences = 1
    alone = dict(model.write_answers(chats, None, ()))
    model.close()
    assert kept == [list(ids)] * 7  # also where an answer went on elsewhere
    several = [sequences for sequences in steps if len(set(sequences)) > 1]
    assert all(sequences == list(range(len(sequences))) for sequences in several)
    assert [count for count in range(2, 8) if count in map(len, several)] == [4, 5, 7]  # two end in one step
    assert {at: one.text for at, one in together.items()} == {at: one.text for at, one in alone.items()}


def test_an_answer_with_wrong_logits_leaves_tokens_only_where_others_are_written(job, monkeypatch):
    ids = tuple(held_out.prompt_ids("一年は何日？"))
    chats = [ChatToScore((), ids, limit) for limit in (30, 2, 30, 9, 30, 5, 30)]
    model = ScoredModel(Path(job.model), "")
    rows = model._rows

    def damaged(count: int) -> np.ndarray:
        found = rows(count).copy()
        if count == 4:  # the last three have moved
            found[0] = np.nan
        return found

    monkeypatch.setattr(model, "_rows", damaged)
    model.open(256, 256, len(chats))
    with pytest.raises(AppError, match="score_failed"):
        list(model.write_answers(chats, None, ()))
    assert [bool(tokens) for tokens in model.cached] == [False, True, True, True, False, False, False]
    model.close()


def test_what_two_texts_begin_with_is_read_once(job):
    texts = [tuple(held_out.example(1, "同じ指示と資料。" * 5 + question, answer)["ids"]) for question, answer in PAIRS]
    found: dict[bool, list[float]] = {}
    for is_apart in (False, True):
        model = ScoredModel(Path(job.model), "")
        model.open(256)
        for ids in texts:
            if is_apart:
                list(model.write_answers([], None, ()))  # empties the cache
            read: list[int] = []
            places = range(len(ids) - 9, len(ids))
            rows = zip(places, model.log_probabilities(ids, tuple(places), read.append), strict=True)
            found.setdefault(is_apart, []).append(sum(float(log_p[ids[at]]) for at, log_p in rows))
            assert sum(read) == len(ids) - 1
        assert (len(read) > 1) is not is_apart
        model.close()
    assert found[False] == pytest.approx(found[True], abs=1e-4)


def test_a_limit_beyond_the_models_context_ends_there(tmp_path, job):
    room = 512 - 6
    question = "問" * ((room - 2) // 3)
    ids = tuple(held_out.prompt_ids(question))
    holdout = held_out.write(tmp_path / "long.json", [(question, "え")])
    chats = (ChatToScore((Segment(question),), ids, 500),)
    answer = scored(replace(job, holdout=str(holdout), chats=chats, answers=True), tmp_path).answers[0]
    assert (answer.ended_by, answer.tokens) == ("limit", 512 - len(ids))


def ascii_of(text: str) -> str:
    return "".join(character for character in text.strip() if character.isascii())


def test_every_token_that_ends_an_answer_in_training_ends_it_here(tmp_path, job):
    chats = to_chats(24)[2:]
    every = held_out.write(tmp_path / "ends.json", PAIRS, end_ids=list(range(260)))
    answer = scored(replace(job, holdout=str(every), chats=chats, answers=True), tmp_path).answers[0]
    assert (answer.ended_by, answer.tokens, answer.answer) == ("end", 0, "")


def test_answers_alone_are_those_that_come_with_the_likelihood(tmp_path, job):
    chats = to_chats(8)
    asked = sum(len(chat.ids) + 8 for chat in chats)
    read = sum(len(held_out.example(1, *pair)["ids"]) for pair in PAIRS)
    found = {}
    for measures, phases, tokens in ((True, ["reading", "writing"], read + asked), (False, ["writing"], asked)):
        _, events = jobs.run(replace(job, chats=chats, answers=True, measures=measures), tmp_path)
        found[measures] = scoring_files.read_scores(Path(job.target))
        assert [event.name for event in events if isinstance(event, Phase)] == ["loading", *phases, "saving"]
        steps = [event for event in events if isinstance(event, Progress)]
        assert (steps[0], steps[-1]) == (Progress(0, 0), Progress(tokens, tokens))  # the first while it loads
        assert [step.done_bytes for step in steps] == sorted(step.done_bytes for step in steps)
    assert (found[False].answers, found[False].examples) == (found[True].answers, ())


@pytest.mark.parametrize("answers", [False, True])
def test_how_fast_it_writes_is_seen_with_and_without_answers(tmp_path, job, answers):
    asked = replace(job, chats=to_chats(8), answers=answers)
    silent = scored(asked, tmp_path)
    assert silent.write_tokens_per_s == 0
    found = scored(replace(asked, speed_tokens=300), tmp_path)  # of more tokens than the answers have
    assert found.write_tokens_per_s > 0
    assert found.answers == silent.answers


def test_a_model_that_would_answer_nothing_still_writes_its_sample(tmp_path, job):
    chat = to_chats(8)[0]
    (row,) = direct.log_probabilities(Path(job.model), [((*chat.ids, 5), (len(chat.ids),))])
    metadata = {"tokenizer.ggml.eos_token_id": int(np.argmax(row))}
    silent = replace(job, model=str(models.tiny_llama(tmp_path / "無口.gguf", metadata=metadata)), chats=(chat,))
    assert scored(replace(silent, answers=True), tmp_path).answers[0].tokens == 0
    assert scored(replace(silent, speed_tokens=16), tmp_path).write_tokens_per_s > 0
    assert scored(replace(silent, speed_tokens=1), tmp_path).write_tokens_per_s == 0  # no step was timed


def test_what_cannot_be_scored_is_said_in_words(tmp_path, job):
    def code(**fields: str) -> str:
        return jobs.failure(replace(job, **fields), tmp_path).code

    cut = tmp_path / "cut.gguf"
    cut.write_bytes(Path(job.model).read_bytes()[:-1000])
    assert code(model=str(cut)) == "truncated"
    assert code(model=str(tmp_path / "none.gguf")) == "file_missing"
    assert code(holdout=str(tmp_path / "none.json")) == "holdout_unreadable"
    high = {"line": 1, "ids": [1, 260], "labels": [-100, 260]}
    foreign = held_out.write(tmp_path / "foreign.json", PAIRS, chats=[], examples=[high])
    assert code(holdout=str(foreign)) == "holdout_other_vocabulary"
    long = held_out.write(tmp_path / "long.json", [("問", "あ" * 200)])
    assert code(holdout=str(long)) == "context_full"
    assert code(target=str(tmp_path / "none" / "x.json")) == "build_unwritable"
    for make in (models.wrong_shape_adapter, models.wrong_architecture_adapter):
        assert code(adapter=str(make(tmp_path / "lora.gguf"))) == "adapter_mismatch"
        assert "llama_model_load" not in (tmp_path / "job.log").read_text("utf-8")  # llama.cpp has not seen it


def test_weights_that_are_no_numbers_are_named_by_the_line(tmp_path, job):
    broken = models.tiny_llama(tmp_path / "nan.gguf")
    reader = gguf_writer.GGUFReader(broken, "r+")
    next(tensor for tensor in reader.tensors if tensor.name == "output_norm.weight").data[:] = math.nan
    reader.data.flush()
    failed = jobs.failure(replace(job, model=str(broken)), tmp_path)
    assert (failed.code, failed.facts) == ("score_not_finite", {"line": 1})


@pytest.mark.parametrize("how", ["end of input", "kill"])
def test_a_job_that_is_given_up_leaves_nothing_under_its_names(tmp_path, job, how):
    many = held_out.write(tmp_path / "many.json", [("問い", "長い答えです。" * 10)] * 400)
    work = replace(job, holdout=str(many), reference=str(tmp_path / "reference"), makes_reference=True)

    def give_up(event: Event, process: "subprocess.Popen[bytes]") -> None:
        if isinstance(event, Progress) and event.done_bytes:
            assert process.stdin is not None
            if how == "kill":
                process.kill()
            else:
                process.stdin.close()

    status, _ = jobs.run(work, tmp_path, give_up)
    assert status == (-9 if how == "kill" else EXIT_PARENT_GONE)
    assert not Path(work.target).exists()
    assert not Path(work.reference).exists()
    assert part_path(work.reference).exists() == (how == "kill")


def test_a_job_that_cannot_be_read_ends_the_process_without_an_event(tmp_path, job):
    (tmp_path / "job.json").write_text(json.dumps({"type": "Quantize"}), encoding="utf-8")
    argv = [*jobs.command("--score"), str(tmp_path / "job.json")]
    done = subprocess.run(argv, cwd=jobs.ROOT, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (EXIT_UNREADABLE_JOB, b"")
