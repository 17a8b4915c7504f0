"""Reading, and retrieval over the eight volumes of kasensabo, beside what programs like Kotae do, and search among
100,000 sections; and whether the first of the sentences that are quoted has the answer.

    python -m tests.benchmarks.retrieval [FOLDER]

FOLDER holds `standards_md` and `eval`; without it, KOTAE_EVALUATION_DATA names the one that holds kasensabo.
The others' set-ups are rebuilt here, and only here: windows of 550 characters in FTS5 with its own tokenizers.
"""

import contextlib
import dataclasses
import json
import math
import multiprocessing
import os
import re
import resource
import sqlite3
import statistics
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from app.base import search_text
from app.chat.services.retrieval_augmentation import NEAREST_OFFERED
from app.documents import lexicon
from app.documents.library import Library
from app.documents.reading.messages import Indexed
from app.documents.records import Passage, Section
from app.documents.retrieval import excerpts, packing, passage_search, retrieved_passages
from app.evaluation import question_files
from app.evaluation.judge import rule_scoring as measuring
from app.evaluation.records import Question
from tests import evaluation_data
from tests.benchmarks import pdf_headings
from tests.benchmarks.abstention import INDEX, index
from tests.documents.reading.reading_child import ReadingChild

WINDOW = 550  # characters
MANY = 100_000  # sections
TINY = 1000  # files of a heading and a paragraph
UNITS: dict[str, Callable[[str], list[str]]] = {  # of a plain BM25's index
    "pairs of characters": search_text.index_terms,
    "words": lambda text: [word.base for word in lexicon.tokenize(text)],
    "runs of one script": re.compile(r"[一-鿿々]+|[ァ-ヺー]+|[ぁ-ゖ]+|[a-zA-Z]+|\d+").findall,
}
TOKENIZERS = {"porter": "porter unicode61", "unicode61": "unicode61", "trigram": "trigram"}


def main(arguments: Sequence[str]) -> None:
    data = evaluation_data.for_benchmark(arguments[0] if arguments else None, "kasensabo")
    files = sorted((data / "standards_md").glob("*.md"))
    questions = question_files.read(data / "eval" / "grounded_dev.jsonl").questions
    with tempfile.TemporaryDirectory() as folder:
        # A process of its own, so that its peak memory is that of indexing alone.
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            _say("indexing", pool.apply(_index, (data, Path(folder))))
        for name, documents in _kinds(data, Path(folder)):
            for cores in (2, 1):
                _say(f"reading child, {name}, cores: {cores}", _read(documents, cores))
        library = Library.open(Path(folder) / INDEX)
        ids = [one.id for one in library.collections()]
        _say("kotae", _measured(questions, lambda query, limit: passage_search.search(library, query, ids, limit)))
        _say("first excerpt", _first_excerpts(questions, lambda query: passage_search.search(library, query, ids)))
        for name, tokenizer in TOKENIZERS.items():
            _say(name, _measured(questions, _windows(Path(folder) / f"{name}.sqlite", files, tokenizer)))
        _say("bigram windows", _measured(questions, _windows(Path(folder) / "bigram.sqlite", files, None)))
        for name, units in UNITS.items():
            _say(f"plain BM25, {name}", _measured(questions, _bm25(library, units)))
        _multiply(library)
        _say("among many", _measured(questions, lambda query, limit: passage_search.search(library, query, ids, limit)))
        library.close()


def _index(data: Path, place: Path) -> dict[str, Any]:
    """Reading, cutting and storing, as the child does it."""
    started = time.perf_counter()
    library = index(data, place)
    count = library.collections()[0].sections
    library.close()
    return {
        "seconds": round(time.perf_counter() - started, 2),
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "sections": count,
        "index_bytes": library.path.stat().st_size,
    }


def _kinds(data: Path, place: Path) -> Iterator[tuple[str, list[Path]]]:
    """Yield the documents of each kind that is here: the standards, a thousand parts of them, laws, and a long PDF."""
    markdown = sorted((data / "standards_md").absolute().glob("*.md"))
    yield "Markdown", markdown
    tiny = place / "tiny"
    tiny.mkdir()
    paragraphs = [part for part in markdown[1].read_text("utf-8").split("\n\n") if part[:1].isalpha()]
    for number in range(TINY):
        text = f"# 記録{number}\n\n{paragraphs[number % len(paragraphs)][:300]}\n"
        (tiny / f"{number:04}.md").write_text(text, "utf-8")
    yield f"{TINY} tiny files", sorted(tiny.iterdir())
    laws = evaluation_data.collection("law")
    if laws is not None:
        yield "HTML", sorted((laws / "corpus").glob("*.html"))
    book = pdf_headings.BOOKS["debian-reference"][0]
    if book.is_file():
        yield "PDF", [book]


def _read(documents: Sequence[Path], cores: int) -> dict[str, Any]:
    """Reading documents one by one by the child, from its start."""
    own = os.sched_getaffinity(0)
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as restored:
        restored.callback(os.sched_setaffinity, 0, own)
        os.sched_setaffinity(0, sorted(own)[:cores])  # the child inherits it
        started = time.perf_counter()
        with ReadingChild(Path(folder)) as child:
            failed = sum(not isinstance(child.index_file(path), Indexed) for path in documents)
        seconds = time.perf_counter() - started
        read_bytes = sum(path.stat().st_size for path in documents)
        share = child.database.stat().st_size / read_bytes
    return {"seconds": round(seconds, 2), "bytes": read_bytes, "index_share": round(share, 2), "failed": failed}


def _measured(questions: Sequence[Question], search: Callable[[str, int], Sequence[Any]]) -> dict[str, Any]:
    outcomes = measuring.measure_retrieval(questions, search)
    kinds = {kind: row["recall_at_5"] for kind, row in measuring.retrieval_by_category(outcomes).items()}
    return measuring.retrieval_summary(outcomes) | {"recall_at_5_by_type": kinds}


def _first_excerpts(questions: Sequence[Question], search: Callable[[str], list[Passage]]) -> dict[str, Any]:
    """The share of questions whose first excerpt, or the line that answers first, has all of `must_include`, or 70 % of
    a gold quote in one piece."""
    answers: list[str] = []
    lines: list[str] = []
    seconds: list[float] = []
    for question in questions:
        passages = packing.select_near_best(search(question.text))[:NEAREST_OFFERED]
        started = time.perf_counter()
        picked = excerpts.pick_excerpts(question.text, passages)
        seconds.append(time.perf_counter() - started)
        answers.append(excerpts.answer_from_excerpts(picked[:1])[0])
        lines.append(excerpts.answer_from_excerpts(picked)[0].partition("\n")[0])

    def share_with_answer(texts: Sequence[str]) -> float:
        return round(statistics.mean(map(_has_answer, questions, texts)), 3)

    return {
        "has_answer": share_with_answer(answers),
        "line_has_answer": share_with_answer(lines),
        "characters": statistics.median(map(len, answers)),
        "milliseconds": round(1000 * statistics.median(seconds), 1),
    }


def _has_answer(question: Question, answer: str) -> bool:
    shown = retrieved_passages.normalize_quote(answer)
    wanted = [retrieved_passages.normalize_quote(words) for words in question.must_include]
    quotes = [retrieved_passages.normalize_quote(gold.quote) for gold in question.gold]
    has_words = bool(wanted) and all(words in shown for words in wanted)
    return has_words or any(retrieved_passages.contains_quote(shown, quote) for quote in quotes)


def _windows(path: Path, files: Sequence[Path], tokenizer: str | None) -> Callable[[str, int], Sequence[Any]]:
    """Windows of a fixed length in FTS5; without a tokenizer, over pairs of characters made beforehand."""
    db = sqlite3.connect(path)
    option = f"tokenize='{tokenizer}'" if tokenizer else "tokenize=\"unicode61 categories 'L* N* M*'\""
    db.execute(f"CREATE VIRTUAL TABLE windows USING fts5(body, {option})")
    pieces = []
    for file in files:
        whole = file.read_text("utf-8")
        pieces += [whole[at : at + WINDOW] for at in range(0, len(whole), WINDOW)]
    prepared = pieces if tokenizer else [" ".join(search_text.index_terms(piece)) for piece in pieces]
    db.executemany("INSERT INTO windows VALUES (?)", [(piece,) for piece in prepared])

    def search(query: str, limit: int) -> Sequence[Any]:
        wanted = query.split() if tokenizer else search_text.index_terms(query)
        if tokenizer == "trigram":  # words of the question do not stand alone in it: all pieces of three
            wanted = [query[at : at + 3] for at in range(max(1, len(query) - 2))]
        expression = " OR ".join('"' + word.replace('"', "") + '"' for word in wanted if word.strip('" '))
        rows = db.execute(
            "SELECT rowid FROM windows WHERE windows MATCH ? ORDER BY rank LIMIT ?", (expression, limit)
        ).fetchall()
        return [SimpleNamespace(section=Section((), pieces[row[0] - 1])) for row in rows]

    return search


def _bm25(library: Library, units: Callable[[str], list[str]]) -> Callable[[str, int], Sequence[Any]]:
    """BM25 (k1 1.2, b 0.75) over the sections of the first collection, headings and text alike."""
    documents = library.documents(library.collections()[0].id)
    sections = [section for one in documents for _, section in library.sections(one.id)]
    counted = [Counter(units("\n".join((*one.heading, one.text)))) for one in sections]
    lengths = [one.total() for one in counted]
    holders: dict[str, list[int]] = defaultdict(list)
    for number, terms in enumerate(counted):
        for term in terms:
            holders[term].append(number)
    middle = statistics.mean(lengths)

    def search(query: str, limit: int) -> Sequence[Any]:
        scores: Counter[int] = Counter()
        for term in set(units(query)) & holders.keys():
            held = len(holders[term])
            rarity = math.log(1 + (len(sections) - held + 0.5) / (held + 0.5))
            for number in holders[term]:
                count = counted[number][term]
                scores[number] += rarity * count * 2.2 / (count + 1.2 * (0.25 + 0.75 * lengths[number] / middle))
        return [SimpleNamespace(section=sections[number]) for number, _ in scores.most_common(limit)]

    return search


def _multiply(library: Library) -> None:
    """The same sections again and again, each time with other words mixed in, until there are MANY."""
    known = [pair for one in library.documents(library.collections()[0].id) for pair in library.sections(one.id)]
    collection = library.collections()[0].id
    for copy in range(1, MANY // len(known) + 1):
        (document_id,) = library.add_documents(collection, [Path(f"/copy-{copy}.md")])
        document = library.document(document_id)
        assert document is not None
        # Every third sentence is another's, so that no copy scores as its original.
        mixed = [
            dataclasses.replace(section, text=_mixed(section.text, known[(at * 7 + copy * 131) % len(known)][1].text))
            for at, (_, section) in enumerate(known)
        ]
        library.put(dataclasses.replace(document, state="done"), mixed)


def _mixed(one: str, other: str) -> str:
    sentences, others = one.split("。"), other.split("。")
    return "。".join(others[at % len(others)] if at % 3 else sentence for at, sentence in enumerate(sentences))


def _say(what: str, figures: dict[str, Any]) -> None:
    print(json.dumps({"what": what, **figures}, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
