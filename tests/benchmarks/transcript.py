"""How fast a conversation of 10,000 messages opens and scrolls, and how long a key waits while an answer streams.

    python -m tests.benchmarks.transcript [messages]

Prints one JSON object. Times are of the GUI thread in the real window: opened from the database, streamed by the fake
engine through the real pipe, saved each second, typed into the real field; painted into memory (offscreen).
"""

import gc
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ["KOTAE_ENGINE"] = "echo"

from PySide6.QtCore import QCoreApplication, QEvent, QEventLoop, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from app.application import AppContext, build
from app.base import paths
from app.base.services.preferences import Preferences
from app.base.settings import Settings
from app.chat.presets import PROGRAM_DEFAULTS, Choices
from app.chat.records import AnswerDetails, Conversation, Message
from app.chat.store import Store
from app.chat.ui.chat_page import ChatPage
from app.chat.ui.transcript.transcript import Transcript
from app.inference.local_model import LocalModel
from app.uikit.localization import set_language
from app.uikit.theme import Theme
from tests import model_files as models

SENTENCE = "設備の点検では、記録の様式をそろえ、前回の値と比べて変化を確かめます。"
STEPS = 400


def answer_text(number: int) -> str:
    lists = "\n".join(f"- 項目 {item}：{SENTENCE}" for item in range(number % 6))
    table = "\n| 項目 | 値 |\n|---|---:|\n| 長さ | 12 m |\n| 重さ | 3 kg |\n" if number % 5 == 0 else ""
    code = "\n```\nvalue = 12 * 3\n```\n" if number % 7 == 0 else ""
    return f"## 回答 {number}\n\n{SENTENCE * (1 + number % 9)}\n\n{lists}\n{table}{code}"


def conversation(count: int) -> list[Message]:
    details = AnswerDetails(
        "m", "試験", "end", total_s=8.2, tokens_per_s=44.9, answer_tokens=300, choices=PROGRAM_DEFAULTS
    )
    return [
        Message(number, 1, number - 1 or None, "question", f"{number} 番目の質問です。{SENTENCE}", "done", 1.8e9)
        if number % 2
        else Message(number, 1, number - 1, "answer", answer_text(number), "done", 1.8e9, details)
        for number in range(1, count + 1)
    ]


def frame(action: Callable[[], object]) -> tuple[float, float]:
    """Milliseconds for an action, everything it causes, and the painting of the result: by the clock and of CPU."""
    started, started_cpu = time.perf_counter(), time.thread_time()
    action()
    QCoreApplication.processEvents(QEventLoop.ProcessEventsFlag.AllEvents)
    return (time.perf_counter() - started) * 1000, (time.thread_time() - started_cpu) * 1000


def settle() -> None:
    for _ in range(20):
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
        QCoreApplication.processEvents()


def summary(frames: list[tuple[float, float]]) -> dict[str, float]:
    """`cpu_max_ms` leaves out what other programs took; that is what a quiet machine would show."""
    ordered = sorted(wall for wall, _ in frames)
    return {
        "median_ms": round(statistics.median(ordered), 2),
        "p95_ms": round(ordered[int(0.95 * (len(ordered) - 1))], 2),
        "max_ms": round(ordered[-1], 2),
        "cpu_max_ms": round(max(cpu for _, cpu in frames), 2),
    }


def scrolling(transcript: Transcript) -> dict[str, dict[str, float]]:
    bar = transcript.verticalScrollBar()
    chance = random.Random(1)
    results = {}
    moves: dict[str, Callable[[], None]] = {
        "wheel_up": lambda: bar.setValue(bar.value() - 120),
        "page_up": lambda: bar.setValue(bar.value() - bar.pageStep()),
        "jump": lambda: bar.setValue(chance.randrange(bar.maximum())),
        "page_down": lambda: bar.setValue(bar.value() + bar.pageStep()),
    }
    for name, move in moves.items():
        results[name] = summary([frame(move) for _ in range(STEPS)])
        settle()
    return results


def typing_while_streaming(parts: AppContext, page: ChatPage) -> dict[str, dict[str, float]]:
    """An answer of 4,000 characters arrives at up to 500 a second. `key`: from a key press to its painted character;
    `turn`: the longest that a key pressed at any moment waits before it is looked at (one turn of the event loop)."""
    text = "\n\n".join(answer_text(number) for number in range(1, 60))[:4000]
    times, turns = [], []
    assert parts.session.ask(text)
    while parts.session.is_busy:
        due = time.perf_counter() + 0.05
        while time.perf_counter() < due:
            turns.append(frame(lambda: None))
        times.append(frame(lambda: QTest.keyClick(page.composer.editor, Qt.Key.Key_A)))
    return {"keys": {"count": len(times)}, "key": summary(times), "turn": summary(turns)}


def fill(store: Store, folder: Path, count: int) -> tuple[int, int]:
    """A long conversation, a short one and a model. Gives the ids of the conversations."""
    path = models.tiny_llama(folder / "long.gguf", metadata={"llama.context_length": 32768})
    store.put_local_model(LocalModel("m", "試験", str(path), 1, "llama", "F32", 32768, 1.0, form_id="llama3"))
    messages = conversation(count)
    long = store.add_tree(Conversation(0, "長い", 1.8e9, 1.8e9, count), messages)
    return long, store.add_tree(Conversation(0, "短い", 1.8e9, 1.8e9, 2), messages[:2])


def measure(app: QApplication, folder: Path, count: int) -> dict[str, object]:
    set_language(app, "ja")
    theme = Theme()
    theme.apply(app, Settings(theme="light"))
    where = paths.locate(str(folder / "data"))
    store = Store.open(where.database, where.backups)
    long, short = fill(store, folder, count)
    parts = build(where, theme, Preferences(where.settings), store)
    parts.window.resize(1440, 900)
    parts.window.show()
    page = parts.window.page("ask")
    assert isinstance(page, ChatPage)
    settle()
    gc.freeze()  # a collection of all that start-up made takes about 20 ms; the program does this too
    opened = []
    for _ in range(5):
        parts.session.open(short)
        settle()
        opened.append(frame(lambda: parts.session.open(long)))
        while len(page.transcript.messages) < count:
            settle()
    result = {
        "messages": count,
        "open": summary(opened),
        "live_widgets": len(page.transcript.views),
        "scroll": scrolling(page.transcript),
        "live_widgets_after": len(page.transcript.views),
    }
    parts.session.open(short)
    parts.preferences.change(context_tokens=32768)
    parts.session.answer_by(None, Choices(max_tokens=4096))
    result["while_streaming"] = typing_while_streaming(parts, page)
    parts.window.close()
    parts.close()
    return result


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    app = QApplication([])
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(app, Path(folder), count), ensure_ascii=False, indent=1))


if __name__ == "__main__":
    main()
