"""Text, CSV and HTML files: encodings, lines and cells."""

import codecs
from pathlib import Path

import pytest

from app.base import invisible_characters
from app.base.errors import AppError
from app.documents import encodings
from app.documents.reading import html, indexing, text_blocks, text_files
from app.documents.reading.text_blocks import Block
from app.documents.records import shown_name
from tests.documents.driver import silent, written

SAMPLE = "第３章 設計\r\n本章は、砂防堰堤の設計に適用する。①から⑳まで、㎡と㈱も使う。\r\n"
ENGLISH = "The crest width shall be 3.0 m or more.\n"

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 504


def texts(blocks: list[Block]) -> list[str]:
    return [block.text for block in blocks]


@pytest.mark.parametrize(
    ("data", "codec"),
    [
        (SAMPLE.encode("utf-8"), "utf-8"),
        (SAMPLE.encode("utf-8-sig"), "utf-8"),
        (SAMPLE.encode("cp932"), "cp932"),
        (SAMPLE.replace("①から⑳まで、㎡と㈱も使う。", "").encode("euc_jp"), "euc_jp"),
        (SAMPLE.replace("①から⑳まで、㎡と㈱も使う。", "").encode("iso2022_jp"), "iso2022_jp"),
        (codecs.BOM_UTF16_LE + SAMPLE.encode("utf-16-le"), "utf-16-le"),
        (codecs.BOM_UTF16_BE + SAMPLE.encode("utf-16-be"), "utf-16-be"),
        (SAMPLE.encode("utf-16-le"), "utf-16-le"),
        (SAMPLE.encode("utf-16-be"), "utf-16-be"),
        (codecs.BOM_UTF32_LE + SAMPLE.encode("utf-32-le"), "utf-32-le"),
        (ENGLISH.encode("ascii"), "utf-8"),
        ("半角ｶﾅが混じる文章でも、文字コードは分かる。".encode("cp932"), "cp932"),
        ("ﾃｲﾀｲﾉ ｱﾝﾃｲ ｦ ﾀｼｶﾒﾙ 12.5".encode("cp932"), "cp932"),
        ("短い文".encode("cp932"), "cp932"),
        ("ｺｰﾄﾞ,品名,数量\n001,ｾﾒﾝﾄ ﾌﾂｳ,10\n002,ﾃﾂｷﾝ D13,20\n".encode("cp932"), "cp932"),
        ("1210000ﾐｽﾞﾎ          001ﾎﾝﾃﾝ           1234567ｶ)ﾔﾏﾀﾞｹﾝｾﾂ\r\n".encode("cp932"), "cp932"),
        ("1210000ﾐｽﾞﾎ          001ﾎﾝﾃﾝ           1234567ｶ)ﾔﾏﾀﾞｹﾝｾﾂ\r\n".encode("euc_jp"), "euc_jp"),
        ("ｺｰﾄﾞ,ｾﾒﾝﾄ ﾌﾂｳ,10\n002,ﾃﾂｷﾝ D13,20\n".encode("euc_jp"), "euc_jp"),
        ("車,実車,者\n".encode("cp932"), "cp932"),
        ("短い文".encode("euc_jp"), "euc_jp"),
        ("県,市\n埼玉,川口\n".encode("cp932"), "cp932"),
        ("国土交通省水管理国土保全局砂防部".encode("euc_jp"), "euc_jp"),
        ((SAMPLE * 20_000).encode("utf-8")[1:400_100], "utf-8"),
    ],
)
def test_an_encoding_is_told_from_the_bytes(data: bytes, codec: str) -> None:
    assert encodings.detect(data) == codec


def test_western_and_chinese_texts_are_read_too() -> None:
    french = "Le déversoir est dimensionné à la crue de référence ; la crête a été élargie à l'aval." * 5
    assert encodings.decode(french.encode("cp1252"), encodings.detect(french.encode("cp1252"))) == french


@pytest.mark.parametrize("data", [bytes(range(256)) * 20, b"\0" * 5000, b"\x7fELF\x02" + b"\0\x01" * 900])
def test_what_is_no_text_is_told(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(AppError) as caught:
        text_files.read_plain_text(written(tmp_path, "a.txt", data), silent)
    assert caught.value.code == "document_not_text"


def test_stray_nuls_do_not_keep_a_record_from_being_read(tmp_path: Path) -> None:
    content = "観測所,水位\r\n" + "".join(f"第{n}観測所,{n}.5\r\n" for n in range(40)) + "\0\0"
    reading = text_files.read_delimited(written(tmp_path, "a.csv", content, "cp932"), silent)
    assert reading.report.encoding == "cp932"
    assert texts(reading.blocks)[0] == "観測所: 第0観測所 | 水位: 0.5"


@pytest.mark.parametrize("name", ["idna", "undefined", "unicode_escape", "UTF-7", "rot13", "base64", "x-unknown"])
def test_what_is_no_encoding_of_text_is_not_taken_for_one(name: str, tmp_path: Path) -> None:
    page = f"<html><head><meta charset={name}></head><body>文字 +ADw-b+AD4-</body></html>"
    assert html.read(written(tmp_path, "a.html", page), silent).report.encoding == "utf-8"
    with pytest.raises(AppError) as caught:
        text_files.read_plain_text(written(tmp_path, "a.txt", "文字"), silent, name)
    assert caught.value.code == "document_encoding_unknown"


def test_names_of_encodings_are_codecs() -> None:
    assert [codecs.lookup(codec).name for codec in encodings.ENCODING_NAMES]


def test_hard_broken_lines_are_joined_and_lists_are_not(tmp_path: Path) -> None:
    body = "この文章は四十桁で折り返した文書を想定しており、行の終わりで文が終わらないのである。" * 4
    lines = [body[at : at + 30] for at in range(0, len(body), 30)]
    content = "\n".join([*lines, "", "・箇条書きの一つ目", "・箇条書きの二つ目", "-----------", "1. 番号付き"])
    found = texts(text_files.read_plain_text(written(tmp_path, "a.txt", content), silent).blocks)
    assert found == [body, "・箇条書きの一つ目", "・箇条書きの二つ目", "1. 番号付き"]


@pytest.mark.parametrize(
    ("before", "hanging"), [("    ", "    "), ("\xa0\xa0 ", "   "), ("  * ", "    "), ("1. ", "   ")]
)
def test_hard_broken_lines_with_the_same_indentation_are_joined(before: str, hanging: str, tmp_path: Path) -> None:
    body = "この文章は四十桁で折り返した文書を想定しており、行の終わりで文が終わらないのである。" * 3
    pieces = [body[at : at + 30] for at in range(0, len(body), 30)]
    lines = [before + pieces[0], *(hanging + piece for piece in pieces[1:])]
    content = "\n".join([*lines, "", before + pieces[0], "        " + pieces[1], "　" + pieces[2]])
    found = texts(text_files.read_plain_text(written(tmp_path, "a.txt", content), silent).blocks)
    marker = before.strip(" \xa0")
    sign = f"{marker} " if marker else ""
    assert found == [sign + body, sign + pieces[0], pieces[1], pieces[2]]


TITLES = ["点検の目的と対象になる施設", "点検の時期", "点検の方法", "記録の保存", "報告"]


@pytest.mark.parametrize(
    "entry", ["{0}. {1}", "  * 第{0}章 {1}", "{0}. {1} ........ 1{0}", "{0}. {1}\n    （続き）", "{0}. {1}\n"]
)
def test_a_table_of_contents_is_dropped_and_nothing_else(entry: str, tmp_path: Path) -> None:
    contents = [entry.format(number, title) for number, title in enumerate(TITLES, start=1)]
    clauses = [f"第{number}章 {title}\n\n{title}は、別に定める。" for number, title in enumerate(TITLES, start=1)]
    prose = "この要領は、次の者が使う。\n\n" * 3
    content = "\n".join(["目次", *contents, "", *(f"{clause}\n\n{prose}" for clause in clauses)])
    document = text_files.read_plain_text(written(tmp_path, "a.txt", content), silent)
    found = texts(document.blocks)
    assert found[:3] == ["目次", f"第1章 {TITLES[0]}", f"{TITLES[0]}は、別に定める。"]
    assert found[1::5] == [f"第{number}章 {title}" for number, title in enumerate(TITLES, start=1)]
    assert document.source_letters == sum(map(text_blocks.count_letters, found))


@pytest.mark.parametrize("is_summary", [False, True])
def test_text_right_below_entries_and_chapters_in_brief_are_kept(is_summary: bool, tmp_path: Path) -> None:
    """Neither the chapter below a table of contents without a blank line, nor a summary with the same titles goes."""
    entries = [f"{number} {title}" for number, title in enumerate(TITLES, start=1)]
    brief = [line for entry in entries for line in (entry, f"{entry[2:]}の要点は次のとおり短い。")]
    clauses = [line for entry in entries for line in (entry, *[f"{entry[2:]}は、別に定める。"] * 8)]
    content = "\n".join([*(brief if is_summary else entries), *clauses])
    found = texts(text_files.read_plain_text(written(tmp_path, "a.txt", content), silent).blocks)
    assert found == [*(brief if is_summary else []), *clauses]


def test_steps_that_are_written_again_for_another_case_are_no_table_of_contents(tmp_path: Path) -> None:
    steps = [f"{number}. {title}" for number, title in enumerate(TITLES, start=1)]
    content = "\n".join(["橋の場合", *steps, "", "堰の場合", *steps, "", "ほかは別に定める。"])
    found = texts(text_files.read_plain_text(written(tmp_path, "a.txt", content), silent).blocks)
    assert found == [line for line in content.split("\n") if line]


def test_clauses_of_a_contract_are_not_joined_to_hard_broken_lines(tmp_path: Path) -> None:
    body = "この文章は四十桁で折り返した文書を想定しており、行の終わりで文が終わらないのである" * 4
    lines = [body[at : at + 30] for at in range(0, 150, 30)]
    clauses = ["一　契約保証金", "ロ 検査", "２ 前項の額", "（契約の保証）", "第４条　受注者は、付す。"]
    for clause in clauses:
        found = texts(
            text_files.read_plain_text(written(tmp_path, "a.txt", "\n".join([*lines, clause])), silent).blocks
        )
        assert found == [body[:150], clause]


def test_lines_of_authors_stay(tmp_path: Path) -> None:
    content = "日付 四月一日\r担当 山田\r\n件名 かぶりの確認\nこれは一行の長い文章で、折り返されていない。"
    found = texts(text_files.read_plain_text(written(tmp_path, "a.txt", content), silent).blocks)
    assert found == content.replace("\r\n", "\n").replace("\r", "\n").split("\n")


@pytest.mark.parametrize(
    ("first", "second", "joined"),
    [
        ("設計は", "次による", "設計は次による"),
        ("check", "dam", "check dam"),
        ("deter-", "mined", "determined"),
        ("Swallow-", "8B", "Swallow- 8B"),
        ("高さ", "15 m", "高さ15 m"),
        ("", "次", "次"),
        ("a\u00ad", "b", "ab"),
    ],
)
def test_lines_are_joined_as_their_language_does(first: str, second: str, joined: str) -> None:
    assert text_blocks.join_lines(first, second) == joined


def test_what_harms_is_taken_out_and_the_rest_stays() -> None:
    assert invisible_characters.remove("a\0b\x07c\u202ed\ufeffe\ud800f\tg\n①㈱髙﨑") == "abcde\ufffdf\tg\n①㈱髙﨑"
    assert invisible_characters.remove("\ud83d\ude00") == "😀"


@pytest.mark.parametrize(
    ("text", "count"),
    [("普通の文章", 0), ("繧定ｪｭ繧薙〒", 7), ("\ufffd\ufffd", 2), ("\ue000", 1), ("(cid:12)", 8), ("ã‚³ãƒ³", 6)],
)
def test_garbled_letters_are_counted(text: str, count: int) -> None:
    assert abs(text_blocks.count_garbled(text) - count) <= 3
    assert (text_blocks.count_garbled(text) > 0) == (count > 0)


# ------------------------------------------------------------------ CSV


def test_rows_name_their_values(tmp_path: Path) -> None:
    content = '名称,数量,備考\r\n本堤,12.5,"一行目\r\n二行目"\r\n副堤,3,\r\n'
    reading = text_files.read_delimited(written(tmp_path, "a.csv", content, "cp932"), silent)
    assert texts(reading.blocks) == ["名称: 本堤 | 数量: 12.5 | 備考: 一行目 二行目", "名称: 副堤 | 数量: 3"]
    assert (reading.report.encoding, reading.report.tables, reading.report.notes) == ("cp932", 1, ())


@pytest.mark.parametrize("separator", [",", "\t", ";", "|"])
def test_the_separator_is_told_from_the_rows(separator: str, tmp_path: Path) -> None:
    content = "\n".join(separator.join(row) for row in (("年", "値"), ("2024", "1"), ("2025", "2")))
    found = texts(text_files.read_delimited(written(tmp_path, "a.csv", content), silent).blocks)
    assert found == ["年: 2024 | 値: 1", "年: 2025 | 値: 2"]


def test_a_table_without_names_stays_as_it_is(tmp_path: Path) -> None:
    reading = text_files.read_delimited(written(tmp_path, "a.csv", "1,2,3\n4,5\n"), silent)
    assert texts(reading.blocks) == ["1 | 2 | 3", "4 | 5"]
    assert reading.report.notes == ("uneven_rows",)


def test_a_quote_that_is_never_closed_is_an_error(tmp_path: Path) -> None:
    content = '名称,値\n"開いたまま' + "あ" * (text_files.CELL_CHARACTERS + 10)
    with pytest.raises(AppError) as caught:
        text_files.read_delimited(written(tmp_path, "a.csv", content), silent)
    assert caught.value.code == "document_damaged"


# ------------------------------------------------------------------ HTML

PAGE = """<!DOCTYPE html><html><head><meta charset="{charset}"><title>設計 指針</title>
<style>p {{color: red}}</style><script>alert("x")</script></head><body>
<nav><a href="x">案内</a></nav><div class="toc"><ul><li>1.1 目次の項</li></ul></div>
<!-- 消えるべき注釈 --><h1>第1章
総則</h1><p>本文は
次の行に続く。<br>改行の後。<ruby>堰<rp>(</rp><rt>えん</rt><rp>)</rp></ruby>堤</p>
<ol><li>一つ目<li>二つ目</ol><ul><li>点<ul><li>内側</ul></ul>
<table><caption>表1 数量</caption><tr><th>名<th>値<tr><td rowspan=2>A<td>1<tr><td>2</table>
<pre>a
  b</pre><table><tr><td><h2>1.1 枠</h2><p>枠の中の本文。</p></td></tr></table>&lt;終&gt;</body></html>"""


@pytest.mark.parametrize(("charset", "codec"), [("utf-8", "utf-8"), ("Shift_JIS", "cp932"), ("EUC-JP", "euc_jp")])
def test_a_page_becomes_blocks_and_nothing_of_its_scripts(charset: str, codec: str, tmp_path: Path) -> None:
    path = written(tmp_path, "a.html", PAGE.format(charset=charset), codec)
    reading = html.read(path, silent)
    assert [(block.kind, block.level, block.text) for block in reading.blocks] == [
        ("heading", 1, "第1章総則"),
        ("paragraph", 0, "本文は次の行に続く。\n改行の後。堰堤"),
        ("paragraph", 0, "1. 一つ目"),
        ("paragraph", 0, "2. 二つ目"),
        ("paragraph", 0, "・点"),
        ("paragraph", 0, "・内側"),
        ("caption", 0, "表1 数量"),
        ("row", 0, "名 | 値"),
        ("row", 0, "A | 1"),
        ("row", 0, "A | 2"),
        ("paragraph", 0, "a\n  b"),
        ("heading", 2, "1.1 枠"),
        ("paragraph", 0, "枠の中の本文。"),
        ("paragraph", 0, "<終>"),
    ]
    assert reading.title == "設計 指針"
    assert next(block for block in reading.blocks if block.kind == "row").is_head


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<p title=don't class='x>y'>甲</p>乙", ["甲", "乙"]),
        ("<div class=contents>本文</div><div class='contents topic'>目次</div>", ["本文"]),
        ("<div class=toctree-wrapper><a>甲</a></div><div class=toctree-wrapper><section>乙</section></div>", ["乙"]),
        ("<div class=toc><ul><li><span class=section>甲</span></ul></div>乙", ["乙"]),
        ("1 < 2 <= 3 <あ> &lt;b&gt;", ["1 < 2 <= 3 <あ> <b>"]),
        ("甲<br/>乙<p/>丙", ["甲\n乙丙"]),
        ("甲<script>if (a < b) '</p>'</SCRIPT >乙<style>p{}", ["甲乙"]),
        ("甲<script src=x />乙", ["甲乙"]),
        ("甲<!-- <p>乙 -->丙<![CDATA[ 丁 ]]><?php 戊 ?></ 己>庚", ["甲丙庚"]),
        ("甲<!-- 閉じない <p>乙", ["甲"]),
        ("甲<a href=x", ["甲"]),
        ("甲<title/>乙<iframe src=x />丙", ["甲乙丙"]),
        ("<table><tr><td>甲<td>乙<tr><td>丙<td>丁", ["甲 | 乙", "丙 | 丁"]),
        (
            "<table><tr><td rowspan=3>甲</td><td>一</td></tr><tr><td>二</td></tr><tr><td>三</td></tr></table>",
            ["甲 | 一", "甲 | 二", "甲 | 三"],
        ),
        ("<p><ruby>堰<rt>えん</ruby>堤</p>後", ["堰堤", "後"]),
        ("<p><ruby>堰<rp>(<rt>えん</p>後", ["堰", "後"]),
        ("<ruby>堰<rt>えん<br>堤<p>後</p>完", ["堰\n堤", "後", "完"]),
        ("<div><ruby>堰<rt>えん<table><tr><td>甲<td>乙</table>後", ["堰", "甲 | 乙", "後"]),
        ("&#12354;&#x3042;&amp;&#99999999999999999999999;&nbsp;&unknown;", ["ああ&\ufffd\xa0&unknown;"]),
    ],
)
def test_what_browsers_make_of_odd_tags(page: str, text: list[str], tmp_path: Path) -> None:
    assert texts(html.read(written(tmp_path, "a.html", f"<html><body>{page}"), silent).blocks) == text


@pytest.mark.fault("S7")
@pytest.mark.parametrize(
    ("page", "text"),
    [
        ('<p>前</p><p style="display:none">偽<p>後</p>', ["前", "後"]),
        ('<p>前<p hidden>偽<b>偽</b></p>後', ["前", "後"]),
        ('<div style="color:red; DISPLAY : none !important">偽<div>偽</div>偽</div>後', ["後"]),
        ('<span style="visibility:hidden">偽</span>後', ["後"]),
        ('<ul><li>甲<li hidden>偽<ul><li>偽</ul><li>乙</ul>丙', ["・甲", "・乙", "丙"]),
        ('<ul><li hidden>偽</ul>丙', ["丙"]),
        ("<dl><dt>甲<dd style='display:none'>偽<dt>乙</dl>丙", ["甲", "乙", "丙"]),
        ('<table><tr><th>項目<th>値<tr style="display:none"><td>点検<td>9年<tr><td>点検<td>5年</table>',
         ["項目 | 値", "点検 | 5年"]),
        ('<table><tr><td>甲<td hidden>偽<td>乙</table>後', ["甲 | | 乙", "後"]),
        ('<table style="display:none"><tr><td>偽<td>偽</table>後', ["後"]),
        ('<body style="display:none"><p hidden="until-found">後</p>', ["後"]),
        ('<p style="display:none-such">後</p><p style="x-display:none">完</p>', ["後", "完"]),
    ],
)  # fmt: skip
def test_what_a_page_says_is_not_to_be_seen_is_not_read(page: str, text: list[str], tmp_path: Path) -> None:
    reading = html.read(written(tmp_path, "a.html", page), silent)
    assert [one.replace("  ", " ") for one in texts(reading.blocks)] == text
    assert ("hidden_text" in reading.report.notes) == ("偽" in page or "9年" in page)


def test_a_page_is_read_right_in_the_encoding_that_was_wished_or_else_in_that_of_its_bytes(tmp_path: Path) -> None:
    lie = written(tmp_path, "a.html", PAGE.format(charset="utf-8"), "cp932")
    assert html.read(lie, silent).report.encoding == "cp932"
    wished = written(tmp_path, "b.html", "<p>文字</p>", "euc_jp")
    assert texts(html.read(wished, silent, "euc_jp").blocks) == ["文字"]


# ------------------------------------------------------------------ what a file is


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("a.txt", b"%PDF-1.7\n", "pdf"),
        ("a.pdf", "文章".encode(), "text"),
        ("a.txt", b"<!DOCTYPE html><p>x", "html"),
        ("a.txt", b"\xef\xbb\xbf \n<!-- x --><HTML>", "html"),
        ("a.csv", b"a,b", "csv"),
        ("a.MD", b"# a", "markdown"),
        ("README", b"text", "text"),
        ("a.txt", "BMの検討".encode(), "text"),
        ("a.txt", "GGUF とは".encode(), "text"),
        ("a.doc", OLE + "WordDocument".encode("utf-16-le"), "doc"),
        ("a.docx", OLE + "Workbook".encode("utf-16-le"), "xls"),
        ("a.xls", OLE + ("WordDocument" + "Workbook").encode("utf-16-le"), "xls"),  # with an embedded document
        ("a.XLS", OLE + b"an older one", "xls"),
        ("a.ppt", OLE + "PowerPoint Document".encode("utf-16-le"), "ppt"),
        ("a.doc", b"{\\rtf1 x}", "rtf"),
        ("a.xls", b"<html><table>", "html"),
    ],
)
def test_a_file_is_what_its_content_says(name: str, content: bytes, found: str, tmp_path: Path) -> None:
    assert indexing.detect_format(written(tmp_path, name, content)) == found


@pytest.mark.parametrize(
    ("name", "content", "code", "format_"),
    [
        ("a.docx", OLE + b"x", "document_old_format", "Office 97-2003"),
        ("a.xls", b"\t\x04\x06\0\0\0\x10\0", "document_old_format", "Excel 4.0"),
        ("a.jtd", OLE + b"x", "document_old_format", "一太郎"),
        ("a.xlsx", OLE + "EncryptedPackage".encode("utf-16-le"), "document_protected", None),
        ("a.gif", b"GIF89a\x01\0", "document_is_picture", "GIF"),
        ("a.zip", b"PK\x05\x06" + b"\0" * 18, "document_is_archive", "ZIP"),
        ("a.gz", b"\x1f\x8b\x08\0", "document_is_archive", "gzip"),
        ("a.gguf", b"GGUF\x03\0\0\0", "document_unknown_format", "GGUF"),
    ],
)
def test_what_cannot_be_read_is_named(name: str, content: bytes, code: str, format_: str, tmp_path: Path) -> None:
    with pytest.raises(AppError) as caught:
        indexing.detect_format(written(tmp_path, name, content))
    assert (caught.value.code, caught.value.facts.get("format")) == (code, format_)


def test_a_name_is_not_shown_backwards_or_in_two_lines() -> None:
    assert shown_name(Path("/資料/逆\u202etxt.exe")) == "逆\ufffdtxt.exe"
    assert shown_name(Path("基準\n[2] 偽\u200b.pdf")) == "基準\ufffd[2] 偽\ufffd.pdf"
    assert shown_name(Path("第1章　総則（案）が゛.pdf")) == "第1章　総則（案）が゛.pdf"
