"""One answer as a Word document, to be checked by somebody else: with its sources and how it came about."""

import io

from docx.document import Document as WordDocument
from docx.enum.text import WD_ALIGN_PARAGRAPH

from app.base.files.output_file import require_zip_date
from app.base.wording import phrase
from app.chat import answer_origin
from app.chat.exchange import docx_file, docx_grounding, docx_styles, markdown_file
from app.chat.exchange.answered import Answered
from app.chat.exchange.docx_text import legal

FACT_WIDTHS_MM = [45, 115]


def content(answered: Answered) -> bytes:
    document = docx_styles.new_document()
    grounding, answer = answered.grounding, answered.answer
    docx_file.describe(document, phrase("chat.answer_title"))
    mark = document.add_paragraph()
    mark.alignment = WD_ALIGN_PARAGRAPH.RIGHT
    mark.add_run(phrase(f"common.label.{answered.highest_label}")).bold = True
    document.add_paragraph(phrase("chat.answer_title"))._p.style = "Title"

    _heading(document, "chat.answer_question")
    docx_file.add_typed(document, answered.question.text)
    _heading(document, "chat.answer_answer")
    docx_file.add_answer(document, docx_grounding.text_of(answer.text, grounding))
    if remark := markdown_file.remark(answer):
        document.add_paragraph().add_run(remark).italic = True
    origin = answer_origin.mark(answer)
    if grounding is None and not origin:
        document.add_paragraph().add_run(phrase("chat.batch_without_documents")).italic = True
    else:
        _heading(document, "chat.answer_check")
        docx_grounding.add_check(document, answer)
        if grounding is not None and grounding.verdict != "answered":
            document.add_paragraph(phrase("chat.not_in_documents"))
        if grounding is not None and grounding.sources:
            document.add_paragraph(docx_grounding.sources_heading(grounding))._p.style = "Heading1"
            docx_grounding.add_sources(document, answer.text, grounding)
    _heading(document, "chat.answer_facts")
    facts: list[tuple[str, ...]] = [(name, legal(value)) for name, value in answered.facts()]
    docx_grounding.add_table(document, [], facts, FACT_WIDTHS_MM)
    file = io.BytesIO()
    require_zip_date()
    document.save(file)
    return file.getvalue()


def _heading(document: WordDocument, key: str) -> None:
    document.add_paragraph(phrase(key))._p.style = "Heading1"
