"""A question that names a clause is answered from it, in every spelling, and is told when there is none."""

import dataclasses

import pytest

from app.documents.library import Library
from app.documents.records import Passage, Section
from app.documents.retrieval import excerpts, named_clauses, passage_search, retrieved_passages
from app.documents.retrieval.clause_references import clause_number, completes, parse_question, to_kanji
from tests.documents.driver import put


@pytest.mark.parametrize(
    ("question", "references"),
    [
        ("道路整備法第12条", ["第12条"]),
        ("道路整備法１２条の２第三項は何を定めていますか？", ["第12条の2第3項"]),
        ("道路整備法の第百二十三条の四第2項第1号", ["第123条の4第2項第1号"]),
        ("第一〇三条", ["第103条"]),
        ("第3条と第5条の違い", ["第3条", "第5条"]),
        ("第3条及び第5条第2項", ["第3条", "第5条第2項"]),
        ("第7条から第9条まで", ["第7条", "第8条", "第9条"]),
        ("第２章 第3節", ["第2章第3節"]),
        ("設計編の3．2．1", ["3.2.1"]),
        ("3.2.1(2)", ["3.2.1（2）"]),
        ("「3.2.1.」には何が", ["3.2.1"]),
        ("3章の3.2.1節", ["第3章3.2.1"]),
        ("表3-1と図２．４", ["表3-1", "図2-4"]),
        ("別表第五", ["別表5"]),
        ("附則第2条", ["附則第2条"]),
        ("p.45", ["45ページ"]),
        ("12ページには何が書いてありますか", ["12ページ"]),
        ("第3条は？\n同条第2項は？", ["第3条第2項"]),
        ("第3条は？\n第2項は？", ["第3条第2項"]),
        ("第3条は？\n次条は？", ["第4条"]),
        ("第3条は？\n次の条は？", ["第4条"]),
        ("第3条は？\nその第2項は？", ["第3条第2項"]),
        ("第3条は？\n2項は？", ["第3条第2項"]),
        ("道路整備法12①", ["第12条第1項"]),
        ("道路整備法第12条の2③二号", ["第12条の2第3項第2号"]),
        ("民七〇九", ["第709条"]),
        ("会社362④", ["第362条第4項"]),
        ("会社法362条Ⅳ②", ["第362条第4項第2号"]),
        ("道路整備法五条", ["第5条"]),
        ("第27の2条", ["第27条の2"]),
        ("第3〜5条", ["第3条", "第4条", "第5条"]),
        ("3・5条", ["第3条", "第5条"]),
        ("第5条1、2項", ["第5条第1項", "第5条第2項"]),
        ("第3章の2", ["第3章の2"]),
        ("別表第一の二", ["別表1-2"]),
        ("第1号様式", ["様式1"]),
        ("別記様式第5号", ["別記様式5"]),
        ("表－３．１と図-2.4", ["表3-1", "図2-4"]),
        ("3.2.1〜3.2.3", ["3.2.1", "3.2.2", "3.2.3"]),
        ("P.45", ["45ページ"]),
        ("45pの表", ["45ページ"]),
        ("ページ45", ["45ページ"]),
        ("p.45-47", ["45ページ", "46ページ", "47ページ"]),
        ("民法第162条の20年の取得時効", ["第162条"]),
        ("民法709条の4つの要件", ["第709条"]),
        ("第90条の一般原則と第3条の一部", ["第90条", "第3条"]),
        ("第5条の2及び第5条の3違反", ["第5条の2", "第5条の3"]),
        ("表3-1の2列目", ["表3-1"]),
        ("別表第一第3号", ["別表1", "別表1第3号"]),
        ("①3条の要件", ["第3条"]),
        ("Section 3.2とguide.pdf 3.4", ["3.2", "3.4"]),
    ],
)
def test_places_are_read_in_every_spelling(question, references):
    assert [str(one) for one in parse_question(question).references] == references


@pytest.mark.parametrize(
    "question",
    [
        "直径2.5mの管の間隔は", "安全率1.2の根拠は", "必要な3条件は何ですか", "二条城とは", "令和3年3月1日の通知",
        "第2項は？", "24N/mm2以上ですか", "4ページ以内で書くのですか", "1:2.0の勾配", "同条は？",
        "表の見方は", "図で示してください", "P3橋脚の杭長は", "2項道路とは", "令和3、4年度の予算",
        "代表3名の任期は", "図2枚と写真3枚の出し方", "発表10分前にすることは", "次の3、4条件を満たすもの", "橋脚P3",
        "3Pのコンセント", "p53遺伝子とは", "1,200ページの本", "全12ページの冊子", "ページ3つ分の余白", "第1部門の役割",
        "Debian 12.5.0のカーネルは", "Python 3.11の新機能", "R7.3.31の通知", "10.0.0.1に接続する", "ABC-1-2-3の型番",
        "北10条西5丁目の施設", "2編の論文の違い", "平家物語の一節", "十七条の憲法とは", "工法3は？", "命令5を実行する",
        "全10章の構成", "3条植えの田植機", "安全率の1.2の根拠",
        "192.168.1.1", "生活様式の変化は", "3章以上の本", "2.4GHz帯の無線", "別添2部の提出先",
        f"第{'9' * 5000}条", "p.99999999999999999999",
    ],
)  # fmt: skip
def test_values_dates_and_plain_words_are_no_places(question):
    assert parse_question(question).references == []


@pytest.mark.parametrize(
    ("heading", "shown"),
    [
        ("第七百九条（損害）", "第709条"),
        ("第２章　総則", "第2章"),
        ("3．9．1 洪水", "3.9.1"),
        ("3.2.4. 休暇", "3.2.4"),
        ("附　則　（平成十年）", "附則"),
        ("別表第二（第三条関係）", "別表2"),
        ("調査編", "None"),
        ("10年計画", "None"),
    ],
)
def test_headings_have_the_same_numbers(heading, shown):
    assert str(clause_number(heading)) == shown


@pytest.mark.parametrize(
    ("question", "is_completed"),
    [
        ("同条第2項は？", True),
        ("第5条は？", True),
        ("じゃあ5条は？", True),
        ("その2項は？", True),
        ("港湾管理規則第5条は？", False),
        ("4.1.9は？", False),
        ("第2号機の出力は？", False),
        ("罰則は？", False),
    ],
)
def test_a_question_without_a_document_is_about_that_of_the_question_before(question, is_completed):
    assert completes(question, "道路整備法第3条は？") is is_completed


@pytest.fixture
def collection(library: Library) -> int:
    statute = [
        Section(("第一章　総則", f"第{to_kanji(number)}条（規定{number}）"), f"甲は、事項{number}を行う。")
        for number in range(1, 31)
    ]
    long = Section(
        ("第二章　雑則", "第三十一条の二（届出）"),
        "第三十一条の二　届出をする。\n２　届出は十日以内とする。\n３　届出は書面でする。",
    )
    table = Section(("別表第一の二（第三条関係）",), "区域 | 幅員\n市街地 | 四メートル")
    supplement = Section(("附　則", "第三条"), "第三条　経過措置を定める。")
    number = put(library, *statute, long, supplement, table, collection="法令", name="道路整備の促進に関する法律.html")
    rules = [Section(("港湾管理規則", f"第{number}条"), f"乙は、手続{number}を取る。") for number in range(1, 9)]
    put(library, *rules, collection="法令", name="kisoku.md")
    manual = [
        Section(
            ("設計編", "第3章 水路", "3．2 断面", "3．2．1 流速"), "流速は毎秒3m以下とする。\n表3-1 流速の上限", page=45
        ),
        Section(("設計編", "第3章 水路", "3．2 断面", "3．2．2 余裕高"), "余裕高は0.6m以上とする。", page=46),
        Section(("はじめに",), "道路整備の促進に関する法律（以下「促進法」という。）による。"),
    ]
    put(library, *manual, collection="法令", name="手引き.pdf")
    return number


def found(library: Library, question: str, collection: int) -> list[Passage]:
    return passage_search.search(library, question, [collection], 5)


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("道路整備の促進に関する法律第12条", "事項12を"),
        ("道路整備の促進に関する法律の第二十一条は何を定めていますか？", "事項21を"),
        ("道路整備促進法7条", "事項7を"),
        ("促進法第8条", "事項8を"),
        ("港湾管理規則第3条", "手続3を"),
        ("港湾規則第３条", "手続3を"),
        ("第11条", "事項11を"),
        ("道路整備の促進に関する法律第3条", "事項3を"),
        ("道路整備の促進に関する法律附則第3条", "経過措置"),
        ("道路整備の促進に関する法律第31条の2第2項", "十日以内"),
        ("設計編の3.2.1", "毎秒3m"),
        ("設計編第3章", "毎秒3m"),
        ("3.2.2には何が書いてありますか", "0.6m"),
        ("表3-1", "毎秒3m"),
        ("手引きの46ページ", "0.6m"),
        ("道路整備促進法第5条\n同法第6条は？", "事項6を"),
        ("道路整備促進法第30条\n次条は？", "届出をする"),
        ("道路整備促進法別表第1の2", "四メートル"),
        ("道路整備促進法7", "事項7を"),
        ("法第11条は？", "事項11を"),
        ("第7条（道路整備促進法）", "事項7を"),
        ("道路整備促進法について、第7条は？", "事項7を"),
    ],
)
def test_a_named_clause_comes_first_and_is_enough(library, collection, question, text):
    passages = found(library, question, collection)
    assert text in passages[0].section.text
    assert passages[0].named == "clause"
    assert retrieved_passages.judge_answerability(library, question, passages, [collection]).verdict == "answered"


@pytest.mark.parametrize(("question", "text"), [("手引きの46ページ", "0.6m"), ("表3-1は？", "毎秒3m")])
def test_what_is_named_by_a_page_or_a_table_stays_within_its_clause(
    library: Library, collection: int, question: str, text: str
) -> None:
    passages = found(library, question, collection)
    assert text in passages[0].section.text
    assert len(passages[0].parts) == 1


@pytest.mark.parametrize(
    "question",
    [
        "河川の整備の促進に関する法律第3条",
        "水路に係る条例第3条の内容は",
        "河川法第3条",
        "整備令第3条は何を定めていますか",
    ],
)
def test_no_clause_of_another_document_is_taken_for_one_that_is_not_there(library, collection, question):
    put(library, Section(("第一条",), "水路の整備に関する政令（以下「整備令」という。）による。"), collection="法令")
    put(library, Section(("第三条",), "丁は、届け出る。"), collection="法令", name="港湾の利用に関する政令.html")
    assert all(not passage.named for passage in found(library, question, collection))


def test_several_clauses_come_in_the_order_of_the_question(library, collection):
    passages = found(library, "港湾管理規則第5条と第2条の違い", collection)
    assert ["手続5" in passages[0].section.text, "手続2" in passages[1].section.text, len(passages)] == [True, True, 2]


def test_other_words_of_the_question_find_more(library, collection):
    passages = found(library, "港湾管理規則第5条による手続で余裕高はいくらですか", collection)
    assert "手続5" in passages[0].section.text
    assert any("余裕高" in passage.section.text for passage in passages[1:])


def test_a_passage_of_a_clause_ends_with_it(library, collection):
    assert found(library, "港湾管理規則第5条", collection)[0].section.text == "乙は、手続5を取る。"


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("港湾管理規則第40条", "「kisoku」に第40条はありません。近いのは、第7条、第8条です。"),
        (
            "道路整備促進法第三十一条の三",
            "「道路整備の促進に関する法律」に第31条の3はありません。近いのは、第30条、第31条の2です。",
        ),
        (
            "道路整備促進法第31条の2第9項",
            "「道路整備の促進に関する法律」に第31条の2第9項はありません。近いのは、第31条の2です。",
        ),
        (
            "道路整備促進法第2章第5節は？",
            "「道路整備の促進に関する法律」に第2章第5節はありません。近いのは、第2章です。",
        ),
        ("第99条は何ですか", "選んだ資料に第99条はありません。"),
        ("300ページ", "選んだ資料に300ページはありません。"),
    ],
)
def test_a_clause_that_does_not_exist_is_told_with_its_neighbours(library, collection, question, sentence):
    missing = named_clauses.find_clauses(library, question, [collection]).missing
    assert [named_clauses.missing_sentence(one) for one in missing] == [sentence]
    passages = found(library, question, collection)
    assert {passage.named for passage in passages} <= {"neighbour"}
    assert (
        retrieved_passages.judge_answerability(library, question, passages, [collection]).verdict == "not_in_documents"
    )


def test_a_clause_of_a_document_that_is_not_there_is_left_to_the_words(library, collection):
    passages = found(library, "河川法第3条による余裕高", collection)
    assert not any(passage.named for passage in passages)
    assert "余裕高" in passages[0].section.text


@pytest.fixture
def definitions(library: Library) -> int:
    """A statute whose second article is cut into four sections, and an ordinance that refers to it."""
    heading = ("第一章　総則", "第二条（定義）")
    first = "\n".join(f"{to_kanji(number)}　券面{number}" for number in range(1, 4))
    second = "\n".join(f"{to_kanji(number)}　業務{number}" for number in range(1, 4))
    statute = [
        Section(heading, f"第二条　この法律において「証券」とは、次に掲げるものをいう。\n{first}"),
        Section(heading, "四　券面4\n２　この法律において「業」とは、次に掲げるものをいう。"),
        Section(heading, second),
        Section(heading, "四　業務4\n３　この法律において「信託」とは、財産の管理をいう。"),
    ]
    ordinance = [Section(("第八条（看板）",), "看板の大きさは、別に告示する。")]
    put(library, *ordinance, collection="法令", name="取引規則.html")
    long = [dataclasses.replace(one, text=f"{one.text}\n{'長い説明。' * 150}") for one in statute]  # one passage each
    return put(library, *long, collection="法令", name="取引法.html")


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("取引法第2条", "第二条　この法律"),
        ("取引法第2条第1項第4号", "四　券面4"),
        ("取引法第2条第2項", "四　券面4\n２　この法律"),
        ("取引法第2条第2項第3号は何ですか", "一　業務1"),
        ("取引法第2条第2項第4号", "四　業務4"),
        ("取引法第2条第3項", "四　業務4\n３　この法律"),
    ],
)
def test_an_item_is_found_in_its_own_paragraph(library, definitions, question, text):
    assert found(library, question, definitions)[0].section.text.startswith(text)


@pytest.mark.parametrize("inner", ["第2項第9号", "第1項第9号", "第7項第3号"])
def test_an_item_that_its_paragraph_lacks_is_told_to_be_missing(library: Library, definitions: int, inner: str) -> None:
    (missing,) = named_clauses.find_clauses(library, f"取引法第2条{inner}は？", [definitions]).missing
    assert missing.clause == f"第2条{inner}"


def test_a_question_with_other_words_has_one_section_of_the_named_clause_first(library, definitions):
    passages = found(library, "取引法第2条にいう信託の看板の大きさは", definitions)
    assert [passage.named for passage in passages][:2] == ["clause", ""]
    assert "信託" in passages[0].section.text
    assert passages[1].section.text.startswith("看板の大きさ")


def test_a_clause_to_which_a_named_clause_refers_comes_right_after_it(library):
    act = "道路整備法"
    put(
        library,
        Section((act, "第五条（登録の拒否）"), "次のときは、登録を拒否する。\n一 虚偽の記載があるとき。"),
        *(Section((act, f"第{10 + at}条（監督）"), f"役員の解任を命ずる処分の手続{at}。") for at in range(6)),
        Section((act, "第二十条（処分）"), "役員が第五条第一号又は河川法第十一条に該当するときは、解任を命ずる。"),
        name="道路整備法.md",
    )
    ids = [one.id for one in library.collections()]
    found = passage_search.search(library, "道路整備法第20条の処分で役員の解任を検討する場合はどれか", ids)
    assert [one.section.heading[-1] for one in found[:2]] == ["第二十条（処分）", "第五条（登録の拒否）"]
    plain = passage_search.search(library, "役員の解任を検討する処分の場合はどれか", ids, 3)
    assert "第五条（登録の拒否）" not in [one.section.heading[-1] for one in plain]


@pytest.mark.parametrize(
    "reference",
    [
        "会社法（平成十七年法律第八十六号）第五条",
        "会社法（以下「会社法」という。）第五条",
        "同法第五条",
        "「許可基準」第五条",
        "道路整備法第五条",
        "施行細則第五条",
    ],
)
def test_a_clause_of_another_document_to_which_a_named_clause_refers_is_not_the_one_of_that_number_here(
    library: Library, reference: str
) -> None:
    section = Section(("道路整備法施行令", "第二十条（処分）"), f"{reference}に該当するときは、解任を命ずる。")
    own = Section(("道路整備法施行令", "第五条（登録の拒否）"), "次のときは、登録を拒否する。")
    put(library, own, section, name="道路整備法施行令.md")
    ids = [one.id for one in library.collections()]
    found = passage_search.search(library, "第20条の処分で役員の解任を検討する場合はどれか", ids)
    assert [one.section.heading[-1] for one in found[:1]] == ["第二十条（処分）"]
    assert not any(own.text in one.section.text for one in found)


def test_in_a_single_document_a_question_may_ask_more_of_a_clause_that_it_names_by_its_number_alone(library: Library):
    more = Section(
        ("取引規則", "第六条"), "不服のある者は、十日以内に審査を求めることができる。\n" + "手数料を納める。" * 200
    )
    put(library, Section(("取引規則", "第五条"), "登録の更新は、五年ごとに受ける。"), more, name="取引規則.md")
    ids = [one.id for one in library.collections()]
    assert named_clauses.find_clauses(library, "第五条は？", ids).is_all
    assert not named_clauses.find_clauses(library, "第五条の更新に不服がある者は何日以内に審査を求めますか", ids).is_all


def test_the_next_paragraph_is_one_of_the_same_article(library: Library) -> None:
    text = "第{0}条　甲{1}。\n２　乙{1}。\n３　丙{1}。"
    articles = (("第一条", "一", 1), ("第二条", "二", 2), ("第二条の二", "二の二", 22), ("第三条", "三", 3))
    sections = [Section(("規程集", title), text.format(number, at)) for title, number, at in articles]
    number = put(library, *sections, name="規程集.md")
    question = "規程集第3条第1項は？\n次項は？"
    passage, *_ = found(library, question, number)
    assert passage.section.heading[-1] == "第三条"


def test_a_value_that_begins_a_question_is_no_missing_clause(library: Library) -> None:
    number = put(library, *(Section((f"1.{at} 定め",), f"定め{at}。") for at in (1, 2)), name="要領.md")
    assert named_clauses.find_clauses(library, "1.7の安全率の根拠は？", [number]).missing == ()
    assert named_clauses.find_clauses(library, "1.7は？", [number]).missing
    assert named_clauses.find_clauses(library, "要領の1.7の安全率は？", [number]).missing


@pytest.mark.parametrize("question", ["第3条の概要は？", "第3条の目的は？", "第3条の基準は？"])
def test_everyday_words_of_a_question_name_no_document(library: Library, question: str) -> None:
    put(library, Section(("概要",), "説明"), Section(("第一条",), "甲。"), name="道路基準.md")
    put(library, Section(("目的",), "説明"), Section(("第一条",), "甲。"), name="手引.md")
    number = put(library, Section(("総則", "第一条"), "乙。"), Section(("総則", "第三条"), "丙。"), name="本則.md")
    assert named_clauses.find_clauses(library, question, [number]).groups


def test_paragraphs_of_old_statutes_have_their_number_in_a_circle(library: Library) -> None:
    first = Section(("労務規則", "第九条"), "第九条　休暇を与える。\n○２　休暇は十日とする。\n○３　休暇は分割できる。")
    put(library, first, Section(("労務規則", "第十条"), "第十条　賃金を払う。"), name="労務規則.md")
    ids = [one.id for one in library.collections()]
    (passage,) = passage_search.search(library, "労務規則9条2項", ids, 5)
    assert excerpts.clause_openings("労務規則9条2項", [passage])[0].text == "○２　休暇は十日とする。"
    (missing,) = named_clauses.find_clauses(library, "労務規則10条3項", ids).missing
    assert missing.clause == "第10条第3項"


def test_a_paragraph_is_told_to_be_missing_where_paragraphs_are_headings(library: Library) -> None:
    first = [Section(("貸借規則", "第3条", f"第{at}項"), f"期間の定め{at}。") for at in (1, 2)]
    put(library, *first, Section(("貸借規則", "第4条", "第1項"), "更新の定め。"), name="貸借規則.md")
    ids = [one.id for one in library.collections()]
    assert named_clauses.find_clauses(library, "貸借規則第3条第2項", ids).missing == ()
    (missing,) = named_clauses.find_clauses(library, "貸借規則第4条第2項は何を定めていますか", ids).missing
    assert missing.clause == "第4条第2項"


def test_a_clause_of_a_part_that_has_a_heading_is_told_to_be_missing(library: Library, collection: int) -> None:
    parts = [Section((part, f"4.1.{at} 定め"), f"{part}の定め{at}。") for part in ("調査編", "施工編") for at in (1, 2)]
    put(library, *parts, collection="法令", name="要領.md")
    (missing,) = named_clauses.find_clauses(library, "施工編の4.1.9は？", [collection]).missing
    assert named_clauses.missing_sentence(missing) == "「要領」に4.1.9はありません。近いのは、4.1.1、4.1.2です。"


def test_a_table_of_contents_is_not_the_chapter_that_it_lists(library: Library) -> None:
    contents = Section(("第二章 雑則（第三条）",), "第三章 罰則（第四条）")
    chapters = [Section(("第二章 雑則", "第三条"), "第三条　届け出る。"), Section(("第三章 罰則",), "罰金に処する。")]
    number = put(library, contents, *chapters, name="規則.md")
    assert "届け出る" in found(library, "規則第2章", number)[0].section.text
