"""Where other programs keep the models they have downloaded: facts on folders, by program and platform."""

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from app.base.files import strict_json

_SETTINGS_MAX_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Place:
    """`source`: lm_studio | ollama | huggingface | llama_cpp | gpt4all | jan | kotae."""

    source: str
    folder: Path


def known(
    home: Path, environment: Mapping[str, str] = os.environ, platform: str = sys.platform, *, own: Path | None = None
) -> list[Place]:
    """All folders that may hold models, whether they exist or not. `own` is Kotae's."""
    look = _Look(home, environment, platform)
    places = [Place("kotae", own)] if own is not None else []
    places += [Place("lm_studio", folder) for folder in look.lm_studio()]
    places += [Place("ollama", folder) for folder in look.ollama()]
    places += [Place("huggingface", look.hugging_face())]
    places += [Place("llama_cpp", look.llama_cpp())]
    places += [Place("gpt4all", look.application_data("nomic.ai") / "GPT4All")]
    places += [Place("jan", folder) for folder in look.jan()]
    return list(dict.fromkeys(places))


@dataclass(frozen=True, slots=True)
class _Look:
    home: Path
    environment: Mapping[str, str]
    platform: str

    def variable(self, name: str) -> Path | None:
        value = self.environment.get(name, "")
        if not value or "\0" in value:
            return None
        path = self.home / value[2:] if value.startswith("~/") else Path(value)
        return path if path.is_absolute() else None

    def cache(self) -> Path:
        """The Hugging Face libraries take ~/.cache on every platform."""
        return self.variable("XDG_CACHE_HOME") or self.home / ".cache"

    def application_data(self, name: str) -> Path:
        """As Qt's AppLocalDataLocation."""
        if self.platform == "win32":
            return (self.variable("LOCALAPPDATA") or self.home / "AppData" / "Local") / name
        if self.platform == "darwin":
            return self.home / "Library" / "Application Support" / name
        return (self.variable("XDG_DATA_HOME") or self.home / ".local" / "share") / name

    def lm_studio(self) -> Iterator[Path]:
        for base in (self.home / ".lmstudio", self.home / ".cache" / "lm-studio"):  # the latter before version 0.3.6
            yield base / "models"
            chosen = _text_in(base / "settings.json", "downloadsFolder")
            if chosen is not None:
                yield chosen

    def ollama(self) -> Iterator[Path]:
        chosen = self.variable("OLLAMA_MODELS")
        if chosen is not None:
            yield chosen
        yield self.home / ".ollama" / "models"
        if self.platform.startswith("linux"):
            yield Path("/usr/share/ollama/.ollama/models")  # the service that its installer sets up

    def hugging_face(self) -> Path:
        hub = self.variable("HF_HUB_CACHE") or self.variable("HUGGINGFACE_HUB_CACHE")
        return hub or (self.variable("HF_HOME") or self.cache() / "huggingface") / "hub"

    def llama_cpp(self) -> Path:
        chosen = self.variable("LLAMA_CACHE")
        if chosen is not None:
            return chosen
        if self.platform == "win32":
            return self.application_data("llama.cpp")
        if self.platform == "darwin":
            return self.home / "Library" / "Caches" / "llama.cpp"
        return self.cache() / "llama.cpp"

    def jan(self) -> Iterator[Path]:
        """~/jan until 2024; then Electron's folder, in which `llamacpp` is the newer name."""
        yield self.home / "jan" / "models"
        if self.platform == "win32":
            base = self.variable("APPDATA") or self.home / "AppData" / "Roaming"
        else:
            base = self.application_data("")
        for folder in (base / "Jan" / "data", self.home / ".config" / "Jan" / "data"):
            yield folder / "models"
            yield folder / "llamacpp" / "models"


def _text_in(path: Path, key: str) -> Path | None:
    """A folder that another program's settings name; None when they do not."""
    try:
        document = strict_json.load_file(path, _SETTINGS_MAX_BYTES)
    except (OSError, ValueError):
        return None
    value = document.get(key) if isinstance(document, dict) else None
    if not isinstance(value, str) or not value or "\0" in value or not Path(value).is_absolute():
        return None
    return Path(value)
