"""A job that came back from another machine, as the trainer leaves it, and what a stranger can do to it."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.base.files import input_file
from app.training import remote_job
from app.training.data.rows import PARTS
from app.training.runs import run_folders
from tests import fake_trainer
from tests import model_files as models
from tests.permits import PERMIT
from trainer import adapter, start
from trainer.spec import RunSpec

ROW = '{"messages": [{"role": "user", "content": "?"}, {"role": "assistant", "content": "!"}]}\n'
CANARY = "PRIVATE KEY CANARYKEY"


def finished(root: Path) -> Path:
    """The folder of a job that was trained (by the fake), beside the runs' folder and a private one."""
    base = models.tiny_llama(root / "base.gguf")
    places = {}
    for part in PARTS:
        (root / f"{part}.jsonl").write_text(ROW, encoding="utf-8")
        places[part] = str(root / f"{part}.jsonl")
    hashes = {part: input_file.sha256_of(Path(path)) for part, path in places.items()}
    sha256 = input_file.sha256_of(base)
    asked = RunSpec(str(root / "runs" / "r"), str(base), name="r", base_sha256=sha256, hashes=hashes, **places)  # type: ignore[arg-type]
    run_folders.create(asked)
    job = remote_job.make_job(asked, root / "job", permit=PERMIT).folder
    argv = start.command(sys.executable, fake_trainer.FAKE, str(job / run_folders.SPEC))
    environment = os.environ | fake_trainer.variables("good")
    subprocess.run(argv, cwd=Path(__file__).parents[2], env=environment, check=True, capture_output=True)
    (root / "private").mkdir()
    (root / "private" / "id_rsa").write_text(CANARY, encoding="utf-8")
    return job


def private(job: Path) -> Path:
    return job.parent / "private"


def change(path: Path, **values: Any) -> None:
    """Of a JSON object."""
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | values), encoding="utf-8")


def sign(job: Path) -> None:
    """New sums for what is there now: whoever sends the folder can make them."""
    names = [line.partition("  ")[2] for line in (job / remote_job.SUMS).read_text("utf-8").splitlines()]
    lines = [f"{hashlib.sha256((job / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    (job / remote_job.SUMS).write_text("".join(lines), encoding="utf-8")


def _link(job: Path, name: str, target: Path) -> None:
    path = job / name
    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)
    path.symlink_to(target)


def _linked_adapter(job: Path) -> None:
    shutil.copytree(job / "run" / "adapter", private(job), dirs_exist_ok=True)
    _link(job, "run/adapter", private(job))


def _hard_link(job: Path) -> None:
    (job / "run" / "adapter" / "rows.txt").unlink()
    os.link(private(job) / "id_rsa", job / "run" / "adapter" / "rows.txt")


def _pipe(job: Path) -> None:
    (job / "run" / "adapter" / "rows.txt").unlink()
    os.mkfifo(job / "run" / "adapter" / "rows.txt")


def _folder_for_file(job: Path) -> None:
    (job / "run" / "holdout.json").unlink()
    (job / "run" / "holdout.json").mkdir()


def _sparse(job: Path, name: str, size_bytes: int) -> None:
    with (job / name).open("r+b") as file:
        file.truncate(size_bytes)


def _linked_run(job: Path) -> None:
    (job / "run").rename(job.parent / "run elsewhere")
    (job / "run").symlink_to(job.parent / "run elsewhere")


def _linked_data(job: Path) -> None:
    shutil.copyfile(job / "data" / "train.jsonl", private(job) / "train.jsonl")
    _link(job, "data/train.jsonl", private(job) / "train.jsonl")


def _linked_data_folder(job: Path) -> None:
    (job / "data").rename(private(job) / "data")
    (job / "data").symlink_to(private(job) / "data")


def _way_out(job: Path) -> None:
    with (job / remote_job.SUMS).open("a", encoding="utf-8") as file:
        file.write(f"{hashlib.sha256(CANARY.encode()).hexdigest()}  ../private/id_rsa\n")


def _rows_that_nothing_vouches_for(job: Path) -> None:
    """What was kept back is in no list of hashes, and can be anything."""
    hashes = json.loads((job / remote_job.JOB_FILE).read_text("utf-8"))["hashes"]
    del hashes["holdout"]
    for name in (remote_job.JOB_FILE, "run/effective.json"):
        change(job / name, hashes=hashes)
    lines = (job / remote_job.SUMS).read_text("utf-8").splitlines(keepends=True)
    (job / remote_job.SUMS).write_text("".join(line for line in lines if "holdout" not in line), encoding="utf-8")
    sign(job)


def _unlisted_pipe(job: Path) -> None:
    _rows_that_nothing_vouches_for(job)
    (job / "data" / "holdout.jsonl").unlink()
    os.mkfifo(job / "data" / "holdout.jsonl")


def _unlisted_device(job: Path) -> None:
    _rows_that_nothing_vouches_for(job)
    _link(job, "data/holdout.jsonl", Path("/dev/zero"))


def _unlisted_rows(job: Path) -> None:
    _rows_that_nothing_vouches_for(job)
    (job / "data" / "holdout.jsonl").write_text(ROW * 2, encoding="utf-8")


def _second_spelling(job: Path) -> None:
    with (job / remote_job.SUMS).open("a", encoding="utf-8") as file:
        file.write(f"{hashlib.sha256(ROW.encode()).hexdigest()}  ./data/train.jsonl\n")


def _endless_sums(job: Path) -> None:
    """Hashing what takes no room on the drive would take an hour."""
    with (job / "data" / "more").open("wb") as file:
        file.truncate(60 << 30)
    with (job / remote_job.SUMS).open("a", encoding="utf-8") as file:
        file.write(f"{'0' * 64}  data/more\n")


def _many_sums(job: Path) -> None:
    (job / remote_job.SUMS).write_text("0  a\n" * 20_000, encoding="utf-8")


def _added(name: str, content: bytes) -> Callable[[Path], None]:
    return lambda job: void((job / "run" / "adapter" / name).write_bytes(content))


def _named(name: str) -> Callable[[Path], None]:
    return lambda job: change(job / remote_job.JOB_FILE, run=name)


def void(_result: object) -> None:
    """For a lambda that is only to do something."""


# What leads elsewhere or deceives -> what it is refused by.
LINKS: dict[str, tuple[Callable[[Path], None], str]] = {
    "a linked adapter": (_linked_adapter, "job_refused"),
    "a linked file of the adapter": (
        lambda job: _link(job, "run/adapter/rows.txt", private(job) / "id_rsa"), "job_refused",
    ),
    "a link without a target": (lambda job: _link(job, "run/adapter/rows.txt", Path("/none")), "job_refused"),
    "a second name of a private file": (_hard_link, "job_refused"),
    "a pipe": (_pipe, "job_refused"),
    "a device": (lambda job: _link(job, "run/holdout.json", Path("/dev/zero")), "job_refused"),
    "a folder in place of a file": (_folder_for_file, "job_refused"),
    "a linked run": (_linked_run, "job_refused"),
    "a linked journal": (lambda job: _link(job, "run/events.jsonl", private(job) / "id_rsa"), "job_refused"),
    "a linked spec": (lambda job: _link(job, "run/effective.json", private(job) / "id_rsa"), "job_refused"),
    "a linked manifest": (lambda job: _link(job, remote_job.JOB_FILE, private(job) / "id_rsa"), "job_refused"),
    "linked sums": (lambda job: _link(job, remote_job.SUMS, private(job) / "id_rsa"), "job_refused"),
    "a linked log": (lambda job: _link(job, "run/log.txt", private(job) / "id_rsa"), "job_refused"),
    "linked data": (_linked_data, "job_refused"),
    "a linked folder of data": (_linked_data_folder, "job_refused"),
    "a name that leads out": (_way_out, "job_changed"),
    "more names than a job has": (_many_sums, "job_refused"),
    "a file under a second spelling": (_second_spelling, "job_changed"),
    "files that take an hour to hash": (_endless_sums, "job_refused"),
    "a pipe for the rows that were kept back": (_unlisted_pipe, "job_changed"),
    "a device for the rows that were kept back": (_unlisted_device, "job_changed"),
    "rows kept back that no hash vouches for": (_unlisted_rows, "job_changed"),
    "weights of a terabyte": (lambda job: _sparse(job, f"run/adapter/{adapter.WEIGHTS}", 1 << 40), "job_refused"),
    "an adapter of a terabyte": (lambda job: _sparse(job, "run/adapter.gguf", 1 << 40), "job_refused"),
    "a journal of a gigabyte": (lambda job: _sparse(job, "run/events.jsonl", 1 << 30), "job_refused"),
    "a manifest of a gigabyte": (lambda job: _sparse(job, remote_job.JOB_FILE, 1 << 30), "job_refused"),
    "code beside the adapter": (_added("sitecustomize.py", b"raise SystemExit"), "job_refused"),
    "a pickle beside the adapter": (_added("adapter_model.bin", b"\x80\x04."), "job_refused"),
    "a hidden file beside the adapter": (_added(".gitattributes", b"* filter=x"), "job_refused"),
    "a run called after the bin": (_named(".bin"), "job_unreadable"),
    "a run that begins with a dot": (_named(".hidden"), "job_unreadable"),
    "a run outside": (_named("../outside"), "job_unreadable"),
    "a run of another system's folder": (_named("a\\b"), "job_unreadable"),
    "a run that turns its name round": (_named("a\u202egpj.txt"), "job_unreadable"),
    "a run with a line end": (_named("a\nb"), "job_unreadable"),
    "a run called after a device": (_named("CON"), "job_unreadable"),
    "a run with a name of a thousand letters": (_named("あ" * 1000), "job_unreadable"),
}  # fmt: skip


def _tensors(name: str, rank: int, width: int, kind: str = "F32") -> bytes:
    size = 4 * rank * width
    header = {
        f"{name}.lora_A.weight": {"dtype": kind, "shape": [rank, width], "data_offsets": [0, size]},
        f"{name}.lora_B.weight": {"dtype": kind, "shape": [width, rank], "data_offsets": [size, 2 * size]},
    }
    raw = json.dumps(header).encode()
    return len(raw).to_bytes(8, "little") + raw + bytes(2 * size)


def _weights(content: bytes) -> Callable[[Path], None]:
    return lambda job: void((job / "run" / "adapter" / "adapter_model.safetensors").write_bytes(content))


def _config(**values: Any) -> Callable[[Path], None]:
    return lambda job: change(job / "run" / "adapter" / "adapter_config.json", **values)


_Q = "base_model.model.model.layers.0.self_attn.q_proj"
# Adapters that are none, or of another base -> what they are refused by.
ADAPTERS: dict[str, tuple[Callable[[Path], None], str]] = {
    "a pickle in place of weights": (_weights(b"\x80\x04cos\nsystem\n."), "hf_weights_damaged"),
    "no weights": (_weights(b""), "hf_weights_damaged"),
    "another rank than in its settings": (_weights(_tensors(_Q, 8, 64)), "hf_adapter_mismatch"),
    "a matrix of another base": (_weights(_tensors(_Q, 16, 96)), "job_adapter_differs"),
    "a layer that the base has not": (_weights(_tensors(_Q.replace(".0.", ".9."), 16, 64)), "job_adapter_differs"),
    "a module that is not trained": (_weights(_tensors("base_model.model.lm_head", 16, 64)), "job_adapter_differs"),
    "weights of whole numbers": (_weights(_tensors(_Q, 16, 64, "I32")), "hf_weights_type"),
    "another rank than was asked for": (_config(r=8), "hf_adapter_mismatch"),
    "another strength than was asked for": (_config(lora_alpha=4096), "job_adapter_differs"),
    "another kind of adapter": (_config(peft_type="IA3"), "hf_adapter_unsupported"),
    "code of its own": (_config(auto_map={"AutoModel": "evil.Model"}), "hf_remote_code"),
}  # fmt: skip
