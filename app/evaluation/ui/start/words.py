"""The dialog in words: what can be compared, why not, what is missing, what it will take."""

from app.base.wording import phrase
from app.evaluation.services.study_making import Forecast
from app.evaluation.study.scale_limits import LEAST_ROWS
from app.uikit.localization import format_about_time, format_gigabytes, join_facts, join_names, with_note

JUDGE_PRESETS = ("kotae", "paper-2603.18037")


def kind(key: str) -> tuple[str, str]:
    """One of `rules.KINDS`: its name, and a sentence."""
    return {
        "documents": (
            phrase("evaluation.documents_and_fine_tuning"),
            phrase("evaluation.what_documents_bring_and_what"),
        ),
        "models": (
            phrase("evaluation.models"),
            phrase("evaluation.which_model_answers_best"),
        ),
        "quantizations": (
            phrase("evaluation.quantizations"),
            phrase("evaluation.how_much_quality_smaller_forms"),
        ),
        "scale": (
            phrase("evaluation.amounts_of_training_data"),
            phrase("evaluation.how_many_rows_of_training"),
        ),
    }[key]


def obstacle(code: str) -> str:
    return {
        "": "",
        "no_model": phrase("evaluation.there_is_no_model_add"),
        "no_set": phrase("evaluation.there_is_no_question_set"),
        "no_base": phrase("evaluation.there_is_no_model_that"),
        "no_collection": phrase("evaluation.there_is_no_collection_add"),
        "one_model": phrase("evaluation.there_is_only_one_model"),
        "no_environment": phrase("evaluation.there_is_no_training_environment"),
        "no_split": phrase("evaluation.there_are_no_data_that"),
        "looking": phrase("evaluation.looking_for_data"),
    }[code]


def problem(code: str) -> str:
    """`code`: as of `rules.problem`, and sizes_form, disk, kind."""
    if code == "sizes_small":
        return phrase("evaluation.let_the_smallest_amount_be", n=LEAST_ROWS)
    return {
        "": "",
        "kind": phrase("evaluation.there_is_nothing_to_compare_yet"),
        "set": phrase("evaluation.choose_a_question_set"),
        "model": phrase("evaluation.choose_a_base_model"),
        "models": phrase("evaluation.choose_two_models_or_more"),
        "scope": phrase("evaluation.choose_at_least_one_collection"),
        "forms": phrase("evaluation.choose_at_least_one_form"),
        "split": phrase("evaluation.choose_training_data"),
        "sizes_form": phrase("evaluation.write_the_amounts_as_numbers"),
        "sizes_order": phrase("evaluation.write_two_amounts_or_more"),
        "seeds": phrase("evaluation.to_ask_more_than_once"),
        "disk": phrase("evaluation.there_is_not_enough_room"),
    }[code]


def forecast(found: Forecast, seeds: int) -> str:
    """What will be done, and what that takes."""
    return join_facts(_answers(found, seeds), _trainings(found), _time(found), _disk(found))


def systems(found: Forecast) -> str:
    """Which are compared, and what is a surprise among them."""
    told = join_names(found.names)
    if not found.quotes:
        return told
    sentence = phrase("evaluation.name_shows_the_matching_passages", name=found.quotes)
    return f"{told}\n{sentence}"


def _answers(found: Forecast, seeds: int) -> str:
    if not found.answers:
        return ""
    sentence = phrase("evaluation.s_systems_q_questions_a")
    if seeds > 1:
        sentence = phrase("evaluation.s_systems_q_questions_r")
    told = sentence.format(s=f"{found.systems:,}", q=f"{found.questions:,}", r=seeds, a=f"{found.answers:,}")
    judged = phrase("evaluation.n_judged", n=f"{found.judged:,}") if found.judged else ""
    return with_note(told, judged)


def _trainings(found: Forecast) -> str:
    if not found.trainings:
        return ""
    told = phrase("evaluation.n_runs", n=f"{found.trainings:,}")
    if not found.training_s:
        return told
    most = phrase("evaluation.at_most_time", time=format_about_time(found.training_s))
    return with_note(told, most)


def _time(found: Forecast) -> str:
    if found.most_answering_s is None or not found.answers:
        return ""
    return phrase("evaluation.answering_at_most_time", time=format_about_time(found.most_answering_s))


def _disk(found: Forecast) -> str:
    if not found.disk_bytes:
        return ""
    return phrase(
        "evaluation.disk_at_most_need_free",
        need=format_gigabytes(found.disk_bytes),
        free=format_gigabytes(found.free_bytes),
    )


def judge_preset(key: str) -> str:
    return {
        "kotae": phrase("evaluation.kotaes_shown_the_reference_and"),
        "paper-2603.18037": phrase("evaluation.that_of_arxiv_2603_18037"),
    }[key]


def questions(count: int) -> str:
    return phrase("evaluation.n_questions", n=f"{count:,}")


def rows(count: int) -> str:
    return phrase("evaluation.n_training_rows", n=f"{count:,}")


def documents(count: int) -> str:
    return phrase("evaluation.n_documents", n=f"{count:,}")


def without() -> str:
    return phrase("common.none")
