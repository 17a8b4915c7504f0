"""In the training environment: nats of each example as transformers and peft have them."""

import json
from pathlib import Path

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


def main(base: str, adapter: str, holdout: str, told: str) -> None:
    examples = json.loads(Path(holdout).read_text(encoding="utf-8"))["examples"]
    model = transformers.AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32).eval()
    plain = [nll(model, example) for example in examples]
    tuned = peft.PeftModel.from_pretrained(model, adapter).eval()
    found = {"base": plain, "adapter": [nll(tuned, example) for example in examples]}
    Path(told).write_text(json.dumps(found), encoding="utf-8")
