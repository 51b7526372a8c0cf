"""The run folder: what is written where, and how it is written so that nothing is ever half there.

    runs/<name>/
        run.json         identity (recipe, data, checkpoint) and state: running or finished
        recipe.toml      the resolved recipe, every default written out
        data.json        what was read, set aside, split
        splits.jsonl     row, hash, unit, split, and the file or fold where there are several
        metrics.jsonl    one line a step and an evaluation    tensorboard/  the same for TensorBoard
        checkpoints/     step-00000032/ …, each closed by a manifest.json
        search/1/ …      the trials of a search, each with its own metrics and, while they are needed, checkpoints
        learning-curve/5/ …   the trainings on shares of the data, each with its result and, until then, checkpoints
        seeds/2/ …       the trainings after the first of --seeds, each with its predictions or, until then, checkpoints
        folds/1/ …       the trainings of a cross-fitting, each with its own metrics and checkpoints
        scores.json      before, after, intervals, verdict    examples.jsonl  per test example
        predictions.npy  what both models say of the test examples, before and after
        training_texts.npy   hashes of every text learned from, those of earlier runs included
        model/           Hugging Face layout, closed by a manifest.json
        report.html
        publish.json     where the model was published, and what lies there
        next_to_label.csv   the texts worth labelling, of those given with --unlabelled

A file or folder is written under a temporary name, synced, then renamed.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import json
import os
import shutil
import socket
from collections.abc import Collection, Generator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from homeground.errors import DiskError, RunConflict, RunLocked

VERSION = 1


@dataclass(frozen=True)
class Run:
    """A run on disk; ``homeground.adapt`` returns one, and ``Run(Path("runs/pairs"))`` reopens it."""

    folder: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", Path(self.folder))

    @property
    def model_folder(self) -> Path:
        """The adapted model in the Hugging Face layout."""
        return self.folder / "model"

    @property
    def report(self) -> Path:
        """The report, one self-contained HTML file."""
        return self.folder / "report.html"

    @property
    def record(self) -> dict[str, Any]:
        """What run.json says: identity, state and times; empty before the run began."""
        return read_json(self.folder / "run.json") if (self.folder / "run.json").is_file() else {}

    @property
    def finished(self) -> bool:
        """Whether the run came to its verdict."""
        return self.record.get("state") == "finished"

    @property
    def scores(self) -> dict[str, Any]:
        """What scores.json says; docs/scores.md describes it."""
        return read_json(self.folder / "scores.json")

    @property
    def verdict(self) -> str:
        """The verdict in words with the interval it rests on, e.g. ``HELPED: …``."""
        return str(self.scores["sentence"])

    def write_record(self, **changes: Any) -> None:
        """Write run.json with ``changes`` over what it says now."""
        write_json(self.folder / "run.json", {**self.record, **changes})

    def remove_checkpoints(self, home: Path | None = None) -> None:
        """Remove the checkpoints of a training that is over, and of its head; model/ holds what it led to."""
        for name in ("checkpoints", "head"):
            shutil.rmtree((home or self.folder) / name, ignore_errors=True)


@contextlib.contextmanager
def open_run(folder: Path, identity: Mapping[str, Any], *, fresh: bool = False) -> Generator[Run]:
    """Lock a run folder, begin the run or find it half done or finished, and hold it until the end.

    ``identity`` says what makes two runs the same: recipe, data and checkpoint. ``fresh`` moves an earlier run aside.

    Raises:
        RunLocked: another process holds the folder.
        RunConflict: the folder holds a run of another identity; the message names the differences.
        DiskError: the folder cannot be written.
    """
    if folder.is_file():
        raise RunConflict(f"{folder} is a file; name a folder for the run with --out")
    with written_to(folder.parent):
        folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        if fresh and folder.exists():
            folder.rename(aside(folder))
        run = Run(folder)
        if folder.exists() and not run.record and any(folder.iterdir()):
            raise RunConflict(
                f"{folder} is not empty and holds no run; name another folder with --out, or move it aside with --fresh"
            )
        if differences := _differences(run.record.get("identity", identity), identity):
            raise RunConflict(
                f"{folder} holds a run with other settings ({'; '.join(differences)}); "
                "name another folder with --out, or move the old run aside with --fresh"
            )
        if not run.record:
            with written_to(folder):
                folder.mkdir(exist_ok=True)
            run.write_record(
                version=VERSION,
                state="running",
                started=now(),
                finished=None,
                homeground=version("homeground"),
                identity=identity,
            )
        yield run


@contextlib.contextmanager
def locked(folder: Path) -> Generator[None]:
    """Hold the lock beside a run folder; the lock file says who has it."""
    path = folder.with_name(f".{folder.name}.lock")
    holder = path.with_suffix(".holder.json")
    lock = FileLock(path)
    with written_to(path):
        try:
            lock.acquire(timeout=0)
        except Timeout:
            by = read_json(holder) if holder.is_file() else {}
            who = f"process {by['process']} on {by['host']} since {by['since']}" if by else "another process"
            message = f"{folder} is being written by {who}; wait for it, or name another folder with --out"
            raise RunLocked(message) from None
    try:
        write_json(holder, {"process": os.getpid(), "host": socket.gethostname(), "since": now()})
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def aside(folder: Path) -> Path:
    """Return the first free name of the form ``pairs.old-1``."""
    number = 1
    while (path := folder.with_name(f"{folder.name}.old-{number}")).exists():
        number += 1
    return path


def _differences(old: Any, new: Any, place: str = "") -> list[str]:
    """Name every place in which two nested identities differ, as ``place: old, now new``."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        names = sorted({*old, *new})
        found = [_differences(old.get(name), new.get(name), f"{place}.{name}".strip(".")) for name in names]
        return [difference for part in found for difference in part]
    return [] if old == new else [f"{place}: {_short(old)}, now {_short(new)}"]


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else text[:12] + "…" + text[-8:]


def now() -> str:
    """Return the present moment as an ISO 8601 string in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON file atomically; NaN is refused because other readers would choke on it."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False) + "\n")


def write_json_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write a JSON Lines file atomically."""
    write_text(path, "".join(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows))


def write_array(path: Path, array: NDArray[Any]) -> None:
    """Write a NumPy array atomically, without pickle."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    write_bytes(path, buffer.getvalue())


def read_array(path: Path) -> NDArray[Any]:
    """Return the array in an .npy file; one that would need pickle is refused."""
    return np.load(path, allow_pickle=False)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file under a temporary name, sync it, and rename it into place."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with written_to(path):
        try:
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
            _sync_folder(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def new_folder(path: Path) -> Generator[Path]:
    """Yield a temporary folder to fill; on leaving it is closed by a manifest and renamed to ``path``.

    An older folder at ``path`` is replaced only once the new one is complete.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with written_to(path):
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        try:
            yield temporary
            write_manifest(temporary)
            if path.exists():
                old = path.with_name(f".{path.name}.{os.getpid()}.old")
                path.rename(old)
                temporary.rename(path)
                shutil.rmtree(old)
            else:
                temporary.rename(path)
            _sync_folder(path.parent)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def write_manifest(folder: Path) -> None:
    """Write manifest.json: the sha256 and size of every file in the folder, each synced first."""
    files: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != "manifest.json":
            with path.open("rb") as file:
                os.fsync(file.fileno())
            files[path.relative_to(folder).as_posix()] = {"sha256": file_hash(path), "size": path.stat().st_size}
    write_json(folder / "manifest.json", {"version": VERSION, "files": files})


def manifest_problem(folder: Path, *, besides: Collection[str] = ()) -> str | None:
    """Return what is wrong with a folder closed by a manifest, or None when every file is as it was written.

    The files named in ``besides`` may have changed.
    """
    try:
        files: dict[str, dict[str, Any]] = read_json(folder / "manifest.json")["files"]
    except (OSError, ValueError, KeyError):
        return "has no readable manifest.json"
    for name, expected in files.items():
        path = folder / name
        if name in besides:
            continue
        if not path.is_file():
            return f"lacks {name}"
        if path.stat().st_size != expected.get("size") or file_hash(path) != expected.get("sha256"):
            return f"has a damaged {name}"
    return None


def file_hash(path: Path) -> str:
    """Return the sha256 of a file's bytes in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def written_to(path: Path, otherwise: str = "choose a folder that can be written with --out") -> Generator[None]:
    """Turn a failed write below into a DiskError that names the place and what to do, else ``otherwise``."""
    try:
        yield
    except OSError as error:
        cause = os.strerror(error.errno) if error.errno else str(error)
        remedy = {
            errno.ENOSPC: "free some space and give the same command again",
            errno.EDQUOT: "free some space and give the same command again",
            errno.EFBIG: "raise the limit on file sizes and give the same command again",
        }.get(error.errno or 0, otherwise)
        raise DiskError(f"{path} could not be written ({cause}); nothing finished was lost; {remedy}") from error


def _sync_folder(folder: Path) -> None:
    """Make a rename survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
