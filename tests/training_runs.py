"""Folders of finished training runs, with a tiny adapter."""

from pathlib import Path

from app.base.files import input_file
from app.models import base_models, catalogue
from app.training.runs import run_folders
from tests import model_files as models
from trainer.prompt_form import TrainingPromptForm
from trainer.spec import RunSpec

FORM = base_models.trainer_form(catalogue.load().forms[base_models.TRAINED_FORM])


def finished_run(
    folder: Path, base: Path, name: str = "", form: TrainingPromptForm | None = FORM, seed: int = 2
) -> Path:
    asked = RunSpec(
        str(folder), str(base), "train.jsonl", "val.jsonl", name=name, base_sha256=input_file.sha256_of(base), form=form
    )
    run_folders.create(asked)
    run_folders.write_spec(folder, asked)
    models.tiny_adapter(folder / run_folders.ADAPTER, seed=seed)
    return folder
