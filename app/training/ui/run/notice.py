"""What is to be said of a run besides its numbers: one sentence, and what asks for a decision."""

from PySide6.QtCore import QCoreApplication

from app.base import wording
from app.base.errors import AppError
from app.base.wording import Sentence
from app.training import problems
from app.training.runs import watching
from app.training.runs.course import Course
from app.training.services.trainings import Trainings
from app.training.ui.run import words
from app.uikit import phrases
from app.uikit.language import joined
from trainer.events import Failed, Finished

translate = QCoreApplication.translate


def sentence(course: Course, trainings: Trainings, *, is_ours: bool) -> str:
    """ "": the numbers say it all."""
    if is_ours and trainings.is_asked:
        return translate("TrainingRun", "いまの処理が区切りに来たら終わります。1 ステップに数分かかることもあります。")
    if is_ours and not course.is_live:
        return ""  # it has just begun, and nothing is told yet
    match course.state:
        case "running" if not is_ours:
            return phrases.sentences(
                translate("TrainingRun", "ターミナルなど、この画面の外で動いている学習です。"),
                translate("TrainingRun", "止めるには、そちらで Ctrl+C を押してください。"),
            )
        case "judging" if is_ours and trainings.progress is not None:
            return words.judging(trainings.progress)
        case "judging":
            return translate("TrainingRun", "取り分けたデータで、学習の結果を評価しています。")
        case "ending":
            return translate(
                "TrainingRun", "学習の処理が、いま保存して終わるところです。終わると「続ける」を押せます。"
            )
        case "waiting":
            return translate("TrainingRun", "まだ始まっていません。")
        case "paused":
            return translate(
                "TrainingRun", "ステップ {n} で一時停止しています。「続ける」で、そこから学習します。"
            ).format(n=f"{course.standing.last_step:,}")
        case "cancelled":
            return _kept(course, translate("TrainingRun", "中止した学習です。"))
        case "exported":
            return translate("TrainingRun", "別の PC で学習するために書き出した学習です。")
        case "finished":
            origin = wording.phrase("run_trained_elsewhere") if course.is_from_elsewhere else ""
            return phrases.sentences(origin, _finished(course)) if origin else _finished(course)
    return ""


def failure(course: Course) -> Sentence | None:
    """Of a run that nobody is at work on: why it did not come to its end, and the next step."""
    end = course.standing.end
    if course.state == "crashed":
        what = translate("TrainingRun", "学習の処理が途中で止まりました。")
        return Sentence(what, _kept(course, ""))
    if course.state == "failed" and isinstance(end, Failed):
        return of_error(problems.of_run(end.code, end.facts, ""), course)
    return None


def of_error(error: AppError, course: Course | None) -> Sentence:
    """In the window the next step is a button, or a new training, and not a command."""
    told = wording.describe_error(error)
    if course is not None and course.can_go_on and error.code.startswith("run_"):
        return Sentence(told.message, _kept(course, _before(error.code)))
    if error.code == "run_preflight_blocked":
        return Sentence(
            told.message, translate("TrainingRun", "「確認」で見つかったことを直して、新しい学習を始めてください。")
        )
    if error.code == "run_not_finite":
        return Sentence(told.message, translate("TrainingRun", "学習率を小さくして、新しい学習を始めてください。"))
    if error.code.startswith("run_"):
        return Sentence(told.message, translate("TrainingRun", "新しい学習を始めてください。"))
    return told


def alarm(course: Course) -> str:
    """ "": validation goes as it should, or it is too late to do something."""
    evaluations, best = course.standing.evaluations, course.standing.best
    if course.state != "running" or best is None or not watching.is_overfitting(evaluations):
        return ""
    return translate(
        "TrainingRun", "検証の損失が {n} 回続けて悪化しました。最良（ステップ {s}）で終えられます。"
    ).format(n=watching.rises(evaluations), s=f"{best.step:,}")


def abort_body(course: Course) -> str:
    saved = course.standing.saved
    if saved is None or not saved.step:
        return translate("TrainingRun", "まだ途中結果が保存されていません。あとで最初からやり直せます。")
    return translate("TrainingRun", "ステップ {n} までの途中結果は残り、あとで続きから再開できます。").format(
        n=f"{saved.step:,}"
    )


def _before(code: str) -> str:
    """What is to be done before it goes on; "": nothing is known."""
    return {
        "run_out_of_memory": translate("TrainingRun", "ほかのアプリを閉じてください。"),
        "run_memory_short": translate("TrainingRun", "ほかのアプリを閉じてください。"),
        "run_killed": translate("TrainingRun", "ほかのアプリを閉じてください。"),
        "run_disk_full": translate("TrainingRun", "不要なファイルを消してください。"),
        "run_base_missing": translate("TrainingRun", "モデルを元の場所に戻してください。"),
        "run_data_missing": translate("TrainingRun", "学習データを元の場所に戻してください。"),
    }.get(code, "")


def _kept(course: Course, before: str) -> str:
    """What is safe, and how it goes on."""
    saved = course.standing.saved
    if saved is None or not saved.step:
        return phrases.sentences(before, translate("TrainingRun", "「続ける」で、最初から学習します。"))
    told = translate("TrainingRun", "ステップ {n} までは保存済みです。「続ける」で、そこから再開します。")
    return phrases.sentences(before, told.format(n=f"{saved.step:,}"))


def _finished(course: Course) -> str:
    end = course.standing.end
    told = words.finished(end) if isinstance(end, Finished) else ""
    if course.can_go_on:
        return joined(told, translate("TrainingRun", "評価が残っています。「続ける」で評価します。"))
    return told
