"""Folding, terms of the index, and where words stand in a text."""

import random
import unicodedata

import pytest

from app.base import search_text

FURTHER_KANJI = "𠮷"  # beyond 16 bits


@pytest.mark.parametrize(
    ("written", "folded"),
    [
        ("ＡＢＣ１２３", "abc123"),
        ("ｺﾝｸﾘｰﾄ", "コンクリート"),
        ("ﾊﾟｲﾌﾟ", "パイプ"),
        ("か\u3099", "が"),
        ("30㌢", "30センチ"),
        ("N/mm²", "n/mm2"),
        ("３．２．１", "3.2.1"),
        ("STRASSE Straße", "strasse strasse"),
        ("**かぶり**は`D13`です", "かぶりはd13です"),
        ("2*3", "2*3"),
        ("", ""),
    ],
)
def test_letters_that_people_take_for_the_same_fold_to_the_same(written: str, folded: str) -> None:
    assert search_text.fold(written) == folded


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("橋脚の", ["橋脚", "脚の", "の"]),
        ("橋", ["橋"]),
        ("D13を3本", ["d", "13", "を", "3", "本"]),
        ("橋。脚", ["橋", "脚"]),
        ("時々コンクリート", ["時々", "々コ", "コン", "ンク", "クリ", "リー", "ート", "ト"]),
        (f"{FURTHER_KANJI}野家", [f"{FURTHER_KANJI}野", "野家", "家"]),
        ("SM_490 N/mm²", ["sm", "490", "n", "mm", "2"]),
        ("…、。！？", []),
        ("", []),
    ],
)
def test_terms_are_pairs_of_japanese_characters_and_whole_numbers_and_words(written: str, expected: list[str]) -> None:
    assert search_text.index_terms(written) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("橋脚", '"橋脚" *'),
        ("橋", '"橋" *'),
        ("橋脚　かぶり", '"橋脚" * AND "かぶ ぶり" *'),
        ("3.2.1", '"3 2 1" *'),
        ("D13の", '"d 13 の" *'),
        ('"橋脚" OR NOT', '"橋脚" * AND "or" * AND "not" *'),
        ("* - : ( \" '", ""),
        (" 　\n", ""),
    ],
)
def test_a_query_becomes_phrases_and_nothing_typed_is_an_operator(query: str, expected: str) -> None:
    assert search_text.match_expression(query) == expected


@pytest.mark.parametrize(
    ("written", "query", "found"),
    [
        ("この橋脚の橋脚", "橋脚", ["橋脚", "橋脚"]),
        ("ｺﾝｸﾘｰﾄの打設", "コンクリート", ["ｺﾝｸﾘｰﾄ"]),
        ("太いﾊﾟｲﾌﾟです", "パイプ", ["ﾊﾟｲﾌﾟ"]),
        ("ﾊﾟﾊﾟ", "パ", ["ﾊﾟ", "ﾊﾟ"]),
        ("幅は30㌢です", "センチ", ["㌢"]),
        ("幅は30㌢です", "ン", ["㌢"]),
        ("か\u3099けの下", "がけ", ["か\u3099け"]),
        (f"{FURTHER_KANJI}野家と{FURTHER_KANJI}", FURTHER_KANJI, [FURTHER_KANJI, FURTHER_KANJI]),
        ("Straßeは", "strasse", ["Straße"]),
        ("ＤＤ１３", "d13", ["Ｄ１３"]),
        ("**かぶり**は70", "かぶりは", ["かぶり**は"]),
        ("3.2.1と3-2-1と３．２．１", "3.2.1", ["3.2.1", "3-2-1", "３．２．１"]),
        ("321と3、2、1", "3.2.1", ["3、2、1"]),
        ("必要な 70 mm です", "70mm", ["70 mm"]),
        ("「橋脚」は", '"橋脚"', ["橋脚"]),
        ("橋脚と配筋", "配筋 橋脚", ["橋脚", "配筋"]),
        ("橋脚番号", "橋脚 橋脚番", ["橋脚番"]),
        ("全角　空白", "角 空", ["角", "空"]),
        ("なし", "橋脚", []),
        ("", "橋脚", []),
        ("橋脚", "", []),
    ],
)
def test_words_are_found_where_they_stand_in_the_original(written: str, query: str, found: list[str]) -> None:
    places = search_text.find_occurrences(written, search_text.split_query(query))
    assert [written[start:end] for start, end in places] == found
    assert places == sorted(places)


def test_signs_alone_can_be_found_in_an_open_text() -> None:
    assert search_text.find_occurrences("幅≧3、高さ≧2", ["≧"]) == [(1, 2), (6, 7)]


ODD = "橋脚のｺﾝﾊﾟ㌢か゛\u3099\u309aＡa1２²*`_-.\n　 ßéﬁ" + FURTHER_KANJI + "👨‍👩‍👧"


def test_the_place_of_every_character_is_known_in_whatever_was_written() -> None:
    chance = random.Random(3)
    for _ in range(2000):
        written = "".join(chance.choices(ODD, k=chance.randrange(12)))
        folded, origin = search_text._folded_with_origin(written)
        assert len(origin) == len(folded) + 1
        assert origin == sorted(origin)
        assert origin[-1] == len(written)


def test_folding_with_places_gives_the_same_letters_as_folding() -> None:
    chance = random.Random(4)
    letters = [*"橋脚のァンＡa1２ *`.\n　ß㌢", "ﾊﾟ", "ｶﾞ", "か\u3099", FURTHER_KANJI]
    for _ in range(2000):
        written = "".join(chance.choices(letters, k=chance.randrange(12)))
        assert search_text._folded_with_origin(written)[0] == search_text.fold(written)
        assert search_text.count_occurrences(search_text.fold(written), ["の"]) == len(
            search_text.find_occurrences(written, ["の"])
        )


def test_folding_is_nfkc_and_case_folding_whatever_was_written() -> None:
    chance = random.Random(5)
    every = [chr(code) for code in range(0x30000) if not 0xD800 <= code < 0xE000 and chr(code) not in "*`"]
    for letter in every:
        assert search_text.fold(letter) == unicodedata.normalize("NFKC", letter).casefold()
    for _ in range(5000):
        written = "".join(chance.choices([*ODD.replace("*", "").replace("`", ""), *chance.choices(every, k=10)], k=9))
        assert search_text.fold(written) == unicodedata.normalize("NFKC", written).casefold()


def test_a_very_long_text_is_no_trouble() -> None:
    written = "鉄筋のかぶりを確かめます。ｶﾞ" * 20_000 + "橋脚"
    assert search_text.find_occurrences(written, ["橋脚"]) == [(len(written) - 2, len(written))]
    assert len(search_text.index_terms(written)) > 200_000
    assert len(search_text.make_snippet(written, ["橋脚"]).text) < 200


def test_a_snippet_is_one_line_around_the_first_hit() -> None:
    written = "前置きの文です。" * 10 + "\n\nこの橋脚の\n配筋" + "の続きの文です。" * 30
    found = search_text.make_snippet(written, search_text.split_query("配筋 橋脚"))
    assert found.text.startswith("…")
    assert found.text.endswith("…")
    assert "\n" not in found.text
    assert [found.text[start:end] for start, end in found.marks] == ["橋脚", "配筋"]


@pytest.mark.parametrize(
    ("written", "start"),
    [
        ("The one in a meeting room", "The one"),
        ("A longer sentence about borrowing one for a room", "…one for a room"),
        ("Unbrokenwordofsomanyletters/aroom", "…fsomanyletters/aroom"),
        ("ここで日本語の長い文章がまだまだ続いているところにあるroom", "…がまだまだ続いているところにあるroom"),
    ],
)
def test_a_snippet_does_not_begin_inside_a_word(written: str, start: str) -> None:
    found = search_text.make_snippet(written, ["room"])
    assert found.text.startswith(start)
    assert [found.text[begin:end] for begin, end in found.marks] == ["room"]


def test_a_snippet_of_a_short_text_is_the_text() -> None:
    assert search_text.make_snippet("橋脚です。", ["橋脚"]) == search_text.Snippet("橋脚です。", ((0, 2),))


def test_a_snippet_without_a_hit_is_the_start_of_the_text() -> None:
    found = search_text.make_snippet("長い文です。" * 50, ["橋脚"])
    assert found.text.startswith("長い文です。")
    assert found.marks == ()


def test_a_snippet_has_no_signs_of_markdown() -> None:
    written = "## 見出し\n\n- **橋脚**の`D13`\n3. 次\n\n| 項目 | 値 |\n|---|---:|\n| 幅 | 3 |"
    assert search_text.make_snippet(written, ["橋脚"]).text == "見出し 橋脚のD13 次 項目 値 幅 3"


def test_a_hit_that_ends_outside_the_snippet_is_cut_there() -> None:
    found = search_text.make_snippet("橋脚" * 100, ["橋脚"], length=21)
    assert found.text == "橋脚" * 10 + "橋…"
    assert found.marks[-1] == (20, 21)
