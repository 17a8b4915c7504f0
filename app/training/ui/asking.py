"""Before the training environment is made: where to, the room it takes there, and what goes over the network."""

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.base.errors import AppError
from app.base.wording import ErrorMessage, current_language, describe_error, phrase
from app.models import package_locks as locks
from app.training.environment import uv
from app.training.services.training_setup import TrainingSetup
from app.uikit.desktop import Pickers
from app.uikit.dialogs import Dialog, DialogButton
from app.uikit.localization import join_facts
from app.uikit.theme import Theme
from app.uikit.widgets.form_rows import Chooser, PathRow
from app.uikit.widgets.labels import Label

if TYPE_CHECKING:
    from app.training.environment.need import Need


class MakeDialog(Dialog):
    """Chosen: cancel, make, or offline (from a folder that is asked for next); then `base` says where, and `variant`
    what: "" for what suits this machine."""

    def __init__(
        self,
        theme: Theme,
        setup: TrainingSetup,
        wheels: Path | None,
        parent: QWidget,
        pickers: Pickers,
        base: Path | None = None,
    ) -> None:
        """`wheels`: the folder, perhaps a kit, that all is taken from; None: the indexes. `base`: as chosen before.

        `self.base`: None until it is known where it would be made.
        """
        self._setup = setup
        self._wheels = wheels
        self._pickers = pickers
        self.base = base
        self.variant = ""
        known = {lock.variant for lock in locks.all_locks()}
        self._has_variants = wheels is None and len(known) > 1  # a folder decides by what it holds
        self.kind = Chooser(
            (
                (phrase("training.automatic_what_suits_this_pc"), ""),
                (phrase("common.for_gpus_cuda"), "cuda"),
                (phrase("common.for_cpus"), "cpu"),
            ),
            self._choose_variant,
        )
        self.kind.setAccessibleName(phrase("training.kind_of_parts"))
        self.place = PathRow(theme, phrase("training.place"), "", can_clear=False)
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
        self.place.choose_requested.connect(self._choose_place)
        self._await(base)
        if base is None:
            setup.propose(self._on_proposed)
        else:
            self._measure(base)

    def fit_height(self, *inner: QWidget | None) -> None:
        super().fit_height(*inner, self.place, self.place.parentWidget())

    def _content(self) -> QWidget:
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        self.place.setContentsMargins(-12, 0, -12, 0)
        kind = QHBoxLayout()
        kind.setSpacing(12)
        term = Label(phrase("training.kind_of_parts"), strong=True)
        kind.addWidget(term)
        kind.addWidget(self.kind, 1)
        column.addWidget(self.place)
        column.addLayout(kind)  # hidden or not: without a parent it would outlive the dialog
        for widget in (term, self.kind):
            widget.setVisible(self._has_variants)
        for widget in (self.room, self.network):
            column.addWidget(widget)
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
        """What it needs and what is free there."""
        self.base = base
        self._await(base)
        self._setup.estimate(self._wheels, self._on_estimated, self._on_refused, base, self.variant)

    def _await(self, base: Path | None) -> None:
        self.place.show_path(str(base or "…"))
        self.place.path.setAccessibleName(str(base or ""))
        self.buttons["make"].setEnabled(False)
        self.room.set_tone("text")
        self.room.setText(phrase("common.checking"))
        self.network.show()
        self._show_network()

    def _show_network(self, size_bytes: int = 0, python: str = "") -> None:
        """`python`: the version of the one that is fetched, too; "": there is one."""
        if self._wheels is not None:
            self.network.setText(phrase("training.nothing_is_fetched_it_is", folder=self._wheels))
        elif self._is_allowed:
            fetched = phrase("common.network_about_size_from_pips")
            words = phrase("training.network_from_pips_package_index")
            text = fetched.format(size=_gigabytes(size_bytes)) if size_bytes else words
            own = phrase("training.python_version_is_fetched_too")
            hosts = "、".join(uv.python_hosts()) if current_language() == "ja" else ", ".join(uv.python_hosts())
            self.network.setText(str(ErrorMessage(text, own.format(version=python, hosts=hosts))) if python else text)
        else:
            self.network.set_tone("warning")
            self.network.setText(phrase("training.block_all_outside_traffic_is"))

    def _on_estimated(self, need: "Need") -> None:
        if need.base != self.base:  # another place was chosen meanwhile
            return
        is_short = need.free_bytes < need.room_bytes
        words = phrase("training.uses_up_to_need_free")
        text = words.format(need=_gigabytes(need.room_bytes), free=_gigabytes(need.free_bytes))
        elsewhere = phrase("training.there_is_not_enough_space")
        kind = _kind_words(need)
        said = f"▲ {ErrorMessage(text, elsewhere)}" if is_short else text
        self.room.setText("\n".join(words for words in (kind, said) if words))
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


def _kind_words(need: "Need") -> str:
    """What would be made; "" where that is not known."""
    if not need.variant:
        return ""
    kind = phrase("common.for_gpus_cuda") if need.variant == "cuda" else phrase("common.for_cpus")
    lacks = phrase("training.these_parts_do_not_use")
    words = join_facts(kind, f"Python {need.python}")
    return f"{words}\n{lacks}" if need.lacks_cuda else words


def _gigabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:,.1f}\u00a0GB"
