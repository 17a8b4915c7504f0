"""`kotae serve` as a program of its own, and plain HTTP to it."""

import dataclasses
import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from app.base.confidentiality import Label
from app.documents.library import Library
from app.documents.records import Section
from tests.forked_program import Program
from tests.waiting import LIMIT_S

if TYPE_CHECKING:
    import openai

ROOT = Path(__file__).parents[2]
COVER = "土に接する部材の鉄筋のかぶりは70mm以上とする。"
SECTIONS = [
    Section(("第2章 材料", "2.2 鉄筋のかぶり"), COVER, "標準", 14),
    Section(("第4章 ポンプ", "4.2 点検"), "主ポンプの軸受温度は75℃を超えてはならない。", "", 31),
]


@dataclass
class Served:
    process: "subprocess.Popen[str]"
    told: dict[str, Any]  # its one line
    begun: list[http.client.HTTPConnection] = field(default_factory=list)

    @property
    def port(self) -> int:
        port: int = self.told["port"]
        return port

    @property
    def pid(self) -> int:
        pid: int = self.told["pid"]
        return pid

    @contextmanager
    def client(self, **changes: Any) -> Iterator["openai.OpenAI"]:
        """The official one, as anybody would use it."""
        import openai  # takes 1.5 s, and all processes of a run load this module

        usual = {"base_url": self.told["address"], "api_key": self.told["key"], "max_retries": 0, "timeout": LIMIT_S}
        with openai.OpenAI(**usual | changes) as client:
            yield client

    def headers(self, **changes: str | None) -> dict[str, str]:
        """`changes`: with _ for -; None leaves one out."""
        usual = {"Authorization": f"Bearer {self.told['key']}", "Content-Type": "application/json"}
        wanted = usual | {name.replace("_", "-"): value for name, value in changes.items()}
        return {name: value for name, value in wanted.items() if value is not None}

    def begin(self, data: Mapping[str, Any]) -> http.client.HTTPConnection:
        """A request for an answer that nobody reads yet."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT_S)
        self.begun.append(connection)
        connection.request("POST", "/v1/chat/completions", json.dumps(data), self.headers())
        return connection

    def get(self, path: str, method: str = "GET", body: bytes | None = None, **headers: str | None) -> "Answered":
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT_S)
        try:
            connection.request(method, path, body, self.headers(**headers))
            return Answered.of(connection.getresponse())
        finally:
            connection.close()

    def post(self, data: Mapping[str, Any]) -> "Answered":
        return self.get("/v1/chat/completions", "POST", json.dumps(data).encode("utf-8"))

    def waiting(self) -> int:
        """Requests that are answered or wait."""
        count: int = self.get("/health").data["requests"]
        return count

    def processor_s(self) -> float:
        """Seconds of processor time so far, of which work beside it takes nothing."""
        times = psutil.Process(self.pid).cpu_times()
        return times.user + times.system

    def engine(self) -> psutil.Process:
        children = psutil.Process(self.pid).children()
        return next(child for child in children if "--engine" in child.cmdline())

    def interrupt(self, number: int = signal.SIGINT) -> int:
        os.kill(self.pid, number)
        return self.process.wait(LIMIT_S)


@dataclass
class Answered:
    status: int
    headers: http.client.HTTPMessage
    data: dict[str, Any]

    @classmethod
    def of(cls, response: http.client.HTTPResponse) -> "Answered":
        raw = response.read()
        return cls(response.status, response.headers, json.loads(raw) if raw else {})

    @property
    def error(self) -> dict[str, Any]:
        error: dict[str, Any] = self.data["error"]
        return error


@contextmanager
def serving(
    data: Path, *arguments: str, engine: str | None = "echo", before: Sequence[str] = (), **options: Any
) -> Iterator[Served]:
    """`engine` None: the real one. `before`: what the program is started by."""
    process = begun(data, *arguments, engine=engine, before=before, **options)
    served: Served | None = None
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        served = Served(process, json.loads(line))
        yield served
    finally:
        for connection in served.begun if served else ():
            connection.close()
        process.kill()
        process.communicate()


def begun(
    data: Path, *arguments: str, engine: str | None = "echo", before: Sequence[str] = (), **options: Any
) -> "subprocess.Popen[str]":
    environment = {name: value for name, value in os.environ.items() if name != "KOTAE_ENGINE"}
    return Program(
        [*before, sys.executable, "-m", "app", "serve", "--json", *arguments],
        env={**environment, "KOTAE_DATA_DIR": str(data), **({"KOTAE_ENGINE": engine} if engine else {})},
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=options.pop("stderr", subprocess.PIPE),
        encoding="utf-8",
        **options,
    )


def say(text: str, *, slowly: bool = False) -> list[Any]:
    """Messages that the fake engine answers with `text`."""
    return [{"role": "user", "content": f"{'!slow ' if slowly else ''}!say {text}"}]


def add_collection(data: Path, name: str, label: Label = "internal") -> None:
    library = Library.open(data / "documents.sqlite")
    (document_id,) = library.add_documents(library.add_collection(name, label), [data / f"{name}.pdf"])
    document = library.document(document_id)
    assert document is not None
    library.put(dataclasses.replace(document, state="done"), SECTIONS)
    library.close()
