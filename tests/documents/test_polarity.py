"""Whether a sentence ends in saying that it is so, or that it is not."""

import pytest

from app.documents.grounding import modality


@pytest.mark.parametrize(
    ("sentence", "sign"),
    [
        ("試験を行う。", 1),
        ("試験を行わなければならない。", 1),
        ("試験を行わなければなりません。", 1),
        ("影響を与えない程度の安全性を有していることが求められる。", 1),
        ("差し支えない。", 1),
        ("試験は行わない。", -1),
        ("試験を行いません", -1),
        ("溶接をしてはならない。", -1),
        ("溶接をしてはなりません。", -1),
        ("火気の使用を禁止する。", -1),
        ("届出は必要ない。", -1),
        ("届出は不要とする。", -1),
        ("試験を行わないことを基本とする。", -1),
        ("75℃を超えてはならない。", 0),
        ("できるだけ避ける。", 0),
        ("判断は困難である。", 0),
        ("", 1),
    ],
)
def test_the_end_of_a_sentence_tells(sentence, sign):
    assert modality.polarity_of(sentence) == sign
