"""Pictures of answers from documents, for `tests.screenshots`: stored ones, over collections without any child."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QRectF
from PySide6.QtGui import QFont, QPageSize, QPdfWriter, QTextDocument

from app.application import AppContext
from app.base.wording import current_language
from app.chat.records import AnswerDetails
from app.documents.grounding import claims, grounding_record
from app.documents.grounding.grounding_record import CollectionRef, Grounding
from app.documents.library import Library
from app.documents.records import Passage, Section
from tests.waiting import process_until

COLLECTIONS = {"ja": ("庁舎管理規程", "設備の点検記録 R5–R7"), "en": ("Building rules", "Inspections 2023–2025")}
DOCUMENT = {"ja": "管理編.pdf", "en": "management.pdf"}
SECTIONS = {
    "ja": (
        Section(
            ("第2章 設備の維持", "第3節 非常用発電機", "2.3.1 点検"),
            "非常用発電機は、毎月1回、無負荷で5分以上の運転を行うことを基本とする。\n"
            "年1回は、定格出力の30%以上の負荷で30分以上の運転を行う。\n"
            "ただし、内部観察を行った年は、負荷運転を省略することができる。",
            "標準",
            21,
            21,
        ),
        Section(
            ("第2章 設備の維持", "第3節 非常用発電機", "2.3.2 燃料"),
            "燃料は、72時間の連続運転に必要な量を常に備える。燃料タンクの残量は、毎週月曜日に確認する。",
            "必須",
            22,
            22,
        ),
    ),
    "en": (
        Section(
            ("2 Upkeep", "2.3 Emergency generator", "2.3.1 Inspection"),
            "The emergency generator is run without load once a month for at least 5 minutes.\n"
            "Once a year it is run with at least 30% of its rated load for at least 30 minutes.",
            "standard",
            21,
            21,
        ),
        Section(
            ("2 Upkeep", "2.3 Emergency generator", "2.3.2 Fuel"),
            "Fuel for 72 hours of running is always kept. The tank is checked every Monday.",
            "required",
            22,
            22,
        ),
    ),
}
ASKED = {
    "ja": "非常用発電機の試運転は、どのくらいの間隔で行いますか。燃料の備えも教えてください。",
    "en": "How often is the emergency generator run, and how much fuel is kept?",
}
ANSWERS = {
    "ja": (
        "非常用発電機は、**毎月1回**、無負荷で5分以上の運転を行うことが基本です。[1]\n\n次の点も定められています。\n\n"
        "- 年1回は、定格出力の30%以上の負荷で30分以上の運転を行います。[1]\n"
        "- 燃料は、72時間の連続運転に必要な量を常に備えます。[2]"
    ),
    "en": (
        "The emergency generator is run **once a month** without load for at least 5 minutes.[1]\n\n"
        "- Once a year it is run with at least 30% of its rated load for at least 30 minutes.[1]\n"
        "- Fuel for 72 hours of running is always kept.[2]"
    ),
}
WRONG = {"ja": ("72時間", "48時間"), "en": ("72 hours", "48 hours")}
QUOTED = {
    "ja": "**「非常用発電機は、毎月1回、無負荷で5分以上の運転を行うことを基本とする。」[1]**",
    "en": "**“The emergency generator is run without load once a month for at least 5 minutes.”[1]**",
}


def fill(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    library = Library.open(path)
    for name in COLLECTIONS[current_language()]:
        collection_id = library.add_collection(name)
        (document_id,) = library.add_documents(
            collection_id, [Path("/home/yamada") / name / DOCUMENT[current_language()]]
        )
        document = library.document(document_id)
        assert document is not None
        library.put(replace(document, state="done", modified_ns=1, size_bytes=1), SECTIONS[current_language()])
    library.close()


def passages() -> list[Passage]:
    name, document = COLLECTIONS[current_language()][0], DOCUMENT[current_language()]
    return [
        Passage(number, section, 1, document, f"/home/yamada/{name}/{document}", name, "internal", 1.0, number)
        for number, section in enumerate(SECTIONS[current_language()], start=1)
    ]


def put(parts: AppContext, answer: str, kept: Grounding, *, question: str = "", tokens: int = 120) -> int:
    """A conversation with one answer, open; gives the answer's id."""
    store = parts.store
    scope = tuple(CollectionRef(number, name) for number, name in enumerate(COLLECTIONS[current_language()], start=1))
    asked = store.add_question(question or ASKED[current_language()])
    store.set_scope(asked.conversation_id, scope)
    details = AnswerDetails(
        "m", "Swallow-8B Q4_K_M", "end", answer_tokens=tokens, tokens_per_s=44.9 if tokens else 0.0, total_s=8.2,
        first_token_s=0.6, scope=scope, grounding=kept,
    )  # fmt: skip
    reply = store.add_answer(asked.id, details)
    store.finish_answer(reply.id, answer, "done", details)
    parts.conversations.note_change()
    parts.session.open(asked.conversation_id)
    return reply.id


def opened(parts: AppContext) -> None:
    fill(parts.documents._path)
    parts.documents.queue._is_paused = True  # nothing is to be read: these files are nowhere
    parts.documents.open()
    process_until(lambda: parts.documents.is_open)


def checked(answer: str) -> Grounding:
    found = passages()
    sources = tuple(grounding_record.source_of(passage) for passage in found)
    return Grounding("answered", sources, claims.check(answer, found, ASKED[current_language()]), retrieval_s=0.031)


def sources_new(parts: AppContext) -> None:
    opened(parts)
    parts.session.open_new()


def sources(parts: AppContext) -> None:
    """All sentences have support."""
    opened(parts)
    answer = ANSWERS[current_language()]
    put(parts, answer, checked(answer))


def sources_secret(parts: AppContext) -> None:
    """One of the collections that are asked is 機密, and their menu is open."""
    sources(parts)
    line = parts.window.page("ask").scope_line
    parts.documents.set_label(parts.session.scope[1].id, "secret")
    process_until(lambda: any(choice.label == "secret" for choice in line._choices))
    line.open_menu()


def sources_doubtful(parts: AppContext) -> None:
    """A value that no source has."""
    opened(parts)
    answer = ANSWERS[current_language()].replace(*WRONG[current_language()])
    put(parts, answer, checked(answer))


def sources_none(parts: AppContext) -> None:
    """Not in the documents."""
    opened(parts)
    kept = Grounding("not_in_documents", tuple(map(grounding_record.source_of, passages())))
    words = {
        "ja": ("会議室の椅子の色は何色ですか。", "資料にありません。"),
        "en": ("What colour are the chairs?", "Not there."),
    }
    question, answer = words[current_language()]
    put(parts, answer, kept, question=question, tokens=0)


def sources_quoted(parts: AppContext) -> None:
    """抜粋表示."""
    opened(parts)
    answer = QUOTED[current_language()]
    (first, *_) = passages()
    quote = grounding_record.Claim(answer[2:-2], 2, len(answer) - 2, (1,), is_supported=True)
    put(parts, answer, Grounding("answered", (grounding_record.source_of(first),), (quote,), is_excerpt=True), tokens=0)


def sources_text(parts: AppContext) -> None:
    """The file has gone: the text that was read of it."""
    sources(parts)
    page = parts.window.page("ask")
    page.transcript.requests.source_chosen.emit(page.transcript.messages[-1].id, 1)
    process_until(lambda: page.panel.problem.isVisibleTo(page.panel))


def sources_page(parts: AppContext) -> None:
    """The page of a PDF file, drawn by the child."""
    opened(parts)
    file = parts.documents._path.with_name(DOCUMENT[current_language()])
    written(file)
    name = COLLECTIONS[current_language()][0]
    collection = next(one for one in parts.documents.collections() if one.name == name)
    parts.documents.queue._is_paused = False
    parts.documents.add(collection.id, [file])
    process_until(lambda: not parts.documents.is_busy and parts.documents.standing.phase == "idle")
    document = next(one for one in parts.documents.documents(collection.id) if one.path == str(file))
    answer = ANSWERS[current_language()]
    kept = checked(answer)
    found = tuple(
        replace(source, path=str(file), page=1, page_last=1, sha256=document.sha256) for source in kept.sources
    )
    put(parts, answer, replace(kept, sources=found))
    page = parts.window.page("ask")
    page.transcript.requests.source_chosen.emit(page.transcript.messages[-1].id, 1)
    process_until(lambda: page.panel.stack.currentWidget() is page.panel.pages)


SOUGHT = {"ja": "非常用発電機", "en": "generator"}


def search_documents(parts: AppContext) -> None:
    """Hits in documents."""
    opened(parts)
    page = parts.window.page("search")
    parts.window._on_search_requested(SOUGHT[current_language()])
    process_until(page.other_button.isVisible)
    page.other_button.click()


def reader(parts: AppContext) -> None:
    """One of them, opened."""
    search_documents(parts)
    page = parts.window.page("search")
    page._choose(page.results.index(0))
    shown = parts.window.page("reader")
    process_until(lambda: shown.document is not None and bool(shown.view.find_strip.count.text()))


def reader_miss(parts: AppContext) -> None:
    """Words that are not in the document."""
    reader(parts)
    strip = parts.window.page("reader").view.find_strip
    strip.field.setText("???")
    process_until(strip.everywhere_button.isVisible)


def reader_pages(parts: AppContext) -> None:
    """The pages of a PDF file in the reader."""
    sources_page(parts)
    parts.window.page("ask").panel.read_button.click()
    shown = parts.window.page("reader")
    process_until(lambda: shown.document is not None)
    shown.tabs.buttons["pages"].click()
    process_until(lambda: not shown.pages.view.paper._pixmap.isNull())


def reader_part(parts: AppContext) -> None:
    """A framed figure on such a page."""
    reader_pages(parts)
    parts.window.page("reader").pages.view.paper.select(QRectF(0.1, 0.08, 0.6, 0.2))


def asked_part(parts: AppContext) -> None:
    """The question about it."""
    reader_part(parts)
    parts.window.page("reader").ask_button.click()
    process_until(lambda: parts.window.current_page == "ask")


def manual(parts: AppContext) -> None:
    """F1."""
    parts.window.show_manual()


def written(file: Path) -> None:
    """A page as an office would print it."""
    writer = QPdfWriter(str(file))
    writer.setPageSize(QPageSize(QPageSize.PageSizeId.A4))
    writer.setResolution(96)
    document = QTextDocument()
    font = QFont("Noto Sans CJK JP")
    font.setPixelSize(15)
    document.setDefaultFont(font)
    lines = []
    for section in SECTIONS[current_language()]:
        lines += ["", *section.heading[-2:], f"＜{section.tag}＞", *section.text.split("\n")]
    document.setPlainText("\n".join(lines))
    document.print_(writer)


SOURCE_SHOTS: dict[str, Callable[[AppContext], None]] = {
    shot.__name__: shot
    for shot in (
        sources_new, sources, sources_secret, sources_doubtful, sources_none, sources_quoted, sources_text,
        sources_page, search_documents, reader, reader_miss, reader_pages, reader_part,
        asked_part, manual,
    )
}  # fmt: skip
