"""Ctrl-C and SIGTERM while a training runs: the first asks to save and stop, the second stops at once."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

WATCHED = (signal.SIGINT, signal.SIGTERM)


class Signals:
    """While entered, holds back the first signal; calling it returns that signal's number, or None."""

    def __init__(self) -> None:
        self._came: int | None = None
        self._previous: dict[int, Any] = {}

    def __call__(self) -> int | None:
        """Return the number of the signal that came, or None."""
        return self._came

    def __enter__(self) -> Signals:
        # Only the main thread may set handlers; elsewhere signals are the caller's business.
        if threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.signal(number, self._note) for number in WATCHED}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._restore()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._came = number
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}
