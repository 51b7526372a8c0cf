"""What is reported while a run goes on: the events of its trainings, and notices in between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from homeground.training import train


@dataclass(frozen=True, slots=True)
class Notice:
    """A sentence for the user."""

    text: str


Event = Notice | train.Event
OnEvent = Callable[[Event], None]


def ignore(_: Event) -> None:
    """Do nothing with an event."""
