"""Install the part for text recognition (OCR) for `kotae docs ocr`, and print what can recognize text."""

from pathlib import Path

from app.base import programs
from app.base.cli.commands import Output
from app.base.cli.loop import CommandEventLoop, core_application
from app.base.paths import Paths
from app.base.services import background
from app.base.services.preferences import Preferences
from app.documents.reading.pdf import ocr
from app.documents.services.ocr_setup import OcrSetup
from app.inference.services.events import NetworkContact


def install(where: Paths, output: Output, wheels: Path | None) -> None:
    """Install the part. `wheels`: a folder with its packages; None: the indexes. Raises AppError, KeyboardInterrupt."""
    app = core_application()
    preferences = Preferences(where.settings)
    proxy = preferences.value.proxy
    setup = OcrSetup(preferences, programs.downloader_command(), where.documents, where.logs, lambda: proxy)

    def interrupt() -> None:
        setup.close()
        loop.stop()

    loop = CommandEventLoop(interrupt)

    def show(done_bytes: int, total_bytes: int) -> None:
        key = "documents.docs_ocr_fetching" if total_bytes else "documents.docs_ocr_unpacking"
        output.progress(key, done_bytes=done_bytes, total_bytes=total_bytes)

    def name(contact: NetworkContact) -> None:
        output.end_progress()
        output.note("documents.docs_ocr_contact", host=contact.host)

    setup.progressed.connect(show)
    setup.contacted.connect(name)
    setup.finished.connect(loop.stop)
    setup.failed.connect(loop.fail)
    setup.start(wheels)
    if setup.is_running:
        loop.run()
    setup.close()
    output.end_progress()
    background.shut_down()
    del app
    if loop.error is not None or loop.was_interrupted:
        raise loop.error or KeyboardInterrupt


def engine(where: Paths) -> str:
    """Return what recognizes text: rapidocr | tesseract; "" if nothing does."""
    return "rapidocr" if ocr.locate_part(where.documents) else "tesseract" if ocr.has_tesseract() else ""


def print_state(where: Paths, output: Output) -> int:
    """Print what recognizes text. Return the exit status: 1 if nothing does."""
    found, folder = engine(where), ocr.part_folder(where.documents)
    data = {"engine": found or None, "folder": str(folder)}
    output.result(data, output.phrase(f"documents.docs_ocr.{found or 'none'}", folder=folder))
    return 0 if found else 1
