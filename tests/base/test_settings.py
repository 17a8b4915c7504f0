"""Settings survive damage one value at a time."""

import dataclasses
import json
from pathlib import Path

import pytest

from app.base import settings
from app.base.settings import Settings


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    chosen = Settings(theme="dark", text_scale_percent=150, context_tokens=8192, preset_id="brief", shows_details=True)
    settings.save(tmp_path / "settings.json", chosen)
    assert settings.load(tmp_path / "settings.json") == chosen


@pytest.mark.parametrize("scope", [None, (), ("基準", "点検記録")])
def test_the_collections_chosen_last_are_kept(tmp_path: Path, scope: tuple[str, ...] | None) -> None:
    settings.save(tmp_path / "settings.json", Settings(scope=scope))
    assert settings.load(tmp_path / "settings.json") == Settings(scope=scope)


def test_no_file_gives_the_defaults(tmp_path: Path) -> None:
    assert settings.load(tmp_path / "settings.json") == Settings()


@pytest.mark.parametrize("content", [b"\x00" * 400, b"{", b"[1]", b'"text"', b"\xff\xfe", b""])
def test_a_damaged_file_gives_the_defaults_and_never_an_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "settings.json"
    path.write_bytes(content)
    assert settings.load(path) == Settings()


@pytest.mark.parametrize(
    "bad",
    [
        '"theme": "pink"',
        '"context_tokens": -1',
        '"context_tokens": true',
        '"shows_details": "yes"',
        '"nonsense": 1',
        '"scope": "基準"',
        '"scope": [1]',
    ],
)
def test_one_bad_value_costs_only_itself(tmp_path: Path, bad: str) -> None:
    path = tmp_path / "settings.json"
    path.write_text(f'{{"text_scale_percent": 130, {bad}}}', "utf-8")
    assert settings.load(path) == Settings(text_scale_percent=130)


@pytest.mark.parametrize(
    "bad",
    [
        '"hub_endpoint": "ftp://mirror.example"',
        '"hub_endpoint": "mirror.example"',
        '"hub_endpoint": "https://"',
        '"hub_endpoint": "https://mirror.example:port"',
        '"hub_endpoint": "https://mirror.example/?key=1"',
        '"proxy": "http://user:password@proxy.example:8080"',
        '"proxy": 8080',
        '"download_limit_bytes_per_s": -1',
        '"download_limit_bytes_per_s": true',
        '"network_allowed": 0',
    ],
)
def test_a_bad_choice_about_the_network_costs_only_itself(tmp_path: Path, bad: str) -> None:
    path = tmp_path / "settings.json"
    path.write_text(f'{{"text_scale_percent": 130, {bad}}}', "utf-8")
    assert settings.load(path) == Settings(text_scale_percent=130)


def test_choices_about_the_network_are_kept(tmp_path: Path) -> None:
    chosen = Settings(
        network_allowed=False,
        hub_endpoint="https://mirror.example/hub",
        proxy="http://[::1]:8080",
        download_limit_bytes_per_s=5_000_000,
    )
    settings.save(tmp_path / "settings.json", chosen)
    assert settings.load(tmp_path / "settings.json") == chosen


@pytest.mark.fault("F3")
def test_an_interrupted_save_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "settings.json"
    settings.save(path, Settings(theme="dark"))

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="No space"):
        settings.save(path, Settings(theme="light"))
    monkeypatch.undo()
    assert settings.load(path).theme == "dark"
    assert [file.name for file in tmp_path.iterdir()] == ["settings.json"]


def test_a_policy_switches_the_network_off_and_leaves_the_choice_of_the_user_as_it_is(tmp_path: Path) -> None:
    path, policy = tmp_path / "settings.json", tmp_path / "policy.toml"
    settings.save(path, Settings(theme="dark"))
    policy.write_text('network = "never"\n', "utf-8")
    loaded = settings.load(path)
    assert (loaded.theme, loaded.network_allowed) == ("dark", False)
    settings.save(path, dataclasses.replace(loaded, theme="light"))
    policy.unlink()
    assert settings.load(path) == Settings(theme="light")


@pytest.mark.fault("F9")
def test_what_a_newer_version_has_stored_outlives_an_older_one(tmp_path: Path) -> None:
    """Settings that this version does not know, and choices of its own settings that it does not have."""
    path = tmp_path / "settings.json"
    newer = {"theme": "sepia", "send_key": "ctrl_enter", "voice": {"speed": 1.5}, "text_scale_percent": 130}
    path.write_text(json.dumps(newer), "utf-8")
    settings.save(path, dataclasses.replace(settings.load(path), context_tokens=8192))
    kept = json.loads(path.read_text("utf-8"))
    assert {name: kept[name] for name in newer} == newer
    assert kept["context_tokens"] == 8192
    settings.save(path, dataclasses.replace(settings.load(path), theme="dark"))
    kept = json.loads(path.read_text("utf-8"))
    assert (kept["theme"], kept["voice"]) == ("dark", {"speed": 1.5})


def test_what_must_not_be_kept_is_not_kept_as_something_unknown(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text('{"proxy": "http://user:password@proxy.example:8080", "theme": "dark"}', "utf-8")
    settings.save(path, settings.load(path))
    assert "password" not in path.read_text("utf-8")


@pytest.mark.fault("S15")
def test_half_a_character_in_it_is_no_hindrance_to_saving(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text('{"language": "\\ud800", "voice": "\\udfff", "theme": "dark"}', "utf-8")
    settings.save(path, settings.load(path))
    assert settings.load(path).theme == "dark"


def test_what_can_be_neither_read_nor_moved_gives_the_defaults_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.mkdir()
    (tmp_path / "settings.bad").write_text("a file, which no folder replaces", "utf-8")
    assert settings.load(path) == Settings()
    assert path.is_dir()


@pytest.mark.parametrize(
    ("text", "is_allowed"), [('{"network_allowed": false, "theme', False), ('{"theme": "da', True)]
)
def test_a_damaged_file_that_forbade_the_network_still_does(tmp_path: Path, text: str, is_allowed: bool) -> None:
    path = tmp_path / "settings.json"
    path.write_text(text, "utf-8")
    assert settings.load(path).network_allowed is is_allowed
    assert (tmp_path / "settings.bad").read_text("utf-8") == text
