"""Pictures of answers that were rated, for `tests.screenshots`."""

from collections.abc import Callable

from app.application import AppContext
from app.base.wording import current_language
from app.chat.answer_ratings import BAD, GOOD, rate
from app.chat.records import AnswerDetails, Message
from app.chat.ui.transcript.answer_view import AnswerView

TALK = {
    "ja": (
        ("来客用の駐車場は、何日前まで予約できますか。", "前日の 17 時までに、総務へ電話してください。"),
        (
            "車椅子の方が来るときの区画は、どこですか。",
            "正面玄関の右側に 2 台分あります。予約はいりません。空いていないときは、守衛に声をかけてください。",
        ),
        "正面玄関の右側に 2 台分あります。利用する前の日までに、総務へ電話で予約してください。",
    ),
    "en": (
        ("Until when can a parking space for visitors be booked?", "By 17:00 the day before. Please call the office."),
        (
            "Where are the spaces for wheelchair users?",
            "Two are to the right of the main entrance. They need no booking. Ask the guard if both are taken.",
        ),
        "Two are to the right of the main entrance. Call the office the day before to book one.",
    ),
}


def talked(parts: AppContext) -> list[Message]:
    """Two questions, open; gives both answers."""
    store, details = parts.store, AnswerDetails("m", "Swallow-8B Q4_K_M", "end", answer_tokens=42, total_s=8.2)
    answers: list[Message] = []
    for question, answer in TALK[current_language()][:2]:
        before = (answers[-1].conversation_id, answers[-1].id) if answers else (None, None)
        reply = store.add_answer(store.add_question(question, *before).id, details)
        answers.append(store.finish_answer(reply.id, answer, "done", details))
    parts.conversations.note_change()
    return answers


def rated(parts: AppContext) -> None:
    """One good and one bad answer, and the menu of the bad one."""
    good, bad = talked(parts)
    rate(parts.store, good.id, GOOD)
    rate(parts.store, bad.id, BAD, TALK[current_language()][2])
    parts.session.open(bad.conversation_id)
    view = parts.window.page("ask").transcript.view_of(bad.id)
    assert isinstance(view, AnswerView)
    row = view._end.row
    row._show_menu()


def correction(parts: AppContext) -> None:
    """What a bad answer should have said is being written."""
    _, bad = talked(parts)
    parts.session.open(bad.conversation_id)
    parts.window.page("ask").transcript.requests.rating_requested.emit(bad.id, BAD)


RATING_SHOTS: dict[str, Callable[[AppContext], None]] = {shot.__name__: shot for shot in (rated, correction)}
