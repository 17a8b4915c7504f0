"""抜粋表示: the best sentences of the passages, as they stand there."""

import pytest

from app.documents.grounding import claims
from app.documents.records import DocumentSection, Passage
from app.documents.retrieval import excerpts
from tests.documents.driver import make_passage

COVER = make_passage(
    "鉄筋は錆を落として組み立てる。土に接する部材のかぶりは70mm以上とする。ただし、捨て型枠を用いる場合を除く。養生は5日とする。",
    "2.2 かぶり",
)
PUMP = make_passage("ポンプの軸受温度は75℃を超えてはならない。点検は毎日行う。", "4.2 点検", number=2)


def best_of(question: str, *passages: Passage) -> excerpts.Excerpt:
    return max(excerpts.pick_excerpts(question, passages), key=lambda one: one.score)


def is_supported(answer: str, *passages: Passage) -> bool:
    return all(claim.is_supported for claim in claims.check_claims(answer, passages))


def test_the_sentence_that_answers_comes_with_what_limits_it():
    cover, pump = (
        best_of(question, COVER, PUMP)
        for question in ("土に接する部材のかぶりは何mmですか", "ポンプの軸受の温度はいくつまでか")
    )
    assert cover.text == "土に接する部材のかぶりは70mm以上とする。ただし、捨て型枠を用いる場合を除く。"
    assert (cover.number, pump.number, pump.text) == (1, 2, "ポンプの軸受温度は75℃を超えてはならない。")


def test_excerpts_are_verbatim_and_their_places_are_right():
    passages = [COVER, PUMP]
    found = excerpts.pick_excerpts("かぶりと軸受温度", passages)
    assert found
    for excerpt in found:
        assert passages[excerpt.number - 1].section.text[excerpt.start : excerpt.end] == excerpt.text


def test_the_answer_quotes_each_with_its_source_and_all_is_supported():
    answer, found = excerpts.answer_from_excerpts(excerpts.pick_excerpts("かぶりは何mm", [COVER, PUMP]))
    assert answer.startswith("- 「土に接する部材のかぶりは70mm以上とする。")
    assert [answer[claim.start : claim.end] == claim.sentence for claim in found] == [True] * len(found)
    assert all(claim.is_supported for claim in found)
    checked = claims.check_claims(answer, [COVER, PUMP])
    assert [claim.sources for claim in checked] == [claim.sources for claim in found]
    assert all(claim.is_supported for claim in checked)


def test_where_nothing_fits_there_is_no_excerpt():
    assert excerpts.pick_excerpts("雪崩の予防柵", [COVER, PUMP]) == []
    assert excerpts.pick_excerpts("かぶり", []) == []


def test_sentences_are_chosen_by_the_heading_of_their_own_section_and_headings_are_not_quoted():
    first = DocumentSection(("使い方", "最初の質問"), "モデルがないときは、お試し用を使う。")
    second = DocumentSection(("使い方", "モデルを追加するには"), "モデルの画面でファイルを取り込む。")
    text = f"最初の質問\n{first.text}\nモデルを追加するには\n{second.text}"
    whole = DocumentSection(second.heading, text)
    joined = Passage(1, whole, 1, "a.md", "/a.md", "使い方", "public", 1.0, 1, (first, second))
    picked = excerpts.pick_excerpts("モデルを追加するには？", [joined])
    assert best_of("モデルを追加するには？", joined).text == second.text
    assert {one.text for one in picked} <= {first.text, second.text}


def test_a_number_in_brackets_in_a_document_is_no_mark_of_a_source():
    numbered = make_passage("目地の間隔は文献[2]による。", "2.4 目地")
    answer, _ = excerpts.answer_from_excerpts(excerpts.pick_excerpts("目地の間隔は", [numbered]))
    assert answer == "- 「目地の間隔は文献（2）による。」[1]"


def test_literature_on_the_matter_says_less_than_the_matter():
    book = make_passage(
        "山田太郎：かぶりの計測，土木技術，vol.48 No.1，pp.66-71，2006．\nかぶりは年に1回計測する。",
        "5 かぶりの計測",
    )
    best = best_of("かぶりの計測は年に何回か", book)
    assert best.text == "かぶりは年に1回計測する。"


@pytest.mark.parametrize(
    "rows",
    [
        ("品名: 生コン | 単価: 152", "品名: 鉄筋 | 規格: D13 | 単価: 118", "品名: 鉄筋 | 規格: D16 | 単価: 116"),
        ("品名 | 規格 | 単価", "生コン | 21-8-25 | 15200", "鉄筋 | D13 | 118000", "鉄筋 | D16 | 116000"),
    ],
)  # fmt: skip
def test_of_a_price_list_the_row_that_is_asked_for_comes_alone(rows):
    (only,) = excerpts.pick_excerpts("鉄筋D13の単価は", [make_passage("\n".join(rows), "単価表")])
    assert only.text == next(row for row in rows if "D13" in row)


@pytest.mark.parametrize(
    "table",
    [
        "| 区分 | 天端幅 | 勾配 |\n| --- | --- | --- |\n| 土石流区間 | 3.0m | 1:0.2 |\n| 掃流区間 | 2.0m | 1:0.3 |",
        "区分 | 天端幅 | 勾配\n土石流区間 | 3.0m | 1:0.2\n掃流区間 | 2.0m | 1:0.3",
    ],
)
def test_the_head_of_a_table_is_no_answer_and_names_the_columns_of_one(table):
    source = make_passage(f"堰堤の寸法は次による。\n{table}", "3.1 断面")
    answer, found = excerpts.answer_from_excerpts(excerpts.pick_excerpts("土石流区間の天端幅は", [source]))
    assert answer == "- 「区分 | 天端幅 | 勾配」「土石流区間 | 3.0m | 1:0.2」[1]"
    assert is_supported(answer, source)
    both, _ = excerpts.answer_from_excerpts(excerpts.pick_excerpts("天端幅は", [source]))
    assert both.splitlines() == [answer, "- 「掃流区間 | 2.0m | 1:0.3」[1]"]
    assert len(found) == 1


def test_the_first_row_of_names_and_values_is_quoted():
    form = make_passage("点検者 | 山田\n点検日 | 4月1日", "点検表")
    (only,) = excerpts.pick_excerpts("点検者は誰か", [form])
    assert only.text == "点検者 | 山田"


ITEMS = ["一　契約保証金", "（１）現金", "（２）国債", "二　銀行の保証", "イ　都市銀行"]
BONDS = "契約の保証は、次の各号のいずれかとする。ただし、軽微な工事を除く。"


def test_a_sentence_that_announces_items_comes_with_them_up_to_the_next_clause():
    source = make_passage("\n".join([BONDS, *ITEMS, "２　前項の額は、別に定める。"]), "第4条（契約の保証）")
    (only,) = excerpts.pick_excerpts("契約の保証は何か", [source])
    assert only.text == "\n".join([BONDS, *ITEMS])
    assert source.section.text[only.start : only.end] == only.text
    answer, found = excerpts.answer_from_excerpts([only])
    assert answer.endswith("（２）国債 二 銀行の保証 イ 都市銀行」[1]")
    assert is_supported(answer, source)
    assert found[0].sources == (1,)


def test_a_list_without_end_is_cut_and_says_so():
    rows = [f"({number}) 保証の種類{number}" for number in range(1, 20)]
    source = make_passage("\n".join(["契約の保証の種類は次のとおりとする。", *rows]), "4 契約の保証")
    best = best_of("契約の保証の種類は何か", source)
    assert best.is_cut
    assert best.text.endswith("保証の種類8")
    answer, _ = excerpts.answer_from_excerpts([best])
    assert answer.endswith("保証の種類8」…[1]")
    assert is_supported(answer, source)


@pytest.mark.parametrize(
    "following",
    [
        "２　報告は、月末とする。",
        "３　次の項は、別に定める。",
        "契約は、書面による。",
        "品名 | 単価 | 備考",
        "3.5 m の幅とする。",
    ],
)
def test_what_is_no_item_of_it_does_not_come_with_a_sentence(following):
    source = make_passage(f"１　保証は、次のとおりとする。\n{following}", "第4条")
    best = best_of("保証はどのようなものか", source)
    assert "\n" not in best.text


def test_items_of_the_next_section_do_not_come_with_a_sentence():
    first = DocumentSection(("第4条",), "契約の保証は、次のとおりとする。")
    second = DocumentSection(("第5条",), "一　契約の変更")
    text = f"{first.text}\n{second.text}"
    joined = Passage(
        1, DocumentSection(("第4条",), text), 1, "a.md", "/a.md", "契約", "public", 1.0, 1, (first, second)
    )
    best = best_of("契約の保証は何か", joined)
    assert best.text == first.text


@pytest.mark.parametrize(
    "text",
    ["保証の額は、次の会議で決める。\n一　契約の変更", "保証の期日は、次の日とする。\n（１）契約の変更"],
)
def test_the_next_day_announces_no_items(text):
    (best,) = excerpts.pick_excerpts("保証の額と期日は", [make_passage(text, "第4条")])
    assert best.text == text.split("\n")[0]


def test_a_bare_number_behind_numbers_in_brackets_is_no_item():
    text = "契約の保証は、次のとおりとする。\n（１）現金\n（２）国債\n１　報告は、月末とする。"
    best = best_of("契約の保証は何か", make_passage(text, "第4条"))
    assert best.text.endswith("（２）国債")
