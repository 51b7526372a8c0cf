"""The run folder: what is written where, and how it is written so that nothing is ever half there.

runs/<name>/
    run.json         identity (recipe, data, checkpoint) and state: running or finished; of a finished run the hashes of
                     its other files and a copy of scores.json, all of it sealed by a hash of its own
    recipe.toml      the resolved recipe, every default written out
    data.json        what was read, skipped and split
    splits.jsonl     row, hash, unit, split, and the file or fold where there are several
    metrics.jsonl    one line a step and an evaluation    tensorboard/  the same for TensorBoard
    checkpoints/     step-00000032/ …, each closed by a manifest.json
    search/1/ …      the trials of a search, each with its own metrics and, while they are needed, checkpoints
    learning-curve/5/ …   the trainings on shares of the data, each with its result and, until then, checkpoints
    seeds/2/ …       the trainings after the first of --seeds, each with its predictions or, until then, checkpoints
    folds/1/ …       the trainings of a cross-fitting, each with its own metrics and checkpoints
                     the results in these folders are closed by a manifest.json each, without which they are made again
    scores.json      before, after, intervals, verdict    examples.jsonl  per test example
    predictions.npy  what both models say of the test examples, before and after; as_read.npy of all of them, where
                     some are left out of the verdict because they were learned from
    training_texts.npy   hashes of every text learned from, those of earlier runs included, whatever the order of
                     words; training_texts_ordered.npy the same with the words in their order
    model/           Hugging Face layout, closed by a manifest.json
    before/          the checkpoint with the head that was fitted to it, in the same layout
    baseline/        the bag of words that the adapted model is not shown to beat, as JSON and safetensors
    report.html
    exports/         the model for other runtimes, each with its export.json and closed by a manifest.json
    publish.json     where the model was published, and what lies there
    chain.json       what a chain came to of which this is the last run
    uncleaned/       with --ablate-cleaning the same run without cleaning; cleaning.json compares both
    unextended/      with --ablate-vocabulary the same run without new tokens; vocabulary.json compares both
    next_to_label.csv   the texts worth labelling, of those given with --unlabelled
"""

from __future__ import annotations

import contextlib
import importlib
import json
import re
import shutil
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from homeground.errors import DamagedFile, RunConflict, UsageError
from homeground.results.notebook import run_html
from homeground.storage import (
    FILES,
    RUN_RECORD,
    aside,
    file_hash,
    holds_files,
    is_litter,
    locked,
    now,
    read_json,
    read_sealed,
    remove_litter,
    require_listed,
    sealed,
    write_json,
    written_to,
)
from homeground.wording import number

if TYPE_CHECKING:
    import homeground

RUN_VERSION, UNSEALED_VERSION = 2, 1
"""The version of run.json, and that of runs made before 0.3, which list no hashes."""

LONGEST_VALUE_IN_NAME = 20
"""Characters up to which the value of a setting is part of a suggested folder name."""

UNCLEANED, CLEANING_FILE = "uncleaned", "cleaning.json"
"""In the folder of a run with --ablate-cleaning: the same run without cleaning, and the comparison of both."""

UNEXTENDED, VOCABULARY_FILE = "unextended", "vocabulary.json"
"""The same with --ablate-vocabulary: the run without new tokens, and the comparison."""

CHAIN_FILE = "chain.json"
"""What the steps of a chain were worth; in the chain's folder, and in that of its last run for the report."""

MADE_FROM_RUNS = (CLEANING_FILE, VOCABULARY_FILE, CHAIN_FILE)
"""The files of a run that are made from finished runs, so that the same command makes them again."""

ADAPTER = "adapter"
"""The folder of the adapters (--lora) whose products the adapted model holds."""

BEFORE, BASELINE = "before", "baseline"
"""The folders of the alternatives to the adapted model."""

SCORES_FILE, REMADE = "scores.json", "give the command of the run again, which writes it anew"

LISTED = (
    *(SCORES_FILE, "data.json", "recipe.toml", "splits.jsonl", "metrics.jsonl", "examples.jsonl", "predictions.npy"),
    *("as_read.npy", "training_texts.npy", "training_texts_ordered.npy"),
    *MADE_FROM_RUNS,
)
"""The files of a finished run whose hashes run.json holds, where there are such; model/ has a manifest of its own."""

PARTS = ("", "folds/*", "seeds/*", "seeds/*/folds/*", "learning-curve/*", "search/*")
"""Where in the folder of a run its trainings have their checkpoints."""

WRITTEN_AT_START = ("run.json", "recipe.toml", "data.json", "splits.jsonl", "metrics.jsonl")
"""The files of a run that holds no work yet; one that failed so early is no obstacle to another."""


@dataclass(frozen=True, init=False, repr=False)
class Run(PathLike[str]):
    """A run on disk; ``homeground.adapt`` returns one, and ``Run("runs/pairs")`` reopens it.

    It can be given wherever the path of a run can: ``load(run)``, ``adapt(..., checkpoint=run)``.
    """

    folder: Path

    def __init__(self, folder: str | PathLike[str]) -> None:
        object.__setattr__(self, "folder", Path(folder))

    def __fspath__(self) -> str:
        return str(self.folder)

    @property
    def model_folder(self) -> Path:
        """The adapted model in the Hugging Face layout."""
        return self.folder / "model"

    @property
    def before_folder(self) -> Path | None:
        """The checkpoint with its fitted head; None where the head is the checkpoint's own, or it was not kept."""
        folder = self.folder / BEFORE
        return folder if folder.is_dir() else None

    @property
    def baseline_folder(self) -> Path | None:
        """The bag of words that the adapted model is not shown to beat; None where there is none."""
        folder = self.folder / BASELINE
        return folder if folder.is_dir() else None

    @property
    def report_path(self) -> Path:
        """The report, one self-contained HTML file."""
        return self.folder / "report.html"

    @property
    def record(self) -> dict[str, Any]:
        """What run.json says: identity, state and times; empty before the run began.

        Raises DamagedFile where it is not as it was written.
        """
        path = self.folder / RUN_RECORD
        remedy = f"move the run aside with --fresh, or restore {RUN_RECORD} from a backup"
        return read_sealed(path, unsealed_version=UNSEALED_VERSION, remedy=remedy) if path.is_file() else {}

    @property
    def finished(self) -> bool:
        """Whether the run came to its verdict."""
        return self.record.get("state") == "finished"

    @property
    def scores(self) -> dict[str, Any]:
        """What scores.json says; docs/scores.md describes it.

        Raises UsageError where there is no run, or one without a verdict yet; DamagedFile where it was changed.
        """
        path = require_listed(self.folder, SCORES_FILE, REMADE)
        if not path.is_file():
            problem = "the run is not finished; give its command again" if self.record else "no run, it has no run.json"
            raise UsageError(f"{self.folder}: {problem}")
        return read_json(path)

    @property
    def verdict(self) -> str:
        """The verdict in a word: HELPED, HURT, NO EVIDENCE or TOO FEW."""
        return str(self.scores["verdict"])

    @property
    def helped(self) -> bool:
        """Whether the verdict is HELPED."""
        return self.verdict == "HELPED"

    @property
    def sentence(self) -> str:
        """The verdict in sentences, with the figures it rests on."""
        return str(self.scores["sentence"])

    @property
    def before(self) -> float | None:
        """The score of the checkpoint by the metric that decides; None where it is not defined."""
        scores = self.scores
        return scores["before"].get(scores["primary_metric"])

    @property
    def after(self) -> float | None:
        """The score of the adapted model by the metric that decides; None where it is not defined."""
        scores = self.scores
        return scores["after"].get(scores["primary_metric"])

    @property
    def difference(self) -> float | None:
        """How much better the adapted model is by the metric that decides; above 0 is better for every metric.

        After several trainings (``seeds``) it is their mean.
        """
        return self.scores["difference"].get("value")

    @property
    def interval(self) -> tuple[float, float] | None:
        """The ends of the interval of the difference; None where there is none."""
        difference = self.scores["difference"]
        low, high = difference.get("low"), difference.get("high")
        return None if low is None or high is None else (low, high)

    @property
    def metrics(self) -> dict[str, dict[str, float | None]]:
        """Every metric by name, the one that decides first, with before, after, difference, low and high."""
        scores = self.scores
        primary = scores["primary_metric"]
        intervals = {**scores.get("differences", {}), primary: scores["difference"]}
        return {
            name: {
                "before": scores["before"].get(name),
                "after": scores["after"].get(name),
                "difference": intervals.get(name, {}).get("value"),
                **{end: intervals.get(name, {}).get(end) for end in ("low", "high")},
            }
            for name in dict.fromkeys([primary, *scores["before"], *scores["after"]])
        }

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user should know of the data and the run, a sentence each; they were Python warnings as well."""
        return tuple(self.record.get("warnings", ()))

    def to_dict(self) -> dict[str, Any]:
        """Return the run as one flat row, for a table of runs."""
        scores, data = self.scores, read_json(require_listed(self.folder, "data.json"))
        general = scores.get("general") or {}
        low, high = self.interval or (None, None)
        return {
            "run": str(self.folder),
            "task": scores["task"],
            "checkpoint": data.get("checkpoint", {}).get("name"),
            "verdict": self.verdict,
            "helped": self.helped,
            "metric": scores["primary_metric"],
            "before": self.before,
            "after": self.after,
            "difference": self.difference,
            "low": low,
            "high": high,
            "test_examples": scores.get("test_examples"),
            "general_verdict": general.get("verdict"),
            "general_before": general.get("before"),
            "general_after": general.get("after"),
            "finished": self.record.get("finished"),
            "sentence": self.sentence,
            "warnings": list(self.warnings),
        }

    def to_pandas(self) -> Any:
        """Return ``metrics`` as a pandas DataFrame, a metric a row.

        Raises UsageError where pandas is not installed.
        """
        try:
            pandas = importlib.import_module("pandas")
        except ImportError:
            raise UsageError("to_pandas needs pandas; install it with: pip install pandas") from None
        return pandas.DataFrame.from_dict(self.metrics, orient="index")

    def load(
        self, *, engine: str = "auto", trust_saved_model: bool = False
    ) -> homeground.Encoder | homeground.Classifier | homeground.Tagger:
        """Return the adapted model, as ``homeground.load`` does."""
        # By its public name: the rooms of the models come after this one.
        import homeground

        return homeground.load(self, engine=engine, trust_saved_model=trust_saved_model)

    def __repr__(self) -> str:
        if not (self.folder / SCORES_FILE).is_file():
            return f"Run({str(self.folder)!r}, {'not finished' if self.record else 'no run'})"
        before, after = number(self.before), number(self.after)
        return f"Run({str(self.folder)!r}, {self.verdict}: {self.scores['primary_metric']} {before} → {after})"

    def _repr_html_(self) -> str | None:
        """Return what a notebook shows; None before there is a verdict, so that it shows the repr."""
        if not (self.folder / SCORES_FILE).is_file():
            return None
        general = self.scores.get("general") or {}
        return run_html(
            str(self.folder),
            {**self.to_dict(), "general": general.get("sentence")},
            self.metrics,
            report=str(self.report_path) if self.report_path.is_file() else None,
        )

    def write_record(self, **changes: Any) -> None:
        """Write run.json with ``changes`` over what it says now."""
        write_json(self.folder / RUN_RECORD, sealed({**self.record, **changes}))

    def finish(self) -> None:
        """Write into run.json that the run is finished, what it scored, and the hashes of its files."""
        files = {name: file_hash(self.folder / name) for name in LISTED if (self.folder / name).is_file()}
        self.write_record(state="finished", scores=self.scores, files=files)

    def list_file(self, name: str) -> None:
        """Write the hash of a file into run.json that was added to a finished run."""
        self.write_record(files={**self.record.get(FILES, {}), name: file_hash(self.folder / name)})

    def restore_scores(self) -> bool:
        """Write scores.json again from the copy in run.json where it is missing or damaged; say whether it was."""
        try:
            require_listed(self.folder, SCORES_FILE)
        except DamagedFile:
            if (copy := self.record.get("scores")) is None:
                raise
            write_json(self.folder / SCORES_FILE, copy)
            return True
        return False

    def remove_checkpoints(self, home: Path | None = None) -> None:
        """Remove the checkpoints of a training that is over, and of its head; model/ holds what it led to."""
        for name in ("checkpoints", "head"):
            shutil.rmtree((home or self.folder) / name, ignore_errors=True)

    def remove_every_checkpoint(self) -> None:
        """Remove the checkpoints of all trainings of a finished run."""
        for place in PARTS:
            for home in self.folder.glob(place) if place else [self.folder]:
                self.remove_checkpoints(home)


@contextlib.contextmanager
def open_run(folder: Path, identity: Mapping[str, Any], *, fresh: bool = False) -> Generator[Run]:
    """Lock a run folder, begin the run or find it half done or finished, and hold it until the end.

    ``identity`` says what makes two runs the same: recipe, data and checkpoint. ``fresh`` moves an earlier run aside;
    one of another identity that failed before its first snapshot is removed.

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
        if not run.record and holds_files(folder):
            raise RunConflict(
                f"{folder} is not empty and holds no run; name another folder with --out, or move it aside with --fresh"
            )
        differences = _differences(run.record.get("identity", identity), identity)
        if differences and not run.finished and not _holds_work(folder):
            shutil.rmtree(folder)
        elif differences:
            named = "; ".join(map(str, differences))
            raise RunConflict(
                f"{folder} holds a run with other settings ({named}); {_same_slices(differences)}"
                f"keep both with --out {_another_folder(folder, differences)}, or move the old run aside with --fresh"
            )
        with written_to(folder):
            folder.mkdir(exist_ok=True)
        remove_litter(folder)
        if not run.record:
            run.write_record(
                version=RUN_VERSION,
                state="running",
                started=now(),
                finished=None,
                homeground=version("homeground"),
                identity=identity,
            )
        yield run


def _holds_work(folder: Path) -> bool:
    """Return whether a run folder holds more than what is written before the first snapshot, such as a result."""
    files = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return any(
        path.name not in WRITTEN_AT_START and not is_litter(path) and "tensorboard" not in path.parts for path in files
    )


class Difference(NamedTuple):
    """A place in which two nested identities differ, with both values."""

    place: str
    old: Any
    new: Any

    def __str__(self) -> str:
        return f"{self.place}: {_short(self.old)}, now {_short(self.new)}"


def _differences(old: Any, new: Any, place: str = "") -> list[Difference]:
    """Return every place in which two nested identities differ."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        names = sorted({*old, *new})
        found = [_differences(old.get(name), new.get(name), f"{place}.{name}".strip(".")) for name in names]
        return [difference for part in found for difference in part]
    return [] if old == new else [Difference(place, old, new)]


def _another_folder(folder: Path, differences: Sequence[Difference]) -> Path:
    """Return a folder for a run beside an earlier one, named by the one setting that differs, else by a number."""
    setting, value = differences[0].place.rpartition(".")[2], str(differences[0].new)
    if len(differences) == 1 and differences[0].new is not None and len(value) <= LONGEST_VALUE_IN_NAME:
        name = f"{folder.name}-{setting}-{value}".replace("_", "-")
        return folder.with_name(re.sub(r"[^\w.]+", "-", name).strip("-"))
    number = 2
    while (path := folder.with_name(f"{folder.name}-{number}")).exists():
        number += 1
    return path


def _same_slices(differences: Sequence[Difference]) -> str:
    """Return how to go on where only the slices differ, which by default are as many as there are processes."""
    if [each.place for each in differences] != ["recipe.training.slices"]:
        return ""
    return f"go on with it with --slices {differences[0].old or 1}, "


def _short(value: Any) -> str:
    if value is None:
        return "not given"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else text[:12] + "…" + text[-8:]
