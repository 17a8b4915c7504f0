"""Tokens of an example as people read them."""

from app.training.run_plan import PreviewPiece, preview_pieces
from trainer.events import PreviewToken


def token(text: str, kind: str = "", *, is_trained: bool = False) -> PreviewToken:
    return PreviewToken(1, text, is_trained, kind)


def test_what_is_alike_is_joined_and_a_control_token_stands_alone() -> None:
    tokens = [
        token("<s>", "bos"), token("橋"), token("は"), token("[/]", "control"), token("[A]", "control"),
        token("百", is_trained=True), token("年", is_trained=True), token("</s>", "end", is_trained=True),
    ]  # fmt: skip
    assert preview_pieces(tokens) == [
        PreviewPiece("<s>", False, "bos"),
        PreviewPiece("橋は", False),
        PreviewPiece("[/]", False, "control"),
        PreviewPiece("[A]", False, "control"),
        PreviewPiece("百年", True),
        PreviewPiece("</s>", True, "end"),
    ]


def test_a_character_of_several_tokens_is_shown_whole_and_bytes_that_are_none_by_name() -> None:
    assert preview_pieces([token("鉄<0xE6>"), token("<0xA9>"), token("<0x8B>だ")]) == [PreviewPiece("鉄橋だ", False)]
    assert preview_pieces([token("<0xE6><0xA9>")]) == [PreviewPiece("<0xE6><0xA9>", False)]


def test_a_character_is_not_joined_over_the_edge_of_what_is_trained() -> None:
    edge = [token("<0xE6><0xA9>"), token("<0x8B>", is_trained=True)]
    assert preview_pieces(edge) == [PreviewPiece("<0xE6><0xA9>", False), PreviewPiece("<0x8B>", True)]
