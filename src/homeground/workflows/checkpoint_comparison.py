"""Which checkpoint would do, before any of them is trained: ``homeground compare --checkpoints``.

    labelled texts   an L2 logistic regression on each frozen checkpoint's vectors of the texts
    pairs            each checkpoint as it is

Choosing a checkpoint is choosing, so nothing of the test split is looked at: the data is split as ``adapt`` would, and
all other examples are used. Labelled ones are cross-fitted by units, each predicted by a regression that learned from
the other folds, its strength and pooling chosen inside them. Where the rows have an order or the validation split is a
file of its own, the regression learns from train and is measured on validation.

A checkpoint that a run has trained on any of the examples is measured, and left out of the choice.
"""

from __future__ import annotations

import math
import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from homeground.checkpoint import (
    Checkpoint,
    count_parameters,
    load_tokenizer,
    measure_coverage,
    open_checkpoint,
    padding_id,
    read_settings,
    require_encoder,
)
from homeground.data.corpus import Corpus, Part, link
from homeground.data.examples import Example
from homeground.data.leakage import TrainingHashes
from homeground.data.sources.in_memory import takes_tables
from homeground.data.splitting import cross_fit_folds
from homeground.data.tables import Table
from homeground.data.tokens.tokenized import TextTokens
from homeground.engines import engine_for, open_engine
from homeground.engines.model import Model
from homeground.errors import DataError, UsageError
from homeground.evaluation.evaluate import embed
from homeground.evaluation.evaluation_set import EvaluationSet, Resampling
from homeground.experiment.head import Choice, probabilities, vectors_of
from homeground.experiment.refusals import cleaner_for
from homeground.recipe.files import Data
from homeground.recipe.keywords import SettingKeywords
from homeground.recipe.recipe import Recipe, make_recipe
from homeground.results.scores import CheckpointComparison, CheckpointStanding, MethodStanding
from homeground.results.summary import checkpoint_sentence
from homeground.results.writing import interval_record
from homeground.statistics.bootstrap import Interval
from homeground.statistics.glossary import greater_is_better
from homeground.statistics.holm import level_of_best
from homeground.statistics.paired_shares import FEWEST_DISCORDANT
from homeground.tasks.reading import read_table
from homeground.tasks.task import Classifies, Measurement, Task, TaskSpec, TokenizedExamples
from homeground.training.events import Notice, OnEvent
from homeground.workflows.progress import reported

COMPARISON_FOLDS = 5
"""Parts of the labelled examples, each of which is predicted by a regression that learned from the others."""


DRAWS_BEYOND = 10
"""Resamples that should lie beyond either end of an interval, however high its level is."""

OWN_LEVEL = 0.95


@dataclass(frozen=True)
class Candidate:
    """A checkpoint that could be adapted, and what is known of it before it is measured."""

    checkpoint: Checkpoint
    tokens: TextTokens
    max_length: int
    parameters: int


@dataclass(frozen=True)
class ComparisonSet:
    """What the candidates are compared on.

    ``examples`` are all but those of the test split; ``part`` those of them that are scored. ``rounds`` marks the held
    out examples ``(examples,)`` of every fit; there are none where nothing is fitted.
    """

    recipe: Recipe
    table: Table
    spec: TaskSpec
    task: Task
    examples: list[Example]
    rounds: list[NDArray[np.bool_]]
    part: Part
    corpus: Corpus

    def evaluation_set(self, candidate: Candidate) -> EvaluationSet:
        """Return the scored examples in the tokens of a candidate."""
        task, examples = self._as_compared(candidate)
        rows = task.tokenize(examples, candidate.tokens)
        evaluation = self.recipe.evaluation
        resampling = Resampling(self.recipe.seed, evaluation.bootstrap_draws)
        return EvaluationSet(
            self.recipe.data, task, rows, self.part.units, evaluation.evaluation_batch_size, resampling
        )

    def _as_compared(self, candidate: Candidate) -> tuple[Task, list[Example]]:
        """Return task and examples as a saved model compares embeddings; else as they are."""
        if isinstance(self.task, Classifies):
            return self.task, self.part.examples
        settings = read_settings(candidate.checkpoint.folder / "homeground.json")
        spec = self.spec.with_saved_settings(settings)
        if spec == self.spec:
            return self.task, self.part.examples
        # The scale of the given scores follows from how embeddings are compared.
        rows = {example.row for example in self.part.examples}
        examples = [example for example in spec.read(self.table).examples if example.row in rows]
        return spec.for_model(candidate.checkpoint, examples), examples


@dataclass(frozen=True)
class CandidateResult:
    """What one candidate scored, with its dimensions, its pooling where one was chosen, and the seconds it took."""

    measurement: Measurement
    dimensions: int
    pooling: str | None
    truncated: int
    seconds: float


@takes_tables
def compare_checkpoints(
    checkpoints: Sequence[str | PathLike[str]],
    data: Data,
    *,
    quiet: bool = False,
    on_event: OnEvent | None = None,
    **settings: Unpack[SettingKeywords],
) -> dict[str, Any]:
    """Return what several checkpoints score on a file before any training, each with its interval against the best.

    ``settings`` are those of ``adapt``; with the same ones its test split stays unasked. Progress is shown in a
    terminal and in a notebook unless ``quiet``; ``on_event`` is called with what is done instead. docs/scores.md
    describes the result.

    Raises:
        UsageError: fewer than two checkpoints, or one of them twice, be it under two names.
        CheckpointError: one of them cannot be opened; told before any is measured.
        DataError: the file cannot be read, or leaves nothing to compare on; or every checkpoint learned from it.
    """
    names = [os.fspath(checkpoint) for checkpoint in checkpoints]
    if len(names) < 2 or len(set(names)) < len(names):
        raise UsageError(f"expected at least 2 checkpoints, each once; got {', '.join(names) or 'none'}")
    recipe = make_recipe({}, data=data, **settings)
    with reported(on_event, quiet=quiet) as listener:
        opened = [_opened(name, recipe) for name in names]
        _refuse_twins(opened)
        compared = _comparison_set(recipe)
        listener(Notice(f"{recipe.data}: {compared.task.info.description}"))
        candidates = [_candidate(checkpoint, compared) for checkpoint in opened]
        seen = _seen(candidates, compared)
        for candidate in candidates:
            _open(candidate, compared)
        results: dict[str, CandidateResult] = {}
        for candidate in candidates:
            listener(Notice(f"{candidate.checkpoint.name}: {len(compared.examples)} examples"))
            results[candidate.checkpoint.name] = _measure(candidate, compared)
        listener(Notice("cheap baselines"))
        return _record(compared, candidates, results, seen).to_json()


def _refuse_twins(checkpoints: Sequence[Checkpoint]) -> None:
    names: dict[str, str] = {}
    for own in checkpoints:
        first = names.setdefault(own.sha256, own.name)
        if first != own.name:
            raise UsageError(f"{first} and {own.name} are the same weights, settings and tokenizer; give one of them")


def _seen(candidates: Sequence[Candidate], compared: ComparisonSet) -> dict[str, int]:
    """Return how many of the scored examples each candidate learned from; refuse where each has seen some."""
    examples = compared.part.examples
    seen = {
        each.checkpoint.name: int(TrainingHashes.of_run(each.checkpoint.run).seen(examples).sum())
        for each in candidates
    }
    if all(seen.values()):
        counts = ", ".join(f"{name} from {count}" for name, count in seen.items())
        problem = f"every checkpoint learned from some of its {len(examples)} examples ({counts})"
        raise DataError.at(compared.recipe.data, f"{problem}; take other data, or add a checkpoint that has seen none")
    return seen


def _opened(name: str, recipe: Recipe) -> Checkpoint:
    checkpoint = open_checkpoint(name, trust_saved_model=recipe.encoder.trust_saved_model)
    require_encoder(checkpoint)
    if (recipe.encoder.max_length or 0) > checkpoint.max_length:
        raise UsageError(
            f"--max-length {recipe.encoder.max_length}: {name} reads at most {checkpoint.max_length} tokens"
        )
    return checkpoint


def _candidate(checkpoint: Checkpoint, compared: ComparisonSet) -> Candidate:
    """Return a checkpoint as it reads texts: cleaned as the recipe says, else as it was trained."""
    max_length = compared.recipe.encoder.max_length or checkpoint.max_length
    cleaner = cleaner_for(compared.recipe, compared.spec.info, checkpoint)
    tokenizer = load_tokenizer(checkpoint, max_length=max_length, cleaner=cleaner)
    tokens = TextTokens(tokenizer, padding_id(checkpoint, tokenizer))
    return Candidate(checkpoint, tokens, max_length, count_parameters(checkpoint.folder))


def _comparison_set(recipe: Recipe) -> ComparisonSet:
    read = read_table(recipe)
    recipe, table, spec = read.recipe, read.table, read.spec
    if spec.info.frozen_method not in ("embeddings", "regression"):
        raise UsageError(
            f"{recipe.data} holds {spec.info.description}; --checkpoints compares what checkpoints make of labels or "
            f"pairs; leave it out to compare two checkpoints that have a trained head for {spec.info.head_purpose}"
        )
    corpus = read.corpus()
    examples = corpus.train.examples + corpus.validation.examples
    if spec.info.frozen_method == "embeddings":
        part = Part(examples, link(examples))
        return ComparisonSet(recipe, table, spec, spec.with_splits({}, None), examples, [], part, corpus)
    chosen = np.arange(len(examples)) >= len(corpus.train)
    fixed = isinstance(recipe.split.validation, str) or recipe.split.split == "ordered"
    if fixed:
        rounds = [chosen]
        if not chosen.any():
            raise DataError(f"{recipe.data}: no validation examples to choose a checkpoint by; give --validation")
    else:
        folds = cross_fit_folds(link(examples).units, COMPARISON_FOLDS, seed=recipe.seed)
        rounds = [folds == fold for fold in range(int(folds.max()) + 1)]
    train = corpus.train.examples if fixed else examples
    validation = corpus.validation.examples if fixed else []
    task = spec.with_splits({"train": train, "validation": validation, "test": []}, None)
    scored = [example for example, held_out in zip(examples, np.any(rounds, axis=0), strict=True) if held_out]
    return ComparisonSet(recipe, table, spec, task, examples, rounds, Part(scored, link(scored)), corpus)


def _open(candidate: Candidate, compared: ComparisonSet) -> Model:
    recipe, task = compared.recipe, compared.task
    return open_engine(engine_for(candidate.checkpoint, recipe.engine)).open_model(
        candidate.checkpoint, head=task.info.head, encoder=recipe.encoder, labels=task.labels
    )


def _measure(candidate: Candidate, compared: ComparisonSet) -> CandidateResult:
    began = time.monotonic()
    model, task = _open(candidate, compared), compared.task
    examples = compared.evaluation_set(candidate)
    if isinstance(task, Classifies):
        rows: Any = task.tokenize(compared.examples, candidate.tokens)
        vectors = vectors_of(model, task, rows, size=examples.batch_size)
        predictions, pooling = _cross_fitted(vectors, rows.labels, task, compared)
        measurement = examples.measure_predictions(predictions)
        dimensions = vectors["mean"].shape[1]
    else:
        pooling, rows = None, examples.rows
        measurement = examples.measure(model)
        one = candidate.tokens.tokenize(compared.part.examples[0].texts[:1])
        dimensions = embed(model, one, padding=candidate.tokens.padding, batch_size=1).shape[1]
    return CandidateResult(measurement, dimensions, pooling, rows.truncated, time.monotonic() - began)


def _cross_fitted(
    vectors: Mapping[str, NDArray[np.float32]],
    labels: NDArray[np.int64],
    task: Classifies,
    compared: ComparisonSet,
) -> tuple[NDArray[np.float64], str]:
    """Return the probabilities of the scored examples, each by a fit that held it out, and the usual pooling."""
    predictions = np.full((len(labels), len(task.labels)), np.nan)
    chosen: Counter[str] = Counter()
    for held_out in compared.rounds:
        choice = Choice.of(labels[~held_out], None, task, compared.recipe.seed)
        fits = {name: choice.fit(each[~held_out], None) for name, each in vectors.items()}
        pooling = min(fits, key=lambda name: fits[name].loss)
        predictions[held_out] = probabilities(fits[pooling].linear, vectors[pooling][held_out], several=task.several)
        chosen[pooling] += 1
    return predictions[np.any(compared.rounds, axis=0)], chosen.most_common(1)[0][0]


def _baselines(compared: ComparisonSet, examples: EvaluationSet) -> dict[str, Measurement]:
    """Return what cheap methods score on the same examples, by name."""
    task, rows = compared.task, compared.examples
    predictions: dict[str, NDArray[np.float64]] = {}
    for held_out in compared.rounds:
        train, test = ([rows[index] for index in np.flatnonzero(side)] for side in (~held_out, held_out))
        for name, values in task.baselines(TokenizedExamples(train), TokenizedExamples(test)).items():
            predictions.setdefault(name, np.full((len(rows), *values.shape[1:]), np.nan))[held_out] = values
    if compared.rounds:
        scored = np.any(compared.rounds, axis=0)
        predictions = {name: values[scored] for name, values in predictions.items()}
    else:
        predictions = task.baselines(TokenizedExamples(rows), TokenizedExamples(rows))
    return {name: examples.measure_predictions(values) for name, values in predictions.items()}


def _record(
    compared: ComparisonSet,
    candidates: Sequence[Candidate],
    results: Mapping[str, CandidateResult],
    seen: Mapping[str, int],
) -> CheckpointComparison:
    order = _order(candidates, results, seen, compared)
    best = results[order[0].checkpoint.name].measurement
    examples = compared.evaluation_set(order[0])
    unseen, cheap = sum(not seen[each.checkpoint.name] for each in order), _baselines(compared, examples)
    among, against = _at_level(examples, level_of_best(unseen)), _at_level(examples, level_of_best(unseen, len(cheap)))
    checkpoints = tuple(
        _standing(each, results[each.checkpoint.name], seen[each.checkpoint.name], best, among) for each in order
    )
    baselines = tuple(
        MethodStanding(name=name, **_standing_fields(against, measurement, best)) for name, measurement in cheap.items()
    )
    return CheckpointComparison(
        version=1,
        task=compared.task.info.name,
        data=compared.recipe.data,
        understood=compared.task.info.description,
        primary_metric=examples.primary_metric,
        best=order[0].checkpoint.name,
        sentence=checkpoint_sentence(examples.primary_metric, checkpoints, baselines, len(examples)),
        checkpoints=checkpoints,
        baselines=baselines,
        examples=len(examples),
        units=checkpoints[0].interval.units,
        unit=examples.units.rule,
        folds=len(compared.rounds) if len(compared.rounds) > 1 else None,
        test_examples_unasked=0 if compared.corpus.folds is not None else len(compared.corpus.test),
        set_aside=compared.corpus.record["set_aside"],
        notes=(*_notes(compared, unseen), *_coverage_notes(compared, candidates)),
    )


def _order(
    candidates: Sequence[Candidate],
    results: Mapping[str, CandidateResult],
    seen: Mapping[str, int],
    compared: ComparisonSet,
) -> list[Candidate]:
    """Return the candidates, the best first; those that learned from the examples come last, whatever they score."""
    metric = compared.task.info.primary_metric
    sign = 1 if greater_is_better(metric) else -1

    def rank(candidate: Candidate) -> tuple[bool, float]:
        name = candidate.checkpoint.name
        score = results[name].measurement.scores.get(metric)
        return not seen[name], -np.inf if score is None else sign * score

    return sorted(candidates, key=rank, reverse=True)


def _at_level(examples: EvaluationSet, level: float) -> EvaluationSet:
    """Return a set whose intervals have a level, with so many draws that ``DRAWS_BEYOND`` lie beyond either end."""
    resampling = examples.resampling
    draws = max(resampling.draws, math.ceil(DRAWS_BEYOND / ((1 - level) / 2)))
    return replace(examples, resampling=replace(resampling, level=level, draws=draws))


def _standing(
    candidate: Candidate, result: CandidateResult, seen: int, best: Measurement, examples: EvaluationSet
) -> CheckpointStanding:
    return CheckpointStanding(
        name=candidate.checkpoint.name,
        sha256=candidate.checkpoint.sha256,
        parameters=candidate.parameters,
        dimensions=result.dimensions,
        max_length=candidate.max_length,
        pooling=result.pooling,
        truncated=result.truncated,
        seen_in_training=seen,
        seconds=round(result.seconds, 1),
        **_standing_fields(examples, result.measurement, best, seen=bool(seen)),
    )


def _standing_fields(
    examples: EvaluationSet, measurement: Measurement, best: Measurement, *, seen: bool = False
) -> dict[str, Any]:
    """Return scores, their interval, and where they stand against the best.

    ``examples`` have the level of the comparison; a score's own interval is that of 95% everywhere.
    """
    alone = replace(examples, resampling=replace(examples.resampling, level=OWN_LEVEL))
    interval, rare_class = alone.score_interval(measurement), examples.rare_class(measurement)
    difference: Interval | None = None
    if seen:
        standing = "SEEN"
    elif measurement is best:
        standing = "BEST" if interval.trusted and not rare_class else "TOO FEW"
    else:
        difference = examples.difference(best, measurement)
        standing = "TOO FEW" if rare_class else _word(difference, examples.count_discordant(best, measurement))
    return {
        "scores": measurement.scores,
        "interval": interval_record(interval, ends=rare_class is None),
        "difference": difference and interval_record(difference, ends=rare_class is None),
        "standing": standing,
    }


def _word(against: Interval, discordant: int | None) -> str:
    if not against.trusted:
        return "TOO FEW"
    if discordant is not None and discordant < FEWEST_DISCORDANT:
        return "NO CLEAR DIFFERENCE"
    return "WORSE" if against.high < 0 else "BETTER" if against.low > 0 else "NO CLEAR DIFFERENCE"


def _coverage_notes(compared: ComparisonSet, candidates: Sequence[Candidate]) -> list[str]:
    as_encoder, seed = compared.task.info.frozen_method == "embeddings", compared.recipe.seed
    notes = [
        measure_coverage(compared.examples, candidate.tokens.tokenizer, seed=seed).note(
            candidate.checkpoint.name, "the texts", as_encoder=as_encoder
        )
        for candidate in candidates
    ]
    return [note for note in notes if note]


def _notes(compared: ComparisonSet, candidates: int) -> list[str]:
    notes = [f"the {len(compared.corpus.test)} test examples of adapt were not looked at"]
    if compared.corpus.folds is not None:
        notes = [
            "the data is so small that adapt would cross-fit all of it, so no test split could be left alone; its "
            "verdict on this data is a little too kind to the checkpoint chosen here"
        ]
    if candidates > 2:
        notes.append(
            f"differences from the best have {100 * level_of_best(candidates):.4g}% intervals, so that among "
            f"{candidates} equal checkpoints any is called worse in at most 5% of all cases"
        )
    return [*notes, "the best of several looks better than it is: its score here is for choosing, not for promising"]
