"""False answers against missed ones for each threshold of app.documents.retrieval.retrieved_passages, on kasensabo's
questions.

    python -m tests.benchmarks.abstention [FOLDER]

FOLDER holds `standards_md` and `eval`; without it, KOTAE_EVALUATION_DATA names the one that holds kasensabo. The
index is made anew.
"""

import json
import sys
import tempfile
from pathlib import Path

from app.documents.library import Library
from app.documents.reading import indexing
from app.documents.retrieval import passage_search, retrieved_passages
from tests import evaluation_data

INDEX = "documents.sqlite"


def index(folder: Path, place: Path) -> Library:
    library = Library.open(place / INDEX)
    files = sorted((folder / "standards_md").absolute().glob("*.md"))
    collection_id = library.add_collection("基準")
    for document_id in library.add_documents(collection_id, files):
        document = library.document(document_id)
        assert document is not None
        indexing.index_document(library, document, ocr=False, on_progress=_ignore, on_written=_ignore)
    return library


def _ignore(*_progress: int) -> None: ...


def scores(library: Library, file: Path) -> list[float]:
    everywhere = [collection.id for collection in library.collections()]
    questions = [json.loads(line)["question"] for line in file.read_text("utf-8").splitlines()]
    return [
        retrieved_passages.judge_answerability(
            library, question, passage_search.search(library, question, everywhere), everywhere
        ).confidence
        for question in questions
    ]


def main() -> None:
    folder = evaluation_data.for_benchmark(sys.argv[1] if len(sys.argv) > 1 else None, "kasensabo")
    with tempfile.TemporaryDirectory() as place:
        library = index(folder, Path(place))
        answered = scores(library, folder / "eval/grounded_dev.jsonl")
        absent = scores(library, folder / "eval/unanswerable_dev.jsonl")
        library.close()
    pairs = [(good > bad) + 0.5 * (good == bad) for good in answered for bad in absent]
    print(f"{len(answered)} with an answer, {len(absent)} without; area under the curve {sum(pairs) / len(pairs):.3f}")
    print("threshold  false answers  missed")
    for threshold in sorted({step / 20 for step in range(4, 19)} | {*retrieved_passages.LIMITS_BY_WORDS}):
        false = sum(score >= threshold for score in absent) / len(absent)
        missed = sum(score < threshold for score in answered) / len(answered)
        chosen = "  <- chosen" if threshold in retrieved_passages.LIMITS_BY_WORDS else ""
        print(f"{threshold:9.2f}  {false:13.0%}  {missed:6.0%}{chosen}")


if __name__ == "__main__":
    main()
