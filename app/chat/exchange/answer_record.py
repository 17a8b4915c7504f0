"""Record one answer for export: the question, the answer, and its model, settings and sources."""

import time
from dataclasses import dataclass

from app import __version__
from app.base.confidentiality import Label, highest_label
from app.base.wording import format_time, phrase
from app.chat import answer_check
from app.chat.records import AnswerDetails, Message
from app.documents.grounding.grounding_record import Grounding
from app.inference.local_model import LocalModel


@dataclass(frozen=True, slots=True)
class AnswerRecord:
    """A question and answer with the label of the conversation. `model` is None when it is not installed any more."""

    question: Message
    answer: Message
    label: Label
    model: LocalModel | None = None

    @property
    def highest_label(self) -> Label:
        """Return the highest label of the conversation and the answer's sources."""
        return highest_label((self.label, *(source.label for source in self._details.named_sources)))

    @property
    def _details(self) -> AnswerDetails:
        return self.answer.details or AnswerDetails()

    @property
    def grounding(self) -> Grounding | None:
        return answer_check.grounding_of(self.answer)

    def facts(self) -> list[tuple[str, str]]:
        """Return the model, settings and sources of the answer as pairs (name, value), without empty values."""
        details, choices = self._details, self._details.choices
        is_imported = details.is_imported  # the installed model of that name may be another one
        marks = self.model.files if self.model and not is_imported else ()
        sha256 = "\n".join(mark.sha256 for mark in marks if mark.sha256)
        adapter = f"{details.adapter_sha256} ×{details.adapter_strength:g}" if details.adapter_sha256 else ""
        settled = [
            ("label", phrase(f"common.label.{self.highest_label}")),
            ("origin", " / ".join(answer_check.origin_marks(self.answer))),
            ("model", answer_check.model_text(details)),
            ("remote", answer_check.remote_machine(details)),
            ("model_sha256", sha256 or (phrase("chat.answer_hash_unknown") if self.model and not is_imported else "")),
            ("adapter_sha256", adapter),
            ("scope", " / ".join(ref.title for ref in details.scope)),
            ("documents_sha256", "\n".join(self._document_hashes())),
            ("temperature", f"{choices.temperature}" if choices else ""),
            ("max_tokens", f"{choices.max_tokens}" if choices else ""),
            ("seed", "" if details.seed is None else str(details.seed)),
            ("context_tokens", f"{details.context_tokens}" if details.context_tokens else ""),
            ("system_prompt", choices.system_prompt or "" if choices else ""),
            ("answered", format_time(self.answer.created_at)),
            ("seconds", f"{details.total_s:.1f}" if details.total_s else ""),
            ("written", format_time(time.time())),
            ("version", f"Kotae {__version__}"),
        ]
        return [(phrase(f"chat.batch_fact.{key}"), value) for key, value in settled if value]

    def _document_hashes(self) -> list[str]:
        sources = self.grounding.sources if self.grounding else ()
        return list(dict.fromkeys(f"{source.document}  {source.sha256}" for source in sources if source.sha256))
