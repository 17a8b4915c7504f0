"""How fast a conversation of 10,000 messages opens and scrolls, and how long a key waits while an answer streams.

    python tests/benchmarks/transcript.py [messages]

Prints one JSON object. Times are of the GUI thread, with real widgets, painted into memory (offscreen).
"""

import gc
import json
import os
import random
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from PySide6.QtCore import QCoreApplication, QEvent, QEventLoop, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QPlainTextEdit, QVBoxLayout, QWidget

from app.core.presets import built_in
from app.core.records import AnswerDetails, Message
from app.core.settings import Settings
from app.ui.chat.answer_actions import Look
from app.ui.chat.transcript import Transcript
from app.ui.theme import Theme

SENTENCE = "設備の点検では、記録の様式をそろえ、前回の値と比べて変化を確かめます。"
STEPS = 400


def answer_text(number: int) -> str:
    lists = "\n".join(f"- 項目 {item}：{SENTENCE}" for item in range(number % 6))
    table = "\n| 項目 | 値 |\n|---|---:|\n| 長さ | 12 m |\n| 重さ | 3 kg |\n" if number % 5 == 0 else ""
    code = "\n```\nvalue = 12 * 3\n```\n" if number % 7 == 0 else ""
    return f"## 回答 {number}\n\n{SENTENCE * (1 + number % 9)}\n\n{lists}\n{table}{code}"


def conversation(count: int) -> list[Message]:
    details = AnswerDetails(model_name="試験", stop_reason="end", total_s=8.2, tokens_per_s=44.9, answer_tokens=300)
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


def typing_while_streaming(window: QWidget, transcript: Transcript) -> dict[str, dict[str, float]]:
    """4,000 characters arrive at 200 pieces a second. `key`: from a key press to its painted character; `turn`: the
    longest that a key pressed at any moment waits before it is looked at (one turn of the event loop)."""
    editor = window.findChild(QPlainTextEdit)
    transcript.add(Message(1_000_001, 1, None, "answer", "", "streaming", 1.8e9))
    text = "\n\n".join(answer_text(number) for number in range(1, 60))[:4000]
    times, turns = [], []
    for start in range(0, len(text), 5):
        due = time.perf_counter() + 0.005
        transcript.append_text(1_000_001, text[start : start + 5])
        while time.perf_counter() < due:
            turns.append(frame(lambda: None))
        if start % 25 == 0:
            times.append(frame(lambda: QTest.keyClick(editor, Qt.Key.Key_A)))
    return {"key": summary(times), "turn": summary(turns)}


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    app = QApplication([])
    theme = Theme()
    theme.apply(app, Settings(theme="light"))
    window = QWidget()
    column = QVBoxLayout(window)
    transcript = Transcript(theme)
    transcript.show_answers_as(Look(tuple(preset for preset in built_in() if preset.kind == "action")))
    column.addWidget(transcript, 1)
    editor = QPlainTextEdit()
    editor.setFixedHeight(80)
    column.addWidget(editor)
    window.resize(1208, 860)
    window.show()
    settle()
    messages = conversation(count)
    gc.freeze()  # a collection of all that start-up made takes about 20 ms; the program must do this too
    opened, _ = frame(lambda: transcript.show_messages(messages))
    settle()
    result = {
        "messages": count,
        "open_ms": round(opened, 1),
        "live_widgets": transcript.live_count,
        "scroll": scrolling(transcript),
        "live_widgets_after": transcript.live_count,
        "while_streaming": typing_while_streaming(window, transcript),
    }
    print(json.dumps(result, ensure_ascii=False, indent=1))


if __name__ == "__main__":
    main()
