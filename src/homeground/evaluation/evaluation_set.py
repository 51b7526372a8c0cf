"""A set of examples that models are measured on: the test, a validation split, a general set, words of documents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from homeground.data.units import PairUnits
from homeground.engines.model import Model
from homeground.errors import DataError
from homeground.evaluation.evaluate import evaluate
from homeground.statistics.bootstrap import Interval, own_interval, own_intervals, paired_difference
from homeground.statistics.glossary import greater_is_better
from homeground.statistics.glossary import metric as words_of
from homeground.statistics.over_seeds import OverSeeds, over_seeds
from homeground.statistics.paired_shares import FEWEST_DISCORDANT, ShareChange, mean_change, share_change
from homeground.statistics.resampling import arrange
from homeground.tasks.task import AskedRows, Floats, HasClasses, Measurable, Measurement, Metric, RareClass


@dataclass(frozen=True)
class Resampling:
    """How differences are resampled."""

    seed: int
    draws: int
    level: float = 0.95


@dataclass(frozen=True)
class EvaluationSet:
    """Examples tokenized for a task, and what is independent among them.

    ``rows`` are what ``task`` tokenized; ``units`` say which examples are resampled together; ``batch_size`` changes
    speed and memory only.
    """

    name: str
    task: Measurable
    rows: Any
    units: PairUnits
    batch_size: int
    resampling: Resampling
    other_tokens: EvaluationSet | None = None
    """The same examples as the tokenizer of the model before cuts them; None where both models have one tokenizer."""

    @property
    def for_before(self) -> EvaluationSet:
        """The set on which the model before is measured."""
        return self.other_tokens or self

    def __len__(self) -> int:
        return len(self.units.units)

    def with_words(self, task: Measurable, rows: AskedRows) -> EvaluationSet:
        """Return the set of words that are asked of the documents; documents of which none is asked are no part of it.

        Raises:
            DataError: the tokenizer knows none of the words.
        """
        if not len(rows.asked):
            raise DataError(f"{self.name}: the tokenizer knows none of the words that were drawn, so none can be asked")
        return replace(self, name="words", task=task, rows=rows.of_asked(), units=self.units.only(rows.asked))

    @property
    def primary_metric(self) -> str:
        """The metric that decides."""
        return self.task.info.primary_metric

    @property
    def effective_units(self) -> float:
        """The number of units of equal size that would say as much, where every example counts alike."""
        layout = arrange(self.units.nodes)
        return float(layout.effective_units(layout.sum(np.ones((1, len(self), 1)))[..., 0])[0])

    def measure(self, model: Model) -> Measurement:
        """Return what a model scores; where the set is measured on embeddings, only the model's body is."""
        measured = model.head.as_encoder() if self.task.info.frozen_method == "embeddings" else model
        return evaluate(measured, self.task, self.rows, batch_size=self.batch_size)

    def measure_predictions(self, predictions: Floats) -> Measurement:
        """Return what predictions for the examples score, whatever made them."""
        return self.task.measure(self.rows, predictions)

    def difference(
        self, before: Measurement, after: Measurement, metric: str | None = None, *, cautious: bool = False
    ) -> Interval:
        """Return the interval of a metric after minus before, the primary one if none is named; positive is better.

        Where fewer than ``FEWEST_DISCORDANT`` units changed, the interval of a share is at least Tango's score interval
        and contains 0: that of the resamples has hardly any width. With ``cautious`` it is at least Tango's however
        many changed, which excluding a loss or a gain needs.
        """
        metric = metric or self.primary_metric
        interval = paired_difference(
            before.statistics,
            after.statistics,
            self.task.metrics[metric],
            self.units.nodes,
            seed=self.resampling.seed,
            draws=self.resampling.draws,
            level=self.resampling.level,
            greater_is_better=greater_is_better(metric),
        )
        return _at_least_tango(interval, self.share_change(before, after, metric), cautious=cautious)

    def share_change(self, before: Measurement, after: Measurement, metric: str | None = None) -> ShareChange | None:
        """Return how much of a share was gained and lost, in units; None for a metric that is no share."""
        metric = metric or self.primary_metric
        if not words_of(metric).is_share:
            return None
        formula, sizes = self.task.metrics[metric], self._sizes(metric, before)
        return share_change(before.statistics, after.statistics, formula, self.units.nodes, sizes=sizes)

    def count_discordant(self, before: Measurement, after: Measurement) -> int | None:
        """Return how many units changed in a primary metric that is a share; None where it is none."""
        change = self.share_change(before, after)
        return None if change is None else change.discordant

    def mean_difference(self, before: Measurement, afters: Sequence[Measurement]) -> OverSeeds:
        """Return the mean difference of the primary metric over several trainings, for a share as ``difference``."""
        over = over_seeds(
            before.statistics,
            [after.statistics for after in afters],
            self.task.metrics[self.primary_metric],
            self.units.nodes,
            seed=self.resampling.seed,
            draws=self.resampling.draws,
            level=self.resampling.level,
            greater_is_better=greater_is_better(self.primary_metric),
        )
        changes = [change for after in afters if (change := self.share_change(before, after)) is not None]
        mean = mean_change(changes) if changes else None
        return replace(over, interval=_at_least_tango(over.interval, mean, cautious=False))

    def score_interval(self, measurement: Measurement) -> Interval:
        """Return the interval of one model's own primary score, inside the range of the metric."""
        words = words_of(self.primary_metric)
        return own_interval(
            measurement.statistics,
            self.task.metrics[self.primary_metric],
            self.units.nodes,
            seed=self.resampling.seed,
            draws=self.resampling.draws,
            level=self.resampling.level,
            span=words.span,
            share=words.is_share,
            sizes=self._sizes(self.primary_metric, measurement),
        )

    def score_intervals(
        self, measurement: Measurement, metrics: Sequence[Metric]
    ) -> list[tuple[float | None, float | None]]:
        """Return the ends of the intervals of one model's scores, all from the same resamples."""
        seed, draws, level = self.resampling.seed, self.resampling.draws, self.resampling.level
        return own_intervals(measurement.statistics, metrics, self.units.nodes, seed=seed, draws=draws, level=level)

    def _sizes(self, metric: str, measurement: Measurement) -> Floats | None:
        """Return by how much each example can move a mean over classes, None where all count by their size."""
        return self.task.shares_of_classes(metric, measurement) if isinstance(self.task, HasClasses) else None

    def rare_class(self, measurement: Measurement, metric: str | None = None) -> RareClass | None:
        """Return a class that too few units have for a metric that is a mean over classes; None for other metrics."""
        if not isinstance(self.task, HasClasses):
            return None
        return self.task.rare_class(metric or self.primary_metric, measurement, self.units.units)


def _at_least_tango(interval: Interval, change: ShareChange | None, *, cautious: bool) -> Interval:
    """Return an interval that is wide enough for how few units changed; see ``EvaluationSet.difference``."""
    few = change is not None and change.discordant < FEWEST_DISCORDANT
    if change is None or not (cautious or few):
        return interval
    lows, highs = zip(change.interval(interval.level), *([(0.0, 0.0)] if few else []), strict=True)
    return replace(interval, low=min(interval.low, *lows), high=max(interval.high, *highs))
