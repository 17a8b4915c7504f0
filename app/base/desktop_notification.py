"""Show desktop notifications over the session's D-Bus (freedesktop.org), a local socket. Linux only.

A call blocks for up to TIMEOUT_S: do not call it in the GUI thread.
"""

import os

from jeepney import DBusAddress, MessageType, new_method_call
from jeepney.io.blocking import open_dbus_connection

from app import DESKTOP_ID

TIMEOUT_S = 2.0
SERVICE = "org.freedesktop.Notifications"
PATH = "/org/freedesktop/Notifications"
BUS_VARIABLE = "DBUS_SESSION_BUS_ADDRESS"


def show_notification(title: str, body: str = "") -> bool:
    """Show a notification. Return whether the desktop accepted it; False without a bus or notification service."""
    if not os.environ.get(BUS_VARIABLE):
        return False
    actions: list[str] = []
    hints = {"desktop-entry": ("s", DESKTOP_ID)}
    # 0: the notification replaces no earlier one; -1: the desktop chooses its duration.
    arguments = ("Kotae", 0, DESKTOP_ID, title, body, actions, hints, -1)
    address = DBusAddress(PATH, bus_name=SERVICE, interface=SERVICE)
    message = new_method_call(address, "Notify", "susssasa{sv}i", arguments)
    try:
        with open_dbus_connection() as bus:
            reply = bus.send_and_get_reply(message, timeout=TIMEOUT_S)
    except (OSError, ValueError, RuntimeError):  # no bus at that address, an unusable one, or a timeout
        return False
    return bool(reply.header.message_type == MessageType.method_return)
