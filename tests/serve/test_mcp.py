"""`kotae mcp` as a program of its own, asked by the protocol's own client over standard input and output."""

import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import psutil
import pytest

from app.base import settings
from app.base.settings import Settings
from app.documents.library import Library
from tests.command_fixtures import Kotae
from tests.faults.ledger import Tally
from tests.serve.served import COVER, ROOT, add_collection
from tests.waiting import LIMIT_S, wait_until

ASKED = "土に接する部材の鉄筋のかぶりは何mmですか"
# The model of these tests is so small that documents are quoted; here it is asked.
WRITES = "from app.documents.retrieval import excerpts; excerpts.PARAMETERS_MIN = 0\n"
# Says on standard error what becomes of a socket.
TRIES_NETWORK = """import socket, sys
from app.serve import mcp_server
real = mcp_server.McpServer.start
def start(self):
    try:
        socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    except OSError as error:
        print("NO SOCKET", error.errno, file=sys.stderr)
    real(self)
mcp_server.McpServer.start = start
"""
NO_SOCKET = "NO SOCKET 13\n" if sys.platform == "linux" else ""
PROGRAM = "import sys; sys.argv[0] = 'kotae'; from app.__main__ import main; sys.exit(main())"


@pytest.fixture
def documents(data: Path) -> Path:
    add_collection(data, "基準")
    add_collection(data, "入札", "secret")
    return data


def command(base: Path | None, *arguments: str, before: str = "") -> list[str]:
    model = ["--model", str(base)] if base else []
    return [sys.executable, "-c", before + PROGRAM, "mcp", *model, *arguments]


def environment(data: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "KOTAE_DATA_DIR": str(data), "KOTAE_ENGINE": "echo"}


def with_client(data: Path, argv: list[str], act: Callable[[Any], Awaitable[None]]) -> None:
    """Let `act` talk to a server of its own by the official client."""
    from mcp import Client, StdioServerParameters
    from mcp.client.stdio import stdio_client

    async def talk() -> None:
        started = StdioServerParameters(command=argv[0], args=argv[1:], env=environment(data), cwd=ROOT)
        with anyio.fail_after(LIMIT_S):
            # Its own default is what stands for standard error while the first test runs.
            async with Client(stdio_client(started, errlog=sys.__stderr__)) as client:
                try:
                    await act(client)
                except AssertionError as error:  # which would be told in groups of groups
                    failed.append(error)

    failed: list[AssertionError] = []
    anyio.run(talk)
    if failed:
        raise failed[0]


async def call(client: Any, tool: str, **arguments: Any) -> dict[str, Any]:
    done = await client.call_tool(tool, arguments)
    assert not done.is_error, done.content
    assert json.loads(done.content[0].text) == done.structured_content
    found: dict[str, Any] = done.structured_content
    return found


async def refusal(client: Any, tool: str, **arguments: Any) -> str:
    done = await client.call_tool(tool, arguments)
    assert done.is_error
    assert done.structured_content is None
    sentence: str = done.content[0].text
    return sentence


def test_clauses_quotations_and_the_check_are_structured_and_no_answer_is_a_sentence(
    documents: Path, base: Path
) -> None:
    async def act(client: Any) -> None:
        tools = (await client.list_tools()).tools
        assert [tool.name for tool in tools] == ["list_collections", "search_documents", "read_clause", "ask"]
        assert all(tool.annotations.read_only_hint and tool.description for tool in tools)
        listed = await call(client, "list_collections")
        assert [(one["collection"], one["documents"]) for one in listed["collections"]] == [("基準", ["基準.pdf"])]
        found = await call(client, "search_documents", query=ASKED, limit=1)
        (passage,) = found["passages"]
        assert found["verdict"] == "answered"
        assert (passage["document"], passage["heading"][-1], passage["page"]) == ("基準.pdf", "2.2 鉄筋のかぶり", 14)
        assert passage["quote"] == COVER
        answer = await call(client, "ask", question=ASKED, collection="基準")
        assert (answer["verdict"], answer["sources"][0]["page"], answer["sources"][0]["quote"]) == (
            "answered",
            14,
            COVER,
        )
        assert answer["claims"][0]["supported"] is True
        read = await call(client, "read_clause", clause="4.2")
        (clause,) = read["clauses"]
        assert (clause["heading"], clause["page"]) == (["第4章 ポンプ", "4.2 点検"], 31)
        assert clause["quote"] == "主ポンプの軸受温度は75℃を超えてはならない。"
        by_heading = await call(client, "read_clause", clause="第2章 材料", document="基準.pdf")
        assert COVER in by_heading["clauses"][0]["quote"]
        missing = await call(client, "read_clause", clause="第9条", document="基準.pdf")
        assert missing["clauses"] == []
        assert "第9条" in missing["missing"][0]
        elsewhere = await call(client, "read_clause", clause="河川法第26条")
        assert (elsewhere["clauses"], "河川法第26条" in elsewhere["missing"][0]) == ([], True)
        assert "`query`" in await refusal(client, "search_documents")
        assert "$.limit" in await refusal(client, "search_documents", query="x", limit=1000)
        assert "「ない」" in await refusal(client, "ask", question="x", collection="ない")
        assert "ない.pdf" in await refusal(client, "read_clause", clause="4.2", document="ない.pdf")
        assert "nothing" in await refusal(client, "nothing")
        not_there = await call(client, "ask", question="航空法で定めるポンプの飛行高度の上限は？")
        assert not_there["verdict"] == "not_in_documents"

    with_client(documents, command(base), act)


@pytest.mark.fault("S16")
def test_a_confidential_collection_is_neither_listed_nor_read_without_a_yes(
    documents: Path, base: Path, kotae: Kotae, tally: Tally
) -> None:
    async def without(client: Any) -> None:
        for tool, words in (("ask", "question"), ("search_documents", "query"), ("read_clause", "clause")):
            assert "「入札」" in await refusal(client, tool, **{words: "4.2"}, collection="入札")
            everything = await call(client, tool, **{words: ASKED})
            assert "入札" not in json.dumps(everything, ensure_ascii=False)
        library = Library.open_second(documents / "documents.sqlite")
        library.set_label(library.collection("基準").id, "secret")
        library.close()
        assert (await call(client, "list_collections"))["collections"] == []
        assert await refusal(client, "search_documents", query=ASKED)

    with_client(documents, command(base), without)
    assert not (documents / "exports.log").exists()

    async def agreed(client: Any) -> None:
        """Without a model, so that documents are quoted."""
        answer = await call(client, "ask", question=ASKED)
        assert (answer["is_excerpt"], answer["sources"][0]["quote"]) == (True, COVER)
        assert (await call(client, "search_documents", query=ASKED))["passages"][0]["collection"] == "入札"
        assert (await call(client, "read_clause", clause="4.2"))["clauses"][0]["collection"] == "入札"

    with_client(documents, command(None, "--collection", "入札", "--allow-secret"), agreed)
    lines = [json.loads(line) for line in (documents / "exports.log").read_text("utf-8").splitlines()]
    assert [(line["what"], line["label"], line["target"]) for line in lines] == [("served", "secret", "mcp")] * 3
    status, told, _ = kotae("mcp", "--model", str(base), "--collection", "入札", "--data-dir", str(documents))
    assert (status, told["error"]["code"]) == (3, "secret_export")
    tally.tried(9)


def test_a_cancelled_question_makes_room_for_the_next(documents: Path, base: Path) -> None:
    async def act(client: Any) -> None:
        for _ in range(2):  # together they would take longer than a test may
            with anyio.move_on_after(2) as waiting:
                await call(client, "ask", question=f"{ASKED} !slow !say {'70mm以上。' * 300}")
            assert waiting.cancelled_caught
        heard: list[float] = []

        async def on_progress(done: float, _total: float | None, _message: str | None) -> None:
            heard.append(done)

        asked = {"question": f"{ASKED} !say かぶりは70mm以上とする[1]。"}
        done = await client.call_tool("ask", asked, progress_callback=on_progress)
        assert done.structured_content["answer"] == "かぶりは70mm以上とする[1]。"
        assert done.structured_content["claims"][0]["supported"] is True
        assert heard[-1] == len(done.structured_content["answer"])

    with_client(documents, command(base, before=WRITES), act)


def begun(argv: list[str], data: Path, *questions: str) -> subprocess.Popen[str]:
    """A server that has been greeted as request 1, and asked these questions."""
    process = subprocess.Popen(
        argv, env=environment(data), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        encoding="utf-8",
    )  # fmt: skip
    assert process.stdin is not None
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}
    messages: list[dict[str, Any]] = [
        {"id": 1, "method": "initialize", "params": hello},
        {"method": "notifications/initialized"},
    ]
    for number, question in enumerate(questions, 2):
        called = {"name": "ask", "arguments": {"question": question}, "_meta": {"progressToken": number}}
        messages.append({"id": number, "method": "tools/call", "params": called})
    for message in messages:
        process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    process.stdin.flush()
    return process


def test_the_end_of_standard_input_ends_an_answer_that_is_being_written(documents: Path, base: Path) -> None:
    """Where the network is not allowed, which it has not in either case."""
    settings.save(documents / "settings.json", Settings(network_allowed=False))
    slow = f"{ASKED} !slow !say {'70mm以上。' * 300}"
    process = begun(command(base, before=WRITES + TRIES_NETWORK), documents, slow)
    assert process.stdout is not None
    while "progress" not in process.stdout.readline():
        pass
    children = psutil.Process(process.pid).children(recursive=True)
    _, log = process.communicate(timeout=LIMIT_S)
    assert (process.returncode, log) == (0, NO_SOCKET)
    wait_until(lambda: not any(child.is_running() for child in children))


def test_standard_output_holds_the_protocol_alone_and_its_end_ends_all(documents: Path, base: Path) -> None:
    settings.save(documents / "settings.json", Settings(network_allowed=True))
    process = begun(command(base, before=TRIES_NETWORK), documents, ASKED, "himitsu")
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("not json\n")
    process.stdin.flush()
    awaited = {1, 2, 3}
    while awaited:
        awaited.discard(json.loads(process.stdout.readline()).get("id"))
    children = psutil.Process(process.pid).children(recursive=True)
    own = psutil.Process(process.pid)
    assert [one for one in own.net_connections("all") if one.status == psutil.CONN_LISTEN] == []
    out, log = process.communicate(timeout=LIMIT_S)
    assert (process.returncode, NO_SOCKET in log) == (0, True)
    assert all(json.loads(line)["jsonrpc"] == "2.0" for line in out.splitlines())
    assert "himitsu" not in log + "".join(path.read_text("utf-8") for path in (documents / "logs").rglob("*.log"))
    wait_until(lambda: not any(child.is_running() for child in children))
