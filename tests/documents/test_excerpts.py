"""抜粋表示: the best sentences of the passages, as they stand there."""

import dataclasses

import pytest

from app.documents.grounding import claims
from app.documents.records import Passage, Section
from app.documents.retrieval import excerpts
from app.documents.retrieval.sentence_ranking import SoughtAnswer, definition_share
from tests.documents.driver import make_passage

COVER = make_passage(
    "鉄筋は錆を落として組み立てる。土に接する部材のかぶりは70mm以上とする。ただし、捨て型枠を用いる場合を除く。養生は5日とする。",
    "2.2 かぶり",
)
PUMP = make_passage("ポンプの軸受温度は75℃を超えてはならない。点検は毎日行う。", "4.2 点検", number=2)


def best_of(question: str, *passages: Passage) -> excerpts.Excerpt:
    return excerpts.pick_excerpts(question, passages)[0]


def answer_to(question: str, *passages: Passage) -> str:
    return excerpts.answer_from_excerpts(excerpts.pick_excerpts(question, passages))[0]


def is_supported(answer: str, *passages: Passage) -> bool:
    return all(claim.is_supported for claim in claims.check(answer, passages))


def test_the_sentence_that_answers_comes_with_what_limits_it():
    cover, pump = (
        best_of(question, COVER, PUMP)
        for question in ("土に接する部材のかぶりは何mmですか", "ポンプの軸受の温度はいくつまでか")
    )
    assert cover.text == "土に接する部材のかぶりは70mm以上とする。ただし、捨て型枠を用いる場合を除く。"
    assert (cover.number, pump.number, pump.text) == (1, 2, "ポンプの軸受温度は75℃を超えてはならない。")


def test_the_answer_quotes_each_with_its_source_and_all_is_supported():
    answer, found = excerpts.answer_from_excerpts(excerpts.pick_excerpts("かぶりは何mm", [COVER, PUMP]))
    assert answer.startswith("**「土に接する部材のかぶりは70mm以上とする。")
    assert [answer[claim.start : claim.end] == claim.sentence for claim in found] == [True] * len(found)
    assert all(claim.is_supported for claim in found)
    checked = claims.check(answer, [COVER, PUMP])
    assert [claim.sources for claim in checked] == [claim.sources for claim in found]
    assert all(claim.is_supported for claim in checked)


def test_where_nothing_fits_there_is_no_excerpt():
    assert excerpts.pick_excerpts("雪崩の予防柵", [COVER, PUMP]) == []
    assert excerpts.pick_excerpts("かぶり", []) == []


def test_sentences_are_chosen_by_the_heading_of_their_own_section_and_headings_are_not_quoted():
    first = Section(("使い方", "最初の質問"), "モデルがないときは、お試し用を使う。")
    second = Section(("使い方", "モデルを追加するには"), "モデルの画面でファイルを取り込む。")
    text = f"最初の質問\n{first.text}\nモデルを追加するには\n{second.text}"
    whole = Section(second.heading, text)
    joined = Passage(1, whole, 1, "a.md", "/a.md", "使い方", "public", 1.0, 1, (first, second))
    picked = excerpts.pick_excerpts("モデルを追加するには？", [joined])
    assert best_of("モデルを追加するには？", joined).text == second.text
    assert {one.text for one in picked} <= {first.text, second.text}


def test_a_number_in_brackets_in_a_document_is_no_mark_of_a_source():
    numbered = make_passage("目地の間隔は文献[2]による。", "2.4 目地")
    answer, _ = excerpts.answer_from_excerpts(excerpts.pick_excerpts("目地の間隔は", [numbered]))
    assert answer == "**「目地の間隔は文献（2）による。」[1]**"


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
def test_a_row_is_quoted_as_a_table_with_its_number_below_the_words_that_answer(table):
    source = make_passage(f"堰堤の寸法は次による。\n{table}", "3.1 断面")
    answer, found = excerpts.answer_from_excerpts(excerpts.pick_excerpts("土石流区間の天端幅は", [source]))
    assert answer.splitlines() == [
        "**土石流区間：天端幅 3.0m[1]**",
        "",
        "| 行 | 区分 | 天端幅 | 勾配 |",
        "|---:|---|---|---|",
        "| 1 | 土石流区間 | 3.0m | 1:0.2 [1] |",
    ]
    assert is_supported(answer, source)
    assert [claim.sentence for claim in found] == ["土石流区間 | 3.0m | 1:0.2 [1]"]
    both, _ = excerpts.answer_from_excerpts(excerpts.pick_excerpts("天端幅は", [source]))
    assert both.splitlines() == [
        "**土石流区間：天端幅 3.0m／掃流区間：天端幅 2.0m[1]**",
        *answer.splitlines()[1:],
        "| 2 | 掃流区間 | 2.0m | 1:0.3 [1] |",
    ]
    assert is_supported(both, source)


def test_rows_of_a_spreadsheet_which_name_each_cell_become_a_table_whose_columns_have_those_names():
    rows = ("品番: B1 | 品名: 生コン | 単価: 152円", "品番: B2 | 品名: 鉄筋 | 規格: D13 | 単価: 118円")
    source = make_passage("\n".join(rows), "単価表")
    answer, found = excerpts.answer_from_excerpts(excerpts.pick_excerpts("単価はいくら", [source]))
    assert answer.splitlines() == [
        "**B1：単価 152円／B2：単価 118円[1]**",
        "",
        "| 行 | 品番 | 品名 | 単価 | 規格 |",
        "|---:|---|---|---|---|",
        "| 1 | B1 | 生コン | 152円 |  [1] |",
        "| 2 | B2 | 鉄筋 | 118円 | D13 [1] |",
    ]
    assert [claim.sentence for claim in found] == ["B1 | 生コン | 152円 |  [1]", "B2 | 鉄筋 | 118円 | D13 [1]"]
    assert best_line("鉄筋の単価はいくら", source) == "**B2：品名 鉄筋、単価 118円[1]**"
    checked = make_passage(
        "橋名: 旭橋 | 点検の種類: 定期点検 | 担当: 田中\n橋名: 緑橋 | 点検の種類: 詳細点検 | 担当: 佐藤", "点検"
    )
    assert "担当 田中" in best_line("定期点検は誰がする", checked), (
        "a column that is named may not be the one that is asked for"
    )


def test_steps_are_quoted_together_where_the_heading_names_them():
    kinds = make_passage("補修工法には、シール注入、パッチング、打換えがある。", "3.1 工法の種類")
    steps = make_passage("1. 周囲を切断する。\n2. 破損した部分を取り除く。\n3. 締め固める。", "3.4 パッチングの手順")
    answer, _ = excerpts.answer_from_excerpts(excerpts.pick_excerpts("パッチングの手順は", [kinds, steps]))
    assert answer.splitlines()[0] == "**「周囲を切断する。 2. 破損した部分を取り除く。 3. 締め固める。」[2]**"


def best_line(question, source):
    return excerpts.answer_from_excerpts(excerpts.pick_excerpts(question, [source]))[0].splitlines()[0]


def test_a_row_counts_from_the_head_of_its_table_also_where_the_head_is_repeated_in_the_next_section():
    head = "| 区分 | 天端幅 | 勾配 |\n| --- | --- | --- |"
    first = Section(("3.1 断面",), f"{head}\n| 土石流区間 | 3.0m | 1:0.2 |\n| 掃流区間 | 2.0m | 1:0.3 |")
    second = Section(("3.1 断面",), f"{head}\n| 扇状地 | 2.5m | 1:0.4 |\n| 河口 | 1.5m | 1:0.5 |")
    whole = Section(first.heading, f"{first.text}\n{second.text}")
    source = Passage(1, whole, 1, "a.md", "/a.md", "基準", "public", 1.0, 1, (first, second))
    picked = excerpts.pick_excerpts("天端幅は", [source])
    assert len(picked) == 4, "no header is quoted as a row"
    numbered = excerpts.number_rows([source], picked, {1: [first.text, second.text]}.__getitem__)
    rows = {one.text.split()[1]: one.row for one in numbered}
    assert rows == {"土石流区間": 1, "掃流区間": 2, "扇状地": 3, "河口": 4}


def test_a_number_below_the_row_column_is_no_value_and_one_beside_it_is():
    source = make_passage("区分 | 天端幅 | 勾配\n土石流区間 | 3.0m | 1:0.2\n掃流区間 | 2.0m | 1:0.3", "3.1 断面")
    quoted = "| 行 | 区分 | 天端幅 |\n|---:|---|---|\n| {} | 掃流区間 | {} [1] |"
    assert is_supported(quoted.format(14, "2.0m"), source)
    assert not is_supported(quoted.format(14, "9.0m"), source)
    assert not is_supported(quoted.format("14m", "2.0m"), source)


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
    assert answer.endswith("（２）国債 二 銀行の保証 イ 都市銀行」[1]**")
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
    first = Section(("第4条",), "契約の保証は、次のとおりとする。")
    second = Section(("第5条",), "一　契約の変更")
    text = f"{first.text}\n{second.text}"
    joined = Passage(1, Section(("第4条",), text), 1, "a.md", "/a.md", "契約", "public", 1.0, 1, (first, second))
    best = best_of("契約の保証は何か", joined)
    assert best.text == first.text


@pytest.mark.parametrize(
    "text", ["保証の額は、次の会議で決める。\n一　契約の変更", "保証の期日は、次の日とする。\n（１）契約の変更"]
)
def test_the_next_day_announces_no_items(text):
    (best,) = excerpts.pick_excerpts("保証の額と期日は", [make_passage(text, "第4条")])
    assert best.text == text.split("\n")[0]


def test_a_bare_number_behind_numbers_in_brackets_is_no_item():
    text = "契約の保証は、次のとおりとする。\n（１）現金\n（２）国債\n１　報告は、月末とする。"
    best = best_of("契約の保証は何か", make_passage(text, "第4条"))
    assert best.text.endswith("（２）国債")


@pytest.mark.parametrize(
    ("question", "text", "first"),
    [
        (
            "巡視の頻度を教えてください。",
            "巡視の様式は、出水の状況に応じて定める。巡視は月に2回行う。記録は3部作成する。",
            "巡視は月に2回行う。",
        ),
        (
            "余裕高は何mですか",
            "余裕高は、計画高水流量2,000m³/sに応じた値とする。この余裕高は1.2mを下回らない。",
            "余裕高は、計画高水流量2,000m³/sに応じた値とする。この余裕高は1.2mを下回らない。",
        ),
        (
            "「余水吐」とは何ですか？",
            "余水吐の点検は年1回行う。余水吐の扉は塗り直す。余水吐とは、余分な水を流す設備をいう。余水吐は柵で囲む。",
            "余水吐とは、余分な水を流す設備をいう。",
        ),
        (
            "sudo とは何ですか",
            "sudo を使うことは良い習慣です。何でもできます。sudo は権限を一時に与えるプログラムです。",
            "sudo は権限を一時に与えるプログラムです。",
        ),
        (
            "apt って何",
            "apt update は一覧を新しくします。apt コマンドはパッケージ管理の道具です。これは apt とは呼びません。",
            "apt コマンドはパッケージ管理の道具です。",
        ),
        (
            "遊水地とは",
            "遊水地とは言えない土地がある。遊水地は柵で囲む。3.1 遊水地とは、いわゆる水を遊ばせる土地である。",
            "3.1 遊水地とは、いわゆる水を遊ばせる土地である。",
        ),
        (
            "投棄とは何ですか",
            "投棄とは異なる行為もある。投棄は柵で防ぐ。投棄とは、違法に物を捨てることをいう。",
            "投棄とは、違法に物を捨てることをいう。",
        ),
        (
            "NMU とは",
            "これは NMU とは呼ばれない。binary-only NMU という方法もある。NMU は担当でない人の送付を指す。",
            "NMU は担当でない人の送付を指す。",
        ),
        (
            "APT とは何ですか",
            "APT の一覧を見る。APT の設定を見る。APT の更新を行う。スクリプトは何でもできます。",
            "APT の一覧を見る。",
        ),
        (
            "必要な予備品はどのくらい？",
            "予備品が少ない倉庫[2]への必要な補充は任せる。予備品は3個あれば足りる。",
            "予備品は3個あれば足りる。",
        ),
        (
            "指定工事店について教えてください",
            "指定工事店は届出を行う。指定工事店の名簿は毎年改める。町長が認めた業者（以下「指定工事店」という。）に限る。",
            "町長が認めた業者（以下「指定工事店」という。）に限る。",
        ),
        (
            "ひび割れの調査方法は",
            "ひび割れの調査方法．土木技術，vol.48，2006．\nひび割れの調査には、目視と打音による方法を用いる。",
            "ひび割れの調査には、目視と打音による方法を用いる。",
        ),
        (
            "境界線をぼかすには",
            "境界線をぼかす...\n線をぼかすには、ぼかしの幅を入れる。",
            "線をぼかすには、ぼかしの幅を入れる。",
        ),
        (
            "水槽の容量を調べたい",
            "水槽の容量は800Lである。\n水槽は銘板を見て容量を調べる。",
            "水槽は銘板を見て容量を調べる。",
        ),
    ],
)
def test_the_first_excerpt_has_what_is_asked_for(question, text, first):
    assert first in best_of(question, make_passage(text, "第2章")).text


def test_a_sentence_comes_with_the_one_before_that_names_its_subject():
    text = "塗装は5年ごとに改める。河岸の盛土は高さを保つ。この場所では、0.6mの余裕をとる。伐採は冬に行う。"
    assert best_of("盛土の余裕は何mか", make_passage(text, "3 河岸")).text == (
        "河岸の盛土は高さを保つ。この場所では、0.6mの余裕をとる。"
    )


def test_a_definition_comes_without_the_sentence_before():
    text = "これと余水吐とを混同しない。余水吐は、余分な水を流す設備である。"
    assert best_of("余水吐とは何ですか", make_passage(text, "5 水路")).text.startswith("余水吐は")


@pytest.mark.parametrize("joins", ["また、", "したがって、", "しかし ", "しかし、\n"])
def test_a_quotation_begins_after_a_word_that_only_joins_it_to_what_is_not_quoted(joins):
    text = f"橋の色は白である。{joins}点検は毎年行う。"
    assert answer_to("点検はいつ行うか", make_passage(text, "3 点検")) == "**「点検は毎年行う。」[1]**"


def test_an_example_is_not_quoted_as_a_rule():
    source = make_passage("橋の色は白である。例えば、点検は毎年行う。", "3 点検")
    assert answer_to("点検はいつ行うか", source) == "**「例えば、点検は毎年行う。」[1]**"


def test_a_heading_stands_before_a_text_that_does_not_name_its_subject():
    source = make_passage("径66mm以上とする。延長は50m以下とする。", "第4章 横ボーリング", "4.2 横ボーリングの掘削孔")
    answer = answer_to("横ボーリングの掘削孔の径は何mmですか", source)
    assert answer.splitlines()[0] == "**横ボーリングの掘削孔：「径66mm以上とする。」[1]**"
    assert is_supported(answer, source)


@pytest.mark.parametrize(
    "heading", ["第13条（建物買取請求権）", "１）建物買取請求権", "（2）建物買取請求権", "２．１　建物買取請求権"]
)
def test_a_heading_before_a_text_has_no_number(heading):
    source = make_passage("時価で買い取る。", heading)
    assert answer_to("建物買取請求権の価額は", source).startswith("**建物買取請求権：「時価で")


def test_sentences_that_are_announced_in_the_same_paragraph_come_with_what_announces_them():
    text = "点検の手順は次のとおりである。まず、電源を切る。次に、覆いを外す。\n清掃は月末とする。"
    assert best_of("点検の手順は", make_passage(text, "5 点検")).text == text.split("\n")[0]


def test_nothing_is_quoted_twice():
    one = make_passage("点検は、原則として年1回行う。点検の記録は保存する。", "2.1 点検")
    other = make_passage("点検は、原則として年1回 行う。点検の結果は公表する。", "2.2 点検", number=2)
    answer = answer_to("点検は年に何回行うか", one, other)
    assert answer.count("年1回") == 1


def test_the_best_comes_first_and_those_after_the_second_in_the_order_of_the_documents():
    third = make_passage("水位の記録は5年保存する。", "3 保存", number=3)
    second = make_passage("水位の記録は公表する。\n水位の記録は毎年改める。", "2 公表", number=2)
    first = make_passage("水位の記録は帳簿に写す。", "1 観測")
    found = excerpts.pick_excerpts("水位の記録は", [third, second, first])
    assert [one.text[6:8] for one in found] == ["5年", "公表", "帳簿", "毎年"]


PRICED = [
    *("鉄筋 | D10 | 121000", "鉄筋 | D13 | 118000", "生コン | 18-8 | 15200"),
    "鉄筋 | D16 | 116000 | 長さは4m以上に限り、加工は別途",
    *(f"鉄筋 | D{size} | 115000" for size in (19, 22, 25)),
]


def test_all_rows_that_match_are_quoted_in_order_with_the_names_of_their_columns():
    table = "\n".join(["品名 | 規格 | 単価 | 備考", *PRICED])
    source = make_passage(f"材料の単価は、次の表による。\n{table}", "単価表")
    picked = excerpts.pick_excerpts("鉄筋の単価はいくらですか", [source])
    assert [one.text for one in picked] == [row for row in PRICED if row.startswith("鉄筋")]
    answer, _ = excerpts.answer_from_excerpts(picked)
    lead, _, head, _, first, *_ = answer.splitlines()
    assert lead == "**次の表のとおりです。**", "the names of the rows do not tell them apart"
    assert (head, first) == ("| 行 | 品名 | 規格 | 単価 | 備考 |", "| 1 | 鉄筋 | D10 | 121000 |  [1] |")
    assert is_supported(answer, source)


def test_a_row_with_more_cells_than_its_table_has_names_has_columns_without_a_name():
    picked = [excerpts.Excerpt(1, "| 鉄筋 | D10 | 121000 |", 0, 23, 1.0, "| 品名 | 規格 |", row=3, lead="鉄筋")]
    assert excerpts.answer_from_excerpts(picked)[0].splitlines() == [
        "**鉄筋[1]**",
        "",
        "| 行 | 品名 | 規格 |  |",
        "|---:|---|---|---|",
        "| 3 | 鉄筋 | D10 | 121000 [1] |",
    ]


LONG = (
    "玉石が多く流下する河川では天端幅を2.0mとし、砂混じりの砂利や玉石混じりの砂利が多く流下する河川では天端幅を1.0mとしているなど、"
    "各地の過去の出水の記録と構造物の損傷の程度を数年にわたって調べた結果によって、天端幅をさらに大きくして越流や摩耗に備えている事例がある。"
)


def lead_of(question: str, *passages: Passage) -> str:
    first = answer_to(question, *passages).split("\n")[0]
    assert first.startswith("**")
    assert first.endswith("[1]**")
    return first.removeprefix("**").removesuffix("[1]**")


def test_of_a_long_quotation_the_clause_with_the_value_comes_first_and_the_quotation_below():
    source = make_passage(LONG, "3.1 断面")
    answer, found = excerpts.answer_from_excerpts(excerpts.pick_excerpts("玉石が流下する河川の天端幅は何mか", [source]))
    lead, gap, quoted = answer.split("\n")
    assert lead == "**玉石が多く流下する河川では天端幅を2.0mとし…[1]**"
    assert (gap, quoted) == ("", f"- 「{LONG}」[1]")
    assert [claim.sentence for claim in found] == [f"「{LONG}」[1]"]
    assert is_supported(answer, source)


@pytest.mark.parametrize(
    "whole",
    [
        LONG.partition("各地")[0] + "天端幅を大きくして越流に備えている事例がある。",
        LONG.removesuffix("事例がある。") + "とはいえない。",
        "正社員が業務外の負傷により休業する場合であって所轄の労働基準監督署がこれを認めず、"
        "会社が別に定める期間の満了後においてなお復職できないときに限り、河川の天端幅は180mとし、"
        "それを過ぎてからの延長の申し出はどのような事情があっても一切これを受け付けないものとして取り扱うこととする。",
    ],
)
def test_a_statement_stays_whole_where_it_is_not_very_long_or_what_is_left_out_may_turn_it(whole):
    assert lead_of("玉石が流下する河川の天端幅は何mか", make_passage(whole, "3.1 断面")) == f"「{whole}」"


def test_the_words_that_answer_keep_the_topic_and_begin_and_end_with_a_clause():
    statement = (
        "巡視員は、毎月の巡視に当たっては前回の巡視の記録と照らし合わせて変わったところを詳しく確かめ、"
        "その結果を写真とともに所定の様式に従って巡視の当日のうちに記録し、川の水があふれたことを知ったときは、"
        "直ちに河川事務所の保全課に連絡するとともに、周辺の住民に対し、近寄らないように呼びかける。"
    )
    lead = lead_of("川の水があふれたことを知ったら誰に連絡するか", make_passage(statement, "2 巡視"))
    assert lead.startswith("巡視員は…川の水があふれたことを知ったときは、直ちに河川事務所の保全課に連絡する")
    assert lead.endswith("呼びかける")


@pytest.mark.parametrize(
    ("question", "text", "heading", "lead"),
    [
        (
            "樋門を閉めるのは誰ですか",
            "水位が高いときは樋門を閉める。この操作は、地元の水防団が行う。",
            "3 樋門",
            "「水位が高いときは樋門を閉める。この操作は、地元の水防団が行う。」",
        ),
        (
            "堤防の草を集める場所はどこか",
            "堤防の草は刈って集める。\n集めた草は、広場に置く。",
            "第5章 北川",
            "北川：「堤防の草は刈って集める。」",
        ),
        (
            "検査の手数料はいくらですか",
            "検査の手数料は18歳以上から受け取る。検査には3日を要する。検査の手数料は400円とする。",
            "6 検査",
            "「検査の手数料は400円とする。」",
        ),
        (
            "点検を始めた年はいつか",
            "橋の点検は、水位の低い時期に始めた。橋の点検を市が始めたのは平成12年である。",
            "7 橋",
            "「橋の点検を市が始めたのは平成12年である。」",
        ),
    ],
)
def test_the_kind_of_word_that_is_asked_for_comes_first(question, text, heading, lead):
    assert lead_of(question, make_passage(text, heading)) == lead


def test_clauses_that_a_sentence_announces_come_after_it():
    above = Section(("第8条",), "工事の施工者は、次に掲げる行為をしてはならない。")
    items = [
        Section(("第8条", f"第{number}号"), text)
        for number, text in enumerate(("夜間に杭を打つこと。", "河川に泥水を流すこと。"), start=1)
    ]
    other = Section(("第9条",), "工事の施工者は、工事の行為の記録を保存する。")
    parts = (above, *items, other)
    whole = Section(above.heading, "\n".join(one.text for one in parts))
    joined = Passage(1, whole, 1, "a.md", "/a.md", "規則", "public", 1.0, 1, parts)
    picked = excerpts.pick_excerpts("工事の施工者がしてはならない行為は", [joined])
    assert [one.text for one in picked[:3]] == [above.text, *(one.text for one in items)]


@pytest.mark.parametrize(
    "entry",
    [
        "河川のひび割れの調査方法について（平成28年4月1日 保全課長通知）",
        "ひび割れの調査方法の手引き，平成17年３月、本町建設課.",
        "ひび割れの調査方法: 山田太郎, 土木技術 vol.48, 2006",
        "ひび割れの調査方法 ........ 12",
    ],
)
def test_an_entry_of_a_list_of_notices_literature_or_contents_comes_after_a_sentence(entry):
    source = make_passage(f"{entry}\nひび割れは、目視と打音で調査する。", "8 調査")
    assert best_of("ひび割れの調査方法は", source).text == "ひび割れは、目視と打音で調査する。"


def test_a_row_of_long_cells_is_led_by_its_name_and_what_fits():
    long = "水面に浮かべたフロートと錘とをワイヤーで結び、そのワイヤーを滑車にかけて回転量を記録する水位計で、"
    long += "設置については観測井が必要であり、長期にわたる観測の実績がある。"
    rows = f"検出方式 | 名称 | 説明\n接触型 | フロート式水位計 | {long}\n圧力式 | 気泡式水位計 | 短い。"
    answer = answer_to("フロート式水位計とは", make_passage(rows, "3.3 水位計"))
    assert answer.split("\n")[0] == "**接触型：名称 フロート式水位計…[1]**"


def test_of_a_row_no_column_is_shown_alone_for_a_piece_of_a_word_that_its_title_shares_with_the_question():
    rows = "名称 | パッケージの大きさ | 説明\nmutter | 187 | ウィンドウマネージャー"
    answer = answer_to("ウィンドウマネージャーとは", make_passage(rows, "7.2 窓"))
    assert answer.split("\n")[0] == "**mutter：パッケージの大きさ 187、説明 ウィンドウマネージャー[1]**"


def test_below_a_heading_that_asks_the_same_its_first_sentence_answers():
    text = "はい。夜間は係の者が開けます。書庫を休館日に開けるのは、ひとりではいけません。"
    source = make_passage(text, "第2章 書庫", "2.1 休館日に書庫を開けることはできますか？")
    answer = answer_to("休館日に書庫を開けることはできますか", source)
    assert answer.startswith("**「はい。夜間は係の者が開けます。」[1]**")


def test_signs_of_a_document_do_not_end_the_bold_line():
    starred = make_passage("天端幅は*n*を2.0とする。", "3.1 断面")
    assert answer_to("天端幅は", starred) == "**「天端幅は\\*n\\*を2.0とする。」[1]**"


def test_the_share_of_terms_does_not_depend_on_their_order():
    sought = SoughtAnswer("隔地者に対する意思表示の効力はいつ生じますか", [["意思表示"], ["隔地者", "効力"]])
    found = sorted(sought.weights)
    assert len({sought.share(found[at:] + found[:at]) for at in range(len(found))}) == 1


PLANTS = make_passage(
    "浄化施設には多くの設備がある。沈殿池は、重い粒子を沈める設備である。ろ過池とは、砂の層で水をこす設備をいう。点検は年1回とする。",
    "3 浄化施設",
)
TANKS = make_passage("受水槽とは、水道の水を受ける槽をいう。受水槽と高置水槽は毎年清掃する。", "4 受水槽", number=2)
HIGH_TANKS = make_passage("高置水槽は、屋上に置いて水圧を得る槽である。", "5 高置水槽", number=3)


@pytest.mark.parametrize(
    "question",
    [
        "沈殿池とろ過池の違いは何ですか",
        "浄化施設の沈殿池とろ過池はどう違いますか",
        "「沈殿池」と「ろ過池」それぞれの役割",
    ],
)
def test_of_what_is_compared_each_definition_is_quoted_together_where_they_stand_together(question):
    together = "沈殿池は、重い粒子を沈める設備である。ろ過池とは、砂の層で水をこす設備をいう。"
    assert best_of(question, PLANTS, TANKS).text == together


def test_a_list_of_terms_defines_each_of_them_after_a_colon():
    terms = make_passage("- わだち掘れ：車輪の位置がくぼんだ状態をいう。\n- 段差：継ぎ目の高さの違いをいう。", "用語")
    best = best_of("わだち掘れと段差の違いは", make_passage("わだち掘れと段差は、補修する。", "2 補修"), terms)
    assert "くぼんだ" in best.text
    assert "高さの違い" in best.text


def test_of_what_is_compared_in_two_places_the_definitions_are_quoted_first_in_the_order_asked_for():
    picked = excerpts.pick_excerpts("高置水槽と受水槽はどう違うの？", [TANKS, HIGH_TANKS])
    assert [one.text for one in picked[:2]] == [
        "高置水槽は、屋上に置いて水圧を得る槽である。",
        "受水槽とは、水道の水を受ける槽をいう。",
    ]
    assert not excerpts.pick_excerpts("高置水槽と貯湯槽の違い", [HIGH_TANKS])[0].text.startswith("貯湯槽")


TRIPS = "この規程で「日帰り出張」とは、宿泊を伴わない出張をいう。この規程で「宿泊出張」とは、宿泊を伴う出張をいう。"
CHECKS = "月次点検とは、計器を用いる点検をいう。点検表は5年間保存する。年次点検とは、分解して行う点検をいう。"


def test_of_what_is_compared_no_half_is_lost_and_nothing_that_stands_between_is_quoted_as_a_part_of_it():
    assert best_of("日帰り出張と宿泊出張はどう違うか", make_passage(TRIPS, "2 定義")).text == TRIPS
    between = excerpts.pick_excerpts("月次点検と年次点検はどう違う？", [make_passage(CHECKS, "1 点検")])
    assert [one.text for one in between[:2]] == [CHECKS.partition("。")[0] + "。", CHECKS.split("。")[2] + "。"]


def test_what_only_names_a_rule_for_a_word_is_no_definition_of_it():
    assert definition_share("修繕", "損傷前の状況に補修する「修繕」、機能を増す「補強」") > 0
    assert definition_share("届出", "前条に規定する「届出」を怠った者は、罰金に処する。") == 0


@pytest.mark.parametrize(
    "question", ["管理する水槽の種類", "水槽を大きく分類すると？", "2種の水槽とは？", "水槽の区分を列挙して"]
)
def test_kinds_come_from_the_sentence_that_divides(question):
    text = "水槽の管理は、水槽の種類を問わず年1回以上行う。\n水槽は受水槽及び高置水槽に大別される。"
    assert best_of(question, make_passage(text, "4 水槽の管理")).text == "水槽は受水槽及び高置水槽に大別される。"


def test_kinds_are_no_value_though_their_number_is_said():
    aim = make_passage("この規程は、社員が出張する場合の旅費について定める。", "第1条（目的）")
    kinds = make_passage("旅費は、交通費、日当、宿泊料及び食卓料の4種とする。", "第3条（旅費の種類）", number=2)
    assert "4種" in best_of("旅費にはどんな種類がありますか", aim, TANKS, kinds).text


CASES = """余裕高は次の値以上とする。
・流量が50m3/s未満の場合：0.3m
・流量が50m3/s以上の場合：0.6m
ただし、支川を除く。
・幅は2mとする。"""


def test_items_that_answer_for_different_cases_are_quoted_together_and_one_that_is_asked_for_alone():
    passage = make_passage(CASES, "5 余裕高")
    assert answer_to("流量が50m3/sを境に余裕高は何mですか", passage).startswith(
        "**余裕高：流量が50m3/s未満の場合：0.3m／流量が50m3/s以上の場合：0.6m[1]**"
    )
    assert best_of("流量が50m3/s未満の場合の余裕高は何mですか", passage).text == "流量が50m3/s未満の場合：0.3m"


def test_meaning_decides_only_where_the_words_of_no_sentence_do():
    passage = make_passage("池の柵を点検する。池の魚は人が触れない。池に囲いを作り直す。", "4 池")
    assert excerpts.sentences_to_compare("池の柵を点検する", [passage]) == []
    question = "池のフェンスがこわれたので新しくしたい"
    texts = excerpts.sentences_to_compare(question, [passage])
    assert sorted(texts) == ["池に囲いを作り直す。", "池の柵を点検する。", "池の魚は人が触れない。"]
    near = {one: 0.05 if "囲い" in one else 0.0 for one in texts}
    picked = excerpts.pick_excerpts(question, [passage], near=near)
    assert (picked[0].text, best_of(question, passage).text) == ("池に囲いを作り直す。", "池の柵を点検する。")


NAMED = (
    "第十条　会は、次に掲げる者で組織する。\n一　会長\n二　委員\n２　会は、次に掲げる事務を行う。\n一　審査\n二　公表\n"
    "表3-1　会の費用\n| 費目 | 額 |\n| --- | --- |\n| 旅費 | 500円 |\n| 謝金 | 900円 |\n以上の額は税を含む。"
)


def named(text: str, *heading: str, number: int = 1) -> Passage:
    return dataclasses.replace(make_passage(text, *heading, number=number), named="clause")


def test_a_named_paragraph_or_item_is_quoted_with_the_list_that_it_announces():
    clause = named(NAMED, "第十条（会）")
    (paragraph,) = excerpts.pick_excerpts("第10条第2項", [clause])
    assert (paragraph.lead, paragraph.text) == (
        "２　会は、次に掲げる事務を行う。", "２　会は、次に掲げる事務を行う。\n一　審査\n二　公表",
    )  # fmt: skip
    (item,) = excerpts.pick_excerpts("第10条第2項第2号", [clause])
    assert item.text == "二　公表"


def test_a_named_table_is_quoted_with_its_title_and_all_its_rows():
    answer, _ = excerpts.answer_from_excerpts(excerpts.pick_excerpts("表3-1", [named(NAMED, "第十条（会）")]))
    assert answer.splitlines() == [
        "**「表3-1 会の費用」[1]**",
        "",
        "| 行 | 費目 | 額 |",
        "|---:|---|---|",
        "| 1 | 旅費 | 500円 [1] |",
        "| 2 | 謝金 | 900円 [1] |",
    ]


def test_each_clause_of_a_range_is_quoted_once():
    clauses = [named(f"第{number}条　事項{number}を行う。", f"第{number}条", number=number) for number in (3, 4, 5)]
    more = dataclasses.replace(clauses[0], section_id=9)
    picked = excerpts.pick_excerpts("第3条から第5条", [*clauses, more])
    assert [one.text for one in picked] == [one.section.text for one in clauses]


def test_the_answer_says_first_which_of_the_named_clauses_is_missing():
    picked = excerpts.pick_excerpts("第3条と第9条", [named("第三条　届け出る。", "第三条")])
    answer, found = excerpts.answer_from_excerpts(picked, "第9条はありません。\n\n")
    assert answer == "第9条はありません。\n\n**「第三条　届け出る。」[1]**".replace("　", " ")
    assert [answer[claim.start : claim.end] == claim.sentence for claim in found] == [True]


def test_a_clause_whose_title_says_so_defines_a_word_that_its_text_does_not_have():
    lien = make_passage("第九条　占有者は、弁済を受けるまで、その物を留め置くことができる。", "第九条（留置権の内容）")
    pledge = make_passage("第八条　債権者は、受け取った物から弁済を受ける。", "第八条（質権の内容）", number=2)
    other = make_passage("留置権及び質権は、譲渡とともに消滅する。質権の設定は届け出る。", "第七条", number=3)
    assert best_of("留置権とは何ですか", other, lien).text == lien.section.text
    both = excerpts.pick_excerpts("留置権と質権の違いは", [other, lien, pledge])
    assert [one.text for one in both[:2]] == [lien.section.text, pledge.section.text]


def test_working_days_are_days():
    rule = make_passage(
        "休暇の届出は書面による。六箇月を勤めた者には十労働日の休暇を与える。休暇の日数は長が定める。", "休暇"
    )
    assert "十労働日" in best_of("休暇は何日もらえますか", rule).text


def test_a_line_that_only_repeats_the_question_does_not_answer_it():
    source = make_passage("許容応力度の割増し\n地震時の許容応力度は1.5倍とする。", "3.4 杭")
    assert best_of("杭の許容応力度の割増しは", source).text == "地震時の許容応力度は1.5倍とする。"
