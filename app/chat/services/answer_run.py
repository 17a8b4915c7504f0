"""Compute one answer, for the window and for commands: plan, load the model, build the prompt, ask, check.

The file is over 450 lines because the stages of an answer share its state.
"""

import dataclasses
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct, structs
from PySide6.QtCore import QObject, QTimer, Signal

from app.base.confidentiality import DEFAULT_LABEL, HIGHEST_LABEL, Label, highest_label
from app.base.errors import AppError
from app.base.services import background
from app.base.services.child_process import ChildExit
from app.base.settings import Settings
from app.chat.batch.journal import BatchAnswer
from app.chat.presets import PROGRAM_DEFAULTS, Choices, in_force
from app.chat.services import retrieval_augmentation
from app.chat.services.retrieval_augmentation import (
    FoundPassages,
    PackedPrompt,
    PictureAsked,
    RetrievalRequest,
    RetrievedPassages,
)
from app.documents import collection_lookup
from app.documents.grounding import source_citations
from app.documents.grounding.grounding_record import Grounding
from app.documents.records import with_heading
from app.documents.retrieval import retrieved_passages
from app.documents.services.embedding import Embedding
from app.documents.services.reranking import Reranking
from app.inference import gguf, load_plan, prompts
from app.inference.engine import messages
from app.inference.engine.messages import CUT_OFF, THOUGHT_TOKENS, AdapterUse, Done, Picture
from app.inference.local_model import LocalModel
from app.inference.prompts import PromptForm, Segment, SharedStart, Turn
from app.inference.services import template_renderer
from app.inference.services.engine import EngineClient, exit_error, reclaimable_bytes
from app.inference.services.events import AnswerStage
from app.inference.services.keychain import RemoteKeys
from app.inference.services.template_renderer import TemplateRenderer
from app.models import catalogue, local_models, model_registry

if TYPE_CHECKING:  # their imports take time: the reading child, numpy
    from app.chat.services.picture_drawing import PictureDrawing
    from app.documents.retrieval.semantic_index import SemanticQuery


class AnswerRequest(Struct, frozen=True):
    """A conversation to answer, with the model and settings. The last of `turns` has no answer yet.

    With `local_models.NO_MODEL`, a question to documents is answered by quoting them, without the engine.
    """

    model: LocalModel
    turns: tuple[Turn, ...]
    settings: Settings
    choices: Choices = PROGRAM_DEFAULTS  # every field is set, except perhaps the seed and the thoughts' budget
    adapters: tuple[AdapterUse, ...] | None = None  # None: the adapter of the model or of its card, if any
    force_load: bool = False  # True: load even if the memory seems too small
    parallel: int = 1  # answers that are wanted at a time, of which this is one
    retrieval: RetrievalRequest | None = None  # what to search for; None: the model answers without documents
    # Files of pictures that the model is shown, in base64, if nothing is retrieved; a child at `documents` opens them.
    pictures: tuple[str, ...] = ()
    documents: Path | None = None  # path of the documents' database
    grammar: str = ""  # GBNF grammar that the answer must follow; "": none
    json_schema: str = ""  # JSON Schema that the answer must follow instead of `grammar`; "": none
    stop: tuple[str, ...] = ()  # texts that end the answer, in addition to those of the model's prompt form
    label: Label = DEFAULT_LABEL  # of the turns
    # For a remote model: whether the user has agreed to send them.
    is_agreed: bool = False
    may_share: bool = False  # True: the evaluated passages may be kept on disk, unless one of the labels is secret


class AnswerOutcome(Struct, frozen=True):
    """The result of an answer that ended. Seconds count from `AnswerRun.start`; `load_s` is 0 when the model was loaded
    already.

    `done` has no tokens when the answer was only quoted from documents, or the documents do not contain it.
    """

    done: Done
    load_s: float
    total_s: float
    grounding: Grounding | None = None
    thoughts: str = ""  # what a reasoning model wrote before the answer
    is_alone: bool = True  # False: others were written at the same time, so that it took longer

    def without_times(self) -> "AnswerOutcome":
        """Return the outcome with all seconds 0, as if they were not measured."""
        done = structs.replace(self.done, timings=messages.Timings(0.0, 0.0, 0.0, 0.0, self.done.timings.threads))
        return structs.replace(self, done=done, load_s=0.0, total_s=0.0)

    def as_fields(self) -> dict[str, Any]:
        """Return the fields that a stored answer and an answer of a batch have in common."""
        return {
            "prompt_tokens": self.done.usage.prompt_tokens,
            "cached_tokens": self.done.usage.cached_tokens,
            "answer_tokens": self.done.usage.answer_tokens,
            "seed": self.done.seed,
            "first_token_s": self.done.timings.first_token_s,
            "total_s": self.total_s,
            "tokens_per_s": self.done.tokens_per_s,
            "grounding": self.grounding,
        }


class AnswerRun(QObject):
    """Computes one answer. It emits exactly one of `finished`, `failed` and `stopped`; `stopped` only before the model
    is asked."""

    stage_changed = Signal(object)  # AnswerStage
    text_received = Signal(str)
    thought_received = Signal(str)  # what a reasoning model writes before its answer
    finished = Signal(object)  # AnswerOutcome
    failed = Signal(object)  # AppError
    stopped = Signal()

    def __init__(
        self,
        engine: EngineClient,
        request: AnswerRequest,
        parent: QObject | None = None,
        embedding: Embedding | None = None,
    ) -> None:
        """Prepare the run. With `embedding`, it also searches by meaning, if a model for that is installed."""
        super().__init__(parent)
        self._embedding = embedding
        self._engine = engine
        self.request = request
        self._model, self._adapters = local_models.with_adapters(request.model, request.adapters)
        is_shaped = bool(request.grammar or request.json_schema)  # which would hold for the thoughts, too
        can_think = self._model != local_models.NO_MODEL and not is_shaped
        self._thinks = can_think and local_models.thinks(self._model, request.choices.thought_tokens)
        # A model may think although it was told not to.
        self._thought_tokens = request.choices.thought_tokens or THOUGHT_TOKENS
        self._load_id = self._ask_id = self._rerank_id = ""
        self._load_s = self._started_at = self._since = 0.0
        self._renderer: TemplateRenderer | None = None
        self._is_over = False
        self._is_waiting = False  # for the end of answers of another model
        self._uses_engine = False  # True once the load plan is ready; from then on an exit of the engine ends the run
        self._kind = ""
        self._count_id = ""
        self.text = self.thoughts = ""  # the answer so far, and what the model has thought before it
        self._drawing: PictureDrawing | None = None
        self._pictures: tuple[Picture, ...] = ()
        self._retrieved: RetrievedPassages | None = None
        self._packed: PackedPrompt | None = None
        self._done_event: Done | None = None  # set once the text is complete; the run cannot be stopped any more
        self.stage = AnswerStage()

    def start(self) -> None:
        self._started_at, self._since = time.monotonic(), time.time()
        self._engine.event_received.connect(self._on_event)
        self._engine.died.connect(self._on_died)
        self._engine.exited.connect(self._on_exited)
        self._engine.released.connect(self._on_released)
        request = self.request
        has_model = request.model != local_models.NO_MODEL
        if not has_model and request.retrieval is not None and not request.retrieval.given_sources:
            self._begin()
            return
        refusal = self._engine.refusal if has_model else AppError("no_model")
        if refusal is not None:
            QTimer.singleShot(0, self, lambda: self._fail(refusal))
            return
        self._engine.hold(self)  # until `release`, no other object may begin work on the engine
        if request.model.remote is not None:
            background.run(lambda: _check_remote(request, self._engine.remote_keys), self._begin, self._fail)
        else:
            self._begin()

    def _begin(self, _passed: None = None) -> None:
        request = self.request
        if self._is_over:
            return
        if request.retrieval is None:
            if not request.pictures or request.documents is None:
                self._plan()
            elif load_plan.reads_pictures(self._model):
                self._draw(request.documents, request.pictures)
            else:
                self._fail(AppError("model_reads_no_pictures"))
            return
        self._stage("searching")
        if self._embedding is None or request.retrieval.given_sources:
            self._retrieve(None)
        else:
            asked = [collection.id for collection in request.retrieval.scope]
            wanted = request.retrieval
            self._embedding.find_meaning(wanted.question, self._retrieve, asked, wanted.patience_s)

    def _retrieve(self, meaning: "SemanticQuery | None") -> None:
        wanted, embedding = self.request.retrieval, self._embedding
        if self._is_over or wanted is None:
            return
        is_late = meaning is None and embedding is not None and (embedding.is_on or bool(embedding.standing.error))
        wanted = structs.replace(wanted, shows_pictures=load_plan.reads_pictures(self._model))
        background.run(
            lambda: retrieval_augmentation.search(wanted, meaning, is_vector_missing=is_late), self._judge, self._fail
        )

    def _judge(self, found: FoundPassages) -> None:
        """Before passages without vectors are called uncertain, compare them with the question in meaning."""
        wanted, embedding = self.request.retrieval, self._embedding
        if self._is_over or wanted is None:
            return

        def judge_again(nearness: Sequence[float] | None) -> None:
            if not nearness:
                self._rerank(found)
            elif not self._is_over:
                background.run(
                    lambda: retrieval_augmentation.judge_again(wanted, found, max(nearness)), self._rerank, self._fail
                )

        if embedding is None or found.grounding.verdict == "answered" or not found.is_by_words:
            self._rerank(found)
        else:
            parts = map(source_citations.found_part, found.passages[: retrieved_passages.PASSAGES_JUDGED])
            texts = [with_heading(one.heading, one.text) for one in parts]
            embedding.compare(wanted.question, texts, judge_again, wanted.patience_s)

    def _rerank(self, found: FoundPassages) -> None:
        wanted, embedding = self.request.retrieval, self._embedding
        if self._is_over or wanted is None:
            return

        def choose(order: Reranking) -> None:
            grounding = dataclasses.replace(found.grounding, reranked=order.state, rerank_s=order.seconds)
            self._quote(structs.replace(found, passages=order.passages, grounding=grounding))

        is_given = wanted.given_sources or found.pictures or found.grounding.unseen
        if embedding is None or is_given or not found.grounding.has_answer:
            choose(Reranking(found.passages))
        else:
            self._rerank_id = embedding.rerank(wanted.question, found.passages, choose, wanted.patience_s)

    def _quote(self, found: FoundPassages) -> None:
        """Retrieve from the passages; where words do not decide what to quote, after comparing sentences in meaning."""
        model, wanted, embedding = self.request.model, self.request.retrieval, self._embedding
        if self._is_over or wanted is None:
            return

        def retrieve(near: Mapping[str, float]) -> None:
            if not self._is_over:
                background.run(
                    lambda: _require_sendable(
                        model, retrieval_augmentation.retrieve(wanted, model, found, near), wanted
                    ),
                    self._on_retrieved,
                    self._fail,
                )

        def compare(texts: Sequence[str]) -> None:
            if embedding is None or not texts:
                retrieve({})
            elif not self._is_over:
                embedding.compare(
                    wanted.question,
                    texts,
                    lambda near: retrieve(dict(zip(texts, near, strict=True)) if near else {}),
                    wanted.patience_s,
                )

        background.run(lambda: retrieval_augmentation.sentences_to_compare(wanted, model, found), compare, self._fail)

    @property
    def grounding(self) -> Grounding | None:
        """Return the sources so far, without claims, which only the outcome has; None without documents."""
        return self._packed.grounding if self._packed else None

    def _on_retrieved(self, retrieved: RetrievedPassages) -> None:
        if self._is_over:
            return
        self._retrieved = retrieved
        self._stage("passages")
        if retrieved.pictures and self.request.retrieval is not None:
            self._draw(self.request.retrieval.documents, retrieved.pictures)
            return
        if not retrieved.answer:
            self._plan()
            return
        nothing = messages.Timings(0.0, time.monotonic() - self._started_at, 0.0, 0.0, 0)
        self._done_event = Done("", "end", messages.Usage(0, 0, 0), nothing, self.request.choices.seed or 0)
        self.text = retrieved.answer
        self.text_received.emit(self.text)
        self._finish(self._done_event, retrieved.grounding)

    def _draw(self, documents: Path, pictures: Sequence[PictureAsked | str]) -> None:
        from app.chat.services.picture_drawing import PictureDrawing

        self._drawing = PictureDrawing(documents, pictures, self._on_drawn, self._fail, self)

    def _on_drawn(self, pictures: tuple[Picture, ...]) -> None:
        self._pictures = pictures
        self._plan()

    def _plan(self) -> None:
        request, loaded_model, reclaimable = self.request, self._engine.loaded, reclaimable_bytes(self._engine)
        loaded = (loaded_model.path, loaded_model.context_tokens, loaded_model.kv_type) if loaded_model else None
        self._stage("loading")
        background.run(lambda: plan_load(request, loaded, reclaimable), self._on_planned, self._fail)

    def stop(self) -> None:
        """Stop: with stop reason "cancelled" once the model is asked, with the signal `stopped` before that."""
        if self._is_over or self._done_event is not None:
            return
        if self._ask_id:
            self._engine.cancel(self._ask_id)
            return
        if self._load_id:
            self._engine.cancel(self._load_id)
        self._end_run()
        self.stopped.emit()

    def abandon(self) -> None:
        """End the run without emitting any more signals, whatever the engine still does."""
        if not self._is_over:
            self._end_run()

    # ------------------------------------------------------------------- stages

    def _on_planned(self, plan: load_plan.LoadPlan) -> None:
        if self._is_over:
            return
        is_loaded = self._is_loaded(plan)
        if not (is_loaded or is_loading(self._engine, plan) or self._engine.may_replace_model(self)):
            self._is_waiting = True
            return
        self._uses_engine = True
        self._engine.use_model(self)
        if is_loaded:
            self._build_prompt()
        else:
            self._load_id = send_load(self._engine, self.request.model.name, plan)

    def _on_released(self) -> None:
        if self._is_waiting and self._engine.may_replace_model(self):
            self._is_waiting = False
            self._plan()

    def _build_prompt(self) -> None:
        request, system, turns = self.request, self.request.choices.system_prompt or "", self.request.turns
        if self._packed is not None:
            system, turns = self._packed.system, self._packed.turns
        elif self._retrieved is not None and self._retrieved.passages and request.retrieval is not None:
            self._count_id = self._engine.new_id()
            counted = retrieval_augmentation.prompts_to_count(self._retrieved, request.retrieval, self._model, system)
            self._engine.send(messages.Tokenize(self._count_id, counted, self._pictures))
            return
        form = local_models.form_of(self._model)
        if form is not None:
            self._ask(prompts.build(form, turns, system, thinks=self._thinks), form)
            return
        try:
            header = gguf.read_header(Path(request.model.path))
        except AppError as error:  # the file was removed after it was loaded
            self._fail(error)
            return
        facts = self._engine.facts
        end = facts.end_text if facts else ""
        body = template_renderer.request(header.chat_template, turns, system, end, thinks=self._thinks)
        self._renderer = TemplateRenderer(body, lambda segments: self._ask(segments, None), self._fail)

    def _pack_prompt(self, token_counts: tuple[int, ...]) -> None:
        request, facts = self.request, self._engine.facts
        assert self._retrieved is not None
        assert request.retrieval is not None
        context, system = facts.context_tokens if facts else 0, request.choices.system_prompt or ""
        written = (request.choices.max_tokens or 1, self._thought_tokens if self._thinks else 0)
        try:
            self._packed = retrieval_augmentation.pack_prompt(
                self._retrieved, request.retrieval, token_counts, context, written, system
            )
        except AppError as error:
            self._fail(error)
            return
        self._build_prompt()

    def _is_loaded(self, plan: load_plan.LoadPlan) -> bool:
        """Return whether the engine has loaded this model as planned.

        Automatic repacking that chose differently, and more answers at a time, are no reason to load again.
        """
        loaded = self._engine.loaded
        if loaded is None or self._engine.facts is None:
            return False
        if self.request.settings.repack == "auto":
            plan = dataclasses.replace(plan, repack=loaded.repack)
        plan = dataclasses.replace(plan, parallel=max(plan.parallel, loaded.parallel))
        return dataclasses.replace(loaded, **plan.fields()) == loaded

    def _ask(self, segments: tuple[Segment, ...], form: PromptForm | None) -> None:
        request, budget = self.request, self.request.choices.thought_tokens
        fields = {field.name for field in dataclasses.fields(messages.Sampling)}
        sampling = {key: value for key, value in request.choices.as_dict().items() if key in fields}
        self._ask_id = self._engine.new_id()
        self._stage("reading")
        self._engine.send(
            messages.Ask(
                id=self._ask_id,
                prompt=segments,
                pictures=self._pictures,
                max_tokens=request.choices.max_tokens or 1,
                thought_tokens=self._thought_tokens,
                thinks=None if budget is None else budget > 0,
                stop=(*(form.stop if form else ()), *request.stop),
                sampling=messages.Sampling(**sampling),
                adapters=self._adapters,
                grammar=request.grammar or None,
                json_schema=request.json_schema or None,
                shared=self._shared_start(segments),
            )
        )

    def _shared_start(self, segments: tuple[Segment, ...]) -> SharedStart | None:
        """Return which part of the prompt may be kept on disk for other questions."""
        request, packed, retrieved = self.request, self._packed, self._retrieved
        is_secret = request.label == HIGHEST_LABEL
        if packed is None or retrieved is None or is_secret or not request.may_share:
            return None
        own_system = request.choices.system_prompt or ""
        return retrieval_augmentation.shared_start(segments, packed, own_system, retrieved.collections, self._since)

    # ------------------------------------------------------------------- events

    def _on_event(self, event: messages.Event) -> None:
        match event:
            case messages.LoadProgress(id=self._load_id, fraction=fraction):
                self._stage("loading", fraction)
            case messages.Ready(id=self._load_id, facts=facts):
                self._load_s = facts.load_s + facts.warm_up_s
                loaded = self._engine.loaded
                if self._pictures and loaded is not None and loaded.remote is None and not loaded.projector:
                    self._fail(AppError("projector_crashed", path=self._model.projector))
                else:
                    self._build_prompt()
            case messages.PromptProgress(id=self._ask_id):
                self._stage("reading", event.done_tokens / max(1, event.total_tokens))
            case messages.Token(id=self._ask_id, text=text):
                if self._kind != "answering":
                    self._stage("answering")
                self.text += text
                self.text_received.emit(text)
            case messages.Thought(id=self._ask_id, text=text):
                if self._kind != "thinking":
                    self._stage("thinking")
                self.thoughts += text
                self.thought_received.emit(text)
            case messages.Tokenized(id=self._count_id):
                self._pack_prompt(event.counts)
            case Done(id=self._ask_id):
                self._check(event)
            case messages.Failed() if event.id in (self._load_id, self._count_id, self._ask_id):
                self._fail(AppError(event.code, **event.facts))

    def _check(self, event: Done) -> None:
        """Compare the sentences of a finished answer with its passages, if there are any."""
        packed, wanted, text = self._packed, self.request.retrieval, self.text.strip()
        if packed is None or wanted is None:
            self._finish(event, self._retrieved.grounding if self._retrieved else None)
            return
        self._done_event = event
        self._stage("checking")
        background.run(
            lambda: retrieval_augmentation.check_answer(packed, wanted.question, text),
            lambda grounding: self._finish(event, grounding),
            self._fail,
        )

    def _finish(self, event: Done, grounding: Grounding | None) -> None:
        if not self._is_over:
            self._end_run()
            total_s = time.monotonic() - self._started_at
            self.finished.emit(AnswerOutcome(event, self._load_s, total_s, grounding, self.thoughts.strip()))

    def _on_died(self, child_exit: ChildExit) -> None:
        if self._done_event is not None:  # only the check is still running, without the engine
            return
        self._fail(exit_error(child_exit))

    def _on_exited(self) -> None:
        """Fail when another part of the program has stopped the engine."""
        if self._uses_engine and self._done_event is None and not self._engine.awaits(self._load_id):
            self._fail(self._engine.refusal or AppError("engine_died", cause="stopped"))

    def _fail(self, error: AppError) -> None:
        if not self._is_over:
            self._end_run()
            self.failed.emit(error)

    def _end_run(self) -> None:
        self._is_over = True
        if self._drawing is not None:
            self._drawing.close()
        if self._embedding is not None:
            self._embedding.reranker.cancel(self._rerank_id)
        self._engine.release(self)
        self._engine.event_received.disconnect(self._on_event)
        self._engine.died.disconnect(self._on_died)
        self._engine.exited.disconnect(self._on_exited)
        self._engine.released.disconnect(self._on_released)
        if self._renderer is not None:
            self._renderer.cancel()

    def _stage(self, kind: str, fraction: float | None = None) -> None:
        self._kind = kind
        result = self._packed or self._retrieved
        count = len(result.passages) if result else 0
        seconds = self._retrieved.grounding.retrieval_s if self._retrieved else 0.0
        self.stage = AnswerStage(kind, fraction, self._started_at, count, seconds, self._engine.refusal is not None)
        self.stage_changed.emit(self.stage)


def answer_of_outcome(line: int, text: str, outcome: AnswerOutcome, model: LocalModel, scope: Label) -> BatchAnswer:
    """Return the stored form. `line`: the question's line number; `scope`: the label of the collections."""
    grounding = outcome.grounding
    is_cut = outcome.done.stop_reason in CUT_OFF
    return BatchAnswer(
        line,
        "length" if is_cut else grounding.verdict if grounding else "answered",
        text.strip(),
        model=model.id,
        label=highest_label((scope, *(source.label for source in grounding.sources))) if grounding else scope,
        load_s=outcome.load_s,
        answered_at=time.time(),
        **outcome.as_fields(),
    )


def _check_remote(request: AnswerRequest, keys: RemoteKeys) -> None:
    """Check that the request may be sent to its remote model, before documents are searched. Not for the GUI thread.

    Raises AppError("remote_no_network" | "remote_not_agreed"), and "remote_secret" when the conversation or a searched
    collection is confidential.
    """
    model, wanted = request.model, request.retrieval
    assert model.remote is not None
    load_plan.require_network(model, request.settings)
    model_registry.require_sendable(model, request.label)
    if wanted is not None:
        model_registry.require_sendable(model, collection_lookup.current_label_of_scope(wanted.documents, wanted.scope))
    if not request.is_agreed:
        raise AppError("remote_not_agreed", address=model_registry.server_address(model))
    keys.fetch(model.remote.address)


def _require_sendable(model: LocalModel, retrieved: RetrievedPassages, wanted: RetrievalRequest) -> RetrievedPassages:
    """Return the passages if they and the pictures may be sent to the model. Raises AppError("remote_secret")."""
    model_registry.require_sendable(model, highest_label(source.label for source in retrieved.sources))
    if retrieved.pictures and model.remote is not None:  # which may have no text that is a source
        model_registry.require_sendable(model, collection_lookup.current_label_of_scope(wanted.documents, wanted.scope))
    return retrieved


def plan_load(
    request: AnswerRequest, loaded: tuple[str, int, str] | None = None, reclaimable_bytes: int = 0
) -> load_plan.LoadPlan:
    """Return the plan to load the model. Raises as `load_plan.plan_load` and `require_unchanged`."""
    if request.adapters is None:
        model_registry.require_unchanged(request.model)
    return load_plan.plan_load(
        request.model, request.settings, loaded, reclaimable_bytes, request.force_load, request.parallel
    )


def is_loading(engine: EngineClient, plan: load_plan.LoadPlan) -> bool:
    """Return whether the engine is loading this model as planned, or for more answers at a time."""
    loading = engine.loading
    if loading is None:
        return False
    parallel = max(plan.parallel, loading.parallel)
    return messages.Load(id=loading.id, **dataclasses.replace(plan, parallel=parallel).fields()) == loading


def send_load(engine: EngineClient, name: str, plan: load_plan.LoadPlan) -> str:
    """Send a planned load to the engine and return its request id; that of a running load if `is_loading`."""
    if engine.loading is not None and is_loading(engine, plan):
        return engine.loading.id
    wanted = messages.Load(id=engine.new_id(), **plan.fields())
    engine.name_model(name)
    engine.send(wanted)
    return wanted.id


def choices_in_force(model: LocalModel, *levels: Choices) -> Choices:
    """Return the values that apply to an answer of this model. `levels` are ordered from the most specific one."""
    return in_force(catalogue.card(model.card_id), *levels)
