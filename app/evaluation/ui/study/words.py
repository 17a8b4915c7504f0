"""A study in words: what is done now, how far each of its systems is, what its state means, and what has stopped it."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication

from app.base import wording
from app.base.errors import AppError
from app.base.wording import Sentence
from app.evaluation.services.evaluations import Evaluations
from app.evaluation.study.headway import Standing
from app.evaluation.study.study import Entry, Study, Training
from app.uikit.phrases import gigabytes, sentences

if TYPE_CHECKING:
    from app.evaluation.services.study_run import StudyProgress  # numpy, which most starts never need

translate = QCoreApplication.translate

# What has stopped a training of the study: whether it goes on from its last checkpoint or can only be done again.
_RUNS_TO_GO_ON = (
    "run_unresponsive", "run_killed", "run_crashed", "run_memory_short", "run_out_of_memory", "run_disk_full",
    "run_base_missing", "run_exists", "run_export_failed",
)  # fmt: skip
_RUNS_LOST = (
    "run_data_missing", "run_data_changed", "run_data_invalid", "run_base_unreadable", "run_not_finite",
    "run_preflight_blocked", "run_checkpoint_damaged", "run_nothing_to_resume",
    "run_resume_differs",
)  # fmt: skip


def kind(key: str) -> str:
    """One of `study.KINDS`."""
    return {
        "documents": translate("Evaluation", "資料と学習の比較"),
        "questions": translate("Evaluation", "モデルの比較"),
        "bases": translate("Evaluation", "モデルの比較"),
        "quantizations": translate("Evaluation", "量子化の比較"),
        "scale": translate("Evaluation", "学習量の比較"),
        "judge": translate("Evaluation", "採点モデルの検証"),
    }.get(key, "")


def doing(progress: "StudyProgress", study: Study) -> str:
    """Files and runs are called by what they are: their names mean nothing to anybody."""
    name = progress.name
    if progress.kind == "make":
        made = next((one for one in study.made if Path(one.path).name == name), None)
        return _making(made.form) if made else translate("Evaluation", "{name} を作っています").format(name=name)
    if progress.kind == "train":
        one = next((one for one in study.trainings if Path(one.folder).name == name), None)
        name = _training(one, study.trainings) if one else name
    return {
        "train": translate("Evaluation", "{name}を学習しています"),
        "likelihood": translate("Evaluation", "「{name}」の損失を測っています"),
        "answers": translate("Evaluation", "「{name}」に質問しています"),
        "judge": translate("Evaluation", "「{name}」が採点しています"),
        "conclude": translate("Evaluation", "結果をまとめています"),
    }[progress.kind].format(name=name)


def _making(form: str) -> str:
    if form == "folder":
        return translate("Evaluation", "モデルを変換用のフォルダに戻しています")
    return translate("Evaluation", "{form} の形式を作っています").format(form=form)


def _training(one: Training, among: Sequence[Training]) -> str:
    if one.is_control:
        return translate("Evaluation", "{n} 件の対照").format(n=f"{one.rows:,}")
    seeds = sorted({other.seed for other in among})
    number = seeds.index(one.seed) + 1
    return translate("Evaluation", "{n} 件（{a} 回目）").format(n=f"{one.rows:,}", a=number)


def step(number: int, steps: int, what: str) -> str:
    return translate("Evaluation", "{a}／{b}　{what}").format(a=number, b=steps, what=what)


def part(kind: str) -> str:
    """What a step's own progress counts."""
    return {
        "make": translate("Evaluation", "ファイルの作成"),
        "train": translate("Evaluation", "学習のステップ"),
        "likelihood": translate("Evaluation", "測ったトークン"),
        "answers": translate("Evaluation", "回答"),
        "judge": translate("Evaluation", "採点"),
    }.get(kind, translate("Evaluation", "準備"))


def amount(done: int, total: int) -> str:
    return translate("Evaluation", "{a}／{b}").format(a=f"{done:,}", b=f"{total:,}")


def answered(done: int, total: int) -> str:
    return translate("Evaluation", "回答 {a}／{b}").format(a=f"{done:,}", b=f"{total:,}")


def beyond(name: str, need_bytes: int, *, is_judge: bool) -> str:
    """A model that needs more memory than there is."""
    need = gigabytes(need_bytes)
    if is_judge:
        return translate(
            "Evaluation",
            "採点モデル「{name}」には、空きより多いメモリ（約 {need}）が必要です。"
            "空きがないままだと、回答がそろったあと、採点の前に止まります。",
        ).format(name=name, need=need)
    return translate(
        "Evaluation",
        "「{name}」には、空きより多いメモリ（約 {need}）が必要です。とても遅くなるか、途中で止まることがあります。",
    ).format(name=name, need=need)


def named(error: AppError, entries: Sequence[Entry]) -> AppError:
    """With the name of the study in place of its id, which means nothing to anybody."""
    found = next((one.study for one in entries if one.study is not None and one.id == error.facts.get("id")), None)
    return AppError(error.code, **(error.facts | {"id": found.name})) if found is not None else error


def failure(error: AppError) -> Sentence:
    """In the window the next step is a button, and not a command."""
    told = wording.describe_error(error)
    if error.code == "evaluation_unanswered":
        return Sentence(
            told.message,
            translate(
                "Evaluation",
                "メモリを空けてから「続ける」を押すと、その質問をもう一度尋ねます。また同じ質問で止まったときは、"
                "答えられなかったものとして先へ進みます。",
            ),
        )
    if error.code == "evaluation_damaged" or error.code in _RUNS_LOST:
        return Sentence(told.message, translate("Evaluation", "評価をもう一度行ってください。"))
    if error.code in _RUNS_TO_GO_ON:
        return Sentence(told.message, sentences(_before(error.code), _going_on(error)))
    return told


def _before(code: str) -> str:
    """What is to be done before a training goes on; "": nothing is known."""
    return {
        "run_killed": translate("Evaluation", "ほかのアプリを閉じてください。"),
        "run_memory_short": translate("Evaluation", "ほかのアプリを閉じてください。"),
        "run_out_of_memory": translate("Evaluation", "ほかのアプリを閉じてください。"),
        "run_disk_full": translate("Evaluation", "不要なファイルを消してください。"),
        "run_base_missing": translate("Evaluation", "モデルを元の場所に戻してください。"),
    }.get(code, "")


def _going_on(error: AppError) -> str:
    """The run itself is known only to the study."""
    on = translate("Evaluation", "「続ける」を押すと、最後に保存したところから続けます。")
    if error.code != "run_crashed":
        return on
    log = translate("Evaluation", "くりかえすときは、記録 {log} の終わりを確かめてください（{cause}）。")
    return sentences(on, log.format(log=error.facts["log"], cause=error.facts["cause"]))


def elapsed(time: str) -> str:
    return translate("Evaluation", "今回の経過 {time}").format(time=time)


def state_sentence(entry: Entry, standing: Standing | None, evaluations: Evaluations) -> str:
    """Return what a study's state means, and why a button cannot be pressed. `standing` None: not known yet."""
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
    """Return what is to be known of a study while it goes on here."""
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
