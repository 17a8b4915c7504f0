"""Locked packages out of indexes as there are: pages of HTML and of JSON, pages with links, folders, users, retries."""

import functools
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from app.base.errors import AppError
from app.models.downloads import package_download
from app.models.downloads.messages import TransferPolicy
from app.models.downloads.package_download import PackageIndexes, fetch_packages
from app.models.package_locks import LockedFile

CONTENT = b"a wheel" * 5000
NAME = "torch-2.0+cpu-py3-none-any.whl"
FILE = LockedFile("torch", "2.0+cpu", NAME, len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
QUOTED = NAME.replace("+", "%2B")


class Heard:
    def __init__(self) -> None:
        self.hosts: list[str] = []
        self.done: list[int] = []

    def contacted(self, host: str) -> None:
        self.hosts.append(host)

    def progressed(self, _package: str, done_bytes: int) -> None:
        self.done.append(done_bytes)


@contextmanager
def server(pages: dict[str, tuple[int, str, bytes]]) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """`pages`: path -> status, kind, content. Gives the address, and (path, who asks) of each request."""
    asked: list[tuple[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers.get("Authorization", "")))
            status, kind, content = pages.get(self.path, (404, "text/plain", b""))
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listening.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.server_address[1]}", asked
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def page(*links: str) -> tuple[int, str, bytes]:
    return 200, "text/html; charset=utf-8", "".join(f"<a href='{link}'>x</a>" for link in links).encode()


WHEEL = (200, "application/octet-stream", CONTENT)


def fetched(folder: Path, indexes: PackageIndexes) -> Heard:
    heard = Heard()
    fetch_packages([FILE], folder, indexes, "", heard)
    assert (folder / NAME).read_bytes() == CONTENT
    assert {path.name for path in folder.iterdir()} == {NAME}
    assert heard.done[-1] == len(CONTENT)
    return heard


def test_a_page_of_html_with_links_from_its_own_place(tmp_path):
    pages = {
        "/simple/torch/": page("../../files/other.whl", f"../../files/{QUOTED}#sha256=0"),
        f"/files/{QUOTED}": WHEEL,
    }
    with server(pages) as (address, asked):
        heard = fetched(tmp_path, PackageIndexes((f"{address}/simple",)))
        assert heard.hosts == ["127.0.0.1"]
        count = len(asked)
        fetched(tmp_path, PackageIndexes((f"{address}/simple",)))
        assert len(asked) == count  # it is there and right


def test_links_that_lead_nowhere_and_into_this_machine_are_passed_over(tmp_path):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / NAME).write_bytes(CONTENT)
    (tmp_path / "new").mkdir()
    links = [f"http://[x/{QUOTED}", f"http://a:b/{QUOTED}", (tmp_path / "own").as_uri() + f"/{QUOTED}", f"//[/{QUOTED}"]
    with server({"/simple/torch/": page(*links, f"/{QUOTED}"), f"/{QUOTED}": WHEEL}) as (address, asked):
        fetched(tmp_path / "new", PackageIndexes((f"{address}/simple",)))
        assert {path for path, _ in asked} == {"/simple/torch/", f"/{QUOTED}"}


def test_a_page_of_json_and_a_user_in_the_address(tmp_path):
    listed = json.dumps({"files": [{"filename": NAME, "url": f"/files/{QUOTED}"}]}).encode()
    pages = {"/simple/torch/": (200, "application/vnd.pypi.simple.v1+json", listed), f"/files/{QUOTED}": WHEEL}
    with server(pages) as (address, asked):
        fetched(tmp_path, PackageIndexes((f"{address.replace('://', '://me:secret@')}/simple",)))
        assert {who for _, who in asked} == {"Basic bWU6c2VjcmV0"}


def test_a_folder_and_a_page_with_links_go_before_the_indexes(tmp_path):
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / NAME).write_bytes(CONTENT)
    (tmp_path / "one").mkdir()
    heard = fetched(tmp_path / "one", PackageIndexes(("http://127.0.0.1:1/simple",), (str(tmp_path / "links"),)))
    assert heard.hosts == []
    (tmp_path / "two").mkdir()
    with server({"/links.html": page(f"/{QUOTED}"), f"/{QUOTED}": WHEEL}) as (address, _):
        fetched(tmp_path / "two", PackageIndexes((), (f"{address}/links.html",)))


def test_torch_for_processors_is_looked_for_at_its_makers_when_pypi_is_the_index(tmp_path):
    with server({"/whl/cpu/torch/": page(f"/{QUOTED}"), f"/{QUOTED}": WHEEL}) as (address, _):
        fetched(tmp_path, PackageIndexes((f"{address}/simple",), torch=f"{address}/whl"))
        (tmp_path / NAME).unlink()
        with pytest.raises(AppError, match="training_package_missing") as caught:
            fetched(tmp_path, PackageIndexes((f"{address}/simple",), torch=""))
        assert caught.value.facts == {"package": "torch==2.0+cpu", "host": "127.0.0.1"}


def test_of_two_indexes_the_one_with_the_right_file_is_taken(tmp_path):
    wrong = (200, "application/octet-stream", b"b" + CONTENT[1:])
    pages = {"/a/torch/": page(f"/a/{QUOTED}"), "/b/torch/": page(f"/b/{QUOTED}"), f"/a/{QUOTED}": wrong}
    with server(pages) as (address, _):
        with pytest.raises(AppError, match="download_not_found"):
            fetched(tmp_path, PackageIndexes((f"{address}/a", f"{address}/b")))
        pages[f"/b/{QUOTED}"] = WHEEL
        fetched(tmp_path, PackageIndexes((f"{address}/a", f"{address}/b")))


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_server_that_is_busy_is_asked_again_and_then_named(tmp_path, monkeypatch, status):
    monkeypatch.setattr(package_download, "TransferPolicy", functools.partial(TransferPolicy, backoff_s=0.01))
    with server({"/simple/torch/": (status, "text/plain", b"")}) as (address, asked):
        with pytest.raises(AppError, match="training_index_unreachable") as caught:
            fetched(tmp_path, PackageIndexes((f"{address}/simple",), retries=1))
        assert caught.value.facts["host"] == "127.0.0.1"
        assert len(asked) == 2


@pytest.mark.parametrize("text", ["{", "[]", '{"files": 7}', '{"files": [{"name": 1}]}', "<a", "\x00"])
def test_a_page_that_is_none_has_nothing(tmp_path, text):
    for kind in ("application/json", "text/html"):
        with (
            server({"/simple/torch/": (200, kind, text.encode())}) as (address, _),
            pytest.raises(AppError, match="training_package_missing"),
        ):
            fetched(tmp_path, PackageIndexes((f"{address}/simple",), torch=""))
