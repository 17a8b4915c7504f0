"""Japanese through a real fcitx5 with anthy, in the real window, typed at the keyboard of a screen of its own."""

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from app.base import paths
from app.base.paths import Paths
from app.uikit import input_method
from tests.faults.window_process import WindowProcess, add_tiny_model, environment, screen, wait_until

# ------------------------------------------------------------------------------------------------ the environment

PORTAL = {"IBUS_USE_PORTAL": "1"}


def prepared(tmp_path: Path, before: Mapping[str, str], plugin: str = "libibusplatforminputcontextplugin.so"):
    folder = tmp_path / "platforminputcontexts"
    folder.mkdir()
    (folder / plugin).touch()
    values = dict(before)
    input_method.prepare_fcitx(values, tmp_path)
    return values


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"QT_IM_MODULE": "fcitx"}, {"QT_IM_MODULE": "ibus"}),
        ({"QT_IM_MODULE": "fcitx5"}, {"QT_IM_MODULE": "ibus"}),
        ({"QT_IM_MODULE": "fcitx", "WAYLAND_DISPLAY": "wayland-0"}, {"QT_IM_MODULE": "ibus"}),
        ({"XMODIFIERS": "@im=fcitx"}, {"QT_IM_MODULE": "ibus"}),
        ({"GTK_IM_MODULE": "fcitx"}, {"QT_IM_MODULE": "ibus"}),
        ({"INPUT_METHOD": "fcitx5"}, {"QT_IM_MODULE": "ibus"}),
        (
            {"XMODIFIERS": "@im=fcitx", "XDG_SESSION_TYPE": "wayland", "QT_QPA_PLATFORM": "xcb"},
            {"QT_IM_MODULE": "ibus"},
        ),
        ({"QT_IM_MODULES": "wayland;fcitx;ibus"}, {"QT_IM_MODULES": "wayland;ibus"}),
        ({"QT_IM_MODULES": "fcitx", "QT_IM_MODULE": "xim"}, {"QT_IM_MODULES": "ibus"}),
    ],
)
def test_where_fcitx_is_wanted_qt_is_led_to_its_ibus_side(tmp_path, before, after):
    assert prepared(tmp_path, before) == before | after | PORTAL


@pytest.mark.parametrize(
    "before",
    [
        {},
        {"QT_IM_MODULE": ""},
        {"QT_IM_MODULE": "ibus", "XMODIFIERS": "@im=fcitx"},
        {"QT_IM_MODULE": "compose", "GTK_IM_MODULE": "fcitx"},
        {"QT_IM_MODULES": "wayland;ibus", "QT_IM_MODULE": "fcitx"},
        {"XMODIFIERS": "@im=ibus", "GTK_IM_MODULE": "ibus"},
        {"XMODIFIERS": "@im=fcitx", "XDG_SESSION_TYPE": "wayland"},
        {"XMODIFIERS": "@im=fcitx", "WAYLAND_DISPLAY": "wayland-0", "QT_QPA_PLATFORM": "wayland"},
    ],
)
def test_what_somebody_chose_is_left_alone(tmp_path, before):
    assert prepared(tmp_path, before) == before


def test_a_bundle_with_a_plugin_for_fcitx_needs_no_help(tmp_path):
    before = {"QT_IM_MODULE": "fcitx"}
    assert prepared(tmp_path, before, "libfcitx5platforminputcontextplugin.so") == before


# ----------------------------------------------------------------------------------------------- the real keyboard

PROFILE = """\
[Groups/0]
Name=Default
Default Layout=us
DefaultIM=anthy
[Groups/0/Items/0]
Name=keyboard-us
[Groups/0/Items/1]
Name=anthy
[GroupOrder]
0=Default
"""
# A bus that starts nothing by itself: every process of the test is one that the test has started.
BUS = """\
<busconfig>
  <type>session</type>
  <listen>unix:tmpdir={folder}</listen>
  <policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy>
</busconfig>
"""
NEEDED = ("Xvfb", "openbox", "xdotool", "dbus-run-session", "fcitx5", "fcitx5-remote")
ANTHY = Path("/usr/share/fcitx5/addon/anthy.conf")
LIST, NAME, QUESTION = "会話の一覧", "会話の名前", "質問"


@contextmanager
def running(*command: str, env: Mapping[str, str]) -> "Iterator[subprocess.Popen[bytes]]":
    process = subprocess.Popen(
        command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.kill()  # openbox does not always hear SIGTERM
        process.wait(20)


@contextmanager
def session_bus(folder: Path, env: Mapping[str, str]) -> Iterator[str]:
    """A bus of our own: its address. It ends when its `cat` reads the end of our pipe."""
    config = folder / "bus.conf"
    config.write_text(BUS.format(folder=folder), "utf-8")
    command = ["dbus-run-session", f"--config-file={config}", "--", "sh", "-c", 'echo "$DBUS_SESSION_BUS_ADDRESS"; cat']
    with subprocess.Popen(
        command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as bus:
        assert bus.stdout is not None
        yield bus.stdout.readline().strip()


class Desk:
    """A keyboard and a mouse before the window of Kotae, with fcitx5 switched to Japanese."""

    def __init__(self, window: WindowProcess, where: Paths, env: Mapping[str, str]) -> None:
        self.window = window
        self._where = where
        self._env = env
        assert wait_until(self._has_keyboard), "the window manager does not activate the window"

    def _has_keyboard(self) -> bool:
        search = ["xdotool", "search", "--onlyvisible", "--name", "^Kotae$", "windowactivate"]
        subprocess.run(search, env=self._env, timeout=30, capture_output=True)  # until the window manager is there
        return self.field()["name"] != ""

    def type(self, text: str) -> None:
        self._xdotool("type", "--delay", "90", text)

    def press(self, *keys: str) -> None:
        self._xdotool("key", "--delay", "90", *keys)

    def step_to(self, name: str) -> None:
        """Press F6 until `name` has the focus; each key only after the one before has moved it."""
        for _ in range(6):
            before = self.field()["name"]
            if before == name:
                return
            self.press("F6")
            assert wait_until(lambda before=before: self.field()["name"] != before), f"F6 does not leave {before}"
        raise AssertionError(f"F6 never comes to {name}")

    def click_on(self, kind: str, name: str) -> None:
        place = self.window.wait_for("place", self.window.tell("place", kind, name))
        self._xdotool("mousemove", str(place["x"]), str(place["y"]), "click", "1")

    def switch_on(self) -> None:
        """Into Japanese; fcitx keeps one state for each program."""

        def is_on() -> bool:
            self._remote("-o")
            return self._remote() == "2"

        assert wait_until(is_on), "fcitx5 does not see the window"

    def field(self) -> dict[str, Any]:
        """What has the keyboard: its name, the text in it and the text under conversion."""
        return self.window.wait_for("field", self.window.tell("field"))

    def wait_for(self, name: str, text: str | None, preedit: str = "") -> None:
        wanted = {"name": name, "text": text, "preedit": preedit}
        assert wait_until(lambda: self.field().items() >= wanted.items()), self.field()

    def stored(self, question: str) -> list[str]:
        """What stands in the database, read beside the running program."""
        with closing(sqlite3.connect(f"file:{self._where.database}?mode=ro", uri=True)) as database:
            return [row[0] for row in database.execute(question)]

    def questions(self) -> list[str]:
        return self.stored("SELECT text FROM message WHERE role = 'question'")

    def _xdotool(self, *words: str) -> None:
        subprocess.run(["xdotool", *words], env=self._env, check=True, timeout=30, stdout=subprocess.DEVNULL)

    def _remote(self, *words: str) -> str:
        return remote(self._env, *words)


def remote(env: Mapping[str, str], *words: str) -> str:
    """What fcitx5 answers; "" while it is not there."""
    done = subprocess.run(["fcitx5-remote", *words], env=env, timeout=30, capture_output=True, text=True)
    return done.stdout.strip()


class Machine:
    """Screen, window manager, bus and fcitx5, for this test alone."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._stack = stack
        config = folder / "config" / "fcitx5"
        config.mkdir(parents=True)
        (config / "profile").write_text(PROFILE, "utf-8")
        (folder / "run").mkdir(mode=0o700)
        env = environment(
            DISPLAY=stack.enter_context(screen("1280x900")), QT_QPA_PLATFORM=None, WAYLAND_DISPLAY=None,
            XDG_SESSION_TYPE=None, HOME=str(folder), XDG_CONFIG_HOME=str(folder / "config"),
            XDG_DATA_HOME=None, XDG_CACHE_HOME=None, XDG_RUNTIME_DIR=str(folder / "run"),
            QT_IM_MODULE="fcitx", GTK_IM_MODULE="fcitx", XMODIFIERS="@im=fcitx", QT_IM_MODULES=None,
            IBUS_USE_PORTAL=None,
        )  # fmt: skip
        env["DBUS_SESSION_BUS_ADDRESS"] = stack.enter_context(session_bus(folder, env))
        self.env = env
        stack.enter_context(running("openbox", env=env))
        self.fcitx = self.start_fcitx()
        self.where = paths.locate(str(folder / "データ"))
        add_tiny_model(self.where, folder)

    def start_fcitx(self) -> "subprocess.Popen[bytes]":
        """It hears of a window that gets the keyboard later."""
        process = self._stack.enter_context(running("fcitx5", "--disable=wayland,waylandim", env=self.env))
        assert wait_until(lambda: remote(self.env) != ""), "fcitx5 does not start"
        return process

    def open_window(self) -> Desk:
        window = self._stack.enter_context(WindowProcess(self.where.data, env=self.env))
        return Desk(window, self.where, self.env)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    missing = [command for command in NEEDED if shutil.which(command) is None]
    missing += [] if ANTHY.exists() else ["fcitx5-anthy"]
    if sys.platform != "linux" or missing:
        pytest.skip(f"Linux with these is needed: {', '.join(missing or NEEDED)}")
    with ExitStack() as stack:
        yield Machine(tmp_path, stack)


def test_a_conversion_ends_in_the_editor_and_the_next_return_sends(machine):
    desk = machine.open_window()
    desk.wait_for(QUESTION, "")
    desk.switch_on()
    desk.type("nihon")
    desk.press("space", "Return")
    desk.wait_for(QUESTION, "日本")
    desk.type("hashi")
    desk.wait_for(QUESTION, "日本", "はし")
    desk.press("ctrl+n", "Escape", "Escape")  # the candidates, the kana: both gone, and the text is left
    desk.wait_for(QUESTION, "日本")
    assert desk.questions() == []
    assert desk.window.named("message") == []
    desk.press("Return")
    assert desk.window.wait_for("message", role="question")["text"] == "日本"
    assert desk.questions() == ["日本"]


def test_a_click_takes_what_is_being_converted_as_it_is(machine):
    """Qt's plugin throws it away: half a sentence would be sent."""
    desk = machine.open_window()
    desk.switch_on()
    desk.type("nihon")
    desk.press("space")
    desk.wait_for(QUESTION, "", "日本")
    desk.click_on("text", QUESTION)
    desk.wait_for(QUESTION, "日本")
    desk.type("kana")
    desk.wait_for(QUESTION, "日本", "かな")
    desk.press("F6")  # belongs to the conversion: katakana
    desk.click_on("button", "送信")
    assert desk.window.wait_for("message", role="question")["text"].startswith("日本")
    assert len(desk.questions()[0]) == len("日本かな")


def test_the_fields_and_the_list_of_the_sidebar_understand_japanese(machine):
    desk = machine.open_window()
    desk.window.ask("図面の保管場所")
    desk.switch_on()
    desk.press("ctrl+k")
    assert wait_until(lambda: desk.field()["name"] != QUESTION)
    search = desk.field()["name"]
    desk.type("zumen")
    desk.press("space", "Return")
    desk.wait_for(search, "図面")
    desk.type("hokan")
    desk.wait_for(search, "図面", "ほかn")
    desk.click_on("button", QUESTION)  # the page
    desk.wait_for(QUESTION, "")
    desk.press("ctrl+k")
    desk.wait_for(search, "図面ほかn")

    desk.press("BackSpace")  # Ctrl+K has selected it
    desk.step_to(LIST)
    desk.type("z")  # would begin a conversion that nobody sees, and F2 would belong to it
    desk.press("F2")
    desk.wait_for(NAME, "図面の保管場所")
    desk.switch_on()  # fcitx hears of the new field after the window has shown it
    desk.press("ctrl+a")
    desk.type("nihon")
    desk.press("space", "Return")
    desk.wait_for(NAME, "日本")
    assert desk.stored("SELECT title FROM conversation") == ["図面の保管場所"]
    desk.press("Return")
    assert desk.window.wait_for("listed", title="日本")
    assert desk.stored("SELECT title FROM conversation") == ["日本"]
    assert desk.questions() == ["図面の保管場所"]


def test_a_restart_of_fcitx_in_the_middle_of_a_conversion_costs_no_letter(machine):
    desk = machine.open_window()
    desk.switch_on()
    desk.type("nihon")
    desk.wait_for(QUESTION, "", "にほn")
    machine.fcitx.kill()
    machine.fcitx.wait(20)
    desk.type("abc")
    desk.wait_for(QUESTION, "abc", "にほn")
    desk.press("Return")
    desk.click_on("button", "新しい質問")
    desk.wait_for(QUESTION, "abcにほn")
    assert desk.questions() == []
    machine.start_fcitx()
    desk.press("ctrl+k")  # it hears of the window when the keyboard goes somewhere
    assert wait_until(lambda: desk.field()["name"] != QUESTION)
    desk.press("ctrl+1")
    desk.wait_for(QUESTION, "abcにほn")
    desk.switch_on()
    desk.type("nihon")
    desk.press("space", "Return")
    desk.wait_for(QUESTION, "abcにほn日本")
    assert desk.questions() == []
