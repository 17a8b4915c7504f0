"""One answer as a Word document, to be checked by somebody else: with its sources and how it came about."""

import io
import time
from dataclasses import dataclass

from docx.document import Document as WordDocument
from docx.enum.text import WD_ALIGN_PARAGRAPH

from app import __version__
from app.core.documents import labels
from app.core.documents.grounding import Grounding
from app.core.documents.records import Label
from app.core.exchange import docx_file, docx_grounding, docx_styles, markdown_file
from app.core.exchange.docx_text import legal
from app.core.records import AnswerDetails, LocalModel, Message
from app.core.wording import phrase

FACT_WIDTHS_MM = [45, 115]


@dataclass(frozen=True, slots=True)
class Answered:
    """`label`: of its conversation. `model`: None where it is not in the list any more."""

    question: Message
    answer: Message
    label: Label
    model: LocalModel | None = None

    @property
    def highest_label(self) -> Label:
        """With its own sources."""
        return labels.of_answer(self.label, [self._details.grounding])

    @property
    def _details(self) -> AnswerDetails:
        return self.answer.details or AnswerDetails()

    @property
    def grounding(self) -> Grounding | None:
        return self._details.grounding

    def facts(self) -> list[tuple[str, str]]:
        """How it came about: (name, value)."""
        details, choices = self._details, self._details.choices
        marks = self.model.files if self.model else ()
        sha256 = "\n".join(mark.sha256 for mark in marks if mark.sha256)
        settled = [
            ("label", phrase(f"label_{self.highest_label}")),
            ("model", details.model_name),
            ("model_sha256", sha256 or (phrase("answer_hash_unknown") if self.model else "")),
            ("scope", " / ".join(ref.name for ref in details.scope)),
            ("documents_sha256", "\n".join(self._document_hashes())),
            ("temperature", f"{choices.temperature}" if choices else ""),
            ("max_tokens", f"{choices.max_tokens}" if choices else ""),
            ("seed", "" if details.seed is None else str(details.seed)),
            ("context_tokens", f"{details.context_tokens}" if details.context_tokens else ""),
            ("system_prompt", choices.system_prompt or "" if choices else ""),
            ("answered", markdown_file.moment(self.answer.created_at)),
            ("seconds", f"{details.total_s:.1f}" if details.total_s else ""),
            ("written", markdown_file.moment(time.time())),
            ("version", f"Kotae {__version__}"),
        ]
        return [(phrase(f"batch_fact_{key}"), value) for key, value in settled if value]

    def _document_hashes(self) -> list[str]:
        sources = self.grounding.sources if self.grounding else ()
        return list(dict.fromkeys(f"{source.document}  {source.sha256}" for source in sources if source.sha256))


def content(answered: Answered) -> bytes:
    document = docx_styles.new_document()
    grounding, answer = answered.grounding, answered.answer
    docx_file.describe(document, phrase("answer_title"))
    mark = document.add_paragraph()
    mark.alignment = WD_ALIGN_PARAGRAPH.RIGHT
    mark.add_run(phrase(f"label_{answered.highest_label}")).bold = True
    document.add_paragraph(phrase("answer_title"))._p.style = "Title"

    _heading(document, "answer_question")
    docx_file.add_typed(document, answered.question.text)
    _heading(document, "answer_answer")
    docx_file.add_answer(document, docx_grounding.text_of(answer.text, grounding))
    if remark := markdown_file.remark(answer):
        document.add_paragraph().add_run(remark).italic = True
    if grounding is None:
        document.add_paragraph().add_run(phrase("batch_without_documents")).italic = True
    else:
        _heading(document, "answer_check")
        docx_grounding.add_check(document, grounding)
        if grounding.verdict != "answered":
            document.add_paragraph(phrase("not_in_documents"))
        if grounding.sources:
            document.add_paragraph(docx_grounding.sources_heading(grounding))._p.style = "Heading1"
            docx_grounding.add_sources(document, answer.text, grounding)
    _heading(document, "answer_facts")
    facts: list[tuple[str, ...]] = [(name, legal(value)) for name, value in answered.facts()]
    docx_grounding.add_table(document, [], facts, FACT_WIDTHS_MM)
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


def _heading(document: WordDocument, key: str) -> None:
    document.add_paragraph(phrase(key))._p.style = "Heading1"
