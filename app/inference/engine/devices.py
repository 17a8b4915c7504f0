"""List the graphics cards that the engine finds with its GPU packs, in a child, because drivers crash and hang."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from app.base.isolation import sandbox
from app.inference import engine_packs
from app.inference.engine import llama
from app.inference.engine.llama import Device
from trainer.wire import claim_stdout, ends_process


def load_packs(packs: Sequence[str]) -> tuple[str, tuple[Device, ...]]:
    """Load the first pack that finds a graphics card. Return its folder ("": none does) and the cards."""
    for pack in packs:
        files = engine_packs.verified(Path(pack))
        if files and llama.load_pack(files) and (found := llama.devices()):
            return pack, found
    return "", llama.devices()


@ends_process
def main(packs: Sequence[str]) -> None:
    """Write a line of JSON for each card (`app.inference.offload.Card`). `packs`: folders of packs, best first."""
    writer = claim_stdout()
    sandbox.confine(sandbox.graphics_paths())
    for device in load_packs(packs)[1]:
        writer.send(dataclasses.asdict(device.card))
