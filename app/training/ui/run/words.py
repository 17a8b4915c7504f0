"""How a run goes, in words."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QCoreApplication

from app.base import wording
from app.training.runs.course import Course
from app.training.runs.watching import Watched
from app.uikit.language import joined
from app.uikit.phrases import duration
from trainer import events
from trainer.events import Finished

if TYPE_CHECKING:
    from app.training.services.gate import GateProgress  # numpy

translate = QCoreApplication.translate


def state(course: Course) -> str:
    return {
        "waiting": translate("TrainingRun", "開始前"),
        "running": translate("TrainingRun", "学習中"),
        "ending": translate("TrainingRun", "保存中"),
        "judging": translate("TrainingRun", "評価中"),
        "paused": translate("TrainingRun", "一時停止"),
        "finished": translate("TrainingRun", "完了"),
        "crashed": translate("TrainingRun", "中断"),
        "failed": translate("TrainingRun", "失敗"),
        "cancelled": translate("TrainingRun", "中止"),
        "exported": translate("TrainingRun", "書き出し済み"),
    }[course.state]


def epochs(course: Course) -> str:
    """ "" before the first step."""
    step = course.standing.step
    if step is None or not step.step:
        return ""
    in_all = step.epoch * step.total / step.step
    return translate("TrainingRun", "{a}／{b} 周").format(a=f"{step.epoch:.1f}", b=f"{in_all:.1f}".removesuffix(".0"))


def phase(course: Course) -> str:
    """What the trainer is doing besides a step; "" where that is all."""
    told = course.standing.phase
    if course.state != "running" or (told is not None and told.name == "training"):
        return ""
    if told is None or course.standing.end is not None:  # of the start before
        return translate("TrainingRun", "学習の処理を起動しています")
    known = told.name in events.PHASES
    name = wording.phrase(f"run_phase_{told.name}") if known else wording.phrase("run_phase_other", name=told.name)
    if told.total and told.name not in ("evaluating", "saving"):
        return joined(name, f"{100 * told.done // told.total}\u00a0%")
    return name


def judging(progress: "GateProgress") -> str:
    from app.training.gate import F16_ADAPTER, ON_BASE  # numpy

    is_named = progress.form in (*ON_BASE, F16_ADAPTER)
    key = f"run_form_{progress.form.replace('+', '_')}" if is_named else "run_form_merged"
    what = wording.phrase(f"run_gating_{progress.phase}", form=wording.phrase(key, form=progress.form))
    facts: dict[str, Any] = {"number": progress.number, "steps": progress.steps, "what": what}
    if progress.total:
        return wording.phrase("run_gating_percent", percent=100 * progress.done // progress.total, **facts)
    return wording.phrase("run_gating", **facts)


def finished(end: Finished) -> str:
    return wording.phrase(f"run_finished_{end.reason}", step=end.step, time=duration(end.seconds))


def left(seconds: float) -> str:
    """About, and rounded up; "" for what is not known."""
    if not math.isfinite(seconds):
        return ""
    if seconds < 60:
        return translate("TrainingRun", "1 分以内")
    minutes = math.ceil(seconds / 60)
    if minutes < 60:
        return translate("TrainingRun", "約 {m} 分").format(m=minutes)
    return translate("TrainingRun", "約 {h} 時間 {m} 分").format(h=minutes // 60, m=minutes % 60)


def loss(value: float | None) -> str:
    """Nats a trained token."""
    return f"{value:.3f}" if value is not None and math.isfinite(value) else "–"


def rate(value: float) -> str:
    """A learning rate: 6.1e-5."""
    mantissa, _, power = f"{value:.1e}".partition("e")
    return f"{mantissa}e{int(power)}" if value else "0"


def gigabytes(size_bytes: float) -> str:
    return f"{size_bytes / 1e9:.1f}\u00a0GB"


def base(course: Course) -> str:
    asked = course.asked
    if asked is None:
        return "–"
    path = Path(asked.base)
    name = path.stem if path.suffix.lower() == ".gguf" else path.name
    precision = (asked.precision or "").upper()
    return joined(" ".join(part for part in (name, precision) if part), f"r{asked.rank}" if asked.rank else "")


def watched_name(key: str) -> str:
    return {
        "not_finite": translate("TrainingRun", "数値の異常（NaN）"),
        "early_stopping": translate("TrainingRun", "早期終了"),
        "overfitting": translate("TrainingRun", "過学習の兆し"),
        "checkpoint": translate("TrainingRun", "チェックポイント"),
        "sleep": translate("TrainingRun", "PC のスリープ"),
        "memory": translate("TrainingRun", "メモリ不足"),
        "speed": translate("TrainingRun", "速さ"),
    }[key]


def watched(found: Watched, course: Course) -> str:
    facts = found.facts
    match found.key:
        case "not_finite" if "step" in facts:
            return translate("TrainingRun", "ステップ {s} で発散").format(s=f"{facts['step']:,}")
        case "not_finite" if facts:
            return translate("TrainingRun", "{n} 回。学習率を半分にして再開").format(n=facts["count"])
        case "early_stopping" if course.standing.effective is None:
            return "–"
        case "early_stopping":
            return _early_stopping(facts)
        case "overfitting":
            return _overfitting(facts)
        case "checkpoint" if facts:
            return joined(
                translate("TrainingRun", "ステップ {s}").format(s=f"{facts['step']:,}"),
                translate("TrainingRun", "照合済み"),
            )
        case "checkpoint":
            return translate("TrainingRun", "まだありません")
        case "sleep" if found.level != "ok":
            return translate("TrainingRun", "抑止できません")
        case "sleep" if course.state in ("running", "ending"):
            return translate("TrainingRun", "学習中は抑止")
        case "memory" if facts:
            return translate("TrainingRun", "一度に計算する数を {n} に減らして継続").format(n=facts["micro_batch"])
        case "speed":
            return translate("TrainingRun", "ステップ {s} から急に低下").format(s=f"{facts['step']:,}")
    return translate("TrainingRun", "なし") if found.key != "sleep" else translate("TrainingRun", "抑止していません")


def _early_stopping(facts: Mapping[str, Any]) -> str:
    if not facts:
        return translate("TrainingRun", "使いません")
    words = translate("TrainingRun", "改善なし {n}／{m} 回").format(n=facts["count"], m=facts["most"])
    return joined(words, translate("TrainingRun", "終了")) if facts.get("has_ended") else words


def _overfitting(facts: Mapping[str, Any]) -> str:
    count = facts.get("count", 0)
    words = translate("TrainingRun", "{n} 回続けて悪化").format(n=count) if count else translate("TrainingRun", "なし")
    if "gap" not in facts:
        return words
    return translate("TrainingRun", "{words}（差 {gap}）").format(words=words, gap=f"{facts['gap']:.2f}")
