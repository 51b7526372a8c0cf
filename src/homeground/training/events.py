"""What is reported while a run goes on: the events of its trainings, and notices in between."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Notice:
    """A sentence for the user."""

    text: str


@dataclass(frozen=True, slots=True)
class PartBegins:
    """A part of the plan of a run begins: measuring before, a training by its folder, measuring after, comparing."""

    key: str


@dataclass(frozen=True, slots=True)
class Progressed:
    """How far a run has come: ``done`` of ``total`` work, of which ``carried_out`` in this call.

    ``text`` is what the part of the plan is called. Work is counted in items that are learned from.
    """

    done: float
    total: float
    carried_out: float
    text: str


@dataclass(frozen=True, slots=True)
class Started:
    """The loop begins, or goes on at ``step`` of ``total``; ``warnings`` name damaged snapshots that were passed over.

    ``done`` says why no step is left where the training was finished before.
    """

    step: int
    total: int
    warnings: tuple[str, ...] = ()
    done: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One optimizer step; ``step`` counts those done, ``epoch`` is in epochs, ``loss`` per item."""

    step: int
    total: int
    epoch: float
    loss: float
    learning_rate: float
    gradient_norm: float


@dataclass(frozen=True, slots=True)
class MemoryShort:
    """Memory ran out at ``step``, which is taken again with ``microbatch`` examples at once, as are all after it."""

    step: int
    microbatch: int

    @property
    def text(self) -> str:
        """What is said of it."""
        return (
            f"memory ran out by step {self.step}, so a batch is computed {self.microbatch} examples at a time; what is "
            "learned from at once stays the same"
        )


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What was measured on the validation split, and whether it is the best so far."""

    step: int
    epoch: float
    values: Mapping[str, float]
    best: bool


@dataclass(frozen=True, slots=True)
class Saved:
    """A snapshot was written."""

    step: int
    folder: Path


@dataclass(frozen=True, slots=True)
class Interrupted:
    """A signal ended the loop early; everything is saved."""

    step: int
    signal_number: int


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a loop learned: ``items`` and ``operations`` (of products of matrices) in ``seconds``."""

    items: int = 0
    operations: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Finished:
    """The loop is over and the model holds the weights to keep; ``microbatch`` is set where memory ran out.

    ``pace`` is that of the steps of this call after its first one, which is slower.
    """

    step: int
    epoch: float
    best_step: int | None
    reason: str
    microbatch: int | None = None
    pace: Pace = field(default=Pace(), compare=False)


TrainingEvent = Started | Step | MemoryShort | Evaluated | Saved | Interrupted | Finished
Event = Notice | PartBegins | Progressed | TrainingEvent
OnEvent = Callable[[Event], None]


def ignore(_: Event) -> None:
    """Do nothing with an event."""
