"""Rows of forms."""

from app.uikit.widgets.form_rows import DescribedChoice


def test_sentences_stand_in_one_column_beside_names_of_any_length(theme, qtbot):
    choice = DescribedChoice(theme, {"a": ("短い", "一文"), "b": ("とても長い名前" * 4, "別の一文")})
    qtbot.addWidget(choice)
    choice.resize(900, 200)
    choice.show()
    qtbot.waitUntil(lambda: len({card.about.x() for card in choice.answers.values()}) == 1)
