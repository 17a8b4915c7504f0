"""In the training environment: a tiny base whose vocabulary wants a space before each text, as Llama 2's does."""

import io
import json
from pathlib import Path

import sentencepiece
import texts
import tiny_hf
import transformers

NAMES = {
    "tokenizer_class": "LlamaTokenizer",
    "bos_token": "<s>",
    "eos_token": "</s>",
    "unk_token": "<unk>",
    "add_bos_token": True,
    "legacy": False,
}


class SpacedSentencePiece(tiny_hf.SentencePiece):
    def __init__(self) -> None:
        model = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(texts.corpus()),
            model_writer=model,
            vocab_size=2500,
            model_type="bpe",
            byte_fallback=True,
            character_coverage=0.999,
            normalization_rule_name="identity",
            add_dummy_prefix=True,
            remove_extra_whitespaces=False,
            user_defined_symbols=["<|user|>", "<|assistant|>", "<|system|>"],
            unk_id=0,
            bos_id=1,
            eos_id=2,
            minloglevel=2,
        )
        self._model = model.getvalue()
        self._processor = sentencepiece.SentencePieceProcessor(model_proto=self._model)


def main(folder: Path) -> None:
    config = transformers.LlamaConfig(**tiny_hf.SHAPE)
    tiny_hf.FAMILIES["spaced"] = lambda: (lambda: (SpacedSentencePiece(), NAMES), config)
    tiny_hf.make_base(folder, "spaced", tied=True, seed=1)
    flags = dict.fromkeys(("lstrip", "rstrip", "normalized", "single_word"), False) | {"special": True}
    texts_of = ["<unk>", "<s>", "</s>", "<|user|>", "<|assistant|>", "<|system|>"]
    controls = {str(id): {"content": text, **flags} for id, text in enumerate(texts_of)}
    named = NAMES | {"added_tokens_decoder": controls}
    (folder / "tokenizer_config.json").write_text(json.dumps(named), encoding="utf-8")
