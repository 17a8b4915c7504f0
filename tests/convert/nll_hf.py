"""`<trainer python> nll_hf.py BASE ADAPTER HOLDOUT.json`: nats of each example as transformers and peft have them."""

import json
import os
import sys
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import peft
import torch
import transformers


def nll(model, example: dict) -> float:
    """Sum over the labels that are not -100; the logits before a token predict it."""
    ids, labels = torch.tensor([example["ids"]]), torch.tensor(example["labels"])
    with torch.inference_mode():
        log_p = model(ids).logits[0, :-1].double().log_softmax(-1)
    places = (labels[1:] != -100).nonzero()[:, 0]
    return float(-log_p[places, labels[1:][places]].sum())


def main(base: str, adapter: str, holdout: str) -> None:
    examples = json.loads(Path(holdout).read_text(encoding="utf-8"))["examples"]
    model = transformers.AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32).eval()
    plain = [nll(model, example) for example in examples]
    tuned = peft.PeftModel.from_pretrained(model, adapter).eval()
    print(json.dumps({"base": plain, "adapter": [nll(tuned, example) for example in examples]}))


if __name__ == "__main__":
    main(*sys.argv[1:])
