"""`kotae models download` as a whole process: what it prints, how it ends, and that it goes on where it stopped."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.base import settings
from app.base.settings import Settings
from app.models import catalogue
from app.models.cli import model_download
from tests.command_fixtures import Kotae
from tests.models.downloads.hub import COMMIT, FILE, Content, Fault, Hub, Stored
from tests.models.downloads.shelf import LARGE, gguf, put_card, split_gguf
from tests.waiting import wait_until

ROOT = Path(__file__).parents[3]
LIMIT_S = 90
SLOW = Fault("slow", bytes_per_s=12 << 20)
TOKEN = "hf_geheimgeheimgeheim"
Done = subprocess.CompletedProcess[str]
Run = Callable[..., Done]


class Shell:
    """Starts `kotae models …` with a data folder of its own, and the hub as HF_ENDPOINT."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "データ"
        self.data.mkdir()
        self.models = self.data / "models"

    def environment(self, hub: Hub | None, **others: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "XDG_"))}
        place = {"HF_ENDPOINT": hub.place} if hub else {}
        return kept | place | {"KOTAE_DATA_DIR": str(self.data), "HOME": str(self.data.parent)} | others

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "app", "models", *arguments]

    def run(self, hub: Hub | None, *arguments: str, **others: str) -> Done:
        return subprocess.run(
            self.command(*arguments),
            env=self.environment(hub, **others),
            cwd=ROOT,
            capture_output=True,
            encoding="utf-8",
            timeout=LIMIT_S,
        )

    def card(self, content: Content, **changes: str) -> None:
        put_card(self.data / "cards", content.size, **({"sha256": content.sha256()} | changes))

    def received_bytes(self) -> int:
        """What the mark of the only download says is safe."""
        try:
            mark = json.loads((self.models / f"{FILE}.part.json").read_text())
        except FileNotFoundError:
            return 0
        return sum(end - start for start, end in mark["ranges"])


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    yield Shell(tmp_path)
    catalogue.use_own_cards(tmp_path / "absent")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Stored:
    return Stored(gguf(tmp_path_factory.mktemp("small")))


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Stored:
    return Stored(gguf(tmp_path_factory.mktemp("large"), LARGE))


def object_of(done: Done) -> dict[str, Any]:
    (line,) = done.stdout.splitlines()
    data: dict[str, Any] = json.loads(line)
    return data


def test_a_download_is_listed_afterwards_and_verifies(shell: Shell, small: Stored) -> None:
    shell.card(small)
    with Hub(small, Fault("redirect")) as hub:
        done = shell.run(hub, "download", "tiny", "--json")
    assert done.returncode == 0, done.stderr
    data = object_of(done)
    assert (data["id"], data["state"], data["sha256"]) == ("tiny", "done", [small.sha256()])
    assert data["path"] == str(shell.models / FILE)
    assert "apache-2.0" in done.stderr
    assert "出典を示してください" in done.stderr
    assert [model["id"] for model in object_of(shell.run(None, "list", "--json"))["models"]] == ["tiny"]
    verified = shell.run(None, "verify", "--json")
    assert verified.returncode == 0
    assert object_of(verified)["models"][0]["state"] == "sound"


def test_in_words_it_says_what_was_added(shell: Shell, small: Stored) -> None:
    shell.card(small, sha256="")
    with Hub(small) as hub:
        done = shell.run(hub, "download", "tiny", "--quant", "f32", "--lang", "en")
    assert done.returncode == 0, done.stderr
    assert "小さなモデル F32" in done.stdout
    assert "Name the source" in done.stderr


def test_a_terminal_sees_percent_speed_and_time_left(shell: Shell, large: Stored) -> None:
    shell.card(large)
    ours, theirs = pty.openpty()
    with Hub(large, SLOW) as hub:
        process = subprocess.Popen(
            shell.command("download", "tiny"),
            env=shell.environment(hub),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=theirs,
            encoding="utf-8",
        )
        os.close(theirs)
        seen = b""
        while select.select([ours], [], [], LIMIT_S)[0]:
            try:
                seen += os.read(ours, 4096)
            except OSError:  # the other end was closed
                break
        os.close(ours)
        assert process.communicate(timeout=LIMIT_S)[0]
    assert process.returncode == 0
    lines = seen.decode().split("\r")
    assert any(re.search(r"\d+ %（.* GB、\d+\.\d MB/s、残り \d+ 秒）", line) for line in lines)


@pytest.mark.parametrize("is_json", [False, True])
@pytest.mark.fault("F1")
def test_interrupted_it_goes_on_with_the_same_command(shell: Shell, large: Stored, is_json: bool) -> None:
    shell.card(large)
    arguments = ("download", "tiny", *(["--json"] if is_json else []))
    with Hub(large, SLOW) as hub:
        process = subprocess.Popen(
            shell.command(*arguments),
            env=shell.environment(hub),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        wait_until(lambda: shell.received_bytes() > 8 << 20)
        process.send_signal(signal.SIGINT)
        out, told = process.communicate(timeout=LIMIT_S)
        assert process.returncode == 130
        assert "同じコマンドで続きから再開します。" in told
        assert "Traceback" not in told
        if is_json:
            data = json.loads(out)
            assert (data["id"], data["state"]) == ("tiny", "paused")
            assert 8 << 20 < data["done_bytes"] < data["total_bytes"] == large.size
        else:
            assert out == ""
        hub.change(bytes_per_s=0)
        done = shell.run(hub, *arguments)
        assert done.returncode == 0
        assert hub.sent_bytes - large.size < 2 << 20


@pytest.mark.fault("F1")
def test_killed_it_goes_on_with_the_same_command(shell: Shell, large: Stored) -> None:
    shell.card(large)
    with Hub(large, SLOW) as hub:
        process = subprocess.Popen(
            shell.command("download", "tiny"),
            env=shell.environment(hub),
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_until(lambda: shell.received_bytes() > 8 << 20)
        process.kill()
        process.wait()
        hub.change(bytes_per_s=0)
        # The child has seen the end of its input when it lets the file go.
        wait_until(lambda: shell.run(hub, "download", "tiny").returncode == 0)
        assert hub.sent_bytes - large.size < 2 << 20


def test_a_model_comes_from_a_stick_without_any_network(shell: Shell, small: Stored, tmp_path: Path) -> None:
    stick = gguf(tmp_path / "USB メモリ")
    shell.card(small)
    settings.save(shell.data / "settings.json", Settings(network_allowed=False))
    done = shell.run(None, "download", "tiny", "--from", str(stick.parent), "--json")
    assert done.returncode == 0, done.stderr
    assert object_of(done)["sha256"] == [small.sha256()]


def test_a_file_on_a_share_may_have_another_name(shell: Shell, small: Stored, tmp_path: Path) -> None:
    stick = gguf(tmp_path / "share").rename(tmp_path / "share" / "配布用.gguf")
    shell.card(small)
    done = shell.run(None, "download", "tiny", "--from", str(stick), "--json")
    assert done.returncode == 0, done.stderr
    assert object_of(done)["path"] == str(shell.models / FILE)


def test_a_model_comes_from_a_mirror_or_its_own_address(shell: Shell, small: Stored) -> None:
    shell.card(small)
    with Hub(small) as hub:
        for place in (hub.place, f"{hub.place}/kotae/tiny-gguf/resolve/{COMMIT}/{FILE}"):
            done = shell.run(None, "download", "tiny", "--from", place, "--json", HF_ENDPOINT="http://127.0.0.1:9")
            assert done.returncode == 0, done.stderr
            (shell.models / FILE).unlink()


def test_all_parts_of_a_split_model_come(shell: Shell, small: Stored, tmp_path: Path) -> None:
    parts = split_gguf(tmp_path / "split")
    shell.card(small, sha256="", file=next(iter(parts)))
    with Hub(small, others=parts) as hub:
        done = shell.run(hub, "download", "tiny", "--json")
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in shell.models.iterdir()) == list(parts)
    assert shell.run(None, "verify").returncode == 0


@pytest.mark.parametrize("way", ["file", "environment", "none", "wrong"])
def test_a_gated_model_is_explained_and_had_with_a_token(shell: Shell, small: Stored, tmp_path: Path, way: str) -> None:
    shell.card(small)
    (tmp_path / "token").write_text(f"{'hf_wrong' if way == 'wrong' else TOKEN}\n")
    option = ["--token-file", str(tmp_path / "token")] if way in ("file", "wrong") else []
    variables = {"HF_TOKEN": TOKEN} if way == "environment" else {}
    with Hub(small, Fault("redirect", token=TOKEN)) as hub:
        done = shell.run(hub, "download", "tiny", "--json", *option, **variables)
        asked = [request.headers.get("Authorization") for request in hub.requests if request.host == "127.0.0.2"]
        assert set(asked) <= {None}
    if way == "file":
        assert done.returncode == 0, done.stderr
    else:  # that of the environment is not for a mirror
        assert ("公式の Hugging Face にだけ" in done.stderr) == (way == "environment")
        assert f"Bearer {TOKEN}" not in {request.headers.get("Authorization") for request in hub.requests}
        assert done.returncode == 3
        error = object_of(done)["error"]
        assert error["code"] == "download_gated"
        assert f"{hub.place}/kotae/tiny-gguf" in error["next"]
        assert "--token-file" in error["next"]
    assert TOKEN not in done.stdout + done.stderr
    assert not [p for p in shell.data.rglob("*") if p.is_file() and TOKEN.encode() in p.read_bytes()]


@pytest.mark.parametrize(
    ("place", "token"),
    [("https://huggingface.co", TOKEN), ("https://huggingface.co/", TOKEN), ("http://huggingface.co", ""),
     ("https://mirror.example", ""), ("https://huggingface.co.example", ""),
     ("https://huggingface.co@evil.example", ""),
     ("https://huggingface.co:8443", ""), ("/media/stick", "")],
)  # fmt: skip
@pytest.mark.fault("S13")
def test_a_token_of_the_environment_is_for_the_official_hub(
    place: str, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert model_download.stored_hub_token(place) == token


@pytest.mark.fault("S13")
def test_a_token_that_lies_around_is_not_sent_unless_asked_for(shell: Shell, small: Stored) -> None:
    shell.card(small)
    with Hub(small) as hub:
        assert shell.run(hub, "download", "tiny", HF_TOKEN=TOKEN).returncode == 0
        assert {request.headers.get("Authorization") for request in hub.requests} == {None}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("nobody",), "download_unknown_card"),
        (("tiny", "--quant", "Q9"), "download_no_quant"),
        (("gemma-3-270m",), "download_trial"),
        (("tiny", "--from", "/nowhere/at/all"), "download_no_folder"),
        (("tiny", "--from", "/"), "download_not_in_folder"),
        (("tiny", "--from", "/nowhere.gguf"), "download_not_in_folder"),
        (("llama-3-swalow-8b",), "download_unknown_card_near"),
        (("tiny", "--from", "http://127.0.0.1:bad"), "download_bad_address"),
        (("tiny", "--token-file", "/nowhere"), "token_unreadable"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(
    kotae: Kotae,
    shell: Shell,
    small: Stored,
    arguments: tuple[str, ...],
    code: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shell.card(small)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    status, result, log = kotae("models", "download", *arguments)
    assert (status, result["error"]["code"]) == (3, code)
    assert "Traceback" not in log
    assert "使用条件：" not in log  # nothing has come


def test_the_nearest_names_are_offered(shell: Shell, small: Stored) -> None:
    shell.card(small)
    said = shell.run(None, "download", "tini").stderr
    assert "近い名前は tiny です" in said
    assert "kotae models list --catalogue" in said
    assert "llama" not in said


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault("loop"), "download_redirects"),
        (Fault("status", status=404, error_code="EntryNotFound"), "download_not_found"),
        (Fault("corrupt", at=300_000), "download_damaged"),
    ],
)
def test_a_failure_is_said_in_a_sentence(shell: Shell, small: Stored, fault: Fault, code: str) -> None:
    shell.card(small)
    with Hub(small, fault) as hub:
        done = shell.run(hub, "download", "tiny", "--json")
    assert done.returncode == 3
    assert object_of(done)["error"]["code"] == code


def test_forbidden_by_the_settings_nothing_is_asked(shell: Shell, small: Stored) -> None:
    shell.card(small)
    settings.save(shell.data / "settings.json", Settings(network_allowed=False))
    with Hub(small) as hub:
        done = shell.run(hub, "download", "tiny", "--json")
        assert done.returncode == 3
        assert object_of(done)["error"]["code"] == "network_forbidden"
        assert hub.requests == []
