"""Processes forked from one that has loaded the libraries: training runs, with the faults that tests put into them, and
all else that tests ask of the training environment.

`<trainer python> run_server.py`: a request a line on standard input, {"call", "argv", "events", "fault", ...}; the
answers are the process id, and when it has ended its status. `call`: "train", "convert", or a module of this folder or
of tests/convert, whose `main` is called. `fault`: a function of this module.
"""

import contextlib
import gc
import importlib
import json
import os
import resource
import shutil
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1] / "convert"))

from trainer import offline

os.environ.update(offline.SWITCHES)  # libraries read them when they are loaded

from trainer import libraries  # noqa: F401  before peft

# isort: split

import torch
import transformers.trainer
from peft import get_peft_model  # noqa: F401
from transformers import conversion_mapping

from trainer import loop, probe, run, storage
from trainer.__main__ import main
from trainer.convert import __main__ as converting


def poisoned_once(_request: dict[str, Any]) -> None:
    """The gradient of the fifth step is no number, once."""
    plain, seen = loop.TrainingLoop.training_step, []

    def step(self: Any, model: Any, *arguments: Any, **options: Any) -> Any:
        loss = plain(self, model, *arguments, **options)
        if self.state.global_step == 4 and not seen:
            seen.append(1)
            next(one for one in model.parameters() if one.requires_grad).grad.fill_(float("nan"))
        return loss

    loop.TrainingLoop.training_step = step


def asked(request: dict[str, Any]) -> None:
    """Told its commands in the middle of a step, an evaluation or its samples, the first of those `at` that step."""
    name = {"step": "training_step", "evaluation": "summed_loss", "sample": "_send_samples"}[request["within"]]
    plain = getattr(loop.TrainingLoop, name)

    def ask(self: Any, *arguments: Any, **options: Any) -> Any:
        if request["at"] in (None, self.state.global_step):
            for command in request["commands_told"]:
                self.run_control.ask(command)
        return plain(self, *arguments, **options)

    setattr(loop.TrainingLoop, name, ask)


def killed_exporting(_request: dict[str, Any]) -> None:
    """After the last step, before the adapter is there."""
    run.export.save_adapter = lambda *_others: os.kill(os.getpid(), 9)


def killed_after_evaluation(request: dict[str, Any]) -> None:
    """Of a step, before its checkpoint is there."""
    plain = loop.TrainingLoop._save_checkpoint

    def save(self: Any, model: Any, trial: Any = None) -> None:
        if self.state.global_step == request["step"]:
            os.kill(os.getpid(), 9)
        plain(self, model, trial)

    loop.TrainingLoop._save_checkpoint = save


def poisoned_always(_request: dict[str, Any]) -> None:
    """A weight of the base is no number."""
    plain = run.model.load_model

    def load(*arguments: Any) -> Any:
        adapted = plain(*arguments)
        with torch.no_grad():
            adapted.base_model.model.model.layers[1].mlp.up_proj.base_layer.weight[3, 4] = float("nan")
        return adapted

    run.model.load_model = load


def no_room_loading(_request: dict[str, Any]) -> None:
    """The base alone is too large."""

    def load(*_arguments: Any) -> Any:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.")

    run.model.load_model = load


def plain_processor(_request: dict[str, Any]) -> None:
    """One that does not compute in bfloat16."""
    run.model.has_bf16 = lambda _device: False


def poisoned_far(_request: dict[str, Any]) -> None:
    """The third step, once, goes so far that the weights are still numbers, and what they give is none."""
    plain, seen = loop.TrainingLoop.evaluate, []

    def evaluate(self: Any, *arguments: Any, **options: Any) -> Any:
        if self.state.global_step == 3 and not seen:
            seen.append(1)
            with torch.no_grad():
                for name, tensor in self.model.named_parameters():
                    if "lora_B" in name:
                        tensor.fill_(1e38)
        return plain(self, *arguments, **options)

    loop.TrainingLoop.evaluate = evaluate


def little_memory(request: dict[str, Any]) -> None:
    """As much as is taken now, and so much more, from the loaded model on."""
    plain, unused = run._load_model, []

    def loaded(prepared: Any, journal: Any) -> Any:
        adapted = plain(prepared, journal)
        taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (taken, resource.RLIM_INFINITY))
        with contextlib.suppress(MemoryError):
            while True:  # what earlier runs of this process have given back to the heap, but not to the system
                unused.append(bytearray(1 << 16))
        resource.setrlimit(resource.RLIMIT_AS, (taken + request["room_bytes"], resource.RLIM_INFINITY))
        return adapted

    run._load_model = loaded


def full_disk(request: dict[str, Any]) -> None:
    """Something else fills the disk just before a function of the trainer runs for the `turn`-th time."""
    owner: Any = {"run": run, "loop": loop.TrainingLoop, "export": run.export}[request["owner"]]
    plain, calls = getattr(owner, request["name"]), []

    def fill(*arguments: Any, **options: Any) -> Any:
        calls.append(1)
        if len(calls) == request["turn"]:
            filler = Path(request["filler"])
            room = shutil.disk_usage(filler.parent).free - request["room_bytes"]
            with filler.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, room)
        return plain(*arguments, **options)

    setattr(owner, request["name"], fill)


def slow_saving(request: dict[str, Any]) -> None:
    """A disk that takes a while for each file."""
    import time

    plain = storage.sync_path

    def sync(path: Path) -> None:
        time.sleep(request["seconds"])
        plain(path)

    storage.sync_path = sync


def connecting(_request: dict[str, Any]) -> None:
    """A library that calls home while the model is loaded."""
    import socket

    plain = run.model.load_model

    def load(*arguments: Any) -> Any:
        for attempt in (
            lambda: socket.create_connection(("127.0.0.1", 9)),
            lambda: socket.getaddrinfo("huggingface.co", 443),
            lambda: transformers.AutoConfig.from_pretrained("kotae/none"),
        ):
            try:
                attempt()
            except Exception as error:  # noqa: BLE001  whatever it is
                print(f"attempt: {type(error).__name__}", flush=True)
        return plain(*arguments)

    run.model.load_model = load


def watched(request: dict[str, Any]) -> None:
    """Nothing is wrong; what the model is given and what optimizer, schedule and LoRA are set to comes into a file."""
    plain_load, plain_begin, rows, rates = run.model.load_model, loop.TrainingLoop.begin, [], []

    def load(*arguments: Any) -> Any:
        adapted = plain_load(*arguments)
        adapted.register_forward_pre_hook(note, with_kwargs=True)
        return adapted

    def note(module: Any, _positional: Any, given: dict[str, Any]) -> None:
        if module.training and "num_items_in_batch" in given:
            rows.append(list(zip(sequences(given, "input_ids"), sequences(given, "labels"), strict=True)))

    def sequences(given: dict[str, Any], name: str) -> list[list[int]]:
        """The values of each example in a packed or padded batch."""
        if "position_ids" in given:
            begins = (given["position_ids"][0] == 0).nonzero()[1:, 0]
            return [one.tolist() for one in given[name][0].tensor_split(begins)]
        return [row[has == 1].tolist() for row, has in zip(given[name], given["attention_mask"], strict=True)]

    def begin(self: Any, start: Any) -> None:
        plain_step = transformers.trainer.Trainer._get_grad_norm

        def step(trainer: Any, model: Any, grad_norm: Any = None) -> Any:
            rates.append(trainer.optimizer.param_groups[0]["lr"])
            return plain_step(trainer, model, grad_norm)

        transformers.trainer.Trainer._get_grad_norm = step
        plain_begin(self, start)
        Path(request["notes"]).write_text(json.dumps(facts(self)), encoding="utf-8")

    def facts(trained: Any) -> dict[str, Any]:
        optimizer, adapted = trained.optimizer.optimizer, trained.model
        config = adapted.peft_config["default"]
        groups = [group for group in optimizer.param_groups if group["params"]]
        dropouts = [part for name, part in adapted.named_modules() if name.endswith("lora_dropout.default")]
        return {
            "rows": rows,
            "rates": rates,
            "optimizer": type(optimizer).__name__,
            "weight_decay": sorted({group["weight_decay"] for group in groups}),
            "betas": groups[0]["betas"],
            "rank": config.r,
            "alpha": config.lora_alpha,
            "dropout": config.lora_dropout,
            "dropouts": sorted({part.p for part in dropouts}),
            "targets": sorted(config.target_modules),
            "scaling": adapted.base_model.model.model.layers[0].self_attn.q_proj.scaling["default"],
            "clip_norm": trained.args.max_grad_norm,
            "seed": trained.args.seed,
            "precision": str(adapted.base_model.model.lm_head.weight.dtype),
            "checkpointing": bool(adapted.base_model.model.model.layers[0].gradient_checkpointing),
            "steps": trained.state.max_steps,
        }

    run.model.load_model, loop.TrainingLoop.begin = load, begin


def serve() -> None:
    conversion_mapping.get_checkpoint_conversion_mapping("llama")  # makes the table of all families, for all runs
    gc.freeze()  # a run's collections do not look through the libraries, and so do not copy their memory
    for line in sys.stdin:
        request = json.loads(line)
        process = os.fork()
        if process == 0:
            _become(request)
        print(process, flush=True)
        _, status = os.waitpid(process, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _become(request: dict[str, Any]) -> None:
    """What is asked for, in this process."""
    for descriptor, path, flags in (
        (0, request.get("commands", os.devnull), os.O_RDONLY),
        (1, request["events"], os.O_WRONLY | os.O_CREAT | os.O_APPEND),
    ):
        opened = os.open(path, flags, 0o644)
        os.dup2(opened, descriptor)
        os.close(opened)
    if request["fault"]:
        globals()[request["fault"]](request)
    call, arguments = request["call"], request["argv"]
    if call == "train":
        probe._processor_flops_per_s = lambda: 1e11  # measuring takes a quarter of a second; trainer_parts.py does it
        main(arguments)
    elif call == "convert":
        os.dup2(os.pipe()[0], 0)  # it ends with its input, which stays open here
        converting.main(arguments)
    else:
        importlib.import_module(call).main(*arguments)
        os._exit(0)


if __name__ == "__main__":
    if os.fork():
        os._exit(0)  # tests look for children that are left, and this one serves many of them
    serve()
