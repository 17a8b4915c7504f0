"""Odd names, locales, homes, fonts and screens: Kotae works or says in one sentence what is in the way."""

import json
import os
import shutil
import subprocess
import sys
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from app.base import paths
from tests import model_files as models
from tests.faults.window_process import ROOT, WindowProcess, add_tiny_model, environment, kotae, screen, wait_until
from tests.forked_program import Program

LIMIT_S = 60
NAMES = {
    "japanese": "橋梁 点検",
    "ideographic_space": "全角　空白",
    "nothing_but_an_ideographic_space": "　",
    "emoji": "👷🏽‍♀️🌉",
    "quotes": "\"二重\" '一重' `逆`",
    "spaces_at_the_ends": "  端  ",
    "as_long_as_a_name_may_be": "長" * 85,
    "200_letters": "x" * 200,
    "decomposed": unicodedata.normalize("NFD", "ガード"),
    "signs_of_shells_and_addresses": "100%20?#&;$HOME*|<>\\",
    "new_line": "改\n行",
    "like_an_option": "--engine",
    "like_a_strength": "C:0.5",
    "like_a_home": "~誰か",
    "written_backwards": "\u202egnp.橋",
    "very_deep": "/".join(["深い"] * 30),
}
HOMES = ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR", "USER")
QUICK = ("emoji", "as_long_as_a_name_may_be", "new_line")  # the tests of locales have an ideographic space too


def is_one_sentence(done: "subprocess.CompletedProcess[str]", *words: str) -> bool:
    """Status 3, and one line for people: what happened and what to do next."""
    text = done.stderr.strip()
    assert done.returncode == 3, text
    assert "Traceback" not in text
    return len(text.splitlines()) == 1 and text.endswith("。") and all(word in text for word in words)


def window_complaint(data: Path, before: Sequence[str] = ()) -> str:
    """What the window says on standard error before it shows the same in a dialog, which nobody closes here."""
    process = Program(
        [*before, sys.executable, "-m", "app", "--data-dir", str(data)],
        env=environment(),
        cwd=ROOT,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    with process:
        assert process.stderr is not None
        lines = (line for line in process.stderr if not line.startswith("This plugin does not support"))
        line = next(lines)
        process.kill()
    return line.strip()


def unprivileged() -> list[str]:
    """What makes even root respect the permissions of folders."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("root ignores permissions, and setpriv is not installed")
    return ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search"]


# ------------------------------------------------------------------------------------------------------------ names


@pytest.mark.parametrize(
    "name", [pytest.param(name, id=id, marks=() if id in QUICK else pytest.mark.slow) for id, name in NAMES.items()]
)
@pytest.mark.fault("F8")
def test_data_and_model_may_lie_under_any_name(name, tmp_path):
    folder = tmp_path / name
    folder.mkdir(parents=True)
    model = models.tiny_llama(folder / f"{name.replace('/', '')[:60]}.gguf")
    with WindowProcess(folder, env=environment(KOTAE_ENGINE=None)) as window:
        imported = window.wait_for("imported", window.tell("import", str(model)))
        window.tell("answer_by", {"max_tokens": 4})
        assert window.ask("橋脚は？")["status"] == "done"
    assert imported["path"] == str(model)
    done = kotae("ask", "橋脚は？", "--data-dir", str(folder), "--max-tokens", "4", "--json", KOTAE_ENGINE=None)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["model"] == imported["id"]


@pytest.mark.fault("F8")
def test_a_path_longer_than_sqlite_takes_is_told_in_a_sentence(tmp_path):
    done = kotae("models", "list", "--data-dir", str(tmp_path / "/".join(["階層" * 20] * 8)))
    assert done.returncode == 0 or is_one_sentence(done), done.stderr


@pytest.mark.fault("F8")
def test_a_name_longer_than_the_disk_takes_is_told_in_a_sentence(tmp_path):
    assert is_one_sentence(kotae("models", "list", "--data-dir", str(tmp_path / ("長" * 86))), "KOTAE_DATA_DIR")


@pytest.mark.fault("F8")
def test_composed_and_decomposed_names_are_two_files_and_two_models(tmp_path):
    for form in ("NFC", "NFD"):
        models.tiny_llama(tmp_path / unicodedata.normalize(form, "ガード.gguf"))
    data = ("--data-dir", str(tmp_path / "data"), "--json")
    ids = set()
    for form in ("NFC", "NFD"):
        path = str(tmp_path / unicodedata.normalize(form, "ガード.gguf"))
        added: dict[str, Any] = json.loads(kotae("models", "import", path, *data).stdout)
        assert added["path"] == path
        ids.add(added["id"])
    assert len(ids) == 2


EUC_JP = os.fsdecode("橋梁".encode("euc-jp"))  # from an older system: bytes that are no UTF-8


@pytest.mark.fault("F8")
def test_a_data_folder_in_an_older_encoding_gets_a_sentence(tmp_path):
    (tmp_path / EUC_JP).mkdir()
    assert is_one_sentence(kotae("models", "list", "--data-dir", str(tmp_path / EUC_JP)), "KOTAE_DATA_DIR")
    assert "KOTAE_DATA_DIR" in window_complaint(tmp_path / EUC_JP)


@pytest.mark.fault("F8")
def test_a_model_in_an_older_encoding_works_or_gets_a_sentence(tmp_path):
    model = models.tiny_llama(tmp_path / f"{EUC_JP}.gguf")
    data = str(tmp_path / "データ")
    for command in (("models", "import", str(model)), ("ask", "橋脚は？", "--model", str(model), "--max-tokens", "4")):
        done = kotae(*command, "--data-dir", data, KOTAE_ENGINE=None)
        assert done.returncode == 0 or is_one_sentence(done), done.stderr
    with WindowProcess(data) as window:
        window.tell("import", str(model))
        assert wait_until(lambda: bool(window.named("imported") + window.named("import_failed")), LIMIT_S)
    assert kotae("models", "list", "--data-dir", data).returncode == 0


@pytest.mark.fault("F8")
def test_a_home_of_nobody_in_a_model_path_is_told_in_a_sentence(tmp_path):
    done = kotae("models", "import", "~nobody-of-this-name/m.gguf", "--data-dir", str(tmp_path))
    assert is_one_sentence(done, "見つかりません")


# ---------------------------------------------------------------------------------------------------------- locales


@pytest.mark.parametrize(
    "locale",
    [
        pytest.param({"LC_ALL": "C"} | dict.fromkeys(HOMES), id="C_without_a_home"),
        pytest.param({"LC_ALL": "xx_YY.Z"}, id="unknown"),
        pytest.param({"LC_ALL": "POSIX"}, id="POSIX", marks=pytest.mark.slow),  # C by another name
        pytest.param({"LC_ALL": None, "LANG": None, "LC_CTYPE": None}, id="none", marks=pytest.mark.slow),
    ],
)
@pytest.mark.fault("F8")
def test_japanese_goes_in_and_out_under_any_locale_and_without_a_home(locale, tmp_path):
    where = paths.locate(str(tmp_path / "データ　😀"))
    add_tiny_model(where, tmp_path)
    with WindowProcess(where.data, env=environment(**locale)) as window:
        assert window.ask("橋脚の𠮷は？")["text"] == "橋脚の𠮷は？"
    assert window.stderr() == ""
    done = kotae("ask", "橋脚の𠮷は？", "--data-dir", str(where.data), **locale)
    assert done.stdout.strip() == "橋脚の𠮷は？", done.stderr
    assert "モデル" in kotae("ask", "x", "--model", "なし", "--data-dir", str(where.data), **locale).stderr


# ------------------------------------------------------------------------------------------------- homes and folders


@pytest.mark.fault("F8")
def test_a_user_without_a_home_anywhere_gets_a_sentence():
    if os.geteuid() != 0:
        pytest.skip("only root can become a user that does not exist")
    done = kotae(
        "models", "list",
        before=["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups"],
        HOME=None, XDG_DATA_HOME=None, PYTHONDONTWRITEBYTECODE="1",
    )  # fmt: skip
    assert is_one_sentence(done, "KOTAE_DATA_DIR")


@pytest.mark.fault("F8")
def test_a_home_that_cannot_be_written_gets_a_sentence(tmp_path):
    tmp_path.chmod(0o555)
    done = kotae("models", "list", before=unprivileged(), HOME=str(tmp_path), XDG_DATA_HOME=None)
    assert is_one_sentence(done, str(tmp_path), "KOTAE_DATA_DIR")


@pytest.mark.fault("F8")
def test_a_data_folder_that_cannot_be_written_gets_a_sentence(tmp_path):
    where = paths.locate(str(tmp_path / "データ"))
    add_tiny_model(where, tmp_path)
    where.data.chmod(0o555)
    try:
        for command in (("models", "list"), ("ask", "x")):
            done = kotae(*command, "--data-dir", str(where.data), before=unprivileged())
            assert is_one_sentence(done, str(where.data), "KOTAE_DATA_DIR")
        complaint = window_complaint(where.data, unprivileged())
    finally:
        where.data.chmod(0o700)
    assert str(where.data) in complaint
    assert complaint.endswith("指定してください。")


@pytest.mark.fault("F8")
def test_a_file_in_the_place_of_the_data_folder_gets_a_sentence(tmp_path):
    (tmp_path / "データ").write_text("x")
    assert is_one_sentence(kotae("models", "list", "--data-dir", str(tmp_path / "データ")), "データ")
    assert "データ" in window_complaint(tmp_path / "データ")


# ----------------------------------------------------------------------------------------------- desktops and screens


@pytest.mark.parametrize(
    "folder",
    [pytest.param("", id="no_folder"), pytest.param("<dir>{}</dir>", id="an_empty_folder", marks=pytest.mark.slow)],
)
@pytest.mark.fault("F8")
def test_without_any_font_the_shipped_one_writes_japanese_and_a_new_folder_is_for_its_user_alone(folder, tmp_path):
    (tmp_path / "fonts").mkdir()
    config, data = tmp_path / "fonts.conf", tmp_path / "一" / "データ"
    inside = folder.format(tmp_path / "fonts") + f"<cachedir>{tmp_path / 'cache'}</cachedir>"
    config.write_text(f"<?xml version='1.0'?><fontconfig>{inside}</fontconfig>", "utf-8")
    with WindowProcess(data, env=environment(FONTCONFIG_FILE=str(config))) as window:
        text = "橋脚のかぶりはカタカナと漢字"
        fonts = window.wait_for("fonts", window.tell("fonts", text))
    assert "BIZ UDPGothic" in fonts["families"]
    assert set(fonts["used"]) == {"BIZ UDPGothic"}
    assert len(fonts["glyphs"]) == len(text)
    assert 0 not in fonts["glyphs"]  # 0 is the empty box
    assert len(set(fonts["glyphs"])) == len(set(text))
    folders = [data, *(made for made in data.iterdir() if made.is_dir())]
    assert len(folders) == 4
    assert {made.stat().st_mode & 0o777 for made in folders} == {0o700}


@pytest.mark.fault("F8")
def test_the_window_fits_a_screen_of_800_by_600_also_where_no_bus_answers(tmp_path):
    where = paths.locate(str(tmp_path / "データ"))
    add_tiny_model(where, tmp_path)
    with screen("800x600") as display:
        env = environment(
            QT_QPA_PLATFORM="xcb", DISPLAY=display, WAYLAND_DISPLAY=None, XDG_RUNTIME_DIR=None,
            DBUS_SESSION_BUS_ADDRESS="unix:path=/nowhere/bus", DBUS_SYSTEM_BUS_ADDRESS="unix:path=/nowhere/system",
        )  # fmt: skip
        with WindowProcess(where.data, env=env) as window:
            assert window.ask("バスがない")["status"] == "done"
            for page in ("ask", "documents", "models", "settings"):
                window.wait_for("page", window.tell("page", page))
                look = window.wait_for("look", window.tell("look"))
                assert look["screen"] == [0, 0, 800, 600]
                assert look["least"][0] <= 800, page
                assert look["least"][1] <= 600, page
            x, y, width, height = look["window"]
            assert x >= 0
            assert y >= 0
            assert x + width <= 800
            assert y + height <= 600
