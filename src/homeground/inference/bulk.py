"""Predictions for many files: each is a shard, written whole, by any number of processes on any number of machines.

    predictions.json    in the folder of the predictions: of which model they are, and with which options
    NAME.jsonl|.csv     the predictions of one file; that it is there says that it is finished

A file that is finished is not predicted again, so the same command goes on where it was stopped. The predictions of a
file do not depend on who made them: with as many threads they are the same bytes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Any

from homeground.data.sources.several import named_files
from homeground.engines.children import start_child
from homeground.errors import HomegroundError, ProcessLost, RunConflict, UsageError
from homeground.inference.files import predict_file
from homeground.inference.loading import AUTO, choose, load
from homeground.storage import is_litter, read_sealed, sealed, write_json, written_to
from homeground.wording import count

RECORD = "predictions.json"
RECORD_VERSION = 1

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


@dataclass(frozen=True)
class Shard:
    """The part of the files that a process predicts: ``number`` of ``of``, from 1; every ``of``-th file from it on."""

    number: int = 1
    of: int = 1

    @classmethod
    def parse(cls, written: str) -> Shard:
        """Return the part written as ``2/8``.

        Raises:
            UsageError: it is written otherwise, or there is no such part.
        """
        number, separator, of = written.partition("/")
        if not (separator and number.isdecimal() and of.isdecimal()) or not 1 <= int(number) <= int(of):
            raise UsageError(f"--shard {written}: expected NUMBER/OF, from 1/4 to 4/4 for a quarter of the files each")
        return cls(int(number), int(of))

    def part(self, number: int, of: int) -> Shard:
        """Return one of ``of`` parts of this part, numbered from 1."""
        return Shard((self.number - 1) * of + number, self.of * of)


def predict_files(
    source: str,
    inputs: str,
    folder: Path,
    *,
    processes: int = 1,
    shard: Shard = Shard(),
    trust_saved_model: bool = False,
    engine: str = AUTO,
    report: Callable[[str], None] = lambda _: None,
    **options: Any,
) -> FileCounts:
    """Predict every file that ``inputs`` names, into a folder; ``options`` are those of ``predict_file``.

    ``inputs`` are files between commas, or a pattern; ``engine`` is that of ``load``. Each of the ``processes`` on this
    machine predicts its share.

    Raises:
        UsageError: two files would have predictions of one name.
        RunConflict: the folder holds predictions of another model, or with other options.
        DataError: a file cannot be read; the predictions of those before it are kept.
        ProcessLost: another process ended before its files were finished.
    """
    if inputs == "-":
        raise UsageError("--input -: standard input is one file; write its predictions to a file as well")
    targets = _targets(named_files(inputs), folder)
    how: dict[str, Any] = {"engine": engine, "trust_saved_model": trust_saved_model}
    _open_folder(folder, source, options, how)
    # Not the pattern: a file that is added meanwhile would shift the parts of those that start later.
    files = [(path, str(target)) for path, target in targets]
    asked: dict[str, Any] = {"source": source, "files": files, "options": options, "how": how}
    parts = [shard.part(number, processes) for number in range(1, processes + 1)]
    others = [_start({**asked, "shard": [part.number, part.of]}, processes) for part in parts[1:]]
    try:
        done = _predict(source, targets, parts[0], options, report, how)
        printed = [other.communicate()[0] for other in others]
    finally:
        for other in others:
            if other.poll() is None:
                other.terminate()
                other.wait()
    if failed := [other.returncode for other in others if other.returncode]:
        ended = count(len(failed), "process", "processes")
        raise ProcessLost(
            f"{ended} of {processes} ended before their files were finished (exit code {failed[0]}); the others are "
            "kept, and the same command goes on"
        )
    every = [done, *(FileCounts(**json.loads(each)) for each in printed)]
    return FileCounts(*map(sum, zip(*map(astuple, every), strict=True)))


def _predict(
    source: str,
    targets: Sequence[tuple[str, Path]],
    shard: Shard,
    options: dict[str, Any],
    report: Callable[[str], None],
    how: dict[str, Any],
) -> FileCounts:
    own = targets[shard.number - 1 :: shard.of]
    left = [(path, target) for path, target in own if not target.is_file()]
    model = load(source, **how) if left else None
    files = rows = empty = 0
    for path, target in left:
        if target.is_file():  # somebody else has been here meanwhile
            continue
        assert model is not None
        for litter in target.parent.glob(f".{target.name}.*"):
            if is_litter(litter) and _is_dead(litter):
                litter.unlink(missing_ok=True)
        done = predict_file(model, path, target, **options)
        files, rows, empty = files + 1, rows + done.rows, empty + done.empty
        report(f"{path}: {count(done.rows, 'row')}")
    return FileCounts(files, rows, empty, len(own) - files, 0 if model is None else model.truncated)


def _is_dead(litter: Path) -> bool:
    """Return whether the process that has begun a file is gone from this machine; its name ends in .PID.tmp."""
    try:
        os.kill(int(litter.name.split(".")[-2]), 0)
    except (ValueError, ProcessLookupError):
        return True
    except OSError:
        return False
    return False


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
        held = [each.name for each in folder.iterdir() if not is_litter(each)]
        if held and RECORD not in held:
            raise RunConflict(f"{folder} is not empty and holds no predictions; name another folder with --output")
        if held in ([], [RECORD]):  # a command that was refused may have left the record alone
            write_json(folder / RECORD, sealed(wanted))
    there = read_sealed(folder / RECORD, remedy="remove it with all predictions of its folder, and begin again")
    if differing := [name for name in wanted if there.get(name) != wanted[name]]:
        what = "another model" if "model" in differing else "other options"
        raise RunConflict(f"{folder} holds predictions of {what}; name another folder with --output")


def _start(asked: dict[str, Any], processes: int) -> subprocess.Popen[bytes]:
    """Start a process that predicts a part of the files, with its share of the cores; it prints its counts."""
    threads = str(max((os.cpu_count() or 1) // processes, 1))
    environment = {"OMP_NUM_THREADS": threads, "RAYON_NUM_THREADS": threads}
    return start_child(
        "homeground.inference.bulk", "follow", environment, standard_input=json.dumps(asked), stdout=subprocess.PIPE
    )


def follow() -> None:
    """Predict the part of the files that the process which started this one asks for, and end."""
    asked = json.load(sys.stdin)
    targets = [(path, Path(target)) for path, target in asked["files"]]
    shard = Shard(*asked["shard"])
    try:
        done = _predict(asked["source"], targets, shard, asked["options"], lambda _: None, asked["how"])
        sys.stdout.write(json.dumps(asdict(done)))
    except HomegroundError as error:
        sys.stderr.write(f"homeground: {error}\n")
        sys.exit(error.exit_code)
