"""A small model on the hub of the tests, a card of the user's that names it, and a publisher's weights."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.models import catalogue
from app.models.catalogue import ModelCard
from tests import hf_models
from tests import model_files as models
from tests.hf_models import HfShape
from tests.model_files import TinyShape
from tests.models.downloads.hub import COMMIT, FILE, REPOSITORY, Content, Fault, Hub, Stored

CARD = """
[[model]]
id = "{id}"
name = "小さなモデル"
summary_ja = "試験に使うモデル。"
summary_en = "A model for tests."
licence = "apache-2.0"
licence_url = "https://example.com/licence"
licence_notice_ja = "再配布するときは出典を示してください。"
licence_notice_en = "Name the source when you pass it on."
form = "llama3"
context_tokens = 512
files = [{files}]
"""
LARGE = TinyShape(vocabulary=8000, embedding=512, feed_forward=512)  # 37 MB


def gguf(folder: Path, shape: TinyShape = models.TINY) -> Path:
    folder.mkdir(exist_ok=True)
    return models.tiny_llama(folder / FILE, shape=shape)


def split_gguf(folder: Path) -> Mapping[str, Content]:
    folder.mkdir(exist_ok=True)
    models.tiny_llama(folder / "split.gguf", tensors_per_file=8)
    return {path.name: Stored(path) for path in sorted(folder.glob("split-*.gguf"))}


def put_card(cards: Path, size_bytes: int, *, sha256: str = "", file: str = FILE, card_id: str = "tiny") -> ModelCard:
    """With a checksum pinned to one version, without as nobody has pinned it. More cards may be put beside it."""
    pinned = f', sha256 = "{sha256}", revision = "{COMMIT}"' if sha256 else ", verified = false"
    entry = (
        f'{{ quantization = "F32", size_bytes = {size_bytes}, repository = "{REPOSITORY}", file = "{file}"{pinned} }}'
    )
    cards.mkdir(exist_ok=True)
    (cards / f"{card_id}.toml").write_text(CARD.format(id=card_id, files=entry), "utf-8")
    catalogue.set_user_cards_folder(cards)
    card = catalogue.card(card_id)
    assert card is not None, catalogue.load().problems
    return card


HEALTHY = Fault()


def published(folder: Path, shape: HfShape = hf_models.TINY, **config: Any) -> dict[str, Content]:
    """What a publisher has in a repository, with weights in three files and things that do not belong to a base."""
    hf_models.model(folder, shape=shape, shards=3, **config)
    (folder / "chat_template.jinja").write_text("{{ messages }}", encoding="utf-8")
    for name in ("LICENSE.txt", "README.md", "pytorch_model.bin", "original.gguf"):
        (folder / name).write_text("-", encoding="utf-8")
    return {path.name: Stored(path) for path in sorted(folder.iterdir())}


class Publisher(Hub):
    """A hub whose repository has these files. Like the real one it states hashes of weights alone."""

    def __init__(self, files: Mapping[str, Content], fault: Fault = HEALTHY) -> None:
        super().__init__(Content(1), fault)
        self.files = dict(files)
        self.hashes = {name: content.sha256() for name, content in files.items()}
        self.small = {name for name in files if not name.endswith(".safetensors")}
        self.stated = {"cardData": {"license": "llama3.1"}, "gated": "manual" if fault.token else False}

    @property
    def asked(self) -> set[str]:
        return {request.path.rpartition("/")[2] for request in self.requests if "/resolve/" in request.path}
