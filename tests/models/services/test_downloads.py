"""Downloads as the window asks for them: the real child, a hub on this machine, and everything that gets in the way."""

import dataclasses
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from pytestqt.qtbot import QtBot

from app.base import programs
from app.base.paths import Paths
from app.base.services import background
from app.base.services.preferences import Preferences
from app.base.settings import Settings
from app.base.wording import describe_error
from app.chat.store import Store
from app.inference.local_model import LocalModel
from app.models import catalogue, download_queue, verification
from app.models.catalogue import ModelCard
from app.models.services.downloads import Download, Downloads
from app.models.services.hub_search import HubCredentials
from app.models.services.model_library import ModelLibrary
from tests.models.downloads.hub import FILE, Fault, Hub
from tests.models.downloads.shelf import gguf, put_card, split_gguf

ROOT = Path(__file__).parents[3]
LIMIT_MS = 60_000
SLOW = Fault("slow", bytes_per_s=12 << 20)
TOKEN = "hf_geheimgeheimgeheim"
MIB = 1 << 20


class Desk:
    """A library, its settings, and downloads into it."""

    def __init__(self, store: Store, where: Paths, qtbot: QtBot) -> None:
        self.where, self.qtbot, self._store = where, qtbot, store
        self.queue = where.data / "downloads.json"
        self._made: list[Downloads] = []
        self.open()

    def open(self) -> None:
        self.library = ModelLibrary(self._store, self.where.models)
        self.preferences = Preferences(self.where.settings)
        command = programs.downloader_command()
        log = self.where.logs / "download.log"
        self.downloads = Downloads(self.library, self.preferences, command, log, self.queue)
        self._made.append(self.downloads)

    def reopen(self) -> None:
        """As the program's next start does."""
        self.downloads.close()
        self.open()

    def close(self) -> None:
        for downloads in self._made:
            downloads.close()
        background.shut_down()

    def card(self, hub: Hub, file: str = FILE, **changes: str) -> ModelCard:
        """Returns a card of the hub's file; the settings name the hub as a mirror."""
        self.preferences.change(hub_endpoint=hub.place)
        pinned = {"sha256": hub.hashes.get(file, "")} | changes
        return put_card(self.where.cards, hub.files[file].size, **pinned, file=file)

    def begin(self, card: ModelCard, place: str = "") -> None:
        self.downloads.start(card, card.files[0], place)

    def fetch(self, card: ModelCard, place: str = "") -> LocalModel:
        with self.qtbot.waitSignal(self.downloads.finished, timeout=LIMIT_MS) as told:
            self.begin(card, place)
        return told.args[0]

    def receive(self, hub: Hub, mib: int) -> None:
        """Begins the download of the hub's file, and waits until so much is here."""
        self.begin(self.card(hub))
        self.wait(lambda: self.only().done_bytes >= mib * MIB)

    def resume(self, hub: Hub) -> LocalModel:
        """The only download, from now on as fast as the hub can."""
        hub.change(bytes_per_s=0)
        with self.qtbot.waitSignal(self.downloads.finished, timeout=LIMIT_MS) as told:
            self.downloads.resume(self.only().id)
        return told.args[0]

    def only(self) -> Download:
        (item,) = self.downloads.items()
        return item

    def states(self) -> list[tuple[str, str]]:
        return [(item.card_id, item.state) for item in self.downloads.items()]

    def wait(self, is_so: Callable[[], object]) -> None:
        self.qtbot.waitUntil(lambda: bool(is_so()), timeout=LIMIT_MS)

    def finish(self) -> LocalModel:
        with self.qtbot.waitSignal(self.downloads.finished, timeout=LIMIT_MS) as told:
            pass
        return told.args[0]

    def failure(self, begin: Callable[[], object]) -> tuple[str, dict[str, object]]:
        """Returns code and facts of how the only download fails."""
        with self.qtbot.waitSignal(self.downloads.failed, timeout=LIMIT_MS) as told:
            begin()
        download: Download = told.args[0]
        assert download.problem is not None
        assert download.id == self.only().id
        return download.problem.code, download.problem.facts


@pytest.fixture
def desk(store: Store, where: Paths, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    desk = Desk(store, where, qtbot)
    yield desk
    desk.close()
    catalogue.set_user_cards_folder(where.data / "absent")


def authorizations(hub: Hub) -> set[str | None]:
    return {request.headers.get("Authorization") for request in hub.requests}


# ---------------------------------------------------------------------------------------------- one model


def test_a_finished_model_is_in_the_library_with_its_card_and_checksum(desk, small):
    with Hub(small) as hub:
        model = desk.fetch(desk.card(hub))
    assert (model.card_id, model.form_id, model.name) == ("tiny", "llama3", "小さなモデル F32")
    assert [mark.sha256 for mark in model.files] == [hub.sha256]
    assert desk.library.models() == [model]
    assert verification.verify_model(model).state == "sound"
    assert desk.downloads.items() == []
    assert [path.name for path in desk.where.models.iterdir()] == [FILE]


def test_what_nobody_has_pinned_is_asked_of_the_repository(desk, small):
    with Hub(small) as hub:
        assert desk.fetch(desk.card(hub, sha256="")).files[0].sha256 == hub.sha256
        assert hub.requests[0].path.startswith("/api/models/")


def test_the_parts_of_a_split_model_are_one_download(desk, small, tmp_path):
    parts = split_gguf(tmp_path / "split")
    assert len(parts) > 2
    with Hub(small, others=parts) as hub:
        model = desk.fetch(desk.card(hub, next(iter(parts)), sha256=""))
    assert [(mark.name, mark.sha256) for mark in model.files] == [(name, hub.hashes[name]) for name in parts]


def test_it_is_told_how_far_it_is_how_fast_how_long_still_and_who_was_spoken_to(desk, large):
    told: list[Download] = []
    desk.downloads.progressed.connect(told.append)
    assert (desk.downloads.network_task_count, desk.downloads.child_pid) == (0, 0)
    with Hub(large, Fault("redirect", bytes_per_s=12 * MIB)) as hub:
        desk.begin(desk.card(hub))
        desk.wait(lambda: any(download.seconds_left for download in told))
        assert desk.downloads.network_task_count == 1
        hub.change(bytes_per_s=0)
        desk.finish()
    done = [download.done_bytes for download in told]
    assert done == sorted(done)
    assert {download.total_bytes for download in told} == {large.size}
    assert max(download.bytes_per_s for download in told) > MIB
    contacts = [(contact.host, contact.title) for contact in desk.downloads.contacts()]
    assert contacts == [("127.0.0.1", "小さなモデル の取得"), ("127.0.0.2", "小さなモデル の取得")]
    assert desk.downloads.network_task_count == 0
    desk.wait(lambda: desk.downloads.child_pid == 0)  # nothing is left that could use the network


@pytest.mark.fault("F1")
def test_what_failed_without_network_goes_on_from_a_folder(desk, small, tmp_path):
    stick = gguf(tmp_path / "USB メモリ")
    card = put_card(desk.where.cards, small.size, sha256=small.sha256())
    desk.preferences.change(network_allowed=False)
    desk.failure(lambda: desk.begin(card))
    failed = desk.only()
    desk.begin(card, str(stick.parent))
    assert (desk.only().id, desk.only().state, desk.only().source) == (failed.id, "running", str(stick.parent))
    assert desk.finish().files[0].sha256 == small.sha256()
    assert desk.downloads.contacts() == []


def test_a_file_has_an_address_of_its_own(desk, small):
    with Hub(small) as hub:
        card = desk.card(hub)
        desk.preferences.change(hub_endpoint="http://127.0.0.1:9")
        assert desk.fetch(card, f"{hub.storage}/blob/{FILE}").files[0].sha256 == hub.sha256


def test_a_file_that_was_here_stays_when_the_download_is_cancelled(desk, small, tmp_path):
    parts = split_gguf(tmp_path / "split")
    mine, fetched, missing = [desk.where.models / name for name in list(parts)[:3]]
    shutil.copy(tmp_path / "split" / mine.name, mine)
    stick = tmp_path / "stick"  # of a folder nothing is listed: the part that is missing there is found out last
    stick.mkdir()
    for path in (mine, fetched):
        shutil.copy(tmp_path / "split" / path.name, stick)
    content = parts[mine.name]
    card = put_card(desk.where.cards, content.size, sha256=content.sha256(), file=mine.name)
    assert desk.failure(lambda: desk.begin(card, str(stick)))[0] == "download_not_in_folder"
    assert fetched.exists()
    desk.downloads.cancel(desk.only().id)
    desk.downloads.discard_cancelled()
    assert [path.exists() for path in (mine, fetched, missing)] == [True, False, False]


# ---------------------------------------------------------------------------------------------- the queue


def test_they_come_one_at_a_time_in_an_order_that_can_be_changed(desk, large, small):
    others = {f"{name}.gguf": small for name in ("b", "c", "d")}
    order: list[str | None] = []
    desk.downloads.finished.connect(lambda model: order.append(model.card_id))
    with Hub(large, SLOW, others) as hub:
        desk.begin(desk.card(hub))
        for file in others:
            desk.begin(desk.card(hub, file, card_id=file[0]))
        assert desk.states() == [("tiny", "running"), ("b", "waiting"), ("c", "waiting"), ("d", "waiting")]
        last = desk.downloads.find("d", "F32")
        desk.downloads.move(last.id, 1)
        assert [card for card, _ in desk.states()] == ["tiny", "d", "b", "c"]
        hub.change(bytes_per_s=0)
        desk.wait(lambda: len(order) == 4)
    assert order == ["tiny", "d", "b", "c"]


def test_a_paused_download_lets_the_next_go_first(desk, large, small):
    with Hub(large, SLOW, {"b.gguf": small}) as hub:
        desk.receive(hub, 1)
        desk.begin(desk.card(hub, "b.gguf", card_id="b"))
        desk.downloads.pause(desk.downloads.items()[0].id)
        assert desk.states()[0] == ("tiny", "paused")
        assert desk.finish().card_id == "b"
        assert desk.resume(hub).card_id == "tiny"
        assert hub.sent_bytes < large.size + small.size + 2 * MIB


def test_paused_and_gone_on_at_once_is_not_begun_twice(desk, large):
    with Hub(large, SLOW) as hub:
        desk.receive(hub, 1)
        item = desk.only()
        desk.downloads.pause(item.id)
        desk.downloads.resume(item.id)
        desk.receive(hub, 4)  # the same model once more
        hub.change(bytes_per_s=0)
        desk.finish()
        assert hub.sent_bytes < large.size + 2 * MIB


def test_a_listing_that_takes_long_is_paused_at_once(desk, small):
    with Hub(small, Fault("status", status=500)) as hub:
        desk.begin(desk.card(hub, sha256=""))
        desk.downloads.pause(desk.only().id)
        assert desk.only().state == "paused"
        hub.change(kind="ok")
        desk.resume(hub)


def test_a_cancelled_download_can_be_had_back_until_it_is_discarded(desk, large):
    with Hub(large, SLOW) as hub:
        desk.receive(hub, 2)
        item = desk.only()
        desk.downloads.cancel(item.id)
        assert desk.downloads.items() == []
        desk.wait(lambda: desk.downloads.network_task_count == 0)
        desk.downloads.undo_cancel(item.id)
        assert desk.only().state == "paused"
        assert desk.only().done_bytes > MIB
        desk.downloads.cancel(item.id)
        desk.downloads.discard_cancelled()
        assert list(desk.where.models.iterdir()) == []
        desk.downloads.undo_cancel(item.id)
        assert desk.downloads.items() == []


def test_the_limit_can_be_changed_while_it_runs(desk, large):
    desk.preferences.change(download_limit_bytes_per_s=MIB)
    with Hub(large) as hub:
        desk.begin(desk.card(hub))
        desk.wait(lambda: desk.only().bytes_per_s > 0)
        assert desk.only().done_bytes < large.size // 2
        desk.preferences.change(download_limit_bytes_per_s=0)
        desk.finish()
    assert Preferences(desk.where.settings).value.download_limit_bytes_per_s == 0


# ---------------------------------------------------------------------------------------------- ends of programs


@pytest.mark.parametrize("is_queue_lost", [False, True])
@pytest.mark.fault("F1")
def test_closed_and_opened_again_it_waits_and_goes_on_where_it_was(desk, large, is_queue_lost):
    with Hub(large, SLOW) as hub:
        desk.receive(hub, 4)
        desk.downloads.close()
        if is_queue_lost:
            desk.queue.write_bytes(b"\0" * 400)
        desk.open()
        assert desk.states() == [("tiny", "paused")]
        assert desk.only().done_bytes >= 4 * MIB
        assert desk.downloads.child_pid == 0
        assert desk.resume(hub).files[0].sha256 == hub.sha256
        assert hub.sent_bytes < large.size + 2 * MIB


@pytest.mark.fault("F1")
def test_a_killed_child_comes_back_once_and_then_says_why_it_stopped(desk, large):
    with Hub(large, SLOW) as hub:
        desk.receive(hub, 4)
        first = desk.downloads.child_pid
        os.kill(first, signal.SIGKILL)
        desk.wait(lambda: desk.downloads.child_pid not in (0, first) and desk.only().bytes_per_s > 0)
        failure = desk.failure(lambda: os.kill(desk.downloads.child_pid, signal.SIGKILL))
        assert failure == ("download_crashed", {"detail": "SIGKILL"})
        assert desk.states() == [("tiny", "failed")]
        assert desk.only().done_bytes >= 3 * MIB
        desk.reopen()
        assert desk.only().problem is not None
        assert desk.resume(hub).files[0].sha256 == hub.sha256
        assert hub.sent_bytes < large.size + 4 * MIB


_HOLDER = """
import sys
from pathlib import Path
from PySide6.QtCore import QCoreApplication
from app.base import programs as children
from app.base import paths
from app.models import catalogue
from app.chat.store import Store
from app.models.services.downloads import Downloads
from app.models.services.model_library import ModelLibrary
from app.base.services.preferences import Preferences

app = QCoreApplication([])
where = paths.locate(sys.argv[1])
catalogue.set_user_cards_folder(where.cards)
store = Store.open(where.database, where.backups)
downloads = Downloads(ModelLibrary(store, where.models), Preferences(where.settings), children.downloader_command(),
                      where.logs / "download.log", where.data / "downloads.json")
card = catalogue.card("tiny")
downloads.progressed.connect(lambda item: print(item.done_bytes, downloads.child_pid, flush=True))
downloads.start(card, card.files[0])
app.exec()
"""


@pytest.mark.fault("F1")
def test_a_killed_window_leaves_no_child_and_its_download_is_found_again(desk, large):
    with Hub(large, SLOW) as hub:
        desk.card(hub)
        desk.downloads.close()
        holder = subprocess.Popen(
            [sys.executable, "-c", _HOLDER, str(desk.where.data)], stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        assert holder.stdout is not None
        with holder.stdout:
            done, child = next(
                (int(line.split()[0]), int(line.split()[1])) for line in holder.stdout if int(line.split()[0]) > 4 * MIB
            )
            worker = psutil.Process(child)
            holder.kill()
            holder.wait()
        worker.wait(60)
        assert json.loads(desk.queue.read_text())["downloads"][0]["state"] == "running"
        desk.open()
        assert desk.only().state == "paused"
        assert desk.only().done_bytes >= done - large.size // 100
        assert desk.resume(hub).files[0].sha256 == hub.sha256
        assert hub.sent_bytes - large.size < 2 * MIB  # of 37 MB, and what was on its way


# ---------------------------------------------------------------------------------------------- what gets in the way


def test_without_permission_no_process_is_started_and_taken_back_it_ends_what_runs(desk, large):
    with Hub(large, SLOW) as hub:
        card = desk.card(hub)
        desk.preferences.change(network_allowed=False)
        assert desk.failure(lambda: desk.begin(card))[0] == "network_forbidden"
        assert desk.downloads.child_pid == 0
        assert hub.requests == []
        desk.preferences.change(network_allowed=True)
        desk.downloads.resume(desk.only().id)
        desk.wait(lambda: desk.only().done_bytes > MIB)
        assert desk.failure(lambda: desk.preferences.change(network_allowed=False))[0] == "network_forbidden"
        assert desk.downloads.child_pid == 0


@pytest.mark.fault("F2")
def test_a_disk_without_room_is_said_before_anybody_is_asked_and_it_goes_on_where_there_is_room(
    desk, large, small_disk
):
    before = desk.library.folder
    desk.library.folder = small_disk(40)
    with Hub(large) as hub:
        card = desk.card(hub)
        code, facts = desk.failure(lambda: desk.begin(card))
        assert code == "download_disk_full"
        assert 0 < facts["free_bytes"] < facts["need_bytes"]
        assert facts["need_bytes"] == large.size
        assert hub.requests == []
        desk.library.folder = before
        assert Path(desk.resume(hub).path).parent == before


def test_parts_stay_where_they_are_when_models_go_elsewhere(desk, large, tmp_path):
    before = desk.library.folder
    with Hub(large, SLOW) as hub:
        desk.receive(hub, 4)
        desk.downloads.pause(desk.only().id)
        desk.wait(lambda: not desk.downloads.is_working)
        (tmp_path / "new").mkdir()
        desk.library.folder = tmp_path / "new"
        assert Path(desk.resume(hub).path).parent == before
        assert hub.sent_bytes < large.size + 2 * MIB


@pytest.mark.fault("F2")
def test_parts_on_a_disk_that_others_fill_are_given_up_for_another(desk, large, small_disk):
    disk = desk.library.folder = small_disk(90)
    with Hub(large, SLOW) as hub:
        desk.receive(hub, 4)
        with (disk / "other").open("wb") as other:
            left = shutil.disk_usage(disk).free - 8 * MIB
            assert desk.failure(lambda: os.posix_fallocate(other.fileno(), 0, left))[0] == "download_disk_full"
        desk.library.folder = desk.where.models
        assert Path(desk.resume(hub).path).parent == desk.where.models
    assert [path.name for path in disk.iterdir()] == ["other"]


@pytest.mark.parametrize(
    "content", [b"<!DOCTYPE html><html><body>Sign in</body></html>", b"GGUF\x03\0\0\0" + bytes(40), b""]
)
@pytest.mark.fault("F1")
def test_what_is_no_model_is_not_added_and_does_not_stay(desk, tmp_path, content):
    stick = tmp_path / "stick"
    stick.mkdir()
    (stick / FILE).write_bytes(content)
    whole = gguf(tmp_path / "whole")
    card = put_card(desk.where.cards, whole.stat().st_size)
    assert desk.failure(lambda: desk.begin(card, str(stick)))[0] == "download_no_model"
    assert FILE in describe_error(desk.only().problem).message
    assert list(desk.where.models.iterdir()) == []
    assert desk.library.models() == []
    assert (stick / FILE).read_bytes() == content
    shutil.copy(whole, stick / FILE)
    desk.downloads.resume(desk.only().id)
    assert desk.finish().card_id == "tiny"


@pytest.mark.parametrize("was_here", [False, True])
@pytest.mark.fault("F1")
def test_another_model_under_the_name_of_a_card_without_a_checksum_is_not_taken(desk, small, *, was_here):
    """Of the same size, but not of the card's dimensions. What was fetched is deleted; the user's own file is not."""
    with Hub(small) as hub:
        desk.card(hub, sha256="")
        with (desk.where.cards / "tiny.toml").open("a", encoding="utf-8") as file:
            file.write('shape = "llama-3-swallow-8b-instruct-v0.1"\n')
        catalogue.set_user_cards_folder(desk.where.cards)
        card = catalogue.card("tiny")
        assert card is not None
        target = desk.where.models / FILE
        if was_here:
            target.write_bytes(small.read(0, small.size))
        code, _facts = desk.failure(lambda: desk.begin(card))
        assert code == ("download_other_model_here" if was_here else "download_other_model")
        assert FILE in describe_error(desk.only().problem).message
        assert desk.library.models() == []
        assert [path.name for path in desk.where.models.iterdir()] == ([FILE] if was_here else [])
        assert desk.only().done_bytes == (small.size if was_here else 0)
        before = hub.sent_bytes
        desk.failure(lambda: desk.downloads.resume(desk.only().id))
        assert (hub.sent_bytes > before + 1000) != was_here  # another try fetches it anew


@pytest.mark.fault("F1")
def test_a_cut_is_told_while_it_is_tried_again(desk, large):
    troubles: list[str] = []
    desk.downloads.progressed.connect(lambda item: troubles.append(item.problem.code if item.problem else ""))
    with Hub(large, dataclasses.replace(SLOW, kind="cut", times=1, at=100_000)) as hub:
        desk.begin(desk.card(hub))
        desk.wait(lambda: "download_cut" in troubles and troubles[-1] == "")
        hub.change(kind="ok", bytes_per_s=0)
        desk.finish()
    assert troubles[-1] == ""


# ---------------------------------------------------------------------------------------------- secrets


@pytest.mark.fault("S13")
def test_a_gated_model_is_explained_and_had_with_a_token_that_is_written_nowhere(desk, small):
    with Hub(small, Fault("redirect", token=TOKEN)) as hub:
        assert desk.failure(lambda: desk.begin(desk.card(hub, sha256="")))[0] == "download_gated"
        desk.downloads.set_token(TOKEN)
        desk.resume(hub)
        got = {(request.host, request.headers.get("Authorization")) for request in hub.requests}
        assert got == {("127.0.0.1", None), ("127.0.0.1", f"Bearer {TOKEN}"), ("127.0.0.2", None)}
    files = [path for path in desk.where.data.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if TOKEN.encode() in path.read_bytes()]


@pytest.mark.fault("S13")
def test_a_token_goes_to_the_place_for_which_it_was_given_and_to_no_other(desk, small):
    with Hub(small) as hub:
        desk.downloads.set_token(TOKEN)  # for the hub itself
        desk.fetch(desk.card(hub))  # the settings name a mirror from now on
        desk.library.remove(desk.library.models()[0].id)
        (desk.where.models / FILE).unlink()
        card = desk.card(hub)
        desk.downloads.set_token(TOKEN)  # for the mirror
        desk.fetch(card, f"{hub.storage}/blob/{FILE}")
        assert authorizations(hub) == {None}


@pytest.mark.fault("S13")
def test_a_download_from_a_mirror_gets_the_token_for_that_mirror(desk, small):
    with Hub(small, Fault(token=TOKEN)) as hub:
        card = desk.card(hub)
        desk.preferences.change(hub_endpoint="http://127.0.0.1:9")
        desk.failure(lambda: desk.begin(card, hub.place))
        desk.downloads.sign_in(desk.only().id, TOKEN)
        desk.finish()


@pytest.mark.fault("S13")
def test_a_token_is_for_one_scheme_host_and_port():
    secrets, none = HubCredentials(), Settings()
    secrets.set_token(TOKEN, "https://hub.example")
    assert secrets.access("https://me@hub.example:443/path", none).token == TOKEN
    for other in ("http://hub.example", "https://hub.example:8443", "https://b.example", "/hub.example", "http://["):
        assert secrets.access(other, none).token == ""
    secrets.set_token(TOKEN, "/a/folder")
    assert secrets.access("/a/folder", none).token == ""


@pytest.mark.fault("S13")
def test_a_proxy_gets_its_password_and_no_file_does(desk, small):
    with Hub(small, Fault(proxy_authorization="Basic dXNlcjpwYTpzcw==")) as hub:  # user:pa:ss
        card = desk.card(hub)
        desk.preferences.change(hub_endpoint="http://hub.invalid", proxy=hub.place)
        assert desk.failure(lambda: desk.begin(card))[0] == "download_proxy"
        desk.downloads.set_proxy_login("user", "pa:ss")
        assert hashlib.sha256(Path(desk.resume(hub).path).read_bytes()).hexdigest() == hub.sha256
    assert "pa:ss" not in desk.where.settings.read_text() + desk.queue.read_text()


@pytest.mark.fault("S13")
def test_an_address_is_remembered_without_its_keys(desk, large):
    with Hub(large, SLOW) as hub:
        address = f"{hub.storage}/blob/{FILE}?signature=geheim".replace("//", f"//me:{TOKEN}@")
        desk.begin(desk.card(hub), address)
        desk.wait(lambda: desk.only().done_bytes > MIB)
        desk.downloads.close()
    assert "geheim" not in desk.queue.read_text()
    assert download_queue.load_queue(desk.queue)[0].place == f"{hub.storage}/blob/{FILE}"
