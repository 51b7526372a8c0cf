"""Progress of a run on stderr: one line that is rewritten in a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time

from homeground.cli.counting import PLAIN_SECONDS
from homeground.training import events
from homeground.training.events import Event, Notice
from homeground.wording import duration, printable

BAR_WIDTH = 24
"""Characters of the bar in a terminal."""

METRICS = ("pearson", "mrr", "accuracy", "macro_f1")
PRINTED = {
    *("train/epoch_loss", "train/masked_loss", "validation/loss", "validation/perplexity"),
    *(f"{part}/{metric}" for part in ("train", "validation") for metric in METRICS),
}
"""The values of an epoch that are printed."""


class Progress:
    """Listens to the events of a run and prints them; with ``quiet`` it prints nothing."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._terminal = sys.stderr.isatty()
        self._first: tuple[int, float] | None = None
        self._printed = 0.0
        self._bar_shown = False

    def __call__(self, event: Event) -> None:
        """Print one event."""
        if self._quiet:
            return
        if isinstance(event, Notice):
            self.line(event.text)
        elif isinstance(event, events.Started):
            self._first = (event.step, time.monotonic())
            self._printed = time.monotonic()
            for warning in event.warnings:
                self.line(warning)
            if event.done is None:
                resumed = f"resuming after step {event.step} of {event.total}"
                self.line(resumed if event.step else f"training for {event.total} steps")
        elif isinstance(event, events.Step):
            self._step(event)
        elif isinstance(event, events.Evaluated):
            values = ", ".join(f"{name} {value:.4f}" for name, value in event.values.items() if name in PRINTED)
            self.line(f"epoch {event.epoch:.3g}: {values}{' (best so far)' if event.best else ''}")

    def _step(self, event: events.Step) -> None:
        assert self._first is not None
        first, began = self._first
        now = time.monotonic()
        if not self._terminal and now - self._printed < PLAIN_SECONDS and event.step != event.total:
            return
        self._printed = now
        left = (now - began) / (event.step - first) * (event.total - event.step)
        text = f"step {event.step} of {event.total}, loss {event.loss:.4f}, {duration(left)} left"
        if self._terminal:
            filled = BAR_WIDTH * event.step // event.total
            sys.stderr.write(f"\r\x1b[K{'█' * filled}{'░' * (BAR_WIDTH - filled)} {text}")
            sys.stderr.flush()
            self._bar_shown = True
        else:
            self.line(text)

    def line(self, text: str) -> None:
        """Print one line, in place of the bar."""
        if self._quiet:
            return
        clear = "\r\x1b[K" if self._bar_shown else ""
        self._bar_shown = False
        print(f"{clear}{printable(text)}", file=sys.stderr, flush=True)
