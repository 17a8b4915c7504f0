"""Where layers lie on cards of any number and size: simulated cards, and a model of Llama-3-8B's shape in Q4_K_M."""

from dataclasses import replace

import pytest

from app.inference import memory_estimate, offload
from app.inference.gguf import GgufHeader, TensorInfo
from app.inference.offload import Card, plan_offload
from tests.inference.test_fit import shaped

MIB, GIB = 1 << 20, 1 << 30
BLOCK, OUTPUT, CONTEXT = 130 * MIB, 411 * MIB, 8192
CACHE = GIB // 32  # of a layer at 8,192 tokens


def model(*, is_tied: bool = False) -> GgufHeader:
    sizes = {f"blk.{layer}.weights": BLOCK for layer in range(32)}
    sizes |= {"token_embd.weight": OUTPUT if is_tied else 281 * MIB, **({} if is_tied else {"output.weight": OUTPUT})}
    return replace(shaped(), tensors={name: TensorInfo(name, (1,), "Q4_K", 0, size) for name, size in sizes.items()})


def cards(*free_gib: float) -> list[Card]:
    return [Card(f"CUDA{place}", "", int(gib * GIB), 1 << 40) for place, gib in enumerate(free_gib)]


def used_bytes(count: int, shares: tuple[float, ...]) -> list[int]:
    """What llama.cpp takes of each card."""
    layers = [*[BLOCK + CACHE] * 32, OUTPUT][33 - count :]
    compute = memory_estimate.activations_bytes(model(), CONTEXT, 512, 1)
    used = [compute if share else 0 for share in shares]
    for card, size_bytes in zip(offload.card_of_each(count, shares), layers, strict=True):
        used[card] += size_bytes
    return used


@pytest.mark.parametrize("is_tied", [False, True], ids=["with an output", "whose output is the embedding"])
def test_a_card_that_is_large_enough_gets_every_layer_and_a_smaller_one_the_last_ones(is_tied: bool) -> None:
    whole = plan_offload(model(is_tied=is_tied), cards(8), CONTEXT, 512, "f16")
    assert (whole.layers, whole.shares) == (33, (1.0,))
    assert whole.weights_bytes == 32 * BLOCK + OUTPUT
    part = plan_offload(model(is_tied=is_tied), cards(4), CONTEXT, 512, "f16")
    assert 0 < part.layers < 33
    assert part.weights_bytes == (part.layers - 1) * BLOCK + OUTPUT
    room = 4 * GIB - offload.RESERVE_BYTES
    assert used_bytes(part.layers, part.shares)[0] <= room < used_bytes(part.layers + 1, part.shares)[0]


def test_a_card_without_room_for_a_layer_is_not_used() -> None:
    for none in (cards(), cards(0), cards(0.9), cards(0.1, 0.5)):
        assert plan_offload(model(), none, CONTEXT, 512, "f16") == offload.Offload()


def test_two_cards_are_used_only_where_one_is_not_enough_and_by_their_free_memory() -> None:
    assert plan_offload(model(), cards(7, 24), CONTEXT, 512, "f16").shares == (0.0, 1.0)
    both = plan_offload(model(), cards(5, 3.5), CONTEXT, 512, "f16")
    assert both.layers == 33
    assert both.shares[0] > both.shares[1] > 0
    assert sum(both.shares) == pytest.approx(1)
    assert plan_offload(model(), cards(4, 0.1), CONTEXT, 512, "f16").shares == (1.0, 0.0)


@pytest.mark.parametrize("besides", [0, 300 * MIB])
@pytest.mark.parametrize("free", [(2, 2), (3, 1.5), (1.2, 4), (6, 1), (2, 1, 3), (1.5, 1.5, 1.5, 1.5)])
def test_no_card_is_filled_beyond_its_room(free: tuple[float, ...], besides: int) -> None:
    plan = plan_offload(model(), cards(*free), CONTEXT, 512, "f16", besides_bytes=besides)
    assert plan.layers > 0
    for used, gib in zip(used_bytes(plan.layers, plan.shares), free, strict=True):
        assert used == 0 or used + besides + offload.RESERVE_BYTES <= gib * GIB


def test_scores_and_an_adapter_beside_the_layers_leave_room_for_fewer() -> None:
    """Of an 8B on a card of 6 GiB, beyond what is left to the driver."""
    scores = memory_estimate.attention_bytes(model(), CONTEXT, 512)
    assert scores == 512 * MIB
    plans = [plan_offload(model(), cards(6), CONTEXT, 512, "f16", besides_bytes=one) for one in (0, scores)]
    assert plans[0].layers > plans[1].layers > 0


def test_a_longer_context_a_finer_cache_and_more_answers_at_a_time_leave_room_for_fewer_layers() -> None:
    def layers(context: int, kv_type: str = "f16", parallel: int = 1) -> int:
        return plan_offload(model(), cards(6), context, 512, kv_type, parallel).layers

    assert layers(4096) > layers(32_768) < layers(32_768, "q8_0")
    assert layers(4096) > layers(4096, parallel=7)


def test_an_output_that_the_card_did_not_take_or_blocks_that_are_missing_are_not_counted() -> None:
    plan = plan_offload(model(), cards(8), CONTEXT, 512, "f16")
    present = [plan.layers_present(size) for size in (32 * BLOCK + OUTPUT, 32 * BLOCK, 16 * BLOCK, 0)]
    assert present == [33, 32, 0, 0]
    assert offload.Offload().layers_present(0) == 0


def test_the_part_that_reads_pictures_takes_its_memory_of_the_first_card_or_stays_on_the_processor() -> None:
    def plan(*free_gib: float) -> offload.Offload:
        return plan_offload(model(), cards(*free_gib), CONTEXT, 512, "f16", projector=part)

    tensors = {"v.patch_embd.weight": TensorInfo("v.patch_embd.weight", (1,), "F16", 0, GIB)}
    part = replace(shaped(), tensors=tensors, metadata={})
    alone, beside = plan_offload(model(), cards(4), CONTEXT, 512, "f16"), plan(4)
    assert beside.has_projector
    assert 5 <= alone.layers - beside.layers <= 8  # 1 GiB of layers, each 162 MiB
    small = plan(1, 8)  # libmtmd takes no card but the first
    assert (small.layers, small.shares, small.has_projector) == (33, (0.0, 1.0), False)
    assert not plan(1).has_projector
    assert not plan_offload(model(), cards(8), CONTEXT, 512, "f16").has_projector
