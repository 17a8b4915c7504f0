"""`kotae eval retrieval`: measure the ranks at which the passages that answer questions are found."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from app.base.cli.commands import Output, set_command
from app.base.paths import Paths
from app.base.wording import help_text, phrase
from app.documents import collection_lookup
from app.documents.grounding.grounding_record import Verdict
from app.documents.retrieval import passage_search, retrieved_passages
from app.documents.services.command_documents import QuestionEmbedder
from app.evaluation.cli import eval_sets
from app.evaluation.judge import rule_scoring as measuring
from app.evaluation.judge.rule_scoring import RETRIEVAL_DEPTHS, RetrievalOutcome
from app.evaluation.records import Question

if TYPE_CHECKING:
    from app.documents.retrieval.semantic_index import SemanticQuery


def add_options(parser: argparse.ArgumentParser, _name: str) -> None:
    set_command(parser, _retrieval)
    parser.add_argument("file", metavar="SET|FILE", help=help_text("eval retrieval file"))
    parser.add_argument(
        "--collection", metavar="NAME", action="append", required=True, help=help_text("eval retrieval --collection")
    )
    parser.add_argument("--misses", action="store_true", help=help_text("eval retrieval --misses"))


def _retrieval(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Run `kotae eval retrieval` and print the measures. Return the exit status: 0; 3 after an expected error."""
    questions = eval_sets.load(options.file, where, output).questions
    library = collection_lookup.open_library(where.documents)
    try:
        ids = [collection_lookup.find_collection(library, name).id for name in options.collection]
        with QuestionEmbedder(where, output) as meanings:
            meanings.complete()
            found = {question.text: meanings.embed_question(question.text) for question in questions}

            def search(text: str, limit: int) -> list[Any]:
                return passage_search.search(library, text, ids, limit, where.glossary, _copy(found[text]))

            def rerank(text: str, limit: int) -> list[Any]:
                return list(meanings.rerank(text, search(text, limit)).passages)

            outcomes = measuring.measure_retrieval(questions, rerank)

        def judge(text: str) -> Verdict:
            meaning = _copy(found[text])
            passages = passage_search.search(
                library, text, ids, retrieved_passages.PASSAGES_JUDGED, where.glossary, meaning
            )
            nearness = retrieved_passages.nearness(library, passages, ids, meaning)
            return retrieved_passages.judge_answerability(
                library, text, passages, ids, where.glossary, nearness
            ).verdict

        verdicts = {question.id: judge(question.text) for question in questions}
    finally:
        library.close()
    data = _data(options.collection, questions, outcomes, verdicts)
    data["by_meaning"] = sum(meaning is not None for meaning in found.values())
    output.result(data | ({"misses": _misses(outcomes)} if options.misses else {}), _text(data))
    if options.misses and not output.is_json:
        for miss in _misses(outcomes):
            output.note("evaluation.eval_miss", **miss)
    return 0


def _copy(meaning: "SemanticQuery | None") -> "SemanticQuery | None":
    return meaning.without_cosines() if meaning is not None else None


def _data(
    names: list[str], questions: Sequence[Question], outcomes: list[RetrievalOutcome], verdicts: dict[str, Verdict]
) -> dict[str, Any]:
    absent = [verdicts[one.id] for one in questions if not one.is_answerable]
    present = [verdicts[one.id] for one in questions if one.is_answerable]
    return {
        "collections": names,
        **measuring.retrieval_summary(outcomes),
        "by_type": measuring.retrieval_by_category(outcomes),
        "abstained": {
            "of_answerable": [present.count("not_in_documents"), len(present)],
            "of_unanswerable": [absent.count("not_in_documents"), len(absent)],
        },
        "near": {
            "of_answerable": [present.count("near"), len(present)],
            "of_unanswerable": [absent.count("near"), len(absent)],
        },
    }


def _misses(outcomes: list[RetrievalOutcome]) -> list[dict[str, Any]]:
    """Return the questions whose passages have a rank below the fifth, or were not found (rank 0)."""
    late = [one for one in outcomes if not 0 < one.rank <= 5]
    return [{"id": one.question.id, "question": one.question.text, "rank": one.rank} for one in late]


def _text(data: dict[str, Any]) -> str:
    lines = []
    for name, row in (("", data), *data["by_type"].items()):
        recalls = "  ".join(f"@{depth} {_percent_text(row[f'recall_at_{depth}'])}" for depth in RETRIEVAL_DEPTHS)
        facts = {"name": name, "count": row["questions"], "mrr": _percent_text(row["mrr"])}
        lines.append(phrase("evaluation.eval_recall", recalls=recalls, **facts))
    wrongly, answerable = data["abstained"]["of_answerable"]
    rightly, unanswerable = data["abstained"]["of_unanswerable"]
    facts = {"wrongly": wrongly, "answerable": answerable, "rightly": rightly, "unanswerable": unanswerable}
    lines.append(phrase("evaluation.eval_abstained", **facts))
    near = {"answerable": data["near"]["of_answerable"][0], "unanswerable": data["near"]["of_unanswerable"][0]}
    lines.append(phrase("evaluation.eval_near", **near))
    lines.append(
        phrase(
            "evaluation.eval_times",
            median_ms=f"{1000 * data['seconds_median']:.0f}",
            p95_ms=f"{1000 * data['seconds_p95']:.0f}",
            characters=data["passage_characters_median"],
        )
    )
    return "\n".join(lines)


def _percent_text(share: float | None) -> str:
    return "-" if share is None else f"{share:.3f}"
