"""Qt counts the rows of a list by itself, and Python keeps them: both change at the same moment."""

from app.uikit.widgets.list_rows import EntryListModel, EntryRow


def shown(model):
    return [model.index(row).data() for row in range(model.rowCount())]


def test_the_rows_are_other_ones_from_the_middle_of_a_reset():
    model, seen = EntryListModel(), []
    model.set_rows([EntryRow("橋", 1, object()), EntryRow("道路", 2, object())])
    model.modelAboutToBeReset.connect(lambda: seen.append(shown(model)))
    model.modelReset.connect(lambda: seen.append(shown(model)))
    model.set_rows([EntryRow("下水", 3, object())])
    assert seen == [["橋", "道路"], ["下水"]]


def test_an_entry_cannot_be_edited_and_takes_no_drop():
    model = EntryListModel()
    model.set_rows([EntryRow("見出し"), EntryRow("橋", 1, object())])
    assert [model.flags(model.index(row)).name for row in range(2)] == [
        "NoItemFlags",
        "ItemIsSelectable|ItemIsEnabled|ItemNeverHasChildren",
    ]


def test_qt_takes_no_row_away():
    """It asks for what was dragged, at the end of a drag that moves."""
    model = EntryListModel()
    model.set_rows([EntryRow("橋", 1, object()), EntryRow("道路", 2, object())])
    assert not model.removeRows(0, 1)
    assert shown(model) == ["橋", "道路"]
