"""One line on how far the search by meaning is, where an embedding model is installed."""

from app.base.wording import describe_error, phrase
from app.documents.services.embedding import Embedding, EmbeddingStanding
from app.uikit.widgets.labels import Label


class MeaningLine(Label):
    """Hidden while there is nothing to say."""

    def __init__(self, embedding: Embedding) -> None:
        super().__init__(role="caption", tone="text2", wraps=True)
        embedding.stood.connect(self._show)
        self._show(embedding.standing)

    def _show(self, standing: EmbeddingStanding) -> None:
        self.setText(self._words(standing))
        self.setVisible(bool(self.text()))

    def _words(self, standing: EmbeddingStanding) -> str:
        amount = {"a": f"{standing.done:,}", "b": f"{standing.total:,}"}
        match standing.phase:
            case "working":
                return phrase("documents.preparing_the_search_by_meaning_a_of", **amount)
            case "paused":
                return phrase("documents.preparing_the_search_by_meaning_a_of_b_resting", **amount)
            case "elsewhere":
                return phrase("documents.preparing_the_search_by_meaning")
            case "failed" if standing.error is not None:
                why = describe_error(standing.error).message
                return phrase("documents.the_search_by_meaning_cannot", why=why)
        return ""
