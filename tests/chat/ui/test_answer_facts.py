"""What the details of an answer say of how its documents were searched."""

import pytest

from app.chat.records import AnswerDetails
from app.chat.ui.transcript import answer_actions
from app.documents.grounding.grounding_record import Grounding


@pytest.mark.parametrize(
    ("by_meaning", "said"),
    [("", []), ("used", ["言葉と意味で検索"]), ("missed", ["言葉だけで検索（意味検索が間に合わず）"])],
)
def test_it_is_said_whether_meaning_was_searched_where_a_model_for_it_is_installed(
    qapp: object, by_meaning: str, said: list[str]
) -> None:
    details = AnswerDetails(grounding=Grounding(by_meaning=by_meaning))
    assert [fact for fact in answer_actions.fact_lines(details) if "検索" in fact] == said
    assert [fact for fact in answer_actions.fact_lines(AnswerDetails()) if "検索" in fact] == []
