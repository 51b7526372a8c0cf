"""How far a run has come: the share of its planned work that is done, over all of its trainings and measurements.

Work is counted in items that are learned from; an item that is measured costs less.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from homeground.training.events import Event, OnEvent, PartBegins, Progressed, Step

MEASURING_SHARE = 0.4
"""A text measured costs about this share of a text trained: the forward pass without the backward one."""

SMALLEST_ADVANCE = 0.002
"""Share of the work after which progress is reported again."""


@dataclass(frozen=True, slots=True)
class RunPart:
    """A part of the plan: its key, what it is called, and how much work it is."""

    key: str
    text: str
    work: float


class Workload:
    """Follows a run through the parts of its plan, and reports ``Progressed``; every other event is passed on.

    A part that begins ends all parts before it: what an earlier call had finished, or what early stopping saved, is
    work that need not be done. ``carried_out`` counts only what really was, so that the time left can be told.
    """

    def __init__(
        self, parts: Sequence[RunPart], on_event: OnEvent, *, batch_size: int, measuring: float = MEASURING_SHARE
    ) -> None:
        """Follow ``parts``; a step is the work of ``batch_size`` items, a measured item that of ``measuring``."""
        self._parts, self._on_event, self._batch_size, self._measuring = parts, on_event, batch_size, measuring
        self._total = sum(part.work for part in parts)
        self._place = 0
        self._in_part = self._carried_out = 0.0
        self._reported = -1.0

    def __call__(self, event: Event) -> None:
        """Pass an event on, and count the work it stands for."""
        if isinstance(event, PartBegins):
            self._begin(event.key)
            return
        self._on_event(event)
        if isinstance(event, Step):
            self._add(self._batch_size)

    def measured(self, items: int) -> None:
        """Count items that a model has measured."""
        self._add(self._measuring * items)

    def _begin(self, key: str) -> None:
        place = next((place for place, part in enumerate(self._parts) if part.key == key), self._place)
        # A part of the plan is reported once; what opens its model may have begun it already.
        if place > self._place:
            self._place, self._in_part = place, 0.0
        self._report()

    def _add(self, work: float) -> None:
        self._in_part += work
        self._carried_out += work
        if self._done() - self._reported >= SMALLEST_ADVANCE * self._total:
            self._report()

    def _done(self) -> float:
        before = sum(part.work for part in self._parts[: self._place])
        return before + min(self._in_part, self._parts[self._place].work)

    def _report(self) -> None:
        self._reported = self._done()
        self._on_event(Progressed(self._reported, self._total, self._carried_out, self._parts[self._place].text))
