"""A build on the page モデル: which step it is at, how to stop it, and how it ended."""

from PySide6.QtCore import Signal

from app.base.errors import AppError
from app.base.wording import describe_error, phrase
from app.inference.local_model import LocalModel
from app.models.build_plan import BuildPlan
from app.models.services.builds import Progress
from app.models.ui import words
from app.models.ui.care.build_desk import BuildDesk
from app.models.ui.care.strip import Strip
from app.uikit import localization
from app.uikit.theme import Theme


class BuildStrip(Strip):
    model_wanted = Signal(str)  # id of one that was made

    def __init__(self, theme: Theme, desk: BuildDesk) -> None:
        super().__init__(theme)
        self._desk = desk
        self._step: tuple[int, str] | None = None  # number and phase that are shown
        self.progress.cancelled.connect(desk.cancel)
        self.banner.action_requested.connect(self._on_action)
        desk.began.connect(self._on_began)
        desk.progressed.connect(self._on_progressed)
        desk.finished.connect(self._on_finished)
        desk.failed.connect(self._on_failed)
        desk.cancelled.connect(self._on_cancelled)

    def _on_began(self, plan: BuildPlan) -> None:
        self.banner.hide()
        self._step = None
        self.progress.start(phrase("models.building_name", name=plan.name))

    def _on_progressed(self, progress: Progress) -> None:
        step = (progress.number, progress.phase)
        if step != self._step:  # each has a pace of its own
            self._step = step
            place = f"{progress.number}/{progress.steps}"
            phase = phase_words(progress.phase, progress.form)
            self.progress.start(phrase("models.place_phase", place=place, phase=phase))
        self.progress.set_progress(progress.done_bytes, progress.total_bytes, is_bytes=progress.phase != "imatrix")

    def _on_finished(self, models: list[LocalModel]) -> None:
        self.progress.finish()
        what = phrase("models.models_built_n", n=len(models))
        self.banner.show_message("success", what, localization.join_names([model.name for model in models]))
        if models:
            self.model_wanted.emit(models[0].id)

    def _on_failed(self, error: AppError) -> None:
        self.progress.finish()
        sentence = describe_error(error)
        actions = [("again", phrase("models.try_again"))]
        if self._desk.kept_bytes():
            actions.append(("clean", phrase("models.delete_unfinished_files")))
        self.banner.show_message("danger", sentence.message, sentence.next, tuple(actions))

    def _on_cancelled(self) -> None:
        self.progress.finish()
        kept = self._desk.kept_bytes()
        if kept:
            what = phrase("models.the_build_was_stopped")
            sentence = phrase("models.what_was_finished_size_is", size=words.gigabytes(kept))
            actions = (("again", phrase("models.go_on_building")), ("clean", phrase("models.delete_unfinished_files")))
            self.banner.show_message("warning", what, sentence, actions)

    def _on_action(self, key: str) -> None:
        self.banner.hide()
        if key == "again":
            self._desk.start_again()
        elif key == "clean":
            freed = words.gigabytes(self._desk.clean())
            self.banner.show_message("success", phrase("models.unfinished_files_were_deleted_size", size=freed), "")


def phase_words(phase: str, form: str) -> str:
    """`phase`: a step's kind, or trial."""
    return {
        "convert": phrase("models.converting_to_gguf"),
        "adapter": phrase("models.converting_the_adapter"),
        "merge": phrase("models.merging_the_adapter"),
        "imatrix": phrase("models.measuring_which_weights_matter_to"),
        "quantize": phrase("models.quantizing_to_form", form=form),
        "trial": phrase("models.trying_form", form=form),
    }[phase]
