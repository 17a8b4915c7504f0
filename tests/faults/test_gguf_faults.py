"""Damaged, hostile and wrong files given as models: a sentence for each, and never a death of the engine.

S3: files that are something else. S2: seeded damage to the header of a sound model; what passes the check is loaded
and asked in the real engine child.
"""

import io
import os
import pickle
import shutil
import struct
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.base import wording
from app.base.errors import AppError
from app.inference import gguf
from app.inference.engine.messages import AdapterUse, Ask, Done, Failed, Load, Ready, Segment
from tests import model_files as models
from tests.faults.gguf_mutations import Mutation, mutations
from tests.faults.ledger import Tally
from tests.inference.engine.child import Child

CHECK_LIMIT_S = 2.0  # for one file, on a busy machine; usually under 0.1
ANSWER_LIMIT_S = 60.0


# ------------------------------------------------------------ S3: wrong files


def zipped(*names: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            archive.writestr(name, b"x" * 100)
    return out.getvalue()


def as_web_page(text: str, encoding: str = "utf-8") -> bytes:
    return f"\n<!-- proxy -->\n<!DOCTYPE html><html><title>{text}</title></html>".encode(encoding)


_LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"a5" * 32 + b"\nsize 4920734176\n"
_WRONG_FILES: dict[str, tuple[bytes, str, str]] = {
    "empty": (b"", "file_empty", "0 バイト"),
    "web page": (as_web_page("404 Not Found"), "not_gguf_html", "Web ページ"),
    "web page in Shift_JIS": (as_web_page("見つかりません", "cp932"), "not_gguf_html", "Web ページ"),
    "web page in UTF-16": ("\ufeff<html>認証が必要です".encode("utf-16-le"), "not_gguf_html", "Web ページ"),
    "error message of a store": (b'<?xml version="1.0"?><Error>AccessDenied</Error>', "not_gguf_format", "XML"),
    "error message of a service": (b'{"error": "Repository not found"}', "not_gguf_format", "JSON"),
    "LFS pointer": (_LFS, "not_gguf_lfs", "Git LFS"),
    "ZIP": (zipped("README.md"), "not_gguf_format", "ZIP"),
    "PyTorch archive": (zipped("model/data.pkl", "model/data/0"), "not_gguf_format", "PyTorch"),
    "pickle": (pickle.dumps({"w": [1.0]}), "not_gguf_format", "pickle"),
    "safetensors": (struct.pack("<Q", 64) + b'{"w":{"dtype":"F32"}}'.ljust(64), "not_gguf_format", "safetensors"),
    "PDF": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n" + bytes(200), "not_gguf_format", "PDF"),
    "gzip": (b"\x1f\x8b\x08" + bytes(100), "not_gguf_format", "gzip"),
    "7-Zip": (b"7z\xbc\xaf\x27\x1c" + bytes(100), "not_gguf_format", "7-Zip"),
    "Windows program": (b"MZ\x90\0" + bytes(300), "not_gguf_format", "EXE"),
    "photograph": (b"\xff\xd8\xff\xe0\0\x10JFIF" + bytes(100), "not_gguf_format", "JPEG"),
    "text": ("橋脚のかぶりは 70 mm とする。\n".encode(), "not_gguf_text", "テキストファイル"),
    "text in EUC-JP": ("橋脚のかぶりは 70 mm とする。\n".encode("euc-jp"), "not_gguf_text", "テキストファイル"),
    "zeros": (bytes(100_000), "not_gguf_zeros", "0 です"),
    "noise": (b"\x17\xc3" + bytes(range(256)) * 4, "not_gguf_unknown", "GGUF ファイルではありません"),
    "GGML of early 2023": (b"lmgg" + bytes(200), "gguf_old_version", "古いため"),
    "GGJT of mid 2023": (b"tjgg" + struct.pack("<I", 3) + bytes(200), "gguf_old_version", "古いため"),
    "GGUF version 1": (b"GGUF" + struct.pack("<IQQ", 1, 0, 0), "gguf_old_version", "古いため"),
    "GGUF version 4": (b"GGUF" + struct.pack("<IQQ", 4, 0, 0), "gguf_new_version", "新しすぎ"),
    "big-endian GGUF": (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "gguf_byte_order", "ビッグエンディアン"),
}


def assert_refused(path: Path, code: str, in_sentence: str) -> None:
    with pytest.raises(AppError) as caught:
        gguf.check_model(path)
    assert caught.value.code == code
    sentence = wording.describe_error(caught.value)
    assert in_sentence in sentence.message
    assert "?" not in str(sentence)  # every placeholder was filled


@pytest.mark.parametrize("what", _WRONG_FILES)
@pytest.mark.fault("S3")
def test_a_wrong_file_is_called_by_its_name(what, tmp_path):
    content, code, in_sentence = _WRONG_FILES[what]
    path = tmp_path / "日本語　モデル.gguf"
    path.write_bytes(content)
    assert_refused(path, code, in_sentence)


@pytest.mark.fault("S3")
def test_a_folder_and_a_missing_file_are_called_that(tmp_path):
    folder = tmp_path / "model.gguf"
    folder.mkdir()
    assert_refused(folder, "file_is_directory", "フォルダ")
    assert_refused(tmp_path / "absent.gguf", "file_missing", "absent.gguf")


@pytest.mark.fault("S3")
def test_a_pipe_is_not_waited_for(tmp_path):
    path = tmp_path / "pipe.gguf"
    os.mkfifo(path)
    assert_refused(path, "file_unreadable", "pipe.gguf")


@pytest.mark.parametrize("share", [0.02, 0.3, 0.5, 0.999])
@pytest.mark.fault("S3")
def test_a_cut_model_says_how_much_is_there(share, tmp_path, tiny_model):
    data = tiny_model.read_bytes()
    path = tmp_path / "cut.gguf"
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(AppError) as caught:
        gguf.check_model(path)
    assert caught.value.facts["have_bytes"] == path.stat().st_size
    if caught.value.code == "truncated":
        assert caught.value.facts["need_bytes"] == len(data)


@pytest.mark.fault("S3")
def test_a_download_that_was_resumed_wrongly_is_too_long(tmp_path, tiny_model):
    """A server that ignores the range sends everything again, behind what was there."""
    data = tiny_model.read_bytes()
    path = tmp_path / "resumed.gguf"
    path.write_bytes(data[:300_000] + data)
    assert_refused(path, "oversized", "余分")
    path.write_bytes(data + b"\n")
    assert_refused(path, "oversized", "余分")


@pytest.mark.model
@pytest.mark.fault("S3")
def test_a_download_that_stopped_halfway_is_told_in_gigabytes(tmp_path, starter_model):
    path = models.hollow(starter_model, tmp_path / "half.gguf", 126_000_000)
    assert_refused(path, "truncated", "0.1／0.3 GB")


@pytest.mark.fault("S3")
def test_the_engine_refuses_what_the_check_refuses_and_goes_on(tmp_path, tiny_model):
    """Also when nobody looked before: the engine's answer to Load is the same code."""
    adapter = models.tiny_adapter(tmp_path / "adapter.gguf")
    page = tmp_path / "page.gguf"
    page.write_bytes(as_web_page("404"))
    with Child("llama", tmp_path / "engine.log") as child:
        for path, code in ((adapter, "adapter_as_model"), (page, "not_gguf_html"), (tmp_path, "file_is_directory")):
            assert child.failure_of(Load("load", str(path))).code == code
        child.load(tiny_model)
        assert child.ask("質問", max_tokens=2)[1].usage.answer_tokens <= 2


# ---------------------------------------------------------- S2: damaged headers


class Engine:
    """The engine child, started again after each death."""

    def __init__(self, folder: Path) -> None:
        self._log = folder / "engine.log"
        self._child: Child | None = None

    def outcome(self, path: Path) -> str:
        """Loads the model and asks it: "answered", "failed: code", or "died: …"."""
        if self._child is None:
            self._child = Child("llama", self._log).__enter__()
        try:
            return self._ask(self._child, path)
        except (EOFError, BrokenPipeError):
            log = self._log.read_text("utf-8", "replace")[-600:]
            self.close()
            return f"died: {log}"

    @staticmethod
    def _ask(child: Child, path: Path) -> str:
        deadline = time.monotonic() + ANSWER_LIMIT_S
        child.send(Load("load", str(path), context_tokens=256, threads=1))
        child.send(Ask("ask", (Segment("こんにちは hello\n"),), max_tokens=3))
        failures = []
        while True:
            event = child.read()  # a heartbeat a second, at least
            if time.monotonic() > deadline:
                child.process.kill()
            if isinstance(event, Failed):
                failures.append(event.code)
            if isinstance(event, Done | Failed) and event.id == "ask":
                return f"failed: {failures[0]}" if failures else "answered"
            assert not isinstance(event, Ready) or not failures

    def close(self) -> None:
        if self._child is not None:
            self._child.__exit__(None, None, None)
            self._child = None


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = Engine(tmp_path)
    yield engine
    engine.close()


class Patched:
    """A copy of a model that is damaged in place and mended again: 253 MB are copied once, not for each mutation."""

    def __init__(self, sound: Path, folder: Path) -> None:
        self._copy = Path(shutil.copy(sound, folder / "damaged.gguf"))
        self._cut = folder / "cut.gguf"

    def path(self, mutation: Mutation) -> Path:
        if mutation.cut_to is None:
            self._old = self._exchange(mutation.patches)
            return self._copy
        return models.hollow(self._copy, self._cut, mutation.cut_to)

    def mend(self, mutation: Mutation) -> None:
        if mutation.cut_to is None:
            self._exchange(tuple(reversed(self._old)))

    def _exchange(self, patches: tuple[tuple[int, bytes], ...]) -> tuple[tuple[int, bytes], ...]:
        old = []
        with self._copy.open("r+b") as file:
            for offset, new in patches:
                file.seek(offset)
                old.append((offset, file.read(len(new))))
                file.seek(offset)
                file.write(new)
        return tuple(old)


def survey(sound: Path, folder: Path, engine: Engine, *, seed: int, count: int) -> Counter[str]:
    """What becomes of each mutation: "refused: code", "answered", "failed: code" or "died: …"."""
    results: Counter[str] = Counter()
    patched = Patched(sound, folder)
    for mutation in mutations(sound, seed=seed, count=count):
        path = patched.path(mutation)
        started = time.process_time()
        try:
            gguf.check_model(path)
            result = ""
        except AppError as error:
            result = f"refused: {error.code}"
        assert time.process_time() - started < CHECK_LIMIT_S, mutation.label
        result = result or engine.outcome(path)
        patched.mend(mutation)
        results[f"{result} ({mutation.label})" if result.startswith("died") else result] += 1
    print(*(f"{times} {result}" for result, times in results.most_common()), sep="\n")  # shown by pytest -rP
    return results


def told(results: Counter[str], tally: Tally) -> None:
    deaths = [result for result in results if result.startswith("died")]
    tally.tried(results.total())
    tally.died(len(deaths))
    assert deaths == []


@pytest.mark.fault("S2")
def test_a_small_models_damaged_headers_never_kill_the_engine(tmp_path, tiny_model, engine, tally):
    results = survey(tiny_model, tmp_path, engine, seed=1, count=75)
    told(results, tally)
    assert results.total() == 75
    assert results["answered"] >= 3  # damage that changes nothing that matters


@pytest.mark.model
@pytest.mark.parametrize(("seed", "count"), [(1, 20), pytest.param(2, 75, marks=pytest.mark.slow)])
@pytest.mark.fault("S2")
def test_the_starters_damaged_headers_never_kill_the_engine(seed, count, tmp_path, starter_model, engine, tally):
    results = survey(starter_model, tmp_path, engine, seed=seed, count=count)
    told(results, tally)
    assert results.total() == count


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10, 14))
@pytest.mark.fault("S2")
def test_two_thousand_damaged_headers_never_kill_the_engine(seed, tmp_path, tiny_model, engine, tally):
    told(survey(tiny_model, tmp_path, engine, seed=seed, count=500), tally)


@pytest.mark.fault("S2")
def test_damaged_adapters_never_kill_the_engine(tmp_path, tiny_model, tally):
    """What passes the check is used for an answer."""
    sound = models.tiny_adapter(tmp_path / "sound.gguf")
    base = gguf.check_model(tiny_model)
    patched = Patched(sound, tmp_path)
    used = 0
    with Child("llama", tmp_path / "engine.log") as child:
        child.load(tiny_model, context_tokens=256, threads=1)
        for number, mutation in enumerate(mutations(sound, seed=1, count=200)):
            tally.tried(1)
            damaged = patched.path(mutation)
            try:
                gguf.check_adapter(damaged, base)
            except AppError:
                patched.mend(mutation)
                continue
            adapter = Path(shutil.copy(damaged, tmp_path / f"{number}.gguf"))  # the engine keeps what it knows by name
            patched.mend(mutation)
            child.send(Ask("ask", (Segment("質問"),), max_tokens=2, adapters=(AdapterUse(str(adapter)),)))
            assert child.events_until(Done, Failed)[-1].id == "ask", mutation.label
            used += 1
    assert used >= 5
