"""Measure the engine through its pipe against a bare decode loop of llama.cpp, in turn, on one model file.

    python -m tests.benchmarks engine [--model ID|FILE] [--runs N] [--json]

The exit status is 1 when a figure misses its aim. Compare the ratios of one run; single times of a shared machine are
noisy. Each round asks both sides for the same prompt and as many tokens.
"""

import argparse
import dataclasses
import json
import statistics
import subprocess
import sys
import time
import tomllib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from PySide6.QtCore import QEventLoop, QTimer

from app.base import paths
from app.base.cli.commands import Output
from app.base.cli.loop import core_application
from app.base.errors import AppError
from app.base.paths import Paths
from app.inference import child_commands
from app.inference.engine.messages import Ask, Done, Event, Failed, Load, Ready, Sampling, Token
from app.inference.processor_cores import usable_cores
from app.inference.prompts import Segment
from app.inference.services.engine import EngineClient
from app.models.model_registry import choose_model

BATCH_TOKENS = 512
BLOCK_BYTES = 512 << 20  # far above any cache
GREEDY = Sampling(temperature=0.0)
CANCELLED_PROMPT_TOKENS = 600
CACHE_PROMPT_TOKENS = 1500
REUSE_ROUNDS, REUSE_LIMIT_S = 3, 120.0
LIMIT_MS = 30 * 60 * 1000

Kind = TypeVar("Kind")


def texts() -> dict[str, str]:
    """Return the Japanese that is measured with, from engine.toml."""
    return tomllib.loads(Path(__file__).with_name("engine.toml").read_text("utf-8"))


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks engine")
    parser.add_argument("--model", metavar="ID|FILE")
    parser.add_argument("--runs", metavar="N", type=int, default=5, help="rounds, taken in turn")
    parser.add_argument("--prompt-tokens", metavar="N", type=int, default=512)
    parser.add_argument("--answer-tokens", metavar="N", type=int, default=64)
    parser.add_argument("--context", metavar="N", type=int, default=2048)
    parser.add_argument("--threads", metavar="N", type=int)
    parser.add_argument("--repack", action="store_true", help="load with repacked weights")
    parser.add_argument("--data-dir", metavar="DIR")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    output = Output(options.json)
    try:
        return _measured(options, paths.locate(options.data_dir), output)
    except AppError as error:
        output.error(error)
        return 1


def _measured(options: argparse.Namespace, where: Paths, output: Output) -> int:
    app = core_application()
    path = choose_model(options.model, where).path
    threads = options.threads or usable_cores().fast
    engine = _Engine(where)
    bare = _Bare(path, options, threads)
    try:
        facts = engine.load(path, options, threads)
        text = engine.text_of(options.prompt_tokens)
        rounds = [_round(engine, bare, text, options.answer_tokens, number) for number in range(options.runs + 1)]
        result = _medians(rounds[1:])  # the first warms both up
        result |= _cancel(engine, options.runs) | _reuse(engine, options.context)
    finally:
        bare.close()
        engine.close()
        del app
    ceiling = read_bytes_per_s(threads)
    result |= {
        "model": path,
        "threads": threads,
        "repack": facts.repack,
        "load_s": facts.load_s + facts.warm_up_s,
        "resident_bytes": facts.resident_bytes,
        "read_bytes_per_s": ceiling,
        "ceiling_tokens_per_s": ceiling / facts.weights_bytes,
        "runs": options.runs,
    }
    checks = _checks(result)
    result["checks"] = checks
    output.result(result, "\n".join(f"{key}\t{_shown(value)}" for key, value in result.items()))
    return 0 if all(checks.values()) else 1


def read_bytes_per_s(threads: int) -> float:
    """The memory bandwidth, the best of five passes in which each thread reads a block of its own."""
    blocks = [np.ones(BLOCK_BYTES // 8, np.int64) for _ in range(threads)]
    best = 0.0
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(5):
            began = time.perf_counter()
            list(pool.map(np.bitwise_or.reduce, blocks))
            best = max(best, threads * BLOCK_BYTES / (time.perf_counter() - began))
    return best


def _checks(result: dict[str, Any]) -> dict[str, bool]:
    return {
        "generation_ratio >= 0.97": result["generation_ratio"] >= 0.97,
        "outside_decode_ms <= 0.6": result["outside_decode_ms"] <= 0.6,
        "prompt_ratio >= 0.95": result["prompt_ratio"] >= 0.95,
        "cancel_ms <= 200": result["cancel_ms"] <= 200,
        "first_token_speedup >= 5": result["first_token_speedup"] >= 5,
    }


def _round(engine: "_Engine", bare: "_Bare", text: str, answer_tokens: int, number: int) -> dict[str, float]:
    """One measurement of each, on the same text. Ours first in even rounds, last in odd ones."""
    starts = texts()["first_characters"]
    text = f"{starts[number % len(starts)]}{text}"
    if number % 2:
        theirs = bare.measure(text, answer_tokens)
        ours = engine.measure(text, answer_tokens)
    else:
        ours = engine.measure(text, answer_tokens)
        theirs = bare.measure(text, int(ours["answer_tokens"]))
    our_speed = (ours["answer_tokens"] - 1) / ours["answer_s"]
    bare_speed = (theirs["answer_tokens"] - 1) / theirs["answer_s"]
    return {
        "prompt_tokens": ours["prompt_tokens"],
        "answer_tokens": ours["answer_tokens"],
        "generation_tokens_per_s": our_speed,
        "bare_generation_tokens_per_s": bare_speed,
        "generation_ratio": our_speed / bare_speed,
        "prompt_tokens_per_s": ours["prompt_tokens"] / ours["prompt_s"],
        "bare_prompt_tokens_per_s": theirs["prompt_tokens"] / theirs["prompt_s"],
        "prompt_ratio": theirs["prompt_s"] / ours["prompt_s"] * ours["prompt_tokens"] / theirs["prompt_tokens"],
        "outside_decode_ms": ours["outside_decode_ms"],
    }


def _medians(rounds: list[dict[str, float]]) -> dict[str, Any]:
    return {key: statistics.median(one[key] for one in rounds) for key in rounds[0]}


def _cancel(engine: "_Engine", runs: int) -> dict[str, float]:
    """From the cancel's sending: to the last token that still came, and to the end; in an answer and in a prompt."""
    last, end, prompt_end = zip(*(engine.measure_cancel() for _ in range(runs)), strict=True)
    return {
        "cancel_ms": 1000 * statistics.median(last),
        "cancel_to_end_ms": 1000 * statistics.median(end),
        "cancel_prompt_to_end_ms": 1000 * statistics.median(prompt_end),
    }


def _reuse(engine: "_Engine", context: int) -> dict[str, float]:
    """The first token of a conversation's next question against the same prompt read cold."""
    text = engine.text_of(min(CACHE_PROMPT_TOKENS, context - 200))
    words = texts()
    ratios, reused, began = [], 0, time.perf_counter()
    for number in range(REUSE_ROUNDS):
        prompt = words["conversation"].format(number=number, text=text)
        second_prompt = f"{prompt}{engine.ask(prompt, 8).text}{words['next_question']}"
        warm = engine.ask(second_prompt, 8)
        engine.ask(words["other_subject"], 1)  # something else takes the cache
        cold = engine.ask(second_prompt, 8)
        ratios.append(cold.first_token_s / warm.first_token_s)
        reused = warm.done.usage.cached_tokens
        if time.perf_counter() - began > REUSE_LIMIT_S:
            break  # an 8B model on a processor reads that prompt for minutes; one ratio says enough
    return {"first_token_speedup": statistics.median(ratios), "reused_tokens": reused}


@dataclasses.dataclass
class _Asked:
    done: Done
    text: str
    first_token_s: float  # from sending the question to its first token's arrival
    answer_s: float  # from then to the end


class _Engine:
    """The engine client, one request at a time, with this process's clock."""

    def __init__(self, where: Paths) -> None:
        self._client = EngineClient(child_commands.engine(), where.logs / "engine-bench.log")

    def close(self) -> None:
        self._client.shut_down()

    def load(self, path: str, options: argparse.Namespace, threads: int) -> Any:
        self._client.send(
            Load(
                id=self._client.new_id(),
                path=path,
                context_tokens=options.context,
                threads=threads,
                batch_tokens=BATCH_TOKENS,
                repack=options.repack,
            )
        )
        return self._wait(Ready).facts

    def text_of(self, tokens: int) -> str:
        """Running text of about that many tokens."""
        sentence = texts()["sentence"]
        per_sentence = self.ask(sentence * 4, 1).done.usage.prompt_tokens / 4
        return sentence * max(1, round(tokens / per_sentence))

    def ask(self, text: str, answer_tokens: int) -> _Asked:
        times: list[float] = []
        pieces: list[str] = []

        def note(event: Event) -> None:
            if isinstance(event, Token):
                times.append(time.perf_counter())
                pieces.append(event.text)

        self._client.event_received.connect(note)
        began = time.perf_counter()
        self._send(text, answer_tokens)
        done = self._wait(Done)
        end = time.perf_counter()
        self._client.event_received.disconnect(note)
        first = times[0] if times else end
        return _Asked(done, "".join(pieces), first - began, max(end - first, 1e-9))

    def measure(self, text: str, answer_tokens: int) -> dict[str, float]:
        asked = self.ask(text, answer_tokens)
        usage, timings = asked.done.usage, asked.done.timings
        return {
            "prompt_tokens": usage.prompt_tokens - usage.cached_tokens,
            "prompt_s": asked.first_token_s,
            "answer_tokens": usage.answer_tokens,
            "answer_s": asked.answer_s,
            "outside_decode_ms": 1000 * (timings.answer_s - timings.decode_s) / usage.answer_tokens,
        }

    def measure_cancel(self) -> tuple[float, float, float]:
        last_s, end_s = self._cancel_after(texts()["cancelled"], lambda event: isinstance(event, Token))
        _, prompt_end_s = self._cancel_after(f"{time.perf_counter()}{self.text_of(CANCELLED_PROMPT_TOKENS)}", None)
        return last_s, end_s, prompt_end_s

    def _cancel_after(self, text: str, trigger: Any) -> tuple[float, float]:
        """Cancels at the first event that `trigger` accepts, or after 20 ms. Seconds to last token and to the end."""
        cancelled_at = last_token_at = 0.0
        request = ""

        def cancel() -> None:
            nonlocal cancelled_at
            cancelled_at = time.perf_counter()
            self._client.cancel(request)

        def note(event: Event) -> None:
            nonlocal last_token_at
            if trigger is not None and not cancelled_at and trigger(event):
                cancel()
            elif isinstance(event, Token):
                last_token_at = time.perf_counter()

        self._client.event_received.connect(note)
        request = self._send(text, 400)
        if trigger is None:
            QTimer.singleShot(20, cancel)
        self._wait(Done)
        end = time.perf_counter()
        self._client.event_received.disconnect(note)
        return max(0.0, last_token_at - cancelled_at), end - cancelled_at

    def _send(self, text: str, answer_tokens: int) -> str:
        request = self._client.new_id()
        self._client.send(Ask(request, (Segment(text),), max_tokens=answer_tokens, sampling=GREEDY))
        return request

    def _wait(self, kind: type[Kind]) -> Kind:
        """The next event of that kind. Raises AppError when the request fails, the engine dies or nothing comes."""
        loop = QEventLoop()
        outcome: list[Kind | Failed] = []

        def note(event: Any) -> None:
            if isinstance(event, kind | Failed):
                outcome.append(event)
                loop.quit()

        self._client.event_received.connect(note)
        self._client.died.connect(loop.quit)
        QTimer.singleShot(LIMIT_MS, loop, loop.quit)
        loop.exec()
        self._client.event_received.disconnect(note)
        self._client.died.disconnect(loop.quit)
        if not outcome:
            raise AppError("engine_died", cause="benchmark")
        first = outcome[0]
        if isinstance(first, Failed):
            raise AppError(first.code, **first.facts)
        return first


class _Bare:
    """Runs `tests.benchmarks.bare_loop` in a process of its own."""

    def __init__(self, path: str, options: argparse.Namespace, threads: int) -> None:
        arguments = [path, str(options.context), str(BATCH_TOKENS), str(threads), "1" if options.repack else "0"]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.bare_loop", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=Path(__file__).resolve().parents[2],
        )
        self._read()

    def measure(self, text: str, answer_tokens: int) -> dict[str, float]:
        assert self._process.stdin is not None
        request = {"text": text, "answer_tokens": answer_tokens}
        self._process.stdin.write(json.dumps(request).encode("utf-8") + b"\n")
        self._process.stdin.flush()
        return self._read()

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise AppError("engine_died", cause="bare loop")
        data: dict[str, Any] = json.loads(line)
        return data


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
