"""Text recognition (OCR) is installed from the report of a document, over the real downloading child."""

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from app.base.errors import AppError
from app.base.paths import Paths
from app.base.wording import describe_error, phrase
from app.documents.records import ReadingReport
from app.models import package_folder, package_locks
from app.uikit.theme import Theme
from app.uikit.widgets.banner import Banner
from app.uikit.widgets.buttons import Button
from tests import wheelhouse
from tests.documents.reading.stand_in import answering
from tests.documents.ui.test_documents_page import PageDriver

LOCK = package_locks.ocr_lock()
pytestmark = pytest.mark.skipif(LOCK is None, reason="there is no part for this machine")

SCAN = ReadingReport(pages=9, pages_without_text=(3, 5), sections=2)


@pytest.fixture
def driver(where: Paths, theme: Theme, qtbot: QtBot, tmp_path: Path, install: object) -> Iterator[PageDriver]:
    """The page with one scanned document; nothing that recognizes text is installed."""
    driver = PageDriver(where, theme, qtbot)
    path = tmp_path / "走査.txt"
    path.write_text("本文\n", "utf-8")
    driver.page.show_collection(driver.collection(path))
    driver.put("走査.txt", "doubtful", SCAN)
    driver.choose("走査.txt")
    yield driver
    driver.ocr_setup.close()
    driver.close()


INSTALL = phrase("documents.install_text_recognition")
RECOGNIZE, ACCEPT = phrase("documents.recognize_text"), phrase("documents.use_as_it_is")


def buttons(banner: Banner) -> dict[str, Button]:
    found = [banner._buttons.itemAt(at) for at in range(banner._buttons.count())]
    return {one.text(): one for item in found if isinstance(one := item.widget(), Button)}


def offered(driver: PageDriver) -> list[str]:
    return list(buttons(driver.page.report.banner))


def press_install(driver: PageDriver) -> None:
    driver.click(buttons(driver.page.report.banner)[INSTALL])


def test_what_is_offered_depends_on_what_is_installed(driver, install):
    assert offered(driver) == [INSTALL, ACCEPT]
    if os.name != "nt":  # the stand-in is a shell script
        install(answering(""))
        driver.page._show_report()
        assert offered(driver) == [RECOGNIZE, INSTALL, ACCEPT]


def test_a_part_of_an_earlier_version_can_be_replaced_and_afterwards_the_document_is_read_again(driver):
    """The scripted reader finds its text; that it was asked to recognize is the queue's own test."""
    assert LOCK is not None
    part = driver.where.documents.with_name("ocr")
    part.mkdir()
    package_folder._write_stamp(part, part.name, LOCK)
    driver.page._show_report()
    assert offered(driver) == [RECOGNIZE, ACCEPT]
    earlier = driver.where.data / f"{LOCK.name}.txt"
    earlier.write_text("")
    package_folder._write_stamp(part, part.name, dataclasses.replace(LOCK, path=earlier))
    driver.page._show_report()
    assert offered(driver) == [RECOGNIZE, INSTALL, ACCEPT]
    driver.ocr_setup.finished.emit()
    assert driver.page.ocr.banner.accessibleName().startswith(phrase("documents.text_recognition_is_installed"))
    driver.wait(lambda: driver.document(driver.page._chosen_id, "走査.txt").state == "done")


def test_a_picture_that_nothing_can_read_offers_it_too(driver):
    document = driver.document(driver.page._chosen_id, "走査.txt")
    driver.documents.write_queue.do(lambda library, _note: library.fail(document.id, AppError("ocr_missing")))
    driver.wait(lambda: driver.document(driver.page._chosen_id, "走査.txt").state == "failed")
    driver.page._refill()
    assert offered(driver) == [INSTALL]
    assert driver.page.report.banner.accessibleName().startswith(describe_error(AppError("ocr_missing")).message)


def test_a_forbidden_network_and_a_folder_without_wheels_are_told(driver, tmp_path):
    driver.preferences.change(network_allowed=False)
    press_install(driver)
    shown = driver.page.ocr.banner
    assert shown.accessibleName().startswith(describe_error(AppError("ocr_network_forbidden")).message)
    driver.folder = str(tmp_path)
    driver.carried(
        driver.ocr_setup.failed, lambda: driver.click(buttons(shown)[phrase("documents.install_from_a_folder")])
    )
    assert "certifi" in shown.accessibleName()
    assert driver.page.ocr.progress.isHidden()
    assert driver.ocr_setup.contacts() == []
    assert offered(driver) == [INSTALL, ACCEPT]


@pytest.fixture
def stalled_installation(driver: PageDriver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An installation that the window has begun, while its index sends nothing more."""
    (tmp_path / LOCK.files[0].name).write_bytes(bytes(LOCK.files[0].size_bytes))
    with wheelhouse.Index(tmp_path, stalls_at=LOCK.files[0].package) as index:
        for name, value in index.variables().items():
            monkeypatch.setenv(name, value)
        press_install(driver)
        driver.wait(index.stalled.is_set)
        yield


@pytest.mark.parametrize("is_cancelled", [True, False])
@pytest.mark.usefixtures("stalled_installation")
def test_an_installation_is_counted_as_traffic_and_ends_when_it_is_cancelled_or_the_network_forbidden(
    driver, is_cancelled
):
    driver.wait(lambda: [one.host for one in driver.ocr_setup.contacts()] == ["127.0.0.1"])
    assert not driver.page.ocr.progress.isHidden()
    assert driver.ocr_setup.network_task_count == 1
    if is_cancelled:
        driver.click(driver.page.ocr.progress.cancel_button)
        assert driver.page.ocr.isHidden()
    else:
        driver.preferences.change(network_allowed=False)
        told = describe_error(AppError("ocr_network_forbidden")).message
        assert driver.page.ocr.banner.accessibleName().startswith(told)
    assert driver.ocr_setup.network_task_count == 0
    assert not driver.ocr_setup.is_running
    assert not driver.documents.has_ocr_part
