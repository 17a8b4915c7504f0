"""The trial model as a folder that can be trained, for the benchmarks of training."""

import json
import subprocess
from pathlib import Path

from app.models import starter
from app.models.training_environment import TrainingEnvironment
from trainer import convert_job
from trainer.convert_job import GgufToHf


def trial_model(environment: TrainingEnvironment, folder: Path) -> Path:
    """2 GB of disk."""
    base, job = folder / "base", folder / "job.json"
    job.write_text(
        json.dumps(convert_job.job_to_json(GgufToHf(str(starter.assemble(starter.card(), folder)), str(base))))
    )
    # Its input stays open as long as the result is wanted.
    with subprocess.Popen(
        environment.command("trainer.convert", str(job)), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        last = process.stdout.readlines()[-1]
    assert json.loads(last)["event"] == "finished", last
    return base
