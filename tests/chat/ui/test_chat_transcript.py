"""The transcript: few widgets for many messages, no jumps, streaming in order, following the end."""

import itertools
import time

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent, QGuiApplication
from PySide6.QtWidgets import QAbstractButton, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from app.base.settings import Settings
from app.chat.records import AnswerDetails, Message
from app.chat.ui.transcript import rows_view
from app.chat.ui.transcript.answer_view import AnswerFooter, AnswerView
from app.chat.ui.transcript.rows_view import RowHeights
from app.chat.ui.transcript.transcript import FLUSH_MS, Transcript
from app.inference.services.events import AnswerStage
from app.uikit.page import Navigation
from app.uikit.text import rich_text
from app.uikit.theme import Theme
from app.uikit.widgets.labels import announce

DETAILS = AnswerDetails(model_name="試験", stop_reason="end", total_s=8.2, tokens_per_s=44.94, seed=7, answer_tokens=30)


def question(number: int, text: str = "質問です。") -> Message:
    return Message(number, 1, number - 1 or None, "question", text, "done", 1.8e9)


def answer(number: int, text: str = "回答です。", status: str = "done", details: AnswerDetails = DETAILS) -> Message:
    return Message(number, 1, number - 1, "answer", text, status, 1.8e9, details)


def conversation(count: int) -> list[Message]:
    """Texts whose real heights differ much from what their lengths suggest."""
    return [
        question(number, "質問 " + "です。" * (number % 30))
        if number % 2
        else answer(number, "\n\n".join(f"## 見出し {part}\n\n- 一\n- 二" for part in range(number % 7)) + "\n\n終わり")
        for number in range(1, count + 1)
    ]


@pytest.fixture(autouse=True)
def time_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine widgets may come a round later than the tests look for them."""
    monkeypatch.setattr(rows_view, "BUDGET_S", 60.0)


@pytest.fixture
def transcript(theme: Theme, qtbot: QtBot) -> Transcript:
    transcript = Transcript(theme, Navigation())
    transcript.label_now = lambda: "internal"  # type: ignore[attr-defined]  # as of the page around it
    qtbot.addWidget(transcript)
    transcript.resize(900, 600)
    transcript.show()
    qtbot.waitExposed(transcript)
    return transcript


def settle(transcript: Transcript, qtbot: QtBot) -> None:
    """Until nothing is left to be filled in."""
    qtbot.waitUntil(lambda: not transcript._fill_timer.isActive())


def tops(transcript: Transcript) -> dict[int, int]:
    """Message id -> top in the viewport, of what can be seen."""
    found = {}
    for message in transcript.messages:
        view = transcript.view_of(message.id)
        if view is not None and view.y() + view.height() > 0 and view.y() < transcript.viewport().height():
            found[message.id] = view.y()
    return found


def buttons(view: QWidget | None) -> dict[str, QAbstractButton]:
    assert view is not None
    return {button.accessibleName() or button.text(): button for button in view.findChildren(QAbstractButton)}


def end(transcript: Transcript, message_id: int) -> AnswerFooter:
    view = transcript.view_of(message_id)
    assert isinstance(view, AnswerView)
    assert view._end is not None
    return view._end


# ------------------------------------------------------------- virtual rows


def test_ten_thousand_messages_have_few_widgets_wherever_one_scrolls(transcript: Transcript, qtbot: QtBot) -> None:
    transcript.show_messages(conversation(10_000))
    settle(transcript, qtbot)
    most = transcript.live_count
    bar = transcript.verticalScrollBar()
    for share in (0.9, 0.5, 0.1, 0.0, 0.7, 1.0):
        bar.setValue(round(bar.maximum() * share))
        settle(transcript, qtbot)
        most = max(most, transcript.live_count)
    for _ in range(60):
        bar.setValue(bar.value() - 500)
        most = max(most, transcript.live_count)
    assert most <= 75


def test_what_the_time_budget_leaves_out_follows_in_the_next_rounds(
    transcript: Transcript, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows_view, "BUDGET_S", 0.001)
    transcript.show_messages(conversation(200))
    settle(transcript, qtbot)
    seen = tops(transcript)
    assert len(seen) >= 2
    assert sorted(seen) == list(range(min(seen), max(seen) + 1))
    assert max(seen) == 200


def test_a_conversation_opens_at_its_end(transcript: Transcript, qtbot: QtBot) -> None:
    transcript.show_messages(conversation(100))
    settle(transcript, qtbot)
    assert transcript.is_at_end()
    last = transcript.view_of(100)
    assert last is not None
    assert last.geometry().bottom() < transcript.viewport().height()
    assert not transcript.latest_button.isVisible()


def test_the_first_message_can_be_reached(transcript: Transcript, qtbot: QtBot) -> None:
    transcript.show_messages(conversation(300))
    for _ in range(40):
        transcript.verticalScrollBar().setValue(0)
        settle(transcript, qtbot)
        if 1 in tops(transcript):
            break
    assert 0 <= tops(transcript)[1] < 40


def test_what_is_read_moves_exactly_with_the_scroll_bar_while_heights_are_corrected(
    transcript: Transcript, qtbot: QtBot
) -> None:
    transcript.show_messages(conversation(2000))
    transcript.verticalScrollBar().setValue(30_000)
    settle(transcript, qtbot)
    for _ in range(80):
        before = tops(transcript)
        transcript.verticalScrollBar().setValue(transcript.verticalScrollBar().value() - 130)
        after = tops(transcript)
        common = before.keys() & after.keys()
        assert common
        assert {after[number] - before[number] for number in common} == {130}


def test_filling_in_the_surroundings_moves_nothing(transcript: Transcript, qtbot: QtBot) -> None:
    transcript.show_messages(conversation(2000))
    for value in (40_000, 20_000, 60_000):
        transcript.verticalScrollBar().setValue(value)
        before = tops(transcript)
        settle(transcript, qtbot)
        after = tops(transcript)
        assert all(after[number] == before[number] for number in before)


def test_rows_do_not_overlap_and_leave_no_holes(transcript: Transcript, qtbot: QtBot) -> None:
    transcript.show_messages(conversation(500))
    transcript.verticalScrollBar().setValue(5000)
    settle(transcript, qtbot)
    views = [transcript.view_of(number) for number in sorted(tops(transcript))]
    for above, below in itertools.pairwise(views):
        assert above is not None
        assert below is not None
        assert 8 <= below.y() - (above.y() + above.height()) <= 30


@pytest.mark.parametrize(("width", "expected"), [(900, 640), (640, 608), (420, 388)])
def test_the_column_is_640_or_all_but_a_margin(transcript: Transcript, qtbot: QtBot, width: int, expected: int) -> None:
    transcript.show_messages(conversation(20))
    transcript.resize(width, 500)
    settle(transcript, qtbot)
    view = transcript.view_of(20)
    assert view is not None
    assert view.width() == expected
    assert view.x() == (width - expected) // 2


def test_a_narrower_window_keeps_the_place(transcript: Transcript, qtbot: QtBot) -> None:
    transcript.show_messages(conversation(400))
    transcript.verticalScrollBar().setValue(4000)
    settle(transcript, qtbot)
    first = min(tops(transcript))
    transcript.resize(420, 600)
    settle(transcript, qtbot)
    assert first in tops(transcript)


def test_another_theme_or_size_keeps_the_place_and_renders_again(
    transcript: Transcript, theme: Theme, qtbot: QtBot, qapp: QGuiApplication
) -> None:
    transcript.show_messages(conversation(400))
    transcript.verticalScrollBar().setValue(4000)
    settle(transcript, qtbot)
    first = min(tops(transcript))
    theme.apply(qapp, Settings(theme="dark", text_scale_percent=130))
    settle(transcript, qtbot)
    assert first in tops(transcript)
    view = transcript.view_of(first)
    assert view is not None
    assert view.text.document().firstBlock().charFormat().foreground().color() == theme.color("text")
    assert view.width() == theme.px(640)


def test_the_focused_message_survives_scrolling_away(transcript: Transcript, qtbot: QtBot) -> None:
    transcript.show_messages(conversation(400))
    settle(transcript, qtbot)
    view = transcript.view_of(400)
    assert view is not None
    view.text.setFocus()
    view.text.selectAll()
    transcript.verticalScrollBar().setValue(0)
    settle(transcript, qtbot)
    assert transcript.view_of(400) is view
    assert view.text.textCursor().hasSelection()


def test_tab_follows_the_conversation(transcript: Transcript, qtbot: QtBot) -> None:
    transcript.show_messages(conversation(8))
    transcript.verticalScrollBar().setValue(0)
    settle(transcript, qtbot)
    first = transcript.view_of(1)
    assert first is not None
    first.text.setFocus()
    seen = []
    for _ in range(12):
        qtbot.keyClick(transcript.window().focusWidget(), Qt.Key.Key_Tab)
        focused = transcript.window().focusWidget()
        owner = [m.id for m in transcript.messages if (v := transcript.view_of(m.id)) and v.isAncestorOf(focused)]
        seen += owner
    assert seen == sorted(seen)
    assert len(set(seen)) > 2


def test_heights_sum_and_find_rows() -> None:
    heights = RowHeights([10, 20, 30])
    heights.append(40)
    heights[1] = 25
    assert [heights.top(row) for row in range(5)] == [0, 10, 35, 65, 105]
    assert [heights.row_at(y) for y in (-5, 0, 9, 10, 34, 35, 64, 65, 1000)] == [0, 0, 0, 1, 1, 2, 2, 3, 3]
    many = RowHeights(range(1, 1000))
    for row in range(999):
        assert many.row_at(many.top(row)) == row


# ---------------------------------------------------------------- streaming


@pytest.fixture
def streaming(transcript: Transcript) -> Transcript:
    transcript.show_messages([question(1), answer(2), question(3)])
    transcript.add(answer(4, "", "streaming", AnswerDetails()))
    return transcript


def shown(transcript: Transcript, message_id: int) -> str:
    view = transcript.view_of(message_id)
    assert view is not None
    return view.text.plain_text()


def test_pieces_appear_in_order(streaming: Transcript, qtbot: QtBot) -> None:
    for piece in ("一", "二", "三\n\n", "四"):
        streaming.append_text(4, piece)
    qtbot.waitUntil(lambda: shown(streaming, 4) == "一二三\n四")


def test_text_is_shown_at_most_every_33_ms(
    streaming: Transcript, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown_at: list[float] = []
    show = rich_text.RichText.show_growing

    def spy(text: rich_text.RichText, markup: str) -> None:
        shown_at.append(time.perf_counter())
        show(text, markup)

    monkeypatch.setattr(rich_text.RichText, "show_growing", spy)
    for _ in range(200):
        streaming.append_text(4, "あ")
        qtbot.wait(1)
    gaps = [after - before for before, after in itertools.pairwise(shown_at)]
    assert gaps
    assert min(gaps) >= (FLUSH_MS - 3) / 1000


def test_late_text_of_another_answer_is_ignored(streaming: Transcript, qtbot: QtBot) -> None:
    streaming.append_text(99, "よその文")
    streaming.append_text(4, "この文")
    qtbot.waitUntil(lambda: shown(streaming, 4) == "この文")
    streaming.finish(answer(4, "この文。"))
    streaming.append_text(4, "遅い")
    qtbot.wait(2 * FLUSH_MS)
    assert shown(streaming, 4) == "この文。"


def test_the_end_is_followed_only_when_it_was_in_sight(streaming: Transcript, qtbot: QtBot) -> None:
    streaming.append_text(4, "行です。\n\n" * 60)
    qtbot.waitUntil(lambda: streaming.verticalScrollBar().maximum() > 500)
    assert streaming.is_at_end()
    bar = streaming.verticalScrollBar()
    bar.setValue(bar.maximum() - 300)
    reading = tops(streaming)
    assert streaming.latest_button.isVisible()
    old_maximum = bar.maximum()
    streaming.append_text(4, "さらに続く行です。\n\n" * 60)
    qtbot.waitUntil(lambda: bar.maximum() > old_maximum + 500)
    assert tops(streaming) == reading
    streaming.finish(answer(4, "行です。\n\n" * 60 + "さらに続く行です。\n\n" * 60))
    assert tops(streaming) == reading
    qtbot.mouseClick(streaming.latest_button, Qt.MouseButton.LeftButton)
    assert streaming.is_at_end()
    assert not streaming.latest_button.isVisible()


def test_a_new_question_brings_the_end_into_sight(transcript: Transcript, qtbot: QtBot) -> None:
    transcript.show_messages(conversation(100))
    transcript.verticalScrollBar().setValue(1000)
    transcript.add(question(101, "新しい質問"))
    assert transcript.is_at_end()


def test_an_answer_out_of_sight_grows_and_is_whole_when_one_comes_back(streaming: Transcript, qtbot: QtBot) -> None:
    streaming.show_messages([*conversation(400), answer(401, "始まり。", "streaming", AnswerDetails())])
    streaming.verticalScrollBar().setValue(0)
    settle(streaming, qtbot)
    assert streaming.view_of(401) is None
    streaming.append_text(401, "続き。")
    qtbot.wait(2 * FLUSH_MS)
    streaming.scroll_to_end()
    assert shown(streaming, 401) == "始まり。続き。"
    streaming.append_text(401, "終わり。")
    qtbot.waitUntil(lambda: shown(streaming, 401) == "始まり。続き。終わり。")


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        (AnswerStage("loading", 0.5, -3.0), "モデルを読み込んでいます… 3 秒"),
        (AnswerStage("reading", 0.4, 0.0), "質問を読んでいます 40 %"),
        (AnswerStage("answering", None, -2.44), "回答中… 2.4 秒"),
        (AnswerStage("searching"), "資料を探しています"),
        (AnswerStage("passages", None, 0.0, 12, 0.031), "資料 12 か所が見つかりました（検索 31 ms）"),
        (
            AnswerStage("loading", 0.5, -3.0, 12, 0.031),
            "資料 12 か所が見つかりました（検索 31 ms）　モデルを読み込んでいます… 3 秒",
        ),
        (AnswerStage("answering", None, -2.44, 5, 0.031), "資料 5 か所を読みました（検索 31 ms）　回答中… 2.4 秒"),
        (AnswerStage("checking", None, -9.0, 5, 0.031), "資料 5 か所を読みました（検索 31 ms）　根拠を照合しています"),
    ],
)
def test_the_stage_is_said_in_words(
    streaming: Transcript, stage: AnswerStage, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.chat.ui.transcript.answer_view.time.monotonic", lambda: 0.0)
    streaming.show_stage(stage)
    view = streaming.view_of(4)
    assert isinstance(view, AnswerView)
    assert view._stage_line is not None
    assert view._stage_line.text() == words


# -------------------------------------------------------------- what is said


def labels(view: QWidget | None) -> list[str]:
    assert view is not None
    return [label.text() for label in view.findChildren(QWidget) if hasattr(label, "text") and label.isVisible()]


@pytest.mark.parametrize(
    ("status", "reason", "words"),
    [
        ("stopped", "cancelled", "ここで停止しました"),
        ("stopped", "interrupted", "回答の途中で Kotae が終了しました。ここまでは保存済みです。"),
        ("done", "length", "長さの上限に達したため、ここで終わりました。上限はプリセットで変えられます。"),
        ("done", "context", "文脈の上限に達したため、ここで終わりました。"),
    ],
)
def test_an_answer_that_ended_early_says_so(transcript: Transcript, status: str, reason: str, words: str) -> None:
    transcript.show_messages([question(1), answer(2, "途中", status, AnswerDetails(stop_reason=reason))])
    assert words in labels(transcript.view_of(2))


def test_the_time_stands_below_an_answer_and_everything_else_in_its_menu(transcript: Transcript) -> None:
    transcript.show_messages([question(1), answer(2)])
    assert "8.2 秒" in labels(transcript.view_of(2))
    entries = [action.text() for action in end(transcript, 2).row.menu().actions()]
    assert entries[-6:] == ["8.2 秒", "44.9 tok/s", "試験", "30 トークン", "終わり：自然な終わり", "乱数 7"]


def test_a_failed_answer_offers_to_answer_again_and_the_record(transcript: Transcript, qtbot: QtBot) -> None:
    failed = answer(2, "途中の", "failed", AnswerDetails(stop_reason="failed", error_code="engine_died"))
    transcript.show_messages([question(1), failed])
    view = transcript.view_of(2)
    assert "モデルの処理が止まりました。質問と途中の回答は保存済みです。" in labels(view)
    assert shown(transcript, 2) == "途中の"
    with qtbot.waitSignal(transcript.requests.regenerate_requested, check_params_cb=lambda number: number == 2):
        buttons(view)["もう一度答える"].click()
    with qtbot.waitSignal(transcript.requests.navigation.log_requested):
        buttons(view)["記録を見る"].click()
    transcript.explain(2, "理由が分かりました。")
    assert "理由が分かりました。" in labels(view)
    assert view is not None
    more = buttons(view)["この回答のその他の操作"]
    assert more.mapTo(view, QPoint(0, more.height())).y() <= view.height(), "nothing is clipped"


def test_a_finished_answer_is_as_high_as_one_that_is_opened(streaming: Transcript, theme: Theme, qtbot: QtBot) -> None:
    failed = answer(4, "途中", "failed", AnswerDetails(stop_reason="failed", error_code="engine_died"))
    streaming.finish(failed)
    qtbot.wait(20)
    height = streaming.view_of(4).height()  # type: ignore[union-attr]
    streaming.show_messages([question(1), answer(2), question(3), failed])
    assert streaming.view_of(4).height() == height  # type: ignore[union-attr]


def test_copy_takes_what_the_model_wrote(transcript: Transcript, qtbot: QtBot) -> None:
    written = "**重さ**は 12 kg です。[1]"
    transcript.show_messages([question(1), answer(2, written)])
    view = transcript.view_of(2)
    buttons(view)["コピー"].click()
    assert QGuiApplication.clipboard().text() == written
    menu = end(transcript, 2).row.menu()
    next(action for action in menu.actions() if action.text() == "記号を除いてコピー").trigger()
    assert QGuiApplication.clipboard().text() == "重さは 12 kg です。[1]"


def test_text_is_selected_and_copied_with_the_keyboard(transcript: Transcript, qtbot: QtBot) -> None:
    transcript.show_messages([question(1), answer(2, "長さは 12 mm です。[1]")])
    view = transcript.view_of(2)
    assert view is not None
    view.text.setFocus()
    qtbot.keyClick(view.text, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    qtbot.keyClick(view.text, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text() == "長さは 12 mm です。[1]"


def test_page_keys_in_a_text_scroll_the_conversation(transcript: Transcript, qtbot: QtBot) -> None:
    transcript.show_messages(conversation(60))
    settle(transcript, qtbot)
    view = transcript.view_of(60)
    assert view is not None
    view.text.setFocus()
    before = transcript.verticalScrollBar().value()
    qtbot.keyClick(view.text, Qt.Key.Key_PageUp)
    assert transcript.verticalScrollBar().value() < before - 300


def test_a_link_is_handed_on_and_not_opened(transcript: Transcript, qtbot: QtBot) -> None:
    transcript.show_messages([question(1), answer(2, "https://example.com/a?b=c")])
    view = transcript.view_of(2)
    assert view is not None
    with qtbot.waitSignal(
        transcript.requests.link_chosen, check_params_cb=lambda href: href == "https://example.com/a?b=c"
    ):
        qtbot.mouseClick(view.text.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(30, 13))


def test_every_message_and_button_has_a_name(transcript: Transcript) -> None:
    transcript.show_messages([question(1, "質問の文"), answer(2, "回答の文")])
    first, second = transcript.view_of(1), transcript.view_of(2)
    assert first is not None
    assert second is not None
    assert first.accessibleName().startswith("質問　")
    assert first.accessibleDescription() == "質問の文"
    assert second.accessibleName().startswith("回答　")
    assert second.accessibleDescription() == "回答の文"
    assert all(name for name in buttons(second))


def test_start_and_end_of_an_answer_are_announced(transcript: Transcript, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr("app.chat.ui.transcript.transcript.announce", lambda _shown, words: said.append(words))
    transcript.show_messages([question(1)])
    transcript.add(answer(2, "", "streaming", AnswerDetails()))
    transcript.finish(answer(2))
    assert said == ["回答を始めました", "回答が終わりました"]


def test_an_announcement_reaches_qt_politely(transcript: Transcript, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[tuple[str, QAccessible.AnnouncementPoliteness]] = []
    update = QAccessible.updateAccessibility

    def listen(event: QAccessibleAnnouncementEvent) -> None:
        heard.append((event.message(), event.politeness()))
        update(event)

    monkeypatch.setattr(QAccessible, "updateAccessibility", listen)
    announce(transcript, "回答を始めました")
    assert heard == [("回答を始めました", QAccessible.AnnouncementPoliteness.Polite)]


def test_no_button_needs_the_mouse_to_be_seen(transcript: Transcript) -> None:
    transcript.show_messages([question(1), answer(2)])
    for name in ("コピー", "再生成", "この回答のその他の操作"):
        button = buttons(transcript.view_of(2))[name]
        assert button.isVisible()
        assert isinstance(button, QPushButton) or button.focusPolicy() & Qt.FocusPolicy.TabFocus
