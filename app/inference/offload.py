"""Compute how many layers of a model fit into the free memory of graphics cards, and on which card each lies.

llama.cpp offloads the last layers, of which the output is one. It gives each card a share of them, the first card the
first ones. A layer takes its weights and its part of the cache; besides, each card has a compute buffer.
"""

import bisect
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from msgspec import Struct

from app.inference import memory_estimate
from app.inference.gguf import GgufHeader
from app.inference.memory_estimate import MIB

RESERVE_BYTES = 512 * MIB  # of each card, left to its driver, to the desktop, and to what the estimate lacks
_PRESENT = 0.97  # of the planned weights that must be in buffers of cards
_LAYER = re.compile(r"blk\.(\d+)\.")


@dataclass(frozen=True, slots=True)
class Card:
    """Describes a graphics card. `is_integrated`: its memory is that of the processor."""

    name: str  # the backend's, such as CUDA0
    description: str
    free_bytes: int
    total_bytes: int
    is_integrated: bool = False


class Offload(Struct, frozen=True):
    """Where a model's layers are to lie.

    `layers`: how many of the last are on cards, counting the output as one. `shares`: of these for each card, 0 to 1
    and together 1; a card with 0 is not used. `weights_bytes`: of these layers. `output_bytes`: of the output among
    them. `has_projector`: the part that reads pictures is on the first card.
    """

    layers: int = 0
    shares: tuple[float, ...] = ()
    weights_bytes: int = 0
    output_bytes: int = 0
    has_projector: bool = False

    def layers_present(self, card_bytes: int) -> int:
        """Return how many of the layers lie on cards, whose buffers have `card_bytes` of weights.

        llama.cpp leaves an output on the processor that is larger than a buffer of the card may be.
        """
        if card_bytes >= _PRESENT * self.weights_bytes:
            return self.layers
        return self.layers - 1 if card_bytes >= _PRESENT * (self.weights_bytes - self.output_bytes) else 0


def plan_offload(
    header: GgufHeader,
    cards: Sequence[Card],
    context_tokens: int,
    batch_tokens: int,
    kv_type: str,
    parallel: int = 1,
    projector: GgufHeader | None = None,
    besides_bytes: int = 0,
) -> Offload:
    """Return the placement with the most layers on cards: on one card if it holds them all, else on several.

    Several cards get layers by their free memory, because each is as long busy with a token as it has layers. libmtmd
    takes the first card or none: `projector`, the part that reads pictures, lies there if it has room. `besides_bytes`:
    what each card that is used holds besides, such as an adapter.
    """
    context = memory_estimate.rounded_context(header, context_tokens)
    weights = _weights_by_layer(header)
    caches = [*memory_estimate.cache_bytes_by_layer(header, context, kv_type), 0]
    layers = [own + parallel * cache for own, cache in zip(weights, caches, strict=True)]
    compute = memory_estimate.activations_bytes(header, context, min(batch_tokens, context), parallel)
    free = [card.free_bytes - RESERVE_BYTES - besides_bytes for card in cards]
    taken = projector.weights_bytes + memory_estimate.picture_bytes(projector) if projector else 0
    has_projector = projector is not None and bool(free) and free[0] >= taken
    if has_projector:
        free[0] -= taken
    rooms = [max(0, size_bytes - compute) for size_bytes in free]
    largest = max(range(len(cards)), key=rooms.__getitem__, default=0)
    alone = [room if place == largest else 0 for place, room in enumerate(rooms)]
    choices = [(_most_layers(layers, choice), choice) for choice in (alone, rooms)]
    count, choice = max(choices, key=lambda one: one[0])  # the first of equals: one card
    if count == 0:
        return Offload()
    shares = tuple(room / sum(choice) for room in choice)
    return Offload(count, shares, sum(weights[-count:]), weights[-1], has_projector)


def card_of_each(count: int, shares: Sequence[float]) -> list[int]:
    """Return on which card llama.cpp puts each of `count` layers (llama-model.cpp, load_tensors)."""
    ends = list(itertools.accumulate(shares))
    return [min(bisect.bisect_right(ends, place / count * ends[-1]), len(ends) - 1) for place in range(count)]


def _most_layers(layers: Sequence[int], rooms: Sequence[int]) -> int:
    """Return how many of the last layers fit if each card gets a share by its room."""
    for count in range(len(layers) if any(rooms) else 0, 0, -1):
        used = [0] * len(rooms)
        for card, size_bytes in zip(card_of_each(count, rooms), layers[-count:], strict=True):
            used[card] += size_bytes
        if all(size_bytes <= room for size_bytes, room in zip(used, rooms, strict=True)):
            return count
    return 0


def _weights_by_layer(header: GgufHeader) -> list[int]:
    """Return the bytes of each block and of the output, which copies the embedding if it has no matrix of its own."""
    found = [0] * (header.block_count + 1)
    for tensor in header.tensors.values():
        block = _LAYER.match(tensor.name)
        if block is not None and int(block[1]) < header.block_count:
            found[int(block[1])] += tensor.size_bytes
        elif tensor.name.startswith("output"):
            found[-1] += tensor.size_bytes
    if "output.weight" not in header.tensors and "token_embd.weight" in header.tensors:
        found[-1] += header.tensors["token_embd.weight"].size_bytes
    return found
