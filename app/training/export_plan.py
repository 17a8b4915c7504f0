"""Plan the export of a tuned model: the forms to publish, and the steps that make and measure each form once.

    unpack     if the base is a GGUF file: make the folder that was trained, if it is missing
    convert    the base to one GGUF in f16, kept in a cache named after its source, and
    quantize   that file, if no GGUF of the base exists that answers questions
    score      base, base+shipped (if the catalogue has an adapter for it), base+adapter
    answer     the form whose answers are judged (`quality_gate.answering_form`) and, while it is measured, the base
which are enough for a verdict; and on request, to compare the other forms with f16 token by token:
    convert    the base to f16
    score      f16+adapter: the training result without rounding, the reference for all other forms
    merge      base + adapter in f16;  score
    quantize   Q8_0, Q6_K, Q5_K_M, Q4_K_M from the merged f16;  score each
    quantize   F16 if it is the one to publish: a copy with the run's name, since merging keeps the base's name

The engine measures 64 of the held-out lines at most: the trainer has measured all of them, and the engine shows what
becomes of the result in a file. Only the best file so far is kept (`quality_gate`). Measurements are kept, so that an
interrupted export resumes. The held-out questions are put to the model as the program would do it: in the catalogue's
prompt form if training used it. The file is over 450 lines because all steps depend on which files are there.
"""

import contextlib
import dataclasses
import functools
import hashlib
import json
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from app import __version__
from app.base.errors import AppError
from app.base.files import input_file
from app.base.files.output_file import drive_errors, require_space
from app.inference import prompts, quantizations
from app.inference import scoring_files as score_files
from app.inference.engine.model_jobs import ChatToScore, Quantize, Score
from app.inference.prompts import Segment, Turn
from app.inference.quantizations import QUANTIZATIONS
from app.inference.scoring_files import HeldOutChat, Holdout, Scores
from app.models import artifact_steps, base_models, gguf_build, hf_folders, local_models
from app.models.artifact_steps import ArtifactStep
from app.models.gguf_build import BuildPlan, BuildRequest
from app.models.hf_folders import HfModel
from app.training.quality_gate import BASE, BASE_ADAPTER, COMPARED, F16_ADAPTER, MERGED_F16, ON_BASE, SHIPPED
from app.training.runs import run_folders
from trainer import prompt_form as forms
from trainer.convert_job import GgufToHf, HfToGguf, Merge
from trainer.prompt_form import TrainingPromptForm
from trainer.spec import RunSpec

ANSWER_LEAST_TOKENS, ANSWER_MOST_TOKENS, ANSWER_SPARE_TOKENS = 64, 512, 32


def prompt_segments(form: TrainingPromptForm, messages: Sequence[Mapping[str, str]]) -> tuple[Segment, ...]:
    """Return the prompt for a conversation whose last message is a question."""
    known = base_models.find_prompt_form(form)
    if known is None:
        return tuple(Segment(piece.text, piece.markup) for piece in forms.prompt_pieces(form, messages))
    system = messages[0]["content"] if messages[0]["role"] == "system" else ""
    asked = list(messages[1:] if system else messages)
    answered = [Turn(asked[at]["content"], asked[at + 1]["content"]) for at in range(0, len(asked) - 1, 2)]
    return prompts.build(known, (*answered, Turn(asked[-1]["content"])), system)


def answer_limit_tokens(chat: HeldOutChat) -> int:
    """Return the token limit for the answer: twice the held-out answer, within bounds, but always longer than that."""
    kept = len(chat.answer)
    return max(ANSWER_LEAST_TOKENS, min(2 * kept, ANSWER_MOST_TOKENS), kept + ANSWER_SPARE_TOKENS)


QUANTIZED = quantizations.parse_quantizations("Q8_0,Q6_K,Q5_K_M,Q4_K_M")
BASE_FORM = QUANTIZATIONS["Q4_K_M"]
ALL_FORMS = (*ON_BASE, F16_ADAPTER, MERGED_F16, *(form.name for form in QUANTIZED))
EXPORT_FOLDER = "export"  # name inside the run's folder
_REFERENCE_BYTES = 8200  # size per scored position (app/inference/engine/score.py)
SPEED_TOKENS = 24


@dataclass(frozen=True, slots=True)
class ExportSource:
    """The base model that a run has trained, with the run.

    `gguf`: the base as the GGUF file that answers questions; None if the base is only a `folder`. `requested`: the
    run's spec.
    """

    run: Path
    requested: RunSpec
    gguf: Path | None
    sha256: str  # hash of `gguf`
    folder: Path  # may be missing if there is a `gguf`


@dataclass(frozen=True, slots=True)
class ExportPlan:
    """The plan of one export.

    `base`: the GGUF file that already answers questions; None if it has to be made. `cache`: the folder for the base in
    f16. `holdout`: the held-out lines that are measured.
    """

    run: Path
    source: HfModel
    base: Path | None
    cache: Path
    name: str
    form: TrainingPromptForm | None
    holdout: Holdout
    groups: Path | None  # file of held-out rows with their groups, which resampling keeps whole
    build: BuildPlan  # sizes and names of the files to make
    shipped: Path | None  # the adapter that the program applies to this base by default
    key: str  # hash of everything that the measurements depend on

    @property
    def adapter(self) -> Path:
        return self.run / run_folders.ADAPTER

    @property
    def folder(self) -> Path:
        """Return the folder of intermediate files and measurements, inside the run's folder."""
        return self.run / EXPORT_FOLDER / self.key

    @property
    def reference(self) -> Path:
        return self.folder / "reference"

    @property
    def base_f16(self) -> Path:
        return self.cache / f"{self.build.id}-f16.gguf"

    @property
    def forms(self) -> list[str]:
        """Return the names of all forms that can be measured; those of ON_BASE are enough for a verdict."""
        return [form for form in ALL_FORMS if form != SHIPPED or self.shipped is not None]

    def file(self, form: str) -> Path:
        if form == F16_ADAPTER:
            return self.base_f16
        if form in ON_BASE:
            return self.base or self.folder / "base.gguf"
        return self.folder / f"{form}.gguf"

    def final_file(self, form: str) -> Path:
        """Return the model file to publish for a form: for MERGED_F16 a separate copy, otherwise `file(form)`."""
        return self.folder / "named.gguf" if form == MERGED_F16 else self.file(form)

    def adapter_of(self, form: str) -> str:
        if form == SHIPPED:
            return str(self.shipped)
        return str(self.adapter) if form in (BASE_ADAPTER, F16_ADAPTER) else ""

    def score_file(self, form: str) -> Path:
        return self.folder / f"{form}.json"

    def answer_file(self, form: str) -> Path:
        """Return the file that holds the answers until they are added to the form's scores."""
        return self.folder / f"{form}-answers.json"

    def size_bytes(self, form: str) -> int:
        """Return the approximate size of a form's file in bytes."""
        name = {F16_ADAPTER: "", MERGED_F16: "", BASE: BASE_FORM.name}.get(form, form)
        return next(step.writes_bytes for step in self.build.steps if step.name == name)


def read_source(run: Path) -> ExportSource:
    """Return the base model to export of the run in the folder `run`.

    A base that is one file is hashed, so that no other file is measured instead.

    Raises AppError: run_from_elsewhere, gate_not_finished, gate_no_holdout, gate_no_base, gate_other_base.
    """
    found = run_folders.read(run)
    run_folders.require_planned_here(found)  # a foreign spec could name any base and folder
    asked = run_folders.effective_spec(run)
    if asked is None or not (run / run_folders.ADAPTER).is_file():
        raise AppError("gate_not_finished", id=run.name)
    if not (run / run_folders.HOLDOUT).is_file():  # the trainer writes this file before the adapter
        raise AppError("gate_no_holdout", id=run.name)
    base = Path(asked.base)
    if not asked.base.lower().endswith(".gguf"):
        if not base.is_dir():
            raise AppError("gate_no_base", path=asked.base)
        return ExportSource(run, asked, None, "", base)
    try:
        sha256 = input_file.sha256_of(base)
    except OSError as error:
        raise AppError("gate_no_base", path=asked.base) from error
    if asked.base_sha256 not in ("", sha256):
        raise AppError("gate_other_base", path=asked.base)
    return ExportSource(
        run, asked, base, sha256, Path(asked.bases or run / "base") / sha256[:16]
    )  # the trainer's name for the converted folder


def unpack_steps(source: ExportSource) -> list[ArtifactStep]:
    """Return the step that makes the source's folder, if it is missing. Raises AppError("run_unwritable")."""
    if source.folder.is_dir():
        return []
    with drive_errors(source.folder.parent, "run_unwritable"):
        source.folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    job = GgufToHf(str(source.gguf), str(source.folder))
    return [ArtifactStep("unpack", source.folder, job, BASE, is_shared=True)]  # its process checks the free space


def plan_export(source: ExportSource, cache: Path) -> ExportPlan:
    """Plan the export of a run. This hashes the run's adapter and held-out rows.

    `cache`: the folder for the base in f16. Raises AppError: holdout_unreadable, and as `hf_folders.read_hf_model`
    does.
    """
    run, asked = source.run, source.requested
    model = hf_folders.read_hf_model(source.folder)
    name = asked.name or run.name
    build = gguf_build.plan_build(BuildRequest(model, QUANTIZED, run, name=name))
    holdout = _measured_lines(run_folders.read_holdout(run))
    shipped = _shipped(source)
    read = (run / run_folders.ADAPTER, run / run_folders.HOLDOUT, *([shipped] if shipped else []))
    files = [input_file.sha256_of(path) for path in read]
    marks = [__version__, build.id, *files, source.sha256, _questions(asked.form, holdout)]
    return ExportPlan(
        run=run,
        source=model,
        base=source.gguf,
        cache=cache,
        name=name,
        form=asked.form,
        holdout=holdout,
        groups=Path(asked.holdout) if asked.holdout else None,
        build=build,
        shipped=shipped,
        key=hashlib.sha256(json.dumps(marks).encode()).hexdigest()[:16],
    )


def _measured_lines(holdout: Holdout) -> Holdout:
    """Return at most MEASURED_LINES of the held-out lines: those of the chats, and others spread evenly."""
    asked = {chat.line for chat in holdout.chats}
    others = sorted({example.line for example in holdout.examples} - asked)
    count = max(0, min(run_folders.MEASURED_LINES - len(asked), len(others)))
    return holdout.only(asked.union(others[at * len(others) // count] for at in range(count)))


def _shipped(source: ExportSource) -> Path | None:
    """Return the adapter that the program applies to this base by default; None if there is none.

    Raises AppError as `local_models.describe` does.
    """
    if source.gguf is None:
        return None
    model = local_models.describe(source.gguf)
    model = dataclasses.replace(model, files=(dataclasses.replace(model.files[0], sha256=source.sha256),))
    found = local_models.adapter_of(model)
    return found.path if found is not None else None


def _questions(form: TrainingPromptForm | None, holdout: Holdout) -> list[object]:
    """Return the prompts, answer limits and stop texts as they are now: they change with the prompt template."""
    if form is None:
        return []
    texts = [[(one.text, one.markup) for one in prompt_segments(form, chat.messages)] for chat in holdout.chats]
    return [texts, list(map(answer_limit_tokens, holdout.chats)), form.stop]


# ------------------------------------------------------------------------- steps


def answers_are_wanted(export: ExportPlan, form: str) -> bool:
    """Return whether scoring this form also writes answers, which is so only for the base.

    The form that answers for the tuned model is known only later and gets an "answer" step of its own.
    """
    return form == BASE and export.form is not None and bool(export.holdout.chats)


def read_scores(export: ExportPlan) -> dict[str, Scores]:
    """Return an earlier attempt's scores by form, except damaged ones and those that lack required answers.

    Those of other lines are left out, too: earlier versions measured all that were held out.
    """
    found, lines = {}, [example.line for example in export.holdout.examples]
    for form in export.forms:
        with contextlib.suppress(AppError):
            one = score_files.read_scores(export.score_file(form))
            is_complete = [example.line for example in one.examples] == lines
            if is_complete and (one.answers or not answers_are_wanted(export, form)):
                found[form] = one
    return found


def steps_to_answer(export: ExportPlan, form: str, scores: Scores) -> list[ArtifactStep]:
    """Return the steps that write a form's answers; [] if there are some. `scores`: this form's scores."""
    if scores.answers or not answers_are_wanted(export, BASE):
        return []
    answer = _score_job(export, form, export.answer_file(form), measures=False)
    return [*steps_to_make(export, form), ArtifactStep("answer", export.answer_file(form), answer, form)]


def merge_answer_file_into_scores(export: ExportPlan, form: str, scores: Scores) -> Scores:
    """Take the answers that the form wrote from its answer file into its `scores`; store and return the result.

    Raises AppError as `read_scores` does, and OSError.
    """
    path = export.answer_file(form)
    made = with_answers_of(score_files.read_scores(path), scores, export.score_file(form))
    path.unlink()
    return made


def with_answers_of(earlier: Scores | None, scores: Scores, path: Path) -> Scores:
    """Return the form's `scores` with the answers of `earlier`, and store them in `path`. Raises OSError."""
    if earlier is None or scores.answers or not earlier.answers:
        return scores
    kept = dataclasses.replace(scores, answers=earlier.answers, write_tokens_per_s=earlier.write_tokens_per_s)
    score_files.write_scores(kept, path)
    return kept


def remaining_steps(export: ExportPlan, measured: Mapping[str, Scores], *, all_forms: bool) -> list[ArtifactStep]:
    """Return all steps still to do; each has its form's name. `measured`: the forms that are already measured.

    With `all_forms`, what was measured without the reference in f16 is measured again.
    """
    forms = [form for form in export.forms if all_forms or form in ON_BASE]
    wanted = [form for form in forms if form not in measured]
    if all_forms and BASE_ADAPTER not in wanted and measured[BASE_ADAPTER].divergence is None:
        wanted.append(BASE_ADAPTER)
    if any(form not in COMPARED for form in wanted) and all_forms and not export.reference.is_file():
        wanted.append(F16_ADAPTER)
    wanted = [form for form in (F16_ADAPTER, *forms) if form in wanted]
    quantized = [form.name for form in QUANTIZED if form.name in wanted]
    steps = []
    for form in dict.fromkeys(wanted):
        if form == F16_ADAPTER:
            steps += _base_steps(export)
        if form in ON_BASE:
            steps += steps_to_make(export, form)
        if form == MERGED_F16 or (quantized[:1] == [form] and MERGED_F16 in measured):
            steps += steps_to_make(export, MERGED_F16)
        if form in quantized:
            steps.append(_quantize_step(export, form, export.file(form)))
        writes = export.holdout.scored_positions * _REFERENCE_BYTES if form == F16_ADAPTER else 0
        drops = (export.file(form),) if form in quantized and form != QUANTIZED[0].name else ()
        score = _score_job(export, form, export.score_file(form), measures=True, compares=all_forms)
        steps.append(ArtifactStep("score", export.score_file(form), score, form, writes, drops))
    return list({step.path: step for step in steps}.values())


def steps_to_make(export: ExportPlan, form: str) -> list[ArtifactStep]:
    """Return the steps that make a form's file; [] if it exists."""
    if export.file(form).is_file():
        return []
    if form in ON_BASE:
        return [*_base_steps(export), _quantize_step(export, BASE, export.file(BASE))]
    if form == MERGED_F16:
        merge = functools.partial(Merge, str(export.base_f16), str(export.adapter), str(export.file(form)))
        step = ArtifactStep("merge", export.file(form), merge, form, export.size_bytes(form))
        return [*_base_steps(export), step]
    return [*steps_to_make(export, MERGED_F16), _quantize_step(export, form, export.file(form))]


def steps_to_finish(export: ExportPlan, form: str) -> list[ArtifactStep]:
    """Return the steps that make the file to publish for a form; [] if it exists."""
    path = export.final_file(form)
    if path == export.file(form):
        return steps_to_make(export, form)
    return [] if path.is_file() else [*steps_to_make(export, form), _quantize_step(export, form, path)]


def _base_steps(export: ExportPlan) -> list[ArtifactStep]:
    path = export.base_f16
    convert = functools.partial(HfToGguf, str(export.source.folder), str(path), outtype="f16")
    step = ArtifactStep("convert", path, convert, F16_ADAPTER, export.size_bytes(F16_ADAPTER), is_shared=True)
    return [] if path.is_file() else [step]


def _quantize_step(export: ExportPlan, form: str, path: Path) -> ArtifactStep:
    """Return the step that quantizes the base (BASE) or the merged model into `path`."""
    source = export.base_f16 if form == BASE else export.file(MERGED_F16)
    quantization = BASE_FORM.name if form == BASE else form
    job = Quantize(str(source), str(path), quantization, metadata=export.build.metadata())
    return ArtifactStep("quantize", path, job, form, export.size_bytes(form))


def _score_job(export: ExportPlan, form: str, target: Path, *, measures: bool, compares: bool = False) -> Score:
    asked = export.form
    chats = export.holdout.chats if asked is not None else ()
    writes = not measures or answers_are_wanted(export, form)
    return Score(
        model=str(export.file(form)),
        holdout=str(export.run / run_folders.HOLDOUT),
        target=str(target),
        adapter=export.adapter_of(form),
        reference=str(export.reference) if compares and form not in (BASE, SHIPPED) else "",
        makes_reference=form == F16_ADAPTER,
        chats=tuple(
            ChatToScore(prompt_segments(asked, chat.messages), chat.ids, answer_limit_tokens(chat))
            for chat in chats
            if asked is not None
        ),
        answers=writes,
        measures=measures,
        speed_tokens=SPEED_TOKENS if writes or form not in COMPARED else 0,
        stop=asked.stop if asked is not None else (),
        lines=tuple(sorted({example.line for example in export.holdout.examples})),
    )


# ------------------------------------------------------------------------ folder


def open_folder(export: ExportPlan, steps: Collection[ArtifactStep]) -> None:
    """Create the export's folders, delete those of earlier plans, and check the free space for `steps`.

    Raises AppError("drive_space" | "run_unwritable").
    """
    with drive_errors(export.run, "run_unwritable"):
        export.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        export.cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        for other in export.folder.parent.iterdir():
            if other != export.folder:
                shutil.rmtree(other, ignore_errors=True)
        require_space(export.run, artifact_steps.peak_bytes(steps))
        require_space(export.cache, max((step.writes_bytes for step in steps if step.kind == "convert"), default=0))


def delete_unneeded(export: ExportPlan, keep: Collection[str]) -> None:
    """Delete the files of all forms except those in `keep`."""
    for form in (BASE, MERGED_F16, *(form.name for form in QUANTIZED)):
        for path in {export.file(form), export.final_file(form)}:
            if form not in keep and path.parent == export.folder:
                path.unlink(missing_ok=True)


def publish_in_run_folder(export: ExportPlan, form: str) -> str:
    """Move the file to publish for a form into the run's folder, and delete the other forms and earlier results.

    Return the file's name; "" if the base's own file is used. The base in f16 stays in its cache. Raises
    AppError("run_unwritable").
    """
    of_form = (run_folders.GATE, run_folders.REPORT, "base.gguf")  # first the files that refer to the model
    with drive_errors(export.run, "run_unwritable"):
        for old in (
            *of_form,
            *(export.build.file_name(one) for one in (MERGED_F16, *(form.name for form in QUANTIZED))),
        ):
            (export.run / old).unlink(missing_ok=True)  # a result of an earlier gate
    return move_form_file_into_run(export, form)


def move_form_file_into_run(export: ExportPlan, form: str) -> str:
    """Move the model file of a form into the run's folder, and keep what an earlier gate published there.

    `form`: a quantization, or another way to store the tuned model (the forms of `app.training.quality_gate`). Return
    the file's name; "" if the base's own file is used. Raises AppError("run_unwritable").
    """
    name = ""
    with drive_errors(export.run, "run_unwritable"):
        path = export.final_file(form)
        if path.parent == export.folder:
            name = "base.gguf" if form == BASE_ADAPTER else export.build.file_name(form)
            path.replace(export.run / name)
        delete_unneeded(export, ())
        export.reference.unlink(missing_ok=True)
    return name
