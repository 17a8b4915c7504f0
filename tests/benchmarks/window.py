"""How long the window takes to open much, and what a day of use leaves in memory.

    python -m tests.benchmarks window [--share 0.1 0.3 1] [--rounds N] [--idle SECONDS] [--pictures FOLDER]

At share 1 it holds 10,000 conversations, one of 5,000 messages, a collection of 1,000 documents, a set of 5,000
questions and a result of 20 systems with 500 questions, written by the program's own stores. Each is opened in the real
window by the click of a person. `shown`: seconds from the click until what was chosen is there and the GUI thread
answers at once; `hold`: the longest time in ms that it does not answer, and in parentheses what of it is its own
processor time, which is what a quiet machine would show.

With --rounds it asks that many questions of the fake engine instead, and after each visits the pages, opens and closes
dialogs and changes the theme; with --idle it counts what wakes the window that nobody uses. Offscreen.
"""

import argparse
import gc
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ["KOTAE_ENGINE"] = "echo"

import psutil
from PySide6.QtCore import QCoreApplication, QEvent, QEventLoop, QModelIndex, QObject, Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractItemView, QApplication, QWidget

from app import application
from app.application import AppContext
from app.base import paths
from app.base.services.preferences import Preferences
from app.base.settings import Settings
from app.chat.records import AnswerDetails, Conversation
from app.chat.store import Store
from app.chat.ui.chat_page import ChatPage
from app.documents.library import Library
from app.documents.records import ReadingReport, Section
from app.documents.ui.page import DocumentsPage
from app.evaluation import question_sets
from app.evaluation.ui.blind_view import BlindView
from app.evaluation.ui.evaluation_content import key_of
from app.evaluation.ui.page import EvaluationPage
from app.evaluation.ui.question_set_view import SetView
from app.evaluation.ui.result_view import EvaluationResultView
from app.inference.local_model import LocalModel
from app.shell.services.housekeeping import GarbageCollector
from app.uikit import desktop
from app.uikit.theme import Theme
from tests import evaluation_shots
from tests import model_files as models
from tests.benchmarks.run_page import BEAT_MS, Heart, wait
from tests.benchmarks.transcript import conversation

PAGES = ("ask", "documents", "models", "training", "evaluation", "settings")
DAY_S = 86_400
CONVERSATIONS, MESSAGES, DOCUMENTS, QUESTIONS = 10_000, 5_000, 1_000, 5_000
SYSTEMS, ASKED = 20, 500
LARGE_SET, STUDIED_SET, LONG = "大きな質問集", "比較した質問", "長い会話"
BUSY_MS = 10  # a beat that is later than this is not "at once"

SETTINGS = Settings(theme="light", first_run_done=True)


# ----------------------------------------------------------------------------- data


def fill(store: Store, folder: Path, documents: Path, share: float) -> None:
    """Store conversations, documents and a model for `share` of the sizes."""
    path = models.tiny_llama(folder / "tiny.gguf", metadata={"llama.context_length": 32768})
    store.put_local_model(LocalModel("swallow", "試験", str(path), 1, "llama", "F32", 32768, 1.0, form_id="llama3"))
    details = AnswerDetails("swallow", "試験", "end", total_s=8.2, tokens_per_s=44.9)
    now = time.time()
    with store.database.transaction():
        pair = [replace(one, details=details if one.role == "answer" else None) for one in conversation(2)]
        for number in range(round(CONVERSATIONS * share)):
            at = now - DAY_S - 3600 * number
            title = f"{number} 番目の点検の記録について"
            store.add_tree(Conversation(0, title, at, at, 2), pair)
        messages = conversation(round(MESSAGES * share))
        store.add_tree(Conversation(0, LONG, now, now, len(messages)), messages)
    library = Library.open(documents)
    for name, count in (("点検基準", round(DOCUMENTS * share)), ("少しだけ", 2)):
        collection_id = library.add_collection(name)
        library.add_documents(collection_id, [Path(f"/data/{name}/{at:04}_点検記録.pdf") for at in range(count)])
        with library.database.transaction():
            for document in library.documents(collection_id):
                report = ReadingReport(pages=12, headings=8, tables=2, sections=30, characters=9_000)
                section = Section(("1",), "設備の点検では、記録の様式をそろえます。")
                library.put(replace(document, state="done", modified_ns=1, size_bytes=1, report=report), [section])
    library.close()


def evaluate(parts: AppContext, share: float) -> None:
    """Store a question set, and the finished study of another one."""
    made, asked = (evaluation_shots.make_questions(round(count * share)) for count in (QUESTIONS, ASKED))
    question_sets.store(parts.paths.questions, LARGE_SET, made, "internal", "set.xlsx")
    studied = question_sets.store(parts.paths.questions, STUDIED_SET, asked, "internal", "asked.xlsx")
    systems = evaluation_shots.alike(parts, *(f"Swallow-8B 第 {at} 版" for at in range(max(2, round(SYSTEMS * share)))))
    evaluation_shots.finished(parts, 1, "questions", studied, systems)


def open_window(app: QApplication, folder: Path, share: float) -> AppContext:
    where = paths.locate(str(folder / "data"))
    store = Store.open(where.database, where.backups)
    fill(store, folder, where.documents, share)
    theme = Theme()
    theme.apply(app, SETTINGS)
    preferences = Preferences(where.settings)
    preferences.change(theme="light", first_run_done=True, model_id="swallow", context_tokens=32768)
    parts = application.build(where, theme, preferences, store)
    evaluate(parts, share)
    gc.collect()
    gc.freeze()
    sys.setswitchinterval(application.SWITCH_S)
    GarbageCollector(app)
    parts.window.resize(1440, 900)
    return parts


# ------------------------------------------------------------------------ measuring


class Clicks:
    """Performs what a person does, one after the other, and measures each."""

    def __init__(self, parts: AppContext, pictures: Path | None) -> None:
        self._parts, self._pictures = parts, pictures
        self._heart = Heart()

    def measure(self, name: str, act: Callable[[], object], until: Callable[[], object] = lambda: True) -> None:
        """Act, wait `until` it is shown and the window is at rest, and print how long it took."""
        self._heart.forget()
        began = time.perf_counter()
        QTimer.singleShot(0, act)
        shown_s = wait(until)
        self._heart.beat()
        ends_s, at = 0.0, began
        for beat in self._heart.beats:
            at += (beat.late_ms + BEAT_MS) / 1000
            if beat.late_ms > BUSY_MS:
                ends_s = at - began
        late_ms = max(beat.late_ms for beat in self._heart.beats)
        worked_ms = max(beat.worked_ms for beat in self._heart.beats)
        took_s = max(shown_s, ends_s)
        mark = " <--" if late_ms > 50 or took_s > 0.5 else ""
        print(f"  {name:<52} shown {took_s:5.2f} s  hold {late_ms:5.0f} ({worked_ms:.0f}) ms{mark}", flush=True)
        if self._pictures is not None:
            self._parts.window.grab().save(str(self._pictures / f"{name.replace(' ', '-').replace(',', '')}.png"))


def click(widget: QWidget) -> None:
    QTest.mouseClick(widget, Qt.MouseButton.LeftButton)


def click_row(view: QAbstractItemView, index: QModelIndex) -> None:
    view.scrollTo(index)
    QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=view.visualRect(index).center())


def click_page(parts: AppContext, key: str) -> None:
    click(parts.window.sidebar.nav.findChildren(QWidget)[PAGES.index(key)])


def measure_openings(parts: AppContext, pictures: Path | None) -> None:
    clicks = Clicks(parts, pictures)
    clicks.measure("the window", parts.window.show)
    measure_conversations(clicks, parts)
    measure_documents(clicks, parts)
    measure_evaluation(clicks, parts)
    for key in ("models", "training", "settings", "ask"):
        clicks.measure(f"page {key}", lambda key=key: click_page(parts, key))
    for name in ("dark", "light"):
        clicks.measure(f"theme {name}", lambda name=name: parts.preferences.change(theme=name))


def measure_conversations(clicks: Clicks, parts: AppContext) -> None:
    sidebar, session = parts.window.sidebar, parts.session
    page = parts.window.page("ask")
    assert isinstance(page, ChatPage)
    rows = parts.conversations.all_conversations()

    def open_row(title_at: int) -> Callable[[], None]:
        return lambda: click_row(sidebar.list, sidebar.conversations.index_of(rows[title_at].id))

    def is_open(at: int) -> Callable[[], bool]:
        return lambda: session.conversation is not None and session.conversation.id == rows[at].id

    clicks.measure("conversation, short", open_row(1), is_open(1))
    count = len(parts.store.thread(rows[0].id))
    clicks.measure("conversation, long", open_row(0), lambda: is_open(0)() and len(page.transcript.messages) == count)
    clicks.measure("conversation, last of the list", open_row(len(rows) - 1), is_open(len(rows) - 1))
    clicks.measure("conversations filtered", lambda: sidebar.filter.setText("99"))
    clicks.measure("conversations, no filter", sidebar.filter.clear)
    clicks.measure("conversations, one renamed", lambda: parts.conversations.rename(rows[5].id, "別の題名"))
    clicks.measure("new question", lambda: click(sidebar.new_button))

    def ask() -> None:
        page.composer.editor.setPlainText("点検の記録は何年残しますか。")
        QTest.keyClick(page.composer.editor, Qt.Key.Key_Return)

    clicks.measure("question asked and answered", ask, lambda: not session.is_busy)
    half = [one.id for one in rows[len(rows) // 2 :]]
    clicks.measure("conversations, half to the bin", lambda: parts.conversations.bin(half))
    clicks.measure("bin", lambda: click(sidebar.bin_button))
    clicks.measure("bin, all chosen", lambda: parts.window.page("bin").list.selectAll())  # type: ignore[attr-defined]
    clicks.measure("conversations, half back", lambda: parts.conversations.restore(half))
    clicks.measure("search", lambda: QTest.keyClick(parts.window, Qt.Key.Key_K, Qt.KeyboardModifier.ControlModifier))
    clicks.measure("search, a word", lambda: parts.window.pages.search().start("点検"))
    clicks.measure("questions again", lambda: click_page(parts, "ask"))


def measure_documents(clicks: Clicks, parts: AppContext) -> None:
    parts.documents.queue._is_paused = True  # the files are nowhere
    parts.documents.watch._timer.start()
    clicks.measure("documents", lambda: click_page(parts, "documents"), lambda: parts.documents.is_open)
    page = parts.window.page("documents")
    assert isinstance(page, DocumentsPage)
    ids = {one.name: one.id for one in parts.documents.collections()}

    def choose(name: str) -> None:
        click_row(page.list, page.collections.index_of(ids[name]))

    clicks.measure("collection, small", lambda: choose("少しだけ"), lambda: page.table.rowCount() == 2)
    clicks.measure("collection, large", lambda: choose("点検基準"), lambda: page.table.rowCount() > 2)
    clicks.measure("document chosen", lambda: click_row(page.view, page.documents.index(40, 1)))
    clicks.measure("all documents chosen", page.view.selectAll)
    clicks.measure("documents changed", parts.documents.changed.emit)
    clicks.measure("documents filtered", lambda: page.filter.setText("09"))
    clicks.measure("documents, no filter", page.filter.clear)
    clicks.measure("documents sorted", lambda: page.view.sortByColumn(2, Qt.SortOrder.DescendingOrder))
    clicks.measure(
        "documents, row removed",
        lambda: parts.documents.remove([page.documents.index(3, 1).data(Qt.ItemDataRole.UserRole + 1).id]),
    )


def measure_evaluation(clicks: Clicks, parts: AppContext) -> None:
    # Reading the list ends by showing the newest study.
    def result() -> EvaluationResultView | None:
        found = page().contents.currentWidget()
        return found if isinstance(found, EvaluationResultView) else None

    def page() -> EvaluationPage:
        found = parts.window.page("evaluation")
        assert isinstance(found, EvaluationPage)
        return found

    def set_view() -> SetView | None:
        found = page().contents.currentWidget()
        return found if isinstance(found, SetView) else None

    def is_result_shown() -> bool:
        shown = result()
        return shown is not None and shown.view_data is not None

    def is_set_shown() -> bool:
        shown = set_view()
        return shown is not None and shown.questions.total > 0

    clicks.measure("evaluation, with a result", lambda: click_page(parts, "evaluation"), is_result_shown)
    clicks.measure(
        "question set", lambda: click_row(page().list, page().entries.index_of(("set", LARGE_SET))), is_set_shown
    )
    found = set_view()
    assert found is not None
    clicks.measure("question chosen", lambda: click_row(found.table, found.questions.index(30, 0)))
    clicks.measure("all questions chosen", found.table.selectAll)
    clicks.measure("questions searched", lambda: found.search.setText("証明書"))
    clicks.measure("questions, no search", found.search.clear)
    clicks.measure("question dialog", lambda: click(found.add_button), lambda: found.dialog is not None)
    clicks.measure("question dialog closed", lambda: found.dialog and found.dialog.reject())
    clicks.measure(
        "question removed",
        lambda: (found.table.choose_row(9), click(found.remove_button)),
        lambda: (
            not found.work.is_storing and found.work.displayed and len(found.work.displayed.stored_set.versions) == 2
        ),
    )
    study = next(one for one in page()._listed.studies)
    clicks.measure(
        "result again", lambda: click_row(page().list, page().entries.index_of(("study", study.id))), is_result_shown
    )
    shown = result()
    assert shown is not None
    clicks.measure("result, by question", lambda: click(shown.tabs.buttons["questions"]))
    clicks.measure(
        "result, another question", lambda: click_row(shown.questions.view, shown.questions.questions.index(3))
    )
    clicks.measure("result, by difference", lambda: click(shown.questions.spread_button))
    clicks.measure("result, blind", lambda: click(shown.tabs.buttons["blind"]), lambda: is_blind_ready(shown))
    clicks.measure("start dialog", lambda: page().start_action.ask(LARGE_SET), lambda: is_starting(page()))
    clicks.measure("start dialog closed", lambda: page().start_action.dialog.reject())


def is_starting(page: EvaluationPage) -> bool:
    dialog = page.start_action.dialog
    return dialog is not None and dialog.isVisible()


def is_blind_ready(shown: EvaluationResultView) -> bool:
    blind = shown.pages.currentWidget()
    return isinstance(blind, BlindView) and blind.panel is blind.start


# --------------------------------------------------------------------------- a day


def use(parts: AppContext, rounds: int) -> None:
    """Ask, look at each page, open and close dialogs, change the theme; print what is left in memory."""
    window, page = parts.window, parts.window.page("ask")
    assert isinstance(page, ChatPage)
    parts.documents.queue._is_paused = True
    rows = parts.conversations.all_conversations()
    window.show()
    before: Counter[str] = Counter()
    for number in range(1, rounds + 1):
        parts.session.open_new()
        page.composer.editor.setPlainText(f"点検の記録は何年残しますか。{number}")
        QTest.keyClick(page.composer.editor, Qt.Key.Key_Return)
        wait(lambda: not parts.session.is_busy, 0)
        parts.session.open(rows[number % 2].id)
        wait(lambda: True, 0.05)
        look_around(parts)
        if number in (1, 2, 5) or number % 10 == 0:
            before = tell_memory(number, before)


def look_around(parts: AppContext) -> None:
    window = parts.window
    for key in PAGES:
        click_page(parts, key)
        wait(lambda: True, 0.05)
    evaluation = window.page("evaluation")
    assert isinstance(evaluation, EvaluationPage)
    click_page(parts, "evaluation")
    for entry in [*evaluation._listed.sets[:1], *evaluation._listed.studies[:1]]:
        click_row(evaluation.list, evaluation.entries.index_of(key_of(entry)))
        wait(lambda: True, 0.6)
    evaluation.start_action.ask(LARGE_SET)
    wait(lambda: is_starting(evaluation), 0.05)
    if evaluation.start_action.dialog is not None:
        evaluation.start_action.dialog.reject()
    window.show_answer_settings().reject()
    window.show_manual()
    for other in QApplication.topLevelWidgets():
        if type(other).__name__ == "ManualWindow":
            other.close()
    window._on_search_requested("点検")
    wait(lambda: True, 0.3)
    for name in ("dark", "light"):
        parts.preferences.change(theme=name)
    click_page(parts, "ask")
    wait(lambda: True, 0.1)


def tell_memory(number: int, before: Counter[str]) -> Counter[str]:
    """Print the memory in MB, and the Python objects that were added since `before`."""
    for _ in range(3):
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
        QCoreApplication.processEvents()
        gc.collect()
    count = Counter(type(one).__name__ for one in gc.get_objects())
    widgets, objects = len(QApplication.allWidgets()), sum(len(one.findChildren(QObject)) for one in roots())
    resident = psutil.Process().memory_info().rss / 1e6
    grown = ", ".join(f"{name} +{added}" for name, added in (count - before).most_common(8)) if before else ""
    print(
        f"  round {number:3}: {resident:5.0f} MB, {widgets:,} widgets, {objects:,} QObjects, "
        f"{sum(count.values()):,} Python objects; {grown}",
        flush=True,
    )
    return count


def roots() -> list[QObject]:
    app = QApplication.instance()
    return [*QApplication.topLevelWidgets(), *([app] if app else [])]


class Wakes(QObject):
    """Counts the timers that fire, by the object that they wake."""

    def __init__(self, app: QApplication) -> None:
        super().__init__(app)
        self.counts: Counter[str] = Counter()
        app.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Timer:
            parent = watched.parent()
            owner = f" of {type(parent).__name__}" if parent is not None else ""
            self.counts[f"{type(watched).__name__}{owner}"] += 1
        return False


def rest(app: QApplication, parts: AppContext, seconds: float) -> None:
    """Show the window, leave it alone, and print what wakes it."""
    parts.window.show()
    loop = QEventLoop()
    QTimer.singleShot(3000, loop.quit)  # what follows the start
    loop.exec()
    wakes, began_s = Wakes(app), time.process_time()
    QTimer.singleShot(round(1000 * seconds), loop.quit)
    loop.exec()
    took_ms = 1000 * (time.process_time() - began_s)
    app.removeEventFilter(wakes)
    print(f"  {took_ms:.0f} ms of processor time in {seconds:.0f} s; {dict(wakes.counts.most_common())}", flush=True)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks window")
    parser.add_argument("--share", type=float, nargs="+", default=[1.0])
    parser.add_argument("--rounds", type=int, default=0)
    parser.add_argument("--idle", type=float, default=0.0, metavar="SECONDS")
    parser.add_argument("--pictures", type=Path)
    options = parser.parse_args(arguments)
    if len(options.share) > 1:  # each in a process of its own, because the widgets of a closed window stay
        others = [*(f"--{name}={value}" for name, value in vars(options).items() if name != "share" and value)]
        command = [sys.executable, "-P", "-m", "tests.benchmarks", "window", *others, "--share"]
        return max(subprocess.run([*command, str(share)], check=False).returncode for share in options.share)
    (share,) = options.share
    app = desktop.make_application("ja")
    with tempfile.TemporaryDirectory(prefix="kotae-bench-") as folder:
        parts = open_window(app, Path(folder), share)
        print(f"share {share}", flush=True)
        if options.idle:
            rest(app, parts, options.idle)
        elif options.rounds:
            use(parts, options.rounds)
        else:
            measure_openings(parts, options.pictures)
        parts.window.close()
        parts.close()
    return 0


if __name__ == "__main__":
    status = main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(status)
