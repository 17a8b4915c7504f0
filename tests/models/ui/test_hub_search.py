"""The tab Hugging Face of the page モデル: a search, what it finds, and the download of a model that no card knows."""

import socket

import pytest
from PySide6.QtCore import Qt

from app.base.wording import phrase
from app.models import catalogue
from app.models.services import hub_search
from app.models.ui.download_controller import DownloadSourceDialog
from tests.models.downloads.hub import COMMIT, REPOSITORY, Content, Fault, Hub, Stored
from tests.models.test_catalogue_edition import edition
from tests.models.ui.driver import DownloadsDriver, words

KEY = "card:kotae--tiny-gguf"


@pytest.fixture
def open_tab(open_window, where, qtbot, downloads_end):
    def open_(hub: Hub) -> DownloadsDriver:
        catalogue.set_user_cards_folder(where.cards)
        driver = DownloadsDriver(open_window(), qtbot)
        driver.preferences.change(hub_endpoint=hub.place)
        driver.click(driver.page.tabs.buttons["hub"])
        return downloads_end(driver)

    return open_


def search(driver: DownloadsDriver, text: str) -> None:
    driver.page.hub.field.setText(text)
    driver.until_clicked(driver.page.hub.found, driver.page.hub.button)


def test_nothing_is_sent_before_the_search_and_what_is_found_says_licence_size_and_fit(open_tab, small, qtbot):
    with Hub(small, others={"mmproj.gguf": Content(9), "tiny-Q8_0.gguf": small}) as hub:
        hub.stated = {"gated": "auto", "cardData": {"license": "mit"}, "gguf": {"total": 1_100_000_000}}
        driver = open_tab(hub)
        assert driver.titles() == []
        assert "127.0.0.1" in words(driver.page.hub)
        driver.page.hub.field.setText("tiny")
        assert hub.requests == []
        with driver.until(driver.page.hub.found):
            qtbot.keyClick(driver.page.hub.field, Qt.Key.Key_Return)
        assert driver.titles() == ["見つかったモデル", "tiny"]
        driver.wait(lambda: driver.page._entry.usual is not None)
        assert {"mit", "1.1B"} <= {driver.page._entry.card.licence, driver.page._entry.card.size_label}
        assert "利用申請" in driver.shown()
        assert [file.quantization for file in driver.page._entry.card.files] == ["tiny", "Q8_0"]
        assert {contact.host for contact in driver.downloads.contacts()} == {"127.0.0.1"}
        search(driver, "nothing")
        assert driver.titles() == []
        for page in (f"https://huggingface.co/{REPOSITORY}/tree/main", f"hf.co/{REPOSITORY}:Q4_K_M"):
            search(driver, page)
            assert driver.titles() == ["見つかったモデル", "tiny"]


def test_a_search_that_gets_no_answer_can_be_cancelled_and_begun_again(open_tab, small, qtbot):
    with Hub(small) as hub, socket.create_server(("127.0.0.1", 0)) as silent:
        driver = open_tab(hub)
        panel = driver.page.hub
        driver.preferences.change(hub_endpoint=f"http://127.0.0.1:{silent.getsockname()[1]}")
        panel.field.setText("tiny")
        driver.click(panel.button)
        assert driver.downloads.network_purpose == phrase("models.search_of_models")
        assert (panel.button.isVisible(), panel.cancel_button.isVisible()) == (False, True)
        driver.click(panel.cancel_button)
        assert (panel.button.isVisible(), panel.cancel_button.isVisible()) == (True, False)
        assert "探しています" not in words(panel)
        driver.preferences.change(hub_endpoint=hub.place)
        search(driver, "tiny")
        assert driver.titles() == ["見つかったモデル", "tiny"]


def test_a_search_that_gets_no_answer_ends_with_a_sentence(open_tab, small, monkeypatch):
    with Hub(small) as hub, socket.create_server(("127.0.0.1", 0)) as silent:
        driver = open_tab(hub)
        driver.preferences.change(hub_endpoint=f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setattr(hub_search, "ANSWER_LIMIT_S", 2.0)
        search(driver, "tiny")
        assert "127.0.0.1）から答えが返りません" in words(driver.page.hub)
        assert not driver.downloads.network_purpose
        monkeypatch.undo()
        driver.preferences.change(hub_endpoint=hub.place)
        search(driver, "tiny")
        assert driver.titles() == ["見つかったモデル", "tiny"]


def test_a_found_model_comes_here_with_its_licence_and_source(open_tab, small):
    with Hub(small) as hub:
        hub.stated = {"cardData": {"license": "mit"}}
        driver = open_tab(hub)
        search(driver, "tiny")
        with driver.until(driver.downloads.finished) as told:
            driver.start()
    model = told.args[0]
    assert [one.sha256 for one in model.files] == [hub.sha256]
    card = driver.library.card(model)
    assert (card.licence, card.files[0].repository, card.files[0].revision) == ("mit", REPOSITORY, COMMIT)
    driver.click(driver.page.tabs.buttons["chat"])
    assert KEY not in {entry.key for entry in driver.page.models._entries}  # it is a model of this PC now
    driver.choose(f"model:{model.id}")
    assert "mit" in driver.shown()


def test_a_paused_download_of_a_found_model_is_there_after_a_start(open_tab, large):
    with Hub(large, Fault("slow", bytes_per_s=12 << 20)) as hub:
        driver = open_tab(hub)
        search(driver, "tiny")
        driver.start_and_receive()
        driver.downloads.pause(driver.only().id)
        driver.wait(lambda: driver.only().state == "paused")
        catalogue.load.cache_clear()
        driver.click(driver.page.tabs.buttons["chat"])
        assert driver.titles()[:2] == ["ダウンロード", "tiny"]


def test_a_failed_search_says_why_a_forbidden_one_is_not_sent_and_a_model_nobody_can_run_not_offered(open_tab, small):
    with Hub(small, Fault("page")) as hub:
        driver = open_tab(hub)
        search(driver, "tiny")
        assert "配布サイトではない" in words(driver.page.hub)
        sent = len(hub.requests)
        driver.preferences.change(network_allowed=False)
        assert not driver.page.hub.button.isEnabled()
        driver.page.hub.search()
        assert len(hub.requests) == sent
        off = words(driver.page.hub)
        driver.preferences.change(network_allowed=True)
        assert words(driver.page.hub) != off
        hub.change(kind="ok")
        hub.stated = {"gguf": {"architecture": "quasar9"}}
        search(driver, "tiny")
        assert "quasar9" in driver.shown()
        assert not driver.detail.download_button.isVisible()


# ------------------------------------------------------------------------------------------- the catalogue's edition


def test_a_newer_catalogue_is_brought_in_from_a_folder_or_an_address_and_taken_back(open_tab, small, tmp_path):
    path = edition(tmp_path / "stick")
    with Hub(small) as hub:
        hub.files = {name: Stored(path.with_name(name)) for name in ("models.toml", "SHA256SUMS")}
        hub.hashes = {name: content.sha256() for name, content in hub.files.items()}
        driver = open_tab(hub)
        driver.click(driver.page.tabs.buttons["chat"])
        desk = driver.page._downloads
        for place in (str(path.parent), f"{hub.place}/{REPOSITORY}/resolve/{COMMIT}"):
            dialog = desk.update_catalogue(driver.window)
            assert isinstance(dialog, DownloadSourceDialog)
            with driver.until(desk.catalogue_changed):
                dialog.place_chosen.emit(place)
            dialog.reject()
            assert "2027-03-01" in words(driver.page.banner)
            assert "New" in driver.titles()
            back = [action.text() for action in driver.page.menu().actions()][-1]
            assert back == "Kotae に入っていたカタログに戻す"
            with driver.until(desk.catalogue_changed):
                driver.page.menu().actions()[-1].trigger()
            assert "New" not in driver.titles()
        path.write_bytes(path.read_bytes() + b"\n")
        with driver.until(desk.catalogue_refused):
            desk._on_edition_chosen(str(path.parent))
        assert "ハッシュと違います" in words(driver.page.banner)
