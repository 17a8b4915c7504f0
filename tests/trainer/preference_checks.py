"""The loss of pairs on tiny models, in the training environment: `main(FOLDER)` writes what it measured."""

import json
from pathlib import Path
from typing import Any

import torch

from tests.trainer import loss_checks
from trainer import data, model, preference
from trainer.tokenization import EncodedExample

CASES = ("base", "adapter", "own loss")


def pairs() -> list[EncodedExample]:
    """Three pairs of different lengths, whose prompts are not trained."""
    torch.manual_seed(7)
    made = []
    for prompt, chosen, rejected in ((10, 9, 14), (4, 13, 3), (8, 4, 6)):
        ids = torch.randint(3, loss_checks.SHAPE["vocab_size"], (prompt + chosen + rejected,)).tolist()
        asked, answers = ids[:prompt], (ids[prompt : prompt + chosen], ids[prompt + chosen :])
        one, other = (EncodedExample(asked + answer, [-100] * prompt + answer) for answer in answers)
        made.append(EncodedExample(one.ids, one.labels, rejected=other))
    return made


def measured(family: str, case: str) -> dict[str, Any]:
    """Loss, margins and gradients. `case`: what the reference is, or "own loss" for a model that keeps its own."""
    adapted = loss_checks.adapted_model(family, "f32")
    if case == "adapter":  # trained further, so that it differs from what it was
        preference.add_reference(adapted)
        with torch.no_grad():
            for name, tensor in adapted.named_parameters():
                if f".{preference.TRAINED}." in name:
                    tensor.mul_(1.5)
    if case != "own loss":
        model.install_loss(adapted.base_model.model)
    preference.install(adapted, has_own_loss=case == "own loss")
    adapted.train()
    loss = adapted(**data.collate(pairs(), 0)).loss
    loss.backward()
    trained = {name: one.grad for name, one in adapted.named_parameters() if one.requires_grad}
    gradient = torch.cat([one.flatten() for one in trained.values() if one is not None])
    with torch.no_grad():
        filler = data.untrained(pairs()[0])
        filled = [float(adapted(**data.collate(some, 0)).loss) for some in ([filler], [*pairs(), filler])]
        apart = [float(adapted(**data.collate([pair], 0)).loss) for pair in pairs()]
    held = [] if case == "own loss" else [margin(adapted, pair) for pair in pairs()]
    return {
        "loss": float(loss.detach()),
        "filled": [filled[0], filled[1] * (len(pairs()) + 1) / len(pairs())],
        "apart": sum(apart) / len(apart),
        "held": sum(float(torch.nn.functional.softplus(-one)) for one in held) / max(len(held), 1),
        "norm": float(gradient.norm()),
        "dot": float(gradient @ torch.arange(len(gradient)).float().sin()),
        "trained": sorted({name.split(".")[-2] for name in trained}),
    }


def margin(adapted: Any, pair: EncodedExample) -> torch.Tensor:
    """As it is measured of a pair that was kept back."""
    after = model.example_nll(adapted.base_model, pair.sequences, 0)
    with preference.reference_of(adapted):
        before = model.example_nll(adapted.base_model, pair.sequences, 0)
    return preference.margins(torch.tensor(after), torch.tensor(before))


def main(folder: str) -> None:
    found = {f"{family} {case}": measured(family, case) for family in ("llama", "gemma2", "gemma3") for case in CASES}
    (Path(folder) / "found.json").write_text(json.dumps(found), encoding="utf-8")
