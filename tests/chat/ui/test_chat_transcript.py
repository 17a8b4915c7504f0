"""The transcript: few widgets for many messages, no jumps, streaming in order, following the end."""

import itertools
import time

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent, QGuiApplication
from PySide6.QtWidgets import QPushButton

from app.base.settings import Settings
from app.base.wording import phrase
from app.chat.records import Message
from app.chat.ui.transcript import rows_view
from app.chat.ui.transcript.rows_view import RowHeights
from app.chat.ui.transcript.transcript import FLUSH_MS
from app.inference.services.events import AnswerStage
from app.uikit.text import rich_text
from app.uikit.widgets.labels import announce
from tests.chat.ui.driver import CONTROL, SeenTranscript, answer, clipboard, failed, heard, press, question, streaming


def conversation(count: int) -> list[Message]:
    """Texts whose real heights differ much from what their lengths suggest."""
    return [
        question(number, "質問 " + "です。" * (number % 30))
        if number % 2
        else answer(number, "\n\n".join(f"## 見出し {part}\n\n- 一\n- 二" for part in range(number % 7)) + "\n\n終わり")
        for number in range(1, count + 1)
    ]


# ------------------------------------------------------------- virtual rows


def test_ten_thousand_messages_have_few_widgets_wherever_one_scrolls(transcript):
    transcript.show_messages(conversation(10_000))
    transcript.settle()
    most = len(transcript.views)
    bar = transcript.verticalScrollBar()
    for share in (0.9, 0.5, 0.1, 0.0, 0.7, 1.0):
        transcript.scroll(round(bar.maximum() * share))
        most = max(most, len(transcript.views))
    for _ in range(60):
        bar.setValue(bar.value() - 500)
        most = max(most, len(transcript.views))
    assert most <= 75


def test_what_the_time_budget_leaves_out_follows_in_the_next_rounds(transcript, monkeypatch):
    monkeypatch.setattr(rows_view, "BUDGET_S", 0.001)
    transcript.show_messages(conversation(200))
    transcript.settle()
    seen = transcript.tops()
    assert len(seen) >= 2
    assert sorted(seen) == list(range(min(seen), 201))


def test_a_conversation_opens_at_its_end_and_its_first_message_can_be_reached(transcript):
    transcript.show_messages(conversation(300))
    transcript.settle()
    assert transcript.is_at_end()
    assert transcript.view_of(300).geometry().bottom() < transcript.viewport().height()
    assert not transcript.latest_button.isVisible()
    for _ in range(40):
        transcript.scroll(0)
        if 1 in transcript.tops():
            break
    assert 0 <= transcript.tops()[1] < 40


def test_earlier_messages_are_added_without_moving_what_is_read(transcript):
    messages = conversation(300)
    transcript.show_messages(messages[240:])
    transcript.settle()
    transcript.scroll(transcript.verticalScrollBar().maximum() - 900)
    before = transcript.tops()
    views = {number: transcript.view_of(number) for number in before}
    for first in (150, 0):
        transcript.add_earlier(messages[first : len(messages) - len(transcript.messages)])
        assert transcript.tops() == before
        assert {number: transcript.view_of(number) for number in before} == views, "none was made again"
    assert transcript.messages == messages
    transcript.settle()
    for number in before:
        assert transcript.view_of(number).message.id == number
    for _ in range(40):
        transcript.scroll(0)
    assert 0 <= transcript.tops()[1] < 40


def test_a_streaming_answer_grows_at_the_end_while_earlier_messages_are_added(transcript):
    messages = [*conversation(121), streaming(122, "途中")]
    transcript.show_messages(messages[80:])
    transcript.add_earlier(messages[:80])
    transcript.append_text(122, "です。")
    transcript.finish(answer(122, "途中です。"))
    assert transcript.text_of(122) == "途中です。"
    assert transcript.is_at_end()


def test_what_is_read_moves_exactly_with_the_scroll_bar_while_heights_are_corrected(transcript):
    transcript.show_messages(conversation(2000))
    transcript.scroll(30_000)
    for _ in range(80):
        before = transcript.tops()
        transcript.verticalScrollBar().setValue(transcript.verticalScrollBar().value() - 130)
        after = transcript.tops()
        assert {after[number] - before[number] for number in before.keys() & after.keys()} == {130}


def test_filling_in_the_surroundings_moves_nothing_and_leaves_no_holes(transcript):
    transcript.show_messages(conversation(2000))
    for value in (40_000, 20_000, 60_000):
        transcript.verticalScrollBar().setValue(value)
        before = transcript.tops()
        transcript.settle()
        after = transcript.tops()
        assert before.items() <= after.items()
        for above, below in itertools.pairwise(transcript.view_of(number) for number in sorted(after)):
            assert 8 <= below.y() - (above.y() + above.height()) <= 30


@pytest.mark.parametrize(("width", "expected"), [(900, 640), (640, 608), (420, 388)])
def test_the_column_is_640_or_all_but_a_margin(transcript, width, expected):
    transcript.show_messages(conversation(20))
    transcript.resize(width, 500)
    transcript.settle()
    view = transcript.view_of(20)
    assert (view.width(), view.x()) == (expected, (width - expected) // 2)


def test_another_width_theme_or_size_keeps_the_place_and_renders_again(transcript, theme, qapp):
    transcript.show_messages(conversation(400))
    transcript.scroll(4000)
    first = min(transcript.tops())
    theme.apply(qapp, Settings(theme="dark", text_scale_percent=130))
    transcript.settle()
    view = transcript.view_of(first)
    assert first in transcript.tops()
    assert view.text.document().firstBlock().charFormat().foreground().color() == theme.color("text")
    assert view.width() == theme.px(640)
    transcript.resize(420, 600)
    transcript.settle()
    assert first in transcript.tops()


def test_page_keys_in_a_text_scroll_and_the_focused_message_survives_scrolling_away(transcript):
    transcript.show_messages(conversation(400))
    transcript.settle()
    view = transcript.view_of(400)
    view.text.setFocus()
    view.text.selectAll()
    before = transcript.verticalScrollBar().value()
    press(view.text, Qt.Key.Key_PageUp)
    assert transcript.verticalScrollBar().value() < before - 300
    transcript.scroll(0)
    assert transcript.view_of(400) is view
    assert view.text.textCursor().hasSelection()


def test_tab_follows_the_conversation(transcript):
    transcript.show_messages(conversation(8))
    transcript.scroll(0)
    transcript.view_of(1).text.setFocus()
    seen = []
    for _ in range(12):
        press(transcript.window().focusWidget(), Qt.Key.Key_Tab)
        focused = transcript.window().focusWidget()
        seen += [m.id for m in transcript.messages if (v := transcript.view_of(m.id)) and v.isAncestorOf(focused)]
    assert seen == sorted(seen)
    assert len(set(seen)) > 2


def test_heights_sum_and_find_rows():
    heights = RowHeights([10, 20, 30])
    heights.append(40)
    heights[1] = 25
    assert [heights.top(row) for row in range(5)] == [0, 10, 35, 65, 105]
    assert [heights.row_at(y) for y in (-5, 0, 9, 10, 34, 35, 64, 65, 1000)] == [0, 0, 0, 1, 1, 2, 2, 3, 3]
    many = RowHeights(range(1, 1000))
    assert [many.row_at(many.top(row)) for row in range(999)] == list(range(999))


# ---------------------------------------------------------------- streaming


@pytest.fixture
def growing(transcript: SeenTranscript) -> SeenTranscript:
    """Number 4 is being written."""
    transcript.show_messages([question(1), answer(2), question(3)])
    transcript.add(streaming(4))
    return transcript


def test_pieces_appear_in_order_and_none_of_another_answer_or_after_the_end(growing, qtbot):
    growing.append_text(99, "よその文")
    for piece in ("一", "二", "三\n\n", "四"):
        growing.append_text(4, piece)
    qtbot.waitUntil(lambda: growing.text_of(4) == "一二三\n四")
    growing.finish(answer(4, "この文。"))
    growing.append_text(4, "遅い")
    qtbot.wait(2 * FLUSH_MS)
    assert growing.text_of(4) == "この文。"


def test_text_is_shown_at_most_every_33_ms(growing, qtbot, monkeypatch):
    shown_at: list[float] = []
    show = rich_text.RichText.show_growing

    def spy(text: rich_text.RichText, markup: str) -> None:
        shown_at.append(time.perf_counter())
        show(text, markup)

    monkeypatch.setattr(rich_text.RichText, "show_growing", spy)
    for _ in range(200):
        growing.append_text(4, "あ")
        qtbot.wait(1)
    gaps = [after - before for before, after in itertools.pairwise(shown_at)]
    assert gaps
    assert min(gaps) >= (FLUSH_MS - 3) / 1000


def test_the_end_is_followed_only_when_it_was_in_sight(growing, qtbot):
    text, more = "行です。\n\n" * 60, "さらに続く行です。\n\n" * 60
    growing.append_text(4, text)
    bar = growing.verticalScrollBar()
    qtbot.waitUntil(lambda: bar.maximum() > 500)
    assert growing.is_at_end()
    bar.setValue(bar.maximum() - 300)
    reading, old_maximum = growing.tops(), bar.maximum()
    assert growing.latest_button.isVisible()
    growing.append_text(4, more)
    qtbot.waitUntil(lambda: bar.maximum() > old_maximum + 500)
    assert growing.tops() == reading
    growing.finish(answer(4, text + more))
    assert growing.tops() == reading
    qtbot.mouseClick(growing.latest_button, Qt.MouseButton.LeftButton)
    assert growing.is_at_end()
    assert not growing.latest_button.isVisible()
    bar.setValue(0)
    growing.add(question(5, "新しい質問"))
    assert growing.is_at_end(), "a new question brings the end into sight"


def test_an_answer_out_of_sight_grows_and_is_whole_when_one_comes_back(growing, qtbot):
    growing.show_messages([*conversation(400), streaming(401, "始まり。")])
    growing.scroll(0)
    assert growing.view_of(401) is None
    growing.append_text(401, "続き。")
    qtbot.wait(2 * FLUSH_MS)
    growing.scroll_to_end()
    assert growing.text_of(401) == "始まり。続き。"
    growing.append_text(401, "終わり。")
    qtbot.waitUntil(lambda: growing.text_of(401) == "始まり。続き。終わり。")


def test_the_stage_is_said_in_words(growing, monkeypatch):
    monkeypatch.setattr("app.chat.ui.transcript.answer_view.time.monotonic", lambda: 0.0)
    for stage, said in (
        (AnswerStage("loading", 0.5, -3.0), "モデルを読み込んでいます… 3 秒"),
        (AnswerStage("reading", 0.4, 0.0), "質問を読んでいます 40 %"),
        (AnswerStage("answering", None, -2.44), "回答中… 2.4 秒"),
        (AnswerStage("searching"), "資料を探しています"),
        (
            AnswerStage("searching", is_shared=True),
            "資料を探しています（評価か学習も動いているため遅くなります）",
        ),
        (AnswerStage("passages", None, 0.0, 12, 0.031), "資料 12 か所が見つかりました（検索 31 ms）"),
        (
            AnswerStage("loading", 0.5, -3.0, 12, 0.031),
            "資料 12 か所が見つかりました（検索 31 ms）　モデルを読み込んでいます… 3 秒",
        ),
        (AnswerStage("answering", None, -2.44, 5, 0.031), "資料 5 か所を読みました（検索 31 ms）　回答中… 2.4 秒"),
        (AnswerStage("checking", None, -9.0, 5, 0.031), "資料 5 か所を読みました（検索 31 ms）　根拠を照合しています"),
    ):
        growing.show_stage(stage)
        assert said in growing.words(4)


# -------------------------------------------------------------- what is said


@pytest.mark.parametrize(
    ("status", "reason"),
    [("stopped", "cancelled"), ("stopped", "interrupted"), ("done", "length"), ("done", "context")],
)
def test_an_answer_that_ended_early_says_so(transcript, status, reason):
    transcript.show_messages([question(1), answer(2, "途中", status, stop_reason=reason)])
    said = {
        "cancelled": "ここで停止しました",
        "interrupted": phrase("chat.kotae_ended_during_the_answer"),
        "length": phrase("chat.the_answer_ended_here_at"),
        "context": phrase("chat.the_answer_ended_here_because"),
    }
    assert [reason for reason, text in said.items() if text in transcript.words(2)] == [reason]


def test_a_failed_answer_offers_to_answer_again_and_the_record(transcript):
    transcript.show_messages([question(1), failed(2, "途中の")])
    again = heard(transcript.requests.regenerate_requested)
    logs = heard(transcript.requests.navigation.log_requested)
    assert "モデルの処理が止まりました。質問と途中の回答は保存済みです。" in transcript.words(2)
    assert transcript.text_of(2) == "途中の"
    found = transcript.buttons(2)
    found["もう一度答える"].click()
    found["記録を見る"].click()
    assert (again, len(logs)) == ([(2,)], 1)
    transcript.explain(2, "理由が分かりました。")
    assert "理由が分かりました。" in transcript.words(2)
    view, more = transcript.view_of(2), transcript.buttons(2)["この回答のその他の操作"]
    assert more.mapTo(view, QPoint(0, more.height())).y() <= view.height(), "nothing is clipped"


def test_a_finished_answer_is_as_high_as_one_that_is_opened(growing, qtbot):
    growing.finish(failed(4))
    qtbot.wait(20)
    height = growing.view_of(4).height()
    growing.show_messages([question(1), answer(2), question(3), failed(4)])
    assert growing.view_of(4).height() == height


def test_what_the_model_wrote_is_copied_by_button_menu_and_keyboard(transcript):
    transcript.show_messages([question(1), answer(2, "**重さ**は 12 kg です。[1]")])
    transcript.buttons(2)["コピー"].click()
    assert clipboard() == "**重さ**は 12 kg です。[1]"
    transcript.menu(2)["記号を除いてコピー"].trigger()
    assert clipboard() == "重さは 12 kg です。[1]"
    QGuiApplication.clipboard().clear()
    text = transcript.view_of(2).text
    text.setFocus()
    press(text, Qt.Key.Key_A, CONTROL)
    press(text, Qt.Key.Key_C, CONTROL)
    assert clipboard() == "重さは 12 kg です。[1]"


def test_a_link_is_handed_on_and_not_opened(transcript, qtbot):
    transcript.show_messages([question(1), answer(2, "https://example.com/a?b=c")])
    links = heard(transcript.requests.link_chosen)
    qtbot.mouseClick(transcript.view_of(2).text.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(30, 13))
    assert links == [("https://example.com/a?b=c",)]


def test_every_message_and_button_has_a_name_and_no_button_needs_the_mouse_to_be_seen(transcript):
    transcript.show_messages([question(1, "質問の文"), answer(2, "回答の文")])
    views = [transcript.view_of(number) for number in (1, 2)]
    assert [view.accessibleName().partition("　")[0] for view in views] == ["質問", "回答"]
    assert [view.accessibleDescription() for view in views] == ["質問の文", "回答の文"]
    found = transcript.buttons(2)
    assert all(found)
    for name in ("コピー", "再生成", "この回答のその他の操作"):
        assert isinstance(found[name], QPushButton) or found[name].focusPolicy() & Qt.FocusPolicy.TabFocus


def test_start_and_end_of_an_answer_are_announced(transcript, monkeypatch):
    said: list[str] = []
    monkeypatch.setattr("app.chat.ui.transcript.transcript.announce", lambda _shown, words: said.append(words))
    transcript.show_messages([question(1)])
    transcript.add(streaming(2))
    transcript.finish(answer(2, is_same=True))
    assert said == ["回答を始めました", "回答が終わりました", phrase("chat.the_text_is_the_same")]


def test_an_announcement_reaches_qt_politely(transcript, monkeypatch):
    heard: list[tuple[str, QAccessible.AnnouncementPoliteness]] = []
    update = QAccessible.updateAccessibility

    def listen(event: QAccessibleAnnouncementEvent) -> None:
        heard.append((event.message(), event.politeness()))
        update(event)

    monkeypatch.setattr(QAccessible, "updateAccessibility", listen)
    announce(transcript, "回答を始めました")
    assert heard == [("回答を始めました", QAccessible.AnnouncementPoliteness.Polite)]


def test_what_a_model_thought_is_folded_above_its_answer(transcript):
    transcript.show_messages([question(1), answer(2, thoughts="まず <b>足し算</b> だ。", thought_s=12.4)])
    fold = transcript.buttons(2)["考えた内容（12 秒）"]
    assert not any("足し算" in words for words in transcript.words(2))
    folded_px = transcript.view_of(2).height()
    fold.click()
    assert "まず <b>足し算</b> だ。" in transcript.words(2)
    assert transcript.view_of(2).height() > folded_px + 10
    assert "足し算" not in transcript.view_of(2).text.plain_text()
    fold.click()
    assert not any("足し算" in words for words in transcript.words(2))


def test_an_answer_without_words_because_the_model_was_still_thinking_says_so(transcript):
    transcript.show_messages([question(1), answer(2, "", stop_reason="thoughts", thoughts="うーん")])
    assert any("考えている途中で長さの上限に達した" in words for words in transcript.words(2))
