"""Tokens a second, seconds a step, and whether it has become slow."""

import time

SLOW_SHARE = 1 / 3  # of the first steps' tokens/s: Windows has begun to swap the card's memory


class Clock:
    """Tokens and seconds of training alone: evaluations, samples and saving do not count."""

    def __init__(self) -> None:
        self.tokens = 0
        self.all_tokens = 0
        self.trained_s = 0.0
        self._rates: list[float] = []
        self._steps = 0
        self._before_s = 0.0
        self._is_slow = False
        self.restart()

    def go_on(self, seconds: float, tokens: int) -> None:
        """From what was trained before this process."""
        self.trained_s = self._before_s = seconds
        self.all_tokens = tokens

    def restart(self) -> None:
        self.tokens = 0
        self._started = time.monotonic()

    def lap(self) -> tuple[float, float]:
        """Tokens a second of the last step, and seconds a step of this process so far."""
        seconds = max(time.monotonic() - self._started, 1e-9)
        rate = self.tokens / seconds
        self.trained_s += seconds
        self.all_tokens += self.tokens
        self._steps += 1
        self._rates.append(rate)
        self.restart()
        return rate, (self.trained_s - self._before_s) / self._steps

    def has_become_slow(self) -> bool:
        """True once, when five steps in a row stay below a third of what the first ten were in the middle."""
        if self._is_slow or len(self._rates) < 15:
            return False
        usual = sorted(self._rates[:10])[5]
        self._is_slow = all(rate < usual * SLOW_SHARE for rate in self._rates[-5:])
        return self._is_slow
