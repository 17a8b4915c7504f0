"""The settings of where models are and of what may leave this machine; and what a start offers to go on with."""

import dataclasses
import json
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QLabel

from app.base import settings
from app.base.isolation import network_guard
from app.inference.services.events import EngineStatus
from app.models import local_models, models_folder
from app.models.models_folder import FolderMove
from app.models.services.downloads import NetworkContact
from app.shell.ui.first_run_dialog import FirstRunDialog
from app.shell.ui.settings.network import TrafficList
from app.uikit import desktop
from app.uikit.desktop import Pickers
from app.uikit.dialogs import Dialog
from app.uikit.widgets.labels import Label
from tests import model_files as models

LEFT = Qt.MouseButton.LeftButton


def words(widget) -> str:
    return "\n".join(label.text() for label in widget.findChildren(QLabel) if label.isVisibleTo(widget))


def dialogs() -> list[Dialog]:
    return [widget for widget in QApplication.topLevelWidgets() if isinstance(widget, Dialog) and widget.isVisible()]


@pytest.fixture
def model(store, where):
    local_models.add(store, local_models.describe(models.tiny_llama(where.models / "m.gguf")))


@pytest.fixture
def parts(open_window, model):
    return open_window()


@pytest.fixture
def storage(parts):
    parts.window.show_settings("models")
    return parts.window.page("settings").section("models").storage


@pytest.fixture
def network(parts):
    parts.window.show_settings("network")
    return parts.window.page("settings").section("network")


def plain(text: str) -> str:
    return text.replace("\u200b", "")


def test_the_place_of_the_models_is_shown_with_what_is_free(storage, where):
    assert plain(storage.path.text()) == str(where.models)
    assert storage.room.text().startswith("空き ")


def test_the_models_are_moved_and_their_new_place_is_known_everywhere(parts, storage, qtbot, tmp_path, where):
    target = tmp_path / "別のドライブ"
    storage._pickers = Pickers(folder=lambda *_: str(target))
    qtbot.mouseClick(storage.move_button, LEFT)
    (dialog,) = dialogs()
    assert str(target) in words(dialog)
    with qtbot.waitSignal(parts.maintenance.folder_moved):
        qtbot.mouseClick(dialog.buttons["move"], LEFT)
    assert plain(storage.path.text()) == str(target)
    assert "モデルの保存先を移動しました。" in words(storage.banner)
    assert parts.library.models()[0].path == str(target / "m.gguf")
    assert settings.load(where.settings).models_folder == str(target)
    assert not (where.models / "m.gguf").exists()
    assert not storage.progress.isVisible()


def test_a_move_into_itself_is_explained(parts, storage, qtbot, where):
    dialog = storage.ask_to_move(where.models / "inside")
    with qtbot.waitSignal(parts.maintenance.failed):
        qtbot.mouseClick(dialog.buttons["move"], LEFT)
    assert "離れた場所のフォルダを指定してください" in words(storage.banner)
    assert storage.move_button.isEnabled()


def test_nothing_is_moved_while_the_model_answers(parts, storage, tmp_path):
    parts.engine.status = dataclasses.replace(EngineStatus(), state="answering")
    assert storage.ask_to_move(tmp_path / "new") is None
    assert "回答が終わってから、移動してください。" in words(storage.banner)


def interrupt_a_move(where, target: Path) -> None:
    target.mkdir()
    (target / "m.gguf.kotae-moving").write_bytes(b"half")
    models_folder.write_journal(where, FolderMove(where.models, target, "copying", ("m.gguf",), ("m.gguf",), {}))


def test_an_interrupted_move_is_offered_and_gone_on_with(model, open_window, qtbot, where, tmp_path):
    interrupt_a_move(where, tmp_path / "new")
    parts = open_window()
    banner = parts.offers.moving
    assert str(tmp_path / "new") in words(banner)
    with qtbot.waitSignal(parts.maintenance.folder_moved):
        banner.action_requested.emit("continue")
    assert parts.window.current_page == "settings"
    assert parts.library.models()[0].path == str(tmp_path / "new" / "m.gguf")
    assert not parts.offers.isVisible()


def test_an_interrupted_move_can_be_given_up(model, open_window, qtbot, where, tmp_path):
    interrupt_a_move(where, tmp_path / "new")
    parts = open_window()
    with qtbot.waitSignal(parts.maintenance.move_undone):
        parts.offers.moving.action_requested.emit("undo")
    assert list((tmp_path / "new").iterdir()) == []
    assert (where.models / "m.gguf").exists()
    assert not parts.offers.isVisible()


def test_a_move_that_an_earlier_version_began_is_named_and_the_same_place_goes_on_with_it(
    model, open_window, qtbot, where, tmp_path
):
    target = tmp_path / "new"
    target.mkdir()
    (target / "m.gguf").write_bytes((where.models / "m.gguf").read_bytes())
    models_folder.write_journal(where, FolderMove(where.models, target, "switching", ("m.gguf",), ("m.gguf",), {}))
    journal = where.data / "models-move.json"
    told = json.loads(journal.read_text("ascii"))
    del told["mark"]
    journal.write_text(json.dumps(told), "ascii")
    parts = open_window()
    assert str(target) in words(parts.offers.moving)
    assert "同じ移動先をもう一度指定してください" in words(parts.offers.moving)
    assert parts.library.models()[0].path == str(where.models / "m.gguf")  # nothing was done by that file's word
    with qtbot.waitSignal(parts.maintenance.folder_moved):
        parts.maintenance.move_folder(target)
    assert parts.library.models()[0].path == str(target / "m.gguf")
    assert not (where.models / "m.gguf").exists()
    assert not journal.exists()


def test_where_such_a_move_is_over_only_the_old_folder_is_named_and_the_notice_can_be_put_away(
    model, open_window, qtbot, where, tmp_path
):
    old = tmp_path / "old"
    old.mkdir()
    (old / "m.gguf").write_bytes(b"left")
    told = {"source": str(old), "target": str(where.models), "state": "switching", "names": ["m.gguf"]}
    journal = where.data / "models-move.json"
    journal.write_text(json.dumps(told | {"made": ["m.gguf"], "noted": {}}), "ascii")
    parts = open_window()
    banner = parts.offers.moving
    assert f"移動は済んでいます。元のフォルダ {old} に残ったモデルのファイルは" in words(banner)
    assert "途中です" not in words(banner)
    assert "もう一度指定" not in words(banner)
    with qtbot.waitSignal(parts.maintenance.move_undone):
        banner.action_requested.emit("undo")
    assert (old / "m.gguf").read_bytes() == b"left"
    assert not journal.exists()
    assert not parts.offers.isVisible()


@pytest.mark.parametrize("place", ["", "m"])
def test_the_models_themselves_are_never_called_left_over(where, place):
    where.data.mkdir(exist_ok=True)
    told = {"source": str(where.models / place), "target": str(where.models), "state": "switching"}
    (where.data / "models-move.json").write_text(json.dumps(told | {"names": [], "made": [], "noted": {}}), "ascii")
    found = models_folder.pending(where)
    assert found is not None
    assert found.state == "elsewhere"


def test_the_notice_of_such_a_move_can_be_put_away_and_deletes_nothing(model, open_window, qtbot, where, tmp_path):
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "m.gguf").write_bytes(b"mine")
    told = {"source": str(tmp_path / "old"), "target": str(tmp_path / "new"), "state": "copying"}
    journal = where.data / "models-move.json"
    journal.write_text(json.dumps(told | {"names": ["m.gguf"], "made": ["m.gguf"], "noted": {}}), "ascii")
    parts = open_window()
    with qtbot.waitSignal(parts.maintenance.move_undone):
        parts.offers.moving.action_requested.emit("undo")
    assert (tmp_path / "new" / "m.gguf").read_bytes() == b"mine"
    assert not journal.exists()
    assert not parts.offers.isVisible()


def test_all_outside_traffic_can_be_blocked(parts, network, qtbot, where):
    network.block.click()
    assert not settings.load(where.settings).network_allowed
    assert not network.proxy.isEnabled()
    assert "変えられません" in network._limit_row._note.text()  # why all that follows is disabled
    network.block.click()
    assert network._limit_row._note.text() == ""
    assert settings.load(where.settings).network_allowed
    assert network.proxy.isEnabled()


def test_an_address_is_kept_when_it_is_one(parts, network, where):
    for text, kept in (("https://mirror.example", "https://mirror.example"), ("まだ途中", "https://mirror.example")):
        network.mirror.setText(text)
        network.mirror.editingFinished.emit()
        assert settings.load(where.settings).hub_endpoint == kept
    assert "▲ 「http://ホスト:ポート」の形で入力してください。" in words(network)
    network.mirror.setText("")
    network.mirror.editingFinished.emit()
    assert settings.load(where.settings).hub_endpoint == ""
    assert "▲" not in words(network)


def test_a_password_in_an_address_is_refused_and_asked_for_elsewhere(parts, network, qtbot, where):
    network.proxy.setText("http://taro:himitsu@proxy:8080")
    network.proxy.editingFinished.emit()
    assert "ここには入力できません" in words(network)
    assert "himitsu" not in where.settings.read_text("utf-8")
    dialog = network.ask_login()
    given = []
    dialog.login_given.connect(lambda *login: given.append(login))
    assert not dialog.buttons["use"].isEnabled()
    dialog.user.setText("taro")
    dialog.password.setText("himitsu")
    assert "himitsu" not in dialog.password.displayText()
    qtbot.mouseClick(dialog.buttons["use"], LEFT)
    assert given == [("taro", "himitsu")]
    assert "himitsu" not in where.settings.read_text("utf-8")


def test_the_speed_limit_applies_at_once(parts, network, where):
    network.limit.setCurrentIndex(network.limit.findText("5 MB/s"))
    network.limit.activated.emit(network.limit.currentIndex())
    assert settings.load(where.settings).download_limit_bytes_per_s == 5_000_000


def test_the_first_run_offers_the_model_that_suits_this_machine(open_window, qtbot):
    parts = open_window()
    parts.navigation.first_run_requested.emit()
    dialog = parts.window.findChild(FirstRunDialog)
    dialog.show_step(1)
    card = dialog.model.download
    if card is None:
        pytest.skip("this machine has no memory for any model")
    assert card.button.isVisible()
    parts.preferences.change(network_allowed=False)
    parts.downloads.changed.emit()
    assert not card.button.isVisible()
    assert "通信が許可されていません" in words(card)
    assert card.kit_button.isVisible()
    dialog.close()


def test_each_use_of_the_network_is_listed_and_leads_to_where_more_is_said(parts, monkeypatch, qtbot):
    contacts = [
        NetworkContact("huggingface.co", 1_764_000_000.0, "試し 8B"),
        NetworkContact("pypi.org", 1_764_000_060.0, "", "training"),
        NetworkContact("files.example", 1_764_000_090.0, "", "documents"),
        NetworkContact("192.168.1.20", 1_764_000_120.0, "社内の 70B", "ask"),
    ]
    monkeypatch.setattr(parts.downloads, "contacts", lambda: contacts)
    monkeypatch.setattr(network_guard, "_refusals", ["socket.connect ('203.0.113.9', 443)"])
    opened: list[object] = []
    monkeypatch.setattr(desktop, "open_folder", opened.append)
    window = parts.window
    window._show_downloads()
    window.sidebar.traffic.refresh()
    window.sidebar.traffic.click()
    traffic = window.page("settings").section("network").traffic
    said = [button.accessibleName() for button in traffic.buttons]
    assert len(said) == 5
    for text, fact in zip(said, ("huggingface.co", "学習環境", "文字認識", "192.168.1.20", "203.0.113.9"), strict=True):
        assert fact in text
    sections = window.page("settings").list
    places = (("models", "通信"), ("settings", "学習環境"), ("documents", "通信"), ("ask", "通信"))
    for at, (place, section) in enumerate(places):
        window.sidebar.traffic.click()
        assert traffic.isVisible()
        traffic.buttons[at].click()
        assert (window.current_page, sections.currentIndex().data()) == (place, section)
    traffic.buttons[4].click()
    assert opened == [parts.paths.logs]


def test_a_server_without_a_name_was_asked_too(parts):
    parts.engine.contacts.append(NetworkContact("192.168.1.20", 1_764_000_120.0, "", "ask"))
    parts.window._show_downloads()
    ((line, place),) = parts.window.sidebar.traffic.lines()
    assert place == "ask"
    assert "192.168.1.20" in line


def test_the_list_of_uses_says_that_there_are_none_and_shows_the_last_of_many(theme, qtbot):
    traffic = TrafficList(theme)
    qtbot.addWidget(traffic)
    traffic.show()
    assert traffic.findChild(Label).text() == "ありません。"
    traffic.show_lines([(f"{number} 件目", "log") for number in range(50)])
    assert [traffic.buttons[0].text(), traffic.buttons[-1].text()] == ["30 件目", "49 件目"]
    assert traffic.more_button.text() == "これより前も見る（あと 30 件）"
    for shown in (40, 50):
        traffic.more_button.click()
        assert (len(traffic.buttons), traffic.buttons[-1].text()) == (shown, "49 件目")
    assert (traffic.buttons[0].text(), traffic.more_button.isVisible()) == ("0 件目", False)
    traffic.show_lines([])
    assert traffic.findChild(Label).isVisible()
