"""Train with `transformers.Trainer`, extended by features that it lacks.

The Trainer provides the schedule, accumulation, clipping and resuming. This module adds an evaluation that weighs
tokens instead of batches, checkpoints that survive a kill, early stopping that a resumed run continues, an order of
examples that needs little padding, events, and an end on command.

The file is long because the loop, the callback that ends it and its throughput meter call each other.
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

from trainer import data, machine, preference, recipe, sharding, storage
from trainer.channel import RunControl, StopRequested, TrainerJournal
from trainer.convert_job import peak_rss_bytes
from trainer.events import Adjusted, EvaluationStep, Phase, Sample, TrainingStep
from trainer.events import Checkpoint as Saved
from trainer.model import example_nll, generate_answers, training_batch
from trainer.spec import RunSpec
from trainer.tokenization import EncodedExample

WEIGHTS = "adapter_model.safetensors"
SAVES_PER_EPOCH = 4  # besides those after evaluations
SAVE_INTERVAL_S = 300.0  # longest training time, in seconds, that a crash can lose
SLOW_SHARE = 1 / 3  # share of the first steps' tokens/s; below it, Windows has begun to swap the card's memory
STATE = "trainer_state.json"
_EVALUATED = ("log_history", "best_metric", "best_global_step")  # fields of the state that an evaluation changes
_OPTIMIZERS = {"adamw": "adamw_torch", "adamw_8bit": "adamw_bnb_8bit", "paged_adamw_8bit": "paged_adamw_8bit"}


class NotFiniteError(ArithmeticError):
    """Raised for a gradient or loss that is infinite or not a number. Such a gradient has not changed the weights."""

    def __init__(self, step: int, learning_rate: float) -> None:
        super().__init__(f"step {step}")
        self.step = step
        self.learning_rate = learning_rate


class TrainingLoop(Trainer):  # type: ignore[misc]
    """One attempt to train. It ends by itself, on command, out of memory, or with NotFiniteError."""

    lr_scheduler: Any
    control: Any

    def __init__(
        self, model: Any, material: data.TrainingInputs, folder: Path, journal: TrainerJournal, control: RunControl
    ) -> None:
        self.material = material
        self.folder = folder
        self.journal = journal
        self.run_control = control
        self.end_reason = ""
        self.clock = ThroughputMeter()
        self._peak_bytes = 0  # peak in earlier processes of the run
        self._loss_s = self._samples_s = 0.0  # durations of the last validation loss and the last sample answers
        self._evaluated: dict[str, Any] = {}
        arguments = _arguments(material, folder)
        # The batch has exactly the columns that the model takes, so none is removed by name (see _arguments).
        super().__init__(
            model=model,
            args=arguments,
            train_dataset=[*material.train, data.untrained(material.train[0])],
            eval_dataset=list(material.validation) or None,
            data_collator=lambda examples: training_batch(model, material, examples),
            callbacks=[LoopCallback(self)],
        )
        self.remove_callback(PrinterCallback)
        self.model_accepts_loss_kwargs = True
        # Keeps DDP away, which cannot hold a shared-out base: transformers averages the trained matrices' gradients.
        self.is_distributed_loading_by_transformers = arguments.world_size > 1

    def begin(self, start: storage.SavedCheckpoint | None) -> None:
        """Train from the beginning or from the checkpoint `start`; do nothing if `start` is the last step.

        Raises NotFiniteError, and RunError for a full disk.
        """
        try:
            if start is None or self._prepare_resume(start):
                self.train(resume_from_checkpoint=str(start.path) if start else None)
        except StopRequested:  # raised in an evaluation, which a resumed run repeats
            self.end_reason = str(self.run_control.requested_command)
            if self.end_reason == "pause" and self.state.global_step > (start.step if start else 0):
                self._save_checkpoint(self.model)

    def _prepare_resume(self, start: storage.SavedCheckpoint) -> bool:
        """Load the checkpoint's state, make a missing evaluation, and return whether steps remain."""
        self.state = TrainerState.load_from_json(str(start.path / STATE))
        self._restore_totals(next((entry for entry in self.state.log_history if "trained_s" in entry), {}))
        if self._lacks_evaluation():
            load_weights(self.model, start.path)
            self._determine_best_metric(self.evaluate(), None)
        if self.state.global_step and self.has_stopped_improving():
            self.end_reason = "early_stopping"
        self._evaluated = {name: getattr(self.state, name) for name in _EVALUATED}
        return not self.end_reason and self.state.global_step < self.state.max_steps

    def _lacks_evaluation(self) -> bool:
        """Return whether the evaluation due at the checkpoint's step is missing, because a pause skipped it."""
        step = self.state.global_step
        is_due = step % self.args.eval_steps == 0 or step >= self.state.max_steps
        return self.args.eval_strategy != "no" and step > 0 and is_due and step not in self.evaluations()

    def restore_evaluation(self) -> None:
        """Restore the evaluation made when this process started, since the Trainer has loaded a checkpoint's state."""
        for name, value in self._evaluated.items():
            setattr(self.state, name, value)

    # ------------------------------------------------------------- the order of examples

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        lengths = [example.longest for example in self.material.train]
        batch = self.material.step_examples
        steps_per_epoch = math.ceil(len(lengths) / batch)

        # accelerate would fill the last micro batches of an epoch with its first examples, and train these twice.
        missing = -len(lengths) % (self.material.micro_batch * self.args.world_size) if self.args.world_size > 1 else 0

        def order() -> list[int]:
            epoch = self.state.global_step // steps_per_epoch
            chosen = data.epoch_order(len(lengths), batch, self.material.spec.seed, epoch, lengths)
            return chosen + [len(lengths)] * missing

        return _EpochSampler(len(lengths) + missing, order)

    def get_batch_samples(self, epoch_iterator: Any, num_batches: int, device: torch.device) -> Any:
        batches, count = super().get_batch_samples(epoch_iterator, num_batches, device)
        tokens = sum(int(batch.get("attention_mask", torch.ones_like(batch["input_ids"])).sum()) for batch in batches)
        self.clock.tokens += tokens * self.args.world_size
        if self.material.spec.is_preference:  # the loss is a mean over pairs, not over tokens
            pairs = sum(int(preference.are_trained(batch["labels"]).sum()) for batch in batches)
            count = self.accelerator.gather(torch.tensor(pairs, device=device)).sum()
        return batches, count

    def floating_point_ops(self, _inputs: Any) -> int:
        """Return 0: nobody is shown the sum, and the Trainer would count all weights anew for each micro batch."""
        return 0

    # -------------------------------------------------------------------------- the rate

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        """Create a schedule with a linear warm-up, then a cosine down to a share of the learning rate."""
        if self.lr_scheduler is None:
            spec = self.material.spec
            self.lr_scheduler = LambdaLR(
                optimizer or self.optimizer, lambda step: rate_share(spec, step, num_training_steps)
            )
            self._created_lr_scheduler = True
        return self.lr_scheduler

    def _get_learning_rate(self) -> float:
        """Return the current learning rate, or the highest if there is no schedule yet (when a resume begins)."""
        return float(super()._get_learning_rate() if self.lr_scheduler else self.args.learning_rate)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        super()._load_optimizer_and_scheduler(checkpoint)
        if checkpoint is None:
            return
        # The stored optimizer has the learning rate of that time, which may have been halved since.
        rate = self.args.learning_rate
        self.lr_scheduler.base_lrs = [rate] * len(self.optimizer.param_groups)
        for group in self.optimizer.param_groups:
            group["initial_lr"] = rate
            group["lr"] = rate * self.lr_scheduler.lr_lambdas[0](self.lr_scheduler.last_epoch)
        self.lr_scheduler._last_lr = [group["lr"] for group in self.optimizer.param_groups]

    def _get_grad_norm(self, model: Any, grad_norm: Any = None) -> Any:
        norm = super()._get_grad_norm(model, grad_norm)
        if not math.isfinite(float(norm)) and self.accelerator.scaler is None:  # a scaler skips such a step itself
            raise NotFiniteError(self.state.global_step + 1, self._get_learning_rate())
        return norm

    # ------------------------------------------------------------------------ evaluation

    def evaluate(self, *_arguments: Any, **_options: Any) -> dict[str, float]:
        """Measure the validation loss, send it and the samples, and return it.

        Raises StopRequested if a pause or a cancel arrives before the loss is measured, and NotFiniteError.
        """
        started = time.monotonic()
        self.journal.send(Phase("evaluating"))
        total, count = self.summed_loss(self.material.validation)
        loss = total / max(count, 1)
        if not math.isfinite(loss):  # useless weights are neither reported nor saved
            raise NotFiniteError(self.state.global_step, self._get_learning_rate())
        is_best = self.state.best_metric is None or loss < self.state.best_metric
        step, epoch = self.state.global_step, round(self.state.epoch or 0.0, 4)
        self.journal.send(EvaluationStep(step, epoch, loss, count, is_best))
        metrics = {"eval_loss": loss}
        self.log(metrics)
        self._loss_s = time.monotonic() - started
        if self._writes_samples(step):
            with contextlib.suppress(StopRequested):  # the loss counts; the run ends in LoopCallback.on_evaluate
                self._send_samples()
            self._samples_s = time.monotonic() - started - self._loss_s
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        self.journal.send(Phase("training", step, self.state.max_steps))
        self.clock.restart()
        return metrics

    def summed_loss(self, examples: Sequence[EncodedExample]) -> tuple[float, int]:
        """Return the sum of the negative log-likelihoods of the trained tokens in nats, and the number of tokens.

        In preference tuning, return the sum of the pairs' losses and their number. The processes of a distributed
        run share the examples and add up their sums. All measure as many examples, as with a shared-out base they need
        each other; the surplus does not count.
        """
        rank, world = self.args.process_index, self.args.world_size
        own = examples[rank::world]
        surplus = examples[: math.ceil(len(examples) / world) - len(own)]
        most = self.material.batch_tokens if world == 1 else 0  # processes must compute equally many batches
        pad, check = self.material.tokens.pad_id, self.run_control.check
        sums = example_nll(self.model, [*own, *surplus], pad, lambda _done: check(), most)
        count = len(own) if self.material.spec.is_preference else data.count_trained_tokens(own)
        totals = torch.tensor([sum(sums[: len(own)]), float(count)], dtype=torch.float64)
        if world > 1:
            totals = self.accelerator.reduce(totals.to(self.args.device), reduction="sum").cpu()
        return float(totals[0]), int(totals[1])

    def _send_samples(self) -> None:
        if not (self.is_world_process_zero() or sharding.is_wanted()):
            return
        material = self.material
        answers = generate_answers(self.model, material, material.spec.sample_tokens, self.run_control.check)
        for messages, (text, has_ended) in zip(material.questions, answers, strict=True):
            self.journal.send(Sample(self.state.global_step, messages[-1]["content"], text, has_ended))

    def evaluations(self) -> dict[int, float]:
        """Return the losses by step from the log. Checkpoints store the log, so a resumed run has all of them."""
        return {entry["step"]: entry["eval_loss"] for entry in self.state.log_history if "eval_loss" in entry}

    def has_stopped_improving(self) -> bool:
        losses = list(self.evaluations().values())
        patience = self.material.spec.patience
        return bool(patience and losses and len(losses) - 1 - losses.index(min(losses)) >= patience)

    # ----------------------------------------------------------------------- checkpoints

    def _save_checkpoint(self, model: Any, trial: Any = None) -> None:
        """Save a checkpoint of this run completely or not at all, and report it.

        It overrides a method of transformers; `trial` (of a search for hyperparameters) is not used.
        """
        started, step = time.monotonic(), self.state.global_step
        self.journal.send(Phase("saving", step, self.state.max_steps))
        part = self.folder / f"checkpoint-{step}.part"
        with storage.guarded_write(self.folder, part, needed_bytes=self._checkpoint_bytes()):
            if self.args.should_save:
                storage.begin_checkpoint(self.folder, step)
            self.accelerator.wait_for_everyone()
            self._write_checkpoint(part)
            self.accelerator.wait_for_everyone()
            if self.args.should_save:
                saved = storage.publish_checkpoint(part, step, self.material.conditions)
                storage.prune_checkpoints(self.folder, {self.state.best_global_step or 0})
                size = storage.checkpoint_size_bytes(saved)
                self.journal.send(Saved(step, str(saved.path), size, round(time.monotonic() - started, 3)))
        self.journal.send(Phase("training", step, self.state.max_steps))
        self.clock.restart()

    def _write_checkpoint(self, part: Path) -> None:
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
        """Return the bytes of the LoRA matrices in float32 and of the optimizer's two moments."""
        return 3 * sum(int(parameter.nbytes) for parameter in self.model.parameters() if parameter.requires_grad)

    def so_far(self) -> dict[str, Any]:
        """Return a log entry with the run's totals over all its processes so far.

        It has the seconds and tokens of training, the peak memory, and whether the run must end at this checkpoint.
        """
        return {
            "trained_s": self.clock.trained_s,
            "trained_tokens": self.clock.all_tokens,
            "peak_bytes": max(self._peak_bytes, peak_memory_bytes(str(self.material.spec.device))),
            "is_finished": self.end_reason == "finish",
        }

    def _restore_totals(self, so_far: Mapping[str, Any]) -> None:
        self.clock.resume_from(so_far.get("trained_s", 0.0), so_far.get("trained_tokens", 0))
        self._peak_bytes = so_far.get("peak_bytes", 0)
        if so_far.get("is_finished"):
            self.end_reason = "finish"

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        load_weights(self.model, Path(resume_from_checkpoint))

    # ---------------------------------------------------------------------------- events

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        logs.pop("total_flos", None)  # not counted, see `floating_point_ops`
        super().log(logs, start_time)
        if "loss" not in logs:
            return
        if not math.isfinite(logs["loss"]):  # in fp16 the base itself may overflow, at any scale
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
                left_s=round(step_s * (total - step) + self._evaluations_left_s(), 3),
            )
        )
        if self.material.spec.device == "cuda" and self.clock.has_become_slow():
            self.journal.send(Adjusted("slow", step, {"tokens_per_s": round(tokens_per_s, 1)}))

    def _writes_samples(self, step: int) -> bool:
        material = self.material
        steps_per_epoch = math.ceil(len(material.train) / material.step_examples)
        return recipe.writes_samples(step, self.state.max_steps, steps_per_epoch, self.args.eval_steps)

    def _evaluations_left_s(self) -> float:
        """Return the seconds of the evaluations that follow this step, as long as the last ones took."""
        if self.args.eval_strategy == "no":
            return 0.0
        total, each = self.state.max_steps, self.args.eval_steps
        first = -(-self.state.global_step // each) * each
        later = [*range(first, total, each), total]
        return sum(self._loss_s + self._samples_s * self._writes_samples(step) for step in later)


class LoopCallback(TrainerCallback):  # type: ignore[misc]
    """A callback that decides when the loop evaluates, saves and ends, in addition to its arguments."""

    def __init__(self, loop: TrainingLoop) -> None:
        self._loop = loop
        self._saved_at = time.monotonic()

    def on_train_begin(self, args: Any, state: Any, _control: Any, **_others: Any) -> None:
        """Measure the base's own loss and save a checkpoint of step 0 for later resets. Raises StopRequested."""
        loop = self._loop
        loop.journal.send(Phase("training", state.global_step, state.max_steps))
        if state.global_step:
            loop.restore_evaluation()
        else:
            state.log_history, state.best_metric = [], None  # a resume from step 0 must not count the base twice
            if args.eval_strategy != "no":
                loop._determine_best_metric(loop.evaluate(), None)
            loop._save_checkpoint(loop.model_wrapped)
        loop.run_control.check()
        loop.clock.restart()

    def on_step_end(self, args: Any, _state: Any, control: Any, **_others: Any) -> None:
        """Decide what follows a step. A pause skips the step's evaluation; the resumed run makes it first."""
        wanted, is_save_due = self._pending_command()
        control.should_save = control.should_save or control.should_evaluate  # the best step needs a checkpoint
        if wanted is not None:
            self._end_training(wanted, control)
            control.should_evaluate = wanted == "finish" and args.eval_strategy != "no"
        elif is_save_due:
            control.should_save = True

    def on_evaluate(self, _args: Any, state: Any, control: Any, **_others: Any) -> None:
        loop = self._loop
        if state.global_step and loop.has_stopped_improving() and not loop.end_reason:
            loop.end_reason = "early_stopping"
            control.should_training_stop = True
        if loop.run_control.is_over and not loop.end_reason:
            self._end_training(str(loop.run_control.requested_command), control)

    def on_save(self, *_arguments: Any, **_others: Any) -> None:
        self._saved_at = time.monotonic()

    def _end_training(self, command: str, control: Any) -> None:
        self._loop.end_reason = command
        control.should_training_stop = True
        control.should_save = command != "cancel"

    def _pending_command(self) -> tuple[str | None, bool]:
        """Return the command and whether a save is due; all processes of a distributed run get the same result.

        A command that any process received counts for all, and so does a due save.
        """
        loop = self._loop
        names = (None, "pause", "finish", "cancel")
        number = names.index(loop.run_control.requested_command)
        is_due = time.monotonic() - self._saved_at > SAVE_INTERVAL_S
        if loop.args.world_size > 1:
            local = torch.tensor([[number, int(is_due)]], device=loop.args.device)
            number, is_due = loop.accelerator.gather(local).amax(dim=0).tolist()
        return names[number], bool(is_due)


class ThroughputMeter:
    """Measures the tokens and seconds of training, without evaluations, samples and saving."""

    def __init__(self) -> None:
        self.tokens = 0
        self.all_tokens = 0
        self.trained_s = 0.0
        self._rates: list[float] = []
        self._steps = 0
        self._before_s = 0.0
        self._is_slow = False
        self.restart()

    def resume_from(self, seconds: float, tokens: int) -> None:
        """Continue from the totals of earlier processes. `seconds`: training time so far; `tokens`: trained so far."""
        self.trained_s = self._before_s = seconds
        self.all_tokens = tokens

    def restart(self) -> None:
        self.tokens = 0
        self._started = time.monotonic()

    def lap(self) -> tuple[float, float]:
        """End a step; return its tokens per second, and the mean seconds per step in this process."""
        seconds = max(time.monotonic() - self._started, 1e-9)
        rate = self.tokens / seconds
        self.trained_s += seconds
        self.all_tokens += self.tokens
        self._steps += 1
        self._rates.append(rate)
        self.restart()
        return rate, (self.trained_s - self._before_s) / self._steps

    def has_become_slow(self) -> bool:
        """Return True once, when five steps in a row were below a third of the median speed of the first ten."""
        if self._is_slow or len(self._rates) < 15:
            return False
        usual = sorted(self._rates[:10])[5]
        self._is_slow = all(rate < usual * SLOW_SHARE for rate in self._rates[-5:])
        return self._is_slow


class _EpochSampler(Sampler[int]):  # type: ignore[misc]
    def __init__(self, count: int, order: Callable[[], list[int]]) -> None:
        self._count = count
        self._order = order

    def __iter__(self) -> Iterator[int]:
        return iter(self._order())

    def __len__(self) -> int:
        return self._count


def _arguments(material: data.TrainingInputs, folder: Path) -> TrainingArguments:
    spec = material.spec
    examples, batch, epochs = len(material.train), material.step_examples, spec.epochs or 1.0
    steps_per_epoch = math.ceil(examples / batch)
    total = recipe.total_steps(examples, batch, epochs, spec.max_steps)
    evaluations = spec.evaluations_per_epoch or 0
    evaluates = evaluations > 0 and len(material.validation) > 0
    arguments = TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=spec.micro_batch,
        gradient_accumulation_steps=material.accumulation,
        num_train_epochs=epochs,
        max_steps=total,  # overrides num_train_epochs
        learning_rate=spec.learning_rate,
        weight_decay=spec.weight_decay or 0.0,
        max_grad_norm=spec.clip_norm or 0.0,
        optim=_OPTIMIZERS[str(spec.optimizer)],
        logging_steps=1,
        logging_nan_inf_filter=False,
        eval_strategy="steps" if evaluates else "no",
        eval_steps=recipe.evaluation_interval(steps_per_epoch, evaluations),
        save_strategy="steps",
        save_steps=math.ceil(steps_per_epoch / SAVES_PER_EPOCH),
        metric_for_best_model="loss",
        greater_is_better=False,
        seed=spec.seed,
        use_cpu=spec.device == "cpu",
        fp16=spec.compute == "f16",
        dataloader_pin_memory=spec.device == "cuda",
        remove_unused_columns=False,
        label_names=["labels"],
        report_to=machine.prepare_logger(material.report_to, folder.parent),
        disable_tqdm=True,
    )
    arguments._n_gpu = min(arguments.n_gpu, 1)  # with several cards, a process would use DataParallel
    return arguments


def rate_share(spec: RunSpec, step: int, total: int) -> float:
    """Return the share of the highest learning rate at a step (from 0): linear warm-up, then half a cosine."""
    warm_up = math.ceil((spec.warmup_share or 0.0) * total)
    if step < warm_up:
        return (step + 1) / warm_up
    lowest = spec.final_rate_share or 0.0
    done = (step - warm_up) / max(1, total - warm_up)
    return lowest + (1 - lowest) * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))


def load_weights(model: Any, checkpoint: Path) -> None:
    """Load the LoRA matrices of a checkpoint into the model."""
    set_peft_model_state_dict(model, load_file(checkpoint / WEIGHTS))


def peak_memory_bytes(device: str) -> int:
    """Return the largest amount of memory that this process has used, on the card or in the machine, in bytes."""
    return int(torch.cuda.max_memory_reserved()) if device == "cuda" else peak_rss_bytes()
