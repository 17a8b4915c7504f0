"""`kotae serve` where the network is forbidden."""

import dataclasses
from pathlib import Path

from app.base import settings
from app.base.settings import Settings


def test_where_the_network_is_switched_off_no_port_is_opened_either(kotae, tmp_path: Path) -> None:
    data = tmp_path / "データ"
    data.mkdir()
    settings.save(data / "settings.json", dataclasses.replace(Settings(), network_allowed=False))
    status, told, words = kotae("serve")
    assert (status, told["error"]["code"]) == (3, "serve_network_off")
    assert "管理者" in words
