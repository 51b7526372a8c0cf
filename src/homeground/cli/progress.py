"""What is told on stderr while a run goes on: one living line in a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time

from homeground.cli.counting import PLAIN_SECONDS, duration
from homeground.experiment.events import Event, Notice
from homeground.training import train


class Progress:
    """Listens to a run and tells of it; ``quiet`` tells nothing."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._terminal = sys.stderr.isatty()
        self._first: tuple[int, float] | None = None
        self._told = 0.0
        self._living = False

    def __call__(self, event: Event) -> None:
        """Tell one event."""
        if self._quiet:
            return
        if isinstance(event, Notice):
            self.line(event.text)
        elif isinstance(event, train.Started):
            self._first = (event.step, time.monotonic())
            self._told = time.monotonic()
            for warning in event.warnings:
                self.line(warning)
            begun = f"going on after step {event.step} of {event.total}"
            if event.done is None:
                self.line(begun if event.step else f"training for {event.total} steps")
        elif isinstance(event, train.Step):
            self._step(event)
        elif isinstance(event, train.Evaluated):
            values = ", ".join(f"{name} {value:.4f}" for name, value in event.values.items() if _told_of(name))
            self.line(f"epoch {event.epoch:.3g}: {values}{' (best so far)' if event.best else ''}")

    def _step(self, event: train.Step) -> None:
        assert self._first is not None
        first, began = self._first
        now = time.monotonic()
        if not self._terminal and now - self._told < PLAIN_SECONDS and event.step != event.total:
            return
        self._told = now
        left = (now - began) / (event.step - first) * (event.total - event.step)
        text = f"step {event.step} of {event.total}, loss {event.loss:.4f}, {duration(left)} left"
        if self._terminal:
            filled = 24 * event.step // event.total
            sys.stderr.write(f"\r\x1b[K{'█' * filled}{'░' * (24 - filled)} {text}")
            sys.stderr.flush()
            self._living = True
        else:
            self.line(text)

    def line(self, text: str) -> None:
        """Tell one line, below the living one."""
        if self._quiet:
            return
        end = "\r\x1b[K" if self._living else ""
        self._living = False
        print(f"{end}{text}", file=sys.stderr, flush=True)


def _told_of(name: str) -> bool:
    return name in (
        "train/epoch_loss",
        "train/pearson",
        "train/mrr",
        "train/accuracy",
        "train/macro_f1",
        "train/masked_loss",
        "validation/loss",
        "validation/pearson",
        "validation/mrr",
        "validation/accuracy",
        "validation/macro_f1",
        "validation/perplexity",
    )
