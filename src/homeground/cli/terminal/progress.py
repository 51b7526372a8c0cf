"""Progress of a run on stderr: one bar over the whole run in a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time

from homeground.cli.terminal.screen import can_show, message
from homeground.languages import translate
from homeground.reports.layout import UNKNOWN_WIDTH, laid_out, width_of
from homeground.training import events
from homeground.training.events import Event, Notice
from homeground.wording import count, duration, fitted, printable

PLAIN_SECONDS = 15.0
"""Seconds between two lines where stderr is not a terminal."""

BAR_WIDTH = 20
"""Characters of the bar in a terminal."""

SECONDS_BETWEEN_DRAWINGS = 0.1
SHARE_BEFORE_ESTIMATE = 0.02
"""Share of the work after which the time left is told."""

SHORTEST_RUN = 1.0
"""Seconds from which it is told how long a command took."""


class Progress:
    """Listens to the events of a run and prints them; with ``quiet`` it prints nothing.

    At the end of the ``with`` block the bar is removed, and the time that all took is printed.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._terminal = sys.stderr.isatty()
        self._blocks = "█░" if can_show(sys.stderr, "█░") else "#-"
        self._began = self._work_began = self._printed = time.monotonic()
        self._progress: events.Progressed | None = None
        self._step = ""
        self._bar_shown = False

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.clear()
        seconds = time.monotonic() - self._began
        if kind is None and seconds >= SHORTEST_RUN:
            self.line(f"done in {duration(seconds)}")

    def __call__(self, event: Event) -> None:
        """Print one event."""
        if self._quiet:
            return
        if isinstance(event, Notice | events.MemoryShort):
            self.line(event.text)
        elif isinstance(event, events.Progressed):
            if self._progress is None:
                self._work_began = self._printed = time.monotonic()
            elif self._progress.text != event.text:
                self._step = ""
            self._progress = event
            self._draw()
        elif isinstance(event, events.Started):
            for warning in event.warnings:
                self.line(warning)
            if event.done is None:
                resumed = f"resuming after step {event.step} of {event.total}"
                self.line(resumed if event.step else f"training for {count(event.total, 'step')}")
        elif isinstance(event, events.Step):
            self._step = f", step {event.step} of {event.total}, loss {event.loss:.4f}"
            self._draw()
        elif isinstance(event, events.Evaluated):
            self._step = ""
            self.line(f"epoch {event.epoch:.3g}: {_values(event)}{' (best)' if event.best else ''}")

    def line(self, text: str) -> None:
        """Print one line, in place of the bar."""
        if self._quiet:
            return
        self.clear()
        message("\n".join(laid_out([translate(printable(text))], width_of(sys.stderr))))

    def reading(self, path: str, rows: int) -> None:
        """Show how many rows of a file were read so far."""
        now = time.monotonic()
        if self._quiet or now - self._printed < (SECONDS_BETWEEN_DRAWINGS if self._terminal else PLAIN_SECONDS):
            return
        self._printed = now
        text = translate(printable(f"reading {path}: {rows:,} rows"))
        if not self._terminal:
            message(text)
            return
        message(f"\r\x1b[K{fitted(text, (width_of(sys.stderr) or UNKNOWN_WIDTH) - 1)}", newline=False)
        self._bar_shown = True

    def _draw(self) -> None:
        now = time.monotonic()
        if now - self._printed < (SECONDS_BETWEEN_DRAWINGS if self._terminal else PLAIN_SECONDS):
            return
        self._printed = now
        done = self._progress
        share = 0.0 if done is None or not done.total else done.done / done.total
        doing = "" if done is None else translate(done.text)
        text = f"{share:.0%} {doing}{translate(self._step)}{translate(self._left(now))}"
        if not self._terminal:
            message(text)
            return
        filled = int(BAR_WIDTH * share)
        bar = self._blocks[0] * filled + self._blocks[1] * (BAR_WIDTH - filled)
        # One column stays free: some terminals break the line at the last one.
        width = (width_of(sys.stderr) or UNKNOWN_WIDTH) - 1
        message(f"\r\x1b[K{fitted(f'{bar} {text}', width)}", newline=False)
        self._bar_shown = True

    def _left(self, now: float) -> str:
        """Return the time that is left, from the work that was carried out so far."""
        done, seconds = self._progress, now - self._work_began
        if done is None or done.carried_out <= SHARE_BEFORE_ESTIMATE * done.total:
            return ""
        return f", {duration(seconds / done.carried_out * (done.total - done.done))} left"

    def clear(self) -> None:
        """Remove the bar, so that something else can be printed."""
        if self._bar_shown:
            message("\r\x1b[K", newline=False)
        self._bar_shown = False


METRICS = ("pearson", "mrr", "accuracy", "macro_f1", "entity_f1", "perplexity")


def _values(event: events.Evaluated) -> str:
    """Return loss and metric of an epoch, each as trained on and on validation."""
    rows = [("loss", "train/epoch_loss", "validation/loss", 4)]
    rows += [(name, f"train/{name}", f"validation/{name}", 3) for name in METRICS]
    texts: list[str] = []
    for name, *sides, decimals in rows:
        trained, validated = (event.values.get(str(side)) for side in sides)
        shown = [] if trained is None else [f"{trained:.{decimals}f}"]
        shown += [] if validated is None else [f"validation {validated:.{decimals}f}"]
        if shown:
            texts.append(f"{name} {', '.join(shown)}")
    return "; ".join(texts)


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
        message(f"{begin}{text}{end}", newline=False)
