"""A build on the page モデル: which step it is at, how to stop it, and how it ended."""

from PySide6.QtCore import QCoreApplication, Signal

from app.base.errors import AppError
from app.base.wording import describe_error
from app.inference.local_model import LocalModel
from app.models.build_plan import BuildPlan
from app.models.services.builds import Progress
from app.models.ui import words
from app.models.ui.care.build_desk import BuildDesk
from app.models.ui.care.strip import Strip
from app.uikit import phrases
from app.uikit.theme import Theme

translate = QCoreApplication.translate


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
        self.progress.start(self.tr("モデルを作っています：{name}").format(name=plan.name))

    def _on_progressed(self, progress: Progress) -> None:
        step = (progress.number, progress.phase)
        if step != self._step:  # each has a pace of its own
            self._step = step
            place = f"{progress.number}/{progress.steps}"
            phase = phase_words(progress.phase, progress.form)
            self.progress.start(self.tr("（{place}）{phase}").format(place=place, phase=phase))
        self.progress.set_progress(progress.done_bytes, progress.total_bytes, is_bytes=progress.phase != "imatrix")

    def _on_finished(self, models: list[LocalModel]) -> None:
        self.progress.finish()
        what = self.tr("{n} 個のモデルを作りました。").format(n=len(models))
        self.banner.show_message("success", what, phrases.enumerated([model.name for model in models]))
        if models:
            self.model_wanted.emit(models[0].id)

    def _on_failed(self, error: AppError) -> None:
        self.progress.finish()
        sentence = describe_error(error)
        actions = [("again", self.tr("もう一度"))]
        if self._desk.kept_bytes():
            actions.append(("clean", self.tr("途中のファイルを消す")))
        self.banner.show_message("danger", sentence.message, sentence.next, tuple(actions))

    def _on_cancelled(self) -> None:
        self.progress.finish()
        kept = self._desk.kept_bytes()
        if kept:
            what = self.tr("モデルを作るのをやめました。")
            sentence = self.tr("終わった手順の結果（{size}）は残してあります。").format(size=words.gigabytes(kept))
            actions = (("again", self.tr("続きから作る")), ("clean", self.tr("途中のファイルを消す")))
            self.banner.show_message("warning", what, sentence, actions)

    def _on_action(self, key: str) -> None:
        self.banner.hide()
        if key == "again":
            self._desk.start_again()
        elif key == "clean":
            freed = words.gigabytes(self._desk.clean())
            self.banner.show_message(
                "success", self.tr("途中のファイルを消しました（{size}）。").format(size=freed), ""
            )


def phase_words(phase: str, form: str) -> str:
    """`phase`: a step's kind, or trial."""
    return {
        "convert": translate("Build", "GGUF に変換しています"),
        "adapter": translate("Build", "アダプターを変換しています"),
        "merge": translate("Build", "アダプターを組み込んでいます"),
        "imatrix": translate("Build", "文章で重みの重要度を測っています"),
        "quantize": translate("Build", "{form} に量子化しています").format(form=form),
        "trial": translate("Build", "{form} を試しています").format(form=form),
    }[phase]
