"""Saves pictures of the real window: `python -m tests.screenshots FOLDER [NAME…]`. A script, not a test.

`python -m tests.screenshots --readme --lang ja` (or en) makes those of the README anew, `--manual` those of the manual.

Every picture is made with a data folder of its own and thrown-away content, so that it can be looked at and compared.
A new picture is one function in SHOTS.
"""

import argparse
import dataclasses
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy
from PySide6.QtCore import QEventLoop, QTimer
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication, QScrollArea, QWidget

from app.application import AppContext, build
from app.base import paths
from app.base.errors import AppError
from app.base.paths import resources
from app.base.services.preferences import Preferences
from app.base.wording import current_language, phrase
from app.chat.exchange.conversation_import import ImportedConversations
from app.chat.exchange.json_file import ImportRefusal
from app.chat.organizer import ConversationOrganizer
from app.chat.presets import PROGRAM_DEFAULTS, Choices, parse_presets
from app.chat.records import AnswerDetails, Message, UnsentDraft
from app.chat.store import Store
from app.inference import speed
from app.inference.engine.messages import EngineFacts
from app.inference.local_model import FileFingerprint, LocalModel
from app.inference.services.events import EngineStatus
from app.inference.speed import MachineSpeed
from app.models import catalogue, hf_folders, hub_models, models_folder, starter
from app.models.artifact_steps import StepProgress
from app.models.downloads.messages import HubRepository, ListedFile
from app.models.found_models import FoundModel, FoundModels, SkippedModel
from app.models.kits.kit_import import ImportedModels as KitImported
from app.models.kits.transfer_kit import Kit, KitFile, KitModel, KitPart
from app.models.models_folder import FolderMove
from app.models.services.downloads import Download
from app.models.training_environment import EnvironmentProbe, TrainingDevice
from app.models.ui import model_actions
from app.models.verification import VerifyResult
from app.shell.ui.first_run_dialog import FirstRunDialog
from app.shell.ui.settings.training import TrainingPanel
from app.training.environment.folders import EnvironmentReport
from app.training.environment.install_plan import InstallNeed
from app.training.environment.messages import Phase
from app.uikit import desktop
from app.uikit.desktop import Pickers
from app.uikit.theme import Theme
from tests import hf_models
from tests.batch_shots import BATCH_SHOTS
from tests.document_shots import DOCUMENT_SHOTS
from tests.evaluation_shots import EVALUATION_SHOTS
from tests.licences_shots import LICENCES_SHOTS
from tests.offline_shots import OFFLINE_SHOTS
from tests.pack_shots import PACK_SHOTS
from tests.rating_shots import RATING_SHOTS
from tests.remote_shots import REMOTE_SHOTS
from tests.source_shots import SOURCE_SHOTS
from tests.start_shots import START_SHOTS
from tests.training_shots import TRAINING_SHOTS
from tests.waiting import process_until

SIZES = {"wide": (1440, 900), "laptop": (1280, 720), "small": (800, 600)}
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
OFFICE_PRESET = {
    "ja": ("仕様書の確認", "発注者の立場で、根拠となる仕様書の項目を挙げて答えてください。"),
    "en": ("Checking specifications", "Answer as the client, and name the clause of the specification."),
}
FOLDERS = {"ja": ("総務", "設備の点検と保守の記録"), "en": ("Office", "Inspections and maintenance records")}


NOT_THERE = {"ja": "橋脚補強", "en": "pier strengthening"}
SOUGHT = {"ja": "予約　会議室", "en": "booking room"}
MORE_TO_FIND = {"ja": (
    (
        "来客用の駐車場と応接室の手配",
        "応接室は**会議室**と同じ画面で予約します。駐車場の**予約**は前日の 17 時までに総務へ電話してください。",
    ),
    ("プロジェクターの貸し出し", "会議室に備え付けのものは予約がいりません。持ち出すときは台帳に記入します。"),
    (
        "会議室の一覧と定員、予約の決まりを表にしてください",
        "| 会議室 | 定員 | 予約 |\n|---|---:|---|\n| 大 | 24 名 | 2 か月前から |",
    ),
), "en": (
    ("Parking and a reception room for visitors", "Make the **booking** where a meeting **room** is booked."),
    ("Borrowing a projector", "The one in a meeting room needs no booking."),
    (
        "A table of meeting rooms with their booking rules",
        "| Room | Seats | Booking |\n|---|---:|---|\n| Large | 24 | 2 months ahead |",
    ),
)}  # fmt: skip


def facts(path: str, context_tokens: int = 8192) -> EngineFacts:
    return EngineFacts(
        path, "llama", 8_030_000_000, weights_bytes=4_920_000_000, context_tokens=context_tokens,
        trained_context_tokens=8192, batch_tokens=512, threads=7, kv_type="f16", kv_bytes=1_070_000_000,
        compute_bytes=300_000_000, total_layers=33, gpu_reason="no_backend", backend="CPU",
        resident_bytes=6_400_000_000, load_s=3.1, warm_up_s=0.4,
    )  # fmt: skip


def fill(store: Store, clock: list[float]) -> None:
    now = time.time()
    details = AnswerDetails("m", "Swallow-8B Q4_K_M", "end", tokens_per_s=44.9, total_s=8.2, first_token_s=0.6)
    with store.database.transaction():
        for days, question, answer in reversed(QUESTIONS[current_language()]):
            clock[0] = now - days * DAY_S - 300
            reply = store.add_answer(store.add_question(question).id, details)
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


def make(app: QApplication, folder: str, theme_name: str, **settings: object) -> AppContext:
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


def answering(parts: AppContext) -> None:
    path = parts.library.models()[0].path
    parts.engine.status = EngineStatus("ready", "Swallow-8B Q4_K_M", facts(path), 3412, 44.9, 0.6)
    parts.engine.status_changed.emit(parts.engine.status)


def chat(parts: AppContext) -> None:
    parts.session.open(parts.conversations.all_conversations()[0].id)
    answering(parts)


def chat_low(parts: AppContext) -> None:
    chat(parts)
    parts.window.status_line.show_status(dataclasses.replace(parts.engine.status, used_tokens=7600))
    parts.window.list_actions.bin([parts.conversations.all_conversations()[2].id])


def new(parts: AppContext) -> None:
    parts.window.sidebar.filter.setText(FILTERS[current_language()])


def drawer(parts: AppContext) -> None:
    chat(parts)
    parts.window.toggle_sidebar()


def folders(parts: AppContext) -> None:
    ids = [conversation.id for conversation in parts.conversations.all_conversations()]
    office, inspections = FOLDERS[current_language()]
    parts.conversations.add_folder(office, ids[3:5])
    parts.conversations.add_folder(inspections, ids[5:])
    parts.conversations.pin([ids[1], ids[6]])
    ConversationOrganizer(parts.store.database).keep_draft(ids[2], UnsentDraft(FILTERS[current_language()]))
    chat(parts)
    parts.window.toggle_sidebar()


def folders_several(parts: AppContext) -> None:
    folders(parts)
    sidebar = parts.window.sidebar
    sidebar.conversations.fold(parts.conversations.folders()[0].id, is_folded=True)
    ids = [conversation.id for conversation in parts.conversations.all_conversations()]
    sidebar.list.choose(ids[:3], sidebar.conversations.index_of(ids[2]))
    sidebar.list._show_menu()


def folder_menu(parts: AppContext) -> None:
    folders(parts)
    listed = parts.window.sidebar.list
    listed.setCurrentIndex(parts.window.sidebar.conversations.index_of_folder(parts.conversations.folders()[0].id))
    listed._show_menu()


def folder_new(parts: AppContext) -> None:
    folders(parts)
    parts.window.list_actions.add_folder()


def sidebar_menu(parts: AppContext) -> None:
    chat(parts)
    parts.window.toggle_sidebar()
    parts.window.sidebar._show_menu()


def bin(parts: AppContext) -> None:
    chat(parts)
    ids = [conversation.id for conversation in parts.conversations.all_conversations()]
    parts.window.list_actions.bin(ids[4:6])
    parts.window.list_actions.bin(ids[2:3])
    parts.window._on_page_chosen("bin")


def bin_erasure(parts: AppContext) -> None:
    bin(parts)
    parts.window.page("bin").list.selectAll()
    parts.window.page("bin").erase_button.click()


def bin_empty(parts: AppContext) -> None:
    parts.window._on_page_chosen("bin")


def models(parts: AppContext) -> None:
    answering(parts)
    parts.window._on_page_chosen("models")


def models_measured(parts: AppContext) -> None:
    speed.save(parts.paths.data / speed.FILE_NAME, MachineSpeed(1.48e10, 4.34e11, 1.4e11, 2, 1.0))
    models(parts)
    page = parts.window.page("models")
    pause(0.5)
    page.list.setCurrentIndex(page.models.index_of("card:qwen2.5-7b-instruct"))


def models_trial(parts: AppContext) -> None:
    models(parts)
    page = parts.window.page("models")
    page.list.setCurrentIndex(page.models.index_of("card:gemma-3-270m"))
    page.progress.start(phrase("common.adding_the_trial_model"))
    page.progress.set_progress(144_000_000, 253_113_024, is_bytes=True)


def models_trial_added(parts: AppContext) -> None:
    """With the adapter that it comes with."""
    models(parts)
    card = starter.card()
    file = card.files[0]
    parts.library.add(LocalModel(
        "trial", card.title, f"/data/models/{starter.file_name(card)}", file.size_bytes, card.shape.architecture,
        file.quantization, card.context_tokens, time.time(), card.id, card.form,
        files=(FileFingerprint(starter.file_name(card), file.size_bytes, 1, file.sha256),),
    ))  # fmt: skip
    page = parts.window.page("models")
    page.list.setCurrentIndex(page.models.index_of("model:trial"))
    page._on_entry_clicked(page.list.currentIndex())


def models_refused(parts: AppContext) -> None:
    models(parts)
    actions = (("import", phrase("common.choose_another_file")),)
    parts.window.page("models").banner.show_error(AppError("not_gguf_html"), actions)


def models_detail(parts: AppContext) -> None:
    models(parts)
    page = parts.window.page("models")
    page._on_entry_clicked(page.list.currentIndex())


def models_menu(parts: AppContext) -> None:
    models(parts)
    page = parts.window.page("models")
    page.menu_button.click()


def models_found(parts: AppContext) -> None:
    """What the search of other programs' folders gives."""
    models(parts)
    home = Path("/home/yamada")
    listed = Path(parts.library.models()[0].path)
    found = FoundModels(
        [
            FoundModel(
                home / ".lmstudio/models/a/gemma-3-12b-it-Q4_K_M.gguf", "lm_studio", "gemma-3-12b-it-Q4_K_M",
                7_300_000_000, "gemma3", "Q4_K_M", 131072,
            ),
            FoundModel(
                home / ".ollama/models/blobs/sha256-1", "ollama", "qwen2.5:14b", 8_990_000_000, "qwen2", "Q4_K_M", 32768
            ),
            FoundModel(
                home / ".cache/huggingface/hub/x/Llama-3.3-Swallow-70B-Instruct-v0.4-Q4_K_M-00001-of-00003.gguf",
                "huggingface", "Llama-3.3-Swallow-70B-Instruct-v0.4-Q4_K_M-00001-of-00003", 42_500_000_000, "llama",
                "Q4_K_M", 131072, 3,
            ),
            FoundModel(listed, "kotae", listed.stem, 4_920_734_048, "llama", "Q4_K_M", 8192),
        ],
        [
            SkippedModel(home / ".ollama/x", "ollama", AppError("found_no_weights", name="gpt-oss:120b-cloud")),
            SkippedModel(home / "jan/half.gguf", "gpt4all", AppError("truncated", have_bytes=3e9, need_bytes=4.9e9)),
        ],
    )  # fmt: skip
    dialog = parts.window.page("models").maintenance_strip.search_other_programs()
    dialog._work._end_own_task()
    parts.maintenance.cancel()
    dialog.show_findings(found)
    next(iter(dialog.list.rows.values())).box.setChecked(True)


def models_hub(parts: AppContext) -> None:
    """What a search of Hugging Face gives: an open, a gated and an unknown one."""
    models(parts)
    panel = parts.window.page("models").hub
    parts.window.page("models").tabs.buttons["hub"].click()
    panel.field.setText("Swallow 8B")
    panel._words = "Swallow 8B"
    facts = (("llama", False, "llama3.1"), ("llama", True, "gemma"), ("quasar9", False, ""))
    found = [
        hub_models.card_of(
            HubRepository(
                f"owner-{number}/Llama-3.1-Swallow-8B-GGUF", "c" * 40,
                tuple(ListedFile(f"Swallow-{form}.gguf", size, "a" * 64) for form, size in
                      (("Q4_K_M", 4_920_734_048), ("Q8_0", 8_540_770_656))),
                licence, is_gated, 8_030_000_000, 131072, architecture,
            )
        )
        for number, (architecture, is_gated, licence) in enumerate(facts)
    ]  # fmt: skip
    panel._on_found(tuple(found))


def catalogue_source(parts: AppContext) -> None:
    models(parts)
    parts.window.page("models")._downloads.update_catalogue(parts.window)


def models_verifying(parts: AppContext) -> None:
    models(parts)
    care = parts.window.page("models").maintenance_strip
    care.progress.start(phrase("models.verifying_name", name=parts.library.models()[0].name))
    care.progress.set_progress(2_950_000_000, 4_920_734_048, is_bytes=True)


def models_damaged(parts: AppContext) -> None:
    """Two verified, one of them damaged."""
    models(parts)
    own, swallow = sorted(parts.library.models(), key=lambda model: model.id)
    problem = AppError("model_file_damaged", path=swallow.path)
    verdicts = [VerifyResult(own, "sound"), VerifyResult(swallow, "damaged", problem)]
    parts.maintenance._verdicts = verdicts
    parts.maintenance._on_verified(verdicts)
    parts.window.page("models").maintenance_strip._on_verified(verdicts)
    page = parts.window.page("models")
    page._on_entry_clicked(page.list.currentIndex())


def kit_export(parts: AppContext) -> None:
    models(parts)
    parts.window.page("models").maintenance_strip.choose_export()


def kit_written(parts: AppContext) -> None:
    models(parts)
    pieces = [KitPart(3_900_000_000, "0" * 64, f"001-000{number}.kotae-part") for number in (1, 2)]
    kit = Kit((KitModel("m", (KitFile(4_920_734_048, "0" * 64, tuple(pieces)),)),))
    parts.window.page("models").maintenance_strip._on_kit_written(kit, Path("/media/yamada/KOTAE-USB/kotae-models"))


def kit_problems(parts: AppContext) -> None:
    models(parts)
    missing = AppError("kit_part_missing", part="002-0003.kotae-part")
    problems = [AppError("kit_part_damaged", part="002-0001.kotae-part"), missing]
    outcome = KitImported(parts.library.models()[:1], (), ["Qwen2.5-7B-Instruct-Q4_K_M"], problems)
    parts.window.page("models").maintenance_strip._on_kit_read(outcome)


def coming(parts: AppContext, *items: Download) -> None:
    """As if these were on their way."""
    parts.downloads.items = lambda: list(items)
    parts.downloads.changed.emit()


def download(card_id: str, state: str, done: float, **more: object) -> Download:
    card = catalogue.card(card_id)
    file = card.file_of("Q4_K_M")
    return Download(
        card_id, card_id, card.title, "Q4_K_M", (file.file,), "huggingface.co", file.size_bytes,
        round(done * file.size_bytes), state, **more,
    )  # fmt: skip


def models_downloading(parts: AppContext) -> None:
    models(parts)
    coming(
        parts,
        download("sarashina2.2-3b-instruct-v0.1", "running", 0.57, bytes_per_s=24.6e6, seconds_left=36.0),
        download("qwen2.5-7b-instruct", "waiting", 0.0),
        download("llama-3-elyza-jp-8b", "paused", 0.21),
    )
    page = parts.window.page("models")
    page.list.setCurrentIndex(page.models.index_of("card:sarashina2.2-3b-instruct-v0.1"))
    page.list.scrollToTop()


def models_download_detail(parts: AppContext) -> None:
    models_downloading(parts)
    page = parts.window.page("models")
    page._on_entry_clicked(page.list.currentIndex())


def models_download_failed(parts: AppContext) -> None:
    models(parts)
    gated = AppError("download_gated", repository="owner/name", page="https://huggingface.co/owner/name")
    failed = download("llama-3-elyza-jp-8b", "failed", 0.4, problem=gated)
    coming(parts, failed)
    parts.downloads.failed.emit(failed)


def models_offline(parts: AppContext) -> None:
    parts.preferences.change(network_allowed=False)
    models(parts)
    page = parts.window.page("models")
    page.list.setCurrentIndex(page.models.index_of("card:qwen2.5-7b-instruct"))
    page._on_entry_clicked(page.list.currentIndex())


def download_consent(parts: AppContext) -> None:
    models(parts)
    card = catalogue.card("llama-3.1-swallow-8b-instruct-v0.5")
    parts.window.page("models")._downloads.offer(card, card.file_of("Q4_K_M"), parts.window)


def download_source(parts: AppContext) -> None:
    models(parts)
    card = catalogue.card("llama-3.1-swallow-8b-instruct-v0.5")
    page = parts.window.page("models")
    dialog = page._downloads.ask_source(card, card.file_of("Q4_K_M"), parts.window)
    dialog.use_folder("/media/yamada/KOTAE-USB")


def token(parts: AppContext) -> None:
    models_download_failed(parts)
    item = parts.downloads.items()[0]
    parts.window.page("models")._downloads.ask_token(item.id, parts.window)


def build_model(parts: AppContext) -> None:
    """What to build, with a folder that was looked through."""
    models(parts)
    folder = parts.maintenance.models_folder.parent / "Swallow-tiny"
    hf_models.model(folder)
    dialog = parts.window.page("models").ask_to_build()
    dialog.banner.hide()
    dialog._on_source_read(hf_folders.read_hf_model(folder))
    dialog.source.show_path(str(folder))
    dialog.list.rows["Q8_0"].box.setChecked(True)


def build_refused(parts: AppContext) -> None:
    models(parts)
    parts.build_controller.obstacle = lambda: AppError(
        "no_training_environment", path="/data/training-environment/python"
    )
    dialog = parts.window.page("models").ask_to_build()
    dialog.source.show_path("/home/yamada/Downloads/pickled")
    dialog._on_source_refused(AppError("hf_pickle", file="pytorch_model.bin"))


def build_making_training(parts: AppContext) -> None:
    build_refused(parts)
    _pretend_to_make(parts)


def building(parts: AppContext) -> None:
    models(parts)
    strip = parts.window.page("models").building
    strip._on_progressed(StepProgress("quantize", "Q4_K_M", 2_100_000_000, 4_920_000_000, 2, 3))


def settings_look(parts: AppContext) -> None:
    parts.window._on_page_chosen("settings")


def settings_questions(parts: AppContext) -> None:
    parts.window._on_page_chosen("settings")
    parts.window.page("settings").show_section(1)


def settings_models(parts: AppContext) -> None:
    parts.window._on_page_chosen("settings")
    parts.window.page("settings").show_section(3)


def settings_network(parts: AppContext) -> None:
    parts.window.show_settings("network")
    section = parts.window.page("settings").section("network")
    section.proxy.setText("http://user:secret@proxy:8080")
    section.proxy.editingFinished.emit()


def settings_moving(parts: AppContext) -> None:
    settings_models(parts)
    storage = parts.window.page("settings").section("models").storage
    storage.progress.start(phrase("shell.moving"))
    storage.progress.set_progress(3_100_000_000, 14_460_000_000, is_bytes=True)


def settings_move(parts: AppContext) -> None:
    settings_models(parts)
    parts.window.page("settings").section("models").storage.ask_to_move(Path("/media/yamada/kotae/models"))


def proxy_login(parts: AppContext) -> None:
    settings_network(parts)
    parts.window.page("settings").section("network").ask_login()


def settings_models_details(parts: AppContext) -> None:
    parts.preferences.change(shows_details=True)
    settings_models(parts)


LIBRARIES = {
    "torch": "2.13.0", "transformers": "5.24.0", "peft": "0.21.2", "accelerate": "1.15.0", "bitsandbytes": "0.50.2",
    "safetensors": "0.8.0", "gguf": "0.19.0",
}  # fmt: skip
TRAINING = EnvironmentReport(
    Path("/home/yamada/.local/share/Kotae/training-environment/bin/python"),
    size_bytes=6_140_000_000,
    probe=EnvironmentProbe(
        "3.13.5", LIBRARIES, "13.0", (TrainingDevice("NVIDIA RTX 4060 Ti", 16_000_000_000),), "0.3.36"
    ),
    is_own=True,
    previous_bytes=5_130_000_000,
)
NO_TRAINING = EnvironmentReport(
    None, problem=AppError("no_training_environment", path="/data/training-environment/python")
)


def settings_training(parts: AppContext, report: EnvironmentReport = TRAINING) -> None:
    parts.training_setup.look = lambda done: done(report)
    parts.window.show_settings("training")


def settings_training_broken(parts: AppContext) -> None:
    reason = "ModuleNotFoundError: No module named 'torch'"
    error = AppError("training_environment_broken", path=str(TRAINING.python), reason=reason)
    settings_training(parts, dataclasses.replace(TRAINING, probe=None, problem=error))
    parts.training_setup.failed.emit(AppError("training_index_unreachable", host="pypi.org", reason="ProxyError"))


def settings_training_making(parts: AppContext) -> None:
    settings_training(parts, dataclasses.replace(NO_TRAINING, left_bytes=740_000_000))
    _pretend_to_make(parts)


def training_make(parts: AppContext) -> None:
    settings_training(parts, NO_TRAINING)
    _estimate(parts, InstallNeed(8_500_000_000, 2_830_000_000, 96 * 10**9, None, "cuda", "3.13", fetches_python=True))
    panel_of_training(parts).making.ask()


def training_make_offline(parts: AppContext) -> None:
    settings_training(parts, NO_TRAINING)
    _estimate(parts, InstallNeed(6_000_000_000, 0, 2_100_000_000, None, "cpu", "3.12", lacks_cuda=True))
    making = panel_of_training(parts).making
    making._pickers = Pickers(folder=lambda *_: "/media/yamada/USB/wheels")
    making.ask_offline()


def training_kit(parts: AppContext) -> None:
    settings_training(parts, TRAINING)
    panel = panel_of_training(parts)
    panel._pickers = Pickers(folder=lambda *_: "/media/yamada/USB/kotae-training")
    panel.ask_for_kit()._choose_place()


def _estimate(parts: AppContext, need: InstallNeed) -> None:
    parts.training_setup.estimate = lambda _wheels, done, _failed, base, _variant: done(
        dataclasses.replace(need, base=base)
    )


def panel_of_training(parts: AppContext) -> TrainingPanel:
    return parts.window.page("settings").section("training").panel


def _pretend_to_make(parts: AppContext) -> None:
    setup = parts.training_setup
    setup._started_at = time.monotonic() - 42
    setup.phase = Phase("fetch", "nvidia-cudnn-cu13", 1_180_000_000, 2_834_000_000)
    setup.began.emit()
    setup.progressed.emit(setup.phase)


def settings_data(parts: AppContext) -> None:
    parts.window._on_page_chosen("settings")
    parts.window.page("settings").show_section(6)


def presets(parts: AppContext) -> None:
    office = Choices(OFFICE_PRESET[current_language()][1], temperature=0.2, max_tokens=1536)
    own = parts.presets.add("chat", OFFICE_PRESET[current_language()][0], office)
    parts.presets.put(dataclasses.replace(parts.presets.original("brief"), choices=Choices(max_tokens=128)))
    parts.preferences.change(preset_id=own.id)
    parts.window.show_settings("presets")
    parts.window.page("settings").section("presets").list.setCurrentIndex(
        parts.window.page("settings").section("presets").entries.index_of("brief")
    )


def preset_editor(parts: AppContext) -> None:
    presets(parts)
    section = parts.window.page("settings").section("presets")
    section.edit(parts.presets.presets_of_kind("chat")[1])


def preset_editor_details(parts: AppContext) -> None:
    parts.preferences.change(shows_details=True)
    presets(parts)
    section = parts.window.page("settings").section("presets")
    section.edit(parts.presets.presets_of_kind("chat")[0])
    pause(0.1)
    area = section.editor.findChild(QScrollArea)
    area.verticalScrollBar().setValue(area.verticalScrollBar().maximum())


def action_editor(parts: AppContext) -> None:
    presets(parts)
    editor = parts.window.page("settings").section("presets").edit(parts.presets.presets_of_kind("action")[0])
    editor.name.clear()
    editor.save_button.click()


def preset_export(parts: AppContext) -> None:
    presets(parts)
    parts.window.page("settings").section("presets").ask_to_export()


def preset_report(parts: AppContext) -> None:
    presets(parts)
    section = parts.window.page("settings").section("presets")
    entries = [
        {"kind": "chat", "name": OFFICE_PRESET[current_language()][0]},
        {"kind": "chat", "name": "", "choices": {}},
        3,
    ]
    data = json.dumps({"format": "kotae-presets", "version": 1, "presets": entries}).encode()
    section._on_read(parse_presets(data))


def conversation_settings(parts: AppContext) -> None:
    chat(parts)
    parts.session.answer_by("exact", Choices(temperature=0.3, top_k=10))
    parts.window.show_answer_settings()


def problem(parts: AppContext) -> None:
    chat(parts)
    parts.window.show_problem(AppError("memory_short", need_bytes=6_600_000_000, free_bytes=4_100_000_000))


def search(parts: AppContext) -> None:
    for question, answer in MORE_TO_FIND[current_language()]:
        reply = parts.store.add_answer(parts.store.add_question(question).id, AnswerDetails("m", "Swallow-8B", "end"))
        parts.store.finish_answer(reply.id, answer, "done", AnswerDetails("m", "Swallow-8B", "end"))
    parts.conversations.note_change()
    chat(parts)
    parts.window._on_search_requested(SOUGHT[current_language()])


def search_none(parts: AppContext) -> None:
    chat(parts)
    parts.window._on_search_requested(NOT_THERE[current_language()])


def search_empty(parts: AppContext) -> None:
    chat(parts)
    parts.window._on_search_requested()


def find(parts: AppContext) -> None:
    """A hit of the search, opened."""
    search(parts)
    page = parts.window.page("search")
    process_until(lambda: page.results.rowCount() > 0)
    page._choose(page.results.index(0))


def consent(parts: AppContext) -> None:
    models(parts)
    parts.window.page("models").using.consent_dialog().open()


def removal(parts: AppContext) -> None:
    models(parts)
    page = parts.window.page("models")
    model_actions.removal_dialog(parts.theme, parts.library.models()[0], page).open()


def first(parts: AppContext) -> None:
    """Nothing stored, no model."""


def first_run_measuring(parts: AppContext) -> None:
    parts.navigation.first_run_requested.emit()
    pause(0.5)


def first_run_1(parts: AppContext) -> None:
    speed.save(parts.paths.data / speed.FILE_NAME, MachineSpeed(1.48e10, 4.34e11, 1.4e11, 2, 1.0))
    parts.navigation.first_run_requested.emit()
    pause(0.1)


def first_run_2(parts: AppContext) -> None:
    first_run_1(parts)
    parts.window.findChild(FirstRunDialog).show_step(1)


def first_run_2_working(parts: AppContext) -> None:
    first_run_2(parts)
    step = parts.window.findChild(FirstRunDialog).model
    step._on_failed(AppError("not_gguf_html"))
    step.progress.start(phrase("common.adding_a_model"))
    step.progress.set_progress(144_000_000, 253_113_024, is_bytes=True)


def first_run_2_downloading(parts: AppContext) -> None:
    first_run_2(parts)
    step = parts.window.findChild(FirstRunDialog).model
    if step.download is not None:
        card = step.download._card
        coming(parts, download(card.id, "running", 0.31, bytes_per_s=11.2e6, seconds_left=305.0))


def first_run_2_offline(parts: AppContext) -> None:
    parts.preferences.change(network_allowed=False)
    first_run_2(parts)


def offer_download(parts: AppContext) -> None:
    """After a start: a download was interrupted."""
    parts.downloads.items = lambda: [download("llama-3-elyza-jp-8b", "paused", 0.4)]
    chat(parts)
    parts.offers.offer()


def offer_move(parts: AppContext) -> None:
    target = Path("/media/yamada/kotae/models")
    plan = FolderMove(parts.maintenance.models_folder, target, "copying", ("a.gguf",), ("a.gguf",), {})
    models_folder.write_journal(parts.paths, plan)
    chat(parts)
    parts.offers.offer()


def first_run_3(parts: AppContext) -> None:
    first_run_1(parts)
    parts.window.findChild(FirstRunDialog).show_step(2)


EDITED = {"ja": "会議室の予約を、前日に取り消せますか。", "en": "Can I cancel a meeting room on the day before?"}


def say(parts: AppContext, question: str, answer: str, parent_id: int | None, **details: object) -> Message:
    """A question and its answer, below an answer of the newest conversation (None: beside its first question)."""
    here = parts.store.conversations()[0].id
    values = {"stop_reason": "end", "total_s": 6.4, "tokens_per_s": 44.1, "seed": 12345, "answer_tokens": 86, **details}
    made = AnswerDetails("m", "Swallow-8B Q4_K_M", choices=PROGRAM_DEFAULTS, **values)
    asked = parts.store.add_question(question, here, parent_id)
    return parts.store.finish_answer(parts.store.add_answer(asked.id, made).id, answer, "done", made)


def branch(parts: AppContext) -> None:
    """A question asked in other words, the pointer in it, and a second answer."""
    answer = QUESTIONS[current_language()][0][2]
    reply = say(parts, EDITED[current_language()], answer, None)
    details = dataclasses.replace(reply.details, total_s=5.9)
    second = parts.store.add_answer(reply.parent_id, details)
    parts.store.finish_answer(second.id, answer.split("\n")[0], "done", details)
    chat(parts)
    parts.window.page("ask").transcript.view_of(reply.parent_id).text.setFocus()


def edit(parts: AppContext) -> None:
    chat(parts)
    page = parts.window.page("ask")
    page.composer.set_text("打ちかけの質問")
    page._edit_last_question()


def temporary(parts: AppContext) -> None:
    answering(parts)
    parts.session.open_new(is_temporary=True)


def temporary_left(parts: AppContext) -> None:
    """Left for another conversation, with the way back."""
    parts.session.open_new(is_temporary=True)
    parts.session._store.add_question("内緒の質問")
    parts.session.conversation = parts.session._store.conversations()[0]
    parts.session.keep_draft(UnsentDraft("書きかけ"))
    chat(parts)


def answer_menu(parts: AppContext) -> None:
    branch(parts)
    page = parts.window.page("ask")
    row = page.transcript.view_of(page.transcript.messages[-1].id)._end.row
    width = row.width()
    row.fit(300)  # a narrow row has more in its menu
    row._show_menu()
    row.fit(width)


def details(parts: AppContext) -> None:
    parts.preferences.change(shows_details=True)
    say(parts, EDITED[current_language()], QUESTIONS[current_language()][0][2], None, stop_reason="length")
    chat(parts)


def reproduced(parts: AppContext) -> None:
    """Once the same, once not."""
    _, text, answer = QUESTIONS[current_language()][0]
    first = say(parts, text, answer, None)
    for other, is_same in ((answer, True), (answer + answer, False)):
        repeated = dataclasses.replace(first.details, reproduces_id=first.id, is_same=is_same)
        again = parts.store.add_answer(first.parent_id, repeated)
        parts.store.finish_answer(again.id, other, "done", repeated)
        if is_same:
            first = say(parts, text, answer, again.id)
    chat(parts)


def thinking(parts: AppContext) -> None:
    """A model that can think: one answer with its thoughts, and one that ended in them."""
    model = parts.session.model
    assert model is not None
    parts.library.update(dataclasses.replace(model, form_id="qwen3"))
    _, text, answer = QUESTIONS[current_language()][1]
    parent_id = None
    for words, reason in ((answer, "end"), ("", "thoughts")):
        parent_id = say(parts, text, words, parent_id, stop_reason=reason, thoughts=answer, thought_s=12.0).id
    chat(parts)
    parts.session.think(True)


def export(parts: AppContext) -> None:
    chat(parts)
    parts.desk.export_open()


def export_all(parts: AppContext) -> None:
    chat(parts)
    parts.desk.export_all()


def exporting(parts: AppContext) -> None:
    chat(parts)
    parts.desk.strip.progress.start(phrase("chat.exporting_conversations"))
    parts.desk.strip.progress.set_progress(312, 1204)


def exported(parts: AppContext) -> None:
    chat(parts)
    name = parts.session.conversation.title
    parts.desk._on_exported([Path(f"/home/yamada/Documents/{name}.docx")])


def import_result(parts: AppContext) -> None:
    chat(parts)
    third = parts.conversations.all_conversations()[2].title
    refused = (ImportRefusal(3, third, "role", 4), ImportRefusal(8, "", "uid"), ImportRefusal(15, "", "rest"))
    parts.desk._on_imported(ImportedConversations(12, 1, 3, 1, checked=20, unchecked=3, refused=refused))


SHOTS: dict[str, Callable[[AppContext], None]] = {
    shot.__name__: shot
    for shot in (
        chat, chat_low, new, drawer, first, models, models_trial, models_trial_added, models_refused,
        models_detail, models_menu, models_found, models_hub, catalogue_source,
        models_verifying, models_damaged, kit_export, kit_written,
        kit_problems, models_downloading,
        build_model, build_refused, building, models_download_detail, models_download_failed, models_offline,
        download_consent, download_source, token, settings_look,
        settings_questions,
        settings_models, settings_models_details, settings_moving, settings_move, settings_network, settings_data,
        proxy_login, settings_training, settings_training_broken, settings_training_making, training_make,
        training_make_offline, training_kit, build_making_training,
        presets, preset_editor, preset_editor_details, action_editor, preset_export,
        preset_report, conversation_settings, problem, consent, removal, models_measured,
        folders, folders_several, folder_menu, folder_new, sidebar_menu, bin, bin_erasure, bin_empty,
        first_run_measuring, first_run_1, first_run_2, first_run_2_working, first_run_2_downloading,
        first_run_2_offline, first_run_3,
        offer_download, offer_move,
        search, search_none, search_empty, find,
        branch, edit, answer_menu, temporary, temporary_left, details, reproduced,
        thinking,
        export, export_all, exporting, exported, import_result,
    )
} | DOCUMENT_SHOTS | SOURCE_SHOTS | RATING_SHOTS | BATCH_SHOTS | TRAINING_SHOTS | EVALUATION_SHOTS  # fmt: skip
SHOTS |= LICENCES_SHOTS | OFFLINE_SHOTS | PACK_SHOTS | REMOTE_SHOTS | START_SHOTS


PICTURES = Path(__file__).resolve().parents[1] / "packaging" / "pictures"
README = {
    "ja": {
        "light": (
            "sources_page",
            "sources_doubtful",
            "documents_report",
            "branch",
            "search",
            "presets",
            "models",
            "first_run_1",
            "folders",
        ),
        "dark": ("chat", "find", "settings_look"),
    },
    "en": {"light": ("chat", "first_run_2"), "dark": ("models",)},
}
MANUAL_PICTURES, MANUAL_SIZE = resources() / "manual" / "pictures", (880, 720)
MANUAL = (
    "training_goal", "training_data", "training_review", "training_split", "training_model", "training_check",
    "training_running", "training_result",
    "evaluation_set", "evaluation_start", "evaluation_result", "evaluation_blind",
)  # fmt: skip


@contextmanager
def opened(app: QApplication, folder: str, name: str, theme: str, size: str, scale: int = 100) -> Iterator[AppContext]:
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


def other_windows(app: QApplication, parts: AppContext) -> list[QWidget]:
    return [widget for widget in app.topLevelWidgets() if widget.isVisible() and widget is not parts.window]


def take(app: QApplication, target: Path, name: str, theme: str, size: str, scale: int) -> Path:
    with tempfile.TemporaryDirectory() as folder, opened(app, folder, name, theme, size, scale) as parts:
        suffix = "" if scale == 100 else f"-{scale}"
        file = target / f"{name}-{size}-{theme}{suffix}.png"
        parts.window.grab().save(str(file))
        for dialog in other_windows(app, parts):
            dialog.grab().save(str(file.with_stem(f"{file.stem}-dialog")))
    return file


def take_for_readme(app: QApplication, language: str) -> None:
    for theme, names in README[language].items():
        for name in names:
            take_small(app, PICTURES / f"{name}-{theme}-{language}.png", name, theme)


def take_for_manual(app: QApplication, language: str) -> None:
    for name in MANUAL:
        take_small(app, MANUAL_PICTURES / f"{name}-{language}.png", name, "light", MANUAL_SIZE)


def take_small(app: QApplication, target: Path, name: str, theme: str, size: tuple[int, int] = SIZES["wide"]) -> None:
    """The dialog in front, where there is one."""
    target.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, opened(app, folder, name, theme, "wide") as parts:
        parts.window.resize(*size)
        pause()
        shown = (other_windows(app, parts) or [parts.window])[0]
        small(shown.grab().toImage()).save(str(target), quality=0)


def small(picture: QImage) -> QImage:
    """In the 256 colours that occur most: nobody sees the difference, and the file is a third of the size."""
    picture = picture.convertToFormat(QImage.Format.Format_RGB32)
    colours, counts = numpy.unique(numpy.frombuffer(picture.constBits(), numpy.uint32), return_counts=True)
    table = [int(colour) for colour in colours[counts.argsort()[::-1][:256]]]
    return picture.convertToFormat(QImage.Format.Format_Indexed8, table)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(SHOTS))
    parser.add_argument("--theme", nargs="*", default=["light", "dark"], choices=["light", "dark"])
    parser.add_argument("--size", nargs="*", default=list(SIZES), choices=list(SIZES))
    parser.add_argument("--scale", type=int, default=100, help="text size in percent")
    parser.add_argument("--lang", default="ja", choices=["ja", "en"])
    parser.add_argument("--readme", action="store_true", help=f"those of the README, into {PICTURES.name}/")
    parser.add_argument("--manual", action="store_true", help=f"those of the manual, into {MANUAL_PICTURES.name}/")
    arguments = parser.parse_args()
    if arguments.readme or arguments.manual:
        app = desktop.make_application(arguments.lang)
        (take_for_readme if arguments.readme else take_for_manual)(app, arguments.lang)
        return 0
    if arguments.folder is None:
        parser.error("the folder is missing")
    arguments.folder.mkdir(parents=True, exist_ok=True)
    app = desktop.make_application(arguments.lang)
    for name in arguments.names or SHOTS:
        for theme in arguments.theme:
            for size in arguments.size:
                print(take(app, arguments.folder, name, theme, size, arguments.scale))
    return 0


if __name__ == "__main__":
    sys.exit(main())
