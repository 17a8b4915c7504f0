"""The order of downloads that wait, changed by key and menu; and a source that is given for one download."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMenu

from app.base.services import background
from app.models import catalogue
from app.models.services.downloads import Download
from app.models.ui.download_controller import DownloadConsent, DownloadSourceDialog
from app.models.ui.download_presenter import possible_steps
from tests.models.downloads.shelf import gguf, put_card
from tests.models.ui.test_downloads_page import LEFT, LIMIT_MS, shown_dialogs, words

CARDS = ("eins", "zwei", "drei")
ALT = Qt.KeyboardModifier.AltModifier


def waiting(name: str, state: str = "paused") -> Download:
    return Download(name, name, name, "F32", (), "", 10, 0, state)


@pytest.mark.parametrize(
    ("states", "steps"),
    [
        (("paused",), [()]),
        (("running", "waiting", "failed"), [(), (1,), (-1,)]),
        (("paused",) * 3, [(1,), (-1, 1), (-1,)]),
    ],
)
def test_nothing_is_put_before_what_is_under_way(states, steps):
    items = [waiting(str(number), state) for number, state in enumerate(states)]
    assert [possible_steps(items, item.id) for item in items] == steps


@pytest.fixture
def page(open_window, where, tmp_path):
    """Three downloads from a folder that is not there: none can begin."""
    path = gguf(tmp_path / "stick")
    cards = [put_card(where.cards, path.stat().st_size, file=f"{name}.gguf", card_id=name) for name in CARDS]
    parts = open_window()
    parts.window.show_page("models")
    for card in cards:
        parts.downloads.start(card, card.files[0], str(tmp_path / "stick"))
        parts.downloads.pause(next(item.id for item in parts.downloads.items() if item.card_id == card.id))
    page = parts.window.page("models")
    page.parts = parts
    parts.window.activateWindow()
    yield page
    parts.downloads.close()
    background.shut_down()
    catalogue.use_own_cards(where.data / "absent")


def order(page) -> list[str]:
    return [item.card_id for item in page.parts.downloads.items()]


def id_of(page, card_id: str) -> str:
    return next(item.id for item in page.parts.downloads.items() if item.card_id == card_id)


def wait_for_rest(page, qtbot) -> None:
    qtbot.waitUntil(lambda: not page.parts.downloads.is_working, timeout=LIMIT_MS)


def test_a_key_moves_the_download_of_the_chosen_model(page, qtbot):
    wait_for_rest(page, qtbot)
    page.list.setCurrentIndex(page.models.index_of("card:drei"))
    page.list.setFocus()
    qtbot.keyClick(page.list, Qt.Key.Key_Up, ALT)
    assert order(page) == ["eins", "drei", "zwei"]
    qtbot.keyClick(page.list, Qt.Key.Key_Up, ALT)
    qtbot.keyClick(page.list, Qt.Key.Key_Up, ALT)  # it is the first already
    assert order(page) == ["drei", "eins", "zwei"]
    assert page._entry.key == "card:drei"
    qtbot.keyClick(page.list, Qt.Key.Key_Down, ALT)
    assert order(page) == ["eins", "drei", "zwei"]


def test_a_key_in_a_row_moves_its_download_and_the_keyboard_stays(page, qtbot):
    wait_for_rest(page, qtbot)
    qtbot.waitUntil(page.window().isActiveWindow)
    row = page.downloading._rows[id_of(page, "zwei")]
    row.resume_button.setFocus()
    qtbot.keyClick(row.resume_button, Qt.Key.Key_Down, ALT)
    assert order(page) == ["eins", "drei", "zwei"]
    assert page.downloading._rows[id_of(page, "zwei")].resume_button.hasFocus()


def test_the_menu_of_a_row_moves_it(page, qtbot):
    wait_for_rest(page, qtbot)
    row = page.downloading._rows[id_of(page, "eins")]
    assert (
        row.menu_button.accessibleName().startswith("順番を変える eins")
        or "小さなモデル" in row.menu_button.accessibleName()
    )
    qtbot.mouseClick(row.menu_button, LEFT)
    (menu,) = [one for one in page.list.findChildren(QMenu) if one.isVisible()]
    up, down = menu.actions()
    assert (up.text(), up.isEnabled(), down.text(), down.isEnabled()) == ("上へ", False, "下へ", True)
    down.trigger()
    menu.close()
    assert order(page) == ["zwei", "eins", "drei"]


def source_dialog(page, qtbot, card_id: str = "tiny") -> DownloadSourceDialog:
    page.list.setCurrentIndex(page.models.index_of(f"card:{card_id}"))
    qtbot.mouseClick(page.detail.download_button, LEFT)
    (consent,) = [one for one in shown_dialogs() if isinstance(one, DownloadConsent)]
    qtbot.mouseClick(consent.source_button, LEFT)
    (dialog,) = [one for one in shown_dialogs() if isinstance(one, DownloadSourceDialog)]
    return dialog


@pytest.fixture
def stick(page, where, tmp_path):
    """A card whose file lies in a folder."""
    path = gguf(tmp_path / "USB メモリ")
    put_card(where.cards, path.stat().st_size)
    page._refill()
    return path


@pytest.mark.parametrize("is_allowed", [True, False])
def test_a_model_comes_from_a_folder_that_is_given_once(page, stick, qtbot, tmp_path, is_allowed):
    wait_for_rest(page, qtbot)
    if is_allowed:
        dialog = source_dialog(page, qtbot)
    else:
        page.parts.preferences.change(network_allowed=False)
        page.list.setCurrentIndex(page.models.index_of("card:tiny"))
        page.detail.offline.action_requested.emit("source")
        (dialog,) = [one for one in shown_dialogs() if isinstance(one, DownloadSourceDialog)]
        assert not dialog.field.isEnabled()
    assert not dialog.buttons["next"].isEnabled()
    dialog.use_folder(str(tmp_path))
    qtbot.waitUntil(lambda: f"このフォルダに {stick.name} はありません。" in words(dialog), timeout=LIMIT_MS)
    assert not dialog.buttons["next"].isEnabled()
    dialog.use_folder(str(stick.parent))
    qtbot.waitUntil(dialog.buttons["next"].isEnabled, timeout=LIMIT_MS)
    qtbot.mouseClick(dialog.buttons["next"], LEFT)
    (consent,) = [one for one in shown_dialogs() if isinstance(one, DownloadConsent)]
    assert str(stick.parent) in words(consent)
    consent.read.setChecked(True)
    with qtbot.waitSignal(page.parts.downloads.finished, timeout=LIMIT_MS) as signal:
        qtbot.mouseClick(consent.buttons["accept"], LEFT)
    assert signal.args[0].card_id == "tiny"
    assert page.parts.downloads.contacts() == []


@pytest.mark.parametrize(
    ("address", "is_good"),
    [("https://mirror.example/", True), ("http://10.0.0.5:8080/m/tiny.gguf", True), ("mirror.example", False),
     ("ftp://mirror.example/a.gguf", False), ("https://", False), ("http://[", False)],
)  # fmt: skip
def test_an_address_counts_when_it_is_one(page, stick, qtbot, address, is_good):
    wait_for_rest(page, qtbot)
    dialog = source_dialog(page, qtbot)
    dialog.use_folder(str(stick.parent))
    qtbot.waitUntil(dialog.buttons["next"].isEnabled, timeout=LIMIT_MS)
    qtbot.keyClicks(dialog.field, address)
    assert dialog.buttons["next"].isEnabled() == is_good
    assert dialog.place == (address if is_good else "")
    assert ("http:// か https:// で始まる" in words(dialog)) != is_good
    dialog.reject()
