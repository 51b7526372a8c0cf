"""The head-only fit: before anything is compared, a new head is a logistic regression fitted to convergence.

    vectors    what enters the head, once for every example, in evaluation mode and float32
    variants   the ways the head may be set to see them (the checkpoint's own pooler, the first token)
    C          for every variant a path from strong to weak L2 penalty, each fit going on from the one before
    choice     the variant and C with the least validation loss

An undertrained head would make any fine-tuning look like a gain. Fine-tuning starts from the fitted head.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_softmax, softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from homeground.data.tokens.tokenized import batches_longest_first
from homeground.engines.model import HeadVariant, Model, Outputs, classifier_head
from homeground.evaluation.evaluation_set import EvaluationSet
from homeground.memory import in_parts
from homeground.randomness import generator
from homeground.results.parts import ClassifierHeadRecord, MaskedHeadRecord, PenaltyFit, PenaltyPoint, VariantFit
from homeground.tasks.task import Classifies, Measurable, RowsWithLabels, Task

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

STRENGTHS = (0.001, 0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)
"""Values of C on vectors that deviate from their mean by 1 (root mean square)."""

MAX_STEPS = 2000
PATIENCE_IN_STRENGTHS = 2
"""Values of C without a lower validation loss after which a path ends."""

HELD_OUT = 0.2
"""The share of the training examples that chooses C where there is no validation split."""

ABSENT_LOGIT_GAP = 10.0
"""How far below all others the logit of a class starts that the training examples lack, as in a fold."""


@dataclass(frozen=True)
class Linear:
    """Logits ``vectors @ weight.T + bias``; ``weight (classes, dimensions)``, ``bias (classes,)``."""

    weight: Floats
    bias: Floats

    def logits(self, vectors: NDArray[Any]) -> Floats:
        """Return logits ``(items, classes)``."""
        return np.asarray(vectors @ self.weight.T + self.bias, np.float64)


@dataclass(frozen=True)
class FittedHead:
    """A fitted head, and what scores.json says of how it was fitted.

    ``frozen`` is the same kind of regression on the mean of the tokens' vectors, which the architecture may not be able
    to hold: it is compared with, never trained; None where words are labelled, as there the head is this regression.
    """

    variant: HeadVariant
    outer: Linear
    frozen: Linear | None
    record: ClassifierHeadRecord
    keeps_general: ClassVar[bool] = True
    """Whether general ability may be measured with it."""

    def put_on(self, model: Model) -> None:
        """Let a model have this head."""
        classifier_head(model).set(self.variant, self.outer.weight, self.outer.bias)


@dataclass(frozen=True)
class TrainedHead:
    """A head that was trained with its body frozen: the folder of both, and what scores.json says."""

    folder: Path
    record: MaskedHeadRecord
    keeps_general: ClassVar[bool] = False
    """It was fitted to domain text, so what it makes of general text says nothing of the checkpoint."""

    def put_on(self, model: Model) -> None:
        """Let a model have this head; its body is the one it was fitted to."""
        model.restore(self.folder)


NewHead = FittedHead | TrainedHead


def fit_head(
    model: Model, task: Task, rows: RowsWithLabels, validation: RowsWithLabels | None, *, seed: int, size: int
) -> FittedHead:
    """Return the head fitted to ``rows`` and chosen on ``validation``.

    Without validation rows a fifth of what is labelled in the training rows chooses C, and all is learned from
    afterwards. ``size`` is the number of texts computed at once.
    """
    assert isinstance(task, Classifies)
    head = classifier_head(model)
    vectors = vectors_of(model, task, rows, size=size)
    chooser = Choice.of(rows.labels, None if validation is None else validation.labels, task, seed)
    others = None if validation is None else vectors_of(model, task, validation, size=size)

    def seen(name: str, variant: HeadVariant | None = None) -> tuple[NDArray[Any], NDArray[Any] | None]:
        parts = (vectors[name], None if others is None else others[name])
        if variant is None:
            return parts
        first, second = (None if part is None else head.variant_features(part, variant) for part in parts)
        assert first is not None
        return first, second

    fits = [(variant, chooser.fit(*seen("head", variant))) for variant in head.variants(vectors["head"])]
    variant, best = min(fits, key=lambda each: each[1].loss)
    frozen = chooser.fit(*seen("mean")) if "mean" in vectors else None
    record = ClassifierHeadRecord(
        variant=variant.name,
        **best.fields(),
        variants=tuple(VariantFit(variant=each.name, **fit.fields(), curve=tuple(fit.curve)) for each, fit in fits),
        frozen_embeddings=None if frozen is None else PenaltyFit(**frozen.fields()),
    )
    return FittedHead(variant, best.linear, frozen and frozen.linear, record)


def vectors_of(model: Model, task: Measurable, rows: RowsWithLabels, *, size: int) -> dict[str, NDArray[np.float32]]:
    """Return what enters the head for everything labelled, in order, ``(labelled, dimensions)``.

    Where texts are labelled, ``mean`` is the mean of their tokens.
    """
    head, count = classifier_head(model), len(rows.labels)
    vectors: dict[str, NDArray[np.float32]] = {}

    def features(items: NDArray[Any]) -> Outputs:
        return head.features(task.collate(rows, items, "measuring")[0])

    for batch in batches_longest_first(rows.lengths("measuring"), size):
        for items, found in in_parts(batch, features):
            places = rows.label_places(items)
            for name, values in found.items():
                vectors.setdefault(name, np.empty((count, values.shape[1]), np.float32))[places] = values
    return vectors


def frozen_predictions(test: EvaluationSet, base: Model, head: NewHead | None) -> dict[str, Floats]:
    """Return what a regression on frozen embeddings predicts for the test examples; nothing without a fitted head."""
    if not isinstance(head, FittedHead) or head.frozen is None:
        return {}
    assert isinstance(test.task, Classifies)
    vectors = vectors_of(base, test.task, test.rows, size=test.batch_size)["mean"]
    return {"frozen embeddings": probabilities(head.frozen, vectors, several=test.task.several)}


def probabilities(linear: Linear, vectors: NDArray[Any], *, several: bool) -> Floats:
    """Return the probabilities ``(items, classes)`` of a linear map."""
    logits = linear.logits(vectors)
    return np.asarray(expit(logits) if several else softmax(logits, axis=1), np.float64)


@dataclass(frozen=True)
class Fit:
    """The best of one path: its C, steps and validation loss, and the loss of every C tried."""

    linear: Linear
    strength: float
    steps: int
    converged: bool
    loss: float
    curve: list[PenaltyPoint]

    def fields(self) -> dict[str, Any]:
        """Return its fields in scores.json."""
        strength, loss = round(self.strength, 6), round(self.loss, 6)
        return {"C": strength, "steps": self.steps, "converged": self.converged, "validation_loss": loss}


@dataclass(frozen=True)
class Choice:
    """The labels that are learned and those that choose; ``inner`` splits the training examples where none choose."""

    learned: Ints
    chosen: Ints | None
    inner: NDArray[np.bool_]
    classes: int
    several: bool
    balanced: bool

    @classmethod
    def of(cls, labels: Ints, validation: Ints | None, task: Classifies, seed: int) -> Choice:
        """Return the choice for the labels of training and validation examples."""
        inner = generator(seed, "head").random(len(labels)) < HELD_OUT
        return cls(labels, validation, inner, len(task.labels), task.several, task.balanced)

    def fit(self, learned: NDArray[Any], chosen: NDArray[Any] | None) -> Fit:
        """Return the fit, on features ``(items, dimensions)``, whose C has the least validation loss."""
        # What all examples share would only slow the fit down: the bias takes it up.
        mean = np.asarray(learned, np.float64).mean(0)
        features = learned - mean
        scale = float(np.sqrt(np.mean(np.square(features)))) or 1.0
        features /= scale
        if chosen is not None and self.chosen is not None:
            fit = self._path(features, self.learned, (chosen - mean) / scale, self.chosen, STRENGTHS)
        else:
            rest, held = ~self.inner, self.inner
            best = self._path(features[rest], self.learned[rest], features[held], self.learned[held], STRENGTHS)
            again = self._path(features, self.learned, features[held], self.learned[held], (best.strength,))
            fit = Fit(again.linear, best.strength, again.steps, again.converged, best.loss, best.curve)
        weight = fit.linear.weight / scale
        linear = Linear(weight, fit.linear.bias - weight @ mean)
        return Fit(linear, fit.strength, fit.steps, fit.converged, fit.loss, fit.curve)

    def _path(
        self, features: Floats, labels: Ints, others: Floats, their_labels: Ints, strengths: Sequence[float]
    ) -> Fit:
        regression = Regression(labels, self.classes, several=self.several, balanced=self.balanced)
        tried: list[Fit] = []
        curve: list[PenaltyPoint] = []
        for strength in strengths:
            linear, steps, converged = regression.fit(features, strength)
            loss = mean_loss(linear.logits(others), their_labels, several=self.several)
            curve.append(PenaltyPoint(C=strength, validation_loss=round(loss, 6), steps=steps))
            tried.append(Fit(linear, strength, steps, converged, loss, curve))
            best = min(range(len(tried)), key=lambda place: tried[place].loss)
            if len(tried) - 1 - best >= PATIENCE_IN_STRENGTHS:
                break
        return min(tried, key=lambda fit: fit.loss)


class Regression:
    """L2 logistic regression by scikit-learn's L-BFGS, each fit going on from the one before.

    With one label a text it is multinomial; with several there is one of yes and no for every label.
    """

    def __init__(self, labels: Ints, classes: int, *, several: bool, balanced: bool) -> None:
        self._targets = [labels[:, place] for place in range(classes)] if several else [labels]
        self._classes, self._several = classes, several
        weight = "balanced" if balanced else None
        self._models = [
            LogisticRegression(max_iter=MAX_STEPS, warm_start=True, class_weight=weight) for _ in self._targets
        ]

    def fit(self, features: Floats, strength: float) -> tuple[Linear, int, bool]:
        """Return the linear map, the most steps any of its parts took, and whether all of them converged."""
        steps = 0
        rows: list[tuple[Floats, Floats]] = []
        for model, target in zip(self._models, self._targets, strict=True):
            if target.min() == target.max():
                rows.append(_constant(int(target[0]), features.shape[1], self._classes, several=self._several))
                continue
            model.set_params(C=strength)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                model.fit(features, target)
            steps = max(steps, int(np.max(model.n_iter_)))
            rows.append((np.asarray(model.coef_, np.float64), np.asarray(model.intercept_, np.float64)))
        if self._several:
            linear = Linear(np.concatenate([row[0] for row in rows]), np.concatenate([row[1] for row in rows]))
        else:
            linear = _all_classes(*rows[0], present=np.unique(self._targets[0]), classes=self._classes)
        return linear, steps, steps < MAX_STEPS


def mean_loss(logits: Floats, labels: Ints, *, several: bool) -> float:
    """Return the mean log loss in nats over items (and labels); labels that training lacks are left out."""
    classes = logits.shape[1]
    if several:
        signs = np.where(labels[:, :classes] > 0, 1.0, -1.0)
        return float(np.logaddexp(0, -signs * logits).mean())
    known = labels < classes
    if not known.any():
        return float("inf")
    return float(-log_softmax(logits[known], axis=1)[np.arange(known.sum()), labels[known]].mean())


def _constant(value: int, dimensions: int, classes: int, *, several: bool) -> tuple[Floats, Floats]:
    """Return the map of a target that is the same everywhere: no weights, and a bias that says so."""
    if several:
        return np.zeros((1, dimensions)), np.array([ABSENT_LOGIT_GAP if value else -ABSENT_LOGIT_GAP])
    bias = np.full(classes, -ABSENT_LOGIT_GAP)
    bias[value] = 0.0
    return np.zeros((classes, dimensions)), bias


def _all_classes(weight: Floats, bias: Floats, *, present: Ints, classes: int) -> Linear:
    """Return the map with a row a class: scikit-learn has one for two classes, and none for an absent class."""
    if len(bias) == 1:
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    if len(bias) == classes:
        return Linear(weight, bias)
    full = Linear(np.zeros((classes, weight.shape[1])), np.full(classes, bias.min() - ABSENT_LOGIT_GAP))
    full.weight[present], full.bias[present] = weight, bias
    return full
