"""Questions find what answers them, however either is written."""

import sqlite3
import tomllib
from contextlib import closing
from pathlib import Path

import pytest

from app.base.errors import AppError
from app.base.paths import resources
from app.documents import terms
from app.documents.library import Library
from app.documents.records import Section
from app.documents.retrieval import passage_search, retrieved_passages
from app.documents.section_terms import CountedTerm, SectionTerms
from tests.documents import driver

FILLER = [
    Section(("第9章 その他", f"9.{number} 雑則"), f"この節は、事務所の運営に関する事項を定める。番号は{number}とする。")
    for number in range(40)
]


def put(library: Library, *sections: Section, collection: str = "基準") -> int:
    return driver.put(library, *sections, *FILLER, collection=collection, name=f"{collection}.md")


def first(library: Library, query: str, collection_id: int, glossary: Path | None = None) -> str:
    found = passage_search.search(library, query, [collection_id], 5, glossary)
    return found[0].section.text if found else ""


def test_the_topic_of_a_question_weighs_more_than_what_is_asked_of_it():
    weights = terms.weigh_query_terms("護岸の種類")
    assert weights["護岸"] >= weights["種類"] + weights["の種"] + weights["類"]
    joined = terms.weigh_query_terms("計画幅")
    assert joined["画幅"] == terms.WEIGHT_WORD
    assert terms.weigh_query_terms("のり面の勾配")["り面"] == terms.WEIGHT_MIXED  # 面 is a part of the topic


def test_how_much_is_asked_finds_no_text_that_says_somewhat():
    assert not {"いく", "くら"} & terms.weigh_query_terms("値段はいくらですか").keys()


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("橋脚の根入れは、計画河床から２ｍ以上とする。", "橋脚"),
        ("橋脚の根入れは、計画河床から２ｍ以上とする。", "根入れは何メートル"),
        ("鉄筋のかぶりは、70 mm以上を標準とする。", "かぶり"),
        ("設計基準強度は２４Ｎ／ｍｍ２とする。", "24MPa"),
        ("流量は毎秒120㎥とする。", "120m³/s"),
        ("この基準は昭和３３年に制定された。", "1958年に制定"),
        ("この基準は1958年に制定された。", "昭和33年"),
        ("点検は十年に一回行う。", "10年に1回"),
        ("舊河川法による許可を受けた工作物をいう。", "旧河川法"),
        ("旧河川法による許可を受けた工作物をいう。", "舊河川法"),
        ("ｺﾝｸﾘｰﾄの養生は5日間とする。", "コンクリートの養生"),
        ("標　準　断　面　図に示す寸法とする。", "標準断面図"),
        ("砂防堰堤の天端幅は3 mとする。", "砂防ダムの天端幅"),
        ("函渠の破損は毎年報告する。", "壊れたところ"),
        ("Q-ADCPによる観測を行う。", "adcp"),
    ],
)
def test_what_means_the_same_is_found_first(library, text, query):
    collection = put(library, Section(("第1章 総則",), text))
    assert text in first(library, query, collection)


def test_clauses_whose_titles_say_so_define_the_words_that_are_compared(library: Library) -> None:
    lien = Section(("第二編", "第九条（留置権の内容）"), "占有者は、弁済を受けるまで、その物を留め置くことができる。")
    pledge = Section(("第一編", "第八条（質権の内容）"), "債権者は、受け取った物から弁済を受ける。")
    others = [
        Section(("第三編", f"第{number}条（消滅）"), f"留置権及び質権は、留置権又は質権の事由{number}により消滅する。")
        for number in range(20, 26)
    ]
    collection_id = put(library, lien, pledge, *others)
    found = passage_search.search(library, "留置権と質権の違いは？", [collection_id], 2)
    assert {one.section.heading[-1] for one in found} == {lien.heading[-1], pledge.heading[-1]}


def test_words_of_the_heading_count(library):
    collection = put(
        library,
        Section(("第3章 床止め", "3.2 材質"), "設計基準強度は24 N/mm²とする。"),
        Section(("第4章 水門", "4.2 材質"), "設計基準強度は30 N/mm²とする。"),
    )
    assert "30 N/mm²" in first(library, "水門の設計基準強度", collection)
    assert "24 N/mm²" in first(library, "床止めの設計基準強度", collection)


def test_a_long_section_with_all_the_words_comes_before_a_short_one_that_repeats_a_word(library):
    around = "この節は、事務所の運営に関する事項を定める。" * 4
    collection = put(
        library,
        Section(("第1章 総則",), f"{around}水門では、塗装と潤滑を毎年確かめる。"),
        Section(("第2章 保守",), "塗装の色、塗装の厚さ、塗装の時期、塗装の方法、塗装の記録を定める。"),
    )
    assert "水門" in first(library, "塗装、潤滑", collection)


def test_only_the_collections_that_are_asked_are_searched(library):
    one = put(library, Section(("章",), "橋脚の根入れは2 mとする。"), collection="一")
    two = put(library, Section(("章",), "橋脚の根入れは3 mとする。"), collection="二")
    assert {passage.collection for passage in passage_search.search(library, "橋脚", [one])} == {"一"}
    assert {passage.collection for passage in passage_search.search(library, "橋脚", [one, two])} == {"一", "二"}
    assert passage_search.search(library, "橋脚", []) == []


@pytest.mark.parametrize("query", ["", "   ", "。、！", '"', "OR", "NEAR(", "橋* AND", "a:b", "\0", "🌉", "{}[]^"])
def test_whatever_is_typed_is_no_error(library, query):
    collection = put(library, Section(("章",), "橋脚の根入れは2 mとする。"))
    assert all(passage.score >= 0 for passage in passage_search.search(library, query, [collection]))


def test_nothing_is_found_in_an_empty_collection(library):
    assert passage_search.search(library, "橋脚", [library.add_collection("空")]) == []


def test_what_a_document_repeats_is_returned_once(library):
    repeated = "本表は適用上の位置付けを示す。必須、標準、推奨、例示に分類する。"
    collection = put(library, *[Section((f"第{number}章 章名{number}",), repeated) for number in range(1, 9)])
    found = [passage.section.text for passage in passage_search.search(library, "適用上の位置付け", [collection])]
    assert sum("適用上" in text for text in found) == 1


def test_a_passage_has_what_stands_beside_it_and_says_which_part_is_which(library):
    collection = put(
        library,
        Section(("第2章 観測", "2.1 雨量"), "雨量は毎正時に観測する。", "標準", page=3, page_last=3),
        Section(("第2章 観測", "2.1 雨量"), "転倒ますを用いる例がある。", "例示", page=4, page_last=4),
        Section(("第2章 観測", "2.2 水位"), "水位は10分ごとに観測する。", "標準", page=5, page_last=5),
        Section(("第3章 計画", "3.1 目的"), "計画の目的を定める。", page=6, page_last=6),
    )
    passage = passage_search.search(library, "転倒ます", [collection], 1)[0]
    assert passage.section.heading == ("第2章 観測", "2.1 雨量")
    assert passage.section.tag == "例示"
    assert passage.section.text == (
        "2.1 雨量\n＜標準＞\n雨量は毎正時に観測する。\n＜例示＞\n転倒ますを用いる例がある。"
        "\n2.2 水位\n＜標準＞\n水位は10分ごとに観測する。"
    )
    assert passage.section.page_last == 5


def test_passages_do_not_overlap_nor_grow_beyond_their_length(library):
    sections = [
        Section(("第1章 章", f"1.{at} 節"), f"点検の項目{at}は、" + "目視により確認する。" * 20) for at in range(30)
    ]
    collection = put(library, *sections)
    found = passage_search.search(library, "点検の項目", [collection], 20)
    parts = [part.text for passage in found for part in passage.parts]
    assert len(parts) == len(set(parts))
    assert all(len(passage.section.text) <= retrieved_passages.PASSAGE_CHARACTERS for passage in found)
    assert [passage.rank for passage in found] == list(range(1, len(found) + 1))


def test_the_users_glossary_finds_by_words_of_the_office(library, tmp_path):
    collection = put(library, Section(("章",), "可動堰の操作は管理規程による。"))
    glossary = tmp_path / "用語集.csv"
    assert first(library, "ラバダム", collection, glossary) == ""
    glossary.write_text("# 事務所の言い方\nラバダム,可動堰\n", "utf-8-sig")
    assert "可動堰" in first(library, "ラバダム", collection, glossary)
    glossary.write_text("事務所の用語集,用語の一覧\nラバダム,可動堰\n", "cp932")  # as Excel saves it
    assert "可動堰" in first(library, "ラバダム", collection, glossary)
    glossary.write_text("ラバダム\t固定堰\n", "utf-8")
    assert first(library, "ラバダム", collection, glossary) == ""


def test_a_long_line_of_the_glossary_is_kept_once(tmp_path):
    glossary = tmp_path / "用語集.csv"
    glossary.write_text(",".join(f"語{number}" for number in range(20_000)), "utf-8")
    lines = terms.read_glossary(glossary)
    assert len(lines) == 20_000
    assert all(line is lines["語0"][0] for [line] in lines.values())


def test_of_words_for_the_same_only_the_best_counts(library, tmp_path):
    """A long list of other words must not outweigh what was asked."""
    asked, others = "ラバダムの点検を行う。", "可動堰、起伏堰、転倒堰、固定堰の点検を行う。"
    collection = put(library, Section(("第1章",), others), Section(("第2章",), asked))
    glossary = tmp_path / "用語集.csv"
    glossary.write_text("ラバダム,可動堰,起伏堰,転倒堰,固定堰\n", "utf-8")
    assert first(library, "ラバダム", collection, glossary).endswith(asked)


@pytest.mark.parametrize(("query", "is_found"), [("草の名前", True), ("どこの草か", True), ("海草類", False)])
def test_a_single_kanji_of_the_list_counts_only_where_it_is_a_word(library, query, is_found):
    collection = put(library, Section(("章",), "植生を管理する。"))
    assert ("植生" in first(library, query, collection)) is is_found


def test_every_listed_word_has_others():
    listed = tomllib.loads((resources() / terms.SYNONYMS_FILE).read_text("utf-8"))["words"]
    assert len(listed) > 300
    for words, others in listed.items():
        assert words.split(), others
        assert others.split(), words


def test_a_glossary_that_cannot_be_read_is_an_error_in_words(library, tmp_path):
    collection = put(library, Section(("章",), "橋脚"))
    glossary = tmp_path / "glossary.csv"
    glossary.write_bytes(bytes(range(256)) * 20)
    with pytest.raises(AppError) as caught:
        passage_search.search(library, "ラバダム", [collection], 5, glossary)
    assert caught.value.code == "glossary_unreadable"


def test_what_is_read_anew_or_removed_is_found_no_more(library):
    collection = put(library, Section(("章",), "橋脚の根入れは2 mとする。"))
    (document,) = library.documents(collection)
    library.put(document, [Section(("章",), "護岸の高さは3 mとする。")])
    assert passage_search.search(library, "橋脚", [collection]) == []
    assert first(library, "護岸", collection) == "護岸の高さは3 mとする。"
    library.remove_documents([document.id])
    assert passage_search.search(library, "護岸", [collection]) == []
    assert tuple(library.database.read("SELECT sections, heading_length, body_length FROM collection")[0]) == (0, 0, 0)
    assert library.database.read("SELECT * FROM collection_term") == []
    with closing(sqlite3.connect(library.path)) as db:
        driver.check_index(db)


def test_terms_hold_nothing_that_the_tokenizer_would_cut():
    section = Section(("第1章 N/mm²",), "24 N/mm²、-5 ℃、１：２０、約120㎥/s、R7.3.31、10～20 %、10×10⁻⁶")
    found = terms.extract_section_terms(section)
    assert all(term.isalnum() for term in (*found.heading_terms(), *found.body_terms()))


def statistics(library: Library) -> dict[str, tuple[tuple[int, ...], dict[str, int]]]:
    """Return, by the name of a collection, its totals and the number of sections of each term."""
    rows = library.database.read("SELECT id, name, sections, heading_length, body_length FROM collection")
    terms_of = "SELECT term, sections FROM collection_term WHERE collection_id = ?"
    return {row["name"]: (tuple(row)[2:], dict(map(tuple, library.database.read(terms_of, row["id"])))) for row in rows}


def test_a_document_is_counted_in_the_collection_it_has_moved_to(library, tmp_path):
    one = driver.put(library, "橋脚の根入れ", collection="一", name="a.md")
    two = driver.put(library, "橋脚の点検", "護岸の高さ", collection="二", name="b.md")
    (document,) = library.documents(one)
    library.move_documents([document.id], two)
    with closing(Library.open(tmp_path / "direct.sqlite")) as direct:
        direct.add_collection("一")
        driver.put(direct, "橋脚の根入れ", collection="二", name="a.md")
        driver.put(direct, "橋脚の点検", "護岸の高さ", collection="二", name="b.md")
        assert statistics(library) == statistics(direct)
    assert statistics(library)["一"] == ((0, 0, 0), {})


def test_a_collection_ranks_as_it_does_alone(library):
    collection = put(library, Section(("章",), "橋脚の根入れは2 mとする。"), Section(("章",), "橋脚の点検"))
    query = "橋脚の点検と根入れ"
    alone = [(one.section.text, one.score) for one in passage_search.search(library, query, [collection])]
    put(library, *(Section(("点検",), f"点検の記録{number}") for number in range(50)), collection="点検表")
    assert [(one.section.text, one.score) for one in passage_search.search(library, query, [collection])] == alone


def test_a_library_of_an_earlier_version_is_counted_once_when_it_is_opened(tmp_path):
    path = tmp_path / "documents.sqlite"
    with closing(Library.open(path)) as library:
        collection = driver.put(library, "橋脚の根入れ", "護岸の高さ", collection="一")
        expected = statistics(library), passage_search.search(library, "橋脚", [collection])
    driver.write_as_earlier_version(path, 3)
    with closing(Library.open(path)) as library:
        assert (statistics(library), passage_search.search(library, "橋脚", [collection])) == expected


def test_a_library_whose_index_had_a_copy_of_the_terms_keeps_them(tmp_path):
    path = tmp_path / "documents.sqlite"
    text = "令和7年3月31日までに、橋脚D13の々々、ああ、24 N/mm²、6か月以内、date、v2、x、Ａ-1を調べる。"
    with closing(Library.open(path)) as library:
        collection = driver.put(library, Section(("第1章 総則", "1.2 x"), text), "堰", "。", name="a.md")
        stored = list(map(tuple, library.database.read("SELECT * FROM section")))
    driver.write_as_earlier_version(path, 8)
    with closing(Library.open(path)) as library:
        assert list(map(tuple, library.database.read("SELECT * FROM section"))) == stored
        assert first(library, "6か月", collection) == text
        library.remove_documents([one.id for one in library.documents(collection)])
    with closing(sqlite3.connect(path)) as db:
        driver.check_index(db)
        assert db.execute("SELECT count(*) FROM section").fetchone() == (0,)


@pytest.mark.parametrize("version", [3, 8])
@pytest.mark.parametrize("column", ["body_terms", "heading"])
def test_a_damaged_library_of_an_earlier_version_is_said_to_be_one(tmp_path, version, column):
    path = tmp_path / "documents.sqlite"
    with closing(Library.open(path)) as library:
        driver.put(library, "橋脚の根入れ")
    driver.write_as_earlier_version(path, version)
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"UPDATE section SET {column} = x'ff'")
        db.commit()
    with pytest.raises(AppError, match="database_damaged"):
        Library.open(path)


@pytest.mark.parametrize(
    ("term", "expected"),
    [("橋脚", 2), ("脚", 1), ("橋*", 2), ("33", 2), ("3", 0), ("ああ", 2), ("d", 1), ("date2025", 1), ("か月", 0)],
)
def test_a_term_is_counted_as_often_as_the_section_has_it(term, expected):
    found = terms.extract_section_terms(Section((), "橋脚の橋脚、33 33、あああ、D13、2025年、6ヶ月"))
    listed = found.body_terms()
    assert CountedTerm.of(term).count(found.body, found.values) == expected
    assert expected == sum(one == term or (term[-1] == "*" and one.startswith(term[:-1])) for one in listed)


def test_terms_of_another_text_are_damage():
    section = Section((), "橋脚の根入れ")
    stored = terms.extract_section_terms(section).pack("[]", section.text)
    assert SectionTerms.unpack(stored, "[]", section.text) == terms.extract_section_terms(section)
    with pytest.raises(ValueError, match="terms"):
        SectionTerms.unpack(stored, "[]", "護岸")
