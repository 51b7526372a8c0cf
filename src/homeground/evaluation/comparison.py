"""Two measurements of one evaluation set: their difference, the baselines beside it, and the verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from homeground.evaluation.evaluation_set import EvaluationSet
from homeground.evaluation.left_out import LeftOut
from homeground.evaluation.verdict import Figures, GeneralVerdict, Verdict, domain_verdict, general_verdict
from homeground.statistics.bootstrap import Interval
from homeground.statistics.glossary import greater_is_better
from homeground.statistics.glossary import metric as words_of
from homeground.statistics.over_seeds import OverSeeds
from homeground.tasks.task import Measurement
from homeground.wording import UNIT_NOUNS

CLEARLY_BETTER = 1.5
"""A share of right answers, in multiples of a baseline's, from which a model is advised for giving these answers."""

METHODS = {
    False: "paired bootstrap over units",
    True: "paired bootstrap over units, joined with the variance between trainings by Student's t",
}
"""How the deciding interval was made, without and with several trainings."""


@dataclass(frozen=True)
class Baseline:
    """The best cheap baseline: its name, its score, and the interval of after minus baseline."""

    name: str
    score: float
    difference: Interval


@dataclass(frozen=True)
class PairedComparison:
    """What may be said of two models that were measured on the same examples.

    ``interval`` is that of the primary metric that the verdict is made from: over several ``trainings`` of their mean,
    while ``own`` is that of the model that is kept. ``differences`` are those of the other metrics.
    """

    test: EvaluationSet
    verdict: Verdict
    before: Measurement
    after: Measurement
    baselines: Mapping[str, Measurement]
    interval: Interval
    own: Interval
    differences: Mapping[str, Interval]
    best_baseline: Baseline | None
    trainings: OverSeeds | None
    training_scores: tuple[float | None, ...]
    sides: tuple[str, str]
    use: str
    left_out: LeftOut | None

    @property
    def examples(self) -> int:
        """How many examples the verdict is about."""
        nothing_left = self.left_out is not None and self.left_out.test is self.test
        return self.left_out.left if self.left_out and nothing_left else len(self.test)

    @property
    def method(self) -> str:
        """How the deciding interval was made."""
        return METHODS[self.trainings is not None]


@dataclass(frozen=True)
class Circumstances:
    """What a verdict must take into account besides the scores.

    ``left_out`` are the examples that a model learned from, which ``judge`` is given only where hardly others are
    left. Where the recipe keeps them, ``overlap`` counts those that the model after learned from, ``overlap_before``
    those of the model before; ``unchanged`` says that merging kept nothing; ``sides`` are what the sentences call the
    two models.
    """

    left_out: LeftOut | None = None
    overlap: int = 0
    overlap_before: int = 0
    unchanged: bool = False
    sides: tuple[str, str] = ("before", "after")


def judge(
    test: EvaluationSet,
    before: Measurement,
    afters: Sequence[Measurement],
    baselines: Mapping[str, Measurement] | None = None,
    circumstances: Circumstances | None = None,
) -> PairedComparison:
    """Return the comparison of a model before with one after, or with several trainings of one recipe.

    Of several trainings the first is the model that is kept. The verdict and the difference against the baseline are
    then about the recipe; everything else is about the first.
    """
    metric, after, known = test.primary_metric, afters[0], circumstances or Circumstances()
    differences = {
        name: test.difference(before, after, name)
        for name in test.task.metrics
        if name == metric or (name in before.scores and name in after.scores)
    }
    own = differences.pop(metric)
    trainings = test.mean_difference(before, afters) if len(afters) > 1 else None
    interval = trainings.interval if trainings else own
    if known.left_out is not None and known.left_out.test is test:
        # Hardly any example is left, so all were measured: that describes what was learned, and decides nothing.
        interval = replace(interval, low=-math.inf, high=math.inf, units=known.left_out.left, effective_units=0.0)
    baseline = _best_baseline(test, afters, baselines or {})
    verdict = domain_verdict(
        interval,
        _figures(test, before, afters, known.sides),
        discordant=_mean_discordant(test, before, afters),
        overlap=known.overlap,
        overlap_before=known.overlap_before,
        unchanged=known.unchanged,
    )
    return PairedComparison(
        test,
        verdict,
        before,
        after,
        baselines or {},
        interval,
        own,
        differences,
        baseline,
        trainings,
        tuple(each.scores.get(metric) for each in afters),
        known.sides,
        _use(test, after, baseline and (baselines or {})[baseline.name]),
        known.left_out,
    )


@dataclass(frozen=True)
class GeneralComparison:
    """What may be said of general ability; ``seen`` counts the examples that were learned from."""

    test: EvaluationSet
    verdict: GeneralVerdict
    before: Measurement
    after: Measurement
    interval: Interval
    margin: float
    seen: int


def judge_general(
    general: EvaluationSet, before: Measurement, after: Measurement, *, margin: float, seen: int
) -> GeneralComparison:
    """Return whether general ability stayed within the margin."""
    interval = general.difference(before, after, cautious=True)
    change = general.share_change(before, after)
    figures = _figures(general, before, [after])
    verdict = general_verdict(interval, margin, figures, change=change, seen=seen)
    return GeneralComparison(general, verdict, before, after, interval, margin, seen)


def _use(test: EvaluationSet, after: Measurement, baseline: Measurement | None) -> str:
    """Return what an adapted model can be used for, which may take a score that is clearly better than a baseline's."""
    use = test.task.info.use
    if use is None or baseline is None or use.metric not in after.scores:
        return use.text if use else ""
    clear = after.scores[use.metric] >= CLEARLY_BETTER * baseline.scores.get(use.metric, 0.0)
    return use.text if clear else use.otherwise


def _mean_discordant(test: EvaluationSet, before: Measurement, afters: Sequence[Measurement]) -> int | None:
    """Return how many units changed in a share, over several trainings on average, rounded down."""
    counts = [count for after in afters if (count := test.count_discordant(before, after)) is not None]
    return sum(counts) // len(counts) if counts else None


def _best_baseline(
    test: EvaluationSet, afters: Sequence[Measurement], baselines: Mapping[str, Measurement]
) -> Baseline | None:
    """Return the best cheap baseline by the primary metric, with the interval of after against it."""
    metric = test.primary_metric
    sign = 1 if greater_is_better(metric) else -1
    scored = {name: measurement for name, measurement in baselines.items() if metric in measurement.scores}
    if not scored:
        return None
    name = max(scored, key=lambda name: sign * scored[name].scores[metric])
    if len(afters) > 1:
        interval = test.mean_difference(scored[name], afters).interval
    else:
        interval = test.difference(scored[name], afters[0])
    return Baseline(name, scored[name].scores[metric], interval)


def _figures(
    test: EvaluationSet,
    before: Measurement,
    afters: Sequence[Measurement],
    sides: tuple[str, str] = ("before", "after"),
) -> Figures:
    metric = test.primary_metric
    scores = [after.scores.get(metric, math.nan) for after in afters]
    return Figures(
        metric=words_of(metric).in_sentences,
        before=before.scores.get(metric, math.nan),
        after=float(np.mean(scores)),
        examples=len(test),
        example=test.task.info.example,
        unit=UNIT_NOUNS.get(test.units.rule, test.task.info.example),
        trainings=len(afters),
        spread=float(np.std(scores, ddof=1)) if len(scores) > 1 else 0.0,
        sides=sides,
        too_rare=test.rare_class(before),
    )
