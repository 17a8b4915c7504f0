"""Downloads on the page モデル: consent, progress, pause, failure, the way on. The real child, and a hub on this PC."""

import pytest
from PySide6.QtCore import Qt

from app.models.ui.download_controller import TokenDialog
from tests.models.downloads.hub import Fault, Hub
from tests.models.downloads.shelf import put_card
from tests.models.ui.driver import DownloadsDriver, words

SLOW = Fault("slow", bytes_per_s=12 << 20)
CARD = "card:tiny"


@pytest.fixture
def open_page(open_window, where, qtbot, downloads_end):
    """Opens the page with a card whose file the hub has."""

    def open_(hub: Hub) -> DownloadsDriver:
        name = next(iter(hub.files))
        put_card(where.cards, hub.files[name].size, sha256=hub.hashes[name])
        driver = DownloadsDriver(open_window(), qtbot)
        driver.preferences.change(hub_endpoint=hub.place)
        driver.choose(CARD)
        return downloads_end(driver)

    return open_


def test_nothing_is_asked_before_permission_and_consent_and_what_has_arrived_is_chosen_and_used(open_page, small):
    with Hub(small) as hub:
        driver = open_page(hub)
        driver.preferences.change(network_allowed=False)
        driver.choose(CARD)
        assert not driver.detail.download_button.isVisible()
        assert "通信が許可されていません。" in words(driver.detail.offline)
        driver.detail.offline.action_requested.emit("network")
        assert driver.window.current_page == "settings"
        driver.preferences.change(network_allowed=True)
        driver.window.show_page("models")
        dialog = driver.consent()
        assert "apache-2.0" in words(dialog)
        assert not dialog.buttons["accept"].isEnabled()
        dialog.reject()
        assert (hub.requests, driver.downloads.items()) == ([], [])
        with driver.until(driver.downloads.finished) as told:
            driver.start()
    assert driver.page._entry.model == told.args[0]
    assert driver.page._entry.is_used  # the first there is
    assert driver.page.downloading._rows == {}
    assert not driver.page.download_banner.isVisible()


def test_row_and_sidebar_show_how_far_it_is_and_a_key_pauses_it_or_takes_it_back_after_a_cancel(
    open_page, large, qtbot
):
    with Hub(large, SLOW) as hub:
        driver = open_page(hub)
        traffic = driver.window.sidebar.traffic
        assert (traffic.state.text(), traffic.since_label.text()) == ("なし", "起動後 0 件")
        driver.start_and_receive()
        assert driver.titles()[0] == "ダウンロード"
        assert "MB（" in driver.row.state.text() or "GB（" in driver.row.state.text()
        driver.wait(lambda: traffic.state.text() == "1 件")
        assert traffic.since_label.text() == "モデルの取得"
        driver.window.activateWindow()
        driver.wait(driver.window.isActiveWindow)
        driver.row.pause_button.setFocus()
        qtbot.keyClick(driver.row.pause_button, Qt.Key.Key_Space)
        driver.wait(lambda: driver.only().state == "paused")
        assert "一時停止中" in driver.row.state.text()
        driver.wait(driver.row.resume_button.hasFocus)
        driver.wait(lambda: traffic.state.text() == "なし")
        assert traffic.since_label.text() == "起動後 1 件"
        assert "127.0.0.1" in traffic.toolTip()
        assert "あなたの操作" in traffic.toolTip()
        driver.click(driver.row.cancel_button)
        assert driver.downloads.items() == []
        driver.click(driver.window.toast.button)
        assert driver.only().state == "paused"
        assert driver.row.resume_button.isVisible()
        hub.change(bytes_per_s=0)
        driver.until_clicked(driver.downloads.finished, driver.row.resume_button)


def test_a_repository_that_asks_who_it_is_gets_the_token(open_page, small):
    with Hub(small, Fault(token="hf_himitsu")) as hub:
        driver = open_page(hub)
        with driver.until(driver.downloads.failed):
            driver.start()
        banner = driver.page.download_banner
        assert "使用条件への同意が必要です" in words(banner)
        assert "HF_TOKEN" not in words(banner)
        banner.action_requested.emit(f"token:{driver.only().id}")
        dialog = driver.dialog(TokenDialog)
        assert not dialog.buttons["use"].isEnabled()
        dialog.field.setText("hf_himitsu")
        driver.until_clicked(driver.downloads.finished, dialog.buttons["use"])
        assert not banner.isVisible()
    assert "hf_himitsu" not in driver.parts.paths.settings.read_text("utf-8")


def test_a_failure_says_what_to_do_and_is_tried_again(open_page, small):
    with Hub(small, Fault("status", times=None, status=404, error_code="EntryNotFound")) as hub:
        driver = open_page(hub)
        with driver.until(driver.downloads.failed):
            driver.start()
        banner = driver.page.download_banner
        assert "ファイルが見つかりません" in words(banner)
        assert "× 止まりました" in driver.row.state.text()
        hub.change(kind="ok", error_code="")
        with driver.until(driver.downloads.finished):
            banner.action_requested.emit(f"again:{driver.only().id}")
        assert not banner.isVisible()


def test_what_was_interrupted_is_offered_at_the_next_start(open_page, large):
    with Hub(large, SLOW) as hub:
        driver = open_page(hub)
        driver.start_and_receive()
        driver.downloads.close()  # the window is closed
        again = open_page(hub)
        banner = again.parts.offers.downloads
        assert banner.isVisible()
        assert "途中のダウンロードが 1 件あります。" in words(banner)
        asked = len(hub.requests)
        assert again.only().state == "paused"
        hub.change(bytes_per_s=0)
        with again.until(again.downloads.finished):
            banner.action_requested.emit("resume")
        assert len(hub.requests) > asked
        assert not again.parts.offers.isVisible()


def test_a_paused_download_goes_on_where_the_models_were_moved_to(open_page, large, tmp_path):
    with Hub(large, SLOW) as hub:
        driver = open_page(hub)
        driver.start_and_receive()
        driver.window.show_settings("models")
        storage = driver.window.page("settings").section("models").storage
        assert storage.ask_to_move(tmp_path / "new") is None
        assert "一時停止してから、移動してください。" in words(storage.banner)
        driver.downloads.pause(driver.only().id)
        driver.wait(lambda: driver.downloads.network_task_count == 0)
        received = driver.only().done_bytes
        dialog = storage.ask_to_move(tmp_path / "new")
        driver.until_clicked(driver.parts.maintenance.folder_moved, dialog.buttons["move"])
        hub.change(bytes_per_s=0)
        before = hub.sent_bytes
        with driver.until(driver.downloads.finished) as told:
            driver.downloads.resume(driver.only().id)
    assert told.args[0].path.startswith(str(tmp_path / "new"))
    assert hub.sent_bytes - before <= large.size - received + (2 << 20)
