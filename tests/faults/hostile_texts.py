"""Text, CSV, HTML and Markdown files in odd encodings, without end or without sense (fault table S11)."""

import base64
import codecs
import random
from pathlib import Path

from tests.faults.hostile_documents import DONE, DOUBTFUL, Case

WORD = "堤体の安定を確かめる。"
PROSE = f"第３章　設計の条件\n{WORD}かぶりは７０ｍｍ以上とする。\n"
TABLE = "観測所,水位\n川口,1.25\n草加,2.50\n"


def cases() -> list[Case]:
    return [*_encodings(), *_newlines(), *_broken_letters(), *_csv(), *_json(), *_html(), *_markdown(), *_sizes()]


def _encodings() -> list[Case]:
    marks = {
        "utf-8": codecs.BOM_UTF8, "utf-16-le": codecs.BOM_UTF16_LE, "utf-16-be": codecs.BOM_UTF16_BE,
        "utf-32-le": codecs.BOM_UTF32_LE, "utf-32-be": codecs.BOM_UTF32_BE,
    }  # fmt: skip
    plain = ("utf-8", "cp932", "euc_jp", "iso2022_jp", "utf-16-le", "utf-16-be")
    western = "Die Gründung wird für das größte Hochwasser bemessen; außerdem gelten die Maße. " * 9
    return [
        *(Case(f"mark-{codec}.txt", DONE, mark + PROSE.encode(codec), (WORD,)) for codec, mark in marks.items()),
        *(Case(f"plain-{codec}.txt", DONE, PROSE.encode(codec), (WORD,)) for codec in plain),
        *(Case(f"table-{codec}.csv", DONE, TABLE.encode(codec), ("川口", "2.50")) for codec in plain[1:4]),
        Case("western.txt", DONE, western.encode("cp1252"), ("Gründung",)),
        Case("two-encodings.txt", DOUBTFUL, PROSE.encode("utf-8") + PROSE.encode("cp932") * 9),
        Case("half-width.txt", DONE, "ﾃｲﾀｲﾉ ｱﾝﾃｲ ｦ ﾀｼｶﾒﾙ".encode("cp932"), ("ﾃｲﾀｲ",)),
        Case("twice-encoded.txt", DOUBTFUL, WORD.encode().decode("cp1252", "ignore").encode() * 20),
        Case("utf-7.txt", DONE, b"+ADw-script+AD4-alert(1)+ADw-/script+AD4-", lacks=("<script>",)),
    ]


def _newlines() -> list[Case]:
    lines = ["一行目。", "二行目。", "三行目。", "四行目。", "五行目。", "六行目。"]
    mixed = "".join(line + end for line, end in zip(lines, ["\n", "\r\n", "\r", "\u2028", "\x0c", "\x85"], strict=True))
    return [
        Case("mixed-newlines.txt", DONE, mixed.encode(), tuple(lines)),
        Case("mixed-newlines.csv", DONE, "甲,乙\r1,2\r\n3,4\n5,6".encode(), ("甲: 5",)),
        Case("mac.md", DONE, "# 第1章\r\r本文。\r".encode(), ("本文",)),
        Case("only-newlines.txt", DOUBTFUL, b"\r\n" * 5000),
        Case("only-spaces.txt", DOUBTFUL, "　".encode() * 5000),
        Case("only-a-mark.txt", DOUBTFUL, codecs.BOM_UTF8),
        Case("empty.txt", "document_empty", b""),
    ]


def _broken_letters() -> list[Case]:
    prose = PROSE.encode() * 20
    noise = random.Random(1).randbytes(20_000)
    return [
        Case("stray-nuls.txt", DONE, prose[:99] + b"\0\0" + prose[99:], (WORD,)),
        Case("only-nuls.txt", "document_not_text", bytes(5000)),
        Case("nul-between.txt", "document_not_text", b"\0".join(bytes([code]) for code in b"abc\x01\x02\xff\xfe" * 99)),
        Case("noise.txt", "document_not_text", noise),
        Case("noise.csv", "document_not_text", noise),
        Case("lone-surrogates.txt", DONE, prose + b"\xed\xa0\x80\xed\xbf\xbf", (WORD,)),
        Case("pairs-of-three.txt", DONE, prose + "\U0001f600".encode("utf-16-le"), (WORD,)),
        Case("overlong.txt", DONE, prose + b"\xc0\xaf\xc0\xae", (WORD,)),
        Case("cut-letter.txt", DONE, prose + b"\xe5\xa0", (WORD,)),
        Case("lone-utf-16.txt", DONE, codecs.BOM_UTF16_LE + PROSE.encode("utf-16-le") + b"\x00\xd8", (WORD,)),
        Case("private-letters.txt", DOUBTFUL, "\ue000\ue001堤\n".encode() * 50),
        Case("turned-around.txt", DONE, "堤体の\u202e安定\u2066を\u200f確かめる。".encode(), (WORD,)),
        Case("terminal.txt", DONE, f"\x1b[2J\x1b]0;題\x07{WORD}\x1b[0m\n".encode() * 9, lacks=("\x1b", "\x07")),
        Case("marks-upon-marks.txt", DONE, ("堤" + "\u0301" * 2000).encode() * 9),
        Case("no-letters.txt", DOUBTFUL, "\ufffe\uffff\U0010ffff堤体".encode() * 2, ("堤体",)),
    ]


def _csv() -> list[Case]:
    wide = ",".join(f"列{number}" for number in range(1500))
    rows = "名称,数量,備考\n" + "".join(f"堰堤{n},{n},備考の文章がここに入る\n" for n in range(3000))
    names = ",".join(f"{number:03}" + "列" * 37 for number in range(990))
    repeated = f"{names}\n" + (",".join("1" * 990) + "\n") * 1000
    return [
        Case("3000-rows.csv", DONE, rows.encode(), ("堰堤2999",)),
        Case("1500-columns.csv", "document_wide_table", f"{wide}\n{wide}\n".encode()),
        Case("names-said-1000-times.csv", "document_too_long", repeated.encode()),
        Case("open-quote.csv", "document_damaged", ('甲,乙\n1,"' + "あ" * 1_100_000).encode()),
        Case("quotes.csv", DONE, '甲,乙\n"a""b",c"d"e\n""",",\'\n'.encode() * 3),
        Case("uneven.csv", DONE, "甲,乙,丙\n1\n1,2,3,4,5\n,,\n1,2,3\n".encode(), ("甲 | 乙",)),
        Case("only-commas.csv", DOUBTFUL, b",,,,\n" * 3000),
        Case("same-names.csv", DONE, "値,値,値\n1,2,3\n".encode(), ("1",)),
        Case("commands.csv", DONE, "名称,値\n=cmd|'/C calc'!A0,1\n@SUM(1),+2\n".encode(), ("cmd",)),
        Case("separator-line.csv", DONE, "sep=;\n甲;乙\n1;2\n".encode(), ("甲",)),
        Case("one-column.csv", DONE, "堤体\n基礎\n袖部\n".encode(), ("袖部",)),
        Case("tabs.tsv", DONE, "甲\t乙\n1\t2\n".encode(), ("甲: 1",)),
        Case("nuls.csv", DONE, (TABLE * 9).encode()[:200] + b"\0" + (TABLE * 9).encode(), ("川口",)),
    ]


def _json() -> list[Case]:
    bad = '{"a": NaN, "a": 1, "問": "\\ud800"}\n{"a": Infinity,}\n[1, 2\n{"問": "堤体"}\n'
    return [
        Case("bad-lines.jsonl", DONE, bad.encode(), ("堤体",)),
        Case("deep.json", DONE, b"[" * 50_000),
        Case("huge-number.json", DONE, b'{"a": ' + b"9" * 100_000 + b"}"),
    ]


def _html() -> list[Case]:
    def page(body: str, head: str = "") -> bytes:
        return f"<!DOCTYPE html><html><head>{head}</head><body>{body}".encode()

    tall = f"<tr><td rowspan=999>{'長' * 90_000}<td>x" + "<tr><td>y" * 400
    return [
        Case("open-tags.html", DONE, page(WORD + "<a " * 100_000), (WORD,)),
        Case("open-comments.html", DONE, page(WORD + "<!-- " * 200_000), (WORD,)),
        Case("open-sections.html", DONE, page(WORD + "<![CDATA[" * 100_000), (WORD,)),
        Case("open-instructions.html", DONE, page(WORD + "<?x" * 100_000), (WORD,)),
        Case("open-scripts.html", DONE, page(WORD + "<script>" * 100_000), (WORD,)),
        Case("comments-first.html", DONE, b"<!---->" * 570 + WORD.encode(), (WORD,)),
        Case("deep.html", DONE, page("<div>" * 12_000 + WORD), (WORD,)),
        Case("crossed.html", DONE, page("<b>" * 10_000 + "</i>" * 10_000 + WORD), (WORD,)),
        Case("tables-in-tables.html", DONE, page("<table><tr><td>" * 10_000 + WORD), (WORD,)),
        Case("lists-in-lists.html", DONE, page("<ul><li>" * 8_000 + WORD), (WORD,)),
        Case("attributes.html", DONE, page(f"<p {'a=b ' * 200_000}>{WORD}"), (WORD,)),
        Case("spans.html", DONE, page(f"<table><tr><td rowspan=99999999 colspan=99999999>{WORD}<td>x"), (WORD,)),
        Case("tall-cell.html", "document_too_long", page(f"<table>{tall}")),
        Case("entities.html", DOUBTFUL, page(f"&#xD800;&#x110000;&#{'9' * 5000};&nothing;{WORD}"), (WORD,)),
        *(
            Case(f"charset-{name}.html", DONE, page(WORD, f"<meta charset={name}>"), (WORD,))
            for name in ("idna", "undefined", "unicode_escape", "utf-7", "rot13", "x-user-defined", "UTF-16")
        ),
        Case("charset-lies.html", DONE, page(WORD, "<meta charset=euc-jp>").decode().encode("cp932"), (WORD,)),
        Case("entities.xhtml", DONE, b'<?xml version="1.0"?><!DOCTYPE html [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
             b"<html><body><p>&e;" + WORD.encode(), (WORD,), ("root:",)),
    ]  # fmt: skip


def reopened_elements() -> bytes:
    """A page whose 5,000 paragraphs each open 5,000 elements again that were not closed."""
    opened = "".join(f"<b id={number}>" for number in range(5_000))
    return f"<!DOCTYPE html><p>{opened}</p>{'<p>x' * 5_000}".encode()


def _markdown() -> list[Case]:
    signs = {
        "brackets": "[", "links": "[a](", "anchors": "[a](#", "pictures": "![a", "stars": "*a ", "ticks": "`a``",
        "tags": '<a name="', "angles": "<", "tildes": "~a~~", "carets": "^a", "braces": "{#", "escapes": "\\[",
    }  # fmt: skip
    quotes = "".join(f"{'>' * number} 引用\n" for number in range(1, 400))
    lists = "".join(f"{' ' * number}- 項\n" for number in range(1500))
    return [
        *(Case(f"{name}.md", DONE, (WORD + "\n\n" + sign * 25_000).encode(), (WORD,)) for name, sign in signs.items()),
        *(
            Case(f"{name}-in-lines.md", end, (WORD + "\n\n" + (sign * 20 + "\n\n") * 500).encode(), (WORD,))
            for name, sign in signs.items()
            for end in (DOUBTFUL if name == "tildes" else DONE,)  # letters that are struck out are not read
        ),
        Case("quotes.md", DONE, quotes.encode(), ("引用",)),
        Case("lists.md", DONE, lists.encode(), ("項",)),
        Case("open-fence.md", DONE, f"```\n{WORD}\n".encode() + b"x\n" * 50_000, (WORD,)),
        Case("wide-table.md", DONE, ("|" + "甲|" * 9000 + "\n" + "|" + "---|" * 9000 + "\n").encode() * 2, ("甲",)),
    ]


def _sizes() -> list[Case]:
    def too_large(path: Path) -> None:
        with path.open("wb") as file:
            file.truncate(101_000_000)

    return [
        Case("101-mb.txt", "document_too_large", too_large),
        Case("60-mb-line.txt", "document_too_long", lambda path: path.write_bytes(b"a" * 30_000_000)),
        Case("one-line.txt", DONE, WORD.encode() * 10_000, (WORD,)),
        Case("no-sentence.txt", DONE, "あ".encode() * 60_000),
        Case("base64.txt", DONE, base64.encodebytes(random.Random(2).randbytes(200_000))),
        Case("spaces-in-lines.txt", DONE, (b"a" + b" " * 60_000) * 2),
        Case("rule-and-a-letter.txt", DONE, (b"-" * 30_000 + b"x\n") * 3),
    ]
