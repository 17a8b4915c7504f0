"""Collect pairs of a better and a worse answer, for preference tuning, from what users have decided in the program.

* correction: a bad answer, and its correction.
* rating: a good and a bad answer to the same question.
* regenerated: a good answer and one that was written again without a rating, or a bad answer and the last one after it.
* blind: the answer chosen in a blind comparison, and the other one.

Each better answer is in one pair, with the worse answer that was written last. The pairs are proposals: a person
reviews them like rows of training data.
"""

import functools
import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from app.base.confidentiality import Label
from app.base.errors import AppError
from app.base.paths import Paths
from app.chat import answer_ratings, conversation_privacy
from app.chat.answer_ratings import BAD, GOOD
from app.chat.conversation_privacy import KnownCollections
from app.chat.records import Message
from app.chat.store import Store
from app.documents.collection_lookup import Origin
from app.documents.library import collections_now
from app.evaluation.current_labels import label_of_evaluation, origins_of_evaluation
from app.evaluation.report import blind
from app.evaluation.report.blind import BlindComparison, BlindFile
from app.evaluation.study import studies

# As TRL reads it: prompt, chosen and rejected as messages; also origin, label, group and provenance.
PreferenceRow = dict[str, Any]


def collect_stored(where: Paths) -> list[PreferenceRow]:
    """Return the pairs of all conversations outside the bin and of all blind comparisons, without repetitions.

    Raises AppError as `Store.open` does.
    """
    store = Store.open(where.database, where.backups)
    try:
        found = itertools.chain(
            _of_conversations(store, collections_now(where.documents)), _of_studies(where.evaluations, where.documents)
        )
        by_chosen = {(str(row["prompt"]), str(row["chosen"])): row for row in found if row["chosen"] != row["rejected"]}
    finally:
        store.close()
    return list(by_chosen.values())


def _row(
    prompt: list[tuple[str, str]], pair: tuple[str, str, str], label: Label, origins: Iterable[Origin], group: str
) -> PreferenceRow:
    """Return a row. `pair`: the better text, the worse text and the origin of the pair."""
    better, worse, origin = pair
    turns = {"prompt": prompt, "chosen": [("assistant", better)], "rejected": [("assistant", worse)]}
    messages = {
        name: [{"role": role, "content": text.strip()} for role, text in written] for name, written in turns.items()
    }
    places = [{"collection": collection, "document": document} for collection, document in sorted(origins)]
    return {**messages, "origin": origin, "label": label, "group": group, "provenance": places}


# ------------------------------------------------------------------ conversations


def _of_conversations(store: Store, known: KnownCollections) -> Iterator[PreferenceRow]:
    questions = {asked.id: (asked, label) for asked, _answer, label in answer_ratings.rated_answers(store, known)}
    ids = sorted({asked.conversation_id for asked, _label in questions.values()})
    origins: defaultdict[int, set[Origin]] = defaultdict(set)
    scopes = [(one.id, ref) for one in store.conversations_of(ids) for ref in one.scope]
    for place, ref in (*scopes, *conversation_privacy.referenced_collections(store, ids)):
        origins[place].add((ref.name, ""))
    tree_of = functools.lru_cache(maxsize=1)(store.tree)
    roles = {"question": "user", "answer": "assistant"}
    for asked, label in questions.values():
        place = asked.conversation_id
        written = (one for one in tree_of(place) if one.parent_id == asked.id)
        answers = [one for one in written if one.status == "done" and one.text.strip()]
        prompt = [(roles[one.role], _plain(one)) for one in store.line(asked.id)]
        for pair in _chosen_of(answers):
            yield _row(prompt, pair, label, origins[place], f"conversation {place}")


def _plain(message: Message) -> str:
    is_answer = message.role == "answer"
    return answer_ratings.text_without_marks(message, message.text) if is_answer else message.prompt_text


def _chosen_of(answers: list[Message]) -> Iterator[tuple[str, str, str]]:
    """Yield the better text, the worse text and the origin of each pair of the answers to one question."""
    good, bad, rest = ([one for one in answers if one.rating == rating] for rating in (GOOD, BAD, 0))
    for answer in bad:
        if answer.correction:
            yield answer_ratings.text_without_marks(answer, answer.correction), _plain(answer), "correction"
    worse, origin = (bad, "rating") if bad else (rest, "regenerated")
    for answer in good if worse else ():
        yield _plain(answer), _plain(worse[-1]), origin
    if bad and not good and rest and rest[-1].id > bad[-1].id:
        yield _plain(rest[-1]), _plain(bad[-1]), "regenerated"


# ------------------------------------------------------------------------ studies


def _of_studies(evaluations: Path, documents: Path) -> Iterator[PreferenceRow]:
    """Yield the pairs of all blind comparisons; studies that cannot be read or come from elsewhere are left out."""
    for entry in studies.list_all(evaluations):
        if not (entry.folder / blind.FILE).is_file():
            continue
        try:
            evaluation, _sections = studies.read_results(entry.folder)
            votes = BlindFile(entry.folder)
        except AppError:
            continue
        label, origins = label_of_evaluation(evaluation, documents), origins_of_evaluation(evaluation)
        ids = [result.system.id for result in evaluation.systems]
        for one, other in itertools.combinations(ids, 2):
            comparison = BlindComparison(blind.blind_pairing(evaluation, one, other), votes)
            pairs = {pair.question.id: pair for pair in comparison.pairing.pairs}
            for voted in comparison.votes:
                pair = pairs[voted.question]
                if voted.is_open or voted.vote not in ("a_better", "b_better"):
                    continue
                chosen = voted.a if voted.vote == "a_better" else voted.b
                texts = (pair.a, pair.b) if chosen == pair.a_system else (pair.b, pair.a)
                asked = pair.question
                yield _row([("user", asked.text)], (*texts, "blind"), label, origins, asked.group)
