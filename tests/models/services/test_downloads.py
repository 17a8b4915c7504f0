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
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.services import background
from app.base.services.preferences import Preferences
from app.base.settings import Settings
from app.base.wording import describe_error
from app.chat.store import Store
from app.inference.local_model import LocalModel
from app.models import catalogue, download_queue, verification
from app.models.catalogue import ModelCard
from app.models.download_queue import QueuedDownload, QueuedFile
from app.models.services.downloads import Download, Downloads, HubCredentials
from app.models.services.model_library import ModelLibrary
from tests.models.downloads.hub import COMMIT, FILE, Content, Fault, Hub, Stored
from tests.models.downloads.shelf import LARGE, gguf, put_card, split_gguf

ROOT = Path(__file__).parents[3]
LIMIT_MS = 60_000
SLOW = Fault("slow", bytes_per_s=12 << 20)
TOKEN = "hf_geheimgeheimgeheim"


class Desk:
    """A library, its settings, and downloads into it. `again` is the program's next start."""

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

    def again(self) -> None:
        self.downloads.close()
        self.open()

    def close(self) -> None:
        for downloads in self._made:
            downloads.close()
        background.shut_down()

    def only(self) -> Download:
        (item,) = self.downloads.items()
        return item

    def wait(self, is_so: Callable[[], object]) -> None:
        self.qtbot.waitUntil(lambda: bool(is_so()), timeout=LIMIT_MS)

    def wait_for_bytes(self, count: int) -> None:
        self.wait(lambda: self.only().done_bytes >= count)

    def finish(self) -> LocalModel:
        with self.qtbot.waitSignal(self.downloads.finished, timeout=LIMIT_MS) as signal:
            pass
        model: LocalModel = signal.args[0]
        return model

    def failure(self, begin: Callable[[], object]) -> Download:
        with self.qtbot.waitSignal(self.downloads.failed, timeout=LIMIT_MS) as signal:
            begin()
        download: Download = signal.args[0]
        return download


@pytest.fixture
def desk(store: Store, where: Paths, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    desk = Desk(store, where, qtbot)
    yield desk
    desk.close()
    catalogue.use_own_cards(where.data / "absent")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Stored:
    return Stored(gguf(tmp_path_factory.mktemp("small")))


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Stored:
    return Stored(gguf(tmp_path_factory.mktemp("large"), LARGE))


def card_of(desk: Desk, hub: Hub, **changes: str) -> ModelCard:
    """A card of the hub's file; the settings name the hub as a mirror."""
    desk.preferences.change(hub_endpoint=hub.place)
    file = changes.pop("file", FILE)
    return put_card(desk.where.cards, hub.files[file].size, **({"sha256": hub.hashes[file]} | changes), file=file)


def begin(desk: Desk, card: ModelCard, place: str = "") -> None:
    desk.downloads.start(card, card.files[0], place)


# ---------------------------------------------------------------------------------------------- one model


def test_a_finished_model_is_in_the_library_with_its_card_and_checksum(desk: Desk, small: Stored) -> None:
    with Hub(small) as hub:
        begin(desk, card_of(desk, hub))
        model = desk.finish()
    assert (model.card_id, model.form_id, model.name) == ("tiny", "llama3", "小さなモデル F32")
    assert [mark.sha256 for mark in model.files] == [hub.sha256]
    assert desk.library.models() == [model]
    assert verification.verify_model(model).state == "sound"
    assert desk.downloads.items() == []
    assert [path.name for path in desk.where.models.iterdir()] == [FILE]


def test_what_nobody_has_pinned_is_asked_of_the_repository(desk: Desk, small: Stored) -> None:
    with Hub(small) as hub:
        begin(desk, card_of(desk, hub, sha256=""))
        assert desk.finish().files[0].sha256 == hub.sha256
        assert hub.requests[0].path.startswith("/api/models/")


def test_the_parts_of_a_split_model_are_one_download(desk: Desk, small: Stored, tmp_path: Path) -> None:
    parts = split_gguf(tmp_path / "split")
    assert len(parts) > 2
    with Hub(small, others=parts) as hub:
        begin(desk, card_of(desk, hub, sha256="", file=next(iter(parts))))
        model = desk.finish()
    assert [mark.name for mark in model.files] == list(parts)
    assert [mark.sha256 for mark in model.files] == [hub.hashes[name] for name in parts]


def test_progress_says_how_much_how_fast_and_how_long_still(desk: Desk, large: Stored) -> None:
    told: list[Download] = []
    desk.downloads.progressed.connect(told.append)
    with Hub(large, SLOW) as hub:
        begin(desk, card_of(desk, hub))
        desk.wait(lambda: any(download.seconds_left for download in told))
        hub.change(bytes_per_s=0)
        desk.finish()
    done = [download.done_bytes for download in told]
    assert done == sorted(done)
    assert {download.total_bytes for download in told} == {large.size}
    assert max(download.bytes_per_s for download in told) > 1 << 20
    assert any(download.seconds_left for download in told)


def test_the_window_can_say_who_was_spoken_to_and_when(desk: Desk, large: Stored) -> None:
    assert desk.downloads.online_count == 0
    assert desk.downloads.child_pid == 0
    with Hub(large, Fault("redirect", bytes_per_s=12 << 20)) as hub:
        begin(desk, card_of(desk, hub))
        desk.wait_for_bytes(1 << 20)
        assert desk.downloads.online_count == 1
        hub.change(bytes_per_s=0)
        desk.finish()
    assert [contact.host for contact in desk.downloads.contacts()] == ["127.0.0.1", "127.0.0.2"]
    assert {contact.title for contact in desk.downloads.contacts()} == {"小さなモデル"}
    assert desk.downloads.online_count == 0
    desk.wait(lambda: desk.downloads.child_pid == 0)  # nothing is left that could use the network


def test_a_model_from_a_folder_needs_no_network(desk: Desk, small: Stored, tmp_path: Path) -> None:
    stick = gguf(tmp_path / "USB メモリ")
    card = put_card(desk.where.cards, small.size, sha256=small.sha256())
    desk.preferences.change(network_allowed=False)
    begin(desk, card, str(stick.parent))
    assert desk.finish().files[0].sha256 == small.sha256()
    assert desk.downloads.contacts() == []


@pytest.mark.fault("F1")
def test_what_failed_at_one_place_goes_on_from_another(desk: Desk, small: Stored, tmp_path: Path) -> None:
    stick = gguf(tmp_path / "USB メモリ")
    card = put_card(desk.where.cards, small.size, sha256=small.sha256())
    desk.preferences.change(network_allowed=False)
    failed = desk.failure(lambda: begin(desk, card))
    begin(desk, card, str(stick.parent))
    assert [(item.id, item.state, item.place) for item in desk.downloads.items()] == [
        (failed.id, "running", str(stick.parent))
    ]
    desk.finish()


def test_a_file_has_an_address_of_its_own(desk: Desk, small: Stored) -> None:
    with Hub(small) as hub:
        card = card_of(desk, hub)
        desk.preferences.change(hub_endpoint="http://127.0.0.1:9")
        begin(desk, card, f"{hub.storage}/blob/{FILE}")
        assert desk.finish().files[0].sha256 == hub.sha256


def test_a_model_that_is_here_already_is_not_sent_again(desk: Desk, small: Stored, tmp_path: Path) -> None:
    shutil.copy(gguf(tmp_path / "elsewhere"), desk.where.models / FILE)
    with Hub(small) as hub:
        begin(desk, card_of(desk, hub))
        assert desk.finish().path == str(desk.where.models / FILE)
        assert hub.sent_bytes <= 1


def test_a_file_that_was_here_stays_when_the_download_is_cancelled(desk: Desk, small: Stored, tmp_path: Path) -> None:
    parts = split_gguf(tmp_path / "split")
    mine, fetched, missing = [desk.where.models / name for name in list(parts)[:3]]
    shutil.copy(tmp_path / "split" / mine.name, mine)
    with Hub(small, others={name: parts[name] for name in list(parts)[:2]}) as hub:
        # From a folder nothing is listed: the part that is missing there is found out last.
        stick = tmp_path / "stick"
        stick.mkdir()
        for path in (mine, fetched):
            shutil.copy(tmp_path / "split" / path.name, stick)
        failed = desk.failure(lambda: begin(desk, card_of(desk, hub, file=mine.name), str(stick)))
    assert failed.problem is not None
    assert failed.problem.code == "download_not_in_folder"
    assert fetched.exists()
    desk.downloads.cancel(failed.id)
    desk.downloads.discard_cancelled()
    assert mine.exists()
    assert not fetched.exists()
    assert not missing.exists()


@pytest.mark.parametrize("gone", ["file", "folder"])
@pytest.mark.fault("F1")
def test_what_has_arrived_and_is_gone_since_comes_again(desk: Desk, tmp_path: Path, gone: str) -> None:
    here = tmp_path / "here"
    here.mkdir()
    names = download_queue.part_names("x-00001-of-00002.gguf")
    first, second = (QueuedFile(name, name, 10, "s", has_arrived=True, was_here=True) for name in names)
    (here / first.name).write_bytes(bytes(10))
    folder = tmp_path / "unplugged" if gone == "folder" else here
    entry = QueuedDownload("1", "c", "t", "Q", "", "r", "", 20, (first, second), folder=str(folder))
    settled = download_queue.with_folder(entry, desk.where.models if gone == "folder" else here)
    assert [(file.has_arrived, file.was_here) for file in settled.files] == [
        (gone == "file", gone == "file"),
        (False, False),
    ]


# ---------------------------------------------------------------------------------------------- the queue


def test_they_come_one_at_a_time_in_an_order_that_can_be_changed(desk: Desk, large: Stored, small: Stored) -> None:
    others = {f"{name}.gguf": small for name in ("b", "c", "d")}
    order: list[str | None] = []
    desk.downloads.finished.connect(lambda model: order.append(model.card_id))
    with Hub(large, SLOW, others) as hub:
        for name in ("tiny", "b", "c", "d"):
            begin(desk, card_of(desk, hub, card_id=name, file=FILE if name == "tiny" else f"{name}.gguf"))
        assert [item.state for item in desk.downloads.items()] == ["running", "waiting", "waiting", "waiting"]
        last = desk.downloads.find("d", "F32")
        assert last is not None
        desk.downloads.move(last.id, 1)
        assert [item.card_id for item in desk.downloads.items()] == ["tiny", "d", "b", "c"]
        hub.change(bytes_per_s=0)
        desk.wait(lambda: len(order) == 4)
    assert order == ["tiny", "d", "b", "c"]


def test_a_paused_download_lets_the_next_go_first(desk: Desk, large: Stored, small: Stored) -> None:
    with Hub(large, SLOW, {"b.gguf": small}) as hub:
        begin(desk, card_of(desk, hub))
        begin(desk, card_of(desk, hub, card_id="b", file="b.gguf"))
        first = desk.downloads.items()[0]
        desk.wait(lambda: desk.downloads.items()[0].done_bytes > 1 << 20)
        desk.downloads.pause(first.id)
        assert desk.downloads.items()[0].state == "paused"
        assert desk.finish().card_id == "b"
        hub.change(bytes_per_s=0)
        desk.downloads.resume(first.id)
        assert desk.finish().card_id == "tiny"
        assert hub.sent_bytes < large.size + small.size + (2 << 20)


def test_paused_and_gone_on_at_once_is_not_begun_twice(desk: Desk, large: Stored) -> None:
    with Hub(large, SLOW) as hub:
        begin(desk, card_of(desk, hub))
        desk.wait_for_bytes(1 << 20)
        item = desk.only()
        desk.downloads.pause(item.id)
        desk.downloads.resume(item.id)
        begin(desk, card_of(desk, hub))
        assert len(desk.downloads.items()) == 1
        desk.wait_for_bytes(4 << 20)
        hub.change(bytes_per_s=0)
        desk.finish()
        assert hub.sent_bytes < large.size + (2 << 20)


def test_a_listing_that_takes_long_is_paused_at_once(desk: Desk, small: Stored) -> None:
    with Hub(small, Fault("status", status=500)) as hub:
        begin(desk, card_of(desk, hub, sha256=""))
        desk.downloads.pause(desk.only().id)
        assert desk.only().state == "paused"
        hub.change(kind="ok")
        desk.downloads.resume(desk.only().id)
        desk.finish()


def test_a_cancelled_download_can_be_had_back_until_it_is_discarded(desk: Desk, large: Stored) -> None:
    with Hub(large, SLOW) as hub:
        begin(desk, card_of(desk, hub))
        desk.wait_for_bytes(2 << 20)
        item = desk.only()
        desk.downloads.cancel(item.id)
        assert desk.downloads.items() == []
        desk.wait(lambda: desk.downloads.online_count == 0)
        desk.downloads.undo_cancel(item.id)
        assert desk.only().state == "paused"
        assert desk.only().done_bytes > 1 << 20
        desk.downloads.cancel(item.id)
        desk.downloads.discard_cancelled()
        assert list(desk.where.models.iterdir()) == []
        desk.downloads.undo_cancel(item.id)
        assert desk.downloads.items() == []


def test_the_limit_can_be_changed_while_it_runs(desk: Desk, large: Stored) -> None:
    desk.downloads.set_limit(1 << 20)
    with Hub(large) as hub:
        begin(desk, card_of(desk, hub))
        desk.wait(lambda: desk.only().bytes_per_s > 0)
        assert desk.only().done_bytes < large.size // 2
        desk.downloads.set_limit(0)
        desk.finish()
    assert Preferences(desk.where.settings).value.download_limit_bytes_per_s == 0


# ---------------------------------------------------------------------------------------------- ends of programs


def test_closed_and_opened_again_it_waits_and_goes_on_where_it_was(desk: Desk, large: Stored) -> None:
    with Hub(large, SLOW) as hub:
        begin(desk, card_of(desk, hub))
        desk.wait_for_bytes(8 << 20)
        desk.again()
        assert desk.only().state == "paused"
        assert desk.only().done_bytes >= 8 << 20
        assert desk.downloads.child_pid == 0
        hub.change(bytes_per_s=0)
        desk.downloads.resume(desk.only().id)
        desk.finish()
        assert hub.sent_bytes < large.size + (1 << 20)


@pytest.mark.fault("F1")
def test_a_lost_queue_loses_no_parts(desk: Desk, large: Stored) -> None:
    with Hub(large, SLOW) as hub:
        begin(desk, card_of(desk, hub))
        desk.wait_for_bytes(8 << 20)
        desk.downloads.close()
        desk.queue.write_bytes(b"\0" * 400)
        desk.open()
        assert (desk.only().card_id, desk.only().state) == ("tiny", "paused")
        assert desk.only().done_bytes >= 8 << 20
        hub.change(bytes_per_s=0)
        desk.downloads.resume(desk.only().id)
        assert desk.finish().files[0].sha256 == hub.sha256
        assert hub.sent_bytes < large.size + (1 << 20)


@pytest.mark.fault("F1")
def test_a_killed_child_comes_back_once_and_then_says_why_it_stopped(desk: Desk, large: Stored) -> None:
    with Hub(large, SLOW) as hub:
        begin(desk, card_of(desk, hub))
        desk.wait_for_bytes(4 << 20)
        first = desk.downloads.child_pid
        os.kill(first, signal.SIGKILL)
        desk.wait(lambda: desk.downloads.child_pid not in (0, first) and desk.only().bytes_per_s > 0)
        failed = desk.failure(lambda: os.kill(desk.downloads.child_pid, signal.SIGKILL))
        assert failed.problem is not None
        assert (failed.state, failed.problem.code) == ("failed", "download_crashed")
        assert failed.problem.facts == {"detail": "SIGKILL"}
        assert failed.done_bytes >= 3 << 20
        desk.again()
        assert desk.only().problem is not None
        hub.change(bytes_per_s=0)
        desk.downloads.resume(desk.only().id)
        assert desk.finish().files[0].sha256 == hub.sha256
        assert hub.sent_bytes < large.size + (4 << 20)


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
catalogue.use_own_cards(where.cards)
store = Store.open(where.database, where.backups)
downloads = Downloads(ModelLibrary(store, where.models), Preferences(where.settings), children.downloader_command(),
                      where.logs / "download.log", where.data / "downloads.json")
card = catalogue.load().card("tiny")
downloads.progressed.connect(lambda item: print(item.done_bytes, downloads.child_pid, flush=True))
downloads.start(card, card.files[0])
app.exec()
"""


@pytest.mark.fault("F1")
def test_a_killed_window_leaves_no_child_and_its_download_is_found_again(desk: Desk, large: Stored) -> None:
    with Hub(large, SLOW) as hub:
        card_of(desk, hub)
        desk.downloads.close()
        holder = subprocess.Popen(
            [sys.executable, "-c", _HOLDER, str(desk.where.data)], stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        assert holder.stdout is not None
        with holder.stdout:
            done, child = next(
                (int(line.split()[0]), int(line.split()[1])) for line in holder.stdout if int(line.split()[0]) > 8 << 20
            )
            worker = psutil.Process(child)
            holder.kill()
            holder.wait()
        worker.wait(10)
        assert json.loads(desk.queue.read_text())["downloads"][0]["state"] == "running"
        desk.open()
        assert desk.only().state == "paused"
        assert desk.only().done_bytes >= done - large.size // 100
        hub.change(bytes_per_s=0)
        desk.downloads.resume(desk.only().id)
        assert desk.finish().files[0].sha256 == hub.sha256
        print(f"sent again after the kill of the window: {(hub.sent_bytes - large.size) / large.size:.2%}")
        assert hub.sent_bytes - large.size < 2 << 20  # of 37 MB, and what was on its way


# ---------------------------------------------------------------------------------------------- what gets in the way


def test_without_permission_no_process_is_started(desk: Desk, small: Stored) -> None:
    with Hub(small) as hub:
        card = card_of(desk, hub)
        desk.preferences.change(network_allowed=False)
        failed = desk.failure(lambda: begin(desk, card))
        assert failed.problem is not None
        assert failed.problem.code == "network_forbidden"
        assert desk.downloads.child_pid == 0
        assert hub.requests == []
        desk.preferences.change(network_allowed=True)
        desk.downloads.resume(failed.id)
        desk.finish()


def test_permission_taken_back_ends_what_runs(desk: Desk, large: Stored) -> None:
    with Hub(large, SLOW) as hub:
        begin(desk, card_of(desk, hub))
        desk.wait_for_bytes(1 << 20)
        failed = desk.failure(lambda: desk.preferences.change(network_allowed=False))
        assert failed.problem is not None
        assert failed.problem.code == "network_forbidden"
        assert desk.downloads.child_pid == 0


@pytest.mark.fault("F2")
def test_a_disk_without_room_is_said_before_anybody_is_asked(desk: Desk, small: Stored) -> None:
    free = shutil.disk_usage(desk.where.models).free
    with Hub(small) as hub:
        desk.preferences.change(hub_endpoint=hub.place)
        card = put_card(desk.where.cards, free * 2, sha256=hub.sha256)
        failed = desk.failure(lambda: begin(desk, card))
        assert failed.problem is not None
        assert failed.problem.code == "download_disk_full"
        assert failed.problem.facts["need_bytes"] == free * 2
        assert 0 < failed.problem.facts["free_bytes"] < free * 2
        assert hub.requests == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 40 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mounting, capture_output=True, check=False).returncode != 0:
        pytest.skip("this user cannot mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.fault("F2")
def test_on_a_full_disk_it_stops_and_goes_on_where_there_is_room(desk: Desk, large: Stored, small_disk: Path) -> None:
    before = desk.library.folder
    desk.library.use_folder(small_disk)
    with Hub(large) as hub:
        card = card_of(desk, hub)
        failed = desk.failure(lambda: begin(desk, card))  # 45 MB
        assert failed.problem is not None
        assert failed.problem.code == "download_disk_full"
        assert hub.requests == []
        desk.library.use_folder(before)
        desk.downloads.resume(failed.id)
        assert Path(desk.finish().path).parent == before


def test_parts_stay_where_they_are_when_models_go_elsewhere(desk: Desk, large: Stored, tmp_path: Path) -> None:
    before = desk.library.folder
    with Hub(large, SLOW) as hub:
        begin(desk, card_of(desk, hub))
        desk.wait_for_bytes(4 << 20)
        desk.downloads.pause(desk.only().id)
        desk.wait(lambda: not desk.downloads.is_working)
        (tmp_path / "new").mkdir()
        desk.library.use_folder(tmp_path / "new")
        hub.change(bytes_per_s=0)
        desk.downloads.resume(desk.only().id)
        assert Path(desk.finish().path).parent == before
        assert hub.sent_bytes < large.size + (2 << 20)


@pytest.mark.fault("F2")
def test_parts_on_a_disk_that_others_fill_are_given_up_for_another(
    desk: Desk, large: Stored, tmp_path: Path, small_disk: Path
) -> None:
    subprocess.run(["mount", "-o", "remount,size=90m", str(small_disk)], check=True)
    desk.library.use_folder(small_disk)
    with Hub(large, SLOW) as hub:
        begin(desk, card_of(desk, hub))
        desk.wait_for_bytes(4 << 20)
        with (small_disk / "other").open("wb") as other:
            failed = desk.failure(
                lambda: os.posix_fallocate(other.fileno(), 0, shutil.disk_usage(small_disk).free - (8 << 20))
            )
        assert failed.problem is not None
        assert failed.problem.code == "download_disk_full"
        desk.library.use_folder(desk.where.models)
        hub.change(bytes_per_s=0)
        desk.downloads.resume(failed.id)
        assert Path(desk.finish().path).parent == desk.where.models
    assert [path.name for path in small_disk.iterdir()] == ["other"]


@pytest.mark.fault("F1")
def test_what_is_no_model_is_not_added_and_says_so(desk: Desk) -> None:
    with Hub(Content(1_000_000)) as hub:
        failed = desk.failure(lambda: begin(desk, card_of(desk, hub)))
    assert failed.problem is not None
    assert failed.problem.code == "download_no_model"
    assert desk.library.models() == []


def test_another_file_of_that_name_is_not_replaced(desk: Desk, small: Stored) -> None:
    mine = desk.where.models / FILE
    mine.write_bytes(b"mine")
    with Hub(small) as hub:
        failed = desk.failure(lambda: begin(desk, card_of(desk, hub)))
    assert failed.problem is not None
    assert failed.problem.code == "download_name_taken"
    assert mine.read_bytes() == b"mine"


@pytest.mark.fault("F1")
def test_a_cut_is_told_while_it_is_tried_again(desk: Desk, large: Stored) -> None:
    troubles: list[str] = []
    desk.downloads.progressed.connect(lambda item: troubles.append(item.problem.code if item.problem else ""))
    with Hub(large, dataclasses.replace(SLOW, kind="cut", times=1, at=100_000)) as hub:
        begin(desk, card_of(desk, hub))
        desk.wait(lambda: "download_cut" in troubles and troubles[-1] == "")
        hub.change(kind="ok", bytes_per_s=0)
        desk.finish()
    assert troubles[-1] == ""


@pytest.mark.fault("S13")
def test_a_gated_model_is_explained_and_had_with_a_token_that_is_written_nowhere(desk: Desk, small: Stored) -> None:
    with Hub(small, Fault("redirect", token=TOKEN)) as hub:
        card = card_of(desk, hub, sha256="")
        failed = desk.failure(lambda: begin(desk, card))
        assert failed.problem is not None
        assert failed.problem.code == "download_gated"
        desk.downloads.set_token(TOKEN)
        desk.downloads.resume(failed.id)
        desk.finish()
        got = {(request.host, request.headers.get("Authorization")) for request in hub.requests}
        assert got == {("127.0.0.1", None), ("127.0.0.1", f"Bearer {TOKEN}"), ("127.0.0.2", None)}
    files = [path for path in desk.where.data.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if TOKEN.encode() in path.read_bytes()]


@pytest.mark.fault("S13")
def test_the_token_of_the_hub_goes_to_no_other_place(desk: Desk, small: Stored) -> None:
    with Hub(small) as hub:
        card = card_of(desk, hub)
        desk.downloads.set_token(TOKEN)
        begin(desk, card, f"{hub.storage}/blob/{FILE}")
        desk.finish()
        assert {request.headers.get("Authorization") for request in hub.requests} == {None}


@pytest.mark.fault("S13")
def test_a_token_does_not_follow_the_settings_to_a_mirror(desk: Desk, small: Stored) -> None:
    with Hub(small) as hub:
        desk.downloads.set_token(TOKEN)  # for the hub itself
        card = card_of(desk, hub)  # the settings name a mirror from now on
        begin(desk, card)
        desk.finish()
        assert {request.headers.get("Authorization") for request in hub.requests} == {None}


@pytest.mark.fault("S13")
def test_a_download_from_a_mirror_gets_the_token_for_that_mirror(desk: Desk, small: Stored) -> None:
    with Hub(small, Fault(token=TOKEN)) as hub:
        card = card_of(desk, hub)
        desk.preferences.change(hub_endpoint="http://127.0.0.1:9")
        failed = desk.failure(lambda: begin(desk, card, hub.place))
        desk.downloads.sign_in(failed.id, TOKEN)
        desk.finish()


@pytest.mark.fault("S13")
def test_a_token_is_for_one_scheme_host_and_port() -> None:
    secrets, none = HubCredentials(), Settings()
    secrets.set_token(TOKEN, "https://hub.example")
    assert secrets.access("https://me@hub.example:443/path", none).token == TOKEN
    for other in ("http://hub.example", "https://hub.example:8443", "https://b.example", "/hub.example", "http://["):
        assert secrets.access(other, none).token == ""
    secrets.set_token(TOKEN, "/a/folder")
    assert secrets.access("/a/folder", none).token == ""


@pytest.mark.fault("S13")
def test_a_proxy_gets_its_password_and_no_file_does(desk: Desk, small: Stored) -> None:
    with Hub(small, Fault(proxy_authorization="Basic dXNlcjpwYTpzcw==")) as hub:  # user:pa:ss
        card = card_of(desk, hub)
        desk.preferences.change(hub_endpoint="http://hub.invalid", proxy=hub.place)
        failed = desk.failure(lambda: begin(desk, card))
        assert failed.problem is not None
        assert failed.problem.code == "download_proxy"
        desk.downloads.set_proxy_login("user", "pa:ss")
        desk.downloads.resume(failed.id)
        assert hashlib.sha256(Path(desk.finish().path).read_bytes()).hexdigest() == hub.sha256
    assert "pa:ss" not in desk.where.settings.read_text() + desk.queue.read_text()


# ---------------------------------------------------------------------------------------------- the file of the queue


@pytest.mark.fault("S13")
def test_an_address_is_remembered_without_its_keys(desk: Desk, large: Stored) -> None:
    with Hub(large, SLOW) as hub:
        card = card_of(desk, hub)
        address = f"{hub.storage}/blob/{FILE}?signature=geheim".replace("//", f"//me:{TOKEN}@")
        begin(desk, card, address)
        desk.wait_for_bytes(1 << 20)
        desk.downloads.close()
    remembered = desk.queue.read_text()
    assert "geheim" not in remembered
    assert download_queue.load_queue(desk.queue)[0].place == f"{hub.storage}/blob/{FILE}"


@pytest.mark.parametrize(
    "damage",
    [b"", b"{", b"[" * 200_000, b"[]", b'{"version": 9, "downloads": []}', b'{"version": 1, "downloads": 5}',
     b'{"version": 1, "downloads": [5, {}, {"id": 3}]}'],
)  # fmt: skip
@pytest.mark.fault("F1")
def test_a_damaged_queue_is_an_empty_one(damage: bytes, tmp_path: Path) -> None:
    path = tmp_path / "downloads.json"
    path.write_bytes(damage)
    assert download_queue.load_queue(path) == []


@pytest.mark.fault("F1")
def test_one_damaged_entry_costs_only_itself(desk: Desk, small: Stored) -> None:
    with Hub(small) as hub:
        card = card_of(desk, hub)
    entry = download_queue.plan_download(card, card.files[0], "", "1")
    download_queue.save_queue(desk.queue, [entry, dataclasses.replace(entry, id="2")])
    document = json.loads(desk.queue.read_text())
    document["downloads"][0]["size_bytes"] = "much"
    desk.queue.write_text(json.dumps(document))
    assert [entry.id for entry in download_queue.load_queue(desk.queue)] == ["2"]
    assert download_queue.load_queue(desk.queue)[0].revision == COMMIT


# ------------------------------------------------------------------------------------------- what a card does not say


@pytest.mark.parametrize("was_here", [False, True])
@pytest.mark.fault("F1")
def test_another_model_under_the_name_of_a_card_without_a_checksum_is_not_taken(
    desk: Desk, tmp_path: Path, *, was_here: bool
) -> None:
    """Of the same size, but not of the card's dimensions. What was fetched is deleted; the user's own file is not."""
    with Hub(Stored(gguf(tmp_path / "source"))) as hub:
        card = card_of(desk, hub, sha256="")
        shape = catalogue.load().card("llama-3-swallow-8b-instruct-v0.1")
        assert shape is not None
        card = dataclasses.replace(card, shape=shape.shape)
        path = desk.where.cards / "tiny.toml"
        assert card.shape is not None
        values = ", ".join(
            f'{key} = "{value}"' if isinstance(value, str) else f"{key} = {str(value).lower()}"
            for key, value in dataclasses.asdict(card.shape).items()
            if value is not None
        )
        path.write_text(path.read_text("utf-8") + f"shape = {{ {values} }}\n", "utf-8")
        catalogue.use_own_cards(desk.where.cards)
        card = catalogue.load().card("tiny") or card
        assert card.shape is not None
        target = desk.where.models / FILE
        if was_here:
            target.write_bytes(hub.files[FILE].read(0, hub.files[FILE].size))
        problem = desk.failure(lambda: begin(desk, card)).problem
        assert problem is not None
        assert problem.code == ("download_other_model_here" if was_here else "download_other_model")
        assert FILE in describe_error(problem).message
        assert desk.library.models() == []
        assert [path.name for path in desk.where.models.iterdir()] == ([FILE] if was_here else [])
        assert desk.only().done_bytes == (target.stat().st_size if was_here else 0)
        before = hub.sent_bytes
        desk.failure(lambda: desk.downloads.resume(desk.only().id))
        assert (hub.sent_bytes > before + 1000) != was_here  # another try fetches it anew


@pytest.mark.parametrize(
    "content", [b"<!DOCTYPE html><html><body>Sign in</body></html>", b"GGUF\x03\0\0\0" + bytes(40), b""]
)
@pytest.mark.fault("F1")
def test_what_is_no_model_does_not_stay(desk: Desk, tmp_path: Path, content: bytes) -> None:
    stick = tmp_path / "stick"
    stick.mkdir()
    (stick / FILE).write_bytes(content)
    whole = gguf(tmp_path / "whole")
    card = put_card(desk.where.cards, whole.stat().st_size)
    problem = desk.failure(lambda: begin(desk, card, str(stick))).problem
    assert problem is not None
    assert problem.code == "download_no_model"
    assert FILE in describe_error(problem).message
    assert list(desk.where.models.iterdir()) == []
    assert (stick / FILE).read_bytes() == content
    shutil.copy(whole, stick / FILE)
    desk.downloads.resume(desk.only().id)
    assert desk.finish().card_id == "tiny"


def test_an_address_of_another_kind_is_no_folder(desk: Desk, small: Stored) -> None:
    with Hub(small) as hub:
        card = card_of(desk, hub)
        with pytest.raises(AppError, match="download_bad_address"):
            download_queue.plan_download(card, card.files[0], "ftp://server/models", "1")
