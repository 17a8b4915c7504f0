"""The training loop: `transformers.Trainer` with what it lacks.

It keeps the schedule, accumulation, clipping and resuming. Ours are: an evaluation that weighs tokens, not batches;
checkpoints that survive a kill; early stopping that a resumed run continues; an order of examples that needs little
padding; events; and an end on request. It is long, because the loop, the callback that ends it and its clock
call each other.
"""

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from peft import get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import load_file, save_file
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import Sampler
from transformers import Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_callback import PrinterCallback, TrainerState

from trainer import data, recipe, storage
from trainer.channel import RunControl, StopRequested, TrainerJournal
from trainer.convert.report import peak_rss_bytes
from trainer.data import TrainingInputs
from trainer.events import Adjusted, EvaluationStep, Phase, Sample, TrainingStep
from trainer.events import Checkpoint as Saved
from trainer.model import example_nll, generate_answer
from trainer.spec import RunSpec
from trainer.storage import SavedCheckpoint
from trainer.tokenization import EncodedExample

WEIGHTS = "adapter_model.safetensors"
SAVES_PER_EPOCH = 4  # besides those after evaluations
SAVE_INTERVAL_S = 300.0  # at most this much is trained again after a crash
SLOW_SHARE = 1 / 3  # of the first steps' tokens/s: Windows has begun to swap the card's memory
STATE = "trainer_state.json"
_EVALUATED = ("log_history", "best_metric", "best_global_step")  # what an evaluation leaves in the state
_OPTIMIZERS = {"adamw": "adamw_torch", "adamw_8bit": "adamw_bnb_8bit", "paged_adamw_8bit": "paged_adamw_8bit"}


class NotFiniteError(ArithmeticError):
    """A gradient was infinite or no number. The weights have not been touched by it."""

    def __init__(self, step: int, learning_rate: float) -> None:
        super().__init__(f"step {step}")
        self.step = step
        self.learning_rate = learning_rate


class TrainingLoop(Trainer):  # type: ignore[misc]
    """One go at training: it ends by itself, on request, out of memory, or with NotFiniteError."""

    lr_scheduler: Any
    control: Any

    def __init__(
        self, model: Any, material: TrainingInputs, folder: Path, journal: TrainerJournal, control: RunControl
    ) -> None:
        self.material = material
        self.folder = folder
        self.journal = journal
        self.asked = control
        self.end_reason = ""
        self.clock = ThroughputMeter()
        self._peak_bytes = 0  # of the processes before this one
        self._evaluation_s = 0.0  # of the last one
        self._evaluated: dict[str, Any] = {}
        arguments = _arguments(material, folder)
        # Positions of labels, masks and ids are all that the model takes; nothing is left out by name.
        super().__init__(
            model=model,
            args=arguments,
            train_dataset=list(material.train),
            eval_dataset=list(material.validation) or None,
            data_collator=lambda examples: data.collate(examples, material.tokens.pad_id),
            callbacks=[LoopCallback(self)],
        )
        self.remove_callback(PrinterCallback)
        self.model_accepts_loss_kwargs = True

    def begin(self, start: SavedCheckpoint | None) -> None:
        """Trains, from the beginning or on from `start`; not at all where that one was the last.

        Raises NotFiniteError, and RunError for a full disk.
        """
        try:
            if start is None or self._has_more_to_do(start):
                self.train(resume_from_checkpoint=str(start.path) if start else None)
        except StopRequested:  # within an evaluation, which is done after a resume
            self.end_reason = str(self.asked.wanted)
            if self.end_reason == "pause" and self.state.global_step > (start.step if start else 0):
                self._save_checkpoint(self.model)

    def _has_more_to_do(self, start: SavedCheckpoint) -> bool:
        self.state = TrainerState.load_from_json(str(start.path / STATE))
        self._go_on_from(next((entry for entry in self.state.log_history if "trained_s" in entry), {}))
        if self._owes_evaluation():
            load_weights(self.model, start.path)
            self._determine_best_metric(self.evaluate(), None)
        if self.state.global_step and self.has_stopped_improving():
            self.end_reason = "early_stopping"
        self._evaluated = {name: getattr(self.state, name) for name in _EVALUATED}
        return not self.end_reason and self.state.global_step < self.state.max_steps

    def _owes_evaluation(self) -> bool:
        """Of the step that is gone on from: a pause has not waited for it."""
        step = self.state.global_step
        is_due = step % self.args.eval_steps == 0 or step >= self.state.max_steps
        return self.args.eval_strategy != "no" and step > 0 and is_due and step not in self.evaluations()

    def recall_evaluation(self) -> None:
        """What the checkpoint that is gone on from did not know yet."""
        for name, value in self._evaluated.items():
            setattr(self.state, name, value)

    # ------------------------------------------------------------- the order of examples

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        lengths = [len(example.ids) for example in self.material.train]
        batch = self.material.step_examples
        steps_per_epoch = math.ceil(len(lengths) / batch)

        def order() -> list[int]:
            epoch = self.state.global_step // steps_per_epoch
            return data.epoch_order(len(lengths), batch, self.material.spec.seed, epoch, lengths)

        return _Order(len(lengths), order)

    def get_batch_samples(self, epoch_iterator: Any, num_batches: int, device: torch.device) -> Any:
        batches, count = super().get_batch_samples(epoch_iterator, num_batches, device)
        self.clock.tokens += sum(int(batch["attention_mask"].sum()) for batch in batches) * self.args.world_size
        return batches, count

    # -------------------------------------------------------------------------- the rate

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        """Warm-up, then a cosine down to a share of the rate."""
        if self.lr_scheduler is None:
            spec = self.material.spec
            self.lr_scheduler = LambdaLR(
                optimizer or self.optimizer, lambda step: rate_share(spec, step, num_training_steps)
            )
            self._created_lr_scheduler = True
        return self.lr_scheduler

    def _get_learning_rate(self) -> float:
        """The highest, before there is a schedule: in an evaluation that a resume begins with."""
        return float(super()._get_learning_rate() if self.lr_scheduler else self.args.learning_rate)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        super()._load_optimizer_and_scheduler(checkpoint)
        if checkpoint is None:
            return
        # What is stored has the rate of then; it may have been halved since.
        rate = self.args.learning_rate
        self.lr_scheduler.base_lrs = [rate] * len(self.optimizer.param_groups)
        for group in self.optimizer.param_groups:
            group["initial_lr"] = rate
            group["lr"] = rate * self.lr_scheduler.lr_lambdas[0](self.lr_scheduler.last_epoch)
        self.lr_scheduler._last_lr = [group["lr"] for group in self.optimizer.param_groups]

    def _get_grad_norm(self, model: Any, grad_norm: Any = None) -> Any:
        norm = super()._get_grad_norm(model, grad_norm)
        if not math.isfinite(float(norm)) and self.accelerator.scaler is None:  # which skips a step by itself
            raise NotFiniteError(self.state.global_step + 1, self._get_learning_rate())
        return norm

    # ------------------------------------------------------------------------ evaluation

    def evaluate(self, *_arguments: Any, **_options: Any) -> dict[str, float]:
        """Raises Stopped where a pause or a cancel is asked for before the loss is known."""
        started = time.monotonic()
        self.journal.send(Phase("evaluating"))
        nll, count = self.nll(self.material.validation)
        loss = nll / max(count, 1)
        if not math.isfinite(loss):  # weights that are no good are neither told nor kept
            raise NotFiniteError(self.state.global_step, self._get_learning_rate())
        is_best = self.state.best_metric is None or loss < self.state.best_metric
        step, epoch = self.state.global_step, round(self.state.epoch or 0.0, 4)
        self.journal.send(EvaluationStep(step, epoch, loss, count, is_best))
        metrics = {"eval_loss": loss}
        self.log(metrics)
        with contextlib.suppress(StopRequested):  # the loss counts; the run ends in `Watch.on_evaluate`
            self._tell_samples()
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        self.journal.send(Phase("training", step, self.state.max_steps))
        self._evaluation_s = time.monotonic() - started
        self.clock.restart()
        return metrics

    def nll(self, examples: Sequence[EncodedExample]) -> tuple[float, int]:
        """Sum of nats over trained tokens, and their number; shared among the processes of a distributed run."""
        rank, world = self.args.process_index, self.args.world_size
        own = examples[rank::world]
        nll = sum(example_nll(self.model, own, self.material.tokens.pad_id, self.asked.check))
        totals = torch.tensor([nll, float(data.count_trained_tokens(own))], dtype=torch.float64)
        if world > 1:
            totals = self.accelerator.reduce(totals.to(self.args.device), reduction="sum").cpu()
        return float(totals[0]), int(totals[1])

    def _tell_samples(self) -> None:
        if not self.is_world_process_zero():
            return
        for messages in self.material.questions:
            tokens, form, most = self.material.tokens, self.material.form, self.material.spec.sample_tokens
            text, has_ended = generate_answer(self.model, tokens, form, messages, most, self.asked.check)
            self.journal.send(Sample(self.state.global_step, messages[-1]["content"], text, has_ended))

    def evaluations(self) -> dict[int, float]:
        """Step -> loss, from the log, which a checkpoint carries: a resumed run counts on."""
        return {entry["step"]: entry["eval_loss"] for entry in self.state.log_history if "eval_loss" in entry}

    def has_stopped_improving(self) -> bool:
        losses = list(self.evaluations().values())
        patience = self.material.spec.patience
        return bool(patience and losses and len(losses) - 1 - losses.index(min(losses)) >= patience)

    # ----------------------------------------------------------------------- checkpoints

    def _save_checkpoint(self, model: Any, trial: Any = None) -> None:
        started, step = time.monotonic(), self.state.global_step
        self.journal.send(Phase("saving", step, self.state.max_steps))
        part = self.folder / f"checkpoint-{step}.part"
        with storage.guarded_write(self.folder, part, needed_bytes=self._checkpoint_bytes()):
            if self.args.should_save:
                storage.begin_checkpoint(self.folder, step)
            self.accelerator.wait_for_everyone()
            self._fill(part)
            self.accelerator.wait_for_everyone()
            if self.args.should_save:
                saved = storage.publish_checkpoint(part, step, self.material.conditions)
                storage.prune_checkpoints(self.folder, {self.state.best_global_step or 0})
                size = storage.checkpoint_size_bytes(saved)
                self.journal.send(Saved(step, str(saved.path), size, round(time.monotonic() - started, 3)))
        self.journal.send(Phase("training", step, self.state.max_steps))
        self.clock.restart()

    def _fill(self, part: Path) -> None:
        if self.args.should_save:
            weights = get_peft_model_state_dict(self.model, save_embedding_layers=False)
            save_file({name: tensor.contiguous().cpu() for name, tensor in weights.items()}, part / WEIGHTS)
            others = [entry for entry in self.state.log_history if "trained_s" not in entry]
            self.state.log_history = [*others, self.so_far()]
            self.state.save_to_json(str(part / STATE))
        self._save_optimizer_and_scheduler(str(part))
        self._save_scaler(str(part))
        self._save_rng_state(str(part))

    def _checkpoint_bytes(self) -> int:
        """LoRA in float32, and two moments of the optimizer."""
        return 3 * sum(int(parameter.nbytes) for parameter in self.model.parameters() if parameter.requires_grad)

    def so_far(self) -> dict[str, Any]:
        """Seconds and tokens of training and the most memory, of all processes that the run has had; and whether it is
        to end here. Stands in the log, which a checkpoint carries."""
        return {
            "trained_s": self.clock.trained_s,
            "trained_tokens": self.clock.all_tokens,
            "peak_bytes": max(self._peak_bytes, peak_memory_bytes(str(self.material.spec.device))),
            "is_finished": self.end_reason == "finish",
        }

    def _go_on_from(self, so_far: Mapping[str, Any]) -> None:
        self.clock.go_on(so_far.get("trained_s", 0.0), so_far.get("trained_tokens", 0))
        self._peak_bytes = so_far.get("peak_bytes", 0)
        if so_far.get("is_finished"):
            self.end_reason = "finish"

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        load_weights(self.model, Path(resume_from_checkpoint))

    # ---------------------------------------------------------------------------- events

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        super().log(logs, start_time)
        if "loss" not in logs:
            return
        if not math.isfinite(logs["loss"]):  # in fp16 the base itself may overflow, where no smaller scale helps
            raise NotFiniteError(self.state.global_step, logs["learning_rate"])
        step, total = self.state.global_step, self.state.max_steps
        tokens_per_s, step_s = self.clock.lap()
        self.journal.send(
            TrainingStep(
                step=step,
                total=total,
                epoch=round(self.state.epoch or 0.0, 4),
                loss=logs["loss"],
                learning_rate=logs["learning_rate"],
                gradient_norm=float(logs.get("grad_norm", 0.0)),
                tokens_per_s=round(tokens_per_s, 1),
                memory_bytes=peak_memory_bytes(str(self.material.spec.device)),
                left_s=round(step_s * (total - step) + self._evaluation_s * self._evaluations_left(), 3),
            )
        )
        if self.material.spec.device == "cuda" and self.clock.has_become_slow():
            self.journal.send(Adjusted("slow", step, {"tokens_per_s": round(tokens_per_s, 1)}))

    def _evaluations_left(self) -> int:
        """After this step: each `eval_steps`, and at the end."""
        if self.args.eval_strategy == "no":
            return 0
        each = self.args.eval_steps
        left: int = math.ceil(self.state.max_steps / each) - (self.state.global_step - 1) // each
        return left


class LoopCallback(TrainerCallback):  # type: ignore[misc]
    """Decides when the loop evaluates, saves and ends, beyond what its arguments say."""

    def __init__(self, loop: TrainingLoop) -> None:
        self._loop = loop
        self._saved_at = time.monotonic()

    def on_train_begin(self, args: Any, state: Any, _control: Any, **_others: Any) -> None:
        """The base's own loss, and a checkpoint to return to from the first step on. Raises Stopped."""
        loop = self._loop
        loop.journal.send(Phase("training", state.global_step, state.max_steps))
        if state.global_step:
            loop.recall_evaluation()
        else:
            state.log_history, state.best_metric = [], None  # from the checkpoint of step 0: the base counts once
            if args.eval_strategy != "no":
                loop._determine_best_metric(loop.evaluate(), None)
            loop._save_checkpoint(loop.model_wrapped)
        loop.asked.check()
        loop.clock.restart()

    def on_step_end(self, args: Any, _state: Any, control: Any, **_others: Any) -> None:
        """A pause does not wait for the evaluation of its step, which a resume begins with."""
        wanted, is_save_due = self._wanted()
        control.should_save = control.should_save or control.should_evaluate  # the best one must be there
        if wanted is not None:
            self._end(wanted, control)
            control.should_evaluate = wanted == "finish" and args.eval_strategy != "no"
        elif is_save_due:
            control.should_save = True

    def on_evaluate(self, _args: Any, state: Any, control: Any, **_others: Any) -> None:
        loop = self._loop
        if state.global_step and loop.has_stopped_improving() and not loop.end_reason:
            loop.end_reason = "early_stopping"
            control.should_training_stop = True
        if loop.asked.is_over and not loop.end_reason:
            self._end(str(loop.asked.wanted), control)

    def on_save(self, *_arguments: Any, **_others: Any) -> None:
        self._saved_at = time.monotonic()

    def _end(self, wanted: str, control: Any) -> None:
        self._loop.end_reason = wanted
        control.should_training_stop = True
        control.should_save = wanted != "cancel"

    def _wanted(self) -> tuple[str | None, bool]:
        """Return the command and whether it is time to save, the same in every process of a distributed run: a command
        that any of them got, and time when it is in any of them."""
        loop = self._loop
        names = (None, "pause", "finish", "cancel")
        number, is_due = names.index(loop.asked.wanted), time.monotonic() - self._saved_at > SAVE_INTERVAL_S
        if loop.args.world_size > 1:
            asked = torch.tensor([[number, int(is_due)]], device=loop.args.device)
            number, is_due = loop.accelerator.gather(asked).amax(dim=0).tolist()
        return names[number], bool(is_due)


class ThroughputMeter:
    """Count tokens and seconds of training alone: evaluations, samples and saving are left out."""

    def __init__(self) -> None:
        self.tokens = 0
        self.all_tokens = 0
        self.trained_s = 0.0
        self._rates: list[float] = []
        self._steps = 0
        self._before_s = 0.0
        self._is_slow = False
        self.restart()

    def go_on(self, seconds: float, tokens: int) -> None:
        """From what was trained before this process."""
        self.trained_s = self._before_s = seconds
        self.all_tokens = tokens

    def restart(self) -> None:
        self.tokens = 0
        self._started = time.monotonic()

    def lap(self) -> tuple[float, float]:
        """Tokens a second of the last step, and seconds a step of this process so far."""
        seconds = max(time.monotonic() - self._started, 1e-9)
        rate = self.tokens / seconds
        self.trained_s += seconds
        self.all_tokens += self.tokens
        self._steps += 1
        self._rates.append(rate)
        self.restart()
        return rate, (self.trained_s - self._before_s) / self._steps

    def has_become_slow(self) -> bool:
        """True once, when five steps in a row stay below a third of what the first ten were in the middle."""
        if self._is_slow or len(self._rates) < 15:
            return False
        usual = sorted(self._rates[:10])[5]
        self._is_slow = all(rate < usual * SLOW_SHARE for rate in self._rates[-5:])
        return self._is_slow


class _Order(Sampler[int]):  # type: ignore[misc]
    def __init__(self, count: int, order: Callable[[], list[int]]) -> None:
        self._count = count
        self._order = order

    def __iter__(self) -> Iterator[int]:
        return iter(self._order())

    def __len__(self) -> int:
        return self._count


def _arguments(material: TrainingInputs, folder: Path) -> TrainingArguments:
    spec = material.spec
    examples, batch, epochs = len(material.train), material.step_examples, spec.epochs or 1.0
    steps = math.ceil(examples / batch)
    evaluations = spec.evaluations_per_epoch or 0
    evaluates = evaluations > 0 and len(material.validation) > 0
    arguments = TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=spec.micro_batch,
        gradient_accumulation_steps=spec.accumulation,
        num_train_epochs=epochs,
        max_steps=recipe.total_steps(examples, batch, epochs, spec.max_steps),  # alone it would not be "at most"
        learning_rate=spec.learning_rate,
        weight_decay=spec.weight_decay or 0.0,
        max_grad_norm=spec.clip_norm or 0.0,
        optim=_OPTIMIZERS[str(spec.optimizer)],
        logging_steps=1,
        logging_nan_inf_filter=False,
        eval_strategy="steps" if evaluates else "no",
        eval_steps=math.ceil(steps / max(evaluations, 1)),
        save_strategy="steps",
        save_steps=math.ceil(steps / SAVES_PER_EPOCH),
        metric_for_best_model="loss",
        greater_is_better=False,
        seed=spec.seed,
        use_cpu=spec.device == "cpu",
        fp16=spec.compute == "f16",
        dataloader_pin_memory=spec.device == "cuda",
        ddp_find_unused_parameters=False,
        remove_unused_columns=False,
        label_names=["labels"],
        report_to=[],
        disable_tqdm=True,
    )
    arguments._n_gpu = min(arguments.n_gpu, 1)  # of several cards one process would make a DataParallel
    return arguments


def rate_share(spec: RunSpec, step: int, total: int) -> float:
    """Of the highest learning rate, at a step from 0: linear warm-up, then half a cosine."""
    warm_up = math.ceil((spec.warmup_share or 0.0) * total)
    if step < warm_up:
        return (step + 1) / warm_up
    lowest = spec.final_rate_share or 0.0
    done = (step - warm_up) / max(1, total - warm_up)
    return lowest + (1 - lowest) * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))


def load_weights(model: Any, checkpoint: Path) -> None:
    """The LoRA matrices of a checkpoint into the model."""
    set_peft_model_state_dict(model, load_file(checkpoint / WEIGHTS))


def peak_memory_bytes(device: str) -> int:
    """The most that this process has held, of the card's memory or of the machine's."""
    return int(torch.cuda.max_memory_reserved()) if device == "cuda" else peak_rss_bytes()
