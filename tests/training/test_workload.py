"""The share of a run's work that is done only grows, whatever is skipped; the time left follows from real work."""

from __future__ import annotations

from homeground.training.events import Event, PartBegins, Progressed, Step
from homeground.training.workload import MEASURING_SHARE, RunPart, Workload

PARTS = [
    RunPart("before", "measuring before", 40),
    RunPart("folds/1", "fold 1 of 2", 100),
    RunPart("folds/2", "fold 2 of 2", 100),
]


def progressed(events: list[Event]) -> list[Progressed]:
    return [event for event in events if isinstance(event, Progressed)]


def test_a_part_that_begins_ends_those_before_it_and_only_real_work_counts_as_carried_out() -> None:
    events: list[Event] = []
    workload = Workload(PARTS, events.append, batch_size=10)
    workload(PartBegins("before"))
    workload.measured(50)
    # The first fold was finished by an earlier call.
    workload(PartBegins("folds/2"))
    workload(PartBegins("folds/2"))
    workload(step := Step(1, 10, 0.1, 1.0, 1e-3, 1.0))
    done = progressed(events)
    assert [event.done for event in done] == [0, 20, 140, 140, 150]
    assert done[-1] == Progressed(150, 240, 50 * MEASURING_SHARE + 10, "fold 2 of 2")
    assert step in events
    assert not any(isinstance(event, PartBegins) for event in events)


def test_more_work_than_planned_stays_within_its_part_and_nothing_goes_backwards() -> None:
    events: list[Event] = []
    workload = Workload(PARTS, events.append, batch_size=10)
    workload(PartBegins("folds/1"))
    for number in range(40):
        workload(Step(number, 10, 0.1, 1.0, 1e-3, 1.0))
    workload(PartBegins("before"))
    workload(PartBegins("unknown"))
    done = [event.done for event in progressed(events)]
    assert done == sorted(done)
    assert done[-1] == 140
    assert len(done) < 20  # nothing new is not reported
