"""What a model is asked about a passage, and its replies read."""

from collections import Counter

from app.base.files import strict_json
from app.documents.records import Passage
from app.inference.reply_journal import ModelReply, StandalonePrompt, max_object_tokens
from app.training.generation import grammar, quotes, words
from app.training.generation.records import QUESTION_MAX, SCORE_MAX, Candidate
from app.training.generation.words import Style

PAIR_TOKENS = 1024  # a kanji may take more than one, and a quote, a question and an answer may be long
QUESTION_TOKENS, SCORE_TOKENS = max_object_tokens(QUESTION_MAX), max_object_tokens(grammar.REASON_MAX)


def style_for(passage: Passage, used: Counter[str]) -> Style:
    """Of the styles that suit the passage the one least `used`, the first of equals."""
    text = passage.section.text
    fitting = [style for style in words.styles() if style.fits is None or style.fits.search(text)]
    return min(fitting, key=lambda style: used[style.key])


def pair(passage: Passage, style: Style) -> StandalonePrompt:
    """Evidence are the sentences that suit the style, numbers for a question on numbers; all where none does."""
    every = quotes.alternatives(passage)
    fitting = [quote for quote in every if style.fits and style.fits.search(quote)]
    task = words.prompt("question", style=style.instruction)
    rules = grammar.pair(fitting or every, is_sentence=style.is_sentence)
    return StandalonePrompt(words.prompt("system"), _shown(passage) + task, rules, PAIR_TOKENS)


def paraphrase(candidate: Candidate) -> StandalonePrompt:
    """Another question with the same answer."""
    task = words.prompt("paraphrase", question=candidate.question, answer=candidate.answer)
    return StandalonePrompt(
        words.prompt("system"), _shown(candidate.passage) + task, grammar.question(), QUESTION_TOKENS
    )


def unanswerable(passage: Passage) -> StandalonePrompt:
    """A question on the same matter that the passage does not answer."""
    task = words.prompt("unanswerable")
    return StandalonePrompt(words.prompt("system"), _shown(passage) + task, grammar.question(), QUESTION_TOKENS)


def quality(candidate: Candidate) -> StandalonePrompt:
    facts = {"quote": candidate.quote, "question": candidate.question, "answer": candidate.answer}
    return StandalonePrompt(words.prompt("system"), words.prompt("quality", **facts), grammar.score(), SCORE_TOKENS)


def texts(reply: ModelReply, *names: str) -> tuple[str, ...] | None:
    """Those fields of the reply's object, without blanks around them; None where it is no such object."""
    data = _object(reply)
    found = [text.strip() for name in names if isinstance(text := data.get(name), str)]
    return tuple(found) if len(found) == len(names) else None


def score(reply: ModelReply) -> int | None:
    """0 to 3; None where the reply has none."""
    found = _object(reply).get("score")
    if isinstance(found, int) and not isinstance(found, bool) and 0 <= found <= SCORE_MAX:
        return found
    return None


def _object(reply: ModelReply) -> dict[str, object]:
    try:
        data = strict_json.loads(reply.text)
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}


def _shown(passage: Passage) -> str:
    place = " > ".join((passage.document, *passage.section.heading))
    return words.prompt("passage", place=place, text=passage.section.text)
