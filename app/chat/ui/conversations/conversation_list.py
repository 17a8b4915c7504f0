"""Provide the rows of the conversation list: pinned conversations, folders, then days; thousands of rows are fast."""

import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct
from PySide6.QtCore import QModelIndex, Qt, Signal

from app.base.confidentiality import HIGHEST_LABEL, Label
from app.base.errors import AppError
from app.base.wording import phrase
from app.chat import conversation_privacy
from app.chat.records import Conversation, Folder, Message
from app.documents.grounding.grounding_record import CollectionRef
from app.documents.records import DocumentCollection
from app.uikit.localization import format_date, format_day, format_month, format_month_and_year, join_facts
from app.uikit.widgets.labels import plain_tooltip
from app.uikit.widgets.list_rows import Index, RowListModel

OUTSIDE = 0  # the place of conversations without a folder; ids of folders begin at 1


class ListRow(Struct):
    """A conversation, or the heading of a folder or day, for which `conversation` is None.

    `group` is the group of the row: pinned | folder | day.
    """

    text: str
    group: str
    conversation: Conversation | None = None
    folder: Folder | None = None
    count: int = 0
    is_folded: bool = False

    @property
    def id(self) -> int | None:
        """Return the id of the row's conversation; None for a heading."""
        return self.conversation.id if self.conversation is not None else None

    @property
    def folder_id(self) -> int | None:
        """Return the id of the folder if the row is a folder's heading, else None."""
        return self.folder.id if self.folder is not None else None


class ConversationList(RowListModel):
    """The rows of the list. Days cannot be selected, folders can be folded, and the filter searches all titles."""

    renamed = Signal(int, str)  # id, the new title
    folder_renamed = Signal(int, str)  # id, the new name
    _rows: Sequence[ListRow]

    def __init__(self) -> None:
        super().__init__()
        self._conversations: Sequence[Conversation] = ()
        self.folders: Sequence[Folder] = ()
        self.folded: frozenset[int] = frozenset()
        self._drafts: Collection[int] = frozenset()
        self._collections: Sequence[DocumentCollection] = ()
        self.collections_of: Callable[[int], list[CollectionRef]] = lambda _id: []  # by id; set by the window
        self._collections_by_row: dict[
            int, list[CollectionRef]
        ] = {}  # results of `collections_of`, for painted rows only
        self._written_messages: tuple[Message, ...] = ()
        self._filter = ""
        self.open_id: int | None = None
        self._now = datetime.now()
        self._places: list[int | tuple[int | None, str]] = []  # see `_place`
        self._numbers: dict[int | None, int] = {}  # row of each conversation, by id

    # ------------------------------------------------------------------ content

    def set_conversations(
        self, conversations: Sequence[Conversation], now: datetime | None = None, *, folders: Sequence[Folder] = ()
    ) -> None:
        """Set the rows: `conversations`, latest first; `now` None: the current time."""
        self._conversations, self.folders = conversations, folders
        self._collections_by_row = {}
        self.folded &= {folder.id for folder in folders}
        self._refill(now)

    def set_filter(self, text: str, now: datetime | None = None) -> None:
        self._filter = _folded(text)
        self._refill(now)

    def fold(self, folder_id: int, *, is_folded: bool) -> None:
        """Fold or unfold a folder. A folded folder shows only its heading."""
        self.folded = self.folded | {folder_id} if is_folded else self.folded - {folder_id}
        self._refill(None)

    def set_open(self, conversation_id: int | None) -> None:
        """Mark the conversation that is shown next to the list; None marks none, because a new one is shown."""
        if conversation_id != self.open_id:
            self.open_id = conversation_id
            self._emit_all_changed()

    def set_drafts(self, conversation_ids: Collection[int]) -> None:
        """Mark the conversations that have an unsent draft."""
        if conversation_ids != self._drafts:
            self._drafts = conversation_ids
            self._emit_all_changed()

    def set_collections(self, collections: Sequence[DocumentCollection]) -> None:
        """Set all collections, from which the labels of conversations are computed."""
        self._collections = collections
        self._emit_all_changed()

    def set_message_in_progress(self, message: Message | None) -> None:
        """Record the question just sent, then the answer that is being written; None when the answer has ended."""
        if message is None or message.role == "question":
            self._written_messages = ()
        if message is not None:
            self._written_messages += (message,)
        self._emit_all_changed()

    def conversations(self, ids: Iterable[int]) -> list[Conversation]:
        """Return the conversations with these ids, also in folded folders, the most recently used first."""
        wanted = set(ids)
        return [conversation for conversation in self._conversations if conversation.id in wanted]

    # -------------------------------------------------------------------- places

    def index_of(self, conversation_id: int | None) -> QModelIndex:
        """Return the index of a conversation's row; invalid when it is not in the list."""
        return next(iter(self.indexes_of([conversation_id])), QModelIndex())

    def indexes_of(self, conversation_ids: Iterable[int | None]) -> list[QModelIndex]:
        return [self.index(self._numbers[id]) for id in conversation_ids if id in self._numbers]

    def index_of_folder(self, folder_id: int | None) -> QModelIndex:
        """Return the index of a folder's heading; invalid when it is not in the list."""
        places = (place for place, row in enumerate(self._rows) if row.folder and row.folder_id == folder_id)
        return self.index(next(places, -1))

    def nearest(self, row: int) -> QModelIndex:
        """Return the index of the conversation at this row, else the next below, else the last; or an invalid one."""
        places = [place for place, entry in enumerate(self._rows) if entry.conversation is not None]
        below = next((place for place in places if place >= row), places[-1] if places else -1)
        return self.index(below) if below >= 0 else QModelIndex()

    def folder_around(self, index: Index) -> int | None:
        """Return the id of a row's folder, `OUTSIDE` below a day, None for a pinned one or the heading of a day."""
        row = self._rows[index.row()]
        if row.folder is not None:
            return row.folder.id
        if row.group == "folder" and row.conversation is not None:
            return row.conversation.folder_id
        return OUTSIDE if row.group == "day" else None

    def row(self, index: int) -> ListRow:
        return self._rows[index]

    # ------------------------------------------------------------------- methods of Qt's model

    def itemData(self, _index: Index) -> dict[int, Any]:
        """Return nothing: a drag carries no data, because it can only be dropped on a folder of this list."""
        return {}

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        row = self._rows[index.row()]
        match role:
            case Qt.ItemDataRole.DisplayRole | Qt.ItemDataRole.EditRole:
                return row.text
            case Qt.ItemDataRole.ToolTipRole:
                return plain_tooltip(row.text) if row.conversation or row.folder else None
            case Qt.ItemDataRole.AccessibleTextRole:
                return self._spoken(row)
        return None

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        """Emit the new name. The row changes when `set_conversations` is called with the renamed conversation."""
        name = str(value).strip()
        row = self._rows[index.row()]
        if role != Qt.ItemDataRole.EditRole or name in ("", row.text):
            return False
        if row.folder is not None:
            self.folder_renamed.emit(row.folder.id, name)
        elif row.conversation is not None:
            self.renamed.emit(row.conversation.id, name)
        return True

    def flags(self, index: Index) -> Qt.ItemFlag:
        row = self._rows[index.row()]
        if row.folder is not None:
            return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsEditable
        if row.conversation is None:
            return Qt.ItemFlag.NoItemFlags
        chosen = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        return chosen | Qt.ItemFlag.ItemIsEditable | Qt.ItemFlag.ItemIsDragEnabled

    def supportedDragActions(self) -> Qt.DropAction:
        return Qt.DropAction.MoveAction

    # ------------------------------------------------------------------- groups

    def _refill(self, now: datetime | None) -> None:
        self._now = now or datetime.now()
        rows = self._grouped()
        places = [row.conversation.id if row.conversation is not None else _place(row) for row in rows]
        if places == self._places:
            self._rows = rows  # without a reset, after which the view measures every row again
            self._emit_all_changed()
            return
        self._places = places
        self._numbers = {id: number for number, id in enumerate(places) if isinstance(id, int)}
        self._replace_rows(rows)

    def _grouped(self) -> list[ListRow]:
        pinned: list[Conversation] = []
        inside: dict[int | None, list[Conversation]] = {folder.id: [] for folder in self.folders}
        outside: list[Conversation] = []
        for conversation in self._conversations:
            if self._filter and self._filter not in _folded(conversation.title):
                continue
            if conversation.pinned_at is not None:
                pinned.append(conversation)
            else:
                inside.get(conversation.folder_id, outside).append(conversation)
        rows = []
        if pinned:
            pinned.sort(key=lambda one: one.pinned_at or 0)
            rows = [ListRow(phrase("chat.pinned"), "pinned"), *(ListRow(one.title, "pinned", one) for one in pinned)]
        for folder in self.folders:
            rows += self._folder_rows(folder, inside[folder.id])
        return rows + self._days(outside)

    def _folder_rows(self, folder: Folder, conversations: Sequence[Conversation]) -> Iterator[ListRow]:
        if self._filter and not conversations:
            return
        is_folded = folder.id in self.folded and not self._filter
        yield ListRow(folder.name, "folder", folder=folder, count=len(conversations), is_folded=is_folded)
        if not is_folded:
            for conversation in conversations:
                yield ListRow(conversation.title, "folder", conversation)

    def _days(self, conversations: Iterable[Conversation]) -> list[ListRow]:
        rows = []
        began_at = float("inf")  # start of the day or month of the last heading, in seconds since 1970
        for conversation in conversations:
            if conversation.updated_at < began_at:
                heading, began = self._day(datetime.fromtimestamp(conversation.updated_at))
                began_at = began.timestamp()
                rows.append(ListRow(heading, "day"))
            rows.append(ListRow(conversation.title, "day", conversation))
        return rows

    def _day(self, when: datetime) -> tuple[str, datetime]:
        """Return the heading for a last use at `when`, and the start of the day or month that it names."""
        today = self._now.replace(hour=0, minute=0, second=0, microsecond=0)
        yesterday = today - timedelta(days=1)
        if when >= today:
            return phrase("chat.today"), today
        if when >= yesterday:
            return phrase("chat.yesterday"), yesterday
        first = when.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        return format_month(when) if when.year == today.year else format_month_and_year(when), first

    # --------------------------------------------------------------------- rows

    def facts_text(self, row: ListRow) -> str:
        """Return the parts of `facts` in one line."""
        time, label, folder = self.facts(row)
        return join_facts(time, phrase(f"common.label.{label}") if label is not None else "", folder)

    def facts(self, row: ListRow) -> tuple[str, Label | None, str]:
        """Return the time of the last use, the label (None: not determined), and the folder of a pinned conversation
        ("": none).

        The time is as short as the heading above allows, and includes a mark if the conversation was imported.
        """
        conversation = row.conversation
        assert conversation is not None
        when = datetime.fromtimestamp(conversation.updated_at)
        clock = f"{when.hour}:{when.minute:02}"
        if when.date() >= self._now.date():
            time = clock
        elif when.date() == self._now.date() - timedelta(days=1):
            time = clock if row.group == "day" else f"{phrase('chat.yesterday')} {clock}"
        elif row.group == "day" or when.year == self._now.year:
            time = format_day(when)
        else:
            time = format_date(when)
        if conversation.imported_at is not None:
            time = join_facts(time, phrase("chat.imported_in_list"))
        folder_id = conversation.folder_id if row.group == "pinned" else None
        folder = next((folder.name for folder in self.folders if folder.id == folder_id), "")
        return time, self._label(conversation), folder

    def _label(self, conversation: Conversation) -> Label | None:
        """Return the label to show: the highest of the conversation's own, its collections' and its answers' sources'.

        The header of the open conversation shows the same label. Return None if neither the user nor a document has
        determined one, and the highest label if the stored details of an answer are damaged.
        """
        written = [message for message in self._written_messages if message.conversation_id == conversation.id]
        if conversation.id not in self._collections_by_row:
            try:
                self._collections_by_row[conversation.id] = self.collections_of(conversation.id)
            except AppError:  # the stored details of an answer are damaged, so that its sources are unknown
                return HIGHEST_LABEL
        scope = (*conversation.scope, *self._collections_by_row[conversation.id])
        asked = conversation_privacy.collection_labels(self._collections, scope, written)
        is_unanswered = bool(written) and written[0].parent_id is None and conversation_privacy.is_unanswered(written)
        label = conversation_privacy.displayed_label(conversation.label, asked, is_unanswered=is_unanswered)
        return conversation.label if label is None and conversation.scope else label

    def draft_mark(self, row: ListRow) -> str:
        """Return the mark of a draft; "" without one, and for the open conversation, whose draft is in sight."""
        return phrase("chat.draft") if row.id in self._drafts and row.id != self.open_id else ""

    def is_open(self, row: ListRow) -> bool:
        """Return whether the row is the conversation shown next to the list, or a folded folder that contains it."""
        if row.conversation is not None:
            return row.id == self.open_id
        if row.folder is None or not row.is_folded or self.open_id is None:
            return False
        return any(one.folder_id == row.folder.id and not one.pinned_at for one in self.conversations([self.open_id]))

    def _spoken(self, row: ListRow) -> str:
        if row.folder is not None:
            folder = phrase("chat.folder_name_n", name=row.text, n=row.count)
            return join_facts(folder, phrase("chat.closed") if row.is_folded else "")
        if row.conversation is None:
            return row.text
        pinned = phrase("chat.pinned") if row.conversation.pinned_at is not None else ""
        return join_facts(row.text, self.facts_text(row), self.draft_mark(row), pinned)

    def _emit_all_changed(self) -> None:
        if self._rows:
            self.dataChanged.emit(self.index(0), self.index(len(self._rows) - 1))


def _place(heading: ListRow) -> tuple[int | None, str]:
    """Return what makes a heading another one, and not only a changed one. That of a conversation is its id.

    The group of a conversation follows from the headings before it.
    """
    return heading.folder_id, "" if heading.folder else heading.text


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold().strip()
