"""What stands before the first step: checkpoint, task, corpus and tokenized splits, checked against each other."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from homeground.checkpoint import (
    Checkpoint,
    learned_texts,
    load_tokenizer,
    open_checkpoint,
    padding_id,
    require_encoder,
)
from homeground.data.corpus import FEWEST_UNITS, LISTED, Corpus, Part, read_corpus, read_file, seen_before, splits_lines
from homeground.data.examples import Example, text_hashes
from homeground.data.shares import Share, nested_shares
from homeground.data.units import PairUnits
from homeground.errors import UsageError
from homeground.experiment.general import General, general_sets, script_remarks
from homeground.experiment.refusals import refuse_before_start, refuse_missing, refuse_new_head
from homeground.randomness import generator
from homeground.recipe.recipe import FILES, Recipe, names_benchmark
from homeground.tasks import choose_task, idle_settings
from homeground.tasks.mlm.blocks import SHORT, MaskedRows
from homeground.tasks.mlm.mlm import BLOCK
from homeground.tasks.task import Measured, Split, Task

VERSIONS = ("homeground", "torch", "transformers", "tokenizers", "numpy")


@dataclass(frozen=True)
class Lesson:
    """What one model learns from and is chosen by, tokenized.

    ``task`` is the task as it is measured on the validation examples, so that nothing of the test takes part in a
    choice; ``sample`` are as many of the training examples as there are validation examples, to see what was memorised.
    ``validation`` and ``sample`` are None where there is no validation split.
    """

    task: Task
    train: Any
    validation: Any
    sample: Any
    validation_units: PairUnits


@dataclass(frozen=True)
class Prepared:
    """A recipe made concrete: everything a run needs, nothing of it changed afterwards."""

    recipe: Recipe
    checkpoint: Checkpoint
    task: Task
    corpus: Corpus
    tokenizer: Tokenizer
    padding: int
    max_length: int
    general: General | None
    kept_general: General | None
    record: dict[str, Any]

    @property
    def folder(self) -> Path:
        """The run folder: as told, else ``runs/<data name>-<task>``."""
        if self.recipe.out:
            told = Path(self.recipe.out)
            return told if told.name else told.resolve()
        stem = re.sub(r"[^\w-]+", "-", Path(self.recipe.data).name.split(".")[0]).strip("-")
        return Path("runs") / f"{stem or 'data'}-{self.task.name}"

    @cached_property
    def identity(self) -> dict[str, Any]:
        """What makes two runs the same run: settings and contents, whatever names the files and the run go by."""
        recipe = self.recipe.model_dump(mode="json", exclude={"out": True, "data": True, "checkpoint": True})
        recipe["task"] = self.task.name
        # Which texts to label next may be asked of a finished run.
        for name in ("unlabelled", "label_next"):
            del recipe["annotation"][name]
        for section, name in FILES[1:]:
            if isinstance(recipe[section].get(name), str):
                recipe[section][name] = "file"
        return {"recipe": recipe, "data": self._hashes, "checkpoint": self.checkpoint.sha256}

    @property
    def _hashes(self) -> dict[str, str]:
        evaluation = self.recipe.evaluation
        named = {
            "general": self.general if evaluation.general else None,
            "keep_general": self.kept_general if evaluation.keep_general else None,
        }
        return self.corpus.hashes | {name: general.sha256 for name, general in named.items() if general}

    @property
    def titles(self) -> list[str] | None:
        """The texts the user wants compared with each other, or None where the task may pick some."""
        titles = self.recipe.evaluation.titles
        return None if titles is None else list(titles)

    @cached_property
    def test_rows(self) -> Any:
        """The test examples; all examples where folds are cross-fitted."""
        return self.tokenize(self.corpus.test.examples)

    def split(self, examples: Sequence[Example]) -> Split:
        """Return examples as a task may ask for them."""
        return Split(examples, lambda: self.tokenize(examples))

    @property
    def test_split(self) -> Split:
        """The test examples as a task may ask for them."""
        return Split(self.corpus.test.examples, lambda: self.test_rows)

    @cached_property
    def split_lines(self) -> list[dict[str, Any]]:
        """The lines of splits.jsonl."""
        return splits_lines(self.corpus)

    @cached_property
    def lineage(self) -> NDArray[np.uint64]:
        """Hashes of the texts that the checkpoint learned from in earlier runs."""
        return learned_texts(self.checkpoint)

    @cached_property
    def learned_texts(self) -> NDArray[np.uint64]:
        """Hashes of every text the adapted model has learned from or was chosen by, earlier runs included."""
        chose = self.kept_general.examples if self.kept_general else []
        own = text_hashes([*self.corpus.train.examples, *self.corpus.validation.examples, *chose])
        return np.union1d(self.lineage, own)

    @cached_property
    def seen_in_training(self) -> list[int]:
        """Rows of the test examples that the model learned from, in this run or an earlier one."""
        hashes = self.learned_texts
        if self.corpus.folds is not None:
            # Each fold's model learned from the others only; a validation file chose the weights of all.
            given = isinstance(self.recipe.split.validation, str)
            hashes = np.union1d(self.lineage, text_hashes(self.corpus.validation.examples if given else []))
        seen = seen_before(self.corpus.test.examples, hashes)
        return [example.row for example, known in zip(self.corpus.test.examples, seen, strict=True) if known]

    @cached_property
    def texts_seen_in_training(self) -> int:
        """The test examples of which an earlier run learned a text, though not with this label or score."""
        known, seen = set(self.lineage.tolist()), set(self.seen_in_training)
        test = self.corpus.test.examples
        return sum(example.row not in seen and not known.isdisjoint(example.digests) for example in test)

    @cached_property
    def lesson(self) -> Lesson:
        """What the model that is kept learns from."""
        return self._lesson(self.corpus.train, self.corpus.validation)

    @cached_property
    def shares(self) -> list[Share]:
        """The shares of the training examples that a learning curve asks for; none where it does not."""
        wanted = self.recipe.annotation.learning_curve
        return nested_shares(self.corpus.train.examples, seed=self.recipe.seed) if wanted else []

    def lesson_of_share(self, share: Share) -> Lesson:
        """Return what the model of one share of the training examples learns from; validation is the run's own."""
        return self._lesson(share.part, self.corpus.validation)

    def lesson_of_fold(self, fold: int) -> Lesson:
        """Return what the model of one fold of a cross-fitting learns from."""
        train, validation, _ = self.corpus.fold(fold, self.recipe)
        return self._lesson(train, validation)

    def fingerprint(self, before: Measured) -> dict[str, Any]:
        """Return what every checkpoint records of its surroundings: the before-scores and the versions."""
        rounded = {name: round(value, 5) for name, value in before.scores.items()}
        digest = hashlib.sha256(json.dumps(rounded, sort_keys=True).encode()).hexdigest()
        return {"before": digest, "versions": {name: version(name) for name in VERSIONS}}

    def example_lines(self, before: Measured, after: Measured) -> list[dict[str, Any]]:
        """Return the lines of examples.jsonl: every test example with what was given, before and after."""
        test = self.corpus.test
        return [
            {
                "row": example.row,
                "unit": example.group or str(test.units.units[place]),
                **self.task.line(example, before.predictions[place], after.predictions[place]),
            }
            for place, example in enumerate(test.examples)
        ]

    def _lesson(self, train: Part, validation: Part) -> Lesson:
        count = min(len(train), len(validation))
        drawn = generator(self.recipe.seed, "sample").permutation(len(train))[:count]
        sample = [train.examples[place] for place in sorted(drawn.tolist())]
        task = self.task.on(validation.examples, choosing=True)
        return Lesson(
            task=task,
            train=self.tokenize(train.examples),
            validation=self.tokenize(validation.examples, task) if count else None,
            sample=self.tokenize(sample, task) if count else None,
            validation_units=validation.units,
        )

    def tokenize(self, examples: Sequence[Example], task: Task | None = None) -> Any:
        """Return examples tokenized for a task, the run's own where none is named."""
        return (task or self.task).tokenize(examples, self.tokenizer, self.padding)


def prepare(recipe: Recipe, *, say: Callable[[str], None] = lambda _: None) -> Prepared:
    """Read everything a recipe names and check that it fits together; writes nothing.

    Raises:
        HomegroundError: what cannot be read, found or trusted, in the user's words.
    """
    split, asked = recipe.split, recipe.evaluation
    named = (split.validation, split.test, split.leave_out, asked.general, asked.keep_general)
    for path in (*named, recipe.annotation.unlabelled):
        if isinstance(path, str) and not names_benchmark(path):
            refuse_missing(path)
    table = read_file(recipe.data, recipe)
    task = choose_task(table, recipe)
    recipe = recipe.for_task(task.name, len(table.rows))
    say(f"{recipe.data}: {task.understood()}")
    corpus = read_corpus(table, recipe, task.read)
    refuse_before_start(recipe, task, corpus)
    checkpoint = open_checkpoint(recipe.checkpoint, revision=recipe.revision)
    require_encoder(checkpoint)
    parts = {"train": corpus.train, "validation": corpus.validation, "test": corpus.test}
    task = task.settled({split: part.examples for split, part in parts.items()}, checkpoint)
    if task.head == "masked_lm":
        refuse_new_head(recipe, checkpoint)
    max_length = _max_length(recipe, task, checkpoint)
    tokenizer = load_tokenizer(checkpoint, max_length=max_length)
    padding = padding_id(checkpoint, tokenizer)
    domain = [example for part in parts.values() for example in part.examples]
    general, kept_general = general_sets(recipe, task, domain)
    record: dict[str, Any] = {
        **corpus.record,
        "understood": task.understood(),
        "columns": dict(task.columns),
        "checkpoint": {"name": checkpoint.name, "revision": checkpoint.revision, "sha256": checkpoint.sha256},
        "max_length": max_length,
        "benchmarks": [part.source for part in (general, kept_general) if part is not None and part.source],
        "notes": [
            *task.remarks,
            *idle_settings(recipe, task.name),
            *(script_remarks(general, domain) if general else []),
        ],
        "set_aside": [*corpus.record["set_aside"], *_aside(general), *_aside(kept_general)],
    }
    ready = Prepared(recipe, checkpoint, task, corpus, tokenizer, padding, max_length, general, kept_general, record)
    record |= _counted(ready)
    if checkpoint.run is not None and checkpoint.run.resolve() == ready.folder.resolve():
        raise UsageError(f"--out {ready.folder} is the run that is the checkpoint; name another folder for the new run")
    for line in notes(record):
        say(line)
    return ready


def _max_length(recipe: Recipe, task: Task, checkpoint: Checkpoint) -> int:
    """Return the tokens a text, or a block of plain text, may have."""
    usual = min(BLOCK, checkpoint.max_length) if task.head == "masked_lm" else checkpoint.max_length
    longest = recipe.encoder.max_length or usual
    if longest > checkpoint.max_length:
        raise UsageError(f"--max-length {longest}: {checkpoint.name} reads at most {checkpoint.max_length} tokens")
    return longest


def _counted(ready: Prepared) -> dict[str, Any]:
    """Return what data.json says of tokenized texts, and of what was seen before."""
    lesson, whole = ready.lesson, ready.corpus.folds is not None
    # Cross-fitted, the test is all examples; else the splits are counted one by one.
    tokenized = [ready.test_rows] if whole else [lesson.train, lesson.validation, ready.test_rows]
    short = sum(rows.short for rows in tokenized if isinstance(rows, MaskedRows))
    told = [f"{short} texts have fewer than {SHORT} tokens, little to tell a missing word by"] if short else []
    return {
        "truncated": {
            "texts": sum(rows.truncated for rows in tokenized if rows is not None),
            "max_length": ready.max_length,
        },
        "notes": [*ready.record["notes"], *told],
        "seen_in_training": len(ready.seen_in_training),
        "seen_in_training_rows": ready.seen_in_training[:LISTED],
        "texts_seen_in_training": ready.texts_seen_in_training,
    }


def _aside(general: General | None) -> list[dict[str, Any]]:
    """Return what a general set leaves out, as data.json says it of the data."""
    given = {} if general is None else general.set_aside
    name = general and general.name
    return [{"file": name, "reason": why, "count": len(rows), "rows": rows[:LISTED]} for why, rows in given.items()]


def notes(record: dict[str, Any]) -> list[str]:
    """Return what the user should know about the data before the start, a sentence each."""
    counts, split = record["counts"], record["split"]
    said: list[str] = []
    if split["folds"]:
        said.append(
            f"{counts['test']} examples are cross-fitted in {split['folds']} folds, as asked for or because a test "
            "split of its own would be too small: each is measured by a model that learned from the others"
        )
    else:
        parts = ", ".join(f"{counts[name]} {name}" for name in ("train", "validation", "test"))
        said.append(f"{parts} examples; {split['units']['test']} independent test units by {split['unit']}")
    if (units := split["units"]["test"]) < FEWEST_UNITS:
        said.append(
            f"there will be no verdict: the test has {units} independent units by {split['unit']}, and at least "
            f"{FEWEST_UNITS} are needed"
        )
    for aside in record["set_aside"]:
        rows = _rows(aside["rows"], aside["count"])
        said.append(f"{aside['file']}: {aside['count']} rows set aside for {aside['reason']} ({rows})")
    duplicates = record["duplicates"]
    if duplicates["exact"]:
        rows = _rows(duplicates["rows"], duplicates["exact"])
        conflicts = duplicates["conflicting_scores"]
        conflicting = f", {conflicts} of them with scores that disagree" if conflicts else ""
        said.append(
            f"{duplicates['exact']} examples have the texts of an earlier one, up to case, punctuation and word order "
            f"({rows}){conflicting}; all are kept"
        )
    if shared := _shared_in_words(record["shared_with_training"] or {}):
        said.append(f"{shared} of the test stand in train or validation too, so it may be easier than new text")
    if record["truncated"]["texts"]:
        said.append(f"{record['truncated']['texts']} texts are cut to {record['truncated']['max_length']} tokens")
    if record["seen_in_training"]:
        rows = _rows(record["seen_in_training_rows"], record["seen_in_training"])
        said.append(
            f"{record['seen_in_training']} test examples were learned from ({rows}): the verdict cannot be HELPED "
            "unless they are taken out of either side; data.json lists them"
        )
    if count := record["texts_seen_in_training"]:
        said.append(
            f"of {count} test examples an earlier run learned a text, though not with its label or score, so they may "
            "be easier than new ones; --leave-out FILE keeps such texts out of the earlier run"
        )
    return [*said, *record.get("notes", [])]


def _shared_in_words(shared: dict[str, int | None]) -> str:
    """Say what the splits share.

    >>> _shared_in_words({"texts": 12, "groups": 3})
    '12 texts and 3 groups'
    """
    return " and ".join(f"{count} {what}" for what, count in shared.items() if count)


def _rows(rows: list[int], count: int) -> str:
    """Name the first few rows.

    >>> _rows([3, 5], 2)
    'rows 3, 5'
    """
    return "rows " + ", ".join(str(row) for row in rows[:5]) + ("…" if count > 5 else "")
