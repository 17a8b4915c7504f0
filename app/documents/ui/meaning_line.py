"""One line on how far the search by meaning is, where an embedding model is installed."""

from app.base.wording import describe_error
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
                return self.tr("意味検索の準備 {a}／{b}").format(**amount)
            case "paused":
                return self.tr("意味検索の準備 {a}／{b}（回答中は休みます）").format(**amount)
            case "elsewhere":
                return self.tr("意味検索の準備：ほかの Kotae（コマンド）が行っています")
            case "failed" if standing.error is not None:
                why = describe_error(standing.error).message
                return self.tr("意味検索の準備ができません：{why} 検索は言葉だけで行います。").format(why=why)
        return ""
