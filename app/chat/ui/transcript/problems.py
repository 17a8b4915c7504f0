"""Which steps a problem offers beside its sentence. The sentence itself comes from `app.base.wording`."""

from app.base.errors import AppError
from app.base.settings import CONTEXT_CHOICES
from app.base.wording import phrase
from app.inference.services.events import ContextOverflow

Action = tuple[str, str]  # key, words

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
        return ("starter", phrase("common.start_with_the_trial_model")), (
            "import",
            phrase("common.import_a_gguf_file"),
        )
    if error.code in ("memory_short", "out_of_memory"):
        smaller = smaller_context(context_tokens)
        shrink = (("shrink", phrase("chat.set_context_to_n", n=f"{smaller:,}")),) if smaller else ()
        force = (("force", phrase("chat.try_anyway")),) if error.code == "memory_short" else ()
        return (*shrink, ("models", phrase("chat.choose_a_lighter_form")), *force)
    if error.code in _MODEL_CODES:
        return (("models", phrase("common.choose_a_model")),)
    if error.code in ("empty_question", "disk_full", "cancelled"):
        return ()
    return (("log", phrase("common.view_log")),)


def needs_banner(error: AppError) -> bool:
    """Whether there is more to offer than what stands under a failed answer anyway."""
    return error.code in _MODEL_CODES or error.code in ("no_model", "memory_short", "out_of_memory")


def overflow_actions(overflow: ContextOverflow) -> tuple[Action, ...]:
    actions = []
    if overflow.droppable_turns > 0:
        actions.append(("drop", phrase("chat.leave_out_the_oldest_n", n=overflow.droppable_turns)))
    if overflow.wider_context_tokens is not None:
        actions.append(("widen", phrase("chat.enlarge_context_to_n", n=f"{overflow.wider_context_tokens:,}")))
    return (*actions, ("new", phrase("chat.new_question")))


def smaller_context(context_tokens: int) -> int | None:
    return next((size for size in reversed(CONTEXT_CHOICES) if size < context_tokens), None)
