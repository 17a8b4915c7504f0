"""The offer to ask what was just read: after the last document, about these documents, with questions."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from app.base import programs
from app.base.paths import Paths
from app.documents.services.reading_offers import ReadingOffer, ReadingOffers
from tests.documents.driver import DocumentsDriver

RULES = {
    "出張.md": "# 第1条（宿泊料の上限）\n\n宿泊料の上限は、一泊につき12000円とする。領収書を添えて申請する。\n",
    "休暇.md": "# 第1条（休暇の届け出）\n\n休暇の届け出は、前日の正午までに所属長へ行う。急病のときは電話で行う。\n",
}


class Offers:
    """The offers of a library that reads with the real child."""

    def __init__(self, driver: DocumentsDriver, qtbot: QtBot) -> None:
        self.driver, self._qtbot = driver, qtbot
        self.heard: list[ReadingOffer] = []
        self._offers = ReadingOffers(driver.documents, driver.documents)
        self._offers.offered.connect(self.heard.append)

    def next(self) -> ReadingOffer:
        self._qtbot.waitUntil(lambda: bool(self.heard), timeout=60_000)
        (offer,) = self.heard
        self.heard.clear()
        return offer


@pytest.fixture
def offers(where: Paths, qtbot: QtBot) -> Iterator[Offers]:
    driver = DocumentsDriver(where, qtbot, programs.reader_command(where.documents))
    driver.open()
    yield Offers(driver, qtbot)
    driver.close()
    driver.documents.deleteLater()


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    def write(name: str, *files: str) -> Path:
        made = tmp_path / name
        made.mkdir()
        for file in files:
            (made / file).write_text(RULES.get(file, ""), "utf-8")
        return made

    return write


def test_a_folder_that_was_read_is_offered_once_and_as_a_whole(offers, folder):
    collection = offers.driver.collection()
    offers.driver.add(collection, folder("規程", *RULES))
    offer = offers.next()
    assert (offer.collection_id, offer.documents) == (collection, 2)
    assert [ref.documents for ref in offer.scope] == [()]
    assert "宿泊料の上限は何円ですか？" in offer.questions
    assert "休暇の届け出について教えてください。" in offer.questions


def test_what_is_added_to_other_documents_is_offered_alone(offers, folder):
    collection = offers.driver.collection()
    first, second = folder("先", "出張.md"), folder("後", "休暇.md")
    offers.driver.add(collection, first)
    assert offers.next().title == "出張.md"
    offers.driver.add(collection, second)
    offer = offers.next()
    assert (offer.title, offer.documents) == ("休暇.md", 1)
    assert [ref.documents for ref in offer.scope] == [(str(second / "休暇.md"),)]
    assert offer.questions == ("休暇の届け出について教えてください。",)


def test_files_without_text_are_told_of_and_offer_nothing_to_ask(offers, tmp_path):
    broken = tmp_path / "壊れた.pdf"
    broken.write_bytes(b"%PDF-1.4 nothing")
    offers.driver.add(offers.driver.collection(), broken)
    offer = offers.next()
    assert (offer.documents, offer.scope, offer.questions) == (0, (), ())


def test_adding_the_same_files_again_offers_nothing(offers, folder, qtbot):
    collection, files = offers.driver.collection(), folder("規程", "出張.md")
    offers.driver.add(collection, files)
    offers.next()
    offers.driver.add(collection, files)
    offers.driver.wait_until_read()
    qtbot.wait(200)
    assert offers.heard == []
