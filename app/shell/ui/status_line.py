"""Show the status line: the model, its device, its speed, and how much of its context is used."""

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QProgressBar, QWidget

from app.base.wording import phrase
from app.inference.engine.messages import EngineFacts
from app.inference.services.events import EngineStatus
from app.uikit.localization import sending_note
from app.uikit.theme import Theme
from app.uikit.widgets.containers import make_row
from app.uikit.widgets.labels import ElidedLabel, IconLabel, Label, Separator, plain_tooltip, repolish, set_surface
from app.uikit.widgets.progress_row import TimeLeftText

LOW_SHARE = 0.9  # share of the context from which the line warns
COMPACT_BELOW_PX = 900


class StatusPart(QWidget):
    """A part of the line, with the separator in front of it."""

    def __init__(self, *contents: QWidget) -> None:
        super().__init__()
        rule = Separator("vertical")
        rule.setFixedHeight(16)
        make_row(rule, 6, *contents, into=self, spacing_px=8)


class StatusLine(QWidget):
    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._status = EngineStatus()
        self._shows_details = False
        self._work = ""  # the work that uses the model's memory: training | evaluation; "": none
        self._load_left = TimeLeftText()
        self._build()
        self._theme.changed.connect(self._resize)
        self.show_status(self._status)

    def show_status(self, status: EngineStatus) -> None:
        self._status = status
        is_compact = self.width() < self._theme.px(COMPACT_BELOW_PX)
        training = phrase("shell.training_the_model_for_questions")
        evaluation = phrase("shell.evaluating_the_model_for_questions")
        work_text = {"": "", "training": training, "evaluation": evaluation}[self._work]
        self.model.setText(work_text or status.model_name or phrase("shell.no_model_is_loaded"))
        self._show_device(status.facts, is_compact)
        self._show_state(status)
        self._show_context(status, is_compact)
        has_answered = status.tokens_per_s > 0 and self._shows_details and not is_compact
        self._speed_part.setVisible(has_answered)
        self._first_part.setVisible(has_answered)
        self.speed.setText(f"{status.tokens_per_s:.1f} tok/s")
        self.first_label.setText(phrase("shell.first_token_s_s", s=f"{status.first_token_s:.1f}"))

    def show_work(self, key: str) -> None:
        """Show which work uses the memory of the model for questions: training | evaluation, or "" for none."""
        self._work = key
        self.show_status(self._status)

    def set_shows_details(self, shows_details: bool) -> None:
        """Set whether to show the speed of the last answer."""
        self._shows_details = shows_details
        self.show_status(self._status)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.show_status(self._status)

    def _build(self) -> None:
        set_surface(self, "side")
        self.model = ElidedLabel(role="caption", tone="text2")
        self.device = ElidedLabel(role="caption", tone="text2")
        self._sending = IconLabel(self._theme, "external-link", "warning", 14)
        self.state = Label(role="caption", tone="text2")
        self.loading = QProgressBar(maximum=1000, textVisible=False)
        self.loading.setAccessibleName(phrase("shell.loading_progress"))
        self.load_left = Label(role="caption", tone="text2")
        self.meter = QProgressBar(maximum=1000, textVisible=False)
        self.meter.setAccessibleName(phrase("shell.context_used"))
        self.context = Label(role="caption", tone="text2")
        self.warning = Label(phrase("shell.almost_full"), role="caption", tone="warning", strong=True)
        self.speed = Label(role="caption", tone="text2")
        self.first_label = Label(role="caption", tone="text2")
        self._device_part = StatusPart(self._sending, self.device)
        self._state_part = StatusPart(self.state, self.loading, self.load_left)
        self._context_part = self._build_context()
        self._speed_part = StatusPart(self.speed)
        self._first_part = StatusPart(self.first_label)
        row = make_row(self.model, into=self, margins_px=(18, 0, 18, 0), spacing_px=14)
        for part in (self._device_part, self._state_part, self._context_part, self._speed_part, self._first_part):
            row.addWidget(part)
        row.addStretch(1)
        self._resize()

    def _build_context(self) -> StatusPart:
        part = StatusPart(
            Label(phrase("common.context"), role="caption", tone="text2"), self.meter, self.context, self.warning
        )
        part.setToolTip(plain_tooltip(phrase("shell.how_much_the_model_can_read_at")))
        return part

    def _resize(self) -> None:
        self.setFixedHeight(self._theme.metric("status_height"))
        for bar in (self.meter, self.loading):
            bar.setFixedWidth(self._theme.px(84))

    def _show_device(self, facts: EngineFacts | None, is_compact: bool) -> None:
        place = facts.remote if facts is not None else ""
        self._device_part.setVisible(facts is not None and (bool(place) or not is_compact))
        self.device.set_tone("warning" if place else "text2")
        self._sending.setVisible(bool(place))
        if facts is None:
            return
        if place:
            words = sending_note(place)
        elif facts.gpu_layers > 0:
            words = phrase("common.gpu_a_b_layers", a=facts.gpu_layers, b=facts.total_layers)
        else:
            words = phrase("shell.cpu_n_threads", n=facts.threads)
        self.device.setText(words)
        reason = phrase(f"models.gpu_reason.{facts.gpu_reason}") if facts.gpu_reason and not place else ""
        self.device.setToolTip(plain_tooltip(facts.backend if facts.gpu_layers else reason))

    def _show_state(self, status: EngineStatus) -> None:
        words = {
            "off": phrase("shell.idle"),
            "starting": phrase("shell.getting_ready"),
            "loading": phrase("shell.loading_the_model"),
            "ready": phrase("shell.idle"),
            "reading": phrase("shell.reading_the_question"),
            "answering": phrase("common.answering"),
            "failed": phrase("shell.stopped"),
        }[status.state]
        self.state.setText(words)
        self.state.set_tone("danger" if status.state == "failed" else "text2")
        is_resting = status.state == "ready" and status.used_tokens > 0
        is_work_shown = bool(self._work) and status.state in ("off", "ready")  # shown instead of the model's name
        self._state_part.setVisible(not is_resting and not is_work_shown)
        self._show_load(status.load_fraction if status.state == "loading" else None)

    def _show_load(self, fraction: float | None) -> None:
        """Show the loading progress from 0 to 1. None: nothing is being loaded, or the progress is unknown."""
        if fraction is None:
            self._load_left.restart()
        else:
            self._load_left.note(fraction)
        self.loading.setVisible(fraction is not None)
        self.loading.setValue(round((fraction or 0) * 1000))
        self.load_left.setText(self._load_left.words)
        self.load_left.setVisible(bool(self._load_left.words))

    def _show_context(self, status: EngineStatus, is_compact: bool) -> None:
        total = status.facts.context_tokens if status.facts else 0
        self._context_part.setVisible(total > 0 and status.used_tokens > 0)
        if total <= 0:
            return
        share = min(1.0, status.used_tokens / total)
        is_low = share >= LOW_SHARE
        self.meter.setValue(round(share * 1000))
        self.meter.setVisible(not is_compact)
        self.warning.setVisible(is_low)
        if self.meter.property("level") != ("low" if is_low else ""):
            self.meter.setProperty("level", "low" if is_low else "")
            repolish(self.meter)
        amount = phrase("shell.a_b_tokens", a=f"{status.used_tokens:,}", b=f"{total:,}")
        self.context.setText(f"{share * 100:.0f} %" if is_compact else amount)
        self.context.setAlignment(Qt.AlignmentFlag.AlignVCenter)
