"""Every error has a sentence and a next step, in both languages."""

import errno
import itertools
import os
import re
import tomllib
from pathlib import Path

import pytest

from app.base import paths, wording

SOURCES = [path for folder in ("app", "trainer") for path in Path(folder).rglob("*.py")]


def test_every_code_that_is_raised_has_a_sentence() -> None:
    raised = set()
    for path in SOURCES:
        raised |= set(
            re.findall(r'(?:AppError|Failed)\(\s*(?:command\.id,\s*)?"([a-z_0-9]+)"', path.read_text("utf-8"))
        )
    assert len(raised) > 15
    assert raised - wording.error_codes() == set()


@pytest.mark.parametrize("language", wording.LANGUAGES)
def test_a_sentence_says_what_happened_and_what_to_do(language: str) -> None:
    end = "。" if language == "ja" else "."
    wrong = []
    for code in wording.error_codes():
        sentence = wording.describe(code, {}, language)
        ends = sentence.message.rstrip("）)").endswith((end, "？", "?")) and sentence.next.endswith((end, "）。", ")."))
        has_japanese = re.search(r"[ぁ-んァ-ヶ]", sentence.message + sentence.next) is not None
        if not ends or has_japanese != (language == "ja"):
            wrong.append((code, sentence))
    assert wrong == []


def test_a_next_step_for_the_terminal_is_said_there_alone() -> None:
    entries = tomllib.loads((paths.resources() / "wording/errors.toml").read_text("utf-8"))
    codes = [code for code, entry in entries.items() if "ja_command" in entry or "en_command" in entry]
    assert {"database_damaged", "secret_export"} <= set(codes)
    for code, language in itertools.product(codes, wording.LANGUAGES):
        wording.use_language(language)
        in_window = wording.describe(code, {}).next
        wording.use_language(language, is_command=True)
        typed = wording.describe(code, {}).next
        assert typed.endswith("。" if language == "ja" else ".")
        assert (in_window, typed) == (entries[code][f"{language}_next"], entries[code][f"{language}_command"])
        assert "--" not in in_window


def test_every_text_is_found_as_toml_defines_it() -> None:
    files = [*(paths.resources() / "wording").glob("*.toml")]
    entries = {file.stem: tomllib.loads(file.read_text("utf-8")) for file in files}
    found = {f"{name}.{head}": entry for name, heads in entries.items() for head, entry in heads.items()}
    groups = {key: entry for key, entry in found.items() if isinstance(entry, dict) and "ja" not in entry}
    found |= {f"{key}.{name}": entry for key, group in groups.items() for name, entry in group.items()}
    texts = {
        key: [entry["ja"], entry["en"]] for key, entry in found.items() if isinstance(entry, dict) and "ja" in entry
    }
    assert len(texts) > 5000
    assert {key: wording.phrases(key) for key in texts} == texts


def test_facts_are_filled_in_and_bytes_become_gigabytes() -> None:
    sentence = wording.describe("memory_short", {"need_bytes": 6_600_000_000, "free_bytes": 4_100_000_000})
    assert "6.6 GB" in sentence.message
    assert "4.1 GB" in sentence.message


@pytest.mark.parametrize("language", wording.LANGUAGES)
def test_an_outline_is_a_sentence_without_holes(language: str) -> None:
    wording.use_language(language)
    outlines = {code: wording.outline_error(code) for code in wording.error_codes()}
    assert len(outlines) > 500
    assert [
        (code, outline)
        for code, outline in outlines.items()
        if len(outline) <= 5 or re.search(r"\(\)|（）|「」|  | \.", outline)
    ] == []


def test_an_outline_leaves_out_what_it_does_not_know() -> None:
    assert wording.outline_error("memory_short") == "メモリが足りません。"
    wording.use_language("en")
    outline = wording.outline_error("memory_short")
    wording.use_language("ja")
    assert outline == "Not enough memory."


def test_a_hostile_fact_is_only_text() -> None:
    sentence = wording.describe("unknown_model", {"wanted": "{wanted.__class__} {0} %s"})
    assert "{wanted.__class__} {0} %s" in sentence.message


def test_what_a_shell_would_take_apart_is_quoted_in_commands() -> None:
    assert "kotae train gate 20261126-点検。" in f"{wording.phrase('training.job_taken', id='20261126-点検')}"
    quoted = '"/my runs/a"' if os.name == "nt" else "'/my runs/a'"
    assert f"kotae train import {quoted} で" in wording.phrase("training.job_next", path="/my runs/a")
    assert wording.shell_word("") != ""
    assert wording.shell_word("$HOME") != "$HOME"


def test_an_unknown_code_is_said_to_be_a_bug() -> None:
    assert "予期しない" in wording.describe("no_such_code", {"x": 1}).message


def test_what_the_system_says_is_said_in_japanese_and_left_in_english() -> None:
    with pytest.raises(OSError) as raised:
        Path("/nowhere/at/all").read_bytes()
    facts = {"path": "/nowhere/at/all", "reason": raised.value.strerror}
    assert "（/nowhere/at/all：見つかりません）" in wording.describe("file_unreadable", facts, "ja").message.replace(
        " ", ""
    )
    assert "No such file or directory" in wording.describe("file_unreadable", facts, "en").message


def test_every_error_of_the_system_with_words_exists_somewhere() -> None:
    document = tomllib.loads((paths.resources() / "wording/system.toml").read_text("utf-8"))
    assert [name for name in document["system"] if not hasattr(errno, name)] == []


@pytest.mark.parametrize(
    ("text", "nested"),
    [
        ("「橋の「点検」」を消しました。", "「橋の『点検』」を消しました。"),
        ("「一」と「二」", "「一」と「二」"),
        ("「一「二「三」」」", "「一『二「三」』」"),
        ("「橋の「点…」を消しました。", "「橋の「点…」を消しました。"),  # shortened: the second has no end
    ],
)
def test_quotation_marks_inside_others_are_double(text: str, nested: str) -> None:
    assert wording.nest_quotes(text) == nested


@pytest.mark.parametrize(
    ("key", "facts", "said"),
    [
        ("training.imported_n_rows", {"n": 1}, "Imported 1 row"),
        ("training.imported_n_rows", {"n": 11}, "Imported 11 rows"),
        ("training.rose_n_times_in_a", {"n": 1}, "Rose 1 time in a row"),
        ("training.n_numbers_match_the_quote", {"n": 1}, "1 number matches the quote"),
        ("training.generation_resumed", {"count": 1}, "1 response exists already"),
        ("evaluation.n_more_places", {"n": 1}, "1 more place"),
        ("evaluation.scale_few_seeds", {"seeds": 1}, "There is only 1 seed,"),
        ("common.batch_blank", {"count": "1"}, "1 empty row was not counted as questions."),
        ("training.draft_problem.left_out", {"rows": 1}, "1 row with problems is not trained on."),
        ("documents.n_pages_are_images_only", {"n": 1}, "1 page is images only."),
        ("documents.n_documents_of_name_were_read", {"n": 1, "name": "規程"}, '1 document of "規程" was read and'),
        ("chat.batch_count.doubtful", {"n": "1"}, "1 with sentences to check"),
        ("chat.show_n_in.documents", {"n": "1"}, "Show 1 in documents"),
        ("training.finding.some_rows", {"rows": 1, "wanted": 500}, "There is 1 training row."),
        ("documents.all_supported", {"claims": 1}, "The words and values of the sentences (1) were"),
    ],
)
def test_one_thing_is_counted_in_the_singular(key: str, facts: dict[str, object], said: str) -> None:
    wording.use_language("en")
    try:
        assert wording.phrase(key, **facts).startswith(said)
    finally:
        wording.use_language("ja")
