"""Office files and archives: bombs, entities, ways out of the folder, loops and damage (fault table S9)."""

import io
import struct
import zipfile
import zlib
from collections.abc import Mapping

from tests.faults.hostile_documents import DONE, DOUBTFUL, Case

WORD = "堤体の安定を確かめる。"
MAIN = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
SHEETS = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
XXE = '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
LAUGHS = "<!DOCTYPE x [<!ENTITY a 'ha'>" + "".join(
    f"<!ENTITY {name} '{f'&{below};' * 10}'>" for below, name in zip("abcdefghi", "bcdefghij", strict=True)
) + "]>"  # fmt: skip


def cases() -> list[Case]:
    return [*_bombs(), *_entities(), *_ways_out(), *_archives(), *_word(), *_excel(), *_powerpoint()]


def packed(parts: Mapping[str, str | bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method, compresslevel=1) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def word(body: str, parts: Mapping[str, str | bytes] | None = None, *, before: str = "") -> bytes:
    """`before`: the root element, as a document type. `parts`: more of them, or others than the usual ones."""
    related = "".join(
        f'<Relationship Id="{name}" Type="{OFFICE}/{name}" Target="{name}.xml"/>'
        for name in ("styles", "numbering", "footnotes")
    )
    return packed({
        "_rels/.rels": f'<Relationships xmlns="{RELATIONS}"><Relationship Id="a" Type="{OFFICE}/officeDocument"'
        ' Target="word/document.xml"/></Relationships>',
        "word/_rels/document.xml.rels": f'<Relationships xmlns="{RELATIONS}">{related}</Relationships>',
        "word/document.xml": f'{before}<w:document xmlns:w="{MAIN}"><w:body>{body}</w:body></w:document>',
        **(parts or {}),
    })  # fmt: skip


def paragraph(written: str = WORD, properties: str = "") -> str:
    return f"<w:p>{properties}<w:r><w:t>{written}</w:t></w:r></w:p>"


def excel(rows: str, parts: Mapping[str, str | bytes] | None = None, *, after: str = "", before: str = "") -> bytes:
    return packed({
        "_rels/.rels": f'<Relationships xmlns="{RELATIONS}"><Relationship Id="a" Type="{OFFICE}/officeDocument"'
        ' Target="xl/workbook.xml"/></Relationships>',
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument'
        '.spreadsheetml.sheet.main+xml"/></Types>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{RELATIONS}"><Relationship Id="r1"'
        f' Type="{OFFICE}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{SHEETS}" xmlns:r="{OFFICE}"><sheets><sheet name="表" sheetId="1"'
        ' r:id="r1"/></sheets></workbook>',
        "xl/worksheets/sheet1.xml": f'{before}<worksheet xmlns="{SHEETS}"><sheetData>{rows}</sheetData>{after}'
        "</worksheet>",
        **(parts or {}),
    })  # fmt: skip


def presentation(shapes: str, parts: Mapping[str, str | bytes] | None = None, *, before: str = "") -> bytes:
    """A presentation of one slide. `before`: the slide's root element, as a document type."""
    names = 'xmlns:p="p" xmlns:a="a" xmlns:r="r"'
    relation = f'<Relationships xmlns="{RELATIONS}"><Relationship Id="{{}}" Type="{OFFICE}/{{}}" Target="{{}}"/>'
    end = "</Relationships>"
    return packed({
        "_rels/.rels": relation.format("a", "officeDocument", "ppt/presentation.xml") + end,
        "ppt/_rels/presentation.xml.rels": relation.format("r1", "slide", "slides/slide1.xml") + end,
        "ppt/slides/_rels/slide1.xml.rels": relation.format("rDiagram", "diagramData", "../diagrams/data1.xml") + end,
        "ppt/presentation.xml": f'<p:presentation {names}><p:sldIdLst><p:sldId id="256" r:id="r1"/></p:sldIdLst>'
        "</p:presentation>",
        "ppt/slides/slide1.xml": f"{before}<p:sld {names}><p:cSld><p:spTree>{shapes}</p:spTree></p:cSld></p:sld>",
        **(parts or {}),
    })  # fmt: skip


def shape(written: str = WORD) -> str:
    return f"<p:sp><p:txBody><a:p><a:r><a:t>{written}</a:t></a:r></a:p></p:txBody></p:sp>"


def cell(place: str, written: str) -> str:
    return f'<c r="{place}" t="inlineStr"><is><t>{written}</t></is></c>'


ROW = f'<row r="1">{cell("A1", WORD)}{cell("B1", "12.5")}</row>'


def _bombs() -> list[Case]:
    head = f'<w:document xmlns:w="{MAIN}"><w:body>'.encode()
    piece = "".join(f"{number:02}{'あ' * 97}" for number in range(97))
    many = {f"word/media/{number}.png": b"" for number in range(20_001)}
    note = f'<w:footnotes xmlns:w="{MAIN}"><w:footnote w:id="1">{paragraph("注" * 500_000)}</w:footnote></w:footnotes>'
    mark = '<w:p><w:r><w:footnoteReference w:id="1"/></w:r></w:p>'
    level = f'<w:lvl w:ilvl="0"><w:start w:val="{"9" * 5000}"/><w:lvlText w:val="{"長" * 500_000}%1"/></w:lvl>'
    lists = (
        f'<w:numbering xmlns:w="{MAIN}"><w:abstractNum w:abstractNumId="1">{level}</w:abstractNum>'
        '<w:num w:numId="1"><w:abstractNumId w:val="1"/></w:num></w:numbering>'
    )
    item = paragraph("項", '<w:pPr><w:numPr><w:ilvl w:val="0"/><w:numId w:val="1"/></w:numPr></w:pPr>')
    down = "<w:tr><w:tc><w:tcPr><w:vMerge/></w:tcPr></w:tc><w:tc><w:p/></w:tc></w:tr>"
    tall = f"<w:tbl>{down.replace('<w:p/>', paragraph('長' * 500_000), 1)}{down * 2}</w:tbl>"
    first = f'<w:tr><w:tc><w:tcPr><w:vMerge w:val="restart"/></w:tcPr>{paragraph("長" * 900_000)}</w:tc><w:tc/></w:tr>'
    return [
        Case("30-mb-of-nothing.docx", "document_bomb", packed({"word/document.xml": head + bytes(30_000_000)})),
        Case("400-mb-entry.xlsx", "document_bomb", _with_claim("xl/workbook.xml", 2_000_000_000)),
        Case("claims-little.docx", "document_damaged", _with_claim("word/document.xml", 1_000)),
        Case("20001-entries.docx", "document_bomb", word(paragraph(), many)),
        Case("one-paragraph-of-70-mb.docx", "document_too_long", word(f"<w:p>{f'<w:t>{piece}</w:t>' * 2_200}</w:p>")),
        Case("note-said-100-times.docx", "document_too_long", word(mark * 100, {"word/footnotes.xml": note})),
        Case("long-number.docx", DONE, word(item * 3000, {"word/numbering.xml": lists}), ("項",)),
        Case("tall-cell.docx", "document_too_long", word(f"<w:tbl>{first}{down * 60}</w:tbl>")),
        Case("tall-empty-cell.docx", DONE, word(tall), ("長",)),
        Case("laughs.docx", "document_unsafe_xml", word(paragraph("&j;"), before=LAUGHS)),
        Case("laughs.xlsx", "document_unsafe_xml", excel(f'<row r="1">{cell("A1", "&j;")}</row>', before=LAUGHS)),
        Case("deep.docx", "document_too_deep", word("<w:p>" * 60_000 + "</w:p>" * 60_000)),
        Case("archive-in-archive.docx", DONE, word(paragraph(), {"word/a.docx": word(paragraph("内側"))}), (WORD,)),
    ]


def _with_claim(name: str, size: int) -> bytes:
    """An archive whose directory says that an entry is so large; it is 5 MB."""
    whole = bytearray(packed({name: b"<x>" + bytes(5_000_000), "word/a": b"", "xl/a": b""}))
    local, entry = whole.index(b"PK\3\4"), whole.index(b"PK\1\2")
    whole[local + 22 : local + 26] = whole[entry + 24 : entry + 28] = struct.pack("<I", size)
    return bytes(whole)


def _entities() -> list[Case]:
    outside = '<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">'
    parameter = '<!DOCTYPE x [<!ENTITY % p SYSTEM "http://127.0.0.1:9/x.dtd"> %p;]>'
    styles = f'{XXE}<w:styles xmlns:w="{MAIN}"><w:style><w:name w:val="&e;"/></w:style></w:styles>'
    shared = f'{XXE}<sst xmlns="{SHEETS}"><si><t>&e;</t></si></sst>'
    string = '<row r="1"><c r="A1" t="s"><v>0</v></c></row>'
    relation = f'<Relationship Id="s" Type="{OFFICE}/sharedStrings" Target="sharedStrings.xml"/></Relationships>'
    related = _part(excel(ROW), "xl/_rels/workbook.xml.rels").replace("</Relationships>", relation)
    typed = _part(excel(ROW), "[Content_Types].xml").replace(
        "</Types>",
        '<Override PartName="/xl/sharedStrings.xml" ContentType="application/vnd.openxmlformats-officedocument'
        '.spreadsheetml.sharedStrings+xml"/></Types>',
    )
    strings = {"xl/sharedStrings.xml": shared, "xl/_rels/workbook.xml.rels": related, "[Content_Types].xml": typed}
    book = XXE + _part(excel(ROW), "xl/workbook.xml").replace("表", "&e;")
    utf_16 = f'<?xml version="1.0" encoding="UTF-16"?>{XXE}<w:document xmlns:w="{MAIN}"><w:body>{paragraph("&e;")}'
    unsafe = "document_unsafe_xml"
    return [
        Case("entity.docx", unsafe, word(paragraph("&e;"), before=XXE), lacks=("root:",)),
        Case("outside.docx", unsafe, word(paragraph(), before=outside)),
        Case("parameter.docx", unsafe, word(paragraph(), before=parameter)),
        Case("entity-in-styles.docx", unsafe, word(paragraph(), {"word/styles.xml": styles})),
        Case("entity-in-relations.docx", unsafe, word(paragraph(), {"_rels/.rels": XXE + "<x>&e;</x>"})),
        Case("entity-in-utf-16.docx", unsafe, word("", {"word/document.xml": utf_16.encode("utf-16")})),
        Case("entity.xlsx", unsafe, excel(f'<row r="1">{cell("A1", "&e;")}</row>', before=XXE)),
        Case("entity-in-strings.xlsx", unsafe, excel(string, strings)),
        Case("entity-in-workbook.xlsx", unsafe, excel(ROW, {"xl/workbook.xml": book})),
        Case("entity-in-types.xlsx", unsafe, excel(ROW, {"[Content_Types].xml": XXE + "<x>&e;</x>"})),
    ]


def _part(whole: bytes, name: str) -> str:
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        return archive.read(name).decode()


def _ways_out() -> list[Case]:
    names = ("../../canary.txt", "..\\..\\canary.txt", "C:\\canary.txt", "word/../../canary.txt", "/canary.txt")
    relation = f'<Relationship Id="a" Type="{OFFICE}/{{}}" Target="{{}}"{{}}/>'
    target = f'<Relationships xmlns="{RELATIONS}">{relation}</Relationships>'
    passwd = target.format("styles", "../../../../../../../../etc/passwd", "")
    outside = target.format("officeDocument", "http://127.0.0.1:9/document.xml", ' TargetMode="External"')
    template = target.format("attachedTemplate", "http://127.0.0.1:9/x.dotm", ' TargetMode="External"')
    share = target.format("worksheet", "//127.0.0.1/share/sheet.xml", "").replace('"a"', '"r1"')
    return [
        Case("slip.docx", DONE, word(paragraph(), dict.fromkeys(names, "x")), (WORD,)),
        Case("styles-are-passwd.docx", DONE, word(paragraph(), {"word/_rels/document.xml.rels": passwd}), (WORD,)),
        Case("body-is-elsewhere.docx", DONE, word(paragraph(), {"_rels/.rels": outside}), (WORD,)),
        Case("template-elsewhere.docx", DONE, word(paragraph(), {"word/_rels/document.xml.rels": template}), (WORD,)),
        Case("sheet-elsewhere.xlsx", "document_damaged", excel(ROW, {"xl/_rels/workbook.xml.rels": share})),
        Case("macros.docm", DONE, word(paragraph(), {"word/vbaProject.bin": b"\xd0\xcf\x11\xe0"}), (WORD,)),
    ]


def _archives() -> list[Case]:
    whole = word(paragraph())
    locked, unknown = bytearray(whole), bytearray(whole)
    for at in _places(whole, b"PK\1\2"):
        locked[at + 8] |= 1
        unknown[at + 10 : at + 12] = struct.pack("<H", 99)
    return [
        Case("half.docx", "document_damaged", whole[: len(whole) // 2]),
        Case("no-directory.docx", "document_damaged", whole[: whole.index(b"PK\1\2")]),
        Case("flipped.docx", "document_damaged", _flipped(whole, b"word/document.xml")),
        Case("flipped.xlsx", "document_damaged", _flipped(excel(ROW), b"xl/worksheets/sheet1.xml")),
        Case("locked.docx", "document_protected", bytes(locked)),
        Case("unknown-method.docx", "document_damaged", bytes(unknown)),
        Case("lzma.docx", "document_damaged", packed({"word/document.xml": "<x/>"}, zipfile.ZIP_LZMA)),
        Case("bzip2.docx", "document_damaged", packed({"word/document.xml": "<x/>"}, zipfile.ZIP_BZIP2)),
        Case("overlapping.docx", "document_damaged", _overlapping()),
        Case("mail-before.docx", DONE, b"PK\3\4" + b"x" * 200 + whole, (WORD,)),
        Case("presentation.pptx", DOUBTFUL, packed({"ppt/presentation.xml": "<x/>"})),
        Case("only-an-archive.docx", "document_is_archive", packed({"a.txt": "x"})),
        Case("old.docx", "document_old_format", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2000)),
    ]


def _flipped(whole: bytes, name: bytes) -> bytes:
    start = whole.index(name) + len(name) + 20
    return whole[:start] + bytes(20) + whole[start + 20 :]


def _places(whole: bytes, mark: bytes) -> list[int]:
    return [at for at in range(len(whole)) if whole.startswith(mark, at)]


def _overlapping() -> bytes:
    """Two entries of the directory that are one and the same piece of the file."""
    whole = packed({"word/document.xml": "<x/>" * 100, "word/document.xm2": "<y/>" * 100})
    entries = _places(whole, b"PK\1\2")
    changed = bytearray(whole)
    changed[entries[1] + 42 : entries[1] + 46] = whole[entries[0] + 42 : entries[0] + 46]
    changed[entries[0] + 46 : entries[0] + 63] = b"word/document.xm1"
    changed[entries[1] + 46 : entries[1] + 63] = b"word/document.xml"
    return bytes(changed)


def _word() -> list[Case]:
    circle = "".join(
        f'<w:style w:styleId="{one}"><w:name w:val="{one}"/><w:basedOn w:val="{other}"/></w:style>'
        for one, other in ("ab", "ba")
    )
    styles = f'<w:styles xmlns:w="{MAIN}">{circle}</w:styles>'
    styled = paragraph(properties='<w:pPr><w:pStyle w:val="a"/></w:pPr>')
    nested = paragraph()
    for _ in range(60):
        nested = f"<w:tbl><w:tr><w:tc>{nested}</w:tc></w:tr></w:tbl>"
    span = '<w:tcPr><w:gridSpan w:val="999999999999"/></w:tcPr>'
    wide = f"<w:tbl><w:tr><w:tc>{span}{paragraph()}</w:tc><w:tc/></w:tr></w:tbl>"
    many = f"<w:tbl><w:tr>{f'<w:tc>{paragraph()}</w:tc>' * 3000}</w:tr></w:tbl>"
    copies = "<w:Fallback>" * 100 + "<w:t>古い</w:t>" + "</w:Fallback>" * 100
    return [
        Case("copies-in-copies.docx", DONE, word(paragraph() + f"<w:p>{copies}</w:p>"), (WORD,), lacks=("古い",)),
        Case("no-body.docx", DOUBTFUL, packed({"word/document.xml": "<x/>"})),
        Case("empty-part.docx", "document_damaged", packed({"word/document.xml": ""})),
        Case("no-xml.docx", "document_damaged", packed({"word/document.xml": zlib.compress(b"x" * 999)})),
        Case(
            "cut-xml.docx", "document_damaged", packed({"word/document.xml": "<w:document xmlns:w='x'><w:body><w:p>"})
        ),
        Case("body-missing.docx", "document_damaged", packed({"word/styles.xml": "<x/>"})),
        Case("styles-in-a-circle.docx", DONE, word(styled, {"word/styles.xml": styles}), (WORD,)),
        Case("tables-in-tables.docx", "document_too_deep", word(nested)),
        Case("wide-cell.docx", DONE, word(wide), (WORD,)),
        Case("3000-cells.docx", DOUBTFUL, word(many), (WORD,)),
        Case("surrogates.docx", "document_damaged", word(paragraph("&#xD800;"))),
        Case("controls.docx", DONE, word(paragraph("堤体&#x202E;の&#xFEFF;安定")), ("堤体の安定",)),
    ]


def _excel() -> list[Case]:
    far, last = '<row r="999999999"><c r="A999999999"/></row>', '<row r="1048576"><c r="A1048576"><v>7</v></c></row>'
    merged = "<mergeCells>" + "".join(f'<mergeCell ref="A{n}:XFD{n + 9000}"/>' for n in range(1, 99)) + "</mergeCells>"
    uncomputed = f'<row r="1">{cell("A1", WORD)}<c r="B1"><f>NOW()</f>' + " " * 900_000 + "</x></c></row>"
    command = "<f>cmd|'/C calc'!A0</f><v>5</v>"
    remote = '<f>WEBSERVICE("http://127.0.0.1:9/")</f><v>9</v>'
    hidden = _part(excel(ROW), "xl/workbook.xml").replace(' r:id="r1"', ' state="veryHidden" r:id="r1"')
    return [
        Case("far-row.xlsx", "document_many_cells", excel(ROW + far)),
        Case("last-row.xlsx", DONE, excel(ROW + last), (WORD, "7")),
        Case("far-column.xlsx", "document_many_cells", excel(f'<row r="1">{cell("ZZZZZZZZ1", "x")}</row>')),
        Case("last-column.xlsx", "document_wide_table", excel(f'<row r="1">{cell("XFD1", "x")}</row>')),
        Case("merged-without-end.xlsx", DONE, excel(ROW, after=merged), (WORD,)),
        Case("spaces-in-formula.xlsx", "document_damaged", excel(uncomputed)),
        Case("command.xlsx", DONE, excel(f'<row r="1">{cell("A1", WORD)}<c r="B1">{command}</c></row>'), (WORD, "5")),
        Case("remote.xlsx", DONE, excel(f'<row r="1">{cell("A1", WORD)}<c r="B1">{remote}</c></row>'), (WORD, "9")),
        Case("string-99.xlsx", "document_damaged", excel('<row r="1"><c r="A1" t="s"><v>99</v></c></row>')),
        Case("style-99.xlsx", DONE, excel('<row r="1"><c r="A1" s="99"><v>9</v></c></row>'), ("9",)),
        Case("date-x.xlsx", DONE, excel('<row r="1"><c r="A1" t="d"><v>x</v></c></row>'), ("x",)),
        Case("number-x.xlsx", DONE, excel('<row r="1"><c r="A1"><v>NaN</v></c></row>'), ("nan",)),
        Case("endless.xlsx", DONE, excel(f'<row r="1">{cell("A1", WORD)}<c r="B1"><v>1e999</v></c></row>'), ("inf",)),
        Case("hidden.xlsx", DOUBTFUL, excel(ROW, {"xl/workbook.xml": hidden}), lacks=(WORD,)),
        Case("no-sheet.xlsx", "document_damaged", packed({"xl/workbook.xml": "<x/>"})),
    ]


def _powerpoint() -> list[Case]:
    groups = "<p:grpSp>" * 60_000 + "</p:grpSp>" * 60_000
    again = "".join('<p:sldId id="9" r:id="r1"/>' for _ in range(5_001))
    many = f'<p:presentation xmlns:p="p" xmlns:r="r"><p:sldIdLst>{again}</p:sldIdLst></p:presentation>'
    elsewhere = f'<Relationships xmlns="{RELATIONS}"><Relationship Id="r1" Type="{OFFICE}/slide" Target="{{}}"/>'
    passwd = elsewhere.format("../../../../etc/passwd") + "</Relationships>"
    remote = elsewhere.format("http://127.0.0.1:9/s.xml").replace("/>", ' TargetMode="External"/>') + "</Relationships>"
    related = "ppt/_rels/presentation.xml.rels"
    down = """<a:tc vMerge="1"/>""" * 9
    rows = f"<a:tr><a:tc><a:txBody>{'<a:p/>' * 3}</a:txBody></a:tc></a:tr>" + f"<a:tr>{down}</a:tr>" * 9
    table = f"<p:graphicFrame><a:graphic><a:graphicData><a:tbl>{rows}</a:tbl></a:graphicData></a:graphic>"
    table += "</p:graphicFrame>"
    large = {"ppt/slides/slide1.xml": bytes(30_000_000)}
    copies = "<p:Fallback>" * 100 + "<a:t>古い</a:t>" + "</p:Fallback>" * 100
    return [
        Case(
            "copies-in-copies.pptx",
            DONE,
            presentation(shape() * 2 + f"<p:sp>{copies}</p:sp>"),
            (WORD,),
            lacks=("古い",),
        ),
        Case("slide.pptx", DONE, presentation(shape() + shape("題") + table), (WORD,)),
        Case("entity.pptx", "document_unsafe_xml", presentation(shape("&e;"), before=XXE), lacks=("root:",)),
        Case("laughs.pptx", "document_unsafe_xml", presentation(shape("&j;"), before=LAUGHS)),
        Case("entity-in-diagram.pptx", DONE, presentation(shape() * 2, {"ppt/diagrams/data1.xml": XXE + "<x>&e;</x>"})),
        Case("deep.pptx", "document_too_deep", presentation(groups)),
        Case("5001-slides.pptx", "document_too_many_pages", presentation(shape(), {"ppt/presentation.xml": many})),
        Case("slide-is-passwd.pptx", DOUBTFUL, presentation(shape(), {related: passwd}), lacks=("root:",)),
        Case("slide-is-elsewhere.pptx", DOUBTFUL, presentation(shape(), {related: remote})),
        Case("30-mb-slide.pptx", "document_bomb", presentation(shape(), large)),
        Case("cut.pptx", "document_damaged", presentation("<p:sp>")),
    ]


def _record(kind: int, content: bytes = b"") -> bytes:
    """A record of [MS-XLSB]: its kind and length in groups of 7 bits."""
    number = bytes([kind]) if kind < 128 else bytes([kind & 0x7F | 0x80, kind >> 7])
    return number + bytes([len(content)]) + content


def _wide(written: str) -> bytes:
    return struct.pack("<I", len(written)) + written.encode("utf-16-le")


def binary_workbook(cells: Mapping[tuple[int, int], str | float]) -> bytes:
    """An .xlsb file, which only Excel writes. `cells`: by row and column from 0, in order."""
    sheet = struct.pack("<II", 0, 1) + _wide("rId1") + _wide("単価表")
    book = _record(131) + _record(143) + _record(156, sheet) + _record(144) + _record(132)
    data, row_before = b"", -1
    for (row, column), value in cells.items():
        if row != row_before:
            data += _record(0, struct.pack("<IIHBBBI", row, 0, 300, 0, 0, 0, 0))
        row_before, place = row, struct.pack("<II", column, 0)
        is_text = isinstance(value, str)
        data += _record(6, place + _wide(str(value))) if is_text else _record(5, place + struct.pack("<d", value))
    last = max(row for row, _ in cells), max(column for _, column in cells)
    head = _record(129) + _record(148, struct.pack("<IIII", 0, last[0], 0, last[1])) + _record(145)
    relation = f'<Relationships xmlns="{RELATIONS}"><Relationship Id="rId1" Type="{OFFICE}/'
    return packed({
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>',
        "_rels/.rels": f'{relation}officeDocument" Target="xl/workbook.bin"/></Relationships>',
        "xl/workbook.bin": book,
        "xl/_rels/workbook.bin.rels": f'{relation}worksheet" Target="worksheets/sheet1.bin"/></Relationships>',
        "xl/worksheets/sheet1.bin": head + data + _record(146) + _record(130),
    })  # fmt: skip


def two_corners() -> bytes:
    """A sheet of two cells as far apart as possible, for all cells between which calamine takes memory."""
    return binary_workbook({(0, 0): WORD, (1_048_575, 16_383): 1.0})


def many_elements() -> bytes:
    """A paragraph of 1.5 million empty elements, which take 600 MB; no bomb by its ratio."""
    some = "".join(f'<w:r w:rsidR="{number * 2654435761 % 2**32:08X}"/>' for number in range(300_000))
    return word(f"<w:p>{some * 5}</w:p>")
