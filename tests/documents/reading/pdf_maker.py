"""PDF files for tests, written by hand: Japanese without an embedded font, outlines, rules, pictures, and damage.

Coordinates are PDF's own: points from the lower left corner.
"""

from collections.abc import Sequence
from pathlib import Path

A4 = (595, 842)


def text(x: float, y: float, written: str, size: float = 10, *, font: str = "J") -> str:
    """A line at (x, y). `font`: J Japanese, V the same downward, L Latin."""
    if font == "L":
        escaped = written.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
        return f"BT /L {size} Tf 1 0 0 1 {x} {y} Tm ({escaped}) Tj ET\n"
    return f"BT /{font} {size} Tf 1 0 0 1 {x} {y} Tm <{written.encode('utf-16-be').hex()}> Tj ET\n"


def rule(x0: float, y0: float, x1: float, y1: float) -> str:
    return f"0.5 w {x0} {y0} m {x1} {y1} l S\n"


def grid(xs: Sequence[float], ys: Sequence[float]) -> str:
    """All lines of a table."""
    across = [rule(xs[0], y, xs[-1], y) for y in ys]
    return "".join(across + [rule(x, ys[0], x, ys[-1]) for x in xs])


def picture(width: float = 595, height: float = 842) -> str:
    """A scan: an image over the whole page."""
    return f"q {width} 0 0 {height} 0 0 cm BI /W 2 /H 2 /CS /G /BPC 8 ID \x00\x7f\x7f\x00 EI Q\n"


class Pdf:
    """Objects by number; 1 is the catalogue and 2 the tree of pages."""

    def __init__(self, size: tuple[float, float] = A4, rotate: int = 0) -> None:
        self.objects: dict[int, bytes] = {}
        self.pages: list[int] = []
        self.size, self.rotate = size, rotate
        self.catalogue = ""
        self.trailer = ""
        self.add(3, "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>")
        for number, way in ((4, "H"), (5, "V")):
            self.add(
                number,
                f"<< /Type /Font /Subtype /Type0 /BaseFont /Koz{way} /Encoding /UniJIS-UTF16-{way}"
                f" /DescendantFonts [{number + 2} 0 R] >>",
            )
            self.add(
                number + 2,
                "<< /Type /Font /Subtype /CIDFontType0 /BaseFont /KozMinPr6N-Regular /DW 1000"
                " /CIDSystemInfo << /Registry (Adobe) /Ordering (Japan1) /Supplement 6 >>"
                f" /FontDescriptor {8} 0 R >>",
            )
        self.add(
            8,
            "<< /Type /FontDescriptor /FontName /KozMinPr6N-Regular /Flags 4 /FontBBox [0 -120 1000 880]"
            " /ItalicAngle 0 /Ascent 880 /Descent -120 /CapHeight 700 /StemV 80 >>",
        )

    def add(self, number: int, body: str | bytes) -> int:
        self.objects[number] = body.encode("latin-1") if isinstance(body, str) else body
        return number

    def free(self) -> int:
        return max(self.objects) + 1

    def stream(self, data: bytes, entries: str = "") -> int:
        head = f"<< /Length {len(data)} {entries} >>\nstream\n".encode("latin-1")
        return self.add(self.free(), head + data + b"\nendstream")

    def page(self, content: str | bytes = "", entries: str = "", *, stream_entries: str = "") -> int:
        """Gives the page's object number."""
        data = content.encode("latin-1") if isinstance(content, str) else content
        contents = self.stream(data, stream_entries)
        width, height = self.size
        turned = f"/Rotate {self.rotate}" if self.rotate else ""
        number = self.add(
            self.free(),
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {width} {height}] {turned} /Contents {contents} 0 R"
            f" /Resources << /Font << /L 3 0 R /J 4 0 R /V 5 0 R >> >> {entries} >>",
        )
        self.pages.append(number)
        return number

    def outline(self, entries: Sequence[tuple[str, int]]) -> None:
        """One level of (title, index of the page), after all pages."""
        root = self.free()
        self.add(
            root, f"<< /Type /Outlines /First {root + 1} 0 R /Last {root + len(entries)} 0 R /Count {len(entries)} >>"
        )
        for place, (title, index) in enumerate(entries, start=1):
            hexed = ("\ufeff" + title).encode("utf-16-be").hex()
            others = (f" /Next {root + place + 1} 0 R" if place < len(entries) else "") + (
                f" /Prev {root + place - 1} 0 R" if place > 1 else ""
            )
            self.add(
                root + place, f"<< /Title <{hexed}> /Parent {root} 0 R{others} /Dest [{self.pages[index]} 0 R /Fit] >>"
            )
        self.catalogue += f" /Outlines {root} 0 R"

    def bytes(self, *, count: int | None = None, kids: str | None = None) -> bytes:
        children = kids if kids is not None else " ".join(f"{page} 0 R" for page in self.pages)
        self.objects.setdefault(
            2, f"<< /Type /Pages /Kids [{children}] /Count {len(self.pages) if count is None else count} >>".encode()
        )
        self.objects.setdefault(1, f"<< /Type /Catalog /Pages 2 0 R {self.catalogue} >>".encode("latin-1"))
        out = bytearray(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
        places: dict[int, int] = {}
        for number in sorted(self.objects):
            places[number] = len(out)
            out += b"%d 0 obj\n" % number + self.objects[number] + b"\nendobj\n"
        start = len(out)
        out += b"xref\n0 %d\n0000000000 65535 f \n" % (max(places) + 1)
        for number in range(1, max(places) + 1):
            out += b"%010d 00000 %s \n" % (places.get(number, 0), b"n" if number in places else b"f")
        trailer = f"trailer\n<< /Size {max(places) + 1} /Root 1 0 R {self.trailer} >>\nstartxref\n{start}\n%%EOF\n"
        return bytes(out) + trailer.encode("latin-1")

    def write(self, path: Path) -> Path:
        path.write_bytes(self.bytes())
        return path
