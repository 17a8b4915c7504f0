"""Pictures of the page 学習, for `tests.screenshots`: a draft with real rows, and runs as a trainer leaves them."""

import dataclasses
import json
import math
import os
import time
from collections.abc import Callable
from pathlib import Path

from app.application import AppContext
from app.base.files import work_folder
from app.base.wording import current_language
from app.inference import speed
from app.inference.local_model import LocalModel
from app.inference.machine import Gpu
from app.inference.speed import MachineSpeed
from app.models import local_models
from app.models.training_environment import EnvironmentProbe, TrainingDevice
from app.training import quality_gate
from app.training.capability import MachineMeasurements
from app.training.drafts import TrainingForecast
from app.training.environment.folders import EnvironmentReport
from app.training.quality_gate import BASE_ADAPTER, AnswerRow
from app.training.runs import run_folders
from app.training.services.draft_editor import DraftEditor
from app.training.ui.goal_step import GoalStep
from app.training.ui.model_step import ModelStep
from app.training.ui.page import TrainingPage
from app.training.ui.wizard import DraftWizard
from tests import model_files as models
from tests.training import report_folder
from tests.waiting import process_until
from trainer import events, spec
from trainer.events import PreflightFinding
from trainer.spec import RunSpec

GB = 10**9
BASE = "TinySwallow 1.5B Instruct Q5_K_M"
CARD = Gpu("NVIDIA GeForce RTX 4060 Ti", 17_171_480_576, 14_889_779_200, "580.95.05", (8, 9))
PROBE = EnvironmentProbe(
    "3.11.9", {"torch": "2.13.0", "bitsandbytes": "0.50.2"}, "13.0", (TrainingDevice(CARD.name, 16 * GB),), "1"
)
STEPS, WHOLE = 124, 177

# Per language: names of trainings, rows, and answers before and after.
NAMES = {"ja": ("窓口の応対", "点検記録の文体"), "en": ("Tone at the counter", "Inspection reports")}
HEAD = {"ja": "質問,回答,種類", "en": "question,answer,category"}
ROWS = {
    "ja": ("{n} 番の窓口では何を受け付けますか。", "{n} 番の窓口では、種類 {m} の届けを受け付けております。"),
    "en": ("What is handled at counter {n}?", "At counter {n} we are glad to take forms of kind {m}."),
}
KINDS = {"ja": ("受付", "届け出", "証明書"), "en": ("reception", "notices", "certificates")}
FLAWED = {
    "ja": "電話で問い合わせるには。,03-1234-5678 におかけください。,受付\n日曜の受付は。,,受付\n",
    "en": "How do I call you?,Please call 03-1234-5678.,reception\nAre you open on Sunday?,,reception\n",
}
ANSWERED = {
    "ja": (
        ("証明書はどこで受け取れますか。", "窓口。", "恐れ入りますが、3 番の窓口でお受け取りください。"),
        ("昼休みも受け付けていますか。", "受け付けています。", "はい、昼休みも承っております。"),
        ("印鑑は必要ですか。", "必要な場合があります。", "お手数ですが、認め印をお持ちください。"),
    ),
    "en": (
        ("Where do I get a certificate?", "Counter.", "Please come to counter 3; we are glad to help."),
        ("Are you open at noon?", "Yes.", "Yes, we are glad to see you at noon, too."),
        ("Do I need a seal?", "It depends.", "Please bring a seal with you. Thank you."),
    ),
}


def _page(parts: AppContext) -> TrainingPage:
    data = Path(parts.window._geometry._path).parent
    speed.save(data / speed.FILE_NAME, MachineSpeed(1.06e10, 3.72e11, 1.2e11, 8, 1.0))  # measuring takes seconds
    report = EnvironmentReport(Path("/home/yamada/python"), 6 * GB, PROBE, is_own=True)
    parts.training_setup.look = lambda done: done(report)
    page = parts.window.page("training")
    assert isinstance(page, TrainingPage)
    return page


def _show(parts: AppContext) -> None:
    parts.window._on_page_chosen("training")


def _see(page: TrainingPage, folder: Path) -> None:
    """The page of a run, drawn with all its curves."""
    page.show_run(folder, "run")
    process_until(lambda: page.content.step.loss.plot.isVisible())


def base_model(parts: AppContext, folder: Path) -> LocalModel:
    """What the list says of it is made up; the file is a tiny one."""
    found = local_models.describe(models.tiny_llama(folder / "base.gguf"))
    model = dataclasses.replace(
        found,
        id="base",
        name=BASE,
        size_bytes=1_130_000_000,
        quantization="Q5_K_M",
        card_id="tinyswallow-1.5b-instruct",
    )
    parts.store.put_local_model(model)
    parts.library.refresh()
    return model


def _file(folder: Path) -> Path:
    language = current_language()
    question, answer = ROWS[language]
    kinds = KINDS[language]
    lines = [
        ",".join((question.format(n=n), answer.format(n=n, m=n * 7919 % 1009), kinds[n % 3]))
        for n in range(1, 121)
    ]  # fmt: skip
    path = folder / f"{NAMES[language][0]}.csv"
    path.write_text("\n".join((HEAD[language], *lines, FLAWED[language])), "utf-8")
    return path


def _draft(parts: AppContext, step: str) -> DraftEditor:
    """Shown at `step`, with what comes before it done."""
    page = _page(parts)
    folder = page._paths.data
    _finished(page, NAMES[current_language()][1])
    _show(parts)
    page.entry_actions.add()
    planning = page.content
    assert isinstance(planning, DraftWizard)
    work = planning.work
    done = (
        lambda: work.change(goal="style"),
        lambda: (work.import_file(_file(folder)), process_until(lambda: not work.is_busy), work.freeze()),
        lambda: work.change(base=base_model(parts, folder).id),
    )
    for act in done[: ("goal", "data", "model", "check").index(step)]:
        act()
        process_until(lambda: not work.is_busy)
    planning.show_step(step)
    page.refresh()
    return work


def _run(page: TrainingPage, name: str, told: list[events.Event]) -> Path:
    """With its spec, what it was given and the journal of `told`."""
    folder = page._paths.data
    rows, base = _file(folder), str(models.tiny_llama(folder / f"{BASE}.gguf"))
    asked = RunSpec(str(page._paths.runs / name), base, str(rows), str(rows), name=name)
    made = run_folders.create(asked)
    decided = spec.to_json(asked) | {"precision": "nf4", "rank": 16, "patience": 4, "epochs": 3.0, "device": "cuda"}
    (made / "effective.json").write_text(json.dumps(decided), "utf-8")
    whole = [events.Started(1, os.getpid(), time.time() - 1686.0, 0), events.ResolvedRecipe(decided, {"steps": WHOLE})]
    sent = (*whole, *told)
    times = (time.time() - 1686.0 * (1 - place / len(sent)) for place in range(len(sent)))
    lines = (
        json.dumps({**events.to_json(one), "at": at}, ensure_ascii=False) for at, one in zip(times, sent, strict=True)
    )
    (made / "events.jsonl").write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return made


def _steps(last: int) -> list[events.Event]:
    """As they would go by: loss falls, and answers come to sound alike."""
    asked = ANSWERED[current_language()][:2]
    found: list[events.Event] = [events.EvaluationStep(0, 0.0, 1.612, 640, is_best=True)]
    found += [events.Sample(0, question, before, has_ended=True) for question, before, _ in asked]
    found.append(events.Phase("training", 0, WHOLE))
    for step in range(1, last + 1):
        noise = 0.08 * math.sin(step * 2.7) * math.cos(step * 0.9)
        loss, rate = 1.02 + 0.5 * math.exp(-step / 38) + noise, 2e-4 * min(1, step / 8) * (1 - step / WHOLE)
        left_s = 13.5 * (WHOLE - step)
        found.append(events.TrainingStep(step, WHOLE, step / 59, loss, rate, 0.4 + noise, 402.0, 9_600_000_000, left_s))
        if step % 15 == 0:
            found.append(events.EvaluationStep(step, step / 59, 1.06 + 0.5 * math.exp(-step / 40), 640, is_best=True))
            found.append(events.Checkpoint(step, "", 90_000_000, 0.4))
            found += [
                events.Sample(step, question, after if step > 60 else before, step > 60)
                for question, before, after in asked
            ]
    return found


def _finished(page: TrainingPage, name: str) -> Path:
    """Judged, with an adapter of its own; adopted."""
    end = events.Finished("early_stopping", WHOLE, 150, 1.56, 1.07, "adapter", "adapter.gguf", 2710.0, 402.0, 9 * GB)
    made = _run(page, name, [*_steps(WHOLE), end])
    models.tiny_adapter(made / run_folders.ADAPTER)
    (made / run_folders.REPORT).write_text("", "utf-8")
    found = report_folder.judged()
    asked = ANSWERED[current_language()]
    answers = tuple(
        AnswerRow(line, question, after, before, "end", after, "end", 0.2 if line == 3 else -0.4)
        for line, (question, before, after) in enumerate(asked, 1)
    )
    quality_gate.write_gate(
        dataclasses.replace(found, verdict="adopt", proposed=BASE_ADAPTER, reasons=(), answers=answers), made
    )
    return made


def training_empty(parts: AppContext) -> None:
    _page(parts)
    _show(parts)


def training_goal(parts: AppContext) -> None:
    """On a machine with a card."""
    _draft(parts, "goal").change(goal="both")
    step = parts.window.page("training").content.step
    assert isinstance(step, GoalStep)
    process_until(lambda: step._measured is not None)
    step._on_measured(MachineMeasurements((CARD,), 32 * GB, 21 * GB, 312 * GB))


def training_data(parts: AppContext, tab: str = "columns") -> None:
    _draft(parts, "model")  # the rows are split
    planning = parts.window.page("training").content
    planning.show_step("data")
    planning.step._show_tab(tab)


def training_review(parts: AppContext) -> None:
    training_data(parts, "review")


def training_split(parts: AppContext) -> None:
    training_data(parts, "split")


def training_model(parts: AppContext) -> None:
    work = _draft(parts, "model")
    work.change(base=base_model(parts, parts.window.page("training")._paths.data).id)
    planning = parts.window.page("training").content
    planning.show_step("model")
    step = planning.step
    assert isinstance(step, ModelStep)
    process_until(lambda: not step.forecasts.is_working)


def training_check(parts: AppContext) -> None:
    """One thing is to be looked at."""
    work = _draft(parts, "check")
    found = (
        PreflightFinding("few_rows", "warn", {"rows": 80, "wanted": 200}),
        PreflightFinding("pad_is_end", "note", {"text": "</s>"}),
    )
    forecast = TrainingForecast(
        "", 2460.0, 9_600_000_000, 14_900_000_000, 600_000_000, 312 * GB, is_exact=True, findings=found,
        is_measured=True, device="cuda", whole_s=2790.0,
    )  # fmt: skip
    work.change(has_environment=True)
    work.change(forecast=dataclasses.replace(forecast, mark=work.draft.mark))


def training_running(parts: AppContext) -> None:
    page = _page(parts)
    _finished(page, NAMES[current_language()][1])
    folder = _run(page, NAMES[current_language()][0], _steps(STEPS))
    parts.trainings.folder = folder  # as if it were at work on it
    held = work_folder.acquire_lock(folder / run_folders.LOCK)
    parts.trainings.close = held.release
    _show(parts)
    _see(page, folder)
    page._on_run_event(next(one for one in reversed(_steps(STEPS)) if isinstance(one, events.TrainingStep)))


def training_paused(parts: AppContext) -> None:
    page = _page(parts)
    folder = _run(page, NAMES[current_language()][0], [*_steps(STEPS), events.Paused(STEPS)])
    _show(parts)
    _see(page, folder)


def training_result(parts: AppContext) -> None:
    page = _page(parts)
    folder = _finished(page, NAMES[current_language()][0])
    _show(parts)
    page.show_run(folder, "result")
    process_until(lambda: page.content.step.view)


TRAINING_SHOTS: dict[str, Callable[[AppContext], None]] = {
    shot.__name__: shot
    for shot in (
        training_empty, training_goal, training_data, training_review, training_split, training_model, training_check,
        training_running, training_paused, training_result,
    )
}  # fmt: skip
# Each is looked at in every language and size; what these have in common with the others need not be seen each time.
SELDOM = frozenset(("training_goal", "training_review", "training_split", "training_check", "training_paused"))
