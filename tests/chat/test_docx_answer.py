"""An answer as a Word document: all that somebody else needs to check it, and nothing of the machine it is from."""

import dataclasses
import io
import zipfile
from pathlib import Path

import pytest
from docx import Document
from docx.document import Document as WordDocument

from app.base import wording
from app.base.wording import format_time, phrase
from app.chat.answer_check import AnswerRecord
from app.chat.exchange import conversation_export, docx_file, markdown_file
from app.chat.exchange.conversation_bundle import Bundle
from app.chat.presets import PROGRAM_DEFAULTS
from app.chat.records import AnswerDetails, Conversation, Message
from app.documents.grounding.grounding_record import CitedSource, Claim, CollectionRef, Grounding
from app.inference.local_model import FileFingerprint, LocalModel
from tests.permits import PERMIT

TEXT = "かぶりは **70 mm** 以上とします[1]。\n\n| 部位 | 値 |\n|---|---|\n| 底版 | 70 |\n\n鉄筋は 9 本です。\x0b"
SOURCES = (
    CitedSource("基準", "secret", "基準.pdf", "/home/yamada/秘密/基準.pdf", "70mm以上とする。",
                ("第2章 材料", "2.1 かぶり"), "標準", 12, sha256="a" * 64),
    CitedSource("基準", "internal", "別冊.docx", "C:\\Users\\yamada\\別冊.docx", "使わない", ("付録",)),
)  # fmt: skip
CLAIMS = (
    Claim("かぶりは **70 mm** 以上とします[1]。", 0, 24, (1,), True),
    Claim("鉄筋は 9 本です。", TEXT.index("鉄筋"), TEXT.index("鉄筋") + 10, (), False, ("9 本",)),
)
GROUNDED = AnswerDetails(
    "swallow", "Swallow 8B Q4_K_M", seed=7, choices=PROGRAM_DEFAULTS, context_tokens=8192, total_s=8.24,
    scope=(CollectionRef(1, "基準"),), grounding=Grounding("answered", SOURCES, CLAIMS),
)  # fmt: skip
MODEL = LocalModel(
    "swallow", "Swallow 8B", "/home/yamada/models/swallow.gguf", 1, "llama", "Q4_K_M", 8192, 1.0,
    files=(FileFingerprint("swallow.gguf", 1, 1, "b" * 64),),
)  # fmt: skip


def answered(
    details: AnswerDetails | None = GROUNDED, text: str = TEXT, model: LocalModel | None = MODEL
) -> AnswerRecord:
    question = Message(1, 1, None, "question", "=かぶりは？\n単位は mm で", "done", 1_700_000_000.0)
    answer = Message(2, 1, 1, "answer", text, "done", 1_700_000_000.0, details)
    return AnswerRecord(question, answer, "internal", model)


def opened(made: AnswerRecord) -> WordDocument:
    return Document(io.BytesIO(docx_file.answer_docx(made)))


def all_text(document: WordDocument) -> str:
    cells = [cell.text for table in document.tables for row in table.rows for cell in row.cells]
    return "\n".join([*(paragraph.text for paragraph in document.paragraphs), *cells])


def facts_of(document: WordDocument) -> dict[str, str]:
    return {row.cells[0].text: row.cells[1].text for row in document.tables[-1].rows}


def test_question_answer_check_sources_and_facts_are_in_it() -> None:
    document = opened(answered())
    headings = [p.text for p in document.paragraphs if p._p.style in ("Title", "Heading1")]
    assert headings == ["質問と回答", "質問", "回答", "根拠の確認", "出典", "この回答について"]
    paragraphs = [paragraph.text for paragraph in document.paragraphs]
    assert paragraphs[0] == "機密"  # a source is, although the conversation is not
    assert "かぶりは 70 mm 以上とします[1]。" in paragraphs
    assert "要確認 2／2 文：「鉄筋は 9 本です。」　引用元にないもの：9 本" in paragraphs
    table, sources, facts = document.tables
    assert table.rows[1].cells[0].text == "底版"
    rows = [[cell.text for cell in row.cells] for row in sources.rows]
    assert rows == [["番号", "資料", "章・条項", "区分", "ページ"],
                    ["[1]", "基準.pdf", "第2章 材料 2.1 かぶり", "標準", "12 ページ"]]  # fmt: skip
    found = facts_of(document)
    assert found[phrase("chat.batch_fact.model_sha256")] == "b" * 64
    assert found[phrase("chat.batch_fact.documents_sha256")] == f"基準.pdf  {'a' * 64}"
    assert (found["モデル"], found["対象の資料"], found["ラベル"]) == ("Swallow 8B Q4_K_M", "基準", "機密")
    assert (found["乱数の種"], found["文脈の長さ（トークン）"], found["温度"]) == (
        "7",
        "8192",
        str(PROGRAM_DEFAULTS.temperature),
    )
    assert found["回答した日時"] == format_time(1_700_000_000.0)
    assert len(facts.rows) == len(found) >= 12


def test_no_folder_of_this_machine_is_in_it() -> None:
    with zipfile.ZipFile(io.BytesIO(docx_file.answer_docx(answered()))) as archive:
        assert archive.testzip() is None
        parts = {name: archive.read(name) for name in archive.namelist()}
    assert len(parts) > 5
    assert not [name for name, part in parts.items() if b"yamada" in part or b".gguf" in part]


def test_an_answer_without_documents_says_so() -> None:
    document = opened(answered(dataclasses.replace(GROUNDED, grounding=None, scope=())))
    assert phrase("chat.batch_without_documents") in all_text(document)
    assert [p.text for p in document.paragraphs if p._p.style == "Heading1"] == ["質問", "回答", "この回答について"]
    assert facts_of(document)["ラベル"] == "社外秘"


def test_what_is_not_in_the_documents_comes_with_the_nearest_passages() -> None:
    details = dataclasses.replace(GROUNDED, grounding=Grounding("not_in_documents", SOURCES))
    document = opened(answered(details, "資料にありません。"))
    assert "近い箇所" in [p.text for p in document.paragraphs]
    assert [row.cells[1].text for row in document.tables[0].rows[1:]] == ["基準.pdf", "別冊.docx"]


@pytest.mark.parametrize("details", [None, AnswerDetails()])
def test_little_known_is_written_as_far_as_it_is_known(details: AnswerDetails | None) -> None:
    document = opened(answered(details, "", None))
    assert set(facts_of(document)) == {"ラベル", "回答した日時", "書き出した日時", "作成"}
    unknown = dataclasses.replace(MODEL, files=(FileFingerprint("swallow.gguf", 1, 1),))
    facts = facts_of(opened(answered(details, model=unknown)))
    assert facts[phrase("chat.batch_fact.model_sha256")].startswith("まだ計算していません"), "not left out silently"


def test_it_is_written_in_english_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wording, "_current", "en")
    made = answered()
    text = all_text(opened(dataclasses.replace(made, question=dataclasses.replace(made.question, text="Cover?"))))
    assert "Check against the documents" in text
    assert "Confidential" in text


def test_a_conversation_as_word_and_markdown_has_the_sources_of_each_answer() -> None:
    made = answered()
    bundle = Bundle(Conversation(1, "題名", 1.0, 2.0, 2, label="secret"), (made.question, made.answer))
    document = Document(io.BytesIO(docx_file.conversation_docx(bundle)))
    assert document.tables[-1].rows[1].cells[2].text == "第2章 材料 2.1 かぶり"
    written = markdown_file.conversation_markdown(bundle)
    assert "- [1] 基準.pdf　第2章 材料 2.1 かぶり（標準）　p.12" in written
    assert "要確認 2／2 文" in written
    assert "- ラベル：機密" in written
    assert "ラベル：機密" in all_text(document)
    assert "yamada" not in written + all_text(document)


def test_the_file_is_there_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "回答.docx"
    conversation_export.save_answer(answered(), target, permit=PERMIT)
    before = target.read_bytes()
    assert Document(io.BytesIO(before)).tables

    def broken(_answered: AnswerRecord) -> bytes:
        raise RuntimeError

    monkeypatch.setattr(docx_file, "answer_docx", broken)
    with pytest.raises(RuntimeError):
        conversation_export.save_answer(answered(), target, permit=PERMIT)
    assert target.read_bytes() == before
    assert list(tmp_path.iterdir()) == [target]
