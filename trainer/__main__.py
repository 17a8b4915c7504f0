"""Run one training: `<trainer python> -m trainer RUN.json [--resume] [--commands] [--card UUID] [--plan | --probe]`.

`trainer.spec` describes RUN.json, `trainer.machine` a file beside it, `trainer.events` the events and commands. To use
several processes, start it with `accelerate launch`, as a job for another machine does, or `torch.distributed.run`. The
examples of each step are then distributed over all processes; with a configuration of the type FSDP the base is, too
(`trainer.sharding`).
"""

import argparse
import logging
import os
import sys
import time
import traceback
from pathlib import Path
from typing import NoReturn

from trainer import machine, offline, sharding, spec
from trainer.channel import RunControl, TrainerJournal
from trainer.events import EXIT_UNREADABLE_SPEC, Failed, RunError
from trainer.wire import claim_stdout, exit_at_once


def main(arguments: list[str]) -> NoReturn:
    """Run the trainer and end the process without waiting for torch's threads."""
    os.umask(0o077)  # only this user may read the files, as with all of Kotae's files
    options = _parser().parse_args(arguments)
    is_first = os.environ.get("RANK", "0") == "0"
    writer = claim_stdout()
    journal = TrainerJournal(writer if is_first else None)
    offline.enforce()
    sharding.take_over()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    try:
        requested = spec.read(Path(options.spec))
        here = machine.read(Path(options.spec).with_name(machine.FILE))
    except spec.SpecError as error:
        journal.send(_invalid(error))
        exit_at_once(1)
    except OSError as error:
        print(f"trainer: {error}", file=sys.stderr)  # noqa: T201  stderr is the log
        exit_at_once(EXIT_UNREADABLE_SPEC)
    exit_at_once(_run(requested, here, journal, options))


def _run(
    requested: spec.RunSpec, here: machine.MachineSettings, journal: TrainerJournal, options: argparse.Namespace
) -> int:
    began_at = time.time()
    control = RunControl()
    control.listen_to_signals()
    if options.commands:
        control.listen_to_input()
    if options.card:  # the numbers that CUDA gives the cards are not those of the driver
        os.environ.setdefault("CUDA_VISIBLE_DEVICES", options.card)
    try:
        from trainer import libraries  # noqa: F401  first of all: it and the next import torch, which takes seconds
        from trainer.run import run

        machine.require_logger(here.report_to)
        ends_after = options.ends_after or ""
        last = run(requested, journal, control, began_at, resumes=options.resume, ends_after=ends_after, here=here)
        if last is not None:
            journal.send(last)
        return 0
    except RunError as error:
        journal.send(Failed(error.code, error.facts))
    except spec.SpecError as error:  # a given value contradicts one that the recipe chose
        journal.send(_invalid(error))
    except (RuntimeError, MemoryError) as error:  # raised while loading the model or measuring the hold-out
        from trainer import probe

        if not probe.is_out_of_memory(error):
            raise
        traceback.print_exc()
        journal.send(Failed("out_of_memory", {"device": requested.device or "", "micro_batch": 1}))
    except ImportError as error:
        traceback.print_exc()
        facts = {"path": sys.executable, "reason": str(error)[:300]}
        journal.send(Failed("training_environment_broken", facts))
    return 1


def _invalid(error: spec.SpecError) -> Failed:
    return Failed("spec_invalid", {"field": error.field, "value": error.value, "expected": error.expected})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m trainer", description="One training run.")
    parser.add_argument("spec", metavar="RUN.json")
    parser.add_argument("--resume", action="store_true", help="resume from the newest complete checkpoint")
    parser.add_argument("--card", help="UUID of the card to use, unless CUDA_VISIBLE_DEVICES names one")
    parser.add_argument("--commands", action="store_true", help="read commands from standard input; its end is a pause")
    ends = parser.add_mutually_exclusive_group()
    ends.add_argument("--plan", dest="ends_after", action="store_const", const="plan", help="check and compute, only")
    ends.add_argument(
        "--probe", dest="ends_after", action="store_const", const="probe", help="measure three steps, only"
    )
    return parser


if __name__ == "__main__":
    main(sys.argv[1:])
