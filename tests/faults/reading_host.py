"""The service over its real reading child, as a process that can be killed: `python reading_host.py DATABASE [FOLDER]`.

Reads what is in the queue, and FOLDER into the collection 基準 first. Ends when nothing is left to be read.
"""

import sys
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QTimer

from app.base import programs
from app.documents.services.document_library import DocumentLibrary

NAME = "基準"


def main(database: Path, folder: Path | None) -> int:
    programs.prepare_child_environment()
    app = QCoreApplication([])
    documents = DocumentLibrary(database, programs.reader_command(database), database.parent)

    def begin() -> None:
        known = {one.name: one.id for one in documents.collections()}
        if folder is None:
            pass
        elif NAME in known:
            documents.add(known[NAME], [folder])
        else:
            documents.add_collection(NAME, paths=[folder])
        look.start()

    def end_if_read() -> None:
        is_idle = documents.standing.phase == "idle" and not documents.is_busy
        if is_idle and not any(one.unfinished for one in documents.collections()):
            look.stop()
            documents.close()
            app.quit()

    look = QTimer(interval=20)
    look.timeout.connect(end_if_read)
    documents.opened.connect(begin)
    documents.failed.connect(lambda error: print(error, file=sys.stderr))
    documents.open()
    return app.exec()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None))
