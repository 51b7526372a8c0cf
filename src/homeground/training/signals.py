"""Ctrl-C, SIGTERM or a closed terminal while a training runs: the first saves and stops, the second stops at once.

No signal is lost: one that came after the training had asked for the last time is raised again when it is over.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

WATCHED = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name))
"""SIGHUP, of a terminal that is closed, is not there on Windows; SIGBREAK, of Ctrl-Break, is there only."""


class Signals:
    """While entered, holds back the first signal; calling it returns that signal's number, or None."""

    def __init__(self) -> None:
        self._came: int | None = None
        self._answered = False
        self._previous: dict[int, Any] = {}

    def __call__(self) -> int | None:
        """Return the number of the signal that came, or None; whoever gets one must stop."""
        self._answered = self._came is not None
        return self._came

    def __enter__(self) -> Signals:
        # Only the main thread may set handlers; elsewhere signals are the caller's business.
        if threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.signal(number, self._note) for number in WATCHED if not _survives(number)}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._restore()
        if self._came is not None and not self._answered:
            signal.raise_signal(self._came)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._came = number
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}


def _survives(number: int) -> bool:
    """Return whether the process was started to outlive its terminal, as by nohup."""
    return number == getattr(signal, "SIGHUP", None) and signal.getsignal(number) is signal.SIG_IGN
