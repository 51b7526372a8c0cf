"""What is written of a training while it runs: metrics.jsonl, and the same for TensorBoard."""

from __future__ import annotations

import contextlib
import json
import math
import shutil
import time
from pathlib import Path
from typing import Any, BinaryIO, TextIO, cast

from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.summary.writer.record_writer import RecordWriter

from homeground.storage import write_json_lines, written_to
from homeground.training.events import Evaluated, Started, Step, TrainingEvent

# The classes of compiled protocol buffers are made at run time, where no type checker sees them.
TensorBoardEvent: Any = event_pb2.__dict__["Event"]
Summary: Any = summary_pb2.__dict__["Summary"]


class MetricsLog:
    """Writes every step and evaluation as one line of metrics.jsonl and as TensorBoard scalars under ``home``.

    Both only grow. When a training goes on from a snapshot, metrics.jsonl is cut back to its step and TensorBoard's
    file is written anew from it, wall times included.
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
        kept = [line for line in _read_lines(path) if line["step"] <= step]
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
        line = {
            name: None if isinstance(each, float) and not math.isfinite(each) else each for name, each in line.items()
        }
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
    lines = _read_lines(home / "metrics.jsonl")
    return [{"step": line["step"], "value": line[name]} for line in lines if line.get(name) is not None]


def _read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the lines of metrics.jsonl that are whole: one torn by a crash is left out, and so is a damaged one."""
    if not path.is_file():
        return []
    lines: list[dict[str, Any]] = []
    for line in path.read_bytes().split(b"\n"):
        with contextlib.suppress(ValueError):
            read = json.loads(line, parse_constant=lambda _: None)
            if isinstance(read, dict) and {"step", "wall_time"} <= read.keys():
                lines.append(cast(dict[str, Any], read))
    return lines
