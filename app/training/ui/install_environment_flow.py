"""Make the training environment: the dialog that asks for the folder, the progress, and the box in the first step.

The dialog shows the folder, the space needed on its drive, and what is downloaded. The box shows whether an environment
exists and what it contains.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QFrame, QWidget

from app.base.errors import AppError
from app.base.wording import ErrorMessage, current_language, describe_error, phrase
from app.models import package_locks as locks
from app.training.environment import shipped_tools
from app.training.environment.messages import Phase
from app.training.services.environment_setup import EnvironmentSetup
from app.uikit.desktop import Pickers
from app.uikit.dialogs import Dialog, DialogButton
from app.uikit.localization import format_gigabytes, join_facts, make_breakable
from app.uikit.theme import Theme
from app.uikit.widgets.banner import Banner
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import FlowBox, NoticeColumn, make_column, make_row
from app.uikit.widgets.form_rows import Chooser, PathRow
from app.uikit.widgets.labels import Label
from app.uikit.widgets.progress_row import ProgressRow

if TYPE_CHECKING:
    from app.training.environment.folders import EnvironmentReport
    from app.training.environment.install_plan import InstallNeed


class InstallEnvironmentDialog(Dialog):
    """Asks where to make the environment and which variant.

    Buttons: cancel, make, offline (install from a folder of wheels, which is then requested). Afterwards `base` is the
    folder to contain the environment and `variant` one of `locks.VARIANTS`, or "" for the one that suits this machine.
    """

    def __init__(
        self,
        theme: Theme,
        setup: EnvironmentSetup,
        wheels: Path | None,
        parent: QWidget,
        pickers: Pickers,
        base: Path | None = None,
        variant: str = "",
    ) -> None:
        """Create the dialog.

        `wheels`: the folder, perhaps a kit, to install from; None for the package indexes. `base`: a folder that was
        chosen before; None for the default. `self.base` is None until the default folder is known. `variant`: the one
        that is chosen at first.
        """
        self._setup = setup
        self._wheels = wheels
        self._pickers = pickers
        self.base = base
        self.variant = variant
        known = {lock.variant for lock in locks.all_locks()}
        self._has_variants = wheels is None and len(known) > 1  # with a folder, its content decides
        self.kind = Chooser(
            (
                (phrase("training.automatic_what_suits_this_pc"), ""),
                (phrase("common.for_gpus_cuda"), "cuda"),
                (phrase("common.for_cpus"), "cpu"),
            ),
            self._choose_variant,
        )
        self.kind.setAccessibleName(phrase("training.kind_of_parts"))
        self.kind.show_value(variant)
        self.folder_row = PathRow(theme, phrase("training.place"), "", can_clear=False)
        self.room = Label(wraps=True)
        self.network = Label(wraps=True)
        offline = () if wheels else (DialogButton("offline", phrase("common.make_it_offline")),)
        super().__init__(
            theme,
            phrase("training.make_the_training_environment"),
            phrase("training.installs_python_torch_and_what"),
            (
                DialogButton("cancel", phrase("common.cancel")),
                *offline,
                DialogButton("make", phrase("common.create"), "primary", is_default=True),
            ),
            parent,
            content=self._content(),
        )
        self._is_allowed = wheels is not None or setup.may_use_network
        self.folder_row.choose_requested.connect(self._choose_place)
        self._show_checking(base)
        if base is None:
            setup.propose(self._on_proposed)
        else:
            self._measure(base)

    def fit_height(self, *inner: QWidget | None) -> None:
        super().fit_height(*inner, self.folder_row, self.folder_row.parentWidget())

    def _content(self) -> QWidget:
        content, kind = QWidget(), QWidget()
        make_row(Label(phrase("training.kind_of_parts"), strong=True), (self.kind, 1), into=kind, spacing_px=12)
        kind.setVisible(self._has_variants)
        self.folder_row.setContentsMargins(-12, 0, -12, 0)
        make_column(self.folder_row, kind, self.room, self.network, into=content, spacing_px=8)
        return content

    def _choose_variant(self, variant: str) -> None:
        self.variant = variant
        if self.base is not None:
            self._measure(self.base)

    def _choose_place(self) -> None:
        path = self._pickers.folder(self, phrase("training.choose_the_place_for_the"), str(self.base or ""))
        if path:
            self._measure(Path(path))

    def _on_proposed(self, base: Path) -> None:
        if self.base is None:
            self._measure(base)

    def _measure(self, base: Path) -> None:
        """Estimate the space that is needed and free for an environment in `base`."""
        self.base = base
        self._show_checking(base)
        self._setup.estimate(self._wheels, self._on_estimated, self._on_refused, base, self.variant)

    def _show_checking(self, base: Path | None) -> None:
        self.folder_row.show_path(str(base or "…"))
        self.folder_row.path.setAccessibleName(str(base or ""))
        self.buttons["make"].setEnabled(False)
        self.room.set_tone("text")
        self.room.setText(phrase("common.checking"))
        self.network.show()
        self._show_network()

    def _show_network(self, size_bytes: int = 0, python: str = "") -> None:
        """Show what is downloaded. `python`: version of the Python to download; "" if there is one already."""
        if self._wheels is not None:
            self.network.setText(phrase("training.nothing_is_fetched_it_is", folder=self._wheels))
        elif self._is_allowed:
            text = phrase("training.network_from_pips_package_index")
            if size_bytes:
                text = phrase("common.network_about_size_from_pips", size=format_gigabytes(size_bytes))
            hosts = ("、" if current_language() == "ja" else ", ").join(shipped_tools.python_hosts())
            own = phrase("training.python_version_is_fetched_too", version=python, hosts=hosts)
            self.network.setText(str(ErrorMessage(text, own)) if python else text)
        else:
            self.network.set_tone("warning")
            self.network.setText(phrase("training.block_all_outside_traffic_is"))

    def _on_estimated(self, need: "InstallNeed") -> None:
        if need.base != self.base:  # the user has chosen another folder meanwhile
            return
        is_short = need.free_bytes < need.room_bytes
        sizes = {"need": format_gigabytes(need.room_bytes), "free": format_gigabytes(need.free_bytes)}
        text = phrase("training.uses_up_to_need_free", **sizes)
        elsewhere = phrase("training.there_is_not_enough_space")
        kind = _variant_text(need)
        shown = f"▲ {ErrorMessage(text, elsewhere)}" if is_short else text
        kept = phrase("training.the_one_there_is_kept_as") if need.replaces else ""
        self.room.setText("\n".join(line for line in (kind, kept, shown) if line))
        self.room.set_tone("warning" if is_short or need.lacks_cuda else "text")
        self._show_network(need.download_bytes, need.python if need.fetches_python else "")
        if self._is_allowed and not is_short:
            self.buttons["make"].setEnabled(True)
            self.buttons["make"].setFocus()
        self.fit_height()

    def _on_refused(self, error: AppError) -> None:
        if error.facts["base"] != str(self.base):
            return
        self.room.setText(f"▲ {describe_error(error)}")
        self.room.set_tone("warning")
        self.network.hide()
        self.fit_height()


def _variant_text(need: "InstallNeed") -> str:
    """Return a text with the variant and the Python version; "" if they are unknown."""
    if not need.variant:
        return ""
    kind = phrase("common.for_gpus_cuda") if need.variant == "cuda" else phrase("common.for_cpus")
    lacks = phrase("training.these_parts_do_not_use")
    words = join_facts(kind, f"Python {need.python}")
    return f"{words}\n{lacks}" if need.lacks_cuda else words


class InstallEnvironmentFlow(NoticeColumn):
    """Shows an installation while it runs and after a failure.

    Several windows may have such a view; each follows an installation that any of them began.
    """

    def __init__(
        self, theme: Theme, setup: EnvironmentSetup, pickers: Pickers, is_in_use: Callable[[], bool] = lambda: False
    ) -> None:
        """Create the view. `is_in_use`: returns whether a run or a conversion uses the environment."""
        self.progress = ProgressRow(theme)
        self.banner = Banner(theme)
        super().__init__(self.progress, self.banner)
        self._theme = theme
        self._setup = setup
        self._pickers = pickers
        self.is_in_use = is_in_use
        self._shown_phase = ""  # name of the shown phase
        self.progress.cancelled.connect(setup.cancel)
        setup.began.connect(self._on_began)
        setup.progressed.connect(self._on_progressed)
        setup.finished.connect(self.progress.finish)
        setup.cancelled.connect(self.progress.finish)
        setup.kit_written.connect(self._on_kit_written)
        setup.failed.connect(self._on_failed)
        if setup.is_making:
            self._on_began()

    @property
    def is_shown(self) -> bool:
        """Return whether an installation is being shown as running."""
        return not self.progress.isHidden()

    def ask(self, *_key: object, variant: str = "") -> InstallEnvironmentDialog:
        return self._ask(None, variant=variant)

    def ask_offline(self, base: Path | None = None) -> InstallEnvironmentDialog | None:
        """Ask for a folder of wheels, then open and return the dialog; None if the user chose no folder.

        `base`: the folder for the environment, if it is already chosen.
        """
        path = self._pickers.folder(self.window(), phrase("training.choose_the_folder_of_a"), "")
        return self._ask(Path(path), base) if path else None

    def unless_in_use(self, act: Callable[[], object]) -> None:
        """Call `act`, or show that it has to wait because the environment is in use."""
        if self.is_in_use():
            what = phrase("training.the_training_environment_is_in")
            self.banner.show_message("warning", what, phrase("training.choose_this_again_afterwards"))
        else:
            act()

    # ------------------------------------------------------------- private methods

    def _ask(self, wheels: Path | None, base: Path | None = None, variant: str = "") -> InstallEnvironmentDialog:
        dialog = InstallEnvironmentDialog(self._theme, self._setup, wheels, self.window(), self._pickers, base, variant)
        dialog.chosen.connect(lambda key: self._on_chosen(key, wheels, dialog.base, dialog.variant))
        dialog.open()
        return dialog

    def _on_chosen(self, key: str, wheels: Path | None, base: Path | None, variant: str) -> None:
        if key == "make":
            self._setup.start(wheels, base, variant)
        elif key == "offline":
            self.ask_offline(base)

    def _on_began(self) -> None:
        self.banner.hide()
        self._shown_phase = self._setup.phase.name
        self.progress.start(install_phase_text(self._setup.phase), self._setup.elapsed_s)

    def _on_progressed(self, phase: Phase) -> None:
        if phase.name != self._shown_phase:  # only some phases have known progress
            self._shown_phase = phase.name
            self.progress.start(install_phase_text(phase), self._setup.elapsed_s)
        self.progress.say(install_phase_text(phase))
        self.progress.set_progress(phase.done_bytes, phase.total_bytes, is_brief=True)

    def _on_kit_written(self, folder: str) -> None:
        self.progress.finish()
        what = phrase("training.the_training_environment_kit_is")
        self.banner.show_message("success", what, phrase("training.take_the_whole_folder_folder", folder=folder))

    def _on_failed(self, error: AppError) -> None:
        if not self._setup.is_making:
            self.progress.finish()
        self.banner.show_error(error)


def install_phase_text(phase: Phase) -> str:
    return phrase(f"training.install_phase.{phase.name}", package=phase.package or "…")


def environment_state(report: "EnvironmentReport | None", *, lacks_cuda: bool = False) -> tuple[str, str]:
    """Return the state of an environment and its tone. `report`, `lacks_cuda`: as for `EnvironmentBox.show_report`."""
    if report is None:
        return phrase("training.looking"), "muted"
    if report.problem is not None and report.problem.code == "training_place_missing":
        return f"▲ {describe_error(report.problem)}", "warning"
    if report.python is None:
        return phrase("training.there_is_none_yet_it"), "text"
    if report.problem is not None:
        return f"▲ {describe_error(report.problem).message}", "warning"
    if lacks_cuda:
        return phrase("training.it_works_but_its_torch"), "warning"
    if not report.is_current:
        return phrase("training.it_works_but_its_parts"), "warning"
    return phrase("training.it_works_computing_in_4"), "success"


class EnvironmentBox(QFrame):
    def __init__(self, theme: Theme, setup: EnvironmentSetup, is_in_use: Callable[[], bool], pickers: Pickers) -> None:
        """Create the box. `is_in_use`: returns whether a run or a conversion uses the environment."""
        super().__init__()
        self._setup = setup
        self._report: EnvironmentReport | None = None
        self._need: InstallNeed | None = None
        self._lacks_cuda = False
        self._variant = ""  # that the button asks for
        self.state = Label(wraps=True)
        self.about = Label(role="caption", tone="text2", wraps=True)
        self.make_button = Button(theme, phrase("common.make_the_training_environment"))
        self.offline_button = Button(theme, phrase("common.make_it_offline"), "quiet")
        self.making = InstallEnvironmentFlow(theme, setup, pickers, is_in_use)
        self._build()
        making = self.making
        self.make_button.clicked.connect(lambda: making.unless_in_use(lambda: making.ask(variant=self._variant)))
        self.offline_button.clicked.connect(lambda: making.unless_in_use(making.ask_offline))
        making.changed.connect(self._show_report)
        self.show_report(None)

    def show_report(self, report: "EnvironmentReport | None", *, lacks_cuda: bool = False) -> None:
        """Show the environment. `report`: None while it is being examined.

        `lacks_cuda`: there is a card, but torch was built without CUDA.
        """
        is_new = report is not None and report is not self._report
        self._report, self._lacks_cuda = report, lacks_cuda
        self._show_report()
        if is_new and report is not None and report.python is None:
            # Errors are ignored: the dialog shows them and lets the user choose another folder.
            self._setup.estimate(None, self._on_estimated, lambda _error: None)

    # ------------------------------------------------------------- private methods

    def _build(self) -> None:
        self.setProperty("surface", "card")
        self._buttons = FlowBox(self.make_button, self.offline_button)
        title = Label(phrase("common.training_environment"), strong=True)
        parts = (title, self.state, self.about, self._buttons, self.making)
        make_column(*parts, into=self, margins_px=(16, 12, 16, 14), spacing_px=8)

    def _show_report(self) -> None:
        report = self._report
        words, tone = environment_state(report, lacks_cuda=self._lacks_cuda)
        self.state.setText(words)
        self.state.set_tone(tone)
        about = self._about_words(report)
        self.about.setText(about)
        self.about.setVisible(bool(about))
        is_lacking = report is not None and (report.probe is None or self._lacks_cuda or not report.is_current)
        self._buttons.setVisible(is_lacking and not self._setup.is_making)
        has_one = report is not None and report.python is not None
        can_use_card = self._lacks_cuda and any(lock.variant == "cuda" for lock in locks.all_locks())
        self._variant = "cuda" if can_use_card else ""
        anew = "training.make_it_anew_for_the_gpu" if can_use_card else "training.make_it_anew"
        self.make_button.setText(phrase(anew if has_one else "common.make_the_training_environment"))
        for button in (self.make_button, self.offline_button):
            button.setEnabled(not self._setup.is_running)

    def _about_words(self, report: "EnvironmentReport | None") -> str:
        if report is None:
            return ""
        if report.python is None:
            words = phrase("training.python_torch_and_others_for")
            return f"{words}\n{self._need_words(self._need)}" if self._need else words
        probe = report.probe
        if probe is None:
            return ""
        return join_facts(
            f"Python {probe.python}",
            f"torch {probe.versions.get('torch', '')}",
            f"CUDA {probe.cuda}" if probe.cuda else phrase("training.no_cuda"),
        )

    def _need_words(self, need: "InstallNeed") -> str:
        sizes = {"download": need.download_bytes, "room": need.room_bytes, "free": need.free_bytes}
        gigabytes = {name: f"{size_bytes / 1e9:,.1f}" for name, size_bytes in sizes.items()}
        text = phrase("training.about_download_gb_is_fetched", **gigabytes)
        place = phrase("training.place_folder_you_can_choose", folder=make_breakable(str(need.base)))
        short = phrase("training.there_is_not_enough_space_choose_a")
        return "\n".join([text, place, *([short] if need.free_bytes < need.room_bytes else [])])

    def _on_estimated(self, need: "InstallNeed") -> None:
        self._need = need
        self._show_report()
