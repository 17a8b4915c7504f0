"""Characters that nobody sees: which they are, what is left of a text, and what stays because it is part of a sign."""

import io
import random
import re
import subprocess
import sys
import time
import unicodedata
from pathlib import Path

import pytest

from app.base import invisible_characters

ROOT = Path(__file__).parents[2]
# Of Unicode's format characters those that are seen: numbers' and verses' signs of Arabic, Syriac and Kaithi, and the
# controls of hieroglyphs, which the property Default_Ignorable_Code_Point leaves out.
SEEN_FORMATS = re.compile("[\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd\U00013430-\U0001343f]")
SIGNS = {
    "a family": "👨‍👩‍👧‍👦",
    "a heart in colour": "❤️",
    "a telephone without colour": "☎︎",
    "a key cap": "1️⃣",
    "a flag of tags": "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "a flag of a rainbow": "🏳️‍🌈",
    "a tone of skin": "👩🏽‍🚀",
    "a form of an ideograph": "葛\U000e0100飾区と辻\U000e0101",
    "Persian": "می\u200cخواهم",
    "Hindi": "क्\u200dष",
    "Mongolian": "ᠠ\u180b",
}
HIDDEN = {
    "tags": "\U000e0041\U000e0042",
    "a language tag": "\U000e0001",
    "a mark of Arabic": "\u061c",
    "a zero width space": "\u200b",
    "a joiner between digits": "\u200d",
    "a non-joiner": "\u200c",
    "left to right": "\u200e",
    "an override": "\u202e",
    "an isolate": "\u2067",
    "the end of one": "\u2069",
    "a word joiner": "\u2060",
    "an invisible plus": "\u2064",
    "a deprecated format": "\u206f",
    "a soft hyphen": "\u00ad",
    "a grapheme joiner": "\u034f",
    "a selector": "\ufe0f",
    "a selector of the supplement": "\U000e0100",
    "a byte order mark": "\ufeff",
    "Hangul fillers": "\u115f\u1160\u3164\uffa0",
    "Khmer vowels": "\u17b4\u17b5",
    "a separator of Mongolian": "\u180e",
    "interlinear notes": "\ufff9\ufffa\ufffb",
    "music": "\U0001d173\U0001d17a",
    "shorthand": "\U0001bca0",
    "controls": "\0\x07\x08\x1b\x7f\x9b",
    "noncharacters": "\ufdd0\uffff\U0010fffe",
    "what is not assigned yet": "\U000e0fff\ufff0",
}


def test_every_control_and_format_character_of_unicode_is_one_of_them_or_is_seen() -> None:
    for code in range(sys.maxunicode + 1):
        sign, category = chr(code), unicodedata.category(chr(code))
        is_wanted = category in ("Cc", "Cf", "Zl", "Zp") and sign not in "\t\n" and not SEEN_FORMATS.match(sign)
        is_selector = "VARIATION SELECTOR" in unicodedata.name(sign, "")
        if is_wanted or is_selector:
            assert invisible_characters.find_places(f"a{sign}b") == [1], hex(code)
        elif category[0] in "LNPSZ" and category not in ("Zl", "Zp") and "FILLER" not in unicodedata.name(sign, ""):
            assert invisible_characters.find_places(f"a{sign}b") == [] or sign == "\ufffc", hex(code)


@pytest.mark.parametrize("hidden", HIDDEN.values(), ids=HIDDEN)
def test_what_nobody_sees_is_taken_out_and_counted(hidden: str) -> None:
    assert invisible_characters.remove_and_count(f"1{hidden}0日") == ("10日", len(hidden))
    assert not invisible_characters.is_single_line(f"1{hidden}0日")


@pytest.mark.parametrize("sign", SIGNS.values(), ids=SIGNS)
def test_what_is_part_of_a_sign_stays(sign: str) -> None:
    assert invisible_characters.remove_and_count(sign) == (sign, 0)
    assert invisible_characters.spell_out(sign) == sign
    assert invisible_characters.is_single_line(sign)


def test_ends_of_lines_become_one_kind_and_signs_without_ink_spaces() -> None:
    assert invisible_characters.remove("a\r\nb\rc\x0bd\x0ce\x85f\u2028g\u2029h\ti") == "a\nb\nc\nd\ne\nf\ng\nh\ti"
    assert invisible_characters.remove("a\u2800b\U0001d159c") == "a b c"
    assert invisible_characters.to_single_line(" a\r\n\u202eb　c ") == "a b c"


def test_the_form_of_an_ideograph_is_left_out_only_where_text_is_found_or_read() -> None:
    assert invisible_characters.to_plain_text("葛\U000e0100飾区") == "葛飾区"


def test_controls_are_spelled_out_for_a_terminal() -> None:
    assert invisible_characters.spell_out("a\x1b[2J\u202eb\x9b\rc\r\nd\te\x7f") == "a␛[2J‹U+202E›b‹U+009B›␍c\nd\te␡"
    assert invisible_characters.escape_json('"\u202e\U000e0041\x7f"') == r'"\u202e\udb40\udc41\u007f"'


def texts(count: int) -> list[str]:
    """Made of all that matters to each other, always the same ones."""
    chance = random.Random(7)
    pieces = [
        *SIGNS.values(),
        *"".join(HIDDEN.values()),
        "1",
        "日",
        "a",
        "م",
        "क्",
        "👩",
        "\r",
        "\n",
        "\u2028",
        "\u20e3",
        "🏴",
    ]
    return ["".join(chance.choices(pieces, k=chance.randint(1, 12))) for _ in range(count)]


def test_nothing_is_left_for_another_call() -> None:
    for text in texts(5_000):
        left = invisible_characters.remove(text)
        assert invisible_characters.remove(left) == left, ascii(text)
        assert invisible_characters.find_places(left) == [], ascii(text)


def test_a_text_in_pieces_is_the_same_however_it_is_cut() -> None:
    chance = random.Random(11)
    for text in texts(5_000):
        stream, shown, at = invisible_characters.StreamFilter(), "", 0
        while at < len(text):
            step = chance.randint(1, 4)
            shown += stream.push(text[at : at + step])
            at += step
        assert shown + stream.flush() == invisible_characters.remove(text), ascii(text)


def test_what_never_ends_is_not_kept() -> None:
    stream, started = invisible_characters.StreamFilter(), time.process_time()
    for _ in range(20_000):
        assert stream.push("\u200b\u2060") == ""
    assert (stream.push("終"), stream.flush()) == ("終", "")
    assert time.process_time() - started < 5


def test_a_terminal_shows_signs_that_are_written_in_pieces_and_obeys_only_the_program() -> None:
    raw = io.BytesIO()
    terminal = invisible_characters.SafeTerminal(raw, "utf-8", "backslashreplace", "\n", write_through=True)
    for piece in ("👩", "\u200d🚀", "\x1b[2J", "\udcff", "\n"):
        terminal.write(piece)
    terminal.write_control("\r\x1b[K")
    assert raw.getvalue().decode() == "👩\u200d🚀␛[2J\\udcff\n\r\x1b[K"


def test_whatever_a_process_of_the_program_prints_is_spelled_out(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "app", "--data-dir", str(tmp_path), "docs", "search", "資\x1b[2J\u202e料", "語"]
    done = subprocess.run(command, capture_output=True, cwd=ROOT, timeout=60, encoding="utf-8")
    assert done.returncode == 3
    assert "資␛[2J‹U+202E›料" in done.stderr
    assert not re.search("[\x1b\u202e]", done.stdout + done.stderr)
