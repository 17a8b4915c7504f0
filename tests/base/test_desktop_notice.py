"""A notification reaches a desktop over a real bus and past the guard of the network; without one nothing happens."""

import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

if sys.platform != "linux" or shutil.which("dbus-daemon") is None:
    pytest.skip("there is no dbus-daemon", allow_module_level=True)

from jeepney import DBusAddress, MessageType, new_method_call, new_method_return
from jeepney.io.blocking import open_dbus_connection

from app.base import desktop_notification

NOTIFY_GUARDED = """
from app.base.isolation import network_guard as offline
offline.enforce_offline()
from app.base import desktop_notification as desktop_notice
print(desktop_notice.show_notification("回答が終わりました", "本文"), len(offline.refused_attempts()))
"""


@pytest.fixture
def bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A message bus of our own, on which nobody shows notifications yet."""
    command = ["dbus-daemon", "--session", "--nofork", "--print-address", f"--address=unix:dir={tmp_path}"]
    daemon = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert daemon.stdout is not None
    address = daemon.stdout.readline().strip()
    monkeypatch.setenv(desktop_notification.BUS_VARIABLE, address)
    yield address
    daemon.terminate()
    daemon.wait(60)
    daemon.stdout.close()


class Desktop(threading.Thread):
    """Shows notifications: owns the name on the bus, and keeps what the first call says."""

    def __init__(self, bus: str) -> None:
        super().__init__()
        self._connection = open_dbus_connection(bus)
        self._own_the_name()
        self.signature = ""
        self.shown: tuple[object, ...] = ()
        self.start()

    def run(self) -> None:
        message = self._connection.receive(timeout=60)
        while message.header.message_type != MessageType.method_call:
            message = self._connection.receive(timeout=60)
        self.signature = message.header.fields[8]
        self.shown = message.body
        self._connection.send(new_method_return(message, "u", (1,)))
        self._connection.close()

    def _own_the_name(self) -> None:
        daemon = DBusAddress("/org/freedesktop/DBus", "org.freedesktop.DBus", "org.freedesktop.DBus")
        request = new_method_call(daemon, "RequestName", "su", (desktop_notification.SERVICE, 0))
        assert self._connection.send_and_get_reply(request).body == (1,)


def test_the_desktop_is_told_as_its_specification_wants_it(bus: str) -> None:
    desktop = Desktop(bus)
    assert desktop_notification.show_notification("回答が終わりました", "本文")
    desktop.join(60)
    assert desktop.signature == "susssasa{sv}i"
    assert desktop.shown[0] == "Kotae"
    assert desktop.shown[3:5] == ("回答が終わりました", "本文")


def test_the_guard_of_the_network_lets_it_pass(bus: str) -> None:
    desktop = Desktop(bus)
    run = subprocess.run([sys.executable, "-c", NOTIFY_GUARDED], capture_output=True, text=True, timeout=60, check=True)
    desktop.join(60)
    assert run.stdout.split() == ["True", "0"]
    assert desktop.shown[3] == "回答が終わりました"


def test_a_bus_on_which_nobody_shows_notifications_is_no_error(bus: str) -> None:
    assert not desktop_notification.show_notification("回答が終わりました")


@pytest.mark.parametrize("address", ["", "unix:path=/nowhere/bus", "tcp:host=localhost,port=9", "no address"])
def test_without_a_bus_that_can_be_spoken_to_nothing_is_shown(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(desktop_notification.BUS_VARIABLE, address)
    assert not desktop_notification.show_notification("回答が終わりました")


def test_a_bus_that_hangs_is_given_up(bus: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desktop_notification, "TIMEOUT_S", 0.1)
    monkeypatch.setattr(Desktop, "run", lambda _self: None)
    desktop = Desktop(bus)  # owns the name and never answers
    assert not desktop_notification.show_notification("回答が終わりました")
    desktop._connection.close()
