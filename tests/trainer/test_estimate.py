"""What a run is computed to take, against what was computed by hand and what autograd was seen to keep."""

import dataclasses

import pytest

from trainer import estimate
from trainer.estimate import EpochWorkload, TrainedShape
from trainer.spec import RunSpec

GIB = 1 << 30
LLAMA_3_8B = {
    "model_type": "llama", "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32,
    "num_key_value_heads": 8, "intermediate_size": 14336, "vocab_size": 128256, "tie_word_embeddings": False,
}  # fmt: skip
NARROW = {
    "hidden_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 32,
    "intermediate_size": 384, "vocab_size": 1000,
}  # fmt: skip


def qlora(**changes: object) -> RunSpec:
    spec = RunSpec(
        "run", "base", "train", "validation", precision="nf4", device="cuda", rank=16, micro_batch=1, accumulation=16,
        optimizer="adamw_8bit", gradient_checkpointing=True, dropout=0.0, epochs=1.0, evaluations_per_epoch=0,
    )  # fmt: skip
    return dataclasses.replace(spec, **changes)  # type: ignore[arg-type]


@pytest.fixture
def shape() -> TrainedShape:
    return estimate.shape_from_config(LLAMA_3_8B)


def test_an_8b_base_has_the_parts_that_were_computed_by_hand(shape: TrainedShape) -> None:
    memory = estimate.estimate_memory(shape, qlora(), 2048)
    parts = {name: round(value / GIB, 2) for name, value in dataclasses.asdict(memory).items()}
    assert (parts["weights"], parts["tables"], parts["adapter"]) == (3.35, 1.96, 0.39)
    assert (parts["optimizer"], parts["kept"]) == (0.08, 0.5)
    assert memory.total == sum(dataclasses.astuple(memory))


@pytest.mark.parametrize(
    ("micro_batch", "tokens", "low", "high"),
    [(1, 768, 5.8, 7.0), (1, 2048, 7.0, 8.5), (2, 2048, 8.5, 11.0), (4, 2048, 11.0, 16.0)],
)
def test_its_peaks_lie_where_cards_of_8_to_24_gb_need_them(
    shape: TrainedShape, micro_batch: int, tokens: int, low: float, high: float
) -> None:
    assert low <= estimate.estimate_memory(shape, qlora(micro_batch=micro_batch), tokens).total / GIB <= high


@pytest.mark.parametrize(
    ("kind", "precision", "dropout", "kept"),
    [  # bytes a token and layer, read off with torch.autograd.graph.saved_tensors_hooks on a processor
        ("llama", "f32", 0.0, 9976),
        ("llama", "bf16", 0.0, 5512),  # without the copies of the LoRA matrices in 16 bits; 8,952 without autocast
        ("gemma3_text", "f32", 0.0, 11818),
        ("gemma3_text", "bf16", 0.0, 7354),
        ("llama", "f32", 0.05, 9976 + 6656),
        ("llama", "bf16", 0.05, 5512 + 3328),
    ],
)
def test_a_layer_keeps_what_autograd_was_seen_to_keep(kind: str, precision: str, dropout: float, kept: int) -> None:
    shape = estimate.shape_from_config(NARROW | {"model_type": kind})
    spec = qlora(precision=precision, dropout=dropout, device="cpu", rank=8, gradient_checkpointing=False)
    assert estimate.estimate_memory(shape, spec, 128).kept / shape.layers / 128 == pytest.approx(kept, rel=0.011)


def test_checkpointing_keeps_one_vector_a_layer_and_token() -> None:
    shape = estimate.shape_from_config(NARROW | {"model_type": "llama"})
    assert estimate.estimate_memory(shape, qlora(precision="bf16"), 100).kept == 2 * 100 * 128 * 2


def test_tables_are_in_16_bits_counted_parameters_are_kept_and_a_gguf_base_takes_its_folder(
    shape: TrainedShape,
) -> None:
    assert estimate.estimate_memory(shape, qlora(), 1024).tables == 2 * 2 * 128256 * 4096
    assert estimate.shape_from_config(LLAMA_3_8B, 8_030_261_248).parameters == 8_030_261_248
    assert shape.parameters == pytest.approx(8.03e9, rel=1e-3)
    disk = estimate.estimate_disk(shape, qlora(base="model.gguf"))
    assert disk.base == 2 * shape.parameters
    assert estimate.estimate_disk(shape, qlora()).base == 0
    # LoRA in 32 bits and two moments of one byte, four times.
    assert disk.checkpoints == pytest.approx(4 * 6 * shape.lora_weights(16), rel=0.01)


def test_time_follows_the_passes_over_the_weights_and_is_shared_by_processes(shape: TrainedShape) -> None:
    load = EpochWorkload(examples=100, tokens=50_000, trained=20_000, validation_tokens=5_000)
    kept = estimate.estimate_time(shape, qlora(gradient_checkpointing=False), load, 1e13)
    again = estimate.estimate_time(shape, qlora(), load, 1e13)
    assert again.total_s / kept.total_s == pytest.approx(1.5, abs=0.1)
    assert again.steps == 7
    assert estimate.estimate_time(shape, qlora(max_steps=3), load, 1e13).steps == 3
    evaluated = estimate.estimate_time(shape, qlora(evaluations_per_epoch=4), load, 1e13)
    assert evaluated.total_s > again.total_s
    load = EpochWorkload(examples=96, tokens=48_000, trained=20_000)
    alone = estimate.estimate_time(shape, qlora(), load, 1e13)
    two = estimate.estimate_time(shape, qlora(), dataclasses.replace(load, processes=2), 1e13)
    assert (alone.steps, two.steps) == (6, 6)
    assert two.step_s == pytest.approx(alone.step_s / 2)


@pytest.mark.parametrize(
    ("gib", "micro_batch", "checkpoint_every", "embedding_on_cpu"),
    [(30, 4, 0, False), (15, 1, 0, False), (10.8, 1, 4, False), (7.2, 1, 1, False), (6.6, 1, 1, True)],
)
def test_the_settings_are_the_fastest_that_fit_the_card(
    shape: TrainedShape, gib: float, micro_batch: int, checkpoint_every: int, embedding_on_cpu: bool
) -> None:
    lengths = [700, 250, 300, 350] * 8
    load = EpochWorkload(32, sum(lengths), sum(lengths), lengths=lengths)
    planned = qlora(micro_batch=2, accumulation=4, optimizer="adamw_8bit")
    asked = RunSpec("run", "base", "train", "validation")
    found = estimate.fit_card(shape, planned, asked, load, round(gib * GIB))
    assert (found.micro_batch, found.accumulation) == (micro_batch, 8 // micro_batch)
    assert (found.checkpoint_every if found.gradient_checkpointing else 0) == checkpoint_every
    assert bool(found.embedding_on_cpu) is embedding_on_cpu
    before = estimate.estimate_memory(shape, dataclasses.replace(found, embedding_on_cpu=False), 700)
    saved = before.total - estimate.estimate_memory(shape, found, 700).total
    assert saved == (2 * 128256 * 4096 if embedding_on_cpu else 0)


def test_no_setting_that_was_asked_for_is_changed(shape: TrainedShape) -> None:
    load = EpochWorkload(32, 32 * 700, 32 * 700, lengths=[700] * 32)
    asked = RunSpec("run", "base", "train", "validation", accumulation=4, checkpoint_every=2)
    planned = qlora(micro_batch=2, accumulation=4, checkpoint_every=2, optimizer="adamw_8bit")
    for gib in (5, 10, 80):
        found = estimate.fit_card(shape, planned, asked, load, gib * GIB)
        assert (found.micro_batch, found.accumulation, found.checkpoint_every) == (2, 4, 2)
        assert found.gradient_checkpointing


def test_attention_and_padding_count_and_the_layers_are_unpacked_for_each_micro_batch(shape: TrainedShape) -> None:
    spec = qlora(loss="preference", precision="bf16", compute="bf16", gradient_checkpointing=False)
    lengths = [8000] * 16
    load = EpochWorkload(16, 2 * sum(lengths), 0, lengths=lengths)
    forward = 2 * shape.linear_weights + 4 * 8000 * shape.queries * shape.layers
    passes = load.tokens * 3 * forward  # the policy's two, and the reference's
    assert estimate.estimate_time(shape, spec, load, 1.0).step_s == pytest.approx(passes, rel=0.02)
    assert estimate.epoch_work([10, 40, 20, 30, 5], 4, 2, 0.0) == 2 * 40 + 2 * 20 + 5
    assert estimate.epoch_work([10, 40], 2, 2, 1000.0) == 50 * 1.05  # packed
    assert estimate.epoch_work([30, 40], 2, 2, 10.0) == 80 * 5.0  # attention would take longer than the padding
    lengths = [300] * 64
    load = EpochWorkload(64, sum(lengths), sum(lengths), lengths=lengths)
    one, two = (
        estimate.estimate_time(shape, qlora(micro_batch=size, accumulation=8 // size), load, 1e13) for size in (1, 2)
    )
    assert 1.1 < one.step_s / two.step_s < 1.3


def test_a_card_is_known_by_a_part_of_its_name() -> None:
    assert estimate.card_flops_per_s("NVIDIA GeForce RTX 4060 Ti") > estimate.card_flops_per_s("RTX 4060")
    assert estimate.card_flops_per_s("something new") > 0
