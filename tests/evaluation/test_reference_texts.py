"""Which texts of a question set have their likelihood measured."""

from app.evaluation.records import Question
from app.evaluation.study import study_steps
from app.inference.prompts import ScoredText, Segment
from app.models import base_models, catalogue
from trainer import prompt_form as forms

FORMS = catalogue.load().forms


def test_a_question_is_asked_alone_and_numbered_as_in_its_set() -> None:
    questions = [
        Question("a", "首都は？", "東京です。"),
        Question("b", "今日の天気は？"),
        Question("c", "空は？", " \n"),
        Question("d", "山は？", "富士山<end_of_turn>です。"),
    ]
    found = study_steps.likelihood_texts(questions, FORMS["gemma"], "短く答える。")
    assert [(text.line, text.answer) for text in found] == [(1, "東京です。"), (4, "富士山<end_of_turn>です。")]
    assert found[1].segments == (
        Segment("<start_of_turn>user\n", markup=True),
        Segment("短く答える。\n\n山は？"),
        Segment("<end_of_turn>\n<start_of_turn>model\n", markup=True),
    )


def test_a_foreign_template_is_filled_with_each_question() -> None:
    prompt = (Segment("<user>", markup=True), Segment(study_steps.QUESTION_PLACE), Segment("<model>", markup=True))
    found = study_steps.rendered_texts([Question("a", "空は？"), Question("b", " 首都は？\n", "東京です。")], prompt)
    segments = (Segment("<user>", markup=True), Segment("首都は？"), Segment("<model>", markup=True))
    assert found == (ScoredText(segments, "東京です。", 2),)


def test_no_reference_no_text() -> None:
    assert study_steps.likelihood_texts([Question("a", "首都は？")], FORMS["gemma"]) == ()


def test_in_every_form_the_answer_stands_as_training_has_it() -> None:
    question = Question("a", "首都は？", "東京です。")
    messages = [{"role": "user", "content": question.text}, {"role": "assistant", "content": question.reference}]
    for form in FORMS.values():
        (example,) = forms.example_pieces(base_models.trainer_form(form), messages)
        at = next(at for at, piece in enumerate(example) if piece.is_trained)
        before = tuple(Segment(piece.text, piece.markup) for piece in example[:at])
        assert study_steps.likelihood_texts([question], form) == (ScoredText(before, example[at].text, 1),)
