"""Tokens of an example as people read them."""

from app.training.previews import Piece, pieces
from trainer.events import PreviewToken


def token(text: str, kind: str = "", *, is_trained: bool = False) -> PreviewToken:
    return PreviewToken(1, text, is_trained, kind)


def test_what_is_alike_is_joined_and_a_control_token_stands_alone() -> None:
    tokens = [
        token("<s>", "bos"), token("橋"), token("は"), token("[/]", "control"), token("[A]", "control"),
        token("百", is_trained=True), token("年", is_trained=True), token("</s>", "end", is_trained=True),
    ]  # fmt: skip
    assert pieces(tokens) == [
        Piece("<s>", False, "bos"),
        Piece("橋は", False),
        Piece("[/]", False, "control"),
        Piece("[A]", False, "control"),
        Piece("百年", True),
        Piece("</s>", True, "end"),
    ]


def test_a_character_of_several_tokens_is_shown_whole_and_bytes_that_are_none_by_name() -> None:
    assert pieces([token("鉄<0xE6>"), token("<0xA9>"), token("<0x8B>だ")]) == [Piece("鉄橋だ", False)]
    assert pieces([token("<0xE6><0xA9>")]) == [Piece("<0xE6><0xA9>", False)]


def test_a_character_is_not_joined_over_the_edge_of_what_is_trained() -> None:
    edge = [token("<0xE6><0xA9>"), token("<0x8B>", is_trained=True)]
    assert pieces(edge) == [Piece("<0xE6><0xA9>", False), Piece("<0x8B>", True)]
