"""Likelihood and divergence of a quantized model on real text, as the scoring child has them and by their definitions.

`python -m tests.benchmarks.likelihood [MODEL.gguf] [--against F16.gguf]`: by default the trial model against its own
weights in f16. The answers are paragraphs of the manual, their headings the questions. Prints time and memory of both
children, the largest differences of a single token, how far the divergence over the 1,024 likeliest tokens and the rest
falls short of the one over all, and how much sooner likelihoods and answers come with all cores and several at a time.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from app.evaluation.records import Question
from app.evaluation.study import study_steps
from app.inference import prompts, scoring_files
from app.inference.engine.model_jobs import ChatToScore, Score
from app.inference.engine.score import ReferenceHeader, ReferenceReader, to_holdout
from app.inference.engine.scored_model import ScoredModel
from app.inference.engine.threads import ThreadPolicy
from app.inference.prompts import ScoredText
from app.inference.scoring_files import Holdout, Scores
from app.models import catalogue, local_models, starter
from tests.convert import engine_side
from tests.inference.engine import direct, jobs

MANUAL = Path(__file__).parents[2] / "resources" / "manual" / "manual.ja.md"
ANSWERS, LEAST_CHARACTERS = 16, 60
ANSWER_TOKENS, ROUNDS = 64, 3


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model", nargs="?", type=Path)
    parser.add_argument("--against", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = asked.model or starter.assemble(starter.card(), folder)
        f16 = asked.against or folder / "f16.gguf"
        if not asked.against:
            engine_side.requantize(model, f16)
        texts = study_steps.likelihood_texts(questions(), form_of(model))
        first = Score(str(f16), "", str(folder / "scores"), "", str(folder / "reference"), True, texts=texts)
        in_child(first, folder)
        found = in_child(Score(str(model), "", first.target, reference=first.reference, texts=texts), folder)
        token_by_token(f16, model, texts, Path(first.reference), found)
        with_all_cores(model, texts)


def questions() -> list[Question]:
    """Paragraphs of the manual after the headings that they stand under."""
    found, heading = [], ""
    for paragraph in MANUAL.read_text("utf-8").split("\n\n"):
        if paragraph.startswith("#"):
            heading = paragraph.lstrip("# ")
        elif len(paragraph) >= LEAST_CHARACTERS:
            found.append(Question(str(len(found)), heading, paragraph))
    return found[:ANSWERS]


def form_of(model: Path) -> prompts.PromptForm:
    return local_models.form_of(local_models.describe(model)) or catalogue.load().forms[local_models.FALLBACK_FORM]


def in_child(job: Score, folder: Path) -> Scores:
    end = jobs.finished(job, folder)
    found = scoring_files.read_scores(Path(end.path))
    speed = found.tokens / end.notes["seconds_reading"]
    print(
        f"{Path(job.model).name}: {found.tokens} tokens of {len(found.examples)} answers; {end.seconds:.1f} s, "
        f"{speed:.0f} tokens/s, peak {end.peak_rss_bytes / 2**20:.0f} MiB"
    )
    return found


def with_all_cores(model: Path, texts: tuple[ScoredText, ...]) -> None:
    """One thread and one answer at a time, beside Kotae's choice of threads and several answers at a time, in turn."""
    ours = ScoredModel(model, "")
    examples = to_holdout(texts, ours).examples
    prompts = [ChatToScore(text.segments, ours.ids_of(text.segments), ANSWER_TOKENS) for text in texts]
    longest = max(len(example.ids) for example in examples)
    ours.open(longest, longest + ANSWER_TOKENS, len(prompts))
    several = ours.sequences
    took: dict[bool, list[tuple[float, float]]] = {False: [], True: []}
    said: dict[bool, list[str]] = {}
    for is_ours in (False, True) * ROUNDS:
        ours._thread_policy = ThreadPolicy(None if is_ours else 1)
        ours.sequences = several if is_ours else 1
        began = time.perf_counter()
        for example in examples:
            list(ours.log_probabilities(example.ids, example.trained, lambda _count: None))
        read_at = time.perf_counter()
        written = dict(ours.write_answers(prompts, frozenset(), ()))
        took[is_ours].append((read_at - began, time.perf_counter() - read_at))
        said[is_ours] = [written[at].text for at in sorted(written)]
    ours.close()
    equal = sum(one == other for one, other in zip(said[False], said[True], strict=True))
    for place, what in enumerate(("likelihoods", "answers")):
        before, after = (statistics.median(one[place] for one in took[is_ours]) for is_ours in (False, True))
        print(f"{what}: {before:.1f} s with one thread, one at a time; {after:.1f} s now: {before / after:.2f} times")
    print(f"answers that are equal: {equal} of {len(prompts)}")


def token_by_token(f16: Path, model: Path, texts: tuple[ScoredText, ...], reference: Path, found: Scores) -> None:
    ours = ScoredModel(model, "")
    holdout = to_holdout(texts, ours)
    ours.open(max(len(example.ids) for example in holdout.examples))
    about = ReferenceHeader(holdout.scored_positions, ours.vocabulary_size, holdout.digest)
    reader = ReferenceReader(reference, about)
    asked = [(example.ids, example.trained) for example in holdout.examples]
    rows = zip(
        log_p(ours, holdout), direct.log_probabilities(f16, asked), direct.log_probabilities(model, asked), strict=True
    )
    tokens = [ids[place] for ids, places in asked for place in places]
    table = []
    for token, (mine, p, q) in zip(tokens, rows, strict=True):
        by_definition = -q[token], direct.divergence_of_likeliest(p, q), p.argmax() == q.argmax()
        table.append((-mine[token], *reader.compare(mine), *by_definition, direct.divergence(p, q)))
    reader.close()
    ours.close()
    nll, kept, same, nll_direct, kept_direct, same_direct, whole = np.array(table, np.float64).T
    print(f"vocabulary {about.vocabulary}, {ours.rows} rows at once, reference {about.size_bytes / 2**20:.1f} MiB")
    print(f"NLL {found.nll:.6f}, direct {nll_direct.mean():.6f}; a token differs by {abs(nll - nll_direct).max():.1e}")
    print(f"KLD {found.divergence:.6f}, direct {kept_direct.mean():.6f}; {abs(kept - kept_direct).max():.1e}")
    print(f"KLD over all tokens {whole.mean():.6f}: kept is {1 - kept_direct.mean() / whole.mean():.1%} less")
    print(f"same token first {found.same_first_share:.4f}, direct {same_direct.mean():.4f}")
    assert (same == same_direct).all()
    assert (kept_direct <= whole + 1e-9).all()


def log_p(model: ScoredModel, holdout: Holdout) -> Iterator[direct.Row]:
    for example in holdout.examples:
        yield from model.log_probabilities(example.ids, example.trained, lambda _tokens: None)


if __name__ == "__main__":
    main()
