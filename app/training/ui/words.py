"""Words of the page 学習 that several of its parts say."""

from PySide6.QtCore import QCoreApplication

from app.base import wording
from app.base.errors import AppError
from app.training.plan import Problem
from app.training.runs.overview import DAMAGED, Entry
from app.uikit.language import joined
from trainer.events import Finding, Step

translate = QCoreApplication.translate

_SIZES = frozenset(("need", "allowed", "free"))


def step_name(step: str) -> str:
    """`step`: one of `app.training.plan.STEPS`."""
    return {
        "goal": translate("Training", "目的"),
        "data": translate("Training", "データ"),
        "model": translate("Training", "モデルと設定"),
        "check": translate("Training", "確認"),
        "run": translate("Training", "学習"),
        "result": translate("Training", "結果"),
    }[step]


def problem(found: Problem) -> str:
    """One sentence."""
    facts = found.facts
    if found.code == "setting_wrong":
        return str(wording.describe_error(AppError(facts["code"], **facts["facts"])))
    if found.code == "finding":
        from app.training.ui.check_words import sentence  # which most steps never need

        return sentence(Finding(facts["code"], "", facts["facts"]))
    shown = {name: wording.size(value) if name in _SIZES else value for name, value in facts.items()}
    return wording.phrase(f"draft_{found.code}", **shown)


def entry_name(entry: Entry) -> str:
    """What it is called in the list; one that nobody has named yet by what it is."""
    return entry.name or translate("Training", "名前のない学習")


def entry_state(entry: Entry) -> str:
    if entry.kind == "draft" and entry.state != DAMAGED:
        return translate("Training", "下書き：{step}").format(step=step_name(entry.state))
    if entry.state == "finished" and entry.verdict:
        return {
            "adopt": translate("Training", "採用"),
            "check": translate("Training", "要確認"),
            "reject": translate("Training", "不採用"),
        }[entry.verdict]
    return {
        DAMAGED: translate("Training", "読めません"),
        "waiting": translate("Training", "開始前"),
        "running": translate("Training", "学習中"),
        "judging": translate("Training", "判定中"),
        "paused": translate("Training", "一時停止"),
        "crashed": translate("Training", "途中で止まりました"),
        "failed": translate("Training", "失敗"),
        "cancelled": translate("Training", "中止"),
        "finished": translate("Training", "完了（未判定）"),
        "exported": translate("Training", "別の PC で学習"),
    }[entry.state]


def progress(step: Step) -> str:
    """How far a run is, and how long still where that is known."""
    from app.training.ui.run import words  # with what only a run needs

    percent = f"{100 * step.step // step.total}\u00a0%" if step.total else ""
    left = words.left(step.left_s)
    return joined(percent, translate("Training", "残り{time}").format(time=left) if left else "")


_SIGNS = {
    DAMAGED: ("circle-x", "danger"),
    "waiting": ("square", "text2"),
    "running": ("play", "accent"),
    "judging": ("play", "accent"),
    "paused": ("pause", "text2"),
    "crashed": ("triangle-alert", "warning"),
    "failed": ("circle-x", "danger"),
    "cancelled": ("x", "text2"),
    "finished": ("check", "text2"),
    "exported": ("file-up", "text2"),
    "adopt": ("circle-check", "success"),
    "check": ("triangle-alert", "warning"),
    "reject": ("circle-x", "danger"),
}


def entry_sign(entry: Entry) -> tuple[str, str]:
    """An icon and its tone."""
    if entry.kind == "draft" and entry.state != DAMAGED:
        return "pencil", "text2"
    return _SIGNS[entry.verdict if entry.state == "finished" and entry.verdict else entry.state]
