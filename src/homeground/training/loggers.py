"""What is written of a training while it runs: metrics.jsonl, and the same for TensorBoard."""

from __future__ import annotations

import json
import math
import shutil
import time
import warnings
from pathlib import Path
from typing import Any, BinaryIO, TextIO, cast

from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.summary.writer.record_writer import RecordWriter

from homeground.errors import DamageWarning
from homeground.storage import is_sealed, parse_json, sealed, write_json_lines, written_to
from homeground.training.events import Evaluated, Started, Step, TrainingEvent

# The classes of compiled protocol buffers are made at run time, where no type checker sees them.
TensorBoardEvent: Any = event_pb2.__dict__["Event"]
Summary: Any = summary_pb2.__dict__["Summary"]


class MetricsLog:
    """Writes every step and evaluation as one line of metrics.jsonl and as TensorBoard scalars under ``home``.

    Both only grow; a line holds the hash of its other fields. When a training goes on from a snapshot, metrics.jsonl is
    cut back to its step and TensorBoard's file is written anew from it, wall times included.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._lines: TextIO | None = None
        self._events: BinaryIO | None = None

    def __call__(self, event: TrainingEvent) -> None:
        """Log one event of the loop."""
        if isinstance(event, Started):
            self._open(event.step)
        elif isinstance(event, Step):
            self._write(
                {
                    "step": event.step,
                    "epoch": event.epoch,
                    "wall_time": time.time(),
                    "train/loss": event.loss,
                    "train/learning_rate": event.learning_rate,
                    "train/gradient_norm": event.gradient_norm,
                }
            )
        elif isinstance(event, Evaluated):
            self._write({"step": event.step, "epoch": event.epoch, "wall_time": time.time(), **event.values})

    def close(self) -> None:
        """Close both files."""
        for file in (self._lines, self._events):
            if file is not None:
                file.close()

    def _open(self, step: int) -> None:
        path, board = self._home / "metrics.jsonl", self._home / "tensorboard"
        lines, damaged = _read_lines(path)
        if damaged:
            text = f"{path}: damaged lines, which the curves of the report lack: {damaged}"
            warnings.warn(text, DamageWarning, stacklevel=2)
        kept = [line for line in lines if line["step"] <= step]
        with written_to(path):
            self._home.mkdir(parents=True, exist_ok=True)
            write_json_lines(path, kept)
            self._lines = path.open("a", encoding="utf-8")
            shutil.rmtree(board, ignore_errors=True)
            board.mkdir()
            # The name TensorBoard looks for; a fixed number in it, so that a resumed run has one file, not many.
            self._events = (board / "events.out.tfevents.0.homeground").open("wb")
        self._record({"wall_time": kept[0]["wall_time"] if kept else time.time()}, version=True)
        for line in kept:
            self._record(line)

    def _write(self, line: dict[str, Any]) -> None:
        """Write a line; a value that is not finite is null, as JSON has no other word for it."""
        finite = {name: None if isinstance(v, float) and not math.isfinite(v) else v for name, v in line.items()}
        line = sealed(finite)
        assert self._lines is not None
        with written_to(self._home / "metrics.jsonl"):
            self._lines.write(json.dumps(line) + "\n")
            self._lines.flush()
            self._record(line)

    def _record(self, line: dict[str, Any], *, version: bool = False) -> None:
        assert self._events is not None
        event = TensorBoardEvent(wall_time=line["wall_time"], step=line.get("step", 0))
        if version:
            event.file_version = "brain.Event:2"
        else:
            values = [
                Summary.Value(tag=tag, simple_value=value)
                for tag, value in line.items()
                if "/" in tag and value is not None
            ]
            event.summary.CopyFrom(Summary(value=values))
        RecordWriter(self._events).write(event.SerializeToString())
        self._events.flush()


def logged(home: Path, name: str) -> list[dict[str, float]]:
    """Return what metrics.jsonl under ``home`` says of one value: the steps at which it was measured, and the value."""
    lines, _ = _read_lines(home / "metrics.jsonl")
    return [{"step": line["step"], "value": line[name]} for line in lines if line.get(name) is not None]


def _read_lines(path: Path) -> tuple[list[dict[str, Any]], int]:
    """Return the lines of metrics.jsonl, and how many are damaged; the last may be torn, and then it does not count.

    Lines of runs made before version 0.3 have no hash.
    """
    whole = path.read_bytes().split(b"\n")[:-1] if path.is_file() else []
    lines = [line for line in map(_parsed, whole) if line is not None]
    return lines, len(whole) - len(lines)


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        read: object = parse_json(line, parse_constant=lambda _: None)
    except ValueError:
        return None
    known = isinstance(read, dict) and is_sealed(cast(dict[str, Any], read), unsealed_version=None)
    return cast(dict[str, Any], read) if known else None
