"""What was found before a training, in words: of what it is, how grave, and where it can be mended."""

import re
from dataclasses import dataclass

from PySide6.QtCore import QCoreApplication

from app.training import problems
from app.training.plan import Draft
from app.uikit.language import joined
from trainer import awake
from trainer.events import Finding

translate = QCoreApplication.translate

OK, NOTE, WARN, BLOCK = "ok", "note", "warn", "block"  # as of Finding; "ok": nothing was found

_DATA = (
    "no_rows", "few_rows", "some_rows", "too_long", "rows_dropped", "rows_split", "lengths", "validation_empty",
    "validation_shared", "holdout_shared", "holdout_known", "data_unfrozen", "stop_in_answer",
)  # fmt: skip
_FORM = (
    "end_unknown", "end_not_stopping", "end_masked", "nothing_trained", "prompts_trained", "prompts_wanted",
    "double_bos", "pad_is_end", "template_differs",
)  # fmt: skip
_BASE = (
    "token_outside", "vocabulary_larger", "vocabulary_padded", "pre_tokenizer_unknown", "base_quantized", "base_sees",
    "targets_missing", "targets_few", "f16_overflows", "f16_narrow",
)  # fmt: skip
_MACHINE = ("disk_short", "network_open", "shared_memory")
_JAPANESE_GAP = re.compile(r"(?<=[^\x00-\x7f]) (?=[^\x00-\x7f])")  # there are no spaces between Japanese words
_BY_SETTINGS = ("too_long", "rows_dropped", "validation_empty")  # of the data, and mended there all the same


@dataclass(frozen=True, slots=True)
class Line:
    """`topic`: what it is about. `step`: where it can be mended; ""."""

    level: str
    topic: str
    text: str
    step: str = ""


def lines(draft: Draft, *, has_preview: bool) -> list[Line]:
    """What the last check has found, the gravest first. `has_preview`: the trainer has looked at the data."""
    forecast = draft.forecast
    found = [_line(finding) for finding in (forecast.findings if forecast else ())]
    made = [_environment(draft), _data(draft, found), *_form(draft, found, has_preview=has_preview), _sleep()]
    all_of_them = [*(line for line in made if line is not None), *found]
    order = (BLOCK, WARN, OK, NOTE)
    return sorted(all_of_them, key=lambda line: order.index(line.level))


def state(level: str) -> str:
    return {
        OK: translate("TrainingCheck", "問題なし"),
        NOTE: translate("TrainingCheck", "参考"),
        WARN: translate("TrainingCheck", "注意"),
        BLOCK: translate("TrainingCheck", "始められません"),
    }[level]


def back_to(step: str) -> str:
    """On the button that leads there."""
    return {
        "goal": translate("TrainingCheck", "学習環境を作る"),
        "data": translate("TrainingCheck", "データへ戻る"),
        "model": translate("TrainingCheck", "設定へ戻る"),
    }[step]


def _environment(draft: Draft) -> Line | None:
    if draft.has_environment:
        return None
    text = translate("TrainingCheck", "学習を動かす環境が、まだありません。時間とメモリだけ見積もりました。")
    return Line(BLOCK, translate("TrainingCheck", "学習環境"), text, "goal")


def _data(draft: Draft, found: list[Line]) -> Line | None:
    if draft.frozen is None or any(line.topic == _data_name() and line.level == BLOCK for line in found):
        return None
    counts = (
        (translate("TrainingCheck", "学習 {n} 件"), draft.frozen.train),
        (translate("TrainingCheck", "検証 {n} 件"), draft.frozen.validation),
        (translate("TrainingCheck", "試験 {n} 件（学習に使いません）"), draft.frozen.holdout),
    )
    return Line(OK, _data_name(), joined(*(words.format(n=f"{count:,}") for words, count in counts)))


def _form(draft: Draft, found: list[Line], *, has_preview: bool) -> list[Line]:
    if any(line.topic == _form_name() and line.level in (WARN, BLOCK) for line in found):
        return []
    if has_preview:
        text = translate("TrainingCheck", "会話の形式は土台のモデルと合い、答えの終わりまで学びます。")
        return [Line(OK, _form_name(), text)]
    if not draft.has_environment or (draft.forecast is not None and draft.forecast.is_exact):
        return []
    text = translate(
        "TrainingCheck", "この土台は、まだ学習用に変換していません。3 ステップ試すと、変換してから調べます。"
    )
    return [Line(NOTE, _form_name(), text)]


def _sleep() -> Line:
    topic = translate("TrainingCheck", "スリープ")
    if awake.is_offered():
        text = translate(
            "TrainingCheck", "学習中は、PC が自動でスリープしないようにします。ノート PC のふたは開けておいてください。"
        )
        return Line(OK, topic, text)
    text = translate(
        "TrainingCheck", "この PC では、スリープを止められません。OS の設定で、スリープしないようにしてください。"
    )
    return Line(WARN, topic, text)


def _line(finding: Finding) -> Line:
    code = finding.code
    if code in _DATA:
        topic, step = _data_name(), "model" if code in _BY_SETTINGS else "data"
    elif code in _FORM:
        topic, step = _form_name(), "model"
    elif code in _MACHINE:
        topic, step = translate("TrainingCheck", "この PC"), ""
    else:  # of _BASE
        topic, step = translate("TrainingCheck", "土台のモデル"), "model"
    is_to_be_mended = finding.level in (WARN, BLOCK)
    return Line(finding.level, topic, sentence(finding), step if is_to_be_mended else "")


def sentence(finding: Finding) -> str:
    """Where the shared words name a setting as SPEC has it, the name that the page 詳しい設定 has."""
    own = {
        "too_long": translate(
            "TrainingCheck",
            "{file} の {count} 行が {context_tokens} トークンを超えています（最長 {longest}）。"
            "行を短くするか、詳しい設定の「長すぎる例」で扱いを選んでください。",
        ),
        "validation_empty": translate(
            "TrainingCheck",
            "検証用の行がないので、いちばん良い時点を選べません。行を増やすか、「1 周の検証回数」を 0 にしてください。",
        ),
        "validation_shared": translate(
            "TrainingCheck",
            "検証用の {count} 行が、学習用の行とまったく同じです（{lines} 行目など）。"
            "覚えすぎに気づきにくくなるので、どちらかから除いてください。",
        ),
        "holdout_shared": translate(
            "TrainingCheck",
            "試験用の {count} 行が、学習用か検証用の行とまったく同じです（{lines} 行目など）。"
            "正しく評価できないので、どちらかから除いてください。",
        ),
        "holdout_known": translate(
            "TrainingCheck",
            "試験用の {count} 行を、元にしたアダプターがすでに学習しています（{lines} 行目など）。"
            "正しく評価できないので、データを分け直してください。",
        ),
        "data_unfrozen": translate("TrainingCheck", "データの控えがありません。データを分け直してください。"),
        "prompts_wanted": translate(
            "TrainingCheck", "選んだ設定のとおり、答えだけでなく質問も学びます（詳しい設定の「学習する範囲」）。"
        ),
        "f16_overflows": translate(
            "TrainingCheck", "f16 では計算があふれて壊れます。「土台の精度」を 4 ビットか bf16 にしてください。"
        ),
        "f16_narrow": translate(
            "TrainingCheck", "f16 では計算があふれることがあります。できれば「土台の精度」を 4 ビットにしてください。"
        ),
        "pre_tokenizer_unknown": translate(
            "TrainingCheck",
            "このモデルの文章の区切り方は、変換プログラムが知らないものかもしれません。"
            "先に「モデルを作る」で変換できるか試してください。",
        ),
    }
    files = {
        "train.jsonl": translate("TrainingCheck", "学習用データ"),
        "validation.jsonl": translate("TrainingCheck", "検証用データ"),
        "holdout.jsonl": translate("TrainingCheck", "試験用データ"),
    }
    file = files.get(str(finding.facts.get("file")), finding.facts.get("file"))
    facts = finding.facts | {"file": file}
    if finding.code in own:
        told = own[finding.code].format_map({name: _told(what) for name, what in facts.items()})
    else:
        told = problems.of_finding(Finding(finding.code, finding.level, facts))
    return _JAPANESE_GAP.sub("", told)  # which a file's name in Latin letters would need


def _told(what: object) -> object:
    if isinstance(what, list | tuple):
        return ", ".join(map(str, what))
    return f"{what:,}" if type(what) is int else what


def _data_name() -> str:
    return translate("TrainingCheck", "データ")


def _form_name() -> str:
    return translate("TrainingCheck", "会話の形式")
