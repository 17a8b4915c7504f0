"""Bytes of tokens into text that can be shown: whole characters only, and nothing of a stop string."""

import codecs
from collections.abc import Sequence


class TextStream:
    """Feed token bytes with `push`; it returns the text that is safe to show.

    A character split over tokens waits for its last byte. Text that may be the beginning of a stop string waits
    until it is or is not one. Bytes that never become UTF-8 are left out: U+FFFD is never produced.
    """

    def __init__(self, stop: Sequence[str] = ()) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("ignore")
        self._stop = tuple(text for text in stop if text)
        self._held = ""
        self.is_stopped = False

    def push(self, piece: bytes) -> str:
        """The text to show now. After `is_stopped` has become true, always ""."""
        if self.is_stopped:
            return ""
        self._held += self._decoder.decode(piece)
        found = min((at for at in map(self._held.find, self._stop) if at >= 0), default=-1)
        if found >= 0:
            self.is_stopped = True
            ready, self._held = self._held[:found], ""
            return ready
        keep = self._possible_stop_length()
        ready = self._held[: len(self._held) - keep]
        self._held = self._held[len(self._held) - keep :]
        return ready

    def flush(self) -> str:
        """What was held back for a stop string that did not come. Half a character is dropped."""
        ready, self._held = self._held, ""
        return "" if self.is_stopped else ready

    def _possible_stop_length(self) -> int:
        """How many characters at the end are the beginning of a stop string."""
        longest = max((len(text) for text in self._stop), default=1) - 1
        for length in range(min(longest, len(self._held)), 0, -1):
            if any(text.startswith(self._held[-length:]) for text in self._stop):
                return length
        return 0
