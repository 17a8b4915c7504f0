"""Saves pictures of the real window: `python -m tests.screenshots FOLDER [NAME…]`. A script, not a test.

Every picture is made with a data folder of its own and thrown-away content, so that it can be looked at and compared.
A new picture is one function in SHOTS.
"""

import argparse
import dataclasses
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QEventLoop, QTimer
from PySide6.QtWidgets import QApplication, QWidget

from app.application import Parts, build
from app.core import paths
from app.core.errors import AppError
from app.core.records import AnswerDetails, Draft, LocalModel
from app.core.shelf import Shelf
from app.core.store import Store
from app.core.wording import current_language
from app.engine.messages import EngineFacts
from app.services.events import EngineStatus
from app.services.preferences import Preferences
from app.ui import desktop
from app.ui.first_run.dialog import FirstRunDialog
from app.ui.theme import Theme

SIZES = {"wide": (1440, 900), "small": (800, 600)}
DAY_S = 24 * 60 * 60

QUESTIONS = {"ja": (
    (
        0,
        "会議室の予約を取り消すには、どうすればよいですか。",
        "予約の画面で対象の行を選び、**取り消す**を押します。\n\n次の点に気をつけてください。\n\n"
        "- 開始の 30 分前を過ぎると取り消せません。\n- 繰り返しの予約は、1 回分だけ取り消せます。",
    ),
    (0, "出張費の精算の締め切りはいつですか", "毎月 25 日です。"),
    (1, "単位の換算：1 坪は何平方メートルですか", "約 3.31 m² です。"),
    (1, "議事録の書き方を箇条書きで教えて", "1. 日時\n2. 出席者\n3. 決まったこと"),
    (9, "年末年始の窓口の受付時間と、緊急のときの連絡先の一覧", "別紙のとおりです。"),
    (40, "消火器の点検はどのくらいの間隔で行いますか", "6 か月に 1 回です。"),
    (400, "旧庁舎の図面の保管場所", "書庫の 3 番の棚です。"),
), "en": (
    (
        0,
        "How do I cancel the booking of a meeting room?",
        "Select its row on the booking page and press **Cancel**.\n\nMind two things.\n\n"
        "- It cannot be cancelled later than 30 minutes before its start.\n- A series can be cancelled one by one.",
    ),
    (0, "When are travel expenses due?", "On the 25th of each month."),
    (1, "Units: how many square metres is one tsubo?", "About 3.31 m²."),
    (1, "How to write minutes, in bullet points", "1. Date and time\n2. Who was there\n3. What was decided"),
    (9, "Office hours around New Year, and the numbers to call in an emergency", "See the sheet attached."),
    (40, "How often are fire extinguishers inspected?", "Every six months."),
    (400, "Where the drawings of the old building are kept", "On shelf 3 of the archive."),
)}  # fmt: skip
OWN_MODEL = {
    "ja": ("社内用語モデル 3B Q5_K_M", "/data/models/とても長いフォルダの名前/shanai-3b-q5_k_m.gguf"),
    "en": ("House style 3B Q5_K_M", "/data/models/a folder with quite a long name/house-style-3b-q5_k_m.gguf"),
}
FILTERS = {"ja": "点検", "en": "how"}
FOLDERS = {"ja": ("総務", "設備の点検と保守の記録"), "en": ("Office", "Inspections and maintenance records")}


def facts(path: str, context_tokens: int = 8192) -> EngineFacts:
    values = {
        "path": path, "description": "llama 8B Q4_K - Medium", "architecture": "llama", "parameters": 8_030_000_000,
        "weights_bytes": 4_920_000_000, "context_tokens": context_tokens, "trained_context_tokens": 8192,
        "batch_tokens": 512, "threads": 7, "repack": False, "kv_type": "f16", "kv_bytes": 1_070_000_000,
        "compute_bytes": 300_000_000, "flash_attention": False, "gpu_layers": 0, "total_layers": 33,
        "gpu_reason": "no_backend", "backend": "CPU", "resident_bytes": 6_400_000_000, "load_s": 3.1,
        "warm_up_s": 0.4,
    }  # fmt: skip
    fields = {field.name: field for field in dataclasses.fields(EngineFacts)}
    missing = {name: _blank(field.type) for name, field in fields.items() if name not in values}
    return EngineFacts(**{**missing, **{name: value for name, value in values.items() if name in fields}})


def _blank(kind: object) -> object:
    return {"int": 0, "float": 0.0, "bool": False, "str": ""}.get(getattr(kind, "__name__", str(kind)), 0)


def fill(store: Store, clock: list[float]) -> None:
    now = time.time()
    for days, question, answer in reversed(QUESTIONS[current_language()]):
        clock[0] = now - days * DAY_S - 300
        asked = store.add_question(question)
        details = AnswerDetails("m", "Swallow-8B Q4_K_M", "end", tokens_per_s=44.9, total_s=8.2, first_token_s=0.6)
        reply = store.add_answer(asked.id, details)
        store.finish_answer(reply.id, answer, "done", details)
    clock[0] = now


def add_models(store: Store) -> None:
    store.put_local_model(LocalModel(
        "swallow", "Llama-3-Swallow-8B-Instruct v0.1 Q4_K_M",
        "/data/models/Llama-3-Swallow-8B-Instruct-v0.1-Q4_K_M.gguf",
        4_920_734_048, "llama", "Q4_K_M", 8192, time.time(), "llama-3-swallow-8b-instruct-v0.1", "llama3",
        speeds={"plain": {"prompt": 61.0, "answer": 8.4}, "repacked": {"prompt": 44.0, "answer": 11.2}},
    ))  # fmt: skip
    store.put_local_model(LocalModel(
        "own", *OWN_MODEL[current_language()], 2_310_000_000, "qwen2", "Q5_K_M", 32768, time.time(),
    ))  # fmt: skip


def pause(seconds: float = 0.25) -> None:
    loop = QEventLoop()
    QTimer.singleShot(round(seconds * 1000), loop.quit)
    loop.exec()


def make(app: QApplication, folder: str, theme_name: str, **settings: object) -> Parts:
    where = paths.locate(folder)
    clock = [time.time()]
    store = Store.open(where.database, where.backups, lambda: clock[0])
    if settings.pop("filled", True):
        fill(store, clock)
        add_models(store)
    preferences = Preferences(where.settings)
    preferences.change(theme=theme_name, model_id="swallow", **settings)
    theme = Theme()
    theme.apply(app, preferences.value)
    return build(where, theme, preferences, store)


def answering(parts: Parts) -> None:
    path = parts.library.models()[0].path
    parts.engine.status = EngineStatus("ready", "Swallow-8B Q4_K_M", facts(path), 3412, 44.9, 0.6)
    parts.engine.status_changed.emit(parts.engine.status)


def chat(parts: Parts) -> None:
    parts.session.open(parts.conversations.all()[0].id)
    answering(parts)


def chat_low(parts: Parts) -> None:
    chat(parts)
    parts.window.status_line.show_status(dataclasses.replace(parts.engine.status, used_tokens=7600))
    parts.window.list_actions.bin([parts.conversations.all()[2].id])


def new(parts: Parts) -> None:
    parts.window.sidebar.filter.setText(FILTERS[current_language()])


def drawer(parts: Parts) -> None:
    chat(parts)
    parts.window.toggle_sidebar()


def folders(parts: Parts) -> None:
    ids = [conversation.id for conversation in parts.conversations.all()]
    office, inspections = FOLDERS[current_language()]
    parts.conversations.add_folder(office, ids[3:5])
    parts.conversations.add_folder(inspections, ids[5:])
    parts.conversations.pin([ids[1], ids[6]])
    Shelf(parts.store.database).keep_draft(ids[2], Draft(FILTERS[current_language()]))
    chat(parts)
    parts.window.toggle_sidebar()


def folders_several(parts: Parts) -> None:
    folders(parts)
    sidebar = parts.window.sidebar
    sidebar.conversations.fold(parts.conversations.folders()[0].id, is_folded=True)
    ids = [conversation.id for conversation in parts.conversations.all()]
    sidebar.list.choose(ids[:3], sidebar.conversations.index_of(ids[2]))
    sidebar.list._show_menu()


def folder_menu(parts: Parts) -> None:
    folders(parts)
    listed = parts.window.sidebar.list
    listed.setCurrentIndex(parts.window.sidebar.conversations.index_of_folder(parts.conversations.folders()[0].id))
    listed._show_menu()


def folder_new(parts: Parts) -> None:
    folders(parts)
    parts.window.list_actions.add_folder()


def sidebar_menu(parts: Parts) -> None:
    chat(parts)
    parts.window.toggle_sidebar()
    parts.window.sidebar._show_menu()


def bin(parts: Parts) -> None:
    chat(parts)
    ids = [conversation.id for conversation in parts.conversations.all()]
    parts.window.list_actions.bin(ids[4:6])
    parts.window.list_actions.bin(ids[2:3])
    parts.window._on_page_chosen("bin")


def bin_erasure(parts: Parts) -> None:
    bin(parts)
    parts.window.page("bin").list.selectAll()
    parts.window.page("bin").erase_button.click()


def bin_empty(parts: Parts) -> None:
    parts.window._on_page_chosen("bin")


def models(parts: Parts) -> None:
    answering(parts)
    parts.window._on_page_chosen("models")


def models_trial(parts: Parts) -> None:
    models(parts)
    page = parts.window.page("models")
    page.list.setCurrentIndex(page.models.index_of("card:gemma-3-270m"))
    page.progress.start(page.tr("お試し用モデルを追加しています"))
    page.progress.set_progress(144_000_000, 253_113_024, is_bytes=True)


def models_refused(parts: Parts) -> None:
    models(parts)
    parts.window.page("models")._on_failed(AppError("not_gguf_html"))


def models_detail(parts: Parts) -> None:
    models(parts)
    page = parts.window.page("models")
    page._on_clicked(page.list.currentIndex())


def settings_look(parts: Parts) -> None:
    parts.window._on_page_chosen("settings")


def settings_questions(parts: Parts) -> None:
    parts.window._on_page_chosen("settings")
    parts.window.page("settings").show_section(1)


def settings_models(parts: Parts) -> None:
    parts.window._on_page_chosen("settings")
    parts.window.page("settings").show_section(2)


def settings_data(parts: Parts) -> None:
    parts.window._on_page_chosen("settings")
    parts.window.page("settings").show_section(3)


def problem(parts: Parts) -> None:
    chat(parts)
    parts.window.show_problem(AppError("memory_short", need_bytes=6_600_000_000, free_bytes=4_100_000_000))


def consent(parts: Parts) -> None:
    models(parts)
    parts.window.page("models").consent_dialog().open()


def removal(parts: Parts) -> None:
    models(parts)
    parts.window.page("models").removal_dialog(parts.library.models()[0]).open()


def first(parts: Parts) -> None:
    """Nothing stored, no model."""


def first_run_1(parts: Parts) -> None:
    parts.window.first_run_requested.emit()
    pause(0.1)


def first_run_2(parts: Parts) -> None:
    first_run_1(parts)
    parts.window.findChild(FirstRunDialog).show_step(1)


def first_run_2_working(parts: Parts) -> None:
    first_run_2(parts)
    step = parts.window.findChild(FirstRunDialog).model
    step._on_failed(AppError("not_gguf_html"))
    step.progress.start(step.tr("モデルを追加しています"))
    step.progress.set_progress(144_000_000, 253_113_024, is_bytes=True)


def first_run_3(parts: Parts) -> None:
    first_run_1(parts)
    parts.window.findChild(FirstRunDialog).show_step(2)


SHOTS: dict[str, Callable[[Parts], None]] = {
    shot.__name__: shot
    for shot in (
        chat, chat_low, new, drawer, first, models, models_trial, models_refused, models_detail, settings_look,
        settings_questions,
        settings_models, settings_data, problem, consent, removal,
        folders, folders_several, folder_menu, folder_new, sidebar_menu, bin, bin_erasure, bin_empty,
        first_run_1, first_run_2, first_run_2_working, first_run_3,
    )
}  # fmt: skip


@contextmanager
def opened(app: QApplication, folder: str, name: str, theme: str, size: str, scale: int = 100) -> Iterator[Parts]:
    """The window with the shot `name` on it; closed with all its dialogs afterwards."""
    parts = make(app, folder, theme, filled=not name.startswith("first"), text_scale_percent=scale)
    try:
        parts.window.resize(*SIZES[size])
        parts.window.show()
        pause(0.1)
        SHOTS[name](parts)
        pause()
        yield parts
    finally:
        for dialog in other_windows(app, parts):
            dialog.close()
        parts.window.close()
        parts.close()
        parts.window.deleteLater()
        pause(0.05)


def other_windows(app: QApplication, parts: Parts) -> list[QWidget]:
    return [widget for widget in app.topLevelWidgets() if widget.isVisible() and widget is not parts.window]


def take(app: QApplication, target: Path, name: str, theme: str, size: str, scale: int) -> Path:
    with tempfile.TemporaryDirectory() as folder, opened(app, folder, name, theme, size, scale) as parts:
        suffix = "" if scale == 100 else f"-{scale}"
        file = target / f"{name}-{size}-{theme}{suffix}.png"
        parts.window.grab().save(str(file))
        for dialog in other_windows(app, parts):
            dialog.grab().save(str(file.with_stem(f"{file.stem}-dialog")))
    return file


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(SHOTS))
    parser.add_argument("--theme", nargs="*", default=["light", "dark"], choices=["light", "dark"])
    parser.add_argument("--size", nargs="*", default=list(SIZES), choices=list(SIZES))
    parser.add_argument("--scale", type=int, default=100, help="text size in percent")
    parser.add_argument("--lang", default="ja", choices=["ja", "en"])
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    app = desktop.make_application(arguments.lang)
    for name in arguments.names or SHOTS:
        for theme in arguments.theme:
            for size in arguments.size:
                print(take(app, arguments.folder, name, theme, size, arguments.scale))
    return 0


if __name__ == "__main__":
    sys.exit(main())
