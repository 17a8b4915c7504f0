"""The conversations as a model: pins, folders, days, the filter, and what screen readers hear."""

from datetime import datetime, timedelta

from msgspec import structs
from PySide6.QtCore import Qt

from app.chat.records import Conversation, Folder
from app.chat.ui.conversations.conversation_list import OUTSIDE, ConversationList
from app.chat.ui.conversations.conversation_view import ConversationDelegate, ConversationView
from app.documents.grounding.grounding_record import CollectionRef
from app.uikit.widgets.labels import plain_tooltip

NOW = datetime(2026, 11, 25, 15, 30)
ROADS, BRIDGES = Folder(1, "道路"), Folder(2, "橋梁")


def conversation(
    number: int,
    title: str,
    age: timedelta = timedelta(),
    *,
    folder: Folder | None = None,
    pinned_at: float | None = None,
) -> Conversation:
    when = (NOW - age).timestamp()
    folder_id = folder.id if folder else None
    return Conversation(number, title, when, when, None, folder_id=folder_id, pinned_at=pinned_at)


def filled(*conversations: Conversation, folders: tuple[Folder, ...] = (BRIDGES, ROADS)) -> ConversationList:
    model = ConversationList()
    model.set_conversations(conversations, NOW, folders=folders)
    return model


def texts(model: ConversationList) -> list[str]:
    return [model.index(row).data() for row in range(model.rowCount())]


def spoken(model: ConversationList, text: str) -> str:
    row = texts(model).index(text)
    return model.index(row).data(Qt.ItemDataRole.AccessibleTextRole)


def test_conversations_stand_under_their_day():
    ages = (timedelta(hours=1), timedelta(days=1), timedelta(days=7), timedelta(days=40), timedelta(days=400))
    model = filled(*(conversation(n, f"会話{n}", age) for n, age in enumerate(ages)), folders=())
    assert texts(model) == [
        "今日", "会話0", "昨日", "会話1", "11月", "会話2", "10月", "会話3", "2025年10月", "会話4",
    ]  # fmt: skip
    assert [model.facts_text(model.row(row)) for row in (1, 3, 5)] == ["14:30", "15:30", "11月18日"]
    ahead = filled(conversation(1, "明日", -timedelta(days=1)), folders=())  # from a clock that was ahead
    assert texts(ahead) == ["今日", "明日"]


def test_a_changed_row_is_painted_again_and_only_another_order_makes_the_view_measure_all_rows_again():
    first, second = conversation(1, "前の題名"), conversation(2, "ほか", timedelta(hours=1))
    model = filled(first, second)
    resets, changes = [], []
    model.modelReset.connect(lambda: resets.append(texts(model)))
    model.dataChanged.connect(lambda *_: changes.append(texts(model)))
    model.set_conversations((structs.replace(first, title="新しい題名"), second), NOW, folders=(BRIDGES, ROADS))
    assert (resets, len(changes)) == ([], 1)
    assert "新しい題名" in texts(model)
    model.set_conversations((second, first), NOW, folders=(BRIDGES, ROADS))
    model.set_conversations((second, first), NOW + timedelta(days=1), folders=(BRIDGES, ROADS))  # another heading
    model.set_conversations((second,), NOW + timedelta(days=1), folders=(BRIDGES, ROADS))
    assert len(resets) == 3


def test_the_view_measures_no_row_again_when_only_a_row_or_the_colours_changed(theme, qtbot, monkeypatch):
    measured: list[int] = []
    painted: list[str] = []
    measure = ConversationDelegate.sizeHint
    monkeypatch.setattr(ConversationDelegate, "sizeHint", lambda *row: measured.append(1) or measure(*row))
    monkeypatch.setattr(ConversationDelegate, "paint", lambda _self, _to, _how, index: painted.append(index.data()))
    model = filled(*(conversation(number, f"会話{number}") for number in range(1, 3001)))
    view = ConversationView(theme, model)
    qtbot.addWidget(view)
    view.resize(250, 600)
    view.show()
    qtbot.waitUntil(lambda: "会話5" in painted)
    assert len(measured) >= 3000
    measured.clear()
    for change in (lambda: model.set_open(5), lambda: model.set_drafts({7}), theme.changed.emit):
        painted.clear()
        change()
        qtbot.waitUntil(lambda: "会話5" in painted)
        qtbot.wait(20)
    assert len(measured) < 200
    monkeypatch.setattr(theme, "px", lambda n: round(1.25 * n))
    theme.changed.emit()
    qtbot.waitUntil(lambda: len(measured) >= 3000)


def test_the_label_stands_beside_the_time_where_it_says_something():
    plain = conversation(1, "ふつう")
    asking = structs.replace(conversation(2, "資料に聞く"), scope=(CollectionRef(1, "規程"),))
    secret = structs.replace(conversation(3, "機密の会話"), label="secret")
    model = filled(plain, asking, secret, folders=())
    assert [model.facts_text(model.row(row)) for row in (1, 2, 3)] == ["15:30", "15:30　社外秘", "15:30　機密"]
    assert "機密" in spoken(model, "機密の会話")


def test_pins_come_first_then_folders_then_the_days_of_the_rest():
    model = filled(
        conversation(1, "今の質問"),
        conversation(2, "橋の質問", folder=BRIDGES),
        conversation(3, "後で留めた", pinned_at=20.0),
        conversation(4, "先に留めた", folder=ROADS, pinned_at=10.0),
    )
    assert texts(model) == [
        "ピン留め", "先に留めた", "後で留めた", "橋梁", "橋の質問", "道路", "今日", "今の質問",
    ]  # fmt: skip
    assert spoken(model, "後で留めた") == "後で留めた　15:30　ピン留め"


def test_the_time_says_as_much_as_the_heading_leaves_open():
    model = filled(
        conversation(1, "昨日の", timedelta(days=1), folder=BRIDGES),
        conversation(2, "去年の", timedelta(days=400), folder=BRIDGES),
        conversation(3, "留めた", timedelta(days=7), folder=ROADS, pinned_at=1.0),
    )
    rows = [model.row(place) for place in range(model.rowCount())]
    times = {row.text: model.facts_text(row) for row in rows if row.conversation}
    assert times["昨日の"] == "昨日 15:30"
    assert times["去年の"] == "2025年10月21日"
    assert times["留めた"] == "11月18日　道路"


def test_a_folded_folder_shows_its_heading_and_count_only():
    model = filled(conversation(1, "一", folder=BRIDGES), conversation(2, "二", folder=BRIDGES))
    model.fold(BRIDGES.id, is_folded=True)
    assert texts(model) == ["橋梁", "道路"]
    assert spoken(model, "橋梁") == "フォルダ 橋梁、2 件　閉じています"
    model.fold(BRIDGES.id, is_folded=False)
    assert texts(model) == ["橋梁", "一", "二", "道路"]
    assert spoken(model, "橋梁") == "フォルダ 橋梁、2 件"


def test_a_folded_folder_is_marked_for_the_open_conversation_in_it():
    model = filled(conversation(1, "一", folder=BRIDGES), conversation(2, "二", folder=ROADS))
    model.set_open(1)
    model.fold(BRIDGES.id, is_folded=True)
    model.fold(ROADS.id, is_folded=True)
    headings = [model.row(model.index_of_folder(folder.id).row()) for folder in (BRIDGES, ROADS)]
    assert [model.is_open(row) for row in headings] == [True, False]


def test_a_folder_that_is_gone_is_not_folded_when_its_number_comes_back():
    model = filled(folders=(BRIDGES,))
    model.fold(BRIDGES.id, is_folded=True)
    model.set_conversations([], NOW)
    assert model.folded == frozenset()


def test_the_filter_looks_into_folded_folders_and_hides_those_without_a_hit():
    model = filled(conversation(1, "橋脚の点検", folder=BRIDGES), conversation(2, "舗装", folder=ROADS))
    model.fold(BRIDGES.id, is_folded=True)
    model.set_filter("点検", NOW)
    assert texts(model) == ["橋梁", "橋脚の点検"]


def test_the_filter_finds_titles_whatever_their_width_and_case():
    model = filled(conversation(1, "GGUF の取り込み方"), conversation(2, "出張費"), folders=())
    for query in ("ＧＧＵＦ", "gguf", "取り込み"):
        model.set_filter(query, NOW)
        assert texts(model) == ["今日", "GGUF の取り込み方"]


def test_headings_of_days_cannot_be_chosen_and_those_of_folders_can_be_reached():
    model = filled(conversation(1, "会話"), folders=(BRIDGES,))
    heading, day = model.index(0), model.index(1)
    assert model.flags(day) == Qt.ItemFlag.NoItemFlags
    assert model.row(day.row()).id is None
    assert model.row(heading.row()).folder_id == BRIDGES.id
    assert model.flags(heading) & Qt.ItemFlag.ItemIsEnabled
    assert not model.flags(heading) & Qt.ItemFlag.ItemIsSelectable


def test_a_draft_is_told_but_not_that_of_the_open_conversation():
    model = filled(conversation(1, "一"), conversation(2, "二"), folders=())
    model.set_drafts({1, 2})
    model.set_open(2)
    assert [model.draft_mark(model.row(model.index_of(number).row())) for number in (1, 2)] == ["下書き", ""]
    assert spoken(model, "一") == "一　15:30　下書き"
    model.set_drafts({2})
    assert model.draft_mark(model.row(model.index_of(1).row())) == ""


def test_each_row_knows_where_something_dropped_on_it_goes():
    model = filled(conversation(1, "外"), conversation(2, "中", folder=ROADS), conversation(3, "ピン", pinned_at=1.0))
    found = {model.index(row).data(): model.folder_around(model.index(row)) for row in range(model.rowCount())}
    assert found == {
        "ピン留め": None, "ピン": None, "橋梁": BRIDGES.id, "道路": ROADS.id, "中": ROADS.id, "今日": OUTSIDE,
        "外": OUTSIDE,
    }  # fmt: skip


def test_names_that_are_empty_or_the_same_change_nothing():
    model = filled(conversation(1, "会話"), folders=(BRIDGES,))
    heard: list[tuple[int, str]] = []
    model.renamed.connect(lambda number, name: heard.append((number, name)))
    model.folder_renamed.connect(lambda number, name: heard.append((number, name)))
    heading, title = model.index(0), model.index(2)
    for name in ("", "  ", "橋梁"):
        model.setData(heading, name)
    model.setData(title, "会話")
    assert heard == []
    model.setData(heading, " 橋 ")
    model.setData(title, "話")
    assert heard == [(BRIDGES.id, "橋"), (1, "話")]


def test_the_keyboard_stays_near_a_row_that_is_gone():
    model = filled(conversation(1, "会話1"), conversation(2, "会話2", timedelta(days=1)), folders=())
    assert [model.nearest(row).data() for row in (0, 1, 2, 9)] == ["会話1", "会話1", "会話2", "会話2"]
    model.set_conversations([], NOW)
    assert not model.nearest(1).isValid()


def test_ten_thousand_conversations_are_listed_in_groups():
    model = filled(*(conversation(n, f"会話 {n}", timedelta(hours=n)) for n in range(10_000)), folders=())
    months = 10_000 // (24 * 31)
    assert 10_000 + months < model.rowCount() < 10_000 + months + 5


def test_a_title_that_looks_like_html_is_shown_as_it_is():
    model = filled(conversation(1, "<b>太字</b>"), folders=(Folder(1, "<i>斜体</i>"),))
    for row, text in ((0, "<i>斜体</i>"), (2, "<b>太字</b>")):
        shown = model.index(row).data(Qt.ItemDataRole.ToolTipRole)
        assert shown == plain_tooltip(text)
        assert "&lt;" in shown
