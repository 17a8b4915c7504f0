"""Words for people stand in `resources/wording`, in both languages, and never amid the code; each is used."""

import ast
import functools
import re
import string
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sources import ROOT, Source, sources

JAPANESE = re.compile(r"[\u3040-\u30fa\u30fc-\u30ff\u3400-\u9fff]")
# These are words of the window that happen to be needed where it is put together.
WINDOW = (*sorted((ROOT / "app").glob("*/ui")), ROOT / "app/uikit", ROOT / "app/application.py")
# What reads Japanese documents and data knows how they are written. Nothing there is shown: none of it is a sentence.
READS = tuple(
    ROOT / "app" / place
    for place in (
        "base/tables", "documents", "documents/grounding", "documents/values", "documents/retrieval",
        "documents/overview", "documents/reading", "documents/reading/pdf", "training/data", "evaluation",
        "evaluation/judge", "evaluation/study", "evaluation/report",
    )
)  # fmt: skip
# Japanese that English sentences quote.
QUOTED = ("資料にありません", "言語", "日本語", "質問", "はい", "いいえ", "日本の首都は", "採用")
UNTRANSLATED = {
    "日本語",  # the name of the language, in the language
    "あ",  # measures
    "あ…",
}


def is_of_window(path: Path) -> bool:
    return any(path == place or place in path.parents for place in WINDOW)


def is_pattern(path: Path, text: str) -> bool:
    return path.parent in READS and not text.endswith(("。", "ください", "か"))


def literals(source: Source) -> Iterator[tuple[int, str]]:
    """Yield line and text of each string with Japanese but docstrings. Ranges written as escapes are no Japanese."""
    lines = source.text.splitlines()
    documentation = {id(node) for node in docstrings(source)}
    for node in source.nodes:
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or id(node) in documentation:
            continue
        written = "\n".join(lines[node.lineno - 1 : node.end_lineno])
        if JAPANESE.search(node.value) and JAPANESE.search(written):
            yield node.lineno, node.value


def docstrings(source: Source) -> Iterator[ast.expr]:
    for node in source.nodes:
        body = getattr(node, "body", None)
        if isinstance(body, list):
            yield from (statement.value for statement in body if isinstance(statement, ast.Expr))


def stray(source: Source) -> list[str]:
    """Japanese of a file that nobody could translate."""
    path = ROOT / source.path
    return [
        f"{source.path}:{line} {text!r}"
        for line, text in literals(source)
        if not (is_of_window(path) and text in UNTRANSLATED) and not is_pattern(path, text)
    ]


def test_japanese_stands_in_resources_only() -> None:
    files = list(sources("app", "trainer"))
    assert len(files) > 100
    found = [line for source in files for line in stray(source)]
    assert found == [], "words belong into resources/wording"


@pytest.mark.parametrize(
    ("place", "source", "count"),
    [
        ("app/base/x.py", '"""日本語の説明"""\nx = "ascii"', 0),
        ("app/base/x.py", 'raise AppError("x", reason="読めません")', 1),
        ("app/chat/ui/x.py", 'Label("読めません")', 1),
        ("app/chat/ui/x.py", 'Label(f"{n} 件")', 1),
        ("trainer/x.py", "x = 'エラー'", 1),
        ("app/base/x.py", r'x = "[\u3041-\u3096]"', 0),
        ("app/documents/x.py", "x = re.compile('第.章')", 0),
        ("app/documents/x.py", "x = '読めません。'", 1),
        ("app/training/data/x.py", "x = '質問|回答'", 0),
        ("app/evaluation/x.py", "x = '第.章'", 0),
        ("app/evaluation/x.py", "x = '採点してください'", 1),
    ],
)
def test_a_stray_word_is_found(place: str, source: str, count: int) -> None:
    assert len(stray(Source(place, source))) == count


def bilingual(document: object, path: str = "") -> Iterator[tuple[str, str, str]]:
    """Path, Japanese and English of each pair `ja`/`en` or `x_ja`/`x_en` (or `ja_x`/`en_x`) below a TOML document."""
    if isinstance(document, list):
        for number, entry in enumerate(document):
            yield from bilingual(entry, f"{path}[{number}]")
    if not isinstance(document, dict):
        return
    for key, value in document.items():
        if isinstance(value, str) and re.search(r"(^|_)ja(_|$)", key):
            yield f"{path}.{key}", value, document.get(re.sub(r"(^|_)ja(_|$)", r"\1en\2", key), "")
        else:
            yield from bilingual(value, f"{path}.{key}")


WORDING = sorted((ROOT / "resources/wording").glob("*.toml"))
WITHOUT_KEYS = {"errors", "help", "system", "qt"}  # these are looked up by codes, options and Qt's own words


@functools.cache
def pairs() -> list[tuple[str, str, str]]:
    """Return the place, Japanese and English of each pair of the resources."""
    return [
        (f"{path.stem}{place}", japanese, english)
        for path in (*sorted((ROOT / "resources").glob("*.toml")), *WORDING)
        for place, japanese, english in bilingual(tomllib.loads(path.read_text("utf-8")))
    ]


def test_every_japanese_text_of_the_resources_has_its_english() -> None:
    assert len(pairs()) > 3500
    wrong = [place for place, japanese, english in pairs() if not english or fields(english) != fields(japanese)]
    assert wrong == []


def test_the_english_holds_no_japanese() -> None:
    found = [(place, english) for place, _, english in pairs() if JAPANESE.search(english)]
    assert [(place, text) for place, text in found if not any(word in text for word in QUOTED)] == []


def keys() -> Iterator[str]:
    """Every "room.key" and "room.group.member" of the texts."""
    for path in WORDING:
        if path.stem not in WITHOUT_KEYS:
            for key, entry in tomllib.loads(path.read_text("utf-8")).items():
                yield from [f"{path.stem}.{key}"] if "ja" in entry else [f"{path.stem}.{key}.{name}" for name in entry]


def used_keys() -> tuple[set[str], set[str], set[str]]:
    """Return the strings that may be keys, those of them that are looked up, and the beginnings of composed ones."""
    rooms = "|".join(path.stem for path in WORDING if path.stem not in WITHOUT_KEYS)
    key = re.compile(rf"({rooms})\.[a-z0-9_]+[\w.-]*")
    whole, asked, beginnings = set(), set(), set()
    for path in sorted((ROOT / "resources/report").glob("*.html")):
        for name, is_composed in re.findall(r'phrase\("([^"]+)"( ~)?', path.read_text("utf-8")):
            (beginnings if is_composed else asked).add(name)
    for source in sources("app", "trainer"):
        parts = {id(part) for node in source.nodes if isinstance(node, ast.JoinedStr) for part in node.values}
        calls = [node for node in source.nodes if isinstance(node, ast.Call) and node.args and is_lookup(node.func)]
        looked_up = {id(node) for call in calls for node in ast.walk(call.args[0])}
        for node in source.nodes:
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and key.fullmatch(node.value):
                (beginnings if id(node) in parts else asked if id(node) in looked_up else whole).add(node.value)
    return whole | asked, asked, beginnings


def is_lookup(function: ast.expr) -> bool:
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name in ("phrase", "phrase_or", "phrases", "note", "progress")


def test_every_text_is_used_and_every_key_has_its_text() -> None:
    known, (whole, asked, beginnings) = set(keys()), used_keys()
    beginnings.add("training.job_")  # resources/training_job/watch.py, without the room
    assert {one for one in known - whole if not one.startswith(tuple(beginnings))} == set(), "delete what nobody shows"
    assert asked - known == set(), "write their Japanese and English into resources/wording"
    assert {one for one in beginnings if not any(key.startswith(one) for key in known)} == set()
    assert {one for one in beginnings if not one.endswith(".")} == {"training.job_"}, (
        "compose keys at a dot: family.member"
    )


def fields(text: str) -> set[str]:
    """The names in braces."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
