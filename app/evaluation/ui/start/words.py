"""The dialog in words: what can be compared, why not, what is missing, what it will take."""

from PySide6.QtCore import QCoreApplication

from app.evaluation.services.study_making import Forecast
from app.evaluation.study.scale_limits import LEAST_ROWS
from app.uikit.language import joined, noted
from app.uikit.phrases import about_time, enumerated, gigabytes

translate = QCoreApplication.translate

JUDGE_PRESETS = ("kotae", "paper-2603.18037")


def kind(key: str) -> tuple[str, str]:
    """One of `rules.KINDS`: its name, and a sentence."""
    return {
        "documents": (
            translate("Evaluation", "資料と学習の比較"),
            translate("Evaluation", "資料を渡す効果と学習の効果を、同じ問いで比べます。"),
        ),
        "models": (
            translate("Evaluation", "モデルの比較"),
            translate("Evaluation", "どのモデルがよく答えるかを比べます。"),
        ),
        "quantizations": (
            translate("Evaluation", "量子化の比較"),
            translate("Evaluation", "小さい形式にしたとき、品質がどれだけ下がるかを比べます。"),
        ),
        "scale": (
            translate("Evaluation", "学習量の比較"),
            translate("Evaluation", "学習データが何件あれば足りるかを、量を変えて学習して調べます。"),
        ),
    }[key]


def obstacle(code: str) -> str:
    return {
        "": "",
        "no_model": translate("Evaluation", "使えるモデルがありません。「モデル」で追加してください。"),
        "no_set": translate("Evaluation", "自分の質問集がありません。「質問集を追加」で追加すると選べます。"),
        "no_base": translate("Evaluation", "学習できるモデルがありません。「モデル」で確かめてください。"),
        "no_collection": translate("Evaluation", "資料集がありません。「資料」で追加してください。"),
        "one_model": translate("Evaluation", "モデルが 1 つしかありません。「モデル」で追加してください。"),
        "no_environment": translate("Evaluation", "学習環境がありません。設定の「学習環境」で作れます。"),
        "no_split": translate("Evaluation", "分割して固定したデータがありません。「学習」のデータで作れます。"),
        "looking": translate("Evaluation", "データを調べています…"),
    }[code]


def problem(code: str) -> str:
    """`code`: as of `rules.problem`, and sizes_form, disk, kind."""
    if code == "sizes_small":
        return translate("Evaluation", "いちばん少ない件数を {n} 件以上にしてください。").format(n=LEAST_ROWS)
    return {
        "": "",
        "kind": translate("Evaluation", "比べられるものが、まだありません。"),
        "set": translate("Evaluation", "質問集を選んでください。"),
        "model": translate("Evaluation", "土台のモデルを選んでください。"),
        "models": translate("Evaluation", "比べるモデルを 2 つ以上選んでください。"),
        "scope": translate("Evaluation", "資料を 1 つ以上選んでください。"),
        "forms": translate("Evaluation", "F16 と比べる形式を 1 つ以上選んでください。"),
        "split": translate("Evaluation", "学習データを選んでください。"),
        "sizes_form": translate("Evaluation", "比べる件数は、50, 100, 200 のように数字で書いてください。"),
        "sizes_order": translate("Evaluation", "比べる件数は、小さい順に 2 つ以上書いてください。"),
        "seeds": translate(
            "Evaluation", "2 回以上尋ねるときは、温度を 0 より大きくしてください。0 では毎回同じ回答になります。"
        ),
        "disk": translate("Evaluation", "ディスクの空きが足りません。不要なファイルを消してください。"),
    }[code]


def forecast(found: Forecast, seeds: int) -> str:
    """What will be done, and what that takes."""
    return joined(_answers(found, seeds), _trainings(found), _time(found), _disk(found))


def systems(found: Forecast) -> str:
    """Which are compared, and what is a surprise among them."""
    told = enumerated(found.names)
    if not found.quotes:
        return told
    sentence = translate(
        "Evaluation",
        "「{name}」は、回答を作らずに資料の該当箇所をそのまま示します。1B 未満のモデルは、ふだんもこの形で答えます。",
    ).format(name=found.quotes)
    return f"{told}\n{sentence}"


def _answers(found: Forecast, seeds: int) -> str:
    if not found.answers:
        return ""
    sentence = translate("Evaluation", "{s} 構成 × {q} 問 = {a} 回答")
    if seeds > 1:
        sentence = translate("Evaluation", "{s} 構成 × {q} 問 × {r} 回 = {a} 回答")
    told = sentence.format(s=f"{found.systems:,}", q=f"{found.questions:,}", r=seeds, a=f"{found.answers:,}")
    judged = translate("Evaluation", "採点 {n} 件").format(n=f"{found.judged:,}") if found.judged else ""
    return noted(told, judged)


def _trainings(found: Forecast) -> str:
    if not found.trainings:
        return ""
    told = translate("Evaluation", "学習 {n} 回").format(n=f"{found.trainings:,}")
    if not found.training_s:
        return told
    most = translate("Evaluation", "長くても{time}").format(time=about_time(found.training_s))
    return noted(told, most)


def _time(found: Forecast) -> str:
    if found.most_answering_s is None or not found.answers:
        return ""
    return translate("Evaluation", "回答にかかる時間は長くても{time}").format(time=about_time(found.most_answering_s))


def _disk(found: Forecast) -> str:
    if not found.disk_bytes:
        return ""
    return translate("Evaluation", "ディスク 最大 {need}（空き {free}）").format(
        need=gigabytes(found.disk_bytes), free=gigabytes(found.free_bytes)
    )


def judge_preset(key: str) -> str:
    return {
        "kotae": translate("Evaluation", "Kotae の採点（模範解答と資料を見せる）"),
        "paper-2603.18037": translate("Evaluation", "論文 arXiv 2603.18037 の採点（回答だけを見せる）"),
    }[key]


def questions(count: int) -> str:
    return translate("Evaluation", "{n} 問").format(n=f"{count:,}")


def rows(count: int) -> str:
    return translate("Evaluation", "学習用 {n} 件").format(n=f"{count:,}")


def documents(count: int) -> str:
    return translate("Evaluation", "資料 {n} 件").format(n=f"{count:,}")


def without() -> str:
    return translate("Evaluation", "なし")
