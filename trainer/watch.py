"""When the training loop is to evaluate, to save and to end, beyond what its arguments say."""

import time
from typing import TYPE_CHECKING, Any

import torch
from transformers import TrainerCallback

from trainer.events import Phase

if TYPE_CHECKING:
    from trainer.loop import Loop

SAVE_INTERVAL_S = 300.0  # at most this much is trained again after a crash


class Watch(TrainerCallback):  # type: ignore[misc]
    def __init__(self, loop: "Loop") -> None:
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
        """A command, and whether it is time to save. The same in every process of a distributed run: what any of them
        was told, and when it is time in any of them."""
        loop = self._loop
        names = (None, "pause", "finish", "cancel")
        number, is_due = names.index(loop.asked.wanted), time.monotonic() - self._saved_at > SAVE_INTERVAL_S
        if loop.args.world_size > 1:
            told = torch.tensor([[number, int(is_due)]], device=loop.args.device)
            number, is_due = loop.accelerator.gather(told).amax(dim=0).tolist()
        return names[number], bool(is_due)
