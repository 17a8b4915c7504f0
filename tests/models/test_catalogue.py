"""The catalogue: what it promises of each model, and cards of the user, of which no bad one hides another."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.base import wording
from app.base.errors import AppError
from app.inference.gguf import tables
from app.models import catalogue

OWN = """
[[model]]
id = "house-3b"
name = "社内 3B"
summary_ja = "社内の用語に合わせたモデル。"
summary_en = "A model for our own words."
licence = "社内限り"
licence_url = "https://example.com/licence"
form = "llama3"
context_tokens = 8192
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "cards"
    folder.mkdir()
    catalogue.set_user_cards_folder(folder)
    yield folder
    catalogue.set_user_cards_folder(tmp_path / "absent")


def put(folder: Path, text: str, name: str = "own.toml") -> None:
    (folder / name).write_text(text, "utf-8")
    catalogue.set_user_cards_folder(folder)


# ------------------------------------------------------------------- the shipped cards


def test_the_models_that_were_asked_for_are_there() -> None:
    ids = {card.id for card in catalogue.load().cards}
    assert {
        "llama-3-swallow-8b-instruct-v0.1",
        "llama-3-elyza-jp-8b",
        "qwen2.5-7b-instruct",
        "tanuki-8b-dpo-v1.0",
        "sarashina2.2-3b-instruct-v0.1",
        "qwen3-4b-instruct-2507",
        "gemma-3-270m",
        "bge-m3",
        "ruri-v3-310m",
        "multilingual-e5-small",
        "bge-reranker-v2-m3",
        "qwen3-reranker-0.6b",
        "ruri-v3-reranker-310m",
    } <= ids


@pytest.mark.parametrize("card", catalogue.load().cards, ids=lambda card: card.id)
def test_every_card_says_what_it_is_for_and_what_its_licence_asks(card: catalogue.ModelCard) -> None:
    assert card.summary_ja.endswith("。")
    assert card.summary_en.endswith(".")
    assert card.licence
    assert card.licence_notice_ja.endswith("。")
    assert card.licence_notice_en.endswith(".")
    assert card.base_model.count("/") == 1
    assert card.context_tokens >= 512
    if card.kind == "embedding":
        assert card.pooling in ("mean", "cls", "last")
        assert card.dimensions >= 256


def test_a_file_without_a_verified_size_or_hash_says_so_and_none_is_invented() -> None:
    files = [file for card in catalogue.load().cards for file in card.files]
    hashes = [file.sha256 for file in files if file.sha256]
    assert len(set(hashes)) == len(hashes) > 15
    assert any(not file.verified for file in files)
    assert all(file.size_bytes % 100_000 for file in files if file.verified), "a round size is no measured one"


def test_packages_carry_the_trial_model_and_one_for_the_search() -> None:
    cards = [card for card in catalogue.load().cards if card.package]
    assert [(card.id, card.is_trial, card.kind) for card in cards] == [
        ("gemma-3-270m", True, "chat"),
        ("multilingual-e5-small", False, "embedding"),
    ]


def test_a_card_is_found_by_id_or_by_a_part_that_only_one_has() -> None:
    book = catalogue.load()
    assert book.find("bge-m3") is book.card("bge-m3")
    found = book.find("ELYZA")
    assert found.id == "llama-3-elyza-jp-8b"
    assert book.find("swallow") is None
    assert found.file_of("q4_k_m") is found.files[0]
    assert found.file_of("Q2_K") is None


# ------------------------------------------------------------------- cards of the user


def test_a_card_of_the_user_stands_behind_the_shipped_ones(folder: Path) -> None:
    shipped = len(catalogue.load().cards)
    put(folder, OWN + '[[model.files]]\nquantization = "Q4_K_M"\nsize_bytes = 2066390112\n')
    book = catalogue.load()
    assert len(book.cards) == shipped + 1
    assert book.cards[-1].title == "社内 3B"
    assert book.cards[-1].is_own
    assert book.cards[-1].files[0].size_bytes == 2066390112
    assert book.problems == ()


def test_a_card_may_bring_its_own_form_and_use_the_shape_of_a_shipped_card(folder: Path) -> None:
    form = '[form.house]\nquestion = "Q{text}"\nanswer = "A{text}"\nanswer_start = "A"\n'
    put(folder, form + OWN.replace('"llama3"', '"house"\nshape = "llama-3-elyza-jp-8b"'))
    book = catalogue.load()
    assert book.problems == ()
    card = book.cards[-1]
    assert book.forms[card.form].answer_start == "A"
    assert card.shape.block_count == 32


@pytest.mark.parametrize(
    ("old", "new", "code", "field"),
    [
        ('id = "house-3b"\n', "", "card_field_missing", "id"),
        ('id = "house-3b"', 'id = "../house"', "card_field_bad", "id"),
        ('id = "house-3b"', 'id = "gemma-3-270m"', "card_taken", None),
        ('id = "house-3b"', 'id = "house-3b"\nspeed = 3', "card_field_unknown", "speed"),
        ('id = "house-3b"', 'id = "house-3b"\nis_trial = true', "card_field_unknown", "is_trial"),
        ('id = "house-3b"', 'id = "house-3b"\nadapter = "../../a.gguf"', "card_field_unknown", "adapter"),
        ('name = "社内 3B"', 'name = "社内\\u202E3B"', "card_field_bad", "name"),
        ('name = "社内 3B"', "name = 3", "card_field_bad", "name"),
        ("context_tokens = 8192", "context_tokens = 0", "card_field_bad", "context_tokens"),
        ("context_tokens = 8192", "context_tokens = true", "card_field_bad", "context_tokens"),
        ("context_tokens = 8192", 'context_tokens = "8192"', "card_field_bad", "context_tokens"),
        ('form = "llama3"', 'form = "mine"', "card_field_bad", "form"),
        ('form = "llama3"', 'kind = "embedding"', "card_field_bad", "pooling"),
        ('form = "llama3"', 'form = "llama3"\nkind = "picture"', "card_field_bad", "kind"),
        ('form = "llama3"', 'form = "llama3"\nshape = "round"', "card_field_bad", "shape"),
        ('form = "llama3"', 'form = "llama3"\nunverified = ["colour"]', "card_field_bad", "unverified"),
        ('form = "llama3"', 'form = "llama3"\nsampling = { heat = 1 }', "card_field_unknown", "heat"),
        ('"https://example.com/licence"', '"file:///etc/passwd"', "card_field_bad", "licence_url"),
        ("context_tokens = 8192", "context_tokens = 8192\nfiles = [{ }]", "card_field_missing", "quantization"),
    ],
)  # fmt: skip
def test_a_bad_card_is_named_with_its_reason(folder: Path, old: str, new: str, code: str, field: str | None) -> None:
    shipped = catalogue.load().cards
    assert old in OWN
    put(folder, OWN.replace(old, new))
    book = catalogue.load()
    assert book.cards == shipped
    assert [error.code for error in book.problems] == [code]
    facts = book.problems[0].facts
    assert facts["file"] == "own.toml"
    assert facts.get("field") == field
    assert "?" not in wording.describe_error(book.problems[0]).message


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("file", "../../etc/passwd.gguf"),
        ("file", "/abs.gguf"),
        ("file", "model.bin"),
        ("repository", "https://evil.example/x"),
        ("repository", "a/../b"),
        ("revision", "main"),
        ("sha256", "abc"),
        ("quantization", "Q4\nK"),
    ],
)  # fmt: skip
def test_what_a_download_would_be_made_of_is_checked(folder: Path, field: str, value: str) -> None:
    published = {"repository": "owner/name", "file": "model.gguf", "quantization": "Q4_K_M"} | {field: value}
    lines = [f"{key} = {text!r}" if "\n" not in text else f'{key} = "Q4\\nK"' for key, text in published.items()]
    put(folder, OWN + "[[model.files]]\nsize_bytes = 1000\n" + "\n".join(lines))
    assert [error.facts["field"] for error in catalogue.load().problems] == [field]


def test_a_bad_card_hides_neither_those_beside_it_nor_those_of_other_files(folder: Path) -> None:
    put(folder, OWN.replace("context_tokens = 8192", "") + OWN.replace("house-3b", "house-7b"), "a.toml")
    put(folder, "= no TOML", "b.toml")
    (folder / "c.toml").write_bytes(b"\x82\xb1\x82\xea")  # not UTF-8
    (folder / "d.toml").mkdir()
    (folder / "e.toml").write_text("#" * (catalogue.MAX_FILE_BYTES + 1), "utf-8")
    put(folder, "model = 3", "f.toml")
    put(folder, OWN, "g.toml")
    put(folder, "no card at all", "readme.txt")
    book = catalogue.load()
    assert [card.id for card in book.cards if card.is_own] == ["house-7b", "house-3b"]
    assert [error.facts["file"] for error in book.problems] == [f"{letter}.toml" for letter in "abcdef"]


def test_a_form_of_the_user_does_not_replace_one_of_ours(folder: Path) -> None:
    ours = catalogue.load().forms["llama3"]
    put(folder, '[form.llama3]\nquestion = "{text}"\nanswer = "{text}"\nanswer_start = ""\n' + OWN)
    book = catalogue.load()
    assert book.forms["llama3"] == ours
    assert [error.code for error in book.problems] == ["card_taken"]


def test_without_a_folder_there_are_the_shipped_cards(tmp_path: Path) -> None:
    book = catalogue.add_own_cards(catalogue.load(), tmp_path / "absent")
    assert book == catalogue.load()


def test_a_mistake_in_the_shipped_catalogue_is_found_at_once(tmp_path: Path) -> None:
    (tmp_path / "models.toml").write_text(OWN, "utf-8")
    with pytest.raises(AppError, match="card_field_bad"):
        catalogue.load_shipped(tmp_path / "models.toml")


def test_the_engine_knows_the_kind_of_every_model_whose_kind_is_stated() -> None:
    stated = {card.shape.architecture for card in catalogue.load().cards if card.shape}
    assert {"qwen35", "llama"} <= stated <= set(tables.ARCHITECTURES)
    assert {"nemotron_h", "gemma4", "lfm2", "modern-bert"} <= set(tables.ARCHITECTURES)  # of cards without a shape
