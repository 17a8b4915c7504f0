"""Describe a model that another machine computes."""

from app.base.wording import phrase
from app.inference.engine.messages import EngineFacts
from app.inference.local_model import LocalModel
from app.models import remote_models
from app.models.ui import words
from app.uikit.localization import join_facts, sends_to_text


def summary(model: LocalModel) -> str:
    text = phrase("models.a_model_of_a_server")
    return text.format(place=remote_models.shown(model))


def facts(model: LocalModel) -> str:
    """For the list: whom it is sent to, and what the server calls it."""
    assert model.remote is not None
    return join_facts(sends_to_text(remote_models.shown(model)), model.remote.model)


def described(model: LocalModel) -> list[tuple[str, str]]:
    assert model.remote is not None
    given = model.remote.context_tokens
    context = phrase("models.up_to_tokens_2", tokens=words.tokens(given)) if given else ""
    return [
        (phrase("models.address"), model.remote.address),
        (phrase("models.name_on_the_server"), model.remote.model),
        (phrase("common.context_length"), context or phrase("models.as_the_server_says")),
        (phrase("models.licence_2"), phrase("models.ask_the_servers_administrator")),
    ]


def in_force(facts: EngineFacts) -> list[tuple[str, str]]:
    """After the connection was made."""
    return [
        (phrase("models.computed_on"), facts.remote),
        (phrase("common.context_length"), words.tokens(facts.context_tokens)),
    ]
