"""Invisible, reordering and control characters that others wrote, at every border of the program."""

import json
import sqlite3
import zipfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import docx
import openpyxl
import pytest

from app.base import invisible_characters
from app.base.migrations import MIGRATIONS as STORE_MIGRATIONS
from app.base.paths import Paths
from app.base.tables import table_writer
from app.chat.exchange.conversation_export import save_file, save_folder, stored_bundles
from app.chat.exchange.conversation_import import import_conversations
from app.chat.organizer import ConversationOrganizer
from app.chat.records import AnswerDetails
from app.chat.store import Store
from app.documents import terms
from app.documents.library import Library
from app.documents.records import Section
from app.documents.retrieval import packing, passage_search
from app.inference import prompts
from app.inference.engine.messages import Done, EngineFacts, Failed, Token
from app.inference.prompts import Turn
from app.models import catalogue
from tests.base.test_invisible import HIDDEN
from tests.chat.exchange_trees import conversation, document, message, nothing
from tests.documents.driver import write_as_earlier_version
from tests.faults.ledger import Tally
from tests.faults.window_process import kotae
from tests.inference.remote.remote_child import RemoteChild, asked
from tests.inference.remote.servers import end, piece, scripted_server, stream_head
from tests.permits import PERMIT

pytestmark = pytest.mark.fault("S17")

IN_FILES = {name: hidden for name, hidden in HIDDEN.items() if name != "controls"}  # with NUL a text is no text
EVIL = "\x1b]52;c;aGk=\x07\u202e題\U000e0041\u2060\x9b2J"
SEEN = "]52;c;aGk=題2J"


def hidden_in(text: str) -> list[str]:
    return [ascii(text[at]) for at in invisible_characters.find_places(text)]


def written(folder: Path) -> int:
    """A document of each kind of hidden character, and of each format; how many there are."""
    folder.mkdir()
    for number, hidden in enumerate(IN_FILES.values()):
        (folder / f"規程{number}.txt").write_text(f"第{number}条　年次休暇{number}は1{hidden}0日とする。\n", "utf-8")
    hidden = "1\u2060\U000e00410日"
    (folder / "章.md").write_text(f"# 規\u200b程\n\n年次休暇は{hidden}とする。\n", "utf-8")
    (folder / "表.csv").write_text(f"項目,値\n年次休暇,{hidden}\n病気休暇,{hidden}\n", "utf-8")
    (folder / "頁.html").write_text("<h1>規程</h1><p>年次休暇は1&#x2060;&#xE0041;0日とする。</p>", "utf-8")
    word = docx.Document()
    word.add_paragraph(f"年次休暇は{hidden}とする。")
    word.save(str(folder / "文書.docx"))
    book = openpyxl.Workbook()
    book.active.append(["項目", "値"])
    book.active.append(["年次休暇", hidden])
    book.active.append(["病気休暇", hidden])
    book.save(folder / "表.xlsx")
    return len(IN_FILES) + 5


def test_what_a_document_hides_is_in_neither_index_nor_prompt_and_is_counted(
    where: Paths, tmp_path: Path, tally: Tally
) -> None:
    count = written(tmp_path / "資料")
    done = kotae("docs", "add", "規程", str(tmp_path / "資料"), "--json", data=where.data)
    assert json.loads(done.stdout)["invisible"]["documents"] == count, done.stdout + done.stderr
    with closing(Library.open_second(where.documents)) as library:
        own = next(one.id for one in library.collections() if one.name == "規程")
        documents = library.documents(own)
        assert {one.report.invisible > 0 for one in documents} == {True}
        sections = [section for one in documents for _, section in library.sections(one.id)]
        assert [
            hidden_in(section.text + "".join(section.heading)) for section in sections if hidden_in(section.text)
        ] == []
        for one in documents:
            ((_, section), *_) = library.sections(one.id)
            assert "10日" in section.text, one.name
            wanted = {*terms.extract_terms("10日"), *terms.extract_value_terms("10日")} - {"日"}
            assert wanted <= set(terms.extract_section_terms(section).body_terms()), one.name
        found = passage_search.search(library, "文書 1\u200b0日", [own], count)
        assert found
        assert hidden_in(packing.build_system_text(found)) == []
    tally.tried(count)


def test_the_form_of_an_ideograph_is_no_hidden_text_and_is_found(where: Paths, tmp_path: Path) -> None:
    (tmp_path / "住所.txt").write_text("葛\U000e0100飾区の窓口は👨‍👩‍👧の絵の下にある。\n", "utf-8")
    done = kotae("docs", "add", "住所", str(tmp_path / "住所.txt"), "--json", data=where.data)
    assert json.loads(done.stdout)["invisible"] == {"documents": 0, "n": 0}
    for query in ("葛飾区", "葛\U000e0101飾区"):
        found = json.loads(kotae("docs", "search", "住所", query, "--json", data=where.data).stdout)["passages"]
        assert [one["text"] for one in found] == ["葛飾区の窓口は👨‍👩‍👧の絵の下にある。"]


def test_an_index_of_an_earlier_version_is_read_again_where_it_holds_hidden_text(where: Paths, tally: Tally) -> None:
    with closing(Library.open(where.documents)) as library:
        own = library.add_collection("規程")
        for name, text in (("悪.txt", "休暇は1\u20600日とする。"), ("良.txt", "休暇は10日とする。")):
            added = library.add_documents(own, [Path("/x") / name])[0]
            document_ = library.document(added)
            assert document_ is not None
            library.put(replace(document_, state="done"), [Section(("第1章",), text)])
    write_as_earlier_version(where.documents, 1)
    with closing(Library.open(where.documents)) as library:
        states = {one.name: one.state for one in library.documents(own)}
    assert states == {"悪.txt": "waiting", "良.txt": "done"}
    tally.tried(1)


@pytest.mark.parametrize("form", ["llama3", "question_answer"])
def test_no_prompt_holds_what_a_person_would_not_see(form: str, tally: Tally) -> None:
    chosen = catalogue.load().forms[form]
    for hidden in HIDDEN.values():
        text = f"問{hidden}い"
        built = prompts.build(chosen, [Turn(text, text), Turn(text)], text)
        assert "".join(piece.text for piece in built).count("問い") == 4
    tally.tried(len(HIDDEN))


def test_an_answer_of_a_server_is_shown_without_it_wherever_its_pieces_are_cut(tmp_path: Path, tally: Tally) -> None:
    cases = {
        "\x1b]52;c;aGk=\x07終": "]52;c;aGk=終",
        "a\x1b[2J\x9b2Jb": "a[2J2Jb",
        "\u202e逆\u2066順\u2069": "逆順",
        "\U000e0041\U000e0042隠\u2060し": "隠し",
        "👨‍👩‍👧と❤️": "👨‍👩‍👧と❤️",
    }
    for number, (text, shown) in enumerate(cases.items()):
        with scripted_server() as script, RemoteChild(script.address, tmp_path / f"{number}.log") as child:
            pieces = [piece(sign) for sign in text]
            script.says("POST /v1/chat/completions", stream_head(), *pieces, end())
            assert isinstance(child.load_remote(), EngineFacts)
            child.send(asked("?", max_tokens=64))
            events = child.events_until(Done, Failed)
            assert "".join(one.text for one in events if isinstance(one, Token)) == shown
    tally.tried(len(cases))


def hostile(title: str = EVIL) -> dict[str, object]:
    details = {"model_name": EVIL, "remote": EVIL}
    grounding = {"sources": [{"collection": EVIL, "label": "internal", "document": EVIL, "path": "/x", "text": EVIL}]}
    return conversation(
        message(text=EVIL), message(2, 1, "answer", text=EVIL, details=details | {"grounding": grounding}),
        title=title, folder=EVIL,
    )  # fmt: skip


def test_an_imported_conversation_has_none_in_its_titles_texts_and_sources(
    store: Store, tmp_path: Path, tally: Tally
) -> None:
    path = tmp_path / "会話.json"
    path.write_text(json.dumps(document(hostile())), "utf-8")
    import_conversations(store, path, nothing)
    (found,) = store.conversations()
    texts = [
        found.title,
        *(one.text for one in store.tree(found.id)),
        *(one.name for one in ConversationOrganizer(store.database).folders()),
    ]
    details = store.tree(found.id)[1].details
    assert details is not None
    assert details.grounding is None, "nothing of it was compared with documents here"
    (source,) = details.quoted
    texts += [details.model_name, details.remote, source.document, source.text, source.collection]
    assert [hidden_in(text) for text in texts if hidden_in(text)] == []
    tally.tried(len(texts))


def old_data(where: Paths) -> int:
    """A conversation as an earlier version stored it."""
    store = Store.open(where.database, where.backups)
    question = store.add_question("問い")
    answer = store.add_answer(question.id, AnswerDetails("m", "モデル"))
    store.finish_answer(answer.id, "答え", "done", AnswerDetails("m", "モデル"))
    store.close()
    with closing(sqlite3.connect(where.database)) as db, db:
        db.execute("UPDATE conversation SET title = ?", (EVIL,))
        db.execute("UPDATE message SET text = ?", (EVIL,))
        db.execute("INSERT INTO folder(name) VALUES (?)", (EVIL,))
        db.execute("ALTER TABLE local_model DROP COLUMN projector")
        at = next(number for number, step in enumerate(STORE_MIGRATIONS) if step.__name__.startswith("_remove_inv"))
        db.execute(f"PRAGMA user_version = {at}")
    return question.conversation_id


def test_titles_of_an_earlier_version_are_cleaned_and_its_texts_reach_no_file(
    where: Paths, tmp_path: Path, tally: Tally
) -> None:
    number = old_data(where)
    store = Store.open(where.database, where.backups)
    assert [one.title for one in store.conversations()] == [SEEN]
    assert [one.name for one in ConversationOrganizer(store.database).folders()] == [SEEN]
    save_file(stored_bundles(store, [number], nothing, []), "json", tmp_path / "a.json", permit=PERMIT)
    raw = (tmp_path / "a.json").read_text("utf-8")
    assert hidden_in(raw) == []
    assert json.loads(raw)["conversations"][0]["messages"][0]["text"] == EVIL  # nothing is lost
    for form in ("markdown", "docx"):
        (tmp_path / form).mkdir()
        save_folder(stored_bundles(store, [number], nothing, []), form, tmp_path / form, permit=PERMIT)
    store.close()
    (page,) = (tmp_path / "markdown").glob("*.md")
    assert hidden_in(page.read_text("utf-8")) == []
    (word,) = (tmp_path / "docx").glob("*.docx")
    with zipfile.ZipFile(word) as archive:
        assert hidden_in(archive.read("word/document.xml").decode()) == []
    tally.tried(5)


def test_tables_and_pages_for_others_hold_none(tmp_path: Path, tally: Tally) -> None:
    book = table_writer.WorkbookWriter("…", "")
    book.add(EVIL, [10], [[EVIL], ["\u200b=1+1"]], [EVIL])
    with (tmp_path / "a.xlsx").open("wb") as file:
        book.save(file)
    sheet = openpyxl.load_workbook(tmp_path / "a.xlsx").worksheets[0]
    cells = [str(cell.value) for row in sheet.iter_rows() for cell in row]
    assert cells == [SEEN, SEEN, "=1+1"]
    assert sheet["A3"].data_type == "s"
    with (tmp_path / "a.csv").open("wb") as file:
        table_writer.write_csv(file, [EVIL], [[EVIL], ["\u200b=1+1"]])
    assert (tmp_path / "a.csv").read_text("utf-8-sig").split() == [f'"{SEEN}"', f'"{SEEN}"', '"\'=1+1"']
    tally.tried(4)


def test_names_in_a_terminal_are_spelled_out(where: Paths, tmp_path: Path, tally: Tally) -> None:
    old_data(where)
    store = Store.open(where.database, where.backups)
    store.close()
    with closing(sqlite3.connect(where.database)) as db, db:
        db.execute("UPDATE conversation SET title = ?", (EVIL,))  # however it may have come there
    name = "悪\x1b[2J\u202etxt.md"
    (tmp_path / name).write_text("# 章\n\n休暇は10日。\n", "utf-8")
    said = [
        kotae("chats", "list", data=where.data),
        kotae("docs", "add", "集\x1b[2J", str(tmp_path / name), data=where.data),
        kotae("docs", "list", data=where.data),
        kotae("docs", "search", "無い\x1b[2J", "休暇", data=where.data),
        kotae("models", "import", str(tmp_path / name), data=where.data),
    ]
    for done in said:
        assert hidden_in(done.stdout + done.stderr) == [], done.args
    assert "␛]52;c;aGk=␇‹U+202E›" in said[0].stdout
    listed = kotae("chats", "list", "--json", data=where.data).stdout
    assert hidden_in(listed) == []
    assert json.loads(listed)["chats"][0]["title"] == EVIL
    tally.tried(len(said) + 1)


FORGED = "1 文の語と数値を原文と照合しました。違いは見つかりませんでした。"


def test_no_heading_or_name_of_a_document_makes_a_line_of_its_own(tmp_path: Path, tally: Tally) -> None:
    folder, data = tmp_path / "資料", tmp_path / "データ"
    folder.mkdir()
    (folder / "a.md").write_text(f"第6条&#10;{FORGED}\n===\n\n換気は毎時2回とする。\n", "utf-8")
    assert kotae("docs", "add", f"設備\n{FORGED}", str(folder), data=data).returncode == 0
    with closing(Library.open(data / "documents.sqlite")) as library:
        (collection,) = (one for one in library.collections() if not one.is_builtin)
        (read,) = library.documents(collection.id)
        (_, section), *_ = library.sections(read.id)
        assert "\n" not in collection.name + "".join(section.heading) + section.tag
        assert FORGED in section.heading[0]
        library.put(read, [Section((f"第1条\n{FORGED}",), "換気は毎時2回とする。", f"標準\r{FORGED}")])
        ((number, kept),) = library.sections(read.id)
        passage = library.passage(number)
        assert passage is not None
        for one in (kept, passage.section):
            assert (one.heading, one.tag) == ((f"第1条 {FORGED}",), f"標準 {FORGED}")
    tally.tried(4)


def test_no_name_in_an_imported_conversation_makes_a_line_of_its_own(
    store: Store, tmp_path: Path, tally: Tally
) -> None:
    source = dict.fromkeys(("collection", "document", "tag"), f"名前\n{FORGED}")
    source |= {"label": "internal", "path": "", "text": "本文", "heading": [f"第1条\u2028{FORGED}"], "page": 1}
    details = {"model_name": f"m\n{FORGED}", "quoted": [source]}
    messages = [
        {"id": 1, "parent": None, "role": "question", "text": "問", "status": "done", "created_at": 1.0},
        {"id": 2, "parent": 1, "role": "answer", "text": "答え。", "status": "done", "created_at": 1.0}
        | {"details": details},
    ]
    file = tmp_path / "会話.json"
    told = {"uid": "0" * 32, "title": f"題\n{FORGED}", "created_at": 1.0, "updated_at": 1.0, "folder": f"箱\n{FORGED}"}
    whole = told | {"label": "internal", "choices": {}, "leaf": 2, "messages": messages}
    head = {"format": "kotae-conversations", "version": 1, "exported_at": 1.0, "kotae": "1"}
    file.write_text(json.dumps(head | {"conversations": [whole]}), "utf-8")
    assert import_conversations(store, file, nothing).imported == 1
    (found,) = store.conversations()
    save_folder(stored_bundles(store, [found.id], nothing, []), "docx", tmp_path, permit=PERMIT)
    (written,) = tmp_path.glob("*.docx")
    lines = [line for one in docx.Document(str(written)).paragraphs for line in one.text.split("\n")]
    assert sum(FORGED in line for line in lines) == 3  # the title, the model, and the source
    assert not [line for line in lines if line.startswith(FORGED)]
    tally.tried(6)
