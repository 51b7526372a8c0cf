"""Progress where Python is used by hand: a rewritten line in a terminal, a bar in a notebook, else nothing."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Generator
from typing import Any

from homeground.languages import translate
from homeground.training import events
from homeground.training.events import Event, Notice, OnEvent, ignore
from homeground.wording import printable, shorten

MAX_CHARACTERS = 60
"""Characters of what is going on, so that the bar beside it has room."""

SECONDS_BETWEEN_DRAWINGS = 0.2

BAR = "{percentage:3.0f}% {bar} {desc} [{elapsed}<{remaining}]"
NO_BAR = "{desc} [{elapsed}]"


@contextlib.contextmanager
def reported(on_event: OnEvent | None, *, quiet: bool) -> Generator[OnEvent]:
    """Yield the listener of a call: the user's own, else a bar where someone can see it, unless it is to be ``quiet``.

    The bar is removed at the end, be it an error or Ctrl-C.
    """
    if on_event is not None:
        yield on_event
    elif quiet or not (sys.stderr.isatty() or _in_notebook()):
        yield ignore
    else:
        bar = ProgressBar()
        try:
            yield bar
        finally:
            bar.close()


class ProgressBar:
    """Listens to the events of a run, and shows how far the whole of it has come in one line."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._counts = False
        self._part = ""
        self._drawn = 0.0

    def __call__(self, event: Event) -> None:
        """Show one event."""
        if isinstance(event, Notice | events.MemoryShort):
            self._show(event.text)
        elif isinstance(event, events.Progressed):
            self._part = event.text
            self._open(event)
            self._bar.n = min(event.done, event.total)
            self._show(event.text, seldom=True)
        elif isinstance(event, events.Step):
            step = f"step {event.step:,} of {event.total:,}"
            self._show(f"{self._part}, {step}" if self._part else step, seldom=True)

    def close(self) -> None:
        """Remove the line."""
        if self._bar is not None:
            self._bar.close()
        self._bar = None

    def _open(self, event: events.Progressed | None = None) -> Any:
        """Return the bar, one that counts the work of the run from the first event that says how much it is."""
        # tqdm comes with huggingface_hub; it shows a widget in a notebook that has them, else a line.
        from tqdm.auto import tqdm

        if self._bar is None or (event is not None and not self._counts):
            self.close()
            self._counts = event is not None
            form, total, done = (NO_BAR, 1, 0) if event is None else (BAR, event.total, event.done)
            # What an earlier call did is no part of the speed by which tqdm tells the time left.
            self._bar = tqdm(total=total, initial=done, leave=False, bar_format=form, dynamic_ncols=True)
        return self._bar

    def _show(self, text: str, *, seldom: bool = False) -> None:
        bar = self._bar or self._open()
        bar.set_description_str(shorten(printable(translate(text)), MAX_CHARACTERS), refresh=False)
        if not seldom or time.monotonic() - self._drawn >= SECONDS_BETWEEN_DRAWINGS:
            self._drawn = time.monotonic()
            bar.refresh()


def _in_notebook() -> bool:
    """Return whether this is the process of a notebook, whose stderr rewrites lines though it is no terminal."""
    return "ipykernel" in sys.modules
