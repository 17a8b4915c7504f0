"""Describe a model that another machine computes."""

from PySide6.QtCore import QCoreApplication

from app.inference.engine.messages import EngineFacts
from app.inference.local_model import LocalModel
from app.models import remote_models
from app.models.ui import words
from app.uikit.language import joined
from app.uikit.phrases import sends_to

translate = QCoreApplication.translate


def summary(model: LocalModel) -> str:
    text = translate(
        "Remote",
        "LAN のサーバーのモデルです。質問と、引用する資料の文章を、{place} へ送ります。機密の会話と資料は送りません。",
    )
    return text.format(place=remote_models.shown(model))


def facts(model: LocalModel) -> str:
    """For the list: whom it is sent to, and what the server calls it."""
    assert model.remote is not None
    return joined(sends_to(remote_models.shown(model)), model.remote.model)


def described(model: LocalModel) -> list[tuple[str, str]]:
    assert model.remote is not None
    given = model.remote.context_tokens
    context = translate("Remote", "最大 {tokens}").format(tokens=words.tokens(given)) if given else ""
    return [
        (translate("Remote", "アドレス"), model.remote.address),
        (translate("Remote", "サーバーでの名前"), model.remote.model),
        (translate("Remote", "文脈の長さ"), context or translate("Remote", "サーバーに従う")),
        (translate("Remote", "使用条件"), translate("Remote", "サーバーの管理者に確かめてください")),
    ]


def in_force(facts: EngineFacts) -> list[tuple[str, str]]:
    """After the connection was made."""
    return [
        (translate("Remote", "計算の場所"), facts.remote),
        (translate("Remote", "文脈の長さ"), words.tokens(facts.context_tokens)),
    ]
