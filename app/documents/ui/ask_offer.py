"""Show that documents were read, questions that they answer, and a button to ask them."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame

from app.base.wording import phrase
from app.documents.services.reading_offers import ReadingOffer
from app.uikit import untrusted_text
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button, ElidedButton, IconButton
from app.uikit.widgets.containers import clear_layout, make_column, make_row
from app.uikit.widgets.labels import IconLabel, Label


class AskOffer(QFrame):
    """A card, hidden until `show_offer` is called."""

    asked = Signal(object, str)  # tuple[CollectionRef, ...], and the question to ask at once; "": the user types it
    closed = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._offer: ReadingOffer | None = None
        self.setProperty("surface", "card")
        self._heading = Label(strong=True, wraps=True)
        self.close_button = IconButton(theme, "x", phrase("documents.close_the_offer"))
        self.ask_button = Button(theme, phrase("documents.ask_these_documents"), "primary")
        self._example_words = Label(phrase("documents.they_answer_for_example"), "caption", "text2")
        self._questions = make_column(spacing_px=6)
        self.question_buttons: list[Button] = []
        make_column(
            make_row(IconLabel(theme, "circle-check", "success"), (self._heading, 1), self.close_button, spacing_px=8),
            self._example_words,
            self._questions,
            (self.ask_button, 0, Qt.AlignmentFlag.AlignLeft),
            into=self,
            margins_px=(16, 10, 10, 12),
            spacing_px=8,
        )
        self.ask_button.clicked.connect(lambda: self._ask(""))
        self.close_button.clicked.connect(self.dismiss)
        self.hide()

    @property
    def collection_id(self) -> int:
        """Return the id of the collection that the offer is about; 0 without an offer."""
        return self._offer.collection_id if self._offer is not None else 0

    def show_offer(self, offer: ReadingOffer) -> None:
        self._offer = offer
        key = "documents.name_was_read" if offer.documents == 1 else "documents.n_documents_of_name_were_read"
        self._heading.setText(phrase(key, name=offer.title, n=f"{offer.documents:,}"))
        clear_layout(self._questions)
        self.question_buttons = []
        for question in offer.questions:
            button = ElidedButton(self._theme, untrusted_text.make_harmless(question))
            self.question_buttons.append(button)
            button.clicked.connect(lambda _=False, question=question: self._ask(question))
            self._questions.addWidget(button)
        self._example_words.setVisible(bool(offer.questions))
        self.setAccessibleName(self._heading.text())
        self.show()

    def dismiss(self) -> None:
        self._offer = None
        self.hide()
        self.closed.emit()

    def _ask(self, question: str) -> None:
        if self._offer is not None:
            self.asked.emit(self._offer.scope, question)
