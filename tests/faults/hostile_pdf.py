"""PDF files that are damaged, loop, grow without end, are locked, or have no text (fault table S8)."""

import hashlib
import zlib

from tests.documents.reading.pdf_maker import Pdf, grid, picture, text
from tests.faults.hostile_documents import DONE, DOUBTFUL, Case

WORD = "堤体の安定を確かめる。"
PASSWORD_PAD = bytes.fromhex("28bf4e5e4e758a4164004e56fffa01082e2e00b6d0683e802f0ca9fe6453697a")


def cases() -> list[Case]:
    return [*_without_text(), *_damaged(), *_loops(), *_bombs(), *_locked(), *_odd_pages(), *_active()]


def _page(content: str = "", *, entries: str = "") -> Pdf:
    made = Pdf()
    made.page(content or text(60, 700, WORD), entries)
    return made


def _added(objects: dict[int, str | bytes], catalogue: str = "", trailer: str = "") -> bytes:
    """A sound page beside objects that are not."""
    made = _page()
    for number, body in objects.items():
        made.add(number, body)
    made.catalogue, made.trailer = catalogue, trailer
    return made.bytes()


def _without_text() -> list[Case]:
    scan, empty, mixed = Pdf(), Pdf(), Pdf()
    scan.page(picture())
    empty.page()
    mixed.page(text(60, 700, WORD))
    mixed.page(picture())
    unmapped = _page()
    unmapped.objects[4] = unmapped.objects[4].replace(b"/UniJIS-UTF16-H", b"/Identity-H")
    unmapped.objects[6] = unmapped.objects[6].replace(b"(Japan1)", b"(Identity)")
    return [
        Case("scan.pdf", DOUBTFUL, scan.bytes()),
        Case("empty-page.pdf", DOUBTFUL, empty.bytes()),
        Case("half-scan.pdf", DOUBTFUL, mixed.bytes(), (WORD,)),
        Case("no-pages.pdf", "document_damaged", Pdf().bytes()),
        Case("unmapped.pdf", DOUBTFUL, unmapped.bytes()),
        Case("invisible.pdf", DONE, _page("3 Tr " + text(60, 700, WORD)).bytes(), (WORD,)),
    ]


def _damaged() -> list[Case]:
    whole = _page().bytes()
    xref = whole.index(b"xref\n")
    return [
        Case("half.pdf", "document_damaged", whole[: len(whole) // 3]),
        Case("no-end.pdf", "document_damaged", whole[:xref]),
        Case("only-a-mark.pdf", "document_damaged", b"%PDF-1.7\n"),
        Case("rubbish.pdf", "document_damaged", b"%PDF-1.7\n" + bytes(range(256)) * 400),
        Case("mail-before.pdf", DONE, b"From: x\r\n\r\n" * 20 + whole, (WORD,)),
        Case("wrong-xref.pdf", DONE, whole.replace(b"startxref\n", b"startxref\n9"), (WORD,)),
        Case("shifted-xref.pdf", DONE, whole[:xref] + whole[xref:].replace(b"0000000", b"0000009"), (WORD,)),
        Case("nul-middle.pdf", "document_damaged", whole[:200] + bytes(len(whole))),
        Case("page-is-null.pdf", DOUBTFUL, _page().bytes(kids="99 0 R", count=1)),
        Case("no-catalogue.pdf", DONE, whole.replace(b"/Catalog", b"/Catalxx"), (WORD,)),
        Case("length-lies.pdf", DONE, whole.replace(b"/Length ", b"/Length 9"), (WORD,)),
        Case("web-page.pdf", DONE, "<!DOCTYPE html><html><p>ログインしてください</p>".encode(), ("ログイン",)),
        Case("pointer.pdf", DONE, b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", ("git-lfs",)),
    ]


def _loops() -> list[Case]:
    form = "<< /Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /F 50 0 R >> >> /Length 5 >>"
    outlines = "<< /Type /Outlines /First 61 0 R /Last 61 0 R /Count 1 >>"
    outline = "<< /Title (x) /Parent 60 0 R /Next 61 0 R /First 61 0 R /Last 61 0 R >>"
    names = "/Names << /Dests 60 0 R >>"
    deep = Pdf()
    for level in range(3000):
        deep.add(100 + level, f"<< /Type /Pages /Kids [{101 + level} 0 R] /Count 1 /Parent {99 + level} 0 R >>")
    whole = _page().bytes()
    return [
        Case("pages-in-a-circle.pdf", DOUBTFUL, _page().bytes(kids="2 0 R", count=3)),
        Case("own-parent.pdf", DONE, whole.replace(b"/Parent 2 0 R", b"/Parent 10 0 R"), (WORD,)),
        Case("same-page-300-times.pdf", DONE, _page().bytes(kids="10 0 R " * 300, count=300), (WORD,)),
        Case("deep-tree.pdf", DOUBTFUL, deep.bytes(kids="100 0 R", count=1)),
        Case("form-in-itself.pdf", DONE, _with_form(f"{form}\nstream\n/F Do\nendstream"), (WORD,)),
        Case("outline-in-a-circle.pdf", DONE, _added({60: outlines, 61: outline}, "/Outlines 60 0 R"), (WORD,)),
        Case("contents-in-a-circle.pdf", DOUBTFUL, whole.replace(b"/Contents 9 0 R", b"/Contents 10 0 R")),
        Case("length-in-a-circle.pdf", DONE, whole.replace(b"/Length 7", b"/Length 9 0 R /X 7"), (WORD,)),
        Case("older-version-is-itself.pdf", DONE, _prev_is_itself(), (WORD,)),
        Case("font-in-itself.pdf", DONE, _added({6: "<< /Type /Font /DescendantFonts [6 0 R] >>"})),
        Case("names-in-a-circle.pdf", DONE, _added({60: "<< /Kids [60 0 R] >>"}, names), (WORD,)),
    ]


def _with_form(form: str) -> bytes:
    made = Pdf()
    made.add(50, form)
    made.page(text(60, 700, WORD) + "/F Do", "/Resources << /Font << /J 4 0 R >> /XObject << /F 50 0 R >> >>")
    return made.bytes()


def _prev_is_itself() -> bytes:
    whole = _page().bytes()
    return whole.replace(b"/Root 1 0 R", b"/Root 1 0 R /Prev %d" % whole.index(b"xref\n"))


def _bombs() -> list[Case]:
    zeros = zlib.compress(bytes(200_000_000), 1)
    picture_of = (
        "/Type /XObject /Subtype /Image /Width 100000 /Height 100000 /ColorSpace /DeviceRGB /BitsPerComponent 16"
        " /Filter /FlateDecode"
    )
    large = Pdf()
    number = large.stream(zlib.compress(bytes(5_000_000)), picture_of)
    resources = f"/Resources << /Font << /J 4 0 R >> /XObject << /I {number} 0 R >> >>"
    large.page(text(60, 700, WORD) + "/I Do", resources)
    crowd = "".join(text(x, y, "字", 1) for x in range(0, 590, 3) for y in range(0, 840, 10))
    lines = text(60, 820, WORD) + grid(range(590), range(0, 800, 9))
    title = b"<< /Title (" + b"x" * 3_000_000 + b") >>"
    return [
        Case("content-200-mb.pdf", DOUBTFUL, _filtered(zeros, "/FlateDecode")),
        Case("content-twice-packed.pdf", DOUBTFUL, _filtered(zlib.compress(zeros, 9), "[/FlateDecode /FlateDecode]")),
        Case("thousand-filters.pdf", DOUBTFUL, _filtered(b"00" * 2000, "[" + "/ASCIIHexDecode " * 1000 + "]")),
        Case("laughs.pdf", DONE, laughing(4), ("笑",)),
        Case("huge-picture.pdf", DONE, large.bytes(), (WORD,)),
        Case("16000-letters.pdf", DONE, _page(crowd).bytes(), ("字",)),
        Case("680-lines.pdf", DONE, _page(lines).bytes(), (WORD,)),
        Case("6000-pages.pdf", "document_too_many_pages", _many_pages(6000)),
        Case("billion-pages.pdf", DONE, _page().bytes(count=2_000_000_000), (WORD,)),
        Case("minus-one-page.pdf", DONE, _page().bytes(count=-1), (WORD,)),
        Case("deep-arrays.pdf", DONE, _added({60: "[" * 50_000 + "]" * 50_000}), (WORD,)),
        Case("deep-dictionaries.pdf", DONE, _page(entries="/X " + "<< /A " * 20_000 + "0" + ">>" * 20_000).bytes()),
        Case("huge-title.pdf", DONE, _added({60: title}, trailer="/Info 60 0 R"), (WORD,)),
    ]


def laughing(levels: int) -> bytes:
    """A form that draws another ten times, which draws another ten times …: 10 ** levels letters."""
    made = Pdf()
    for level in range(levels + 1):
        draw = (text(9, 9, "笑") if level == levels else "/F Do " * 10).encode()
        resources = f"<< /Font << /J 4 0 R >> /XObject << /F {51 + level} 0 R >> >>"
        head = f"<< /Type /XObject /Subtype /Form /BBox [0 0 999 999] /Resources {resources} /Length {len(draw)} >>"
        made.add(50 + level, head.encode() + b"\nstream\n" + draw + b"\nendstream")
    made.page("/F Do", "/Resources << /XObject << /F 50 0 R >> >>")
    return made.bytes()


def _filtered(data: bytes, filters: str) -> bytes:
    made = Pdf()
    made.page(data, stream_entries=f"/Filter {filters}")
    return made.bytes()


def _many_pages(count: int) -> bytes:
    made = Pdf()
    number = made.page(text(60, 700, WORD))
    body = made.objects[number]
    for _ in range(count - 1):
        made.pages.append(made.add(made.free() if len(made.pages) < 2 else made.pages[-1] + 1, body))
    return made.bytes()


def _locked() -> list[Case]:
    other = _added({60: "<< /Filter /Other /V 9 >>"}, trailer="/Encrypt 60 0 R")
    return [
        Case("password.pdf", "document_protected", _encrypted(b"secret")),
        Case("owner-password.pdf", DONE, _encrypted(b""), ("check the dam",)),
        Case("unknown-lock.pdf", "document_protected", other),
    ]


def _encrypted(user: bytes) -> bytes:
    """With the standard handler, revision 2: RC4 of 40 bits."""
    made = Pdf()
    content = text(60, 700, "check the dam", font="L").encode()
    page_number = made.page(content)
    padded = (user + PASSWORD_PAD)[:32]
    owner = _rc4(hashlib.md5(b"owner" + PASSWORD_PAD[:27]).digest()[:5], padded)
    key = hashlib.md5(padded + owner + b"\xfc\xff\xff\xff" + b"0123456789abcdef").digest()[:5]
    stream = page_number - 1
    own_key = hashlib.md5(key + stream.to_bytes(3, "little") + b"\0\0").digest()[:10]
    made.objects[stream] = made.objects[stream].replace(content, _rc4(own_key, content))
    made.add(
        60,
        f"<< /Filter /Standard /V 1 /R 2 /P -4 /O <{owner.hex()}> /U <{_rc4(key, PASSWORD_PAD).hex()}> >>",
    )
    made.trailer = f"/Encrypt 60 0 R /ID [<{b'0123456789abcdef'.hex()}> <{b'0123456789abcdef'.hex()}>]"
    return made.bytes()


def _rc4(key: bytes, data: bytes) -> bytes:
    state, j = list(range(256)), 0
    for i in range(256):
        j = (j + state[i] + key[i % len(key)]) % 256
        state[i], state[j] = state[j], state[i]
    out, i, j = bytearray(), 0, 0
    for byte in data:
        i = (i + 1) % 256
        j = (j + state[i]) % 256
        state[i], state[j] = state[j], state[i]
        out.append(byte ^ state[(state[i] + state[j]) % 256])
    return bytes(out)


def _odd_pages() -> list[Case]:
    boxes = {"vast": "0 0 1e30 1e30", "none": "0 0 0 0", "turned": "900 900 -900 -900", "words": "a b c d"}
    found = [
        Case(f"box-{name}.pdf", DONE, _page().bytes().replace(b"[0 0 595 842]", f"[{box}]".encode()), (WORD,))
        for name, box in boxes.items()
    ]
    return [
        *found,
        Case("turned-by-45.pdf", DONE, _page(entries="/Rotate 45").bytes(), (WORD,)),
        Case("letters-of-size-0.pdf", DOUBTFUL, _page(text(60, 700, WORD, 0)).bytes()),
        Case("letters-of-size-1e9.pdf", DOUBTFUL, _page(text(60, 700, WORD, 1e9)).bytes()),
        Case("far-away.pdf", DOUBTFUL, _page(text(1e20, -1e20, WORD)).bytes()),
        Case("unknown-orders.pdf", DONE, _page("xx yy " + text(60, 700, WORD) + " Q Q Q Q EI").bytes()),
        Case("no-font.pdf", DONE, _page(entries="/Resources << >>").bytes()),
    ]


def _active() -> list[Case]:
    """Nothing of this is run or opened: there is no engine for it in the reader."""
    acts = {
        "script": "<< /S /JavaScript /JS (while (true) {}) >>",
        "launch": "<< /S /Launch /F (/bin/sh) /Win << /F (cmd.exe) >> >>",
        "address": "<< /S /URI /URI (http://127.0.0.1:9/) >>",
        "submit": "<< /S /SubmitForm /F (http://127.0.0.1:9/) >>",
        "other-file": "<< /S /GoToR /F (//127.0.0.1/share/x.pdf) >>",
    }
    attachment: dict[int, str | bytes] = {
        60: "<< /Names [(evil.exe) 61 0 R] >>",
        61: "<< /Type /Filespec /F (../../evil.exe) /EF << /F 62 0 R >> >>",
        62: "<< /Type /EmbeddedFile /Length 2 >>\nstream\nMZ\nendstream",
    }
    xml = '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>'
    form = f"<< /Length {len(xml)} >>\nstream\n{xml}\nendstream"
    return [
        *(Case(f"opens-{name}.pdf", DONE, _added({}, f"/OpenAction {act}"), (WORD,)) for name, act in acts.items()),
        Case("attachment.pdf", DONE, _added(attachment, "/Names << /EmbeddedFiles 60 0 R >>"), (WORD,)),
        Case("xml-form.pdf", DONE, _added({60: form}, "/AcroForm << /XFA 60 0 R /Fields [] >>"), (WORD,), ("root:",)),
    ]
