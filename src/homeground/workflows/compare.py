"""One or two models on a file of examples, without training: ``homeground evaluate`` and ``homeground compare``.

Deploy the base first, adapt only if the numbers ask for it: both take untouched checkpoints as well as runs.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from typing import Any, Unpack

import numpy as np

from homeground.checkpoint import (
    Checkpoint,
    classes_of,
    is_bag_of_words,
    load_tokenizer,
    measure_coverage,
    open_checkpoint,
    padding_id,
    read_settings,
    require_encoder,
    tags_of,
)
from homeground.data.columns import columns_of_model
from homeground.data.corpus import Part, link, read_file
from homeground.data.examples import set_hash
from homeground.data.leakage import TrainingHashes
from homeground.data.sources.in_memory import takes_tables
from homeground.data.tables import Table
from homeground.data.tokens.tokenized import TextTokens
from homeground.engines import engine_for, open_engine
from homeground.engines.model import require_trained_head
from homeground.errors import CheckpointError, DataError, HomegroundWarning, UsageError
from homeground.evaluation.comparison import Circumstances, judge
from homeground.evaluation.evaluation_set import EvaluationSet, Resampling
from homeground.evaluation.left_out import FEWEST_LEFT, LeftOut, left_out_sentence
from homeground.experiment.setup import longest_input
from homeground.recipe.files import Data
from homeground.recipe.keywords import MeasureKeywords
from homeground.recipe.recipe import Recipe, make_recipe
from homeground.recipe.recipe import settings as known_settings
from homeground.results.ledger import LEDGER_OF_COMPARISONS, count_verdict
from homeground.results.parts import TestSetRecord
from homeground.results.scores import Comparison, EvaluationRecord, LeftOutRecord, ScoreInterval
from homeground.results.summary import prose
from homeground.results.writing import interval_fields, judgement_fields
from homeground.tasks import choose_task
from homeground.tasks.task import KeepsBaseline, Measurable, Measurement, MeasuresWords, Task, TaskSpec
from homeground.workflows.common_test import compare_runs

FEWEST_EXAMPLES = 2
"""Examples below which nothing can be measured."""

TEXTS_AND_LABELS = ("text", "label")
"""The roles that a file is measured in as the models learned them, where nobody names a column."""


@dataclass(frozen=True)
class ExampleFile:
    """A file of examples, all of them to be measured; ``skipped`` counts rows that are none, by the reason."""

    recipe: Recipe
    table: Table
    spec: TaskSpec
    part: Part
    skipped: dict[str, int]

    def without(self, rows: Collection[int]) -> ExampleFile:
        """Return the file without the examples of some rows; the file itself where hardly any others are left."""
        if not rows or self.recipe.evaluation.keep_contaminated:
            return self
        part = Part.of(example for example in self.part.examples if example.row not in rows)
        return self if len(part) < FEWEST_LEFT else replace(self, part=part)

    @property
    def resampling(self) -> Resampling:
        """How differences on it are resampled."""
        return Resampling(self.recipe.seed, self.recipe.evaluation.bootstrap_draws)


@dataclass(frozen=True)
class Side:
    """One checkpoint as it is measured on the file.

    ``max_length`` is the number of tokens that are read at once; ``note`` says what the tokenizer does not know.
    """

    checkpoint: Checkpoint
    task: Task
    examples: EvaluationSet
    tokens: TextTokens
    max_length: int
    note: str | None

    def measure(self, file: ExampleFile) -> Measurement:
        """Return what the checkpoint scores."""
        if is_bag_of_words(self.checkpoint):
            assert isinstance(self.task, KeepsBaseline)
            words = self.task.read_baseline(self.checkpoint.folder)
            return self.examples.measure_predictions(words.predict(file.part.examples))
        info = self.examples.task.info
        model = open_engine(engine_for(self.checkpoint, file.recipe.engine)).open_model(
            self.checkpoint, head=info.head, encoder=file.recipe.encoder
        )
        require_trained_head(model, self.checkpoint, info.head_purpose)
        return self.examples.measure(model)


@takes_tables
def evaluate(source: str | PathLike[str], data: Data, **settings: Unpack[MeasureKeywords]) -> dict[str, Any]:
    """Return what a run or checkpoint scores on a file, with the interval of the deciding metric.

    ``settings`` say how the file is written and which column is which. The examples the run learned from, earlier runs
    included, are left out of the scores unless ``keep_contaminated`` keeps them; of checkpoints made elsewhere they
    cannot be known.

    Raises:
        HomegroundError: errors.py lists what can go wrong.
    """
    source = os.fspath(source)
    checkpoint = open_checkpoint(source, trust_saved_model=settings.get("trust_saved_model", False))
    file = _read(data, settings, [checkpoint])
    (seen,) = _seen_rows(file, [checkpoint])
    clean = file.without(seen)
    _warn_of_seen({source: len(seen)}, kept=clean is file)
    (side,) = _sides(clean, [checkpoint])
    measurement, examples = side.measure(clean), side.examples
    left_out = None
    if clean is not file:
        (with_seen,) = _sides(file, [checkpoint])
        sentence = left_out_sentence(len(seen), len(file.part), _where([checkpoint], [seen]))
        left_out = LeftOutRecord(
            examples=len(seen),
            of=len(file.part),
            seen={source: len(seen)},
            sentence=sentence,
            after=with_seen.measure(file).scores,
        )
    interval = examples.score_interval(measurement)
    fields = interval_fields(interval, ends=examples.rare_class(measurement) is None)
    return EvaluationRecord(
        version=1,
        checkpoint=source,
        data=file.recipe.data,
        understood=examples.task.info.description,
        primary_metric=examples.primary_metric,
        scores=dict(measurement.scores),
        interval=ScoreInterval(metric=examples.primary_metric, **fields),
        test_examples=len(examples),
        test_units=interval.units,
        unit=examples.units.rule,
        left_out=left_out,
        seen_in_training=len(seen),
        set_aside=file.skipped,
        notes=tuple(filter(None, (*examples.task.info.notes, side.note))),
    ).to_json()


@takes_tables
def compare(
    first: str | PathLike[str],
    second: str | PathLike[str],
    data: Data | None = None,
    **settings: Unpack[MeasureKeywords],
) -> dict[str, Any]:
    """Return scores and verdict of two runs or checkpoints on a file: HELPED where the second is better.

    Without ``data``, two finished runs are compared on the test that they have in common.

    Each is compared by its own similarity (a run remembers whether it learned angles or cosines); classifiers must
    have the same labels. Examples that either model learned from are left out; with ``keep_contaminated`` they are
    kept, and block a verdict in favour of that model. The verdict is counted in the ledger in runs/.
    """
    first, second = os.fspath(first), os.fspath(second)
    if data is None:
        if settings:
            names = ", ".join(settings)
            raise UsageError(
                f"{names}: only for data; without it, two runs are compared on their common test as it was"
            )
        return compare_runs(first, second)
    checkpoints = [
        open_checkpoint(name, trust_saved_model=settings.get("trust_saved_model", False)) for name in (first, second)
    ]
    file = _read(data, settings, checkpoints)
    seen = _seen_rows(file, checkpoints)
    learned, kept = seen[0] | seen[1], file.recipe.evaluation.keep_contaminated
    _warn_of_seen({name: len(rows) for name, rows in zip((first, second), seen, strict=True)}, kept=kept)
    clean = file.without(learned)
    measured = description, sides, before, after = _measured(clean, checkpoints)
    left_out = None
    if learned and not kept:
        counts, where = {"first": len(seen[0]), "second": len(seen[1])}, _where(checkpoints, seen)
        _, (with_seen, _), *both = measured if clean is file else _measured(file, checkpoints)
        left_out = LeftOut(len(learned), counts, where, with_seen.examples, *both)
    overlap, overlap_before = (len(seen[1]), len(seen[0])) if kept else (0, 0)
    fingerprint = "-".join(checkpoint.sha256 for checkpoint in checkpoints)
    test_hash = set_hash(file.part.examples)
    number = count_verdict(
        LEDGER_OF_COMPARISONS, test_hash=test_hash, run=f"{first} against {second}", fingerprint=fingerprint
    )
    circumstances = Circumstances(left_out, overlap, overlap_before, sides=("for the first", "for the second"))
    comparison = judge(sides[0].examples, before, [after], circumstances=circumstances)
    result = Comparison(
        first=first,
        second=second,
        data=file.recipe.data,
        understood=description,
        **judgement_fields(comparison),
        seen_in_training={"first": len(seen[0]), "second": len(seen[1])},
        set_aside=file.skipped,
        test_set=TestSetRecord(hash=test_hash, verdict_number=number),
        notes=(
            *_other_scales(sides)[1],
            *dict.fromkeys(note for side in sides for note in (*side.task.info.notes, side.note) if note),
        ),
    )
    return result.model_copy(update={"sentence": prose(result)}).to_json()


def _measured(file: ExampleFile, checkpoints: Sequence[Checkpoint]) -> tuple[str, list[Side], Measurement, Measurement]:
    """Return how the file was read, both sides as they are compared, and what each scores."""
    sides = _sides(file, checkpoints)
    description = sides[0].examples.task.info.description
    sides = _word_sides(file, sides) or sides
    other_scales, _ = _other_scales(sides)
    before, after = (_without(side.measure(file), other_scales) for side in sides)
    return description, sides, before, after


def _seen_rows(file: ExampleFile, checkpoints: Sequence[Checkpoint]) -> list[set[int]]:
    """Return the rows of the examples that each checkpoint learned from in a run."""
    examples = file.part.examples
    learned = [TrainingHashes.of_run(checkpoint.run).seen(examples) for checkpoint in checkpoints]
    return [{example.row for example, is_seen in zip(examples, each, strict=True) if is_seen} for each in learned]


def _where(checkpoints: Sequence[Checkpoint], seen: Sequence[set[int]]) -> str:
    """Say where examples were learned from."""
    names = dict.fromkeys(checkpoint.name for checkpoint, rows in zip(checkpoints, seen, strict=True) if rows)
    return f"the training data of {' or '.join(names)}"


def _warn_of_seen(seen: dict[str, int], *, kept: bool) -> None:
    """Warn of examples that a model learned from, on behalf of what the user has called."""
    for name, number in seen.items():
        if number:
            todo = "they are measured all the same" if kept else "they are left out of the scores"
            warnings.warn(f"{name} learned from {number:,} of these examples; {todo}", HomegroundWarning, stacklevel=4)


def _read(data: Data, settings: Mapping[str, Any], checkpoints: Sequence[Checkpoint]) -> ExampleFile:
    # Of a file with texts and labels, what the models fill in is the texts.
    learned = [read_settings(checkpoint.folder / "homeground.json") for checkpoint in checkpoints]
    if {each.get("task") for each in learned} == {"mlm"}:
        settings = {"task": "mlm", **settings}
    measuring = MeasureKeywords.__optional_keys__
    if unused := sorted({setting.name for setting in known_settings()} & (settings.keys() - measuring)):
        raise UsageError(f'"{unused[0]}" changes nothing without a training; leave it out')
    recipe = make_recipe({}, data=data, **settings)
    data = recipe.data
    table = read_file(data, recipe)
    if not recipe.columns.model_fields_set:
        # What the models learned from is measured, where the file has it, whatever else it holds.
        known = next((columns for each in learned if (columns := columns_of_model(each, table, TEXTS_AND_LABELS))), {})
        recipe = make_recipe({}, data=data, **settings, **known)
    spec = choose_task(table, recipe)
    read = spec.read(table)
    examples = read.examples
    if len(examples) < FEWEST_EXAMPLES:
        raise DataError(
            f"{data}: {len(examples)} rows can be measured of {len(table.rows)}; expected at least {FEWEST_EXAMPLES}"
        )
    skipped = {reason: len(rows) for reason, rows in read.set_aside.items()}
    return ExampleFile(recipe, table, spec, Part(examples, link(examples)), skipped)


def _sides(file: ExampleFile, checkpoints: Sequence[Checkpoint]) -> list[Side]:
    """Return the checkpoints with the examples as each is measured on them.

    Raises:
        CheckpointError: a checkpoint does not do the task, or has other labels than the first.
        DataError: the examples have none of these labels, or several a text where the model gives one.
    """
    for checkpoint in checkpoints:
        if not is_bag_of_words(checkpoint):
            require_encoder(checkpoint)
    lengths = [longest_input(file.recipe, file.spec.info, checkpoint) for checkpoint in checkpoints]
    if file.spec.info.cuts_blocks:
        # In blocks of another length other tokens would be masked.
        lengths = [min(lengths)] * len(lengths)
    sides: list[Side] = []
    for checkpoint, length in zip(checkpoints, lengths, strict=True):
        labels = list(sides[0].task.labels) if sides else []
        if labels and (known := classes_of(checkpoint) or tags_of(checkpoint)) and known != labels:
            raise CheckpointError(
                f'"{checkpoint.name}" gives other labels than "{checkpoints[0].name}"; both must know the same ones, '
                "in one order"
            )
        sides.append(_side(file, checkpoint, length))
    if len({side.examples.primary_metric for side in sides}) > 1:
        raise DataError(f"{file.recipe.data}: one side has one label a text, the other several; compare like with like")
    return sides


def _other_scales(sides: Sequence[Side]) -> tuple[set[str], list[str]]:
    """Return the metrics by which models of different scales are not compared, with a sentence for the user.

    Raises:
        UsageError: one of them decides.
    """
    infos = [side.task.info for side in sides]
    if len({info.scale for info in infos}) == 1:
        return set(), []
    left_out = infos[0].scale_metrics
    scales = " and ".join(f'"{side.checkpoint.name}" {side.task.info.scale}' for side in sides)
    reason = f"{scales} similarities, whose errors are not on one scale"
    if infos[0].primary_metric in left_out:
        raise UsageError(f"--primary-metric {infos[0].primary_metric} compares {reason}; leave it out")
    return set(left_out), [f"{', '.join(left_out)} are left out: they would compare {reason}"]


def _without(measurement: Measurement, left_out: set[str]) -> Measurement:
    scores = {name: score for name, score in measurement.scores.items() if name not in left_out}
    return replace(measurement, scores=scores)


def _side(file: ExampleFile, checkpoint: Checkpoint, max_length: int) -> Side:
    """Return the examples as one checkpoint is measured on them, in its own tokens and on its own scale."""
    settings = read_settings(checkpoint.folder / "homeground.json")
    spec = file.spec.with_saved_settings(settings)
    # The scale of the given scores follows from how embeddings are compared.
    examples = file.part.examples
    if spec != file.spec:
        rows = {example.row for example in examples}
        examples = [example for example in spec.read(file.table).examples if example.row in rows]
    task = spec.for_model(checkpoint, examples)
    if is_bag_of_words(checkpoint) and not isinstance(task, KeepsBaseline):
        raise CheckpointError(
            f'"{checkpoint.name}" is a bag of words, which gives labels only; the file has {task.info.description}'
        )
    tokenizer = load_tokenizer(checkpoint, max_length=max_length)
    tokens = TextTokens(tokenizer, padding_id(checkpoint, tokenizer))
    tokenized = task.tokenize(examples, tokens)
    coverage = measure_coverage(examples, tokenizer, seed=file.recipe.seed)
    note = coverage.note(checkpoint.name, "the texts", as_encoder=task.info.frozen_method == "embeddings")
    if is_bag_of_words(checkpoint):
        note = None  # its tokens are bytes, and nothing is predicted from them
    size = file.recipe.evaluation.evaluation_batch_size
    measured = EvaluationSet(file.recipe.data, task, tokenized, file.part.units, size, file.resampling)
    return Side(checkpoint, task, measured, tokens, max_length, note)


def _word_sides(file: ExampleFile, sides: Sequence[Side]) -> list[Side] | None:
    """Return the same words for both checkpoints, where that is asked for; None where all tokens are compared.

    Raises:
        UsageError: losses of tokens are asked for where these are not the same tokens.
    """
    count = file.recipe.evaluation.pll
    if not all(isinstance(side.task, MeasuresWords) for side in sides):
        if count:
            raise UsageError(f"--pll {count} fills in words of plain texts; name the column with --task mlm --text")
        return None
    if not count:
        if len({side.tokens.tokenizer.to_str() for side in sides}) > 1:
            first, second = (side.checkpoint.name for side in sides)
            raise UsageError(
                f'"{first}" and "{second}" cut text into different tokens, so that their losses cannot be compared; '
                "add --pll 2000 to compare what they make of the same words"
            )
        return None
    words: list[tuple[Measurable, Any]] = []
    for side in sides:
        assert isinstance(side.task, MeasuresWords)
        words.append(side.task.word_rows(file.part.examples, count, side.tokens, max_length=side.max_length))
    # A word that one of them does not know is asked of neither.
    known = np.logical_and.reduce([rows.known for _, rows in words])
    return [
        replace(side, examples=side.examples.with_words(task, rows.only(known)))
        for side, (task, rows) in zip(sides, words, strict=True)
    ]
