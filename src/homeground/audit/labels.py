"""What a cheap model says of the labels: which are unlikely, and whether new groups or later rows are harder."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.naive_bayes import MultinomialNB

from homeground.audit.audited import AuditedExamples
from homeground.audit.dates import parse_times
from homeground.data.splitting import cross_fit_folds
from homeground.data.units import numbered
from homeground.results.audit import CheapModelRecord, ClassSize, GroupRecord, SuspectRecord
from homeground.tasks.classification.bag_of_words import MAX_CHARACTERS, held_out_probabilities, word_vectors

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MAX_EXAMPLES = 20_000
MAX_REGRESSION_WORK, MAX_WORK = 1_100_000, 20_000_000
"""Examples, and examples times classes, from which the cheap model learns: a regression up to the first, naive Bayes
above it. Seconds, not minutes."""

AUDIT_FOLDS = 5
FEWEST_EXAMPLES = 50
"""Examples below which nothing that is predicted from the others says anything."""

MAX_SUSPECTS = 100
MAX_CONFIDENCE = 0.2
"""Probability of its own label below which an example is listed."""

MIN_SKILL = 0.2
"""Share of the errors of the most frequent label that a model avoids, below which it says nothing of a single label."""

SMOOTHING_COUNT = 0.05
"""Added to the count of every word in every class."""

FEWEST_GROUPS = 5
FEWEST_ROWS_OF_GROUP = 2
"""Mean rows of a value from which a column puts rows into groups."""

MAX_PURITY, VALUES_OF_A_LABEL = 0.95, 2
"""Share of its rows that have the most frequent label of their value, from which a column is the labels by other names,
if it has at most so many values for each label."""

MAX_GROUP_COLUMNS = 3
LATEST_SHARE = 0.2
MIN_DATES = 0.9
"""Share of the values of a column that are dates from which the rows have an order in time."""

CLEAR_ERRORS = 2.0
"""Standard errors by which a difference must exceed 0."""


@dataclass(frozen=True)
class LabelledSample:
    """Examples with one label each, from which a cheap model learns.

    ``places`` are those in the audited examples; ``vectors (examples, features)`` count their words; ``truth (examples,
    classes)`` is 0 and 1; ``units`` numbers equal texts alike; ``folds`` keep them together.
    """

    places: Ints
    texts: list[str]
    vectors: Any
    labels: tuple[str, ...]
    truth: Ints
    units: Ints
    folds: Ints

    @property
    def classes(self) -> Ints:
        """The number of the class of every example."""
        return self.truth.argmax(1)

    @property
    def majority(self) -> float:
        """The share of the most frequent label."""
        return float(self.truth.mean(0).max())

    def right(self, probabilities: Floats) -> NDArray[np.bool_]:
        """Tell of which examples the likeliest class is theirs, ``(examples,)``."""
        return probabilities.argmax(1) == self.classes

    def accuracy(self, probabilities: Floats) -> float:
        """Return the share of the examples whose likeliest class is theirs."""
        return float(self.right(probabilities).mean())

    def skill(self, accuracy: float) -> float:
        """Return the share of the errors of the most frequent label that a model of this accuracy avoids."""
        return (accuracy - self.majority) / max(1 - self.majority, 1e-9)

    @cached_property
    def right_at_random(self) -> NDArray[np.bool_]:
        """Which examples naive Bayes on words predicts rightly with rows held out at random, ``(examples,)``."""
        return bayes_right(self, self.folds)

    def only(self, numbers: Ints) -> LabelledSample | None:
        """Return some of the examples; None where they are too few."""
        units = numbered(self.units[numbers].tolist())
        if len(np.unique(units)) < FEWEST_EXAMPLES:
            return None
        return replace(
            self,
            places=self.places[numbers],
            texts=[self.texts[number] for number in numbers.tolist()],
            vectors=self.vectors[numbers],
            truth=self.truth[numbers],
            units=units,
            folds=cross_fit_folds(units, AUDIT_FOLDS, seed=0),
        )


def class_sizes(audited: AuditedExamples) -> tuple[ClassSize, ...]:
    """Return the classes by size, the largest first."""
    counts = Counter(name for example in audited.examples for name in example.labels or ())
    return tuple(ClassSize(label=label, count=count) for label, count in counts.most_common())


def labelled_sample(audited: AuditedExamples) -> LabelledSample | str | None:
    """Return a sample of the examples with one label each, or why there is none; None where there are no labels."""
    labelled = {place for place, each in enumerate(audited.examples) if each.labels is not None}
    if not labelled:
        return None
    if any(len(audited.examples[place].labels or ()) != 1 for place in labelled):
        return "texts may have several labels"
    names = Counter(_label(audited, place) for place in labelled)
    if len(names) < 2:
        return "there is one label only"
    count = min(MAX_EXAMPLES, max(MAX_WORK // len(names), FEWEST_EXAMPLES))
    places = [place for place in audited.sample(count, purpose="labels").tolist() if place in labelled]
    characters = np.cumsum([len(audited.texts[place]) for place in places])
    places = np.array(places, np.int64)[characters <= max(MAX_CHARACTERS, int(characters[0]) if len(places) else 0)]
    labels = tuple(sorted({_label(audited, place) for place in places.tolist()}))
    units = numbered(audited.examples[place].ordered_digests for place in places.tolist())
    if len(np.unique(units)) < FEWEST_EXAMPLES:
        return f"there are fewer than {FEWEST_EXAMPLES} different texts"
    if len(labels) < 2 or len(labels) > len(places) / 2:
        return f"there are {len(labels):,} labels in {len(places):,} examples"
    numbers = {name: number for number, name in enumerate(labels)}
    truth = np.zeros((len(places), len(labels)), np.int64)
    truth[np.arange(len(places)), [numbers[_label(audited, place)] for place in places.tolist()]] = 1
    texts = [audited.texts[int(place)] for place in places]
    vectors = word_vectors(texts, len(labels))
    if vectors is None:
        return "the texts have no words"
    return LabelledSample(places, texts, vectors, labels, truth, units, cross_fit_folds(units, AUDIT_FOLDS, seed=0))


def _label(audited: AuditedExamples, place: int) -> str:
    return (audited.examples[place].labels or ("",))[0]


def naive_bayes(features: Any, classes: Ints, folds: Ints, count: int) -> Floats:
    """Return the probability of every class for every text by a naive Bayes classifier that learned from other folds.

    ``features (texts, features)`` are not negative. It takes a second where the regression takes a minute, so what is
    only compared with itself is measured by it.
    """
    probabilities = np.zeros((len(classes), count))
    for fold in range(int(folds.max()) + 1):
        inside, rest = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        model = MultinomialNB(alpha=SMOOTHING_COUNT).fit(features[rest], classes[rest])
        probabilities[np.ix_(inside, model.classes_)] = model.predict_proba(features[inside])
    return probabilities


def bayes_right(sample: LabelledSample, folds: Ints) -> NDArray[np.bool_]:
    """Tell which examples naive Bayes on words predicts rightly from the other folds, ``(examples,)``."""
    return sample.right(naive_bayes(sample.vectors, sample.classes, folds, len(sample.labels)))


def cheap_model(sample: LabelledSample) -> tuple[CheapModelRecord, Floats]:
    """Return how well a simple model on words predicts the labels, and its probabilities for every example."""
    is_regression = sample.truth.size <= MAX_REGRESSION_WORK
    if is_regression:
        probabilities = held_out_probabilities(sample.vectors, sample.truth, sample.folds)
    else:
        probabilities = naive_bayes(sample.vectors, sample.classes, sample.folds, len(sample.labels))
    # Each half is cross-fitted by itself, so its models learn from half as many examples.
    right = np.zeros(len(sample.texts), np.bool_)
    side_of = cross_fit_folds(sample.units, 2, seed=1)
    for side in (0, 1):
        half = np.flatnonzero(side_of == side)
        folds, classes = cross_fit_folds(sample.units[half], AUDIT_FOLDS, seed=1), sample.classes[half]
        right[half] = naive_bayes(sample.vectors[half], classes, folds, len(sample.labels)).argmax(1) == classes
    gain, is_clear = _difference(sample.right_at_random, right, sample.units)
    record = CheapModelRecord(
        method="logistic regression" if is_regression else "naive Bayes",
        examples=len(sample.texts),
        accuracy=round(sample.accuracy(probabilities), 4),
        majority=round(sample.majority, 4),
        gain_of_twice=round(gain, 4),
        gain_is_clear=is_clear,
    )
    return record, probabilities


def _difference(one: NDArray[np.bool_], other: NDArray[np.bool_], units: Ints) -> tuple[float, bool]:
    """Return the difference of two shares of the same examples, and whether it is clearly above 0.

    Its standard error is that of a mean over clusters, the ``units (examples,)``.
    """
    each = one.astype(np.float64) - other
    mean = float(each.mean())
    totals = np.bincount(units, each - mean)
    error = math.sqrt(float((totals**2).sum())) / len(each)
    return mean, mean > CLEAR_ERRORS * error > 0


def suspects(audited: AuditedExamples, sample: LabelledSample, probabilities: Floats) -> tuple[SuspectRecord, ...]:
    """Return the examples whose own label is least likely by the cheap model, the least likely first.

    The order is that of self-confidence, the cross-validated probability of the label that the example has (Northcutt,
    Jiang & Chuang 2021, Confident Learning); the list is one to look at, and no count of errors. There is none where
    the model hardly predicts labels at all.
    """
    if sample.skill(sample.accuracy(probabilities)) < MIN_SKILL:
        return ()
    own = probabilities[np.arange(len(sample.texts)), sample.classes]
    order = np.argsort(own, kind="stable")
    # Copies of a text have one entry.
    order = order[np.sort(np.unique(sample.units[order], return_index=True)[1])][:MAX_SUSPECTS]
    return tuple(
        SuspectRecord(
            row=audited.examples[place].row,
            split=audited.splits[place],
            text=audited.shown(place),
            label=sample.labels[int(sample.classes[number])],
            suggested=sample.labels[int(probabilities[number].argmax())],
            confidence=round(float(own[number]), 4),
        )
        for number in order.tolist()
        if own[number] < MAX_CONFIDENCE
        for place in [int(sample.places[number])]
    )


def new_groups(sample: LabelledSample, groups: Sequence[object], *, column: str) -> GroupRecord | None:
    """Return how naive Bayes fares on texts of groups that it has not seen.

    None where there are too few groups, or where the groups are those of the labels by another name.
    """
    units = numbered(repr(value) for value in groups)
    count = int(units.max(initial=-1)) + 1
    if count < FEWEST_GROUPS:
        return None
    if count <= VALUES_OF_A_LABEL * len(sample.labels) and _purity(units, sample) >= MAX_PURITY:
        return None
    grouped = bayes_right(sample, cross_fit_folds(units, AUDIT_FOLDS, seed=0))
    return _compared(column, "group", count, grouped, sample.right_at_random, units)


def _compared(
    column: str,
    kind: Literal["group", "time"],
    groups: int,
    new: NDArray[np.bool_],
    at_random: NDArray[np.bool_],
    units: Ints,
) -> GroupRecord:
    """Return how many of the same rows are right where they are of new groups, and where they are drawn at random."""
    return GroupRecord(
        column=column,
        kind=kind,
        groups=groups,
        accuracy=round(float(new.mean()), 4),
        random=round(float(at_random.mean()), 4),
        clear=_difference(at_random, new, units)[1],
    )


def _purity(units: Ints, sample: LabelledSample) -> float:
    """Return the share of the rows, of groups with several, that have the most frequent label of their group."""
    together = np.zeros((int(units.max()) + 1, len(sample.labels)), np.int64)
    np.add.at(together, (units, sample.classes), 1)
    several = together[together.sum(1) > 1]
    return float(several.max(1).sum() / max(several.sum(), 1))


def later_rows(sample: LabelledSample, values: Sequence[object], *, column: str) -> GroupRecord | None:
    """Return how a model that learned from earlier rows fares on the latest fifth; None where a column holds no dates.

    It is compared with one that learned from as many rows at random, on the same fifth.
    """
    times = parse_times(values)
    dated = ~np.isnan(times)
    distinct = len(np.unique(times[dated]))
    if dated.mean() < MIN_DATES or distinct < FEWEST_GROUPS:
        return None
    places = np.flatnonzero(dated)
    order = places[np.argsort(times[places], kind="stable")]
    latest = order[round(len(order) * (1 - LATEST_SHARE)) :]
    folds = np.ones(len(times), np.int64)
    folds[latest] = 0
    later = bayes_right(sample, folds)[latest]
    return _compared(column, "time", distinct, later, sample.right_at_random[latest], sample.units[latest])


def group_columns(columns: Mapping[str, Sequence[object]], *, taken: Iterable[str]) -> list[str]:
    """Return the columns whose values recur as groups do, those with the most values first.

    A column in which one value, such as none, fills more than a fold is not one: without it too few rows are left to
    learn from, and a model fares worse for that alone.
    """
    counts = {name: Counter(map(repr, values)) for name, values in columns.items() if name not in set(taken)}
    usual = [
        name
        for name, of_value in counts.items()
        if FEWEST_GROUPS <= len(of_value) <= of_value.total() / FEWEST_ROWS_OF_GROUP
        and max(of_value.values()) <= of_value.total() / AUDIT_FOLDS
    ]
    return sorted(usual, key=lambda name: -len(counts[name]))[:MAX_GROUP_COLUMNS]
