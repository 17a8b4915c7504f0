"""Decode in a plain loop over llama.cpp, in a process of its own: what `tests.benchmarks.engine` compares with.

It uses nothing of the engine's loop: llama.cpp's greedy sampler, one token after the other, no pipe, no text handling
but the token's bytes. File, threads, context, batch size and layout are those of the engine.
"""

import ctypes
import sys
import time
from typing import Any

from app.inference.engine.llama import api
from trainer.wire import claim_stdout, read_lines


def main(arguments: list[str]) -> int:
    """`arguments`: FILE CONTEXT_TOKENS BATCH_TOKENS THREADS REPACK. Then lines {"text", "answer_tokens"} on stdin.

    Each is answered by {"prompt_tokens", "prompt_s", "answer_s", "answer_tokens"}.
    """
    writer = claim_stdout()
    path, context_tokens, batch_tokens, threads, repack = arguments
    loop = _Loop(path, int(context_tokens), int(batch_tokens), int(threads), repack == "1")
    writer.send({"ready": True})
    for request in read_lines(sys.stdin.buffer):
        writer.send(loop.measure(request["text"], request["answer_tokens"]))
    return 0


class _Loop:
    def __init__(self, path: str, context_tokens: int, batch_tokens: int, threads: int, repack: bool) -> None:
        model_params = api.llama_model_default_params()
        model_params.use_extra_bufts = repack
        self._model = api.llama_model_load_from_file(path.encode("utf-8"), model_params)
        params = api.llama_context_default_params()
        params.n_ctx = context_tokens
        params.n_batch = params.n_ubatch = batch_tokens
        params.n_threads = params.n_threads_batch = threads
        params.n_outputs_max = 1
        params.swa_full = True
        params.no_perf = True
        self._context = api.llama_init_from_model(self._model, params)
        self._vocabulary = api.llama_model_get_vocab(self._model)
        self._sampler = api.llama_sampler_chain_init(api.llama_sampler_chain_default_params())
        api.llama_sampler_chain_add(self._sampler, api.llama_sampler_init_greedy())
        self._batch_tokens = batch_tokens

    def measure(self, text: str, answer_tokens: int) -> dict[str, float]:
        tokens = self._tokens(text.encode("utf-8"))
        api.llama_memory_clear(api.llama_get_memory(self._context), True)
        began = time.perf_counter()
        for at in range(0, len(tokens), self._batch_tokens):
            self._decode(tokens[at : at + self._batch_tokens])
        token = api.llama_sampler_sample(self._sampler, self._context, -1)
        first = time.perf_counter()
        piece = ctypes.create_string_buffer(256)
        for _ in range(answer_tokens - 1):
            api.llama_token_to_piece(self._vocabulary, token, piece, len(piece), 0, False)
            self._decode([token])
            token = api.llama_sampler_sample(self._sampler, self._context, -1)
        end = time.perf_counter()
        return {
            "prompt_tokens": len(tokens),
            "prompt_s": first - began,
            "answer_tokens": answer_tokens,
            "answer_s": end - first,
        }

    def _tokens(self, text: bytes) -> list[int]:
        room = len(text) + 8
        out = (api.llama_token * room)()
        count = api.llama_tokenize(self._vocabulary, text, len(text), out, room, True, False)
        return list(out[:count])

    def _decode(self, tokens: list[int]) -> None:
        array: Any = (api.llama_token * len(tokens))(*tokens)
        status = api.llama_decode(self._context, api.llama_batch_get_one(array, len(tokens)))
        assert status == 0, status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
