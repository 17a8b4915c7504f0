"""Which steps a problem offers beside its sentence. The sentence itself comes from `app.base.wording`."""

from PySide6.QtCore import QCoreApplication

from app.base.errors import AppError
from app.base.settings import CONTEXT_CHOICES
from app.inference.services.events import Overflow

Action = tuple[str, str]  # key, words

translate = QCoreApplication.translate

_MODEL_CODES = frozenset(
    (
        "model_missing", "model_unreadable", "context_failed", "load_too_slow", "template_failed", "unknown_model",
        "truncated", "truncated_header", "gguf_damaged", "unknown_architecture", "unknown_tensor_type",
        "remote_secret", "remote_no_network", "remote_unreachable", "remote_name_unknown", "remote_public",
        "remote_key_refused", "remote_not_found", "remote_model_unknown", "remote_certificate", "remote_no_tls",
    )
)  # fmt: skip


def actions_for(error: AppError, context_tokens: int) -> tuple[Action, ...]:
    """The buttons of a problem's banner: (key, words). "log" is offered for what only its record explains."""
    if error.code == "no_model":
        return ("starter", translate("Problems", "お試し用ではじめる")), (
            "import",
            translate("Problems", "GGUF ファイルを取り込む"),
        )
    if error.code in ("memory_short", "out_of_memory"):
        smaller = smaller_context(context_tokens)
        shrink = (("shrink", translate("Problems", "文脈を {n} にする").format(n=f"{smaller:,}")),) if smaller else ()
        force = (("force", translate("Problems", "このまま試す")),) if error.code == "memory_short" else ()
        return (*shrink, ("models", translate("Problems", "軽い形を選ぶ")), *force)
    if error.code in _MODEL_CODES:
        return (("models", translate("Problems", "モデルを選ぶ")),)
    if error.code in ("empty_question", "disk_full", "cancelled"):
        return ()
    return (("log", translate("Problems", "記録を見る")),)


def needs_banner(error: AppError) -> bool:
    """Whether there is more to offer than what stands under a failed answer anyway."""
    return error.code in _MODEL_CODES or error.code in ("no_model", "memory_short", "out_of_memory")


def overflow_actions(overflow: Overflow) -> tuple[Action, ...]:
    actions = []
    if overflow.droppable_turns > 0:
        actions.append(("drop", translate("Problems", "古い {n} 件を外す").format(n=overflow.droppable_turns)))
    if overflow.wider_context_tokens is not None:
        actions.append(
            ("widen", translate("Problems", "文脈を {n} に広げる").format(n=f"{overflow.wider_context_tokens:,}"))
        )
    return (*actions, ("new", translate("Problems", "新しい質問にする")))


def smaller_context(context_tokens: int) -> int | None:
    return next((size for size in reversed(CONTEXT_CHOICES) if size < context_tokens), None)
