"""Parts of the trainer alone, in the training environment: `main(BASE, FOLDER)`, in a process of the run server.

What they make of what a test cannot bring about: several cards or processes, a card's errors, a base that sets traps.
Writes an object, check -> what was found.
"""

import dataclasses
import gc
import itertools
import json
import logging
import os
import shutil
import sys
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from transformers import TrainerControl, TrainingArguments

from trainer import __main__ as trainer_main
from trainer import estimate, export, loop, machine, model, probe, recipe, run, start
from trainer.channel import RunControl
from trainer.convert_job import GgufToHf
from trainer.data import BaseFacts, TrainingInputs, inspect_base
from trainer.events import Adjusted, RunError, RunForecast
from trainer.prompt_form import TrainingPromptForm
from trainer.spec import RunSpec
from trainer.tokenization import EncodedExample

FORM = TrainingPromptForm(question="Q{text}", answer="A{text}", answer_start="A")
COMPUTED = RunForecast(peak_bytes=1, available_bytes=250, step_s=1.0, total_s=1.0, disk_bytes=1, is_measured=False)
LLAMA_3_8B = {
    "model_type": "llama", "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32,
    "num_key_value_heads": 8, "intermediate_size": 14336, "vocab_size": 128256, "tie_word_embeddings": False,
}  # fmt: skip
DAMAGED: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "width": ("config.json", lambda data: data.replace(b'"hidden_size"', b'"n_embd"')),
    "other json": ("generation_config.json", lambda _data: b"{"),
    "header": ("model.safetensors", lambda data: data[:8] + b"\x00" + data[9:]),
    "entries": ("model.safetensors", lambda data: (7).to_bytes(8, "little") + b'{"a":1}' + data),
}


class Ear:
    def __init__(self) -> None:
        self.told: list[Any] = []

    def send(self, event: Any) -> None:
        self.told.append(event)


def material(**given: Any) -> TrainingInputs:
    """24 examples to train, of 10 tokens, 4 a step."""
    asked = RunSpec(
        "x", "x", "x", "x", **{"device": "cpu", "micro_batch": 4, "accumulation": 1, "dropout": 0.0} | given
    )
    facts = recipe.RecipeFacts(24, 10, "cpu", 1 << 34, False, 1000, "llama", "linux")
    examples = [EncodedExample(list(range(10)), list(range(10)), line) for line in range(24)]
    return TrainingInputs(recipe.resolve(asked, facts), FORM, None, examples, examples[:4], ())  # type: ignore[arg-type]


@contextmanager
def replaced(owner: Any, **others: Any) -> Iterator[None]:
    plain = {name: getattr(owner, name) for name in others}
    for name, value in others.items():
        setattr(owner, name, value)
    try:
        yield
    finally:
        for name, value in plain.items():
            setattr(owner, name, value)


@contextmanager
def two_processes() -> Iterator[None]:
    os.environ["WORLD_SIZE"] = "2"
    try:
        yield
    finally:
        del os.environ["WORLD_SIZE"]


def failed(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except RunError as error:
        return [error.code, error.facts]


# ---------------------------------------------------------------------- the loop


def saving_when_another_process_wants_it() -> Any:
    other = torch.tensor([[0, 1]])
    going: Any = SimpleNamespace(
        run_control=SimpleNamespace(requested_command=None),
        args=SimpleNamespace(world_size=2, device="cpu"),
        accelerator=SimpleNamespace(gather=lambda told: torch.cat([told, other])),
    )
    control = TrainerControl()
    loop.LoopCallback(going).on_step_end(going.args, None, control)
    return control.should_save


def cards_of_one_process(folder: Path) -> Any:
    class Several(TrainingArguments):  # type: ignore[misc]
        def __post_init__(self) -> None:
            super().__post_init__()
            self._n_gpu = 2

    with replaced(loop, TrainingArguments=Several):
        arguments = loop._arguments(material(), folder)
    return [arguments.n_gpu, arguments.train_batch_size]


def warm_up() -> Any:
    found = {}
    for share in (0.0, 0.05, 0.8):
        spec = material(warmup_share=share).spec
        found[str(share)] = next(step for step in range(100) if loop.rate_share(spec, step, 100) == 1.0)
    return found


def gradient_without_scaler() -> Any:
    going: Any = object.__new__(loop.TrainingLoop)
    going.accelerator = SimpleNamespace(scaler=None, distributed_type=None)
    going.args, going.state = SimpleNamespace(fp16=True), SimpleNamespace(global_step=4)
    going._get_learning_rate = lambda: 0.1
    try:
        going._get_grad_norm(None, torch.tensor(float("inf")))
    except loop.NotFiniteError as error:
        return error.step
    return None


def evaluations_left_s() -> Any:
    """Seconds of the evaluations after a step: 1 s for the loss, 10 s for the answers, 5 steps an epoch, 12 in all."""
    going: Any = object.__new__(loop.TrainingLoop)
    going.args = SimpleNamespace(eval_strategy="steps", eval_steps=2)
    going.material = SimpleNamespace(train=range(10), step_examples=2)
    going._loss_s, going._samples_s = 1.0, 10.0
    found = []
    for step in (1, 2, 3, 10, 11, 12):
        going.state = SimpleNamespace(global_step=step, max_steps=12)
        found.append(going._evaluations_left_s())
    return found


def clock_of_a_resumed_run() -> Any:
    now = [0.0]
    with replaced(loop.time, monotonic=lambda: now[0]):
        clock = loop.ThroughputMeter()
        clock.resume_from(1000.0, 500)
        clock.tokens, now[0] = 20, 2.0
        return [clock.lap(), [clock.trained_s, clock.all_tokens]]


# --------------------------------------------------------------------- the probe


def speed_by_a_coarse_clock() -> Any:
    """Products of 512 x 512 a second and thread, halved, where the clock moves 1/64 s at every third look."""
    looks = itertools.count()
    with replaced(probe.time, process_time=lambda: next(looks) // 3 / 64):
        return probe._processor_flops_per_s() / torch.get_num_threads() / 512**3


def words_for_too_little_memory() -> Any:
    words = (
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "CUDA error: out of memory\nCompile with TORCH_USE_CUDA_DSA",
        "DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.",
        "mat1 and mat2 shapes cannot be multiplied",
    )
    return [probe.is_out_of_memory(RuntimeError(text)) for text in words]


def measured(available_bytes: int) -> Any:
    """A micro batch takes 100 bytes an example, the optimizer 48. What was told on the way, and what it ended with."""
    ear, latest = Ear(), [material(device="cuda", optimizer="adamw", compute="f32", precision="f32")]

    def work_s(_model: Any, tried: TrainingInputs, _control: RunControl) -> float:
        latest[0] = tried
        return 0.1

    computed = dataclasses.replace(COMPUTED, available_bytes=available_bytes)
    with (
        replaced(probe, _work_seconds=work_s, _sample_seconds=lambda *_: 0.0),
        replaced(loop, peak_memory_bytes=lambda _device: 100 * latest[0].micro_batch),
    ):
        asked: Any = (torch.nn.Linear(2, 2), latest[0], computed, ear, RunControl())
        ended = failed(lambda: probe.measure_steps(*asked))
    cuts = [event.facts["micro_batch"] for event in ear.told if isinstance(event, Adjusted)]
    return {"cuts": cuts, "ended": ended if isinstance(ended, list) else ended.micro_batch}


def searched(share: float, **given: Any) -> Any:
    """What the probe makes of an 8B base on a card of 15 GiB whose activations take `share` of what is computed.

    Settings as planned, as measured in turn, and in the end: micro batch, and each how many layers compute again.
    """
    base = BaseFacts(Path("base"), "llama", 128256, 8_030_261_248, LLAMA_3_8B)
    asked = RunSpec("x", "x", "x", "x", preset="paper-2603.18037", device="cuda", rank=16, **given)
    facts = recipe.RecipeFacts(48, 700, "cpu", 15 << 30, True, base.parameters, "llama", "windows")
    examples = [EncodedExample([1] * length, [1] * length, 1) for length in range(230, 710, 10)]
    shape, available, latest = estimate.shape_from_config(LLAMA_3_8B), 15 << 30, [asked]

    def planned() -> TrainingInputs:
        resolved = TrainingInputs(recipe.resolve(asked, facts), FORM, None, examples, [], ())  # type: ignore[arg-type]
        return probe.fit_card(resolved, base, asked, available)

    def work_s(_model: Any, tried: TrainingInputs, _control: RunControl) -> float:
        latest.append(tried.spec)
        load = estimate.EpochWorkload(1, 1, 1, lengths=[700] * (tried.spec.micro_batch or 1))
        return estimate.estimate_time(shape, tried.spec, load, 1e13).step_s / (tried.spec.micro_batch or 1)

    def peak(_device: str) -> int:
        memory = estimate.estimate_memory(shape, latest[-1], 700)
        activations = memory.kept + memory.working + memory.spare
        return round(memory.weights + memory.tables + memory.adapter + share * activations)

    def set_one(_model: Any, spec: RunSpec) -> None:
        in_model[0] = spec

    computed = dataclasses.replace(COMPUTED, available_bytes=available)
    with (
        replaced(probe, _work_seconds=work_s, _sample_seconds=lambda *_: 0.0, set_checkpointing=set_one),
        replaced(loop, peak_memory_bytes=peak),
    ):
        ear, first = Ear(), planned()
        in_model = [first.spec]
        refit = lambda material, peak_bytes: probe.fit_card(material, base, asked, available, peak_bytes)  # noqa: E731
        model: Any = torch.nn.Linear(2, 2)
        ended = probe.measure_steps(model, first, computed, ear, RunControl(), refit)  # type: ignore[arg-type]
    tried = [_use_of_the_card(spec) for spec in latest[1:]]
    told = [event.reason for event in ear.told if isinstance(event, Adjusted)]
    assert in_model[0].checkpoint_every == ended.spec.checkpoint_every
    assert in_model[0].gradient_checkpointing == ended.spec.gradient_checkpointing
    return {"tried": tried, "ended": _use_of_the_card(ended.spec), "told": told, "step": ended.step_examples}


def _use_of_the_card(spec: RunSpec) -> list[int]:
    return [spec.micro_batch or 0, (spec.checkpoint_every or 1) if spec.gradient_checkpointing else 0]


def named_card(base: Path, folder: Path) -> Any:
    """The card that libraries of the trainer see, which is the one that was named when it started."""
    spec = RunSpec(str(folder / "run"), str(base), "x", "x")
    options = SimpleNamespace(card="GPU-1", commands=False, resume=False, ends_after=None)
    os.environ.pop("CUDA_VISIBLE_DEVICES", None)
    with replaced(run, run=lambda *_, **__: None):
        trainer_main._run(spec, machine.MachineSettings(), Ear(), options)  # type: ignore[arg-type]
    return os.environ.pop("CUDA_VISIBLE_DEVICES", "")


def distributed() -> Any:
    def forecast() -> Any:
        return dataclasses.asdict(probe._forecast(material(epochs=1.0, evaluations_per_epoch=0), 0.1, 0.0, 1, COMPUTED))

    alone = forecast()
    with two_processes():
        return {
            "smaller": failed(lambda: probe.spare_memory(None, material(), Ear(), 3)),  # type: ignore[arg-type]
            "step_examples": material().step_examples,
            "forecast": {name: [alone[name], forecast()[name]] for name in ("step_s", "total_s")},
            "samples_s": _samples_s(),
        }


def _samples_s() -> float:
    """What five seconds of sample answers at each evaluation add to the forecast of one epoch with two evaluations."""
    asked = material(epochs=1.0, evaluations_per_epoch=2)
    without, with_samples = (probe._forecast(asked, 0.1, sample_s, 1, COMPUTED).total_s for sample_s in (0.0, 5.0))
    return with_samples - without


def what_is_forgotten() -> Any:
    class Node:
        other: Any = None

    gc.disable()
    going, watch = Node(), Node()
    going.other, watch.other = watch, going
    kept = weakref.ref(going)
    del going, watch
    probe.release_memory(torch.nn.Linear(2, 2))
    gc.enable()
    return kept() is None


# ------------------------------------------------------------ the base and its words


def damaged_bases(base: Path, folder: Path) -> Any:
    found = {}
    for name, (file, damage) in DAMAGED.items():
        copy = folder / name
        shutil.copytree(base, copy)
        path = copy / file
        path.write_bytes(damage(path.read_bytes() if path.is_file() else b""))
        found[name] = failed(lambda copy=copy: str(inspect_base(copy)))  # type: ignore[misc]
    return found


def loss_that_differs() -> Any:
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("trainer.model").addHandler(handler)
    adapted = SimpleNamespace(base_model=SimpleNamespace(model=SimpleNamespace(forward=None)))
    with replaced(model, install_loss=lambda _model: None, loss_difference=lambda *_others: 0.5):
        return [model.install_loss_if_equal(adapted, {}), lines]


def settings_of_an_answer() -> Any:
    given: dict[str, Any] = {}

    class Recorder(torch.nn.Linear):
        def generate(self, **options: Any) -> torch.Tensor:
            given.update(options)
            return torch.tensor([[1, 5, 2, 0]])

    tokens: Any = SimpleNamespace(
        encode=lambda _pieces: SimpleNamespace(ids=[1]), end_ids=(2,), pad_id=0, bytes_of=lambda _id: b"a"
    )
    asked = dataclasses.replace(material(), tokens=tokens, questions=[({"role": "user", "content": "x"},)])
    (answer,) = model.generate_answers(Recorder(2, 2), asked, 8)
    return [answer, {name: given.get(name) for name in ("do_sample", "repetition_penalty")}]


def session_of_the_converter() -> Any:
    """Whether it has one of its own: its id comes as the reason of a failure."""
    telling = (
        "import json, os; print(json.dumps({'event': 'failed', 'code': 'converter_failed',"
        " 'facts': {'reason': str(os.getsid(0) == os.getpid()), 'log': ''}}))"
    )
    with replaced(start, command=lambda *_others: [sys.executable, "-c", telling]):
        ended = export._run_conversion(GgufToHf("/x", "/y"), "converting_base", Ear())  # type: ignore[arg-type]
    assert ended is not None
    return ended.facts["reason"]


def base_that_memory_is_too_short_for(folder: Path) -> Any:
    """How a run ends whose converter has seen, before it wrote, that memory is too short."""
    failed = {"event": "failed", "code": "conversion_memory_short", "facts": {"needed_bytes": 9, "available_bytes": 1}}
    (folder / "base.gguf").write_bytes(b"GGUF")
    with replaced(start, command=lambda *_others: [sys.executable, "-c", f"print({json.dumps(json.dumps(failed))})"]):
        try:
            export.convert_base(folder / "base.gguf", folder / "bases", Ear(), is_maker=True)  # type: ignore[arg-type]
        except RunError as error:
            return [error.code, error.facts]


def main(base: str, folder: str) -> None:
    place = Path(folder)
    found = {
        "short memory": base_that_memory_is_too_short_for(place),
        "saving": saving_when_another_process_wants_it(),
        "cards": cards_of_one_process(place),
        "warm_up": warm_up(),
        "no scaler": gradient_without_scaler(),
        "evaluations left": evaluations_left_s(),
        "clock": clock_of_a_resumed_run(),
        "coarse clock": speed_by_a_coarse_clock(),
        "words": words_for_too_little_memory(),
        "measured": {str(room): measured(room) for room in (448, 250, 100)},
        "searched": {str(share): searched(share) for share in (1.0, 0.45, 2.0, 2.5)},
        "as asked": searched(0.45, micro_batch=2, gradient_checkpointing=True),
        "named card": named_card(Path(base), place),
        "distributed": distributed(),
        "forgotten": what_is_forgotten(),
        "damaged": damaged_bases(Path(base), place),
        "own loss": loss_that_differs(),
        "answer": settings_of_an_answer(),
        "session": session_of_the_converter(),
    }
    (place / "found.json").write_text(json.dumps(found), encoding="utf-8")
