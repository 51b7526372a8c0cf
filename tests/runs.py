"""What tests of whole runs share: listeners for the events of a run, and readers of what it leaves."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from homeground.results.run import LISTED, Run
from homeground.storage import file_hash
from homeground.training.events import Notice, Progressed


class Broken(Exception):
    """Stands for whatever ends a process at once."""


def recorder(events: list[str]) -> Callable[[object], None]:
    """Return a listener that appends the text of a notice, and the type's name of any other event but of progress."""

    def listen(event: object) -> None:
        if not isinstance(event, Progressed):
            events.append(event.text if isinstance(event, Notice) else type(event).__name__)

    return listen


def notices(events: list[str]) -> Callable[[object], None]:
    """Return a listener that appends the text of every notice."""
    return lambda event: events.append(event.text) if isinstance(event, Notice) else None


def broken_at(place: str, events: list[str]) -> Callable[[object], None]:
    """Return a listener that records events, and breaks at the notice of a place or at the first step after it."""
    listen = recorder(events)

    def break_there(event: object) -> None:
        listen(event)
        if place in events[-1] or (events[-1] == "Step" and any(text.startswith(place) for text in events)):
            raise Broken

    return break_there


def listed_anew(folder: Path) -> None:
    """Let run.json list the files of a run as they are now, after a test has changed one."""
    run = Run(folder)
    run.write_record(files={name: file_hash(folder / name) for name in LISTED if (folder / name).is_file()})


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the objects of a file of JSON Lines."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
