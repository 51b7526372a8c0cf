"""Predictions for many files: each is a shard, written whole, by any number of processes on any number of machines.

    predictions.json         in the folder of the predictions: of which model they are, and with which options
    NAME.jsonl|.csv          the predictions of one file; that it is there says that it is finished
    .inputs/NAME.jsonl.json  which file that was, by its hash

A file that is finished is not predicted again, so the same command goes on where it was stopped. The predictions of a
file do not depend on who made them: with as many threads they are the same bytes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, astuple, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from homeground import errors
from homeground.data.sources.several import named_files
from homeground.errors import DataError, HomegroundError, ProcessLost, RunConflict, UsageError
from homeground.inference.files import machine_of, predict_file, this_machine
from homeground.inference.loading import AUTO, choose, load
from homeground.processes.children import start_child, usable_cores
from homeground.processes.shard import WHOLE, Shard
from homeground.storage import file_hash, has_ended, is_litter, read_sealed, sealed, write_json, written_to
from homeground.wording import count

RECORD = "predictions.json"
RECORD_VERSION = 1

INPUTS = ".inputs"
"""Folder beside the predictions that says of which files they are."""

SECONDS_OF_LITTER = 24 * 3600
"""After this time what another machine has left half written counts as left for good."""

AS_CSV = (".csv", ".tsv", ".tab", ".xlsx", ".xlsm")
"""Endings of files whose predictions are written as CSV; those of all others as JSON Lines."""


@dataclass(frozen=True)
class FileCounts:
    """Files and rows that were predicted, rows among them without a text, and files finished before.

    ``truncated`` counts the texts that lost tokens to the maximum length.
    """

    files: int
    rows: int
    empty: int
    skipped: int
    truncated: int


def predict_files(
    source: str,
    inputs: str,
    folder: Path,
    *,
    processes: int = 1,
    shard: Shard = WHOLE,
    trust_saved_model: bool = False,
    engine: str = AUTO,
    report: Callable[[str], None] = lambda _: None,
    **options: Any,
) -> FileCounts:
    """Predict every file that ``inputs`` names, into a folder; ``options`` are those of ``predict_file``.

    ``inputs`` are files between commas, or a pattern; ``engine`` is that of ``load``. Each of the ``processes``, which
    are started on this machine where they are several, predicts its share.

    Raises:
        UsageError: two files would have predictions of one name.
        RunConflict: the folder holds predictions of another model, with other options, or of other files.
        DataError: a file cannot be read; those of all others are written.
        ProcessLost: another process ended before its files were finished.
    """
    if inputs == "-":
        raise UsageError("--input -: standard input is one file; write its predictions to a file as well")
    targets = _targets(named_files(inputs), folder)
    how: dict[str, Any] = {"engine": engine, "trust_saved_model": trust_saved_model}
    _open_folder(folder, source, options, how)
    # Not the pattern: a file that is added meanwhile would shift the parts of those that start later.
    work = _Work(source, tuple((path, str(target)) for path, target in targets), options, how)
    if processes == 1:
        return _predict(work, shard, report)
    parts = [shard.part(number, processes) for number in range(1, processes + 1)]
    children = [_start(work, part, processes) for part in parts]
    try:
        with ThreadPoolExecutor(processes) as readers:
            answers = list(readers.map(partial(_listen, report=report), children))
    finally:
        for child in children:
            if child.poll() is None:
                child.terminate()
                child.wait()
    for answer in answers:
        if error := answer.get("error"):
            kind: type[HomegroundError] = getattr(errors, error)
            raise kind.__new__(kind, answer["message"])  # some take other arguments than their message
    if lost := [child.returncode for child, answer in zip(children, answers, strict=True) if "done" not in answer]:
        raise ProcessLost(
            f"{count(len(lost), 'process', 'processes')} of {processes} ended before their files were finished (exit "
            f"code {lost[0]}); the others are kept, and the same command goes on"
        )
    every = [FileCounts(**answer["done"]) for answer in answers]
    return FileCounts(*map(sum, zip(*map(astuple, every), strict=True)))


@dataclass(frozen=True)
class _Work:
    """What is asked of all processes: ``targets`` are the files with those of their predictions."""

    source: str
    targets: tuple[tuple[str, str], ...]
    options: dict[str, Any]
    how: dict[str, Any]


def _predict(work: _Work, shard: Shard, report: Callable[[str], None]) -> FileCounts:
    """Predict a part of the files; one that cannot be read is named when the others are finished.

    Raises:
        DataError: a file cannot be read.
    """
    own = [(path, Path(target)) for place, (path, target) in enumerate(work.targets) if shard.has(place)]
    for path, target in own:
        if target.is_file():
            _require_predicted(path, target)
    model = load(work.source, **work.how) if not all(target.is_file() for _, target in own) else None
    files = rows = empty = 0
    unread: dict[str, DataError] = {}
    for path, target in own:
        if target.is_file():  # finished before, or by somebody else meanwhile
            continue
        assert model is not None
        _remove_litter(target)
        try:
            _note_input(path, target)
            done = predict_file(model, path, target, **work.options)
        except DataError as error:
            unread[path] = error
            continue
        files, rows, empty = files + 1, rows + done.rows, empty + done.empty
        report(f"{path}: {count(done.rows, 'row')}")
    if unread:
        first, *others = unread
        more = f"; {count(len(others), 'more file')} cannot be read, the next is {others[0]}" if others else ""
        raise DataError(f"{unread[first]}{more}; the predictions of all other files are written")
    return FileCounts(files, rows, empty, len(own) - files, 0 if model is None else model.truncated)


def _note_input(path: str, target: Path) -> None:
    """Write down of which file the predictions will be."""
    if not Path(path).is_file():
        return  # reading it says so
    record = _record_of(target)
    with written_to(record):
        record.parent.mkdir(exist_ok=True)
    write_json(record, sealed({**_as_it_is(path), "sha256_of_file": file_hash(Path(path))}))


def _require_predicted(path: str, target: Path) -> None:
    """Refuse predictions of another file, or of what the file was before.

    Raises:
        RunConflict: the predictions are not of this file, or nothing says so.
    """
    record = _record_of(target)
    remedy = f"remove {target} to have it made again, or name another folder with --output"
    if not record.is_file():
        raise RunConflict(f"{target} is there, but nothing says of which file; {remedy}")
    noted = read_sealed(record, remedy=remedy)
    if all(noted.get(name) == value for name, value in _as_it_is(path).items()):
        return
    if noted.get("sha256_of_file") != file_hash(Path(path)):
        was = " as it was before" if noted.get("file") == str(Path(path).resolve()) else ""
        raise RunConflict(f"{target} holds predictions of {noted.get('file')}{was}, and not of {path}; {remedy}")


def _as_it_is(path: str) -> dict[str, Any]:
    """Return what says without reading a file that it is the same as before."""
    found = Path(path).stat()
    return {"file": str(Path(path).resolve()), "bytes": found.st_size, "modified_ns": found.st_mtime_ns}


def _record_of(target: Path) -> Path:
    return target.parent / INPUTS / f"{target.name}.json"


def _remove_litter(target: Path) -> None:
    """Remove what a process that is gone has begun of a file, on this machine or long ago on another one."""
    for litter in target.parent.glob(f".{target.name}.*"):
        if not is_litter(litter):
            continue
        here, process = machine_of(litter)
        dead = has_ended(process) if here == this_machine() else _age(litter) > SECONDS_OF_LITTER
        if dead:
            litter.unlink(missing_ok=True)


def _age(path: Path) -> float:
    """Return the seconds since a file was written; 0 where it is gone."""
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0


def _targets(paths: Sequence[str], folder: Path) -> list[tuple[str, Path]]:
    """Return every file with that of its predictions, in order of their names."""
    targets: dict[Path, str] = {}
    for path in sorted(dict.fromkeys(paths)):
        name = Path(path).name.removesuffix(".gz")
        suffix = Path(name).suffix.lower()
        target = folder / (name.removesuffix(Path(name).suffix) + (".csv" if suffix in AS_CSV else ".jsonl"))
        if other := targets.get(target):
            raise UsageError(f"the predictions of {other} and {path} would both be {target}; rename one of the two")
        targets[target] = path
    return [(path, target) for target, path in targets.items()]


def _open_folder(folder: Path, source: str, options: dict[str, Any], how: dict[str, Any]) -> None:
    """Make the folder where there is none, and write down what its predictions are."""
    model = choose(source, **how)[0].sha256
    wanted: dict[str, Any] = {"version": RECORD_VERSION, "model": model, "options": json.loads(json.dumps(options))}
    with written_to(folder):
        folder.mkdir(parents=True, exist_ok=True)
        held = {each.name for each in folder.iterdir() if not is_litter(each)}
        if held and RECORD not in held:
            raise RunConflict(f"{folder} is not empty and holds no predictions; name another folder with --output")
        if held <= {RECORD, INPUTS}:  # a command that was refused may have left the record alone
            write_json(folder / RECORD, sealed(wanted))
    there = read_sealed(folder / RECORD, remedy="remove it with all predictions of its folder, and begin again")
    if differing := [name for name in wanted if there.get(name) != wanted[name]]:
        what = "another model" if "model" in differing else "other options"
        raise RunConflict(f"{folder} holds predictions of {what}; name another folder with --output")


def _start(work: _Work, part: Shard, processes: int) -> subprocess.Popen[bytes]:
    """Start a process that predicts a part of the files, with its share of the cores."""
    threads = os.environ.get("OMP_NUM_THREADS") or str(max(usable_cores() // processes, 1))
    environment = {"OMP_NUM_THREADS": threads, "RAYON_NUM_THREADS": threads}
    asked = json.dumps({"work": asdict(work), "shard": [part.number, part.of]})
    return start_child("homeground.inference.bulk", "follow", environment, standard_input=asked, stdout=subprocess.PIPE)


def _listen(child: subprocess.Popen[bytes], report: Callable[[str], None]) -> Mapping[str, Any]:
    """Report what a process says of its files, and return the last it said; empty where it ended without."""
    assert child.stdout is not None
    answer: Mapping[str, Any] = {}
    for line in child.stdout:
        said = json.loads(line)
        if "file" in said:
            report(said["file"])
        else:
            answer = said
    child.wait()
    return answer


def follow() -> None:
    """Predict the part of the files that the process which started this one asks for, and end.

    Said on standard output, a line of JSON each: ``file`` when one is finished, and last ``done`` or ``error``.
    """

    def say(**what: Any) -> None:
        sys.stdout.write(json.dumps(what) + "\n")
        sys.stdout.flush()

    asked = json.load(sys.stdin)
    given: dict[str, Any] = asked["work"]
    work = _Work(given["source"], tuple(map(tuple, given["targets"])), given["options"], given["how"])
    try:
        done = _predict(work, Shard(*asked["shard"]), lambda text: say(file=text))
        say(done=asdict(done))
    except HomegroundError as error:
        say(error=type(error).__name__, message=f"{error}")
        sys.exit(error.exit_code)
