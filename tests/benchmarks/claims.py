"""How often the check of an answer's sentences is right: answers made from a folder of Markdown, right ones and wrong.

    python -m tests.benchmarks.claims [FOLDER] [--each N] [--seed N] [--show KIND]

FOLDER holds `standards_md`; without it, KOTAE_EVALUATION_DATA names the one that holds kasensabo. Each answer is one
sentence in other words (tests/seeded_answers.py), given the passages that a search for it finds; half of them say
which it is from. The first lines take the kinds in turn, the table below has up to N answers of each kind. An
exchanged value and a negation are shown there alone: they are no wrong number, unit or date.
"""

import argparse
import itertools
import random
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from app.documents.grounding import claims, sentences
from app.documents.library import Library
from app.documents.records import Passage
from app.documents.retrieval import passage_search
from app.documents.values import notation, quantities
from tests import evaluation_data, seeded_answers
from tests.benchmarks.abstention import index

GIVEN = 5  # passages
SHORTEST, LONGEST = 25, 160  # characters of a sentence
HEADLINE = 100
COUNTED = ("number", "unit", "date")


@dataclass(frozen=True, slots=True)
class Asked:
    """A sentence of the documents, the passages of a search for it, and which of them (from 0) has it."""

    sentence: str
    passages: tuple[Passage, ...]
    at: int


def drawn(library: Library, random_: random.Random) -> Iterator[Asked]:
    """Sentences with a value or a date, in no order, with what a search for each finds."""
    (collection,) = library.collections()
    found = []
    for document in library.documents(collection.id):
        for _, section in library.sections(document.id):
            pieces = [
                section.text[one.start : one.end]
                for one in sentences.split_sentences(section.text)
                if one.kind == "text"
            ]
            found += [piece for piece in pieces if _has_value(piece)]
    for sentence in random_.sample(found, len(found)):
        passages = passage_search.search(library, sentence, [collection.id], GIVEN)
        at = next((at for at, one in enumerate(passages) if sentence in one.section.text), None)
        if at is not None:
            yield Asked(sentence, tuple(passages), at)


def _has_value(piece: str) -> bool:
    is_whole = (
        SHORTEST <= len(piece) <= LONGEST and piece.endswith("。") and piece.count("。") == 1 and "|" not in piece
    )
    return is_whole and bool([one for one in quantities.parse(piece) if one.unit] or notation.parse_dates(piece))


def right(asked: Asked, kind: str, random_: random.Random) -> str | None:
    if kind == "joined":
        other = [at for at in range(len(asked.passages)) if at != asked.at]
        pieces = [
            (at, asked.passages[at].section.text[one.start : one.end])
            for at in other
            for one in sentences.split_sentences(asked.passages[at].section.text)
        ]
        fitting = [(at, piece) for at, piece in pieces if _has_value(piece)]
        if not fitting:
            return None
        at, piece = random_.choice(fitting)
        return f"{asked.sentence[:-1]}[{asked.at + 1}]、また、{piece[:-1]}[{at + 1}]。"
    return seeded_answers.RIGHT[kind](asked.sentence, random_)


def answer_of(asked: Asked, kind: str, wrong: str, random_: random.Random) -> str | None:
    """In other words as `kind` says, with what `wrong` names changed first; half with the number of the source."""
    changed: str | None = asked.sentence
    if wrong == "swapped":
        changed = seeded_answers.swapped(asked.sentence, asked.passages[asked.at].section.text, random_)
    elif wrong:
        changed = seeded_answers.WRONG[wrong](asked.sentence, random_)
    if changed is not None:
        changed = right(Asked(changed, asked.passages, asked.at), kind, random_)
    if changed is None or kind == "joined":
        return changed
    changed = seeded_answers.polite(changed, random_)
    return changed[:-1] + f"[{asked.at + 1}]。" if random_.random() < 0.5 else changed


def is_marked(asked: Asked, answer: str) -> bool:
    return not all(claim.is_supported for claim in claims.check(answer, asked.passages))


def marked(
    source: Callable[[], Iterator[Asked]], kinds: list[tuple[str, str]], count: int, random_: random.Random
) -> list[tuple[bool, str, Asked]]:
    """`count` answers, the kinds (right, wrong) in turn as far as each sentence allows, and which are marked."""
    results: list[tuple[bool, str, Asked]] = []
    left = list(kinds)
    for asked in source():
        if len(results) == count:
            break
        for at, kind in enumerate(left):
            answer = answer_of(asked, *kind, random_)
            if answer is not None:
                results.append((is_marked(asked, answer), answer, asked))
                left.append(left.pop(at))
                break
    return results


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", nargs="?")
    parser.add_argument("--each", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", metavar="KIND", help="print the answers of this kind that are judged wrongly")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        library = index(evaluation_data.for_benchmark(options.folder, "kasensabo"), Path(place))
        measure(library, options.each, options.seed, options.show)
        library.close()


def measure(library: Library, each: int, seed: int, show: str | None) -> None:
    random_ = random.Random(seed)
    known = list(itertools.islice(drawn(library, random_), 4000))
    ways = [*seeded_answers.RIGHT, "joined"]

    def again() -> Iterator[Asked]:
        return iter(random_.sample(known, len(known)))

    good = marked(again, [(way, "") for way in ways], HEADLINE, random_)
    bad = marked(again, [(way, wrong) for way in ways for wrong in COUNTED], HEADLINE, random_)
    print(f"{len(known)} sentences")
    print(f"right answers marked: {sum(one for one, _, _ in good)} of {len(good)}")
    print(f"one wrong number, unit or date, marked: {sum(one for one, _, _ in bad)} of {len(bad)}")
    print("kind            marked    of")
    kinds = [(way, (way, "")) for way in ways]
    kinds += [(f"wrong {wrong}", ("polite", wrong)) for wrong in (*seeded_answers.WRONG, "swapped")]
    for name, kind in kinds:
        results = marked(again, [kind], each, random_)
        print(f"{name:15s} {sum(one for one, _, _ in results):6d}  {len(results):4d}", flush=True)
        if name == show:
            for is_marked_, answer, asked in results:
                if is_marked_ != bool(kind[1]):
                    print(f"    {answer}\n      < {asked.sentence}")
                    for claim in claims.check(answer, asked.passages):
                        print(f"      {claim.sources} {asked.at + 1} {claim.missing} {claim.is_supported}")


if __name__ == "__main__":
    main()
