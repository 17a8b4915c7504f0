"""A reading child for tests without foreign documents: a real process that speaks `app.documents.reading.messages`.

`python scripted_reader.py DATABASE`. What a document's text begins with says what becomes of it: die | hang | garbage |
fat (takes 300 MB) | fail:CODE | last:CODE (fails and ends the process) | brief (takes half a second) | slow (tells of
its life until it is killed); otherwise each line is a section. It adds a line with the document's name to DATABASE.log
for each attempt, with +ocr if its text is to be recognized.
"""

import dataclasses
import hashlib
import os
import sys
import threading
import time
from pathlib import Path

from app.base import json_lines
from app.base.errors import AppError
from app.documents.library import Library
from app.documents.reading import messages
from app.documents.reading.messages import DocumentRemoved, Failed, Hello, Index, Indexed, Progress, Remove
from app.documents.records import ReadingReport, Section

lines: list[bytes] = []
arrived = threading.Condition()


def main() -> None:
    library = Library.open(Path(sys.argv[1]))
    threading.Thread(target=take, daemon=True).start()
    send(Hello(messages.PROTOCOL, os.getpid()))
    while True:
        with arrived:
            arrived.wait_for(lambda: bool(lines))
            command = json_lines.decode(lines.pop(0), messages.COMMANDS)
        if isinstance(command, Remove):
            library.remove_documents(command.document_ids)
            send(DocumentRemoved(command.id, len(command.document_ids)))
        else:
            try:
                send(index(library, command))
            except AppError as error:
                library.fail(command.document_id, error)
                is_last = bool(error.facts)
                send(Failed(command.id, error.code, is_last=is_last))
                if is_last:
                    time.sleep(0.2)  # as one that gives back much memory
                    os._exit(3)


def index(library: Library, command: Index) -> Indexed:
    document = library.document(command.document_id)
    assert document is not None
    status = Path(document.path).stat()
    library.begin_reading(document.id, status)
    with Path(sys.argv[1] + ".log").open("a", encoding="utf-8") as file:
        file.write(document.name + ("+ocr\n" if command.ocr else "\n"))
    send(Progress(command.id, "reading", 1, 2))
    text = Path(document.path).read_text("utf-8")
    obey(text.split("\n", 1)[0], command)
    read = dataclasses.replace(
        document, state="done", size_bytes=status.st_size, modified_ns=status.st_mtime_ns,
        sha256=hashlib.sha256(text.encode()).hexdigest(), report=ReadingReport(sections=text.count("\n")),
    )  # fmt: skip
    library.put(read, [Section(("第1章",), line) for line in text.splitlines()])
    return Indexed(command.id, text.count("\n"))


def obey(behaviour: str, command: Index) -> None:
    if behaviour == "die":
        os.kill(os.getpid(), 9)
    if behaviour == "garbage":
        print("Segmentation fault, says somebody", flush=True)
    if behaviour in ("hang", "garbage"):
        threading.Event().wait()
    if behaviour == "fat":
        kept = bytearray(300_000_000)
        kept[::4096] = b"x" * len(kept[::4096])
        threading.Event().wait()
    if behaviour.startswith("fail:"):
        raise AppError(behaviour.removeprefix("fail:"))
    if behaviour.startswith("last:"):
        raise AppError(behaviour.removeprefix("last:"), limit_bytes=1)
    if behaviour == "brief":
        time.sleep(0.5)
    while behaviour == "slow":
        time.sleep(0.05)
        send(Progress(command.id, "reading", 1, 0))


def take() -> None:
    for line in sys.stdin.buffer:
        with arrived:
            lines.append(line)
            arrived.notify()
    os._exit(0)


def send(event: messages.Event) -> None:
    sys.stdout.buffer.write(json_lines.encode_line(event))
    sys.stdout.buffer.flush()


main()
