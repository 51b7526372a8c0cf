"""Progress of a long count on stderr: one line that is rewritten in a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import sys
import time

from homeground.wording import duration

PLAIN_SECONDS = 15.0
"""Seconds between two lines where stderr is not a terminal."""


class Counting:
    """Prints how many items are done, of how many, and the remaining time."""

    def __init__(self, noun: str) -> None:
        self._noun = noun
        self._terminal = sys.stderr.isatty()
        self._began = self._printed = time.monotonic()

    def __call__(self, done: int, of: int) -> None:
        """Print the count, unless the last line is too recent."""
        now = time.monotonic()
        if not self._terminal and now - self._printed < PLAIN_SECONDS and done < of:
            return
        self._printed = now
        left = (now - self._began) / done * (of - done)
        text = f"{done:,} of {of:,} {self._noun} ({100 * done // of}%), {duration(left)} left"
        begin, end = ("\r\x1b[K", "" if done < of else "\n") if self._terminal else ("", "\n")
        sys.stderr.write(f"{begin}{text}{end}")
        sys.stderr.flush()
