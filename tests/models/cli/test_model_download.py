"""`kotae models download`: what it prints, how it ends, and that it goes on where it stopped, as a process too."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest

from app.base import settings
from app.base.settings import Settings
from app.models import catalogue, hub_models
from app.models.cli import model_download
from app.models.download_queue import QueuedDownload, QueuedFile
from app.models.model_store import ModelStore
from tests import model_files as models
from tests.forked_program import Program
from tests.models.cli.conftest import Run, Said
from tests.models.downloads.hub import COMMIT, FILE, REPOSITORY, Content, Fault, Hub, Stored
from tests.models.downloads.shelf import gguf, put_card
from tests.models.test_catalogue_edition import edition, write_sum
from tests.waiting import wait_until

ROOT = Path(__file__).parents[3]
LIMIT_S = 90
SLOW = Fault("slow", bytes_per_s=12 << 20)
HOW_FAR = re.compile(r"\d+ %（.* GB、\d+\.\d MB/s、残り \d+ 秒）")
TOKEN = "hf_geheimgeheimgeheim"


class Shell:
    """`kotae models …` with a data folder of its own, and the hub as HF_ENDPOINT."""

    def __init__(self, folder: Path, run: Run) -> None:
        self._run = run
        self.data = folder / "データ"
        self.data.mkdir()
        self.models = self.data / "models"

    def run(self, hub: Hub | None, *arguments: str, **variables: str) -> Said:
        place = {"HF_ENDPOINT": hub.place} if hub else {}
        return self._run("models", *arguments, **(place | variables))

    def download(self, hub: Hub | None, *arguments: str, **variables: str) -> dict[str, Any]:
        """The model that has come."""
        said = self.run(hub, "download", "tiny", "--json", *arguments, **variables)
        assert said.status == 0, said.err
        return said.object

    def refusal(self, hub: Hub | None, *arguments: str, **variables: str) -> Said:
        said = self.run(hub, "download", *arguments, "--json", **variables)
        assert said.status == 3
        return said

    def start(self, hub: Hub, *arguments: str, **streams: Any) -> "subprocess.Popen[str]":
        """As a process of its own."""
        return Program(
            [sys.executable, "-m", "app", "models", "download", "tiny", *arguments],
            env=os.environ | {"KOTAE_DATA_DIR": str(self.data), "HF_ENDPOINT": hub.place},
            cwd=ROOT,
            encoding="utf-8",
            **streams,
        )

    def card(self, content: Content, **changes: str) -> None:
        put_card(self.data / "cards", content.size, **({"sha256": content.sha256()} | changes))

    def forbid_network(self) -> None:
        settings.save(self.data / "settings.json", Settings(network_allowed=False))

    def wait_for_bytes(self) -> None:
        """Until the mark of the only download says that enough is safe."""

        def received() -> int:
            try:
                mark = json.loads((self.models / f"{FILE}.part.json").read_text())
            except FileNotFoundError:
                return 0
            return sum(end - start for start, end in mark["ranges"])

        wait_until(lambda: received() > 8 << 20)


@pytest.fixture
def shell(tmp_path: Path, run: Run) -> Shell:
    return Shell(tmp_path, run)


def test_a_download_is_listed_afterwards_and_verifies(shell, small):
    shell.card(small)
    with Hub(small, Fault("redirect")) as hub:
        said = shell.run(hub, "download", "tiny", "--json")
    assert said.status == 0, said.err
    assert (said.object["id"], said.object["state"], said.object["sha256"]) == ("tiny", "done", [small.sha256()])
    assert said.object["path"] == str(shell.models / FILE)
    assert "apache-2.0" in said.err
    assert "出典を示してください" in said.err
    assert [model["id"] for model in shell.run(None, "list", "--json").object["models"]] == ["tiny"]
    verified = shell.run(None, "verify", "--json")
    assert (verified.status, verified.object["models"][0]["state"]) == (0, "sound")


def test_in_words_it_says_what_was_added(shell, small):
    shell.card(small, sha256="")
    with Hub(small) as hub:
        said = shell.run(hub, "download", "tiny", "--quant", "f32", "--lang", "en")
    assert said.status == 0, said.err
    assert "小さなモデル F32" in said.out
    assert "Name the source" in said.err


def test_a_terminal_sees_percent_speed_and_time_left(shell, large):
    shell.card(large)
    ours, theirs = pty.openpty()
    with Hub(large, SLOW) as hub:
        process = shell.start(hub, stdout=subprocess.PIPE, stderr=theirs)
        os.close(theirs)
        seen = b""
        while select.select([ours], [], [], LIMIT_S)[0]:
            try:
                seen += os.read(ours, 4096)
            except OSError:  # the other end was closed
                break
            if HOW_FAR.search(seen.decode(errors="ignore")):
                hub.change(bytes_per_s=0)
        os.close(ours)
        assert process.communicate(timeout=LIMIT_S)[0]
    assert process.returncode == 0
    assert any(HOW_FAR.search(line) for line in seen.decode().split("\r"))


@pytest.mark.fault("F1")
def test_interrupted_it_goes_on_with_the_same_command(shell, large):
    shell.card(large)
    with Hub(large, SLOW) as hub:
        process = shell.start(hub, "--json", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        shell.wait_for_bytes()
        process.send_signal(signal.SIGINT)
        out, told = process.communicate(timeout=LIMIT_S)
        assert process.returncode == 130
        assert "同じコマンドで続きから再開します。" in told
        assert "Traceback" not in told
        data = json.loads(out)
        assert (data["id"], data["state"]) == ("tiny", "paused")
        assert 8 << 20 < data["done_bytes"] < data["total_bytes"] == large.size
        hub.change(bytes_per_s=0)
        shell.download(hub)
        assert hub.sent_bytes - large.size < 2 << 20


def test_a_model_comes_from_a_stick_or_a_share_without_any_network(shell, small, tmp_path):
    shell.card(small)
    shell.forbid_network()
    renamed = gguf(tmp_path / "share").rename(tmp_path / "share" / "配布用.gguf")
    for place in (gguf(tmp_path / "USB メモリ").parent, renamed):
        model = shell.download(None, "--from", str(place))
        assert (model["sha256"], model["path"]) == ([small.sha256()], str(shell.models / FILE))
        (shell.models / FILE).unlink()


@pytest.mark.fault("S13")
def test_a_gated_model_is_explained_and_had_with_a_token_that_was_given_for_it(shell, small, tmp_path):
    shell.card(small)
    right, wrong = tmp_path / "token", tmp_path / "wrong"
    right.write_text(f"{TOKEN}\n")
    wrong.write_text("hf_wrong\n")
    with Hub(small, Fault("redirect", token=TOKEN)) as hub:
        for option, variables in (([], {}), ([], {"HF_TOKEN": TOKEN}), (["--token-file", str(wrong)], {})):
            said = shell.refusal(hub, "tiny", *option, **variables)
            assert said.code == "download_gated"
            assert f"{hub.place}/kotae/tiny-gguf" in said.object["error"]["next"]
            assert "--token-file" in said.object["error"]["next"]
            assert ("公式の Hugging Face にだけ" in said.err) == bool(variables)  # it is not for a mirror
            assert f"Bearer {TOKEN}" not in {request.headers.get("Authorization") for request in hub.requests}
            assert TOKEN not in said.out + said.err
        shell.download(hub, "--token-file", str(right))
        asked = {request.headers.get("Authorization") for request in hub.requests if request.host == "127.0.0.2"}
        assert asked == {None}
    assert not [path for path in shell.data.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]


@pytest.mark.parametrize(
    ("place", "token"),
    [("https://huggingface.co", TOKEN), ("https://huggingface.co/", TOKEN), ("http://huggingface.co", ""),
     ("https://mirror.example", ""), ("https://huggingface.co.example", ""),
     ("https://huggingface.co@evil.example", ""),
     ("https://huggingface.co:8443", ""), ("/media/stick", "")],
)  # fmt: skip
@pytest.mark.fault("S13")
def test_a_token_of_the_environment_is_for_the_official_hub(place, token, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert model_download.stored_hub_token(place) == token


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("nobody",), "download_unknown_card"),
        (("tiny", "--quant", "Q9"), "download_no_quant"),
        (("gemma-3-270m",), "download_trial"),
        (("multilingual-e5-small",), "download_trial"),
        (("tiny", "--from", "/nowhere/at/all"), "download_no_folder"),
        (("tiny", "--from", "/"), "download_not_in_folder"),
        (("tiny", "--from", "/nowhere.gguf"), "download_not_in_folder"),
        (("llama-3-swalow-8b",), "download_unknown_card_near"),
        (("tiny", "--from", "http://127.0.0.1:bad"), "download_bad_address"),
        (("tiny", "--token-file", "/nowhere"), "token_unreadable"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(shell, small, arguments, code):
    shell.card(small)
    said = shell.refusal(None, *arguments, HF_ENDPOINT="http://127.0.0.1:9")
    assert said.code == code
    assert "使用条件：" not in said.err  # nothing has come


def test_the_nearest_names_are_offered(shell, small):
    shell.card(small)
    said = shell.run(None, "download", "tini").err
    assert "近い名前は tiny です" in said
    assert "kotae models list --catalogue" in said
    assert "llama" not in said


# ------------------------------------------------------------------------------------------- any model of a hub

STATED = {"gated": False, "cardData": {"license": "mit"}, "gguf": {"total": 1_200_000_000, "architecture": "llama"}}


@pytest.mark.parametrize(
    "name",
    [
        REPOSITORY,
        f"{REPOSITORY}:Q8_0",
        f"{REPOSITORY}:tiny-Q8_0.gguf",
        f"hf.co/{REPOSITORY}:q8_0",
        f"https://huggingface.co/{REPOSITORY}",
        f"https://huggingface.co/{REPOSITORY}/resolve/main/tiny-Q8_0.gguf?download=true",
        f"https://huggingface.co/{REPOSITORY}?show_file_info=tiny-Q8_0.gguf",
        f"hf://{REPOSITORY}/tiny-Q8_0.gguf",
        f"{REPOSITORY}/tiny-Q8_0.gguf",
        f"{REPOSITORY} tiny-Q8_0.gguf --revision main",
        f"{REPOSITORY}@main --include *Q8_0*",
    ],
)
def test_a_model_is_named_as_people_name_it(shell, small, name):
    others = {"tiny-Q8_0.gguf": small, "mmproj-tiny-F16.gguf": Content(10), "tiny-Q2_K.gguf": Content(999_999)}
    with Hub(Content(5_000_000), others=others) as hub:
        hub.files.pop(FILE)
        hub.stated = STATED
        said = shell.run(hub, "download", *name.split(), "--json", *([] if "8" in name else ["--quant", "Q8_0"]))
    assert said.status == 0, said.err
    assert (said.object["sha256"], Path(said.object["path"]).name) == ([small.sha256()], "tiny-Q8_0.gguf")
    assert said.object["licence"] == "mit"
    assert "mit" in said.err


def test_the_part_that_reads_pictures_is_downloaded_beside_the_model(shell, small, tmp_path):
    part = Stored(models.projector(tmp_path / "mmproj.gguf"))
    with Hub(Content(10), others={"tiny-Q8_0.gguf": small, "mmproj-F16.gguf": part}) as hub:
        hub.files.pop(FILE)
        hub.stated = STATED
        said = shell.run(hub, "download", REPOSITORY, "--json")
    assert said.status == 0, said.err
    with closing(ModelStore.open(shell.data / "kotae.sqlite", shell.data / "backups")) as store:
        (model,) = store.local_models()
    assert Path(model.projector).parent == Path(model.path).parent
    assert Path(model.projector).read_bytes() == part.read(0, part.size)


@pytest.mark.parametrize("fault", [Fault("page"), Fault("status", times=1, status=404)])
@pytest.mark.parametrize("has_part", [True, False])
def test_a_mirror_that_lists_nothing_gives_the_files_that_the_card_names(shell, small, tmp_path, fault, has_part):
    part = Stored(models.projector(tmp_path / "mmproj.gguf"))
    put_card(shell.data / "cards", small.size, sha256=small.sha256())
    path = shell.data / "cards" / "tiny.toml"
    path.write_text(path.read_text("utf-8").replace("file =", 'projector = "mmproj-F16.gguf", file ='), "utf-8")
    with Hub(small, fault, others={"mmproj-F16.gguf": part} if has_part else {}) as hub:
        said = shell.run(hub, "download", "tiny", "--json")
    assert said.status == 0, said.err
    with closing(ModelStore.open(shell.data / "kotae.sqlite", shell.data / "backups")) as store:
        (model,) = store.local_models()
    assert bool(model.projector) is has_part


def test_a_repository_without_a_model_for_kotae_says_what_to_do(shell):
    with Hub(Content(10), others={"mmproj-F16.gguf": Content(10), "model.safetensors": Content(10)}) as hub:
        hub.files.pop(FILE)
        assert shell.refusal(hub, REPOSITORY).code == "hub_no_gguf"
        assert shell.refusal(hub, "kotae/nothing").code == "download_not_found"
        assert shell.refusal(hub, f"{REPOSITORY}:Q3_K_S").code == "hub_no_gguf"


def test_an_answer_without_an_end_is_no_hub(shell, small):
    with Hub(small) as hub:
        hub.stated = {"description": "x" * (17 << 20)}
        assert shell.refusal(hub, REPOSITORY).code == "download_no_hub"


def test_a_known_repository_is_the_catalogues(shell, small):
    """So that form, sampling and licence of its card count, and no listing is asked for."""
    shell.card(small)
    with Hub(small) as hub:
        said = shell.run(hub, "download", f"{REPOSITORY}:F32", "--json")
        assert said.status == 0, said.err
        assert not [one for one in hub.requests if one.path.startswith("/api/")]
    assert said.object["id"] == "tiny"


def test_another_revision_than_that_of_the_card_is_looked_up(shell, small):
    shell.card(small)
    with Hub(small) as hub:
        said = shell.run(hub, "download", "tiny", "--revision", "v2", "--json")
        assert said.status == 0, said.err
        assert [one.path for one in hub.requests if "/revision/v2" in one.path]


def test_each_repository_of_a_card_gives_its_own_file():
    card = catalogue.card("llama-3-elyza-jp-8b")
    repositories = {file.repository for file in card.files}
    assert len(repositories) == 2
    asked: Any = None  # the hub is not
    found = [model_download._find_file(one, None, None, asked) for one in repositories]
    assert {file.repository for _, file in found} == repositories
    assert all(known is card for known, _ in found)


@pytest.mark.parametrize("command", [("download", REPOSITORY), ("search", "tiny"), ("download", "tiny")])
def test_a_hub_is_left_alone_where_the_user_wants_it(shell, small, command):
    shell.card(small)
    with Hub(small) as hub:
        said = shell.run(hub, *command, "--json", HF_HUB_OFFLINE="1")
        assert (said.status, said.code) == (3, "hub_offline")
        shell.forbid_network()
        said = shell.run(hub, *command, "--json")
        assert (said.status, said.code) == (3, "network_forbidden")
        assert hub.requests == []


def test_a_search_shows_licence_size_and_fit(shell, small):
    with Hub(small, others={"tiny-Q4_K_M.gguf": small}) as hub:
        hub.stated = STATED | {"gated": "manual"}
        said = shell.run(hub, "search", "tiny", "--json")
        assert said.status == 0, said.err
        (found,) = said.object["models"]
        told = shell.run(hub, "search", "tiny").out
        assert shell.run(hub, "search", "nothing").status == 1
    assert (found["repository"], found["quantization"], found["licence"]) == (REPOSITORY, "Q4_K_M", "mit")
    assert (found["fit"], found["is_gated"]) == ("unmeasured", True)
    assert "利用申請が必要" in told
    assert "mit" in told


def test_a_gated_repository_is_looked_up_with_the_stored_token_only_at_its_own_hub(shell, small):
    with Hub(small, Fault(token=TOKEN)) as hub:
        said = shell.refusal(hub, REPOSITORY, HF_TOKEN=TOKEN)
        assert said.code == "download_gated"
        assert not any("Authorization" in request.headers for request in hub.requests)
        file = shell.data / "token"
        file.write_text(TOKEN)
        assert shell.run(hub, "download", REPOSITORY, "--token-file", str(file), "--json").status == 0


# ------------------------------------------------------------------------------------------- the catalogue's edition


def test_an_edition_is_brought_in_from_an_address_and_taken_back(shell, tmp_path):
    path = edition(tmp_path / "served").rename(tmp_path / "served" / "edition-99.toml")
    write_sum(path)
    with Hub(Content(9)) as hub:
        hub.files = {name: Stored(path.with_name(name)) for name in (path.name, "SHA256SUMS")}
        hub.hashes = {name: content.sha256() for name, content in hub.files.items()}
        address = f"{hub.place}/{REPOSITORY}/resolve/{COMMIT}/{path.name}?from=a/b"
        said = shell.run(None, "catalogue", "--from", address, "--json")
        assert said.status == 0, said.err
        assert (said.object["date"], said.object["is_own"]) == ("2027-03-01", False)
        shell.forbid_network()
        assert shell.run(None, "catalogue", "--from", address, "--json").code == "network_forbidden"
    assert "2027-03-01" in shell.run(None, "catalogue").out
    assert shell.run(None, "catalogue", "--reset", "--json").object["is_own"]
    assert shell.run(None, "catalogue", "--from", str(path), "--json").object["version"] == 99


def test_a_shared_download_is_found_by_the_hubs_own_library(shell, small, tmp_path, monkeypatch):
    cache = tmp_path / "cache" / "hub"
    with Hub(small) as hub:
        said = shell.run(hub, "download", REPOSITORY, "--share", "--json", HF_HUB_CACHE=str(cache))
    assert said.status == 0, said.err
    found = huggingface_hub.try_to_load_from_cache(REPOSITORY, FILE, cache_dir=cache)
    assert found is not None
    assert Path(str(found)).samefile(said.object["path"])
    assert COMMIT in str(found)
    path = Path(said.object["path"])
    monkeypatch.setenv("HF_HUB_CACHE", str(cache))
    for place, sha256 in (("https://example.com/x.gguf", "1" * 64), ("", "")):  # another name there, or not compared
        file = QueuedFile(path.name, place or FILE, sha256=sha256)
        hub_models.share_in_cache(
            QueuedDownload("1", "x", "X", "", place, REPOSITORY, "0" * 40, 1, (file,)), path.parent
        )
    assert not list(cache.rglob("0" * 40))
    with Hub(small) as hub:  # and once more, with what is there already
        assert shell.run(hub, "download", REPOSITORY, "--share", "--json", HF_HUB_CACHE=str(cache)).status == 0


@pytest.mark.parametrize("is_trusted", [False, True])
def test_a_template_inside_the_file_is_used_where_it_is_trusted(shell, tmp_path, is_trusted):
    path = models.tiny_llama(
        tmp_path / "own.gguf", chat_template="{% for m in messages %}<<{{ m.content }}>>{% endfor %}"
    )
    with Hub(Stored(path)) as hub:
        said = shell.run(hub, "download", REPOSITORY, "--json", *(["--trust-template"] if is_trusted else []))
    assert said.status == 0, said.err
    assert ("--trust-template" in said.err) != is_trusted
    with closing(ModelStore.open(shell.data / "kotae.sqlite", shell.data / "backups")) as store:
        (model,) = store.local_models()
    assert model.template_allowed == is_trusted
