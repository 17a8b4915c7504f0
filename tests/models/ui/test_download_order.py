"""The order of downloads that wait, changed by key and menu; and a source that is given for one download."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMenu

from app.models.services.downloads import Download
from app.models.ui.download_controller import DownloadConsent, DownloadSourceDialog
from app.models.ui.download_presenter import possible_steps
from tests.models.downloads.shelf import gguf, put_card
from tests.models.ui.driver import DownloadsDriver, words

UP, DOWN, ALT = Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.KeyboardModifier.AltModifier


@pytest.mark.parametrize(
    ("states", "steps"),
    [
        (("paused",), [()]),
        (("running", "waiting", "failed"), [(), (1,), (-1,)]),
        (("paused",) * 3, [(1,), (-1, 1), (-1,)]),
    ],
)
def test_nothing_is_put_before_what_is_under_way(states, steps):
    items = [Download(str(id), "c", "題", "F32", (), "", 10, 0, state) for id, state in enumerate(states)]
    assert [possible_steps(items, item.id) for item in items] == steps


class OrderDriver(DownloadsDriver):
    def order(self) -> list[str]:
        return [item.card_id for item in self.downloads.items()]

    def row_of(self, card_id: str):
        id = next(item.id for item in self.downloads.items() if item.card_id == card_id)
        return self.page.downloading._rows[id]

    def ask_for_source(self) -> DownloadSourceDialog:
        self.choose("card:tiny")
        self.click(self.consent().source_button)
        return self.dialog(DownloadSourceDialog)


@pytest.fixture
def driver(open_window, where, tmp_path, qtbot, downloads_end):
    """Three downloads from a folder that is not there: none can begin. And a card whose file lies in a folder."""
    path = gguf(tmp_path / "USB メモリ")
    size_bytes = path.stat().st_size
    cards = [put_card(where.cards, size_bytes, file=f"{id}.gguf", card_id=id) for id in ("eins", "zwei", "drei")]
    put_card(where.cards, size_bytes)
    driver = downloads_end(OrderDriver(open_window(), qtbot))
    for card in cards:
        driver.downloads.start(card, card.files[0], str(tmp_path / "stick"))
        driver.downloads.pause(driver.downloads.items()[-1].id)
    driver.window.activateWindow()
    driver.wait(lambda: not driver.downloads.is_working)
    driver.stick = path
    return driver


def test_key_and_menu_of_a_row_move_it_the_keyboard_stays_and_a_key_moves_that_of_the_chosen_model(driver, qtbot):
    driver.wait(driver.window.isActiveWindow)
    row = driver.row_of("zwei")
    row.resume_button.setFocus()
    qtbot.keyClick(row.resume_button, DOWN, ALT)
    assert driver.order() == ["eins", "drei", "zwei"]
    assert driver.row_of("zwei").resume_button.hasFocus()
    row = driver.row_of("eins")
    assert "小さなモデル" in row.menu_button.accessibleName()
    driver.click(row.menu_button)
    (menu,) = [one for one in driver.list.findChildren(QMenu) if one.isVisible()]
    up, down = menu.actions()
    assert (up.text(), up.isEnabled(), down.text(), down.isEnabled()) == ("上へ", False, "下へ", True)
    down.trigger()
    menu.close()
    assert driver.order() == ["drei", "eins", "zwei"]
    driver.choose("card:drei")
    driver.list.setFocus()
    for key, order in (
        (UP, ["drei", "eins", "zwei"]),  # it is the first already
        (DOWN, ["eins", "drei", "zwei"]),
        (UP, ["drei", "eins", "zwei"]),
    ):
        qtbot.keyClick(driver.list, key, ALT)
        assert driver.order() == order
        assert driver.page._entry.key == "card:drei"


@pytest.mark.parametrize("is_allowed", [True, False])
def test_a_model_comes_from_a_folder_that_is_given_once(driver, tmp_path, is_allowed):
    if is_allowed:
        dialog = driver.ask_for_source()
    else:
        driver.preferences.change(network_allowed=False)
        driver.choose("card:tiny")
        driver.detail.offline.action_requested.emit("source")
        dialog = driver.dialog(DownloadSourceDialog)
        assert not dialog.field.isEnabled()
    assert not dialog.buttons["next"].isEnabled()
    dialog.use_folder(str(tmp_path))
    driver.wait(lambda: f"このフォルダに {driver.stick.name} はありません。" in words(dialog))
    assert not dialog.buttons["next"].isEnabled()
    dialog.use_folder(str(driver.stick.parent))
    driver.wait(dialog.buttons["next"].isEnabled)
    driver.click(dialog.buttons["next"])
    consent = driver.dialog(DownloadConsent)
    assert str(driver.stick.parent) in words(consent)
    consent.licence_check.setChecked(True)
    (model,) = driver.until_clicked(driver.downloads.finished, consent.buttons["accept"])
    assert model.card_id == "tiny"
    assert driver.downloads.contacts() == []


def test_an_address_counts_when_it_is_one(driver, qtbot):
    dialog = driver.ask_for_source()
    for address, is_good in (
        ("https://mirror.example/", True),
        ("http://10.0.0.5:8080/m/tiny.gguf", True),
        ("mirror.example", False),
        ("ftp://mirror.example/a.gguf", False),
        ("https://", False),
        ("http://[", False),
    ):
        dialog.use_folder(str(driver.stick.parent))
        driver.wait(dialog.buttons["next"].isEnabled)
        qtbot.keyClicks(dialog.field, address)
        assert dialog.buttons["next"].isEnabled() == is_good, address
        assert dialog.source == (address if is_good else "")
        assert ("http:// か https:// で始まる" in words(dialog)) != is_good
    dialog.reject()
