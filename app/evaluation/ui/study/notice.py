"""What is to be said of a study beside its numbers: what its state means, and what is to be known while it goes on."""

from PySide6.QtCore import QCoreApplication

from app.evaluation.services.evaluations import Evaluations
from app.evaluation.study.headway import Standing
from app.evaluation.study.study import Entry, Study

translate = QCoreApplication.translate


def sentence(entry: Entry, standing: Standing | None, evaluations: Evaluations) -> str:
    """What its state means, and why a button cannot be pressed. `standing` None: not known yet."""
    if evaluations.folder == entry.folder:
        return _stopping(evaluations) if evaluations.is_stopping else ""
    if entry.state == "running":
        return translate(
            "Evaluation",
            "ターミナルなど、この画面の外で進んでいる評価です。止めるには、そちらで Ctrl+C を押してください。",
        )
    if entry.state == "finished":
        return translate("Evaluation", "評価が終わりました。")
    if evaluations.is_running:
        return translate("Evaluation", "ほかの評価が進んでいます。終わると、続けられます。")
    return _waiting(standing) if standing is not None else ""


def notes(study: Study) -> str:
    """Of one that goes on here."""
    kept = translate("Evaluation", "一時停止しても、そこまでの結果は残ります。")
    if study.trainings:
        kept = translate(
            "Evaluation", "一時停止しても、そこまでの結果は残ります。学習は保存してから止まるので、数分かかります。"
        )
    rests = translate("Evaluation", "評価中は、質問用のモデルを休ませます。終わると自動で戻ります。")
    return "\n".join((rests, kept, translate("Evaluation", "Kotae を閉じると、評価は一時停止します。")))


def _stopping(evaluations: Evaluations) -> str:
    if evaluations.progress is not None and evaluations.progress.kind == "train":
        return translate(
            "Evaluation", "止めています。学習はいまの状態を保存してから止まるので、数分かかることがあります。"
        )
    return translate("Evaluation", "止めています…")


def _waiting(standing: Standing) -> str:
    if standing.answered:
        told = translate("Evaluation", "{n} 回答のうち {a} 件が済みました。「続ける」で、続きから進めます。")
        return told.format(a=f"{standing.answered:,}", n=f"{standing.answers:,}")
    if standing.done:
        told = translate("Evaluation", "{n} 段階のうち {a} 段階が済みました。「続ける」で、続きから進めます。")
        return told.format(a=f"{standing.done:,}", n=f"{standing.steps:,}")
    return translate("Evaluation", "回答はまだありません。「続ける」で、初めから進めます。")
