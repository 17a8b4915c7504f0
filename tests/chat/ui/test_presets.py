"""Presets as a user handles them: made, changed, undone, handed on, and overridden in one conversation.

The file is long, because list, editor, conversation and files are driven with the same few functions.
"""

import dataclasses
import json

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QPlainTextEdit

from app.base.invisible_characters import STORED_TEXT_MAX
from app.base.wording import phrase
from app.chat.presets import STANDARD_PRESET, Choices, Preset
from app.chat.ui import preset_editor
from app.chat.ui.preset_editor import ConversationSettings, PresetEditor
from app.chat.ui.preset_section import PresetsSection
from app.models import catalogue
from app.uikit.desktop import Pickers
from app.uikit.page import NavigationSignals
from app.uikit.widgets.list_rows import EntryRole
from tests.chat.driver import fill_disk
from tests.chat.ui.driver import LEFT, entries, heard, press
from tests.uikit.ui.conversion import convert

CARD = catalogue.card("qwen2.5-7b-instruct")  # temperature 0.7, top_k 20
OWN_PROMPT, NO_PROMPT = "自分で書く", "指示を付けない"
Key = Qt.Key


@pytest.fixture
def section(scene, theme, qtbot):
    navigation = NavigationSignals()
    section = PresetsSection(theme, navigation, scene.preferences, scene.presets, lambda: CARD)
    section.undone = []
    navigation.undo_offered.connect(lambda action: section.undone.append((action.done, action.undo)))
    return show(section, qtbot)


@pytest.fixture
def open_editor(scene, theme, qtbot):
    def open_(preset: Preset | None = None, *, shows_details: bool = False) -> PresetEditor:
        preset = preset or Preset("", "chat", "検査")
        editor = PresetEditor(theme, scene.presets, preset, CARD, shows_details=shows_details)
        qtbot.addWidget(editor)
        editor.open()
        return editor

    return open_


@pytest.fixture
def settings(scene, theme, qtbot):
    """Opens what is set for the open conversation alone."""

    def open_() -> ConversationSettings:
        window = ConversationSettings(theme, scene.session, scene.presets, CARD, shows_details=False)
        qtbot.addWidget(window)
        window.open()
        return window

    return open_


@pytest.fixture
def click(qtbot):
    def click(button) -> None:
        assert button.isVisible()
        qtbot.mouseClick(button, LEFT)

    return click


def show(section, qtbot):
    qtbot.addWidget(section)
    section.resize(700, 700)
    section.show()
    return section


def all_presets(presets) -> dict[str, Preset]:
    return {preset.name: preset for kind in ("chat", "action") for preset in presets.presets_of_kind(kind)}


def choose(section, name: str) -> Preset:
    preset = all_presets(section._presets)[name]
    section.list.setCurrentIndex(section.entries.index_of(preset.id))
    assert section.chosen_preset == preset
    return preset


def names(section) -> list[str]:
    return [section.entries.index(row).data() for row in range(section.entries.rowCount())]


def pick(chooser, text: str) -> None:
    chooser.setCurrentIndex(chooser.findText(text))
    chooser.activated.emit(chooser.currentIndex())


def close(editor, qtbot) -> None:
    """`Esc`, and away with the changes."""
    with qtbot.waitSignal(editor.finished):
        editor._is_dirty = False
        editor.reject()


# ------------------------------------------------------------------------ list


def test_the_list_has_both_kinds_under_headings_and_marks_the_one_of_new_conversations(section):
    shown = names(section)
    assert (
        shown.index("会話のプリセット") < shown.index("標準") < shown.index(phrase("chat.quick_actions_below_answers"))
    )
    assert shown[-1] in [preset.name for preset in section._presets.presets_of_kind("action")]
    marked = [section.entries.index(row).data(EntryRole) for row in range(len(shown))]
    assert [entry.preset.name for entry in marked if entry and entry.is_default] == ["標準"]
    assert section.chosen_preset.id == STANDARD_PRESET
    text = section.entries.index_of(STANDARD_PRESET).data(Qt.ItemDataRole.AccessibleTextRole)
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


def test_only_what_can_be_done_with_a_preset_is_offered_by_buttons_and_context_menu(section, click):
    def offered() -> list[bool]:
        buttons = (section.edit_button, section.use_button, section.reset_button, section.delete_button)
        return [button.isVisible() for button in buttons]

    assert offered() == [True, False, False, False]  # it is the default already, and as it came
    choose(section, "要約")
    assert offered() == [True, False, False, False]
    click(section.copy_button)
    assert offered() == [True, False, False, True]
    choose(section, "短く")
    assert offered() == [True, True, False, False]
    section.list.customContextMenuRequested.emit(section.list.rect().center())
    menu = QApplication.activePopupWidget()
    assert list(entries(menu)) == ["編集", "複製", "新しい会話で使う"]
    entries(menu)["複製"].trigger()
    menu.close()
    assert section.chosen_preset.name == "短く（2）"


def test_a_copy_has_another_name_is_used_by_new_conversations_and_once_deleted_can_be_brought_back(
    section, scene, click
):
    original = choose(section, "短く")
    for name in ("短く（2）", "短く（3）"):
        click(section.copy_button)
        own = section.chosen_preset
        assert (own.name, own.choices, own.is_built_in) == (name, original.choices, False)
    click(section.use_button)
    assert scene.preferences.value.preset_id == own.id
    assert scene.session.preset == section.chosen_preset == own
    assert not section.use_button.isVisible()
    click(section.delete_button)
    assert own.name not in names(section)
    assert scene.session.preset.id == STANDARD_PRESET  # what new conversations had is gone
    ((text, undo),) = section.undone
    assert text == "「短く（3）」を削除しました。"
    undo()
    assert section.chosen_preset == scene.session.preset == own


def test_after_deleting_the_neighbour_is_chosen(section, click):
    for name in ("丙", "乙"):
        section._presets.add("chat", name, Choices())
    choose(section, "丙")
    row = section.list.currentIndex().row()
    click(section.delete_button)
    assert abs(section.list.currentIndex().row() - row) <= 1
    assert section.chosen_preset.name != "標準"


def test_what_came_with_kotae_goes_back_to_what_it_was_and_that_can_be_undone(section, store, click):
    before = choose(section, "短く")
    section._presets.put(dataclasses.replace(before, name="ごく短く", choices=Choices(max_tokens=64)))
    changed = choose(section, "ごく短く")
    assert "初期値から変更" in section.list.currentIndex().data(Qt.ItemDataRole.AccessibleTextRole)
    assert not section.delete_button.isVisible()
    click(section.reset_button)
    assert section.chosen_preset == before
    assert not section.reset_button.isVisible()
    section.undone[0][1]()
    assert section.chosen_preset == changed
    section._presets.put(before)  # changed back by hand
    assert not section.reset_button.isVisible()
    assert store.database.read("SELECT * FROM preset") == []


# ---------------------------------------------------------------------- editor


def test_a_preset_is_made_in_the_editor_and_chosen_in_the_list(section, qtbot, click):
    section.new_button.menu().actions()[0].trigger()
    editor = section.editor
    convert(editor.name, "", "検査")
    pick(editor.form.prompt.source, OWN_PROMPT)
    editor.form.prompt.text.setPlainText("検査員として答えて\ud842ください。")  # half of a pair of surrogates
    qtbot.keyClicks(editor.form.spins["temperature"], "0.2")
    click(editor.save_button)
    assert not editor.isVisible()
    assert section.chosen_preset.name == "検査"
    assert section.chosen_preset.choices.temperature == 0.2
    assert section.chosen_preset.choices.system_prompt.encode("utf-8").decode("utf-8").startswith("検査員として答えて")


def test_a_quick_action_has_a_request_and_no_system_prompt(section, click):
    section.new_button.menu().actions()[1].trigger()
    editor = section.editor
    assert editor.request.isVisible()
    assert not editor.form.prompt.isVisible()
    assert editor.form.spins["temperature"].text() == "自動（会話と同じ）"
    convert(editor.name, "", "英語に")
    click(editor.save_button)
    assert editor.problem.text() == phrase("chat.write_the_request")
    editor.request.setPlainText("今の回答を英語に訳してください。")
    click(editor.save_button)
    made = section.chosen_preset
    assert (made.kind, made.name, made.request) == ("action", "英語に", "今の回答を英語に訳してください。")


def test_what_does_not_do_is_refused_in_words(open_editor, scene, qtbot, click):
    editor = open_editor()
    before = scene.presets.presets_of_kind("chat")
    for name, problem in (
        ("", phrase("chat.enter_a_name")),
        ("　 ", phrase("chat.enter_a_name")),
        ("標準", phrase("chat.the_name_is_taken_choose")),
        ("短\u202eく", phrase("chat.the_name_contains_characters_that")),
    ):
        editor.name.setText(name)
        click(editor.save_button)
        assert editor.problem.text() == problem
        assert editor.focusWidget() is editor.name
    editor.name.setText("検査")
    pick(editor.form.prompt.source, OWN_PROMPT)
    for prompt, part in ((" \n", "システムプロンプトの文を書く"), ("あ" * (STORED_TEXT_MAX + 1), "20,001 文字")):
        editor.form.prompt.text.setPlainText(prompt)
        click(editor.save_button)
        assert part in editor.problem.text()
    assert editor.isVisible()
    assert scene.presets.presets_of_kind("chat") == before
    close(editor, qtbot)


@pytest.mark.parametrize(
    ("source", "prompt"), [("モデルの推奨文を使う", None), (NO_PROMPT, ""), (OWN_PROMPT, CARD.system_prompt)]
)
def test_the_prompt_is_left_to_the_model_or_none_or_ones_own(open_editor, scene, click, source, prompt):
    """Who begins to write starts from what the model's authors recommend."""
    editor = open_editor(Preset("", "chat", "検査", Choices(system_prompt="" if prompt is None else None)))
    pick(editor.form.prompt.source, source)
    assert editor.form.prompt.text.isVisible() == bool(prompt)
    click(editor.save_button)
    assert all_presets(scene.presets)["検査"].choices.system_prompt == prompt


def test_what_is_left_alone_shows_what_the_model_recommends_and_stepping_starts_from_it(open_editor, qtbot):
    editor = open_editor(shows_details=True)
    spins = editor.form.spins
    recommended = {
        "temperature": "自動（0.7）",
        "top_k": "自動（20）",
        "repeat_penalty": "自動（1.05）",
        "max_tokens": "自動（1024）",
        "seed": "自動（毎回変わる）",
    }
    assert {key: spins[key].text() for key in recommended} == recommended
    assert CARD.system_prompt in editor.form.prompt._quoted.text()
    press(spins["temperature"], Key.Key_Down)
    press(spins["seed"], Key.Key_Up)
    assert (spins["temperature"].number(), spins["seed"].number()) == (0.6, 0)
    close(editor, qtbot)


def test_details_are_hidden_unless_they_are_wished_or_in_use(open_editor, qtbot):
    basic = {"system_prompt", "temperature", "max_tokens"}
    for choices, shows_details, expected in (
        (Choices(), False, basic),
        (Choices(top_k=5), False, {*basic, "top_k"}),
        (Choices(), True, {*basic, "top_k", "top_p", "min_p", "repeat_penalty", "thought_tokens", "seed"}),
    ):
        editor = open_editor(Preset("", "chat", "検査", choices), shows_details=shows_details)
        assert {key for key, row in editor.form.rows.items() if row.isVisible()} == expected
        close(editor, qtbot)


def test_enter_on_a_row_opens_its_editor_and_a_number_that_is_not_touched_stays_exactly_as_it_was(section, click):
    choices = Choices("x", 0.123456, 7, 0.9123, 0.04321, 1.0501, 333, 4_000_000_000)
    own = section._presets.add("chat", "精密", choices)
    choose(section, "精密")
    section.list.setFocus()
    press(section.list, Key.Key_Return)
    assert section.editor.name.text() == "精密"
    section.editor.name.setText("精密な")
    click(section.editor.save_button)
    assert section.chosen_preset == dataclasses.replace(own, name="精密な")
    assert isinstance(section.chosen_preset.choices.seed, int)


def test_numbers_can_be_typed_full_width_and_an_emptied_field_is_left_to_the_model(open_editor, scene, qtbot, click):
    editor = open_editor()
    temperature, length = editor.form.spins["temperature"], editor.form.spins["max_tokens"]
    qtbot.mouseClick(temperature.lineEdit(), LEFT)  # in the middle of the words 自動（0.7）
    convert(temperature, "", "０．３")
    assert temperature.text() == "0.3"
    qtbot.keyClicks(length, "300")
    length.lineEdit().clear()
    click(editor.save_button)
    assert all_presets(scene.presets)["検査"].choices == Choices(temperature=0.3)


def test_leaving_with_changes_asks_first(open_editor, scene, qtbot, click):
    editor = open_editor(scene.presets.presets_of_kind("chat")[0])
    editor.reject()
    assert not editor.isVisible()
    editor = open_editor(scene.presets.presets_of_kind("chat")[0])
    qtbot.keyClicks(editor.name, "x")
    for answer, stays in (("cancel", True), ("leave", False)):
        press(editor, Key.Key_Escape)
        assert editor.isVisible()
        click(QApplication.activeModalWidget().buttons[answer])
        assert editor.isVisible() == stays
    assert scene.presets.presets_of_kind("chat")[0].name == "標準"


def test_a_full_disk_is_said_and_what_cannot_be_stored_stays_in_the_editor(section, scene, monkeypatch, qtbot, click):
    before, problems = names(section), heard(scene.presets.problem_occurred)
    fill_disk(monkeypatch, scene.presets._table, "put")
    click(section.copy_button)
    assert [error.code for (error,) in problems] == ["disk_full"]
    assert names(section) == before
    section.new_button.menu().actions()[0].trigger()
    editor = section.editor
    editor.name.setText("検査")
    click(editor.save_button)
    assert editor.isVisible()
    assert editor.problem.text() == phrase("chat.it_could_not_be_saved")
    close(editor, qtbot)


def test_every_field_of_the_editor_is_named_and_explained(open_editor, qtbot):
    editor = open_editor(shows_details=True)
    for key, row in editor.form.rows.items():
        assert row.control.accessibleName() == phrase(f"chat.setting.{key}")
        assert row.control.accessibleDescription().endswith("。")
    assert editor.form.prompt.source.accessibleName()
    assert editor.form.prompt.text.accessibleName()
    close(editor, qtbot)


# ---------------------------------------------------------------- conversation


def test_what_is_set_for_a_conversation_reaches_its_next_answer_only(scene, settings, qtbot, click):
    first = scene.ask("一つ目")
    window = settings()
    qtbot.keyClicks(window.form.spins["temperature"], "0.1")
    pick(window.form.prompt.source, OWN_PROMPT)
    window.form.prompt.text.setPlainText("短く。")
    click(window.save_button)
    second = scene.ask("二つ目").details.choices
    assert first.details.choices.temperature != 0.1
    assert (second.temperature, second.system_prompt) == (0.1, "短く。")
    assert scene.thread()[1].details.choices == first.details.choices
    scene.session.open_new()
    assert scene.ask("別の会話").details.choices == first.details.choices


def test_another_preset_reaches_the_next_answer_with_what_is_otherwise_over_it(scene, settings, click):
    own = scene.presets.add("chat", "検査", Choices("検査員です。", temperature=0.2, top_k=3))
    scene.session.answer_by(None, Choices(temperature=0.9))
    window = settings()
    assert window.preset.currentText() == "標準"
    pick(window.preset, "検査")
    assert window.form.spins["top_k"].text() == "プリセットどおり（3）"
    click(window.save_button)
    assert (scene.session.preset, scene.session.choices) == (own, Choices(temperature=0.9))
    found = scene.ask("質問").details.choices
    assert (found.system_prompt, found.temperature, found.top_k) == ("検査員です。", 0.9, 3)


def test_it_says_what_is_otherwise_than_the_preset_and_goes_back_to_it(scene, settings, click):
    scene.session.answer_by("exact", Choices(temperature=0.3, top_k=10))
    window = settings()
    assert window.deviations.text() == "プリセットと違うところ：温度、候補の数（top_k）"
    note = window.form.rows["temperature"]._note
    assert note.isVisible()
    assert note.text() == "この会話だけの値です（プリセットでは 0）。"
    assert not window.form.rows["max_tokens"]._note.isVisible()
    click(window.revert_button)
    assert not window.deviations.isVisible()
    assert not note.isVisible()
    assert scene.session.choices != Choices()  # not before it is accepted
    click(window.save_button)
    assert (scene.session.preset.id, scene.session.choices) == ("exact", Choices())


def test_what_is_otherwise_becomes_a_preset_of_its_own(scene, settings, click):
    scene.session.answer_by("brief", Choices(temperature=0.3))
    window = settings()
    click(window.keep_button)
    assert window.editor.name.text() == "短く（2）"
    window.editor.name.setText("短く堅く")
    click(window.editor.save_button)
    assert window.preset.currentText() == "短く堅く"
    assert not window.deviations.isVisible()
    click(window.save_button)
    preset = scene.session.preset
    assert (preset.name, scene.session.choices) == ("短く堅く", Choices())
    assert (preset.choices.temperature, preset.choices.max_tokens) == (0.3, 256)


def test_a_temporary_conversation_has_settings_of_its_own_and_cancelling_changes_none(scene, settings, qtbot, click):
    scene.session.open_new(is_temporary=True)
    window = settings()
    qtbot.keyClicks(window.form.spins["temperature"], "0.1")
    click(window.cancel_button)
    with qtbot.waitSignal(window.finished):
        click(QApplication.activeModalWidget().buttons["leave"])
    assert scene.session.choices == Choices()
    window = settings()
    qtbot.keyClicks(window.form.spins["temperature"], "0.1")
    pick(window.form.prompt.source, NO_PROMPT)
    click(window.save_button)
    found = scene.ask("質問").details.choices
    assert (found.temperature, found.system_prompt) == (0.1, "")
    scene.session.open_new()
    assert scene.session.choices == Choices()


# ----------------------------------------------------------------------- files


@pytest.fixture
def export(section, qtbot, click):
    def export(path, *chosen: str) -> None:
        section.pickers = Pickers(save=lambda *_: str(path))
        dialog = section.ask_to_export()
        qtbot.addWidget(dialog)
        mark(dialog, *chosen)
        click(dialog.buttons["export"])
        qtbot.waitUntil(section.banner.isVisible)

    return export


def mark(dialog, *chosen: str) -> None:
    for row in range(dialog.items.rowCount()):
        item = dialog.items.item(row)
        item.setCheckState(Qt.CheckState.Checked if item.text() in chosen else Qt.CheckState.Unchecked)


@pytest.fixture
def read(section, click):
    def read(path) -> None:
        section.pickers = Pickers(open=lambda *_: str(path))
        click(section.import_button)

    return read


def test_presets_go_to_a_file_and_come_back_under_names_that_are_free(section, export, read, tmp_path, qtbot):
    path = tmp_path / "組の設定.json"
    section._presets.add("action", "英語に", Choices(temperature=0.0), "英訳して")
    export(path, "短く", "英語に")
    assert "2 件" in section.banner._heading.text()
    read(path)
    qtbot.waitUntil(lambda: "短く（2）" in names(section))
    found = all_presets(section._presets)
    assert found["短く（2）"].choices == found["短く"].choices
    assert not found["短く（2）"].is_built_in
    assert found["英語に（2）"].request == "英訳して"
    assert section.chosen_preset.name == "短く（2）"
    ((text, undo),) = section.undone
    assert text == "2 件のプリセットを取り込みました。"
    undo()
    assert not {"短く（2）", "英語に（2）"} & set(names(section))
    assert "英語に" in names(section)


def test_what_the_reader_has_anyway_is_not_exported_unless_it_is_wished(section, qtbot):
    section._presets.add("chat", "検査", Choices())
    section._presets.put(dataclasses.replace(section._presets.original("brief"), choices=Choices(max_tokens=9)))
    dialog = section.ask_to_export()
    qtbot.addWidget(dialog)
    assert [preset.name for preset in dialog.marked()] == ["短く", "検査"]
    mark(dialog)
    assert not dialog.buttons["export"].isEnabled()
    dialog.reject()


def test_what_is_no_file_or_place_of_presets_is_refused_in_words(section, read, export, tmp_path, qtbot):
    (tmp_path / "x.json").write_text("<html>", "utf-8")
    before = names(section)
    read(tmp_path / "x.json")
    qtbot.waitUntil(section.banner.isVisible)
    assert "プリセットのファイルではない" in section.banner._heading.text()
    assert names(section) == before
    section.banner.dismiss()
    export(tmp_path / "missing" / "x.json", "短く")
    assert "書き出し先のフォルダが見つかりません" in section.banner._heading.text()


def test_bad_entries_are_named_and_the_good_ones_are_there(section, read, tmp_path, qtbot):
    path = tmp_path / "x.json"
    written = [
        {"kind": "chat", "name": "よい"},
        {"kind": "chat", "name": "熱すぎる", "choices": {"temperature": 99}},
        "<b>三</b>",
    ]
    path.write_text(json.dumps({"format": "kotae-presets", "version": 1, "presets": written}), "utf-8")
    read(path)
    qtbot.waitUntil(lambda: QApplication.activeModalWidget() is not None)
    dialog = QApplication.activeModalWidget()
    shown = dialog.findChild(QPlainTextEdit).toPlainText()
    assert "2 件目の「temperature」" in shown
    assert "3 件目は" in shown
    assert "よい" in names(section)
    assert "熱すぎる" not in names(section)
    dialog.reject()


# ------------------------------------------------------------------ the window


def test_the_page_of_questions_opens_both_and_a_deletion_is_undone_by_the_toast(open_window, click):
    parts = open_window(800, 600)
    parts.navigation.answer_settings_requested.emit()
    settings = QApplication.activeModalWidget()
    assert isinstance(settings, ConversationSettings)
    assert settings.height() <= 600
    pick(settings.preset, "短く")
    click(settings.save_button)
    assert parts.session.preset.name == "短く"
    own = parts.presets.add("chat", "検査", Choices())
    parts.navigation.settings_requested.emit("presets")
    section = parts.window.page("settings").section("presets")
    choose(section, "検査")
    click(section.delete_button)
    click(parts.window.toast.button)
    assert own in parts.presets.presets_of_kind("chat")
