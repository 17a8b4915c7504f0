"""Show the sections of the settings, which change `Preferences` at once, and the engine's GPU parts, added by files."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QEvent
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QWidget

from app.base.errors import AppError
from app.base.paths import Paths
from app.base.services import background
from app.base.services.preferences import Preferences
from app.base.settings import CONTEXT_CHOICES, TEXT_SCALES, Settings
from app.base.wording import describe_error, format_size, phrase
from app.inference import engine_packs, machine, prefix_states
from app.inference.engine_packs import EnginePack
from app.inference.offload import Card
from app.uikit.desktop import Pickers, open_folder
from app.uikit.dialogs import Dialog, cancel_or
from app.uikit.localization import join_facts, with_note
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import FlowBox, make_column
from app.uikit.widgets.fields import AutoSpin
from app.uikit.widgets.form_rows import Chooser, SettingRow
from app.uikit.widgets.labels import Label, Separator, announce


class EnginePacksPanel(QWidget):
    def __init__(self, theme: Theme, paths: Paths, pickers: Pickers | None = None) -> None:
        super().__init__()
        self._theme = theme
        self._folder = paths.engine_packs
        self._pickers = pickers or Pickers()
        self._focus_holder: QWidget | None = None  # widget that Qt focused when it disabled the buttons; None: another
        self._known_packs: tuple[EnginePack, ...] = ()  # the packs that the panel showed last
        self.state = Label(wraps=True)
        self.cards = Label("", "caption", "muted", wraps=True)
        self.add_button = Button(theme, phrase("shell.add_from_a_file"))
        self.remove_button = Button(theme, phrase("shell.remove"), "danger")
        buttons = FlowBox(self.add_button, self.remove_button)
        make_column(self.state, self.cards, buttons, into=self, spacing_px=6)
        self.setFocusProxy(self.add_button)
        self.add_button.clicked.connect(self._choose)
        self.remove_button.clicked.connect(self.ask_to_remove)
        self._show_state()

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.WindowActivate:
            self._refresh()
        return super().event(event)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._refresh()

    def take(self, file: str) -> None:
        """Install the GPU part from a file, and show the outcome or the error in this panel."""
        source, folder = Path(file), self._folder
        self._begin(phrase("common.checking_2"))
        background.run(lambda: engine_packs.install(source, folder), self._on_taken, self._on_failed)

    def ask_to_remove(self) -> Dialog:
        return Dialog(
            self._theme,
            phrase("shell.remove_the_parts_for_graphics"),
            phrase("shell.the_processor_will_compute_instead"),
            cancel_or("remove", phrase("common.remove"), is_grave=True),
            self.window(),
        ).ask(self._remove)

    def _choose(self) -> None:
        file = self._pickers.open(
            self, phrase("shell.choose_a_part_for_graphics"), "", phrase("shell.part_for_graphics_cards") + " (*.zip)"
        )
        if file:
            self.take(file)

    def _remove(self) -> None:
        folder = self._folder
        self._begin(phrase("shell.removing"))
        background.run(lambda: engine_packs.remove(folder), self._on_removed, self._on_failed)

    def _on_taken(self, pack: EnginePack) -> None:
        self._show_outcome(self._added_text(pack), "success")

    def _on_removed(self, _nothing: None) -> None:
        """Show the outcome of removing, which fails silently if the system cannot delete a library in use."""
        if engine_packs.installed(self._folder):
            self._show_outcome(phrase("shell.in_use_so_it_could"), "warning")
        else:
            self._show_outcome(phrase("shell.removed_from_the_next_start"), "success")

    def _on_failed(self, error: AppError) -> None:
        self._show_outcome(f"× {describe_error(error)}", "danger")

    def _begin(self, words: str) -> None:
        """Show work, and whether the focus, which Qt moves from a disabled button, returns to it."""
        had_keyboard = self.window().focusWidget() in (self.add_button, self.remove_button)
        self._show_message(words, "muted", is_busy=True)
        self._focus_holder = self.window().focusWidget() if had_keyboard else None

    def _show_outcome(self, words: str, tone: str) -> None:
        self._show_message(words, tone)
        announce(self, words)
        if self._focus_holder is not None and self.window().focusWidget() is self._focus_holder:
            self.add_button.setFocus()

    def _refresh(self) -> None:
        """Show which GPU parts are installed, if that has changed, because commands can add and remove them too."""
        packs = engine_packs.installed(self._folder)
        if packs == self._known_packs or not self.add_button.isEnabled():
            return
        new = [pack for pack in packs if pack not in self._known_packs]
        if new:
            self._show_message(self._added_text(*new), "success")
        elif packs:
            self._show_state()
        else:
            self._show_message(phrase("shell.removed_from_the_next_start"), "success")

    def _show_state(self) -> None:
        packs = engine_packs.installed(self._folder)
        none = phrase("shell.none_the_processor_computes")
        self._show_message(phrase("shell.there_names", names=_titles(packs)) if packs else none, "text")

    def _added_text(self, *packs: EnginePack) -> str:
        return phrase("shell.added_name_it_is_used", name=_titles(packs))

    def _show_message(self, words: str, tone: str, *, is_busy: bool = False) -> None:
        self.state.set_tone(tone)
        self.state.setText(words)
        self.add_button.setEnabled(not is_busy)
        self.remove_button.setEnabled(not is_busy)
        self._known_packs = engine_packs.installed(self._folder)
        self.remove_button.setVisible(bool(self._known_packs))
        self.cards.setVisible(False)
        if self._known_packs and not is_busy:
            background.run(lambda: machine.list_engine_cards("auto"), self._on_cards, self._on_failed)

    def _on_cards(self, cards: tuple[Card, ...]) -> None:
        """Show which graphics cards the drivers tell of."""
        sizes = (with_note(card.description, format_size(card.total_bytes)) for card in cards)
        found = phrase("shell.cards_found", names=join_facts(*sizes))
        self.cards.setText(found if cards else phrase("shell.no_card_found"))
        self.cards.setVisible(bool(self._known_packs))


def _titles(packs: Iterable[EnginePack]) -> str:
    return join_facts(*(engine_packs.TITLES[pack.name] for pack in packs))


MAX_THREADS = 64


class SettingsSection(QWidget):
    """A heading and rows. Subclasses add rows in `_fill` and update them in `show_settings`."""

    def __init__(self, theme: Theme, preferences: Preferences, paths: Paths, title: str) -> None:
        super().__init__()
        self._theme = theme
        self._preferences = preferences
        self._paths = paths
        self._rows: list[SettingRow] = []
        self._column = make_column(Label(title, "heading2"), into=self, margins_px=(32, 24, 32, 24), spacing_px=16)
        self._fill()
        self._column.addStretch(1)
        preferences.changed.connect(self.show_settings)
        self.show_settings(preferences.value)

    def set_stacked(self, is_stacked: bool) -> None:
        for row in self._rows:
            row.set_stacked(is_stacked)

    def show_settings(self, settings: Settings) -> None:
        """Show the values of `settings` in the rows; the default does nothing."""

    def _fill(self) -> None:
        raise NotImplementedError

    def _add(self, label: str, control: QWidget, sentence: str = "", *, is_wide: bool = False) -> QWidget:
        """Add a row. Return the widget that contains the row and the line above it, so that both can be hidden."""
        block = QWidget()
        rows = make_column(into=block, spacing_px=16)
        if self._rows:
            rows.addWidget(Separator())
        row = SettingRow(self._theme, label, control, sentence, is_wide=is_wide)
        rows.addWidget(row)
        self._rows.append(row)
        self._column.addWidget(block)
        return block

    def _chooser(self, field: str, choices: list[tuple[str, Any]]) -> Chooser:
        return Chooser(choices, lambda value: self._preferences.change(**{field: value}))

    def _open_button(self, words: str, folder: Path) -> Button:
        button = Button(self._theme, words, icon="folder-open")
        button.clicked.connect(lambda: open_folder(folder))
        return button


class AppearanceSection(SettingsSection):
    def _fill(self) -> None:
        self.theme_choice = self._chooser(
            "theme",
            [
                (phrase("shell.same_as_the_system"), "system"),
                (phrase("shell.light"), "light"),
                (phrase("shell.dark"), "dark"),
            ],
        )
        self.text_size = self._chooser("text_scale_percent", [(f"{percent} %", percent) for percent in TEXT_SCALES])
        self.language = self._chooser(
            "language", [(phrase("shell.same_as_the_system"), "system"), ("日本語", "ja"), ("English", "en")]
        )
        self._add(phrase("shell.language"), self.language, phrase("shell.changes_the_next_time_kotae"))
        self._add(phrase("shell.theme"), self.theme_choice, phrase("shell.same_as_the_system_follows"))
        self._add(phrase("shell.text_size"), self.text_size, phrase("shell.changes_text_and_spacing_everywhere"))

        self.details = self._chooser(
            "shows_details", [(phrase("shell.simple"), False), (phrase("shell.detailed"), True)]
        )
        self._add(phrase("shell.level_of_detail"), self.details, phrase("shell.simple_shows_the_settings_one"))

    def show_settings(self, settings: Settings) -> None:
        self.details.show_value(settings.shows_details)
        self.language.show_value(settings.language)
        self.theme_choice.show_value(settings.theme)
        self.text_size.show_value(settings.text_scale_percent)


class QuestionSection(SettingsSection):
    def _fill(self) -> None:
        self.send_key = self._chooser(
            "send_key", [(phrase("shell.enter_sends"), "enter"), (phrase("shell.ctrl_enter_sends"), "ctrl_enter")]
        )
        tokens = phrase("common.n_tokens")
        self.context = self._chooser("context_tokens", [(tokens.format(n=f"{n:,}"), n) for n in CONTEXT_CHOICES])
        self._add(phrase("shell.send_key"), self.send_key, phrase("shell.enter_never_sends_while_converting"))
        self._add(phrase("common.context_length"), self.context, phrase("shell.how_much_the_model_can"))

    def show_settings(self, settings: Settings) -> None:
        self.send_key.show_value(settings.send_key)
        self.context.show_value(settings.context_tokens)


class ModelSection(SettingsSection):
    def __init__(
        self, theme: Theme, preferences: Preferences, paths: Paths, title: str, make_storage: Callable[[], QWidget]
    ) -> None:
        """Build the section. `make_storage` makes the panel of the models folder."""
        self._make_storage = make_storage
        super().__init__(theme, preferences, paths, title)

    def _fill(self) -> None:
        self.threads = AutoSpin(
            1,
            MAX_THREADS,
            1,
            0,
            phrase("shell.threads"),
            lambda n: self._preferences.change(threads=int(n) if n else None),
        )
        self.repack = self._chooser(
            "repack", [(phrase("common.automatic"), "auto"), (phrase("common.yes"), "on"), (phrase("common.no"), "off")]
        )
        self.kv_type = self._chooser(
            "kv_type", [(phrase("shell.standard_f16"), "f16"), (phrase("shell.less_memory_q8_0"), "q8_0")]
        )
        self.storage = self._make_storage()
        about = phrase("shell.imported_kits_and_downloaded_models")
        self._add(phrase("shell.model_folder"), self.storage, about, is_wide=True)
        if engine_packs.known_packs():
            self.packs = EnginePacksPanel(self._theme, self._paths)
            about = phrase("shell.computes_on_a_graphics_card")
            self._add(phrase("shell.part_for_graphics_cards"), self.packs, about, is_wide=True)
            choices = [(phrase("common.automatic"), "auto"), (phrase("shell.the_cpu_only"), "off")]
            if len(engine_packs.known_packs()) > 1:
                choices += [(engine_packs.TITLES[pack.name], pack.name) for pack in engine_packs.known_packs()]
            self.graphics = self._chooser("graphics", choices)
            self._add(phrase("shell.use_of_the_gpu"), self.graphics, phrase("shell.the_gpu_when_there_is_one"))
        self._hint = Label(phrase("shell.threads_and_other_fine_settings"), "caption", "muted", wraps=True)
        self._column.addWidget(self._hint)
        threads = self._add(phrase("common.threads"), self.threads, phrase("shell.automatic_is_each_free_core"))
        repack = self._add(
            phrase("common.repacking_of_weights"), self.repack, phrase("shell.makes_answers_faster_but_takes")
        )
        kv_type = self._add(
            phrase("common.kv_precision"), self.kv_type, phrase("shell.how_finely_the_conversation_read")
        )
        self._details = {"threads": threads, "repack": repack, "kv_type": kv_type}

    def show_settings(self, settings: Settings) -> None:
        for field, row in self._details.items():
            is_changed = getattr(settings, field) != getattr(Settings(), field)
            row.setVisible(settings.shows_details or is_changed)  # a changed setting is always visible
        self._hint.setVisible(not settings.shows_details)
        if engine_packs.known_packs():
            self.graphics.show_value(settings.graphics)
        self.threads.show_number(settings.threads)
        self.repack.show_value(settings.repack)
        self.kv_type.show_value(settings.kv_type)


class DataSection(SettingsSection):
    def _fill(self) -> None:
        self._add(
            phrase("shell.data_folder"),
            self._open_button(phrase("shell.open_the_data_folder"), self._paths.data),
            phrase("shell.conversations_and_settings_are_kept", path=self._paths.data),
        )
        self._add(
            phrase("shell.log"),
            self._open_button(phrase("common.view_log"), self._paths.logs),
            phrase("shell.for_when_something_goes_wrong", path=self._paths.logs),
        )
        self._add(
            phrase("shell.backups"),
            self._open_button(phrase("common.open_the_folder"), self._paths.backups),
            phrase("shell.conversations_are_backed_up_once"),
        )
        self.states_button = Button(self._theme, "", icon="trash-2")
        self.states_button.clicked.connect(self._delete_states)
        self._add(phrase("shell.passages_read"), self.states_button, phrase("shell.passages_read_are_kept"))

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._show_states()

    def _show_states(self) -> None:
        size = prefix_states.used_bytes(self._paths.prefix_states)
        self.states_button.setText(phrase("shell.delete_size", size=format_size(size)))
        self.states_button.setEnabled(size > 0)

    def _delete_states(self) -> None:
        prefix_states.wipe(self._paths.prefix_states)
        self._show_states()
