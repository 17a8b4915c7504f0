"""Which value holds when conversation, preset, card and program speak, and what is accepted as a value or a name."""

import math

import pytest

from app.base import wording
from app.base.invisible_characters import STORED_TEXT_MAX
from app.chat import presets
from app.chat.presets import (
    LIMITS,
    NAME_MAX,
    PROGRAM_DEFAULTS,
    Choices,
    Preset,
    PresetTable,
    in_force,
    is_preset_name,
    is_valid_choice,
)
from app.models import catalogue

CARD = catalogue.card("qwen2.5-7b-instruct")
HALF = "\ud842"  # of a pair of surrogates


# --------------------------------------------------------------------- levels


@pytest.mark.parametrize(
    ("card", "chosen", "expected"),
    [
        (CARD, (), {"temperature": 0.7, "top_k": 20, "repeat_penalty": 1.05, "system_prompt": CARD.system_prompt}),
        (CARD, (), {"max_tokens": PROGRAM_DEFAULTS.max_tokens}),
        (None, (), PROGRAM_DEFAULTS.as_dict()),
        (
            CARD,
            (Choices(temperature=0.1), Choices(temperature=0.9, top_k=5)),
            {"temperature": 0.1, "top_k": 5, "top_p": CARD.sampling.top_p},
        ),
        (
            CARD,
            (Choices(system_prompt="", temperature=0.0, top_k=0),),  # another choice than leaving it open
            {"system_prompt": "", "temperature": 0.0, "top_k": 0},
        ),
        (CARD, (Choices(system_prompt=None),), {"system_prompt": CARD.system_prompt}),
    ],
)
def test_the_conversation_goes_over_the_preset_the_preset_over_the_card_and_that_over_the_program(
    card, chosen, expected
):
    found = in_force(card, *chosen)
    assert {key: getattr(found, key) for key in expected} == expected


def test_everything_but_the_seed_and_the_budget_of_thoughts_is_filled():
    assert {name for name in Choices().__dataclass_fields__ if getattr(in_force(None), name) is None} == {
        "seed",
        "thought_tokens",
    }


# --------------------------------------------------------------------- values


@pytest.mark.parametrize(("key", "limits"), LIMITS.items())
def test_the_limits_themselves_are_valid_and_what_is_beyond_is_not(key, limits):
    low, high = (int(limit) if float(limit).is_integer() else limit for limit in limits)
    assert is_valid_choice(key, low)
    assert is_valid_choice(key, high)
    assert not is_valid_choice(key, low - 1)
    assert not is_valid_choice(key, high + 1)


@pytest.mark.parametrize("key", LIMITS)
@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, True, False, None, "0.5", [1], {"a": 1}, 10**400, -(10**400), 1j]
)
def test_what_is_no_number_within_reach_is_refused(key, value):
    assert not is_valid_choice(key, value)


@pytest.mark.parametrize("key", ["top_k", "max_tokens", "seed"])
def test_counts_are_whole(key):
    assert is_valid_choice(key, 7)
    assert not is_valid_choice(key, 7.0)


def test_an_unknown_field_is_refused():
    assert not is_valid_choice("mirostat", 1)


@pytest.mark.parametrize("value", ["", "　", "指示", "𠮷野家", "x" * STORED_TEXT_MAX])
def test_a_prompt_may_be_any_text(value):
    assert is_valid_choice("system_prompt", value)


@pytest.mark.parametrize("value", [HALF, f"橋{HALF}脚", "x" * (STORED_TEXT_MAX + 1), b"bytes", 1, None])
def test_a_prompt_that_cannot_be_stored_is_refused(value):
    assert not is_valid_choice("system_prompt", value)


def test_one_bad_value_costs_only_itself():
    assert Choices.from_dict({"temperature": math.nan, "top_k": True, "seed": 3}) == Choices(seed=3)
    assert Choices.from_dict([1, 2]) == Choices()


# ---------------------------------------------------------------------- names


@pytest.mark.parametrize("name", ["短く", "A", "標準 2", "標準　二", "𠮷", "あ" * NAME_MAX])
def test_one_line_that_can_be_seen_is_a_name(name):
    assert is_preset_name(name)


@pytest.mark.parametrize(
    "name", ["", " ", " 短く", "短く\n", "短\nく", "短\u2028く", "短\0く", "短\u202eく", HALF, "あ" * (NAME_MAX + 1), 3]
)
def test_what_cannot_be_seen_on_one_line_is_no_name(name):
    assert not is_preset_name(name)


@pytest.mark.parametrize(
    ("name", "taken", "found"),
    [
        ("短く", set(), "短く"),
        ("短く", {"短く"}, "短く（2）"),
        ("短く", {"短く", "短く（2）"}, "短く（3）"),
        ("短く（2）", {"短く（2）"}, "短く（3）"),
        ("短く（2）", {"短く"}, "短く（2）"),
        ("（1）", {"（1）"}, "（1）（2）"),
    ],
)
def test_a_name_is_numbered_when_it_is_taken(name, taken, found):
    if name == "短く（2）" and name in taken:
        taken = {*taken, "短く"}
    assert wording.unique_name(name, taken, NAME_MAX) == found


def test_a_numbered_name_is_not_longer_than_names_may_be():
    name = "あ" * NAME_MAX
    found = wording.unique_name(name, {name}, NAME_MAX)
    assert is_preset_name(found)
    assert found.endswith("（2）")


def test_in_english_the_number_stands_in_narrow_brackets(monkeypatch):
    monkeypatch.setattr(wording, "_current", "en")
    assert wording.unique_name("Brief", {"Brief"}, NAME_MAX) == "Brief (2)"
    assert wording.unique_name("Brief (2)", {"Brief", "Brief (2)"}, NAME_MAX) == "Brief (3)"


# ------------------------------------------------------------ what comes along


@pytest.mark.parametrize("language", wording.LANGUAGES)
def test_what_comes_with_kotae_is_valid_in_both_languages(language):
    shipped = presets.built_in_presets(language)
    assert {preset.kind for preset in shipped} == {"chat", "action"}
    assert len({preset.id for preset in shipped}) == len(shipped)
    assert len({(preset.kind, preset.name) for preset in shipped}) == len(shipped)
    for preset in shipped:
        assert is_preset_name(preset.name)
        assert Choices.from_dict(preset.choices.as_dict()) == preset.choices
        assert bool(preset.request.strip()) == (preset.kind == "action")


def test_the_standard_preset_leaves_everything_to_the_card():
    standard = next(preset for preset in presets.built_in_presets() if preset.id == presets.STANDARD_PRESET)
    assert standard.choices == Choices()


# ---------------------------------------------------------------------- table


def test_a_changed_one_stands_in_its_place_and_comes_back_as_it_was(store):
    table = PresetTable(store.database)
    before = table.all_presets()
    changed = Preset("brief", "chat", "ごく短く", Choices(max_tokens=64))
    table.put([changed])
    assert [preset.id for preset in table.all_presets()] == [preset.id for preset in before]
    found = next(preset for preset in table.all_presets() if preset.id == "brief")
    assert (found.name, found.choices, found.is_built_in) == ("ごく短く", Choices(max_tokens=64), True)
    table.remove("brief")
    assert table.all_presets() == before


def test_the_users_own_come_last_by_name(store):
    table = PresetTable(store.database)
    table.put([Preset("2", "chat", "乙"), Preset("1", "chat", "丙"), Preset("3", "action", "丁", request="訳して")])
    own = [preset for preset in table.all_presets() if not preset.is_built_in]
    assert [preset.name for preset in own] == sorted(["乙", "丙", "丁"])
    assert table.all_presets()[-3:] == own
