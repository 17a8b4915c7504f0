"""Presets go to a file and come back; what strangers put into one is taken, or refused with its number and reason."""

import json
import math
import os

import pytest

from app.base.errors import AppError
from app.base.wording import describe_error
from app.chat import presets
from app.chat.presets import (
    FILE_BYTES_MAX,
    FILE_PRESETS_MAX,
    Choices,
    Preset,
    parse_presets,
    read_presets,
    write_presets,
)

GOOD = {"kind": "chat", "name": "短く", "choices": {"temperature": 0.2}}


def file_of(*entries, **head) -> bytes:
    document = {"format": "kotae-presets", "version": 1, "presets": list(entries), **head}
    return json.dumps(document, ensure_ascii=True).encode()


def refused(data: bytes) -> AppError:
    with pytest.raises(AppError) as caught:
        parse_presets(data)
    assert describe_error(caught.value).message
    assert "?" not in describe_error(caught.value).message
    return caught.value


# ----------------------------------------------------------------- round trip


def test_what_is_written_is_read_again(tmp_path):
    everything = Choices("橋脚の\n点検 𠮷", 0.25, 0, 0.9, 0.0, 1.1, 4096, (1 << 32) - 1)
    given = [
        Preset("a", "chat", "全部", everything),
        Preset("b", "chat", "指示なし", Choices(system_prompt="")),
        Preset("c", "action", "英語に", Choices(temperature=0.0), "今の回答を英語に訳してください。"),
        *presets.built_in_presets(),
    ]
    write_presets(tmp_path / "presets.json", given)
    contents = read_presets(tmp_path / "presets.json")
    assert contents.problems == ()
    wanted = [(preset.kind, preset.name, preset.choices, preset.request) for preset in given]
    assert [(preset.kind, preset.name, preset.choices, preset.request) for preset in contents.presets] == wanted
    assert {preset.id for preset in contents.presets} == {""}
    assert not any(preset.is_built_in for preset in contents.presets)


def test_a_file_can_be_read_by_people(tmp_path):
    write_presets(tmp_path / "presets.json", [Preset("a", "chat", "短く", Choices(system_prompt="三文で。"))])
    assert "三文で。" in (tmp_path / "presets.json").read_text("utf-8")


def test_a_place_that_cannot_be_written_keeps_the_old_file(tmp_path):
    with pytest.raises(AppError) as caught:
        write_presets(tmp_path / "missing" / "presets.json", [])
    assert caught.value.code == "export_folder_gone"
    target = tmp_path / "presets.json"
    target.mkdir()
    with pytest.raises(AppError):
        write_presets(target, [])
    assert list(tmp_path.iterdir()) == [target]


# ------------------------------------------------------------ the file as such


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "preset_file_foreign"),
        (b"\xef\xbb\xbf", "preset_file_foreign"),
        (b"null", "preset_file_foreign"),
        (b"[]", "preset_file_foreign"),
        (b"{}", "preset_file_foreign"),
        (b'{"format": "kotae-presets"', "preset_file_foreign"),
        (b"\x89PNG\r\n", "preset_file_encoding"),
        ("短く".encode("cp932"), "preset_file_encoding"),
        (file_of(GOOD).decode().encode("utf-16"), "preset_file_encoding"),
        (b"[" * 200_000, "preset_file_foreign"),
        (b'{"a":' * 150_000, "preset_file_foreign"),
        (b"9" * 6000, "preset_file_foreign"),
        (
            b'{"format": "kotae-presets", "format": "kotae-presets", "version": 1, "presets": [1]}',
            "preset_file_foreign",
        ),
        (b" " * (FILE_BYTES_MAX + 1), "preset_file_large"),
        (file_of(GOOD, format="kotae-conversations"), "preset_file_foreign"),
        (file_of(GOOD, version=2), "preset_file_newer"),
        (file_of(GOOD, version=True), "preset_file_newer"),
        (file_of(GOOD, version="1"), "preset_file_newer"),
        (file_of(GOOD, version=None), "preset_file_newer"),
        (file_of(GOOD, presets={"0": GOOD}), "preset_file_foreign"),
        (file_of(), "preset_file_empty"),
        (file_of(*[GOOD] * (FILE_PRESETS_MAX + 1)), "preset_file_many"),
    ],
    ids=range(22),
)
def test_what_is_no_file_of_presets_is_refused_in_words(data, code):
    assert refused(data).code == code


def test_a_byte_order_mark_does_no_harm():
    assert len(parse_presets(b"\xef\xbb\xbf" + file_of(GOOD)).presets) == 1


def test_a_file_that_is_not_there_or_no_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "missing.json", tmp_path, tmp_path / "pipe"):
        with pytest.raises(AppError) as caught:
            read_presets(path)
        assert caught.value.code == "preset_file_unreadable"


def test_no_more_is_read_than_is_allowed(tmp_path):
    with (tmp_path / "large.json").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(AppError) as caught:
        read_presets(tmp_path / "large.json")
    assert caught.value.code == "preset_file_large"


# ----------------------------------------------------------------- its entries


def changed(**fields) -> dict:
    return {key: value for key, value in {**GOOD, **fields}.items() if value is not ...}


@pytest.mark.parametrize(
    ("entry", "field"),
    [
        (changed(kind=...), "kind"),
        (changed(kind="Chat"), "kind"),
        (changed(kind=["chat"]), "kind"),
        (changed(name=...), "name"),
        (changed(name=""), "name"),
        (changed(name="二\n行"), "name"),
        (changed(name="\ud842"), "name"),
        (changed(name=7), "name"),
        (changed(name="長" * 100), "name"),
        (changed(id="brief"), "id"),
        (changed(is_built_in=True), "is_built_in"),
        (changed(request="訳して"), "request"),
        (changed(kind="action"), "request"),
        (changed(kind="action", request="  "), "request"),
        (changed(kind="action", request="\udfff"), "request"),
        (changed(choices={"temperature": math.nan}), "temperature"),
        (changed(choices={"temperature": math.inf}), "temperature"),
        (changed(choices={"temperature": "0.5"}), "temperature"),
        (changed(choices={"temperature": None}), "temperature"),
        (changed(choices={"top_k": True}), "top_k"),
        (changed(choices={"top_k": 40.0}), "top_k"),
        (changed(choices={"seed": 10**400}), "seed"),
        (changed(choices={"max_tokens": 0}), "max_tokens"),
        (changed(choices={"system_prompt": "\ud842"}), "system_prompt"),
        (changed(choices={"system_prompt": ["a"]}), "system_prompt"),
        (changed(choices={"mirostat": 2}), "mirostat"),
        (changed(choices={"\ud842": 2}), "?"),
    ],
)
def test_a_bad_value_is_named_and_costs_only_its_entry(entry, field):
    contents = parse_presets(file_of(GOOD, entry, GOOD))
    assert len(contents.presets) == 2
    (problem,) = contents.problems
    assert (problem.code, problem.facts["number"], problem.facts["field"]) == ("preset_entry_value", 2, field)
    sentence = describe_error(problem).message
    assert "2" in sentence
    assert len(sentence) < 150
    sentence.encode("utf-8")


@pytest.mark.parametrize("entry", [None, 1, "短く", [], [[GOOD]], changed(choices=[1]), changed(choices=None)])
def test_an_entry_of_another_form_is_named(entry):
    contents = parse_presets(file_of(entry, GOOD))
    assert len(contents.presets) == 1
    assert [(problem.code, problem.facts["number"]) for problem in contents.problems] == [("preset_entry_shape", 1)]


def test_an_entry_that_says_one_thing_twice_is_refused():
    twice = file_of(GOOD).replace(b'"temperature": 0.2', b'"temperature": 0.2, "temperature": 0.9')
    assert [problem.code for problem in parse_presets(twice).problems] == ["preset_entry_shape"]
    twice = file_of(GOOD).replace(b'"kind"', b'"name": "x", "kind"')
    assert [problem.code for problem in parse_presets(twice).problems] == ["preset_entry_shape"]


def test_every_entry_is_either_a_preset_or_a_problem():
    entries = [GOOD, 1, changed(name=""), GOOD, None, changed(kind="action", request="訳して")] * 30
    contents = parse_presets(file_of(*entries))
    assert len(contents.presets) + len(contents.problems) == len(entries)
    assert len(contents.presets) == 90


def test_the_wildest_choices_never_raise_anything_else():
    for value in (0, -0.0, 1e308, -1, [], {}, "", "NaN", [[]] * 9, {"a": {"b": []}}):
        for key in ("temperature", "seed", "system_prompt", "", "choices", "__class__"):
            contents = parse_presets(file_of(changed(choices={key: value})))
            assert len(contents.presets) + len(contents.problems) == 1


def test_a_refused_value_is_shown_short():
    (problem,) = parse_presets(file_of(changed(name="長" * 10_000))).problems
    assert len(problem.facts["value"]) <= presets._SHOWN_CHARACTERS
