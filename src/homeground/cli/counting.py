"""How far a long count has come, told on stderr: one living line in a terminal, now and then a line elsewhere."""

from __future__ import annotations

import sys
import time

PLAIN_SECONDS = 15.0
"""Seconds between two plain lines, where stderr is no terminal."""


class Counting:
    """Hears how many of how many are done, and tells it with the time that is left."""

    def __init__(self, noun: str) -> None:
        self._noun = noun
        self._terminal = sys.stderr.isatty()
        self._began = self._told = time.monotonic()

    def __call__(self, done: int, of: int) -> None:
        """Tell it, if it is time to."""
        now = time.monotonic()
        if not self._terminal and now - self._told < PLAIN_SECONDS and done < of:
            return
        self._told = now
        left = (now - self._began) / done * (of - done)
        text = f"{done:,} of {of:,} {self._noun} ({100 * done // of}%), {duration(left)} left"
        begin, end = ("\r\x1b[K", "" if done < of else "\n") if self._terminal else ("", "\n")
        sys.stderr.write(f"{begin}{text}{end}")
        sys.stderr.flush()


def duration(seconds: float) -> str:
    """Return a time in words.

    >>> duration(42), duration(190), duration(8000)
    ('42 s', '3 min 10 s', '2 h 13 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
