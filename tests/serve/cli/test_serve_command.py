"""`kotae serve` where the network is forbidden or its packages are not installed."""

import dataclasses
import sys

import pytest

from app.base import settings
from app.base.settings import Settings


def test_where_the_network_is_switched_off_no_port_is_opened_either(kotae, tmp_path):
    data = tmp_path / "データ"
    data.mkdir()
    settings.save(data / "settings.json", dataclasses.replace(Settings(), network_allowed=False))
    status, told, words = kotae("serve")
    assert (status, told["error"]["code"]) == (3, "serve_network_off")
    assert "管理者" in words


@pytest.mark.parametrize(("command", "package"), [("serve", "uvicorn"), ("mcp", "mcp")])
def test_a_missing_package_is_named(kotae, tmp_path, monkeypatch, command, package):
    (tmp_path / "データ").mkdir()
    for name in [one for one in sys.modules if one.startswith(("app.serve.", f"{package}."))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    status, told, words = kotae(command)
    assert (status, told["error"]["code"]) == (3, "serve_not_installed")
    assert f"（{package}）" in words
