"""Presets as a user handles them: made, changed, undone, handed on, and overridden in one conversation."""

import dataclasses
import json

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QInputMethodEvent
from PySide6.QtWidgets import QApplication, QMenu, QPlainTextEdit

from app.base.errors import AppError
from app.base.invisible_characters import STORED_TEXT_MAX
from app.chat.presets import STANDARD_PRESET, Choices, Preset
from app.chat.services.preset_library import PresetLibrary
from app.chat.ui import preset_editor
from app.chat.ui.preset_editor import ConversationSettings, PresetEditor
from app.chat.ui.preset_file_dialogs import PresetExportDialog
from app.chat.ui.preset_section import PresetsSection
from app.models import catalogue
from app.uikit.page import Navigation

CARD = catalogue.load().card("qwen2.5-7b-instruct")  # temperature 0.7, top_k 20


@pytest.fixture
def presets(store):
    return PresetLibrary(store)


@pytest.fixture
def section(scene, theme, qtbot):
    navigation = Navigation()
    section = PresetsSection(theme, navigation, scene.preferences, scene.presets, lambda: CARD)
    qtbot.addWidget(section)
    section.resize(700, 700)
    section.show()
    section.undone = []
    navigation.undo_offered.connect(lambda text, undo: section.undone.append((text, undo)))
    return section


@pytest.fixture
def open_editor(presets, theme, qtbot):
    def open_(preset: Preset, *, shows_details: bool = False) -> PresetEditor:
        editor = PresetEditor(theme, presets, preset, CARD, shows_details=shows_details)
        qtbot.addWidget(editor)
        editor.open()
        return editor

    return open_


def click(button, qtbot) -> None:
    assert button.isVisible()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def choose(section, name: str) -> Preset:
    preset = next(preset for kind in ("chat", "action") for preset in section._presets.all(kind) if preset.name == name)
    section.list.setCurrentIndex(section.entries.index_of(preset.id))
    assert section.chosen == preset
    return preset


def names(section) -> list[str]:
    return [section.entries.index(row).data() for row in range(section.entries.rowCount())]


def pick(chooser, text: str) -> None:
    chooser.setCurrentIndex(chooser.findText(text))
    chooser.activated.emit(chooser.currentIndex())


def commit(field, text: str) -> None:
    """What an input method does at the end of a conversion."""
    event = QInputMethodEvent("", [])
    event.setCommitString(text)
    QApplication.sendEvent(field, event)


def close(editor, qtbot) -> None:
    """`Esc`, and away with the changes."""
    with qtbot.waitSignal(editor.finished):
        editor._is_dirty = False
        editor.reject()


# ------------------------------------------------------------------------ list


def test_the_list_has_both_kinds_under_headings_and_marks_the_one_of_new_conversations(section):
    shown = names(section)
    assert shown.index("会話のプリセット") < shown.index("標準") < shown.index("クイック操作（回答の下のボタン）")
    assert shown[-1] in [preset.name for preset in section._presets.all("action")]
    marked = [row for row in range(len(shown)) if section.entries.entry(section.entries.index(row, 0)).is_default]
    assert [shown[row] for row in marked] == ["標準"]
    assert section.chosen.id == STANDARD_PRESET


def test_a_row_says_to_a_screen_reader_what_it_shows(section):
    row = section.entries.index_of(STANDARD_PRESET)
    text = row.data(Qt.ItemDataRole.AccessibleTextRole)
    assert text == "標準　新しい会話で使用　すべてモデルの推奨どおり"


@pytest.mark.parametrize(
    ("choices", "summary"),
    [
        (Choices(), "すべてモデルの推奨どおり"),
        (Choices(system_prompt=""), "指示なし"),
        (Choices("三文で\n答える", 0.0, max_tokens=1024), "温度 0　最大 1,024 トークン　三文で 答える"),
        (Choices(temperature=0.25, seed=7), "温度 0.25　乱数の種 7"),
    ],
)
def test_a_preset_is_summed_up_in_one_line(qapp, choices, summary):
    assert preset_editor.preset_summary(Preset("x", "chat", "x", choices)) == summary


def test_only_what_can_be_done_with_a_preset_is_offered(section, qtbot):
    assert section.edit_button.isVisible()
    hidden = (section.use_button, section.reset_button, section.delete_button)
    assert not any(button.isVisible() for button in hidden)  # it is the default already, and as it came
    choose(section, "短く")
    assert section.use_button.isVisible()
    choose(section, "要約")
    assert not section.use_button.isVisible()
    click(section.copy_button, qtbot)
    assert section.delete_button.isVisible()
    assert not section.reset_button.isVisible()


def test_the_context_menu_has_the_same_as_the_buttons(section, qtbot):
    choose(section, "短く")
    section.list.customContextMenuRequested.emit(section.list.rect().center())
    menu = QApplication.activePopupWidget()
    assert isinstance(menu, QMenu)
    assert [action.text() for action in menu.actions()] == ["編集", "複製", "新しい会話で使う"]
    menu.actions()[1].trigger()
    menu.close()
    assert section.chosen.name == "短く（2）"


def test_the_chosen_one_is_used_by_new_conversations(section, scene, qtbot):
    preset = choose(section, "短く")
    click(section.use_button, qtbot)
    assert scene.preferences.value.preset_id == preset.id
    assert scene.session.preset == preset
    assert section.chosen == preset
    assert not section.use_button.isVisible()


def test_a_copy_has_another_name_and_the_same_settings(section, qtbot):
    original = choose(section, "短く")
    click(section.copy_button, qtbot)
    assert (section.chosen.name, section.chosen.choices) == ("短く（2）", original.choices)
    click(section.copy_button, qtbot)
    assert section.chosen.name == "短く（3）"
    assert not section.chosen.is_built_in


def test_a_deleted_preset_can_be_brought_back(section, scene, qtbot):
    choose(section, "短く")
    click(section.copy_button, qtbot)
    own = section.chosen
    click(section.use_button, qtbot)
    click(section.delete_button, qtbot)
    assert "短く（2）" not in names(section)
    assert scene.session.preset.id == STANDARD_PRESET  # what new conversations had is gone
    ((text, undo),) = section.undone
    assert text == "「短く（2）」を削除しました。"
    undo()
    assert section.chosen == own
    assert scene.session.preset == own


def test_after_deleting_the_neighbour_is_chosen(section, qtbot):
    for name in ("丙", "乙"):
        section._presets.add("chat", name, Choices())
    choose(section, "丙")
    row = section.list.currentIndex().row()
    click(section.delete_button, qtbot)
    assert abs(section.list.currentIndex().row() - row) <= 1
    assert section.chosen.name != "標準"


def test_what_came_with_kotae_goes_back_to_what_it_was_and_that_can_be_undone(section, qtbot):
    before = choose(section, "短く")
    section._presets.put(dataclasses.replace(before, name="ごく短く", choices=Choices(max_tokens=64)))
    changed = choose(section, "ごく短く")
    assert "初期値から変更" in section.list.currentIndex().data(Qt.ItemDataRole.AccessibleTextRole)
    assert not section.delete_button.isVisible()
    click(section.reset_button, qtbot)
    assert section.chosen == before
    assert not section.reset_button.isVisible()
    section.undone[0][1]()
    assert section.chosen == changed


def test_changing_it_back_by_hand_leaves_no_trace(section, store):
    before = choose(section, "短く")
    section._presets.put(dataclasses.replace(before, name="別の名前"))
    section._presets.put(before)
    assert not section.reset_button.isVisible()
    assert store.database.read("SELECT * FROM preset") == []


def test_a_full_disk_is_said_and_changes_nothing(section, scene, monkeypatch, qtbot):
    def fail(*_):
        raise AppError("disk_full", path="/")

    before = names(section)
    monkeypatch.setattr(scene.presets._table, "put", fail)
    with qtbot.waitSignal(scene.presets.problem_occurred) as signal:
        click(section.copy_button, qtbot)
    assert signal.args[0].code == "disk_full"
    assert names(section) == before


# ---------------------------------------------------------------------- editor


def test_a_preset_is_made_in_the_editor_and_chosen_in_the_list(section, qtbot):
    section.new_button.menu().actions()[0].trigger()
    editor = section.editor
    commit(editor.name, "検査")
    pick(editor.form.prompt.source, "自分で書く")
    editor.form.prompt.text.setPlainText("検査員として答えてください。")
    qtbot.keyClicks(editor.form.spins["temperature"], "0.2")
    click(editor.save_button, qtbot)
    assert not editor.isVisible()
    assert section.chosen.name == "検査"
    assert section.chosen.choices == Choices("検査員として答えてください。", temperature=0.2)


def test_a_quick_action_has_a_request_and_no_system_prompt(section, qtbot):
    section.new_button.menu().actions()[1].trigger()
    editor = section.editor
    assert editor.request.isVisible()
    assert not editor.form.prompt.isVisible()
    assert editor.form.spins["temperature"].text() == "自動（会話と同じ）"
    commit(editor.name, "英語に")
    click(editor.save_button, qtbot)
    assert editor.problem.text() == "お願いの文を書いてください。"
    editor.request.setPlainText("今の回答を英語に訳してください。")
    click(editor.save_button, qtbot)
    assert section.chosen.kind == "action"
    assert (section.chosen.name, section.chosen.request) == ("英語に", "今の回答を英語に訳してください。")


def test_enter_on_a_row_opens_its_editor(section, qtbot):
    choose(section, "短く")
    section.list.setFocus()
    qtbot.keyClick(section.list, Qt.Key.Key_Return)
    assert section.editor.name.text() == "短く"
    section.editor.name.setText("ごく短く")
    click(section.editor.save_button, qtbot)
    assert section.chosen.name == "ごく短く"
    assert section.chosen.is_built_in


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("", "名前を入れてください。"),
        ("　 ", "名前を入れてください。"),
        ("標準", "同じ名前のものがあります。別の名前にしてください。"),
        ("短\u202eく", "名前に使えない文字があります。"),
    ],
)
def test_a_name_that_does_not_do_is_refused(open_editor, presets, qtbot, name, problem):
    editor = open_editor(Preset("", "chat", ""))
    before = presets.all("chat")
    editor.name.setText(name)
    click(editor.save_button, qtbot)
    assert editor.isVisible()
    assert editor.problem.text() == problem
    assert editor.focusWidget() is editor.name
    assert presets.all("chat") == before
    close(editor, qtbot)


def test_a_prompt_of_ones_own_must_say_something_and_not_too_much(open_editor, qtbot):
    editor = open_editor(Preset("", "chat", "検査"))
    pick(editor.form.prompt.source, "自分で書く")
    editor.form.prompt.text.setPlainText(" \n")
    click(editor.save_button, qtbot)
    assert "システムプロンプトの文を書く" in editor.problem.text()
    editor.form.prompt.text.setPlainText("あ" * (STORED_TEXT_MAX + 1))
    click(editor.save_button, qtbot)
    assert "20,001 文字" in editor.problem.text()
    close(editor, qtbot)


def test_halves_of_surrogate_pairs_are_not_stored(open_editor, presets, qtbot):
    editor = open_editor(Preset("", "chat", "検査"))
    pick(editor.form.prompt.source, "自分で書く")
    editor.form.prompt.text.setPlainText("橋\ud842脚")
    click(editor.save_button, qtbot)
    stored = next(preset for preset in presets.all("chat") if preset.name == "検査")
    assert stored.choices.system_prompt.encode("utf-8").decode("utf-8")[0] == "橋"


@pytest.mark.parametrize(
    ("words_", "prompt"), [("モデルの推奨文を使う", None), ("指示を付けない", ""), ("自分で書く", CARD.system_prompt)]
)
def test_the_prompt_is_left_to_the_model_or_none_or_ones_own(open_editor, presets, qtbot, words_, prompt):
    """Who begins to write starts from what the model's authors recommend."""
    editor = open_editor(Preset("", "chat", "検査", Choices(system_prompt="" if prompt is None else None)))
    pick(editor.form.prompt.source, words_)
    assert editor.form.prompt.text.isVisible() == (prompt not in (None, ""))
    click(editor.save_button, qtbot)
    stored = next(preset for preset in presets.all("chat") if preset.name == "検査")
    assert stored.choices.system_prompt == prompt


def test_what_is_left_alone_shows_what_the_model_recommends(open_editor, qtbot):
    editor = open_editor(Preset("", "chat", "検査"), shows_details=True)
    shown = {key: spin.text() for key, spin in editor.form.spins.items()}
    assert shown["temperature"] == "自動（0.7）"
    assert shown["top_k"] == "自動（20）"
    assert shown["repeat_penalty"] == "自動（1.05）"
    assert shown["max_tokens"] == "自動（1024）"
    assert shown["seed"] == "自動（毎回変わる）"
    assert CARD.system_prompt in editor.form.prompt._quoted.text()
    close(editor, qtbot)


def test_details_are_hidden_unless_they_are_wished_or_in_use(open_editor, qtbot):
    def visible(editor) -> set[str]:
        return {key for key, row in editor.form.rows.items() if row.isVisible()}

    basic = {"system_prompt", "temperature", "max_tokens"}
    editor = open_editor(Preset("", "chat", "検査"))
    assert visible(editor) == basic
    close(editor, qtbot)
    editor = open_editor(Preset("", "chat", "検査", Choices(top_k=5)))
    assert visible(editor) == {*basic, "top_k"}
    close(editor, qtbot)
    editor = open_editor(Preset("", "chat", "検査"), shows_details=True)
    assert visible(editor) == {*basic, "top_k", "top_p", "min_p", "repeat_penalty", "seed"}
    close(editor, qtbot)


def test_a_number_that_was_not_touched_stays_exactly_as_it_was(open_editor, presets, qtbot):
    choices = Choices("x", 0.123456, 7, 0.9123, 0.04321, 1.0501, 333, 4_000_000_000)
    own = presets.add("chat", "精密", choices)
    editor = open_editor(own)
    editor.name.setText("精密な")
    click(editor.save_button, qtbot)
    stored = next(preset for preset in presets.all("chat") if preset.id == own.id)
    assert (stored.name, stored.choices) == ("精密な", choices)
    assert isinstance(stored.choices.seed, int)


def test_numbers_can_be_typed_full_width_and_an_emptied_field_is_left_to_the_model(open_editor, presets, qtbot):
    editor = open_editor(Preset("", "chat", "検査"))
    spin = editor.form.spins["temperature"]
    qtbot.mouseClick(spin.lineEdit(), Qt.MouseButton.LeftButton)  # in the middle of the words 自動（0.7）
    commit(spin, "０．３")
    assert spin.text() == "0.3"
    length = editor.form.spins["max_tokens"]
    qtbot.keyClicks(length, "300")
    length.lineEdit().clear()
    click(editor.save_button, qtbot)
    stored = next(preset for preset in presets.all("chat") if preset.name == "検査")
    assert stored.choices == Choices(temperature=0.3)


def test_stepping_starts_from_what_the_model_recommends(open_editor, qtbot):
    editor = open_editor(Preset("", "chat", "検査"), shows_details=True)
    temperature, seed = editor.form.spins["temperature"], editor.form.spins["seed"]
    qtbot.keyClick(temperature, Qt.Key.Key_Down)
    assert temperature.number() == 0.6
    qtbot.keyClick(seed, Qt.Key.Key_Up)
    assert seed.number() == 0
    close(editor, qtbot)


def test_leaving_with_changes_asks_first(open_editor, presets, qtbot):
    editor = open_editor(presets.all("chat")[0])
    editor.reject()
    assert not editor.isVisible()
    editor = open_editor(presets.all("chat")[0])
    qtbot.keyClicks(editor.name, "x")
    qtbot.keyClick(editor, Qt.Key.Key_Escape)
    assert editor.isVisible()
    question = QApplication.activeModalWidget()
    click(question.buttons["cancel"], qtbot)
    assert editor.isVisible()
    qtbot.keyClick(editor, Qt.Key.Key_Escape)
    click(QApplication.activeModalWidget().buttons["leave"], qtbot)
    assert not editor.isVisible()
    assert presets.all("chat")[0].name == "標準"


def test_what_cannot_be_stored_stays_in_the_editor(open_editor, presets, monkeypatch, qtbot):
    def fail(*_):
        raise AppError("disk_full", path="/")

    monkeypatch.setattr(presets._table, "put", fail)
    editor = open_editor(Preset("", "chat", "検査"))
    click(editor.save_button, qtbot)
    assert editor.isVisible()
    assert editor.problem.text() == "保存できませんでした。"
    close(editor, qtbot)


def test_every_field_of_the_editor_is_named_and_explained(open_editor, qtbot):
    editor = open_editor(Preset("", "chat", "検査"), shows_details=True)
    for key, row in editor.form.rows.items():
        assert row.control.accessibleName() == preset_editor.setting_label(key)
        assert row.control.accessibleDescription().endswith("。")
    assert editor.form.prompt.source.accessibleName()
    assert editor.form.prompt.text.accessibleName()
    close(editor, qtbot)


# ---------------------------------------------------------------- conversation


@pytest.fixture
def answering(scene, theme, qtbot):
    def open_(*, shows_details: bool = False) -> ConversationSettings:
        window = ConversationSettings(theme, scene.session, scene.presets, CARD, shows_details=shows_details)
        qtbot.addWidget(window)
        window.open()
        return window

    return open_


def test_what_is_set_for_a_conversation_reaches_its_next_answer_only(scene, answering, qtbot):
    first = scene.ask("一つ目")
    window = answering()
    qtbot.keyClicks(window.form.spins["temperature"], "0.1")
    pick(window.form.prompt.source, "自分で書く")
    window.form.prompt.text.setPlainText("短く。")
    click(window.save_button, qtbot)
    second = scene.ask("二つ目")
    assert first.details.choices.temperature != 0.1
    assert (second.details.choices.temperature, second.details.choices.system_prompt) == (0.1, "短く。")
    assert scene.thread()[1].details.choices == first.details.choices
    scene.session.new()
    other = scene.ask("別の会話")
    assert other.details.choices == first.details.choices


def test_another_preset_reaches_the_next_answer_with_what_is_otherwise_over_it(scene, answering, qtbot):
    own = scene.presets.add("chat", "検査", Choices("検査員です。", temperature=0.2, top_k=3))
    scene.session.answer_by(None, Choices(temperature=0.9))
    window = answering()
    assert window.preset.currentText() == "標準"
    pick(window.preset, "検査")
    assert window.form.spins["top_k"].text() == "プリセットどおり（3）"
    click(window.save_button, qtbot)
    assert (scene.session.preset, scene.session.choices) == (own, Choices(temperature=0.9))
    found = scene.ask("質問").details.choices
    assert (found.system_prompt, found.temperature, found.top_k) == ("検査員です。", 0.9, 3)


def test_it_says_what_is_otherwise_than_the_preset_and_goes_back_to_it(scene, answering, qtbot):
    scene.session.answer_by("exact", Choices(temperature=0.3, top_k=10))
    window = answering()
    assert window.deviations.text() == "プリセットと違うところ：温度、候補の数（top_k）"
    note = window.form.rows["temperature"]._note
    assert note.isVisible()
    assert note.text() == "この会話だけの値です（プリセットでは 0）。"
    assert not window.form.rows["max_tokens"]._note.isVisible()
    click(window.revert_button, qtbot)
    assert not window.deviations.isVisible()
    assert not note.isVisible()
    assert scene.session.choices != Choices()  # not before it is accepted
    click(window.save_button, qtbot)
    assert (scene.session.preset.id, scene.session.choices) == ("exact", Choices())


def test_a_conversation_can_be_told_to_have_no_prompt(scene, answering, qtbot):
    scene.session.answer_by("exact", Choices())
    window = answering()
    pick(window.form.prompt.source, "指示を付けない")
    assert "システムプロンプト" in window.deviations.text()
    click(window.save_button, qtbot)
    assert scene.ask("質問").details.choices.system_prompt == ""


def test_what_is_otherwise_becomes_a_preset_of_its_own(scene, answering, qtbot):
    scene.session.answer_by("brief", Choices(temperature=0.3))
    window = answering()
    click(window.keep_button, qtbot)
    assert window.editor.name.text() == "短く（2）"
    window.editor.name.setText("短く堅く")
    click(window.editor.save_button, qtbot)
    assert window.preset.currentText() == "短く堅く"
    assert not window.deviations.isVisible()
    click(window.save_button, qtbot)
    preset = scene.session.preset
    assert (preset.name, scene.session.choices) == ("短く堅く", Choices())
    assert (preset.choices.temperature, preset.choices.max_tokens) == (0.3, 256)


def test_cancelling_leaves_the_conversation_as_it_was(scene, answering, qtbot):
    window = answering()
    qtbot.keyClicks(window.form.spins["temperature"], "0.1")
    click(window.cancel_button, qtbot)
    with qtbot.waitSignal(window.finished):
        click(QApplication.activeModalWidget().buttons["leave"], qtbot)
    assert scene.session.choices == Choices()


def test_a_temporary_conversation_has_settings_of_its_own(scene, answering, qtbot):
    scene.session.new(is_temporary=True)
    window = answering()
    qtbot.keyClicks(window.form.spins["temperature"], "0.1")
    click(window.save_button, qtbot)
    assert scene.ask("質問").details.choices.temperature == 0.1
    scene.session.new()
    assert scene.session.choices == Choices()


# ----------------------------------------------------------------------- files


def export(section, path, qtbot, *names_: str) -> None:
    section.choose_target = lambda _parent: str(path)
    dialog = section.export_dialog()
    qtbot.addWidget(dialog)
    dialog.open()
    for row in range(dialog.items.rowCount()):
        item = dialog.items.item(row)
        if names_:
            item.setCheckState(Qt.CheckState.Checked if item.text() in names_ else Qt.CheckState.Unchecked)
    click(dialog.buttons["export"], qtbot)
    qtbot.waitUntil(section.banner.isVisible)


def read(section, path, qtbot) -> None:
    section.choose_source = lambda _parent: str(path)
    click(section.import_button, qtbot)


def test_presets_go_to_a_file_and_come_back_under_names_that_are_free(section, tmp_path, qtbot):
    path = tmp_path / "組の設定.json"
    section._presets.add("action", "英語に", Choices(temperature=0.0), "英訳して")
    export(section, path, qtbot, "短く", "英語に")
    assert "2 件" in section.banner._what.text()
    read(section, path, qtbot)
    qtbot.waitUntil(lambda: "短く（2）" in names(section))
    by_name = {preset.name: preset for kind in ("chat", "action") for preset in section._presets.all(kind)}
    assert by_name["短く（2）"].choices == by_name["短く"].choices
    assert not by_name["短く（2）"].is_built_in
    assert by_name["英語に（2）"].request == "英訳して"
    assert section.chosen.name == "短く（2）"
    ((text, undo),) = section.undone
    assert text == "2 件のプリセットを取り込みました。"
    undo()
    assert "短く（2）" not in names(section)
    assert "英語に（2）" not in names(section)
    assert "英語に" in names(section)


def test_what_the_reader_has_anyway_is_not_exported_unless_it_is_wished(section, qtbot):
    section._presets.add("chat", "検査", Choices())
    section._presets.put(dataclasses.replace(section._presets.original("brief"), choices=Choices(max_tokens=9)))
    dialog = section.export_dialog()
    qtbot.addWidget(dialog)
    assert isinstance(dialog, PresetExportDialog)
    assert [preset.name for preset in dialog.marked()] == ["短く", "検査"]
    for row in range(dialog.items.rowCount()):
        dialog.items.item(row).setCheckState(Qt.CheckState.Unchecked)
    assert not dialog.buttons["export"].isEnabled()
    dialog.reject()


def test_a_file_that_is_none_is_refused_in_words(section, tmp_path, qtbot):
    path = tmp_path / "x.json"
    path.write_text("<html>", "utf-8")
    before = names(section)
    read(section, path, qtbot)
    qtbot.waitUntil(section.banner.isVisible)
    assert "プリセットのファイルではない" in section.banner._what.text()
    assert names(section) == before


def test_bad_entries_are_named_and_the_good_ones_are_there(section, tmp_path, qtbot):
    path = tmp_path / "x.json"
    entries = [
        {"kind": "chat", "name": "よい"},
        {"kind": "chat", "name": "熱すぎる", "choices": {"temperature": 99}},
        "<b>三</b>",
    ]
    path.write_text(json.dumps({"format": "kotae-presets", "version": 1, "presets": entries}), "utf-8")
    read(section, path, qtbot)
    qtbot.waitUntil(lambda: QApplication.activeModalWidget() is not None)
    dialog = QApplication.activeModalWidget()
    shown = dialog.findChild(QPlainTextEdit).toPlainText()
    assert "2 件目の「temperature」" in shown
    assert "3 件目は" in shown
    assert "よい" in names(section)
    assert "熱すぎる" not in names(section)
    dialog.reject()


def test_a_place_that_cannot_be_written_is_said(section, tmp_path, qtbot):
    export(section, tmp_path / "missing" / "x.json", qtbot, "短く")
    assert "書き出し先のフォルダが見つかりません" in section.banner._what.text()


# ------------------------------------------------------------------ the window


def test_a_deletion_is_undone_by_the_toast_of_the_window(open_window, qtbot):
    parts = open_window()
    own = parts.presets.add("chat", "検査", Choices())
    parts.window.show_settings("presets")
    section = parts.window.page("settings").presets
    assert section.isVisible()
    choose(section, "検査")
    click(section.delete_button, qtbot)
    click(parts.window.toast.undo_button, qtbot)
    assert own in parts.presets.all("chat")


def test_the_settings_of_the_open_conversation_open_over_the_window(open_window, qtbot):
    parts = open_window(800, 600)
    window = parts.window.show_answering()
    assert window.isVisible()
    assert window.height() <= 600
    pick(window.preset, "短く")
    click(window.save_button, qtbot)
    assert parts.session.preset.name == "短く"


def test_the_page_of_questions_opens_both(open_window, qtbot):
    parts = open_window()
    parts.navigation.answering_requested.emit()
    window = QApplication.activeModalWidget()
    assert isinstance(window, ConversationSettings)
    window.reject()
    parts.navigation.settings_requested.emit("presets")
    assert parts.window.page("settings").presets.isVisible()
