"""Collect pairs of a better and a worse answer, for preference tuning, from what users have decided in the program.

* correction: a bad answer, and its correction.
* rating: a good and a bad answer to the same question.
* regenerated: a good answer and one that was written again without a rating, or a bad answer and the last one after it.
* blind: the answer chosen in a blind comparison, and the other one.

Each better answer is in one pair, with the worse answer that was written last. The pairs are proposals: a person
reviews them like rows of training data.
"""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app.base.confidentiality import Label
from app.base.errors import AppError
from app.base.paths import Paths
from app.chat import answer_ratings
from app.chat.answer_ratings import BAD, GOOD
from app.chat.conversation_privacy import KnownCollections
from app.chat.records import Message
from app.chat.store import Store
from app.documents.library import collections_now
from app.evaluation.current_labels import label_of_evaluation
from app.evaluation.report import blind
from app.evaluation.report.blind import BlindComparison, BlindFile
from app.evaluation.study import studies

PreferenceRow = dict[str, Any]  # as TRL reads it: prompt, chosen and rejected as messages; also origin, label and group


def collect_stored(where: Paths) -> list[PreferenceRow]:
    """Return the pairs of this data folder. Raises AppError as `Store.open` does."""
    store = Store.open(where.database, where.backups)
    try:
        return collect_pairs(store, collections_now(where.documents), where.evaluations, where.documents)
    finally:
        store.close()


def collect_pairs(store: Store, known: KnownCollections, evaluations: Path, documents: Path) -> list[PreferenceRow]:
    """Return the pairs of all conversations outside the bin and of all blind comparisons, without repetitions.

    `known`: the collections that exist now. `evaluations`: folder of all studies. `documents`: path of the documents
    database.
    """
    found = itertools.chain(_of_conversations(store, known), _of_studies(evaluations, documents))
    by_chosen = {(str(row["prompt"]), str(row["chosen"])): row for row in found if row["chosen"] != row["rejected"]}
    return list(by_chosen.values())


def _row(
    prompt: list[tuple[str, str]], better: str, worse: str, origin: str, label: Label, group: str
) -> PreferenceRow:
    def messages(*turns: tuple[str, str]) -> list[dict[str, str]]:
        return [{"role": role, "content": text.strip()} for role, text in turns]

    chosen, rejected = messages(("assistant", better)), messages(("assistant", worse))
    return {
        "prompt": messages(*prompt), "chosen": chosen, "rejected": rejected,
        "origin": origin, "label": label, "group": group,
    }  # fmt: skip


# ------------------------------------------------------------------ conversations


def _of_conversations(store: Store, known: KnownCollections) -> Iterator[PreferenceRow]:
    questions = {asked.id: (asked, label) for asked, _answer, label in answer_ratings.rated_answers(store, known)}
    for asked, label in questions.values():
        tree = store.tree(asked.conversation_id)
        answers = [one for one in tree if one.parent_id == asked.id and one.status == "done" and one.text.strip()]
        line = store.line(asked.id)
        roles = {"question": "user", "answer": "assistant"}
        prompt = [(roles[one.role], _plain(one)) for one in line]
        group = f"conversation {asked.conversation_id}"
        for better, worse, origin in _chosen_of(answers):
            yield _row(prompt, better, worse, origin, label, group)


def _plain(message: Message) -> str:
    is_answer = message.role == "answer"
    return answer_ratings.text_without_marks(message, message.text) if is_answer else message.prompt_text


def _chosen_of(answers: list[Message]) -> Iterator[tuple[str, str, str]]:
    """Yield the better text, the worse text and the origin of each pair of the answers to one question."""
    good, bad, rest = ([one for one in answers if one.rating == rating] for rating in (GOOD, BAD, 0))
    for answer in bad:
        if answer.correction:
            yield answer_ratings.text_without_marks(answer, answer.correction), _plain(answer), "correction"
    for answer in good:
        for worse, origin in ((bad, "rating"), (rest, "regenerated")):
            if worse:
                yield _plain(answer), _plain(worse[-1]), origin
                break
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
        label = label_of_evaluation(evaluation, documents)
        ids = [result.system.id for result in evaluation.systems]
        for one, other in itertools.combinations(ids, 2):
            comparison = BlindComparison(blind.blind_pairing(evaluation, one, other), votes)
            pairs = {pair.question.id: pair for pair in comparison.pairing.pairs}
            for voted in comparison.votes:
                pair = pairs[voted.question]
                if voted.is_open or voted.vote not in ("a_better", "b_better"):
                    continue
                texts = {pair.a_system: pair.a, pair.b_system: pair.b}
                better = texts[voted.a if voted.vote == "a_better" else voted.b]
                worse = texts[voted.b if voted.vote == "a_better" else voted.a]
                asked = pair.question
                yield _row([("user", asked.text)], better, worse, "blind", label, asked.group)
