"""Downloads on the page モデル: consent, progress, pause, failure, the way on. The real child, and a hub on this PC."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QLabel

from app.base.services import background
from app.models import catalogue
from app.models.ui.download_controller import DownloadConsent, TokenDialog
from app.uikit.dialogs import Dialog
from tests.models.downloads.hub import Fault, Hub, Stored
from tests.models.downloads.shelf import LARGE, gguf, put_card

ROOT = Path(__file__).parents[3]
LIMIT_MS = 20_000
LEFT = Qt.MouseButton.LeftButton
SLOW = Fault("slow", bytes_per_s=12 << 20)
KEY = "card:tiny"


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Stored:
    return Stored(gguf(tmp_path_factory.mktemp("small")))


@pytest.fixture(scope="module")
def large(tmp_path_factory) -> Stored:
    return Stored(gguf(tmp_path_factory.mktemp("large"), LARGE))


class Scene:
    """The page with a card whose file the hub has."""

    def __init__(self, parts, card, hub, qtbot) -> None:
        self.parts, self.card, self.hub, self.qtbot = parts, card, hub, qtbot
        self.downloads = parts.downloads
        parts.window.show_page("models")
        self.page = parts.window.page("models")
        self.choose()

    def choose(self) -> None:
        self.page.list.setCurrentIndex(self.page.models.index_of(KEY))

    def consent(self) -> DownloadConsent:
        self.qtbot.mouseClick(self.page.detail.download_button, LEFT)
        (dialog,) = [one for one in shown_dialogs() if isinstance(one, DownloadConsent)]
        return dialog

    def start(self) -> None:
        dialog = self.consent()
        dialog.read.setChecked(True)
        self.qtbot.mouseClick(dialog.buttons["accept"], LEFT)

    def wait(self, is_so) -> None:
        self.qtbot.waitUntil(lambda: bool(is_so()), timeout=LIMIT_MS)

    def only(self):
        (item,) = self.downloads.items()
        return item

    @property
    def row(self):
        (row,) = self.page.downloading._rows.values()
        return row


@pytest.fixture
def open_scene(open_window, where, qtbot, monkeypatch) -> Iterator:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    opened: list[Scene] = []

    def open_(hub: Hub) -> Scene:
        name = next(iter(hub.files))
        card = put_card(where.cards, hub.files[name].size, sha256=hub.hashes[name])
        parts = open_window()
        parts.preferences.change(hub_endpoint=hub.place)
        opened.append(Scene(parts, card, hub, qtbot))
        return opened[-1]

    yield open_
    for scene in opened:
        scene.downloads.close()
    background.shut_down()
    catalogue.use_own_cards(where.data / "absent")


def shown_dialogs() -> list[Dialog]:
    return [one for one in QApplication.topLevelWidgets() if isinstance(one, Dialog) and one.isVisible()]


def words(widget) -> str:
    return "\n".join(label.text() for label in widget.findChildren(QLabel) if label.isVisibleTo(widget))


def test_nothing_is_asked_of_anybody_before_consent(open_scene, small):
    with Hub(small) as hub:
        scene = open_scene(hub)
        dialog = scene.consent()
        assert scene.card.licence in words(dialog)
        assert not dialog.buttons["accept"].isEnabled()
        dialog.reject()
        assert hub.requests == []
        assert scene.downloads.items() == []


def test_a_model_that_has_arrived_is_chosen_and_can_be_used(open_scene, small):
    with Hub(small) as hub:
        scene = open_scene(hub)
        with scene.qtbot.waitSignal(scene.downloads.finished, timeout=LIMIT_MS) as signal:
            scene.start()
    model = signal.args[0]
    assert scene.page._entry.model == model
    assert scene.page._entry.is_used  # the first there is
    assert scene.page.downloading._rows == {}
    assert not scene.page.download_banner.isVisible()


def test_the_card_shows_how_far_it_is_and_can_be_paused(open_scene, large):
    with Hub(large, SLOW) as hub:
        scene = open_scene(hub)
        scene.start()
        scene.wait(lambda: scene.only().done_bytes > 0)
        assert scene.page.models.index(0).data() == "ダウンロード"
        assert "MB（" in scene.row.state.text() or "GB（" in scene.row.state.text()
        scene.qtbot.mouseClick(scene.row.pause_button, LEFT)
        scene.wait(lambda: scene.only().state == "paused")
        assert "一時停止中" in scene.row.state.text()
        assert scene.row.resume_button.isVisible()
        hub.change(bytes_per_s=0)
        with scene.qtbot.waitSignal(scene.downloads.finished, timeout=LIMIT_MS):
            scene.qtbot.mouseClick(scene.row.resume_button, LEFT)


def test_the_foot_of_the_sidebar_says_what_goes_on(open_scene, large):
    with Hub(large, SLOW) as hub:
        scene = open_scene(hub)
        traffic = scene.parts.window.sidebar.traffic
        assert (traffic.state.text(), traffic.since.text()) == ("なし", "起動後 0 件")
        scene.start()
        scene.wait(lambda: traffic.state.text() == "1 件")
        assert traffic.since.text() == "モデルの取得"
        scene.downloads.pause(scene.only().id)
        scene.wait(lambda: traffic.state.text() == "なし")
        assert traffic.since.text() == "起動後 1 件"
        assert "127.0.0.1" in traffic.toolTip()
        assert "あなたの操作" in traffic.toolTip()


def test_a_cancelled_download_can_be_taken_back(open_scene, large):
    with Hub(large, SLOW) as hub:
        scene = open_scene(hub)
        scene.start()
        scene.wait(lambda: scene.only().done_bytes > 0)
        scene.qtbot.mouseClick(scene.row.cancel_button, LEFT)
        assert scene.downloads.items() == []
        assert scene.parts.window.toast.isVisible()
        scene.qtbot.mouseClick(scene.parts.window.toast.undo_button, LEFT)
        assert scene.only().state == "paused"
        assert scene.row.resume_button.isVisible()


def test_a_repository_that_asks_who_it_is_gets_the_token(open_scene, small):
    with Hub(small, Fault(token="hf_himitsu")) as hub:
        scene = open_scene(hub)
        with scene.qtbot.waitSignal(scene.downloads.failed, timeout=LIMIT_MS):
            scene.start()
        banner = scene.page.download_banner
        assert "使用条件への同意が必要です" in words(banner)
        assert "HF_TOKEN" not in words(banner)
        banner.action_requested.emit(f"token:{scene.only().id}")
        (dialog,) = [one for one in shown_dialogs() if isinstance(one, TokenDialog)]
        assert not dialog.buttons["use"].isEnabled()
        dialog.field.setText("hf_himitsu")
        with scene.qtbot.waitSignal(scene.downloads.finished, timeout=LIMIT_MS):
            scene.qtbot.mouseClick(dialog.buttons["use"], LEFT)
        assert not banner.isVisible()
    settings = (scene.parts.window.page("models")._preferences._path).read_text("utf-8")
    assert "hf_himitsu" not in settings


def test_a_failure_says_what_to_do_and_is_tried_again(open_scene, small):
    with Hub(small, Fault("status", times=None, status=404, error_code="EntryNotFound")) as hub:
        scene = open_scene(hub)
        with scene.qtbot.waitSignal(scene.downloads.failed, timeout=LIMIT_MS):
            scene.start()
        banner = scene.page.download_banner
        assert "ファイルが見つかりません" in words(banner)
        assert "× 止まりました" in scene.row.state.text()
        hub.change(kind="ok", error_code="")
        with scene.qtbot.waitSignal(scene.downloads.finished, timeout=LIMIT_MS):
            banner.action_requested.emit(f"again:{scene.only().id}")
        assert not banner.isVisible()


def test_without_permission_a_kit_is_offered_instead(open_scene, small):
    with Hub(small) as hub:
        scene = open_scene(hub)
        scene.parts.preferences.change(network_allowed=False)
        scene.choose()
        assert not scene.page.detail.download_button.isVisible()
        assert "通信が許可されていません。" in words(scene.page.detail.offline)
        scene.page.detail.offline.action_requested.emit("network")
        assert scene.parts.window.current_page == "settings"
        assert hub.requests == []


def test_what_was_interrupted_is_offered_at_the_next_start(open_scene, open_window, large):
    with Hub(large, SLOW) as hub:
        scene = open_scene(hub)
        scene.start()
        scene.wait(lambda: scene.only().done_bytes > 0)
        scene.downloads.close()  # the window is closed
        again = Scene(open_window(), scene.card, hub, scene.qtbot)
        banner = again.parts.offers.downloads
        assert banner.isVisible()
        assert "途中のダウンロードが 1 件あります。" in words(banner)
        asked = len(hub.requests)
        assert again.only().state == "paused"
        hub.change(bytes_per_s=0)
        with again.qtbot.waitSignal(again.downloads.finished, timeout=LIMIT_MS):
            banner.action_requested.emit("resume")
        assert len(hub.requests) > asked
        assert not again.parts.offers.isVisible()
        again.downloads.close()


def test_a_paused_download_goes_on_where_the_models_were_moved_to(open_scene, large, tmp_path):
    with Hub(large, SLOW) as hub:
        scene = open_scene(hub)
        scene.start()
        scene.wait(lambda: scene.only().done_bytes > 0)
        scene.parts.window.show_settings("models")
        storage = scene.parts.window.page("settings").storage
        assert storage.ask(tmp_path / "new") is None
        assert "一時停止してから、移動してください。" in words(storage.banner)
        scene.downloads.pause(scene.only().id)
        scene.wait(lambda: scene.downloads.online_count == 0)
        received = scene.only().done_bytes
        dialog = storage.ask(tmp_path / "new")
        with scene.qtbot.waitSignal(scene.parts.maintenance.folder_moved, timeout=LIMIT_MS):
            scene.qtbot.mouseClick(dialog.buttons["move"], LEFT)
        hub.change(bytes_per_s=0)
        before = hub.sent_bytes
        with scene.qtbot.waitSignal(scene.downloads.finished, timeout=LIMIT_MS) as signal:
            scene.downloads.resume(scene.only().id)
    assert signal.args[0].path.startswith(str(tmp_path / "new"))
    assert hub.sent_bytes - before <= large.size - received + (2 << 20)


def test_the_keyboard_stays_on_the_button_that_was_pressed(open_scene, large):
    with Hub(large, SLOW) as hub:
        scene = open_scene(hub)
        scene.start()
        scene.wait(lambda: scene.only().done_bytes > 0)
        scene.parts.window.activateWindow()
        scene.wait(scene.parts.window.isActiveWindow)
        scene.row.pause_button.setFocus()
        scene.qtbot.keyClick(scene.row.pause_button, Qt.Key.Key_Space)
        scene.wait(lambda: scene.only().state == "paused")
        scene.wait(lambda: scene.row.resume_button.hasFocus())
