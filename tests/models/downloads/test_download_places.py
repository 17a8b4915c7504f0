"""Where files come from and go to: certificates, redirects, users in addresses, what lies in the target folder."""

import base64
import contextlib
import dataclasses
import http.server
import json
import shutil
import ssl
import subprocess
import threading
from pathlib import Path

import filelock
import pytest
from msgspec import structs

from app.base.errors import AppError
from app.models.downloads.byte_transfer import TransferControl, TransferStopped
from app.models.downloads.download_source import ChangedError
from app.models.downloads.file_download import fetch_file
from app.models.downloads.messages import (
    Failed,
    Fetch,
    FileOrigin,
    ListFiles,
    NetworkAccess,
    NetworkContacted,
    Progress,
    Restarted,
    Verifying,
)
from app.models.downloads.part_file import PartPaths, RunningHash, read_checkpoint
from tests.models.downloads.fetching import DEADLINE_S, QUICK, Child, command, fetched, half_done, refused
from tests.models.downloads.hub import COMMIT, FILE, REPOSITORY, Content, Fault, Hub

CONTENT = Content(3_000_000)


def _moved(wanted: Fetch, place: str) -> Fetch:
    return structs.replace(wanted, origin=dataclasses.replace(wanted.origin, place=place))


# ------------------------------------------------------------------------------------------------ certificates


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("certificate")
    made, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(made)],
        check=True, capture_output=True,
    )  # fmt: skip
    return made, key


def _secured(hub: Hub, certificate: tuple[Path, Path]) -> str:
    """The hub's address once it speaks TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return hub.secure(context)


@pytest.mark.fault("F1")
def test_a_certificate_that_nobody_vouches_for_is_refused(certificate, tmp_path):
    with Hub(CONTENT) as hub, Child(tmp_path / "log") as child:
        assert child.refused(_moved(command(hub, tmp_path), _secured(hub, certificate))) == "download_certificate"
        assert hub.requests == []


@pytest.mark.fault("S13")
def test_a_company_s_own_authority_counts_and_no_redirect_leads_out_of_tls(certificate, tmp_path):
    """On Linux the system's store is OpenSSL's, which SSL_CERT_FILE replaces."""
    with Hub(CONTENT) as hub, Child(tmp_path / "log", SSL_CERT_FILE=str(certificate[0])) as child:
        place = _secured(hub, certificate)
        child.done(_moved(command(hub, tmp_path), place))
        child.listed(ListFiles("2", place, REPOSITORY))
        (tmp_path / FILE).unlink()
        hub.change(kind="redirect")
        assert child.refused(_moved(command(hub, tmp_path), place)) == "download_redirects"
        assert {request.host for request in hub.requests} == {"127.0.0.1"}


# ------------------------------------------------------------------------------------------------ who is spoken to


def test_each_host_is_told_once_before_it_is_spoken_to(tmp_path):
    with Hub(CONTENT, Fault("redirect")) as hub:
        _, events = fetched(command(hub, tmp_path))
    assert [event.host for event in events if isinstance(event, NetworkContacted)] == ["127.0.0.1", "127.0.0.2"]
    assert isinstance(events[0], NetworkContacted)


@pytest.mark.fault("S13")
def test_a_user_in_the_address_signs_in_where_there_is_no_token(tmp_path):
    with Hub(CONTENT, Fault("redirect")) as hub, Child(tmp_path / "log") as child:
        place = hub.place.replace("//", "//me:geheim@")
        child.done(_moved(command(hub, tmp_path), place))
        child.listed(ListFiles("2", place, REPOSITORY))
        basic = f"Basic {base64.b64encode(b'me:geheim').decode()}"
        got = {(request.host, request.headers.get("Authorization")) for request in hub.requests}
        assert got == {("127.0.0.1", basic), ("127.0.0.2", None)}
        hub.change(kind="ok", token="hf_token")  # which counts more
        access = NetworkAccess("hf_token")
        child.listed(ListFiles("3", place, REPOSITORY, COMMIT, access))
        (tmp_path / FILE).unlink()
        child.done(_moved(command(hub, tmp_path, id="4", access=access), place))


@pytest.mark.fault("F1")
def test_an_address_that_is_none_is_said(tmp_path):
    with Hub(CONTENT) as hub, Child(tmp_path / "log") as child:
        for place in ("http://[", "http://host:99999", "http://", "http://a b/"):
            for wanted in (_moved(command(hub, tmp_path), place), ListFiles("1", place, REPOSITORY)):
                child.send(wanted)
                failed = child.read()
                assert isinstance(failed, Failed), "nobody is asked, and nothing waited for"
                assert failed.code == "download_bad_address"


@pytest.mark.fault("F1")
def test_a_page_instead_of_a_listing_is_said(tmp_path):
    """A guest network's sign-in page."""
    with Hub(CONTENT, Fault("page")) as hub, Child(tmp_path / "log") as child:
        assert child.refused(ListFiles("1", hub.place, REPOSITORY)) == "download_no_hub"


def test_a_listing_goes_through_the_proxy(tmp_path):
    with Hub(CONTENT, Fault(proxy_authorization="Basic dXNlcjpwYXNz")) as hub, Child(tmp_path / "log") as child:
        wanted = ListFiles("1", "http://hub.invalid", REPOSITORY, access=NetworkAccess(proxy=hub.place))
        assert child.refused(wanted) == "download_proxy"
        access = NetworkAccess(proxy=hub.place.replace("//", "//user:pass@"))
        child.listed(structs.replace(wanted, access=access))


# ------------------------------------------------------------------------------------------------ the target folder


def test_a_file_that_is_here_whole_is_only_verified(tmp_path):
    (tmp_path / FILE).write_bytes(CONTENT.read(0, CONTENT.size))
    with Hub(CONTENT) as hub:
        done, events = fetched(command(hub, tmp_path))
        assert done.is_verified
        assert hub.sent_bytes <= 1
        assert any(isinstance(event, Verifying) for event in events)


# ------------------------------------------------------------------------------------------------ who has the lock


@pytest.mark.fault("F1")
def test_who_comes_second_deletes_nothing_of_the_first(tmp_path):
    places, control = PartPaths(tmp_path / FILE), TransferControl()
    with Hub(CONTENT) as hub, filelock.FileLock(places.lock, timeout=0):
        places.part_path.write_bytes(b"of the first")
        for _ in range(2):
            assert refused(command(hub, tmp_path), control).code == "download_running"
        assert places.lock.exists()
        assert places.part_path.read_bytes() == b"of the first"


# ------------------------------------------------------------------------------------------------ who owns the target


@pytest.mark.parametrize("received", [0, 1_000_000])
@pytest.mark.fault("F1")
def test_another_file_of_that_name_stays_also_one_that_was_put_there_during_a_pause(tmp_path, received):
    with Hub(CONTENT) as hub:
        wanted = command(hub, tmp_path)
        if received:
            half_done(wanted, CONTENT, hub, (0, received))
        (tmp_path / FILE).write_bytes(b"mine")
        assert refused(wanted).code == "download_name_taken"
        assert (tmp_path / FILE).read_bytes() == b"mine"
        (tmp_path / FILE).unlink()
        fetched(wanted)
        assert hub.sent_bytes < CONTENT.size - received + 100  # what was here was not sent again


@pytest.mark.fault("F1")
def test_a_file_put_there_while_it_runs_is_not_replaced(tmp_path):
    def put(event: object) -> None:
        if isinstance(event, Verifying):
            (tmp_path / FILE).write_bytes(b"mine")

    with Hub(CONTENT) as hub, pytest.raises(AppError, match="download_name_taken"):
        fetch_file(command(hub, tmp_path), TransferControl(), put)
    assert (tmp_path / FILE).read_bytes() == b"mine"


@pytest.mark.fault("F1")
def test_a_file_of_the_same_size_is_set_aside(tmp_path):
    mine = bytes(CONTENT.size)
    (tmp_path / FILE).write_bytes(mine)
    (tmp_path / f"{FILE}.old").write_bytes(b"older")
    with Hub(CONTENT) as hub:
        done, _ = fetched(command(hub, tmp_path))
        assert (done.is_verified, done.was_here) == (True, False)
    assert (tmp_path / f"{FILE}.old").read_bytes() == b"older"
    assert (tmp_path / f"{FILE}.old2").read_bytes() == mine


@pytest.mark.fault("F1")
def test_a_whole_file_that_a_killed_program_left_is_taken_and_its_mark_goes(tmp_path):
    with Hub(CONTENT) as hub:
        wanted = command(hub, tmp_path)
        half_done(wanted, CONTENT, hub, (0, CONTENT.size))
        (tmp_path / f"{FILE}.part").rename(tmp_path / FILE)
        assert fetched(wanted)[0].was_here
        assert hub.sent_bytes <= 100
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


@pytest.mark.fault("F1")
def test_a_damaged_file_of_an_earlier_try_goes_when_another_succeeds(tmp_path):
    with Hub(CONTENT, Fault("corrupt", at=2_000_000)) as hub:
        assert refused(command(hub, tmp_path)).code == "download_damaged"
        hub.change(kind="ok")
        fetched(command(hub, tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


# ------------------------------------------------------------------------------------------------ damaged small files


@pytest.mark.fault("F1")
def test_a_mark_with_a_wrong_type_or_nested_too_deeply_counts_as_none(tmp_path):
    mark = {"version": 1, "origin": {"place": "x"}, "card_id": "c", "size_bytes": 10, "etag": "", "sha256": ""}
    path = tmp_path / "x.part.json"
    path.write_text(json.dumps(mark))
    assert read_checkpoint(path) is not None
    wrong = ({"origin": {"place": 5}}, {"origin": {"place": ["x"]}}, {"card_id": None}, {"sha256": 1}, {"etag": []})
    for text in ("[" * 200_000, *(json.dumps(mark | changes) for changes in wrong)):
        path.write_text(text)
        assert read_checkpoint(path) is None, text[:99]


@pytest.mark.fault("F1")
def test_a_file_that_gets_shorter_while_it_is_hashed_is_another_one(tmp_path):
    (tmp_path / "x").write_bytes(b"12345")
    digest = RunningHash(tmp_path / "x")
    with contextlib.closing(digest), pytest.raises(ChangedError):
        digest.follow(6, 100)


@pytest.mark.parametrize("how", ["set free", "stopped"])
def test_who_waits_for_the_limit_hears_that_it_has_changed(how):
    control = TransferControl(1)
    waiting = threading.Thread(target=control.wait_for_allowance, args=(1_000_000,), daemon=True)  # for 11 days
    waiting.start()
    if how == "stopped":
        control.stop()
    while waiting.is_alive() and how == "set free":  # it may not have begun to wait at the first try
        control.limit(0)
        waiting.join(0.01)
    waiting.join(DEADLINE_S)
    assert not waiting.is_alive()


# ------------------------------------------------------------------------------------------------ one version only


class _Dated(http.server.BaseHTTPRequestHandler):
    """A server that gives no ETag. `content` and `date` are set by the test."""

    content, date = b"", ""

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        is_valid = self.headers.get("If-Range", self.date) == self.date
        asked = self.headers.get("Range", "") if is_valid else ""
        start, end = 0, len(self.content)
        if asked:
            first, last = asked.removeprefix("bytes=").split("-")
            start, end = int(first), int(last) + 1
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(self.content)}")
        if self.date:
            self.send_header("Last-Modified", self.date)
        self.send_header("Content-Length", str(end - start))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(self.content[start:end])


@pytest.mark.parametrize("dates", [("Mon, 01 Jan 2024 00:00:00 GMT", "Tue, 02 Jan 2024 00:00:00 GMT"), ("", "")])
@pytest.mark.fault("F1")
def test_two_versions_without_an_etag_are_never_mixed(dates, tmp_path):
    handler = type("Handler", (_Dated,), {"content": b"A" * 4_000_000, "date": dates[0]})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        place = f"http://127.0.0.1:{server.server_port}/{FILE}"
        wanted = Fetch("1", FileOrigin(place), str(tmp_path), FILE, pace=QUICK)
        control = TransferControl(10_000_000)

        def stop_soon(event: object) -> None:
            if isinstance(event, Progress) and event.done_bytes > 500_000:
                control.stop()

        with pytest.raises(TransferStopped):
            fetch_file(wanted, control, stop_soon)
        handler.content, handler.date = b"B" * 4_000_000, dates[1]
        _, events = fetched(wanted)
        server.shutdown()
    assert any(isinstance(event, Restarted) for event in events)
    assert (tmp_path / FILE).read_bytes() == b"B" * 4_000_000
