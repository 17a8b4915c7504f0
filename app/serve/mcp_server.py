"""Answer the tools of the Model Context Protocol over standard input and output.

No port is opened. A collection is offered under the same rules as by `kotae serve`.
"""

import asyncio
import dataclasses
import json
import logging
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing, suppress
from typing import Annotated, Any

import mcp_types as types
import msgspec
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from msgspec import Meta

from app import __version__
from app.base.confidentiality import Permit
from app.base.errors import AppError
from app.base.wording import describe_error, phrase
from app.chat.presets import Choices
from app.chat.services import retrieval_augmentation
from app.chat.services.answer_run import AnswerOutcome
from app.chat.services.retrieval_augmentation import RetrievalRequest
from app.documents import collection_lookup
from app.documents.grounding import grounding_record, source_citations
from app.documents.grounding.grounding_record import CollectionRef
from app.documents.library import Library
from app.documents.records import Document
from app.documents.retrieval import named_clauses
from app.inference.prompts import Turn
from app.serve.answer_forms import Json, grounding_fields
from app.serve.completion_request import CompletionRequest, HttpError
from app.serve.endpoint import QUESTION_CHARACTERS
from app.serve.request_queue import RequestQueue
from app.serve.served_models import ServedModel, ServedModels
from app.serve.server import new_event_loop

PASSAGES_MOST = retrieval_augmentation.PASSAGES_SEARCHED
CLAUSE_CHARACTERS = 20_000  # of one clause with those below it; the rest is left out, and said to be
CLAUSES_MOST = 5  # of this number in several documents
TARGET = "mcp"  # in the record of what left

Question = Annotated[str, Meta(min_length=1, max_length=QUESTION_CHARACTERS)]


class _ListCollections(msgspec.Struct):
    pass


class _SearchDocuments(msgspec.Struct):
    query: Question
    collection: str = ""
    limit: Annotated[int, Meta(ge=1, le=PASSAGES_MOST)] = 5


class _ReadClause(msgspec.Struct):
    clause: Question
    collection: str = ""
    document: str = ""


class _Ask(msgspec.Struct):
    question: Question
    collection: str = ""


Tool = Callable[[Any, ServerRequestContext[Any]], Awaitable[Json]]


class McpServer:
    """The server, in a thread of its own with an event loop, which ends when standard input ends."""

    def __init__(self, requests: RequestQueue, served_models: ServedModels) -> None:
        self._requests = requests
        self._served_models = served_models
        self._tools: dict[str, tuple[type[msgspec.Struct], Tool]] = {
            "list_collections": (_ListCollections, self._list_collections),
            "search_documents": (_SearchDocuments, self._search_documents),
            "read_clause": (_ReadClause, self._read_clause),
            "ask": (_Ask, self._ask),
        }
        self._thread = threading.Thread(target=self._run, name="mcp", daemon=True)

    @property
    def is_running(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> None:
        self._thread.start()

    def _run(self) -> None:
        logging.getLogger("mcp").setLevel(logging.CRITICAL)  # its lines could hold what was asked
        server: Server[Any] = Server(
            "kotae",
            version=__version__,
            instructions=phrase("serve.mcp_about"),
            on_list_tools=self._on_list_tools,
            on_call_tool=self._on_call_tool,
        )

        async def serve() -> None:
            async with stdio_server() as (reading, writing):
                await server.run(reading, writing, server.create_initialization_options())

        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(serve())

    async def _on_list_tools(self, _context: Any, _params: Any) -> types.ListToolsResult:
        harmless = types.ToolAnnotations(read_only_hint=True, open_world_hint=False)
        return types.ListToolsResult(
            tools=[
                types.Tool(
                    name=name,
                    description=phrase(f"serve.mcp.{name}"),
                    input_schema=_input_schema(arguments),
                    annotations=harmless,
                )
                for name, (arguments, _) in self._tools.items()
            ]
        )

    async def _on_call_tool(
        self, context: ServerRequestContext[Any], params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        if params.name not in self._tools:
            return _refused(f"unknown tool: {params.name}")
        arguments, act = self._tools[params.name]
        try:
            json.dumps(params.arguments, ensure_ascii=False).encode()  # half of a pair of surrogates is no text
            found = await act(msgspec.convert(params.arguments or {}, arguments), context)
        except (msgspec.ValidationError, UnicodeEncodeError) as error:
            return _refused(str(error))
        except HttpError as error:
            return _refused(error.message)
        except AppError as error:
            return _refused(str(describe_error(error)))
        text = types.TextContent(type="text", text=json.dumps(found, ensure_ascii=False))
        return types.CallToolResult(content=[text], structured_content=found)

    # --------------------------------------------------------------------- tools

    async def _list_collections(self, _arguments: _ListCollections, _context: Any) -> Json:
        return await asyncio.to_thread(self._collections)

    def _collections(self) -> Json:
        offered = {ref.name for ref in self._served_models.collections()}
        if not offered:
            return {"collections": []}
        with closing(Library.open_second(self._requests.documents)) as library:
            rows = [
                {
                    "collection": one.name,
                    "label": phrase(f"common.label.{one.label}"),
                    "documents": [document.name for document in library.askable_documents(one.id)],
                }
                for one in library.collections()
                if one.name in offered
            ]
        return {"collections": rows}

    async def _search_documents(self, arguments: _SearchDocuments, _context: Any) -> Json:
        served, permit = await asyncio.to_thread(self._permit, arguments.collection)
        request = RetrievalRequest(self._requests.documents, served.scope, (Turn(arguments.query),))
        meaning = await self._requests.find_meaning(request.question, [ref.id for ref in served.scope])
        found = await asyncio.to_thread(retrieval_augmentation.search, request, meaning)
        order = await self._requests.rerank(request.question, found.passages)
        sources = tuple(
            source_citations.source_of_part(grounding_record.source_of(one), source_citations.found_part(one))
            for one in order[: arguments.limit]
        )
        await asyncio.to_thread(permit.require)
        return {
            "verdict": found.grounding.verdict,
            "passages": grounding_record.sources_to_json(dataclasses.replace(found.grounding, sources=sources)),
            "missing": [named_clauses.missing_sentence(one) for one in found.missing],
        }

    async def _read_clause(self, arguments: _ReadClause, _context: Any) -> Json:
        served, permit = await asyncio.to_thread(self._permit, arguments.collection)
        found = await asyncio.to_thread(self._clauses, served, arguments)
        await asyncio.to_thread(permit.require)
        return found

    def _clauses(self, served: ServedModel, arguments: _ReadClause) -> Json:
        """Return the clauses with this number or heading, each with the clauses below it."""
        with closing(Library.open_second(self._requests.documents)) as library:
            scope, document = served.scope, None
            if arguments.document:
                ref, document = _find_document(library, scope, arguments.document)
                scope = (CollectionRef(ref.id, ref.name, (document.path,)),)
            ids = collection_lookup.open_scope(library, scope)
            named = named_clauses.find_clauses(library, arguments.clause, ids)
            depths = {one.section_id: one.depth for group in named.groups for one in group}
            places = list(dict.fromkeys(
                (one.collection, one.document_id, one.document, one.section.heading[: depths[one.section_id]])
                for one in library.passages([(section_id, 0.0) for section_id in depths])
            ))[:CLAUSES_MOST]  # fmt: skip
            if not places and document is not None:  # a heading without a number
                headings = (one for one in library.headings_of(document.id) if arguments.clause.strip() in one)
                place = scope[0].name, document.id, document.name
                places = [(*place, one[: one.index(arguments.clause.strip()) + 1]) for one in headings][:1]
            clauses = [_clause(library, *place) for place in places]
        missing = [named_clauses.missing_sentence(one) for one in named.missing]
        if not clauses and not missing:
            missing = [phrase("documents.clause_missing.anywhere", clause=arguments.clause)]
        return {"clauses": clauses, "missing": missing}

    async def _ask(self, arguments: _Ask, context: ServerRequestContext[Any]) -> Json:
        served, permit = await asyncio.to_thread(self._permit, arguments.collection)
        request = CompletionRequest(served.id, (Turn(arguments.question),), Choices())
        job = self._requests.submit(request, served.scope, permit)
        try:
            while not isinstance(item := await job.take(), AnswerOutcome):
                if isinstance(item, str):
                    await context.session.report_progress(len(job.text))
        finally:  # also when the client has cancelled
            self._requests.cancel(job)
        check = source_citations.check_messages(item.grounding)
        return {"answer": job.text.strip(), **grounding_fields(item), "check": check}

    def _permit(self, collection: str) -> tuple[ServedModel, Permit]:
        """Return what is asked and the permission to answer. `collection`: its name; "": all that are offered."""
        served = self._served_models.with_collection(collection)
        return served, self._served_models.permit_answer(served, TARGET)


def _input_schema(arguments: type[msgspec.Struct]) -> Json:
    schema = msgspec.json.schema(arguments)["$defs"][arguments.__name__]
    for name, described in schema["properties"].items():
        described["description"] = phrase(f"serve.mcp_argument.{name}")
    return {"type": "object", "properties": schema["properties"], "required": schema["required"]}


def _find_document(library: Library, scope: Sequence[CollectionRef], name: str) -> tuple[CollectionRef, Document]:
    """Return a document and its collection. Raises AppError as `collection_lookup.find_document`."""
    *others, last = scope
    for ref in others:
        with suppress(AppError):
            return ref, collection_lookup.find_document(library, library.collection(ref.name), name)
    return last, collection_lookup.find_document(library, library.collection(last.name), name)


def _refused(sentence: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(type="text", text=sentence)], is_error=True)


def _clause(library: Library, collection: str, document_id: int, document: str, heading: tuple[str, ...]) -> Json:
    """Return a clause with all that its heading covers."""
    sections = [one for _, one in library.sections(document_id) if one.heading[: len(heading)] == heading]
    lines: list[str] = []
    before = heading
    for one in sections:
        lines += [*(one.heading[len(heading) :] if one.heading != before else ()), one.text]
        before = one.heading
    text = "\n".join(lines)
    return {
        "collection": collection,
        "document": document,
        "heading": list(heading),
        "page": min((one.page for one in sections if one.page), default=None),
        "page_last": max((max(one.page, one.page_last) for one in sections), default=0) or None,
        "ocr": any(one.recognized is not None for one in sections),
        "quote": text[:CLAUSE_CHARACTERS],
        "is_cut": len(text) > CLAUSE_CHARACTERS,
    }
