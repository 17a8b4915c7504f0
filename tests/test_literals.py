"""Words for people stand where they can be translated: in `ui` folders and resources, never amid the code."""

import ast
import re
import string
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
JAPANESE = re.compile(r"[\u3040-\u30fa\u30fc-\u30ff\u3400-\u9fff]")
# These are words of the window that happen to be needed where it is put together.
WINDOW = (*sorted((ROOT / "app").glob("*/ui")), ROOT / "app/uikit", ROOT / "app/application.py")
# What reads Japanese documents and data knows how they are written. Nothing there is shown: none of it is a sentence.
READS = tuple(
    ROOT / "app" / place
    for place in (
        "base/tables", "documents", "documents/grounding", "documents/values", "documents/retrieval",
        "documents/reading", "documents/reading/pdf", "training/data", "evaluation", "evaluation/judge",
        "evaluation/study", "evaluation/report",
    )
)  # fmt: skip
UNTRANSLATED = {
    "日本語",  # the name of the language, in the language
    "あ",  # measures
    "あ…",
}


def code_files() -> list[Path]:
    return sorted(path for folder in ("app", "trainer") for path in (ROOT / folder).rglob("*.py"))


def is_of_window(path: Path) -> bool:
    return any(path == place or place in path.parents for place in WINDOW)


def is_pattern(path: Path, text: str) -> bool:
    return path.parent in READS and not text.endswith(("。", "ください", "か"))


def literals(source: str) -> Iterator[tuple[int, str, bool]]:
    """Line, text, and whether it is handed to `tr` or `translate`, of each string with Japanese but docstrings.

    Ranges of characters, written as escapes, are no words.
    """
    tree, lines = ast.parse(source), source.splitlines()
    documentation = {id(node) for node in docstrings(tree)}
    translated = {id(node) for call in ast.walk(tree) if is_translation(call) for node in ast.walk(call)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or id(node) in documentation:
            continue
        written = "\n".join(lines[node.lineno - 1 : node.end_lineno])
        if JAPANESE.search(node.value) and JAPANESE.search(written):
            yield node.lineno, node.value, id(node) in translated


def docstrings(tree: ast.AST) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            yield from (statement.value for statement in body if isinstance(statement, ast.Expr))


def is_translation(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    return name in ("tr", "translate")


def stray(path: Path, source: str) -> list[str]:
    """Japanese of `path` that nobody could translate."""
    return [
        f"{path.relative_to(ROOT)}:{line} {text!r}"
        for line, text, is_translated in literals(source)
        if not (is_of_window(path) and (is_translated or text in UNTRANSLATED)) and not is_pattern(path, text)
    ]


def test_japanese_stands_only_in_the_window_and_there_in_tr() -> None:
    files = code_files()
    assert len(files) > 100
    found = [line for path in files for line in stray(path, path.read_text("utf-8"))]
    assert found == [], "words belong in self.tr() in a room's ui, or in resources"


@pytest.mark.parametrize(
    ("place", "source", "count"),
    [
        ("app/base/x.py", '"""日本語の説明"""\nx = "ascii"', 0),
        ("app/base/x.py", 'raise AppError("x", reason="読めません")', 1),
        ("app/chat/services/x.py", 'translate("X", "読めません")', 1),
        ("app/chat/ui/x.py", 'self.tr("読め" "ません")', 0),
        ("app/chat/ui/x.py", 'Label("読めません")', 1),
        ("app/chat/ui/x.py", 'Label(f"{n} 件")', 1),
        ("app/chat/ui/x.py", 'self.tr("{n} 件").format(n=3)', 0),
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
    assert len(stray(ROOT / place, source)) == count


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


RESOURCES = sorted((ROOT / "resources").glob("*.toml"))
PAIRS = [
    (f"{path.stem}{place}", japanese, english)
    for path in RESOURCES
    for place, japanese, english in bilingual(tomllib.loads(path.read_text("utf-8")))
]


def test_resources_have_pairs() -> None:
    assert len(PAIRS) > 150


@pytest.mark.parametrize(("japanese", "english"), [pair[1:] for pair in PAIRS], ids=[pair[0] for pair in PAIRS])
def test_every_japanese_text_of_the_resources_has_its_english(japanese: str, english: str) -> None:
    assert english
    assert fields(english) == fields(japanese)


def fields(text: str) -> set[str]:
    """The names in braces."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
