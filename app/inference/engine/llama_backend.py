"""Run one model with one context on llama.cpp: load, answer, embed, rank and tokenize.

The file is over 450 lines because all of it works on the one loaded model and its one context.
"""

import ctypes
import math
import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from app.base import search_text
from app.base.errors import AppError
from app.base.isolation import sandbox
from app.inference import gguf, offload
from app.inference.engine import llama, messages, unigram
from app.inference.engine.backend import Cancellation, Emit, NextAsk
from app.inference.engine.generation import Answer, Sampler, Shown
from app.inference.engine.kept_prefixes import KeptPrefixes
from app.inference.engine.llama import NAME, Device, api, grammar_of, is_cancelled_natively
from app.inference.engine.messages import Ask, EngineFacts, Failed, Load
from app.inference.engine.picture_reader import PictureReader
from app.inference.engine.sequences import DecodeAborted, SequencedModel
from app.inference.engine.threads import ThreadPolicy
from app.inference.engine.unigram import UnigramVocabulary
from app.inference.memory_estimate import PICTURE_TOKENS_MOST
from app.inference.offload import Offload
from app.inference.prompts import Segment, common_length

_COUNTED_AT_ONCE = 4_000  # characters
_TOKENS_OF_A_CUT = 8  # upper bound of the tokens that cutting a text in two adds
KV_TYPES = {"f16": api.GGML_TYPE_F16, "q8_0": api.GGML_TYPE_Q8_0, "q4_0": api.GGML_TYPE_Q4_0}
# That another try without cards may mend.
_FAILURES_OF_CARDS = ("model_unreadable", "context_failed", "decode_failed", "projector_unusable")
_CUT_SHARE = 0.95  # of the length that a passage should have by its tokens, as they are not spread evenly


class LlamaBackend(SequencedModel):
    """Runs one model with one context. Methods block; only one thread calls them, except for `Cancellation.cancel`."""

    name = NAME
    _header: gguf.GgufHeader  # of the model that is being loaded, or that was loaded last

    def __init__(self, states: Path | None = None) -> None:
        """`states`: the folder of `app.inference.prefix_states`; None: none are kept."""
        super().__init__()
        self._prefixes = KeptPrefixes(states)
        self._pack = ""  # the folder of the GPU pack that is loaded; "": none
        self._facts: EngineFacts | None = None
        self._pictures: PictureReader | None = None
        self._reset()

    def _reset(self) -> None:
        self.batch_tokens = self.context_tokens = 0
        self._adapters: dict[str, Any] = {}
        self._adapters_in_use: tuple[messages.AdapterUse, ...] = ()
        self._unigrams: UnigramVocabulary | None = None  # used instead of llama.cpp's vocabulary, which is then empty

    # --------------------------------------------------------------------- load

    def load(self, command: Load, cancellation: Cancellation, emit: Emit) -> EngineFacts:
        """Load a model.

        Raises AppError: the codes of `gguf.check_model` and `gguf.check_projector`, cancelled, load_too_slow,
        model_unreadable, context_failed, pictures_not_built, projector_unusable.
        """
        self.unload()
        header = gguf.check_model(Path(command.path), every_token=False)  # the vocabulary was checked at import
        projector = gguf.check_projector(Path(command.projector), header) if command.projector else None
        cards, reason = self._find_cards(command)
        self._thread_policy = ThreadPolicy(command.threads)
        plan = Offload()
        if cards:
            plan = offload.plan_offload(
                header, [one.card for one in cards], command.context_tokens, _batch_tokens(command), command.kv_type,
                command.parallel, projector,
            )  # fmt: skip
            reason = "" if plan.layers else "no_memory"
        try:
            try:
                self._facts = self._load_at(header, command, cards, plan, reason, cancellation, emit)
            except AppError as error:
                if not plan.layers or error.code not in _FAILURES_OF_CARDS:
                    raise
                self.unload()
                self._facts = self._load_at(header, command, (), Offload(), "offload_failed", cancellation, emit)
        except (AppError, DecodeAborted) as error:
            self.unload()
            raise error if isinstance(error, AppError) else AppError("cancelled") from error
        self._prefixes.describe(self._facts)
        return self._facts

    def _find_cards(self, command: Load) -> tuple[tuple[Device, ...], str]:
        """Return the graphics cards for a model, and why there is none.

        Load the first pack that finds one. It stays loaded: libraries of drivers cannot be unloaded.
        """
        if not command.packs and command.cpu_reason != "no_backend":
            return (), command.cpu_reason
        if self._pack and self._pack not in command.packs:
            return (), command.cpu_reason or "no_device"
        self._pack, found = (self._pack, llama.devices()) if self._pack else llama.load_packs(command.packs)
        return found, "" if found else "no_device" if command.packs else "no_backend"

    def _load_at(
        self,
        header: gguf.GgufHeader,
        command: Load,
        cards: Sequence[Device],
        plan: Offload,
        reason: str,
        cancellation: Cancellation,
        emit: Emit,
    ) -> EngineFacts:
        """Load the model with its layers on the cards as planned. `reason`: why none is; "" if some are."""
        self._header = header
        self._log.lines.clear()
        started = time.perf_counter()
        self._load_model(command, cards, plan, cancellation, emit)
        self._make_context(command, cancellation)
        self._load_projector(command, use_gpu=plan.has_projector)
        load_s = time.perf_counter() - started
        if not command.embedding:  # one text is often all that it gets
            self._warm_up()
        return self._read_back(command, plan, reason, load_s, time.perf_counter() - started - load_s)

    def unload(self) -> None:
        if self._pictures is not None:
            self._pictures.close()
        self._pictures = None
        self.close()
        self._facts = None
        self._reset()

    def _load_model(
        self, command: Load, cards: Sequence[Device], plan: Offload, cancellation: Cancellation, emit: Emit
    ) -> None:
        deadline = time.monotonic() + command.deadline_s
        last = 0.0

        def report(fraction: float, _data: Any) -> bool:
            nonlocal last
            if fraction - last >= 0.01 or fraction >= 1.0:
                last = fraction
                self.progress += 1
                emit(messages.LoadProgress(command.id, round(fraction, 3)))
            return not cancellation.is_set and time.monotonic() < deadline

        callback = api.llama_progress_callback(report)
        params = api.llama_model_default_params()
        params.use_extra_bufts = command.repack
        self._place(params, cards, plan)
        params.progress_callback = callback
        if command.embedding and not self._header.is_reranker:
            self._unigrams = unigram.read_vocabulary(Path(command.path), self._header)
        overrides = _without_vocabulary(self._header, len(self._unigrams)) if self._unigrams else None
        params.kv_overrides = overrides
        try:
            self._load(command.path, params)
        except AppError:
            if cancellation.is_set:
                raise AppError("cancelled") from None
            if time.monotonic() >= deadline:
                raise AppError("load_too_slow", deadline_s=command.deadline_s) from None
            raise

    def _make_context(self, command: Load, cancellation: Cancellation) -> None:
        params = api.llama_context_default_params()
        trained = api.llama_model_n_ctx_train(self._model)
        wanted = command.context_tokens or trained
        params.n_ctx = min(wanted, trained) if trained > 0 else wanted
        params.n_batch = params.n_ubatch = min(_batch_tokens(command), params.n_ctx)
        params.type_k = params.type_v = KV_TYPES[command.kv_type]
        if command.flash_attention is not None:
            params.flash_attn_type = int(command.flash_attention)
        params.n_seq_max = command.parallel
        # A row of logits for each answer instead of one per prompt token: Gemma's compute buffer falls from 514 to
        # 26 MiB.
        params.n_outputs_max = 0 if command.embedding else command.parallel
        # Cache sliding-window layers in full, so that the cache can return to an earlier part of a conversation.
        params.swa_full = True
        params.no_perf = True
        params.abort_callback = is_cancelled_natively
        params.abort_callback_data = ctypes.cast(cancellation.native, ctypes.c_void_p)
        if command.embedding:
            self._set_up_embedding(params)
        self._open(params, has_spare=self._prefixes.prepare(self._model, command))
        self._is_embedding = command.embedding

    def _load_projector(self, command: Load, *, use_gpu: bool) -> None:
        """Load the part that reads pictures, if any. Raises AppError: pictures_not_built, projector_unusable."""
        if not command.projector:
            return
        try:
            self._pictures = PictureReader(command.projector, self._model, self.threads.batch, use_gpu=use_gpu)
        except AppError as error:
            raise self._error(error.code, **error.facts) from error

    def _set_up_embedding(self, params: Any) -> None:
        """Change llama.cpp's context parameters for embedding or ranking.

        A batch is as long as the context, so that it holds a whole text. The vectors of the tokens are averaged if the
        model file defines no pooling. A reranker's file may name another pooling than the one that uses its head.
        """
        params.embeddings = True
        params.n_batch = params.n_ubatch = params.n_ctx
        if self._header.is_reranker:
            params.pooling_type = api.LLAMA_POOLING_TYPE_RANK
        elif f"{self._header.architecture}.pooling_type" not in self._header.metadata:
            params.pooling_type = api.LLAMA_POOLING_TYPE_MEAN

    def _warm_up(self) -> None:
        """Evaluate one token, which pages the weights in and builds the graph before the first question."""
        api.llama_set_warmup(self._context, True)
        first = max(0, api.llama_vocab_bos(self._vocabulary))
        self._decode([(0, first, True)])
        if not self._is_embedding:
            Sampler(messages.Sampling(repeat_penalty=1.1), seed=0).choose(
                self._rows(1)[0], [first]
            )  # numpy's first-use cost
        api.llama_set_warmup(self._context, False)
        self._clear()

    def _read_back(self, command: Load, plan: Offload, reason: str, load_s: float, warm_up_s: float) -> EngineFacts:
        log = llama.read_load_log(self._log.lines)
        layers = plan.layers_present(log.gpu_bytes)
        return EngineFacts(
            path=command.path,
            architecture=self._header.architecture,
            parameters=api.llama_model_n_params(self._model),
            weights_bytes=api.llama_model_size(self._model),
            context_tokens=self.context_tokens,
            trained_context_tokens=api.llama_model_n_ctx_train(self._model),
            batch_tokens=self.batch_tokens,
            threads=api.llama_n_threads(self._context),
            repack=log.is_repacked,
            kv_type=log.kv_type or command.kv_type,
            kv_bytes=log.kv_bytes,
            compute_bytes=log.compute_bytes,
            flash_attention=log.flash_attention,
            gpu_layers=layers,
            total_layers=api.llama_model_n_layer(self._model) + 1,  # llama.cpp counts the output as a layer
            gpu_reason="" if layers else reason or "offload_failed",
            gpu_bytes=log.gpu_bytes,
            backend=", ".join(log.devices) or "CPU",
            embedding_dimensions=api.llama_model_n_embd(self._model),
            end_text=self.name_of(api.llama_vocab_eos(self._vocabulary)),
            resident_bytes=sandbox.resident_bytes(),
            load_s=load_s,
            warm_up_s=warm_up_s,
        )

    # ---------------------------------------------------------------------- ask

    def answer(self, first: Ask, next_ask: NextAsk, cancellation: Cancellation, emit: Emit) -> None:
        """Answer prompts, as many at a time as the model was loaded for.

        Raises AppError: no_model_loaded, decode_failed, and the codes of `gguf.check_adapter`. A Failed has one of
        context_full, template_failed, grammar_invalid, decode_failed.
        """
        self._require_vocabulary()
        self._use_adapters(first.adapters)
        waiting = [first]

        def next_answer() -> Answer | None:
            while (ask := waiting.pop() if waiting else next_ask()) is not None:
                try:
                    return self._prepare(ask, cancellation, emit)
                except AppError as error:
                    emit(Failed(ask.id, error.code, error.facts))
            return None

        for answer in self.write(next_answer):
            if answer.error is not None:
                emit(Failed(answer.command.id, answer.error.code, answer.error.facts))
            else:
                done = answer.done_event(self.threads.token)
                emit(done)
                self._prefixes.note(done)

    def _prepare(self, ask: Ask, cancellation: Cancellation, emit: Emit) -> Answer:
        self._check_length(ask.prompt)
        prompt, shown = self._with_pictures(ask.prompt, ask.pictures)
        if not prompt:
            raise AppError("template_failed", reason="it gave no text")
        if (length := _length(prompt, shown)) + 1 > self.context_tokens:
            raise AppError("context_full", prompt_tokens=length, context_tokens=self.context_tokens)
        seed = ask.sampling.seed if ask.sampling.seed is not None else secrets.randbits(32)
        sampler = Sampler(ask.sampling, seed, grammar_of(self._vocabulary, ask))
        answer = Answer(ask, prompt, sampler, self.is_end, lambda: cancellation.has(ask.id), emit)
        answer.ends, answer.shown = self._prefixes.begin(ask, prompt, self.prompt_tokens), shown
        return answer

    def _with_pictures(
        self, prompt: Sequence[Segment], pictures: Sequence[messages.Picture]
    ) -> tuple[list[int], dict[int, Shown]]:
        """Return the ids of a prompt, and the parts of its pictures by their places among them.

        Raises AppError: model_reads_no_pictures, picture_unusable.
        """
        if not pictures:
            return self.prompt_tokens(prompt), {}
        if self._pictures is None:
            raise AppError("model_reads_no_pictures")
        self._pictures.forget()
        last = max((at for at, one in enumerate(prompt) if not one.markup), default=len(prompt))
        ids, shown = self.prompt_tokens(prompt[:last]), {}
        for piece in (piece for picture in pictures for piece in self._pictures.read(picture)):
            if isinstance(piece, Shown):
                shown[len(ids)] = piece
            ids += piece.ids if isinstance(piece, Shown) else piece
        for segment in prompt[last:]:
            ids += self.tokens_of(segment.text, has_markup=segment.markup)
        return ids, shown

    def _show(self, shown: Shown, at: int, sequence: int) -> int:
        assert self._pictures is not None
        return self._pictures.evaluate(shown, self._context, at, sequence, self.batch_tokens)

    def _read_prompt(self, sequence: int, answer: Answer) -> None:
        loaded = self._prefixes.load(self._context, common_length(self.cached[sequence], answer.tokens[:-1]))
        if loaded is not None:
            self.cached[sequence] = loaded
        super()._read_prompt(sequence, answer)

    def settle(self) -> None:
        """Write states of the latest prompt that are worth keeping."""
        if self._facts is not None:
            self._prefixes.write(self._context, self.cached[0])

    def _check_length(self, prompt: Sequence[Segment]) -> None:
        """Raise AppError("context_full") for a prompt that cannot fit, counting no more of it than necessary.

        llama.cpp's time grows with the square of some texts, so long ones are counted in parts. A part that ends within
        a token counts a few tokens more than the whole text has.
        """
        if sum(len(segment.text) for segment in prompt) <= _COUNTED_AT_ONCE:
            return
        least_tokens = 0
        for segment in prompt:
            for at in range(0, len(segment.text), _COUNTED_AT_ONCE):
                part = segment.text[at : at + _COUNTED_AT_ONCE]
                least_tokens += max(0, len(self.tokens_of(part, has_markup=segment.markup)) - _TOKENS_OF_A_CUT)
                if least_tokens > self.context_tokens:
                    raise AppError("context_full", prompt_tokens=least_tokens, context_tokens=self.context_tokens)

    def embed(self, command: messages.Embed) -> tuple[tuple[float, ...], ...]:
        """Return one vector of unit length per text. Raises AppError: not_an_embedding_model, cancelled."""
        facts = self._require_model()
        if not self._is_embedding or self._is_reranker:  # a reranker's result is shorter than a vector
            raise AppError("not_an_embedding_model")
        try:
            return tuple(self._vector(text, facts) for text in command.texts)
        except DecodeAborted as error:
            raise AppError("cancelled") from error
        finally:
            self._clear()

    def _vector(self, text: str, facts: EngineFacts) -> tuple[float, ...]:
        """Return the vector of a text.

        A text longer than the context is cut; its final token stays, since some models pool there.
        """
        text = self._normalized(text)
        tokens = self._unigrams.tokens_of(text) if self._unigrams else self.tokens_of(text, with_begin_end=True)
        tokens = tokens or [max(0, api.llama_vocab_bos(self._vocabulary))]
        if len(tokens) > facts.batch_tokens:
            tokens = [*tokens[: facts.batch_tokens - 1], tokens[-1]]
        raw = self._pooled(tokens)
        if not raw:
            raise AppError("not_an_embedding_model")
        vector = np.ctypeslib.as_array(raw, shape=(facts.embedding_dimensions,)).astype(np.float64)
        return tuple((vector / max(float(np.linalg.norm(vector)), 1e-12)).tolist())

    def _pooled(self, tokens: list[int]) -> Any:
        """Evaluate a text and return llama.cpp's pointer to its pooled result, which is null if there is none."""
        self._clear()
        self._decode([(0, token, True) for token in tokens])  # llama.cpp would compute all rows anyway, and log that
        return api.llama_get_embeddings_seq(self._context, 0)

    @property
    def _is_reranker(self) -> bool:
        return self._is_embedding and self._header.is_reranker

    def rank(self, command: messages.Rank) -> messages.Ranked:
        """Return the score of each pair of the question and a passage, as llama-server's /rerank does.

        Raises AppError: not_a_reranker, cancelled, and pair_not_scored with the number of the first passage that fails,
        because scores of some passages order nothing.
        """
        self._require_model()
        if not self._is_reranker or api.llama_model_n_cls_out(self._model) < 1:
            raise AppError("not_a_reranker")
        started = time.perf_counter()
        try:
            scores = tuple(
                self._score(number, command.question, passage)
                for number, passage in enumerate(command.passages, start=1)
            )
        except DecodeAborted as error:
            raise AppError("cancelled") from error
        finally:
            self._clear()
        return messages.Ranked(command.id, scores, time.perf_counter() - started)

    def _score(self, number: int, question: str, passage: str) -> float:
        """Return the first output of the classification head: of "yes" if there are "yes" and "no"."""
        try:
            raw = self._pooled(self._fitting_pair(question, passage))
        except AppError as error:
            raise AppError("pair_not_scored", number=number, reason=error.code) from error
        if not raw or not math.isfinite(raw[0]):
            raise AppError("pair_not_scored", number=number, reason="no score")
        return float(raw[0])

    def _fitting_pair(self, question: str, passage: str) -> list[int]:
        """Return a pair's tokens, after cutting the end of a passage that is too long.

        Raises AppError("context_full") for a question that leaves no room.
        """
        template = self._header.text("tokenizer.chat_template.rerank")
        question, passage = self._normalized(question), self._normalized(passage)
        tokens = self.pair_tokens(question, passage, template)
        while len(tokens) > self.batch_tokens:
            if not passage:
                raise AppError("context_full", prompt_tokens=len(tokens), context_tokens=self.batch_tokens)
            passage = passage[: int(_CUT_SHARE * len(passage) * self.batch_tokens / len(tokens))]
            tokens = self.pair_tokens(question, passage, template)
        return tokens

    def _normalized(self, text: str) -> str:
        return " ".join(search_text.normalize_nfkc(text).split()) if self._header.lacks_normalization else text

    def tokenize(self, command: messages.Tokenize) -> tuple[int, ...]:
        self._require_vocabulary()
        pictures = (command.pictures, *[()] * len(command.prompts))
        return tuple(_length(*self._with_pictures(*one)) for one in zip(command.prompts, pictures, strict=False))

    def _require_model(self) -> EngineFacts:
        if self._facts is None:
            raise AppError("no_model_loaded")
        return self._facts

    def _require_vocabulary(self) -> None:
        """Raise AppError("no_model_loaded") if no model is loaded, or one that has no vocabulary of llama.cpp."""
        self._require_model()
        if self._unigrams is not None:
            raise AppError("no_model_loaded")

    def _use_adapters(self, adapters: tuple[messages.AdapterUse, ...]) -> None:
        """Use exactly these adapters. Each is checked against the base first, because llama.cpp crashes on a misfit."""
        if adapters == self._adapters_in_use:
            return
        for use in adapters:
            if use.path not in self._adapters:
                gguf.check_adapter(Path(use.path), self._header)
                self._prefixes.describe_adapter(use.path)
                self._adapters[use.path] = self._load_adapter(use.path)
        self._set_adapters([self._adapters[use.path] for use in adapters], [use.strength for use in adapters])
        self._adapters_in_use = adapters
        self._clear()  # the cache was computed with the earlier adapters


def _batch_tokens(command: Load) -> int:
    """Return the tokens of a batch; some models read a picture at once."""
    return max(command.batch_tokens, PICTURE_TOKENS_MOST if command.projector else 0)


def _length(prompt: Sequence[int], shown: dict[int, Shown]) -> int:
    """Return the tokens that a prompt takes in the cache."""
    return len(prompt) + sum(one.tokens - len(one.ids) for one in shown.values())


def _without_vocabulary(header: gguf.GgufHeader, tokens: int) -> Any:
    """Return overrides of metadata with which llama.cpp loads a model without its vocabulary of so many tokens."""
    overrides = (api.llama_model_kv_override * 3)()  # an empty key ends the list
    kind, size = api.llama_model_kv_override_value(val_str=b"none"), api.llama_model_kv_override_value(val_i64=tokens)
    overrides[0] = api.llama_model_kv_override(api.LLAMA_KV_OVERRIDE_TYPE_STR, b"tokenizer.ggml.model", kind)
    overrides[1] = api.llama_model_kv_override(api.LLAMA_KV_OVERRIDE_TYPE_INT, header.key("vocab_size").encode(), size)
    return overrides
