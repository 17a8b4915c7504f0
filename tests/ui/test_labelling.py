"""What the label of a conversation is taken from, before and while its first answer is written."""

from app.core.documents.grounding import CollectionRef
from app.core.documents.records import Collection
from app.core.records import AnswerDetails, Message
from app.ui import labelling

QUESTION = Message(1, 1, None, "question", "幅は。", "done", 1.0)


def answer(status: str) -> Message:
    return Message(2, 1, 1, "answer", "", status, 2.0, AnswerDetails(scope=(CollectionRef(7, "基準"),)))


def test_a_collection_that_is_gone_is_never_taken_for_the_manual_which_has_its_number_by_now() -> None:
    manual, other = Collection(1, "Kotae の使い方", "public", is_builtin=True), Collection(2, "新しい名前", "secret")
    gone, renamed, asked = CollectionRef(1, "社内の基準"), CollectionRef(2, "前の名前"), CollectionRef(9, manual.name)
    found = labelling.asked([manual, other], [gone, renamed, asked])
    assert [one for one, _ in found] == [None, other, manual]


def test_a_label_may_be_lower_than_the_stored_one_only_before_the_first_answer_has_ended() -> None:
    assert labelling.is_unanswered([])
    assert labelling.is_unanswered([QUESTION, answer("streaming")])
    assert not labelling.is_unanswered([QUESTION])  # which could not be answered
    for status in ("done", "stopped", "failed"):
        assert not labelling.is_unanswered([QUESTION, answer(status)])


def test_what_an_answer_is_being_written_from_counts_until_it_has_ended() -> None:
    assert labelling.being_asked([QUESTION, answer("streaming")]) == [CollectionRef(7, "基準")]
    assert labelling.being_asked([QUESTION, answer("done")]) == []
