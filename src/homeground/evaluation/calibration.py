"""The probabilities of a model are set right on validation, and the confidence from which it answers is chosen there.

Before and after are both calibrated: a temperature of its own for after alone would make any training look like a gain.
The test only shows what that did: it is asked once, after everything is chosen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from homeground.data.tokens.tokenized import map_longest_first
from homeground.data.units import MIN_UNITS
from homeground.engines.model import Model, classifier_head
from homeground.evaluation.evaluation_set import EvaluationSet
from homeground.statistics.calibration import (
    TEMPERATURES,
    Threshold,
    examples_needed,
    find_threshold,
    fit_temperature,
    without_mistake,
)
from homeground.statistics.classification import RIGHT_COLUMN
from homeground.tasks.task import Measurement

Floats = NDArray[np.float64]

CONFIDENCE_PARTS = 1_000_000
"""Confidences are cut to so many parts before a threshold is chosen, so that what is stored is what was chosen."""


@dataclass(frozen=True)
class Abstaining:
    """From which confidence a model answers so that its answers reach a precision; ``needed`` where there is none."""

    target_precision: float
    threshold: Threshold | None
    needed: int | None

    def answered(self, measured: Measurement) -> NDArray[np.bool_]:
        """Tell which examples are answered, ``(examples,)``."""
        if self.threshold is None:
            return np.zeros(len(measured.predictions), np.bool_)
        return confidences(measured) >= self.threshold.confidence

    def sentence(self) -> str:
        """Say what was found."""
        if self.threshold is not None:
            return (
                f"answers from a confidence of {self.threshold.confidence:.4f} on, where {self.threshold.right} of "
                f"{self.threshold.answered} validation examples are right"
            )
        enough = "more examples would not help" if self.needed is None else f"about {self.needed} would be needed"
        return f"no confidence is shown to reach a precision of {self.target_precision:g} on validation; {enough}"


@dataclass(frozen=True)
class Calibration:
    """The temperature that was fitted, on how many examples, and what is to be said where it is not simply the best.

    ``in_weights`` tells whether the weights of the model hold the temperature.
    """

    temperature: float
    validation_examples: int
    remark: str | None
    abstaining: Abstaining | None
    in_weights: bool = True

    def sentence(self) -> str:
        """Say what was fitted."""
        remark = f": {self.remark}" if self.remark else f", fitted on {self.validation_examples} validation examples"
        return f"temperature {self.temperature:.3g}{remark}"

    def settings(self) -> dict[str, Any]:
        """Return what the saved model must know; the temperature itself is in its weights."""
        found = self.abstaining and self.abstaining.threshold
        if self.abstaining is None or found is None:
            return {}
        return {"abstain": {"threshold": found.confidence, "target_precision": self.abstaining.target_precision}}


@dataclass(frozen=True)
class TestedModel:
    """What a model scores on the test, what it would without its temperature, and which texts it answers."""

    measurement: Measurement
    uncalibrated: Measurement | None = None
    answered: NDArray[np.bool_] | None = None


def calibrate(
    model: Model,
    validation: EvaluationSet | None,
    *,
    temperature: bool,
    target_precision: float | None,
    in_weights: bool = True,
) -> Calibration:
    """Divide the logits of a model by the temperature that is best on validation, and choose when it abstains.

    The weights are changed, the predicted labels are not. Without ``in_weights`` the weights stay as they are, so that
    a training can start from them, and only ``measure_calibrated`` divides.
    """
    if validation is None:
        return Calibration(1.0, 0, "there is no validation split to fit it on", None, in_weights)
    logits = _logits(model, validation)
    found, remark = (1.0, "it was not asked for")
    if temperature:
        found, remark = _temperature(logits, validation.rows.labels, len(np.unique(validation.units.units)))
        if found != 1 and not _scale(model, 1 / found, in_weights=in_weights):
            found, remark = 1.0, "the head of this architecture cannot hold it"
    measured = _measure(validation, logits / found)
    abstaining = None if target_precision is None else _abstaining(measured, target_precision)
    return Calibration(found, len(logits), remark, abstaining, in_weights)


def measure_calibrated(model: Model, test: EvaluationSet, calibration: Calibration | None) -> TestedModel:
    """Return what a calibrated model scores on the test examples, beside what it would score without."""
    if calibration is None:
        return TestedModel(test.measure(model))
    logits, temperature = _logits(model, test), calibration.temperature
    factors = (1.0, temperature) if calibration.in_weights else (1 / temperature, 1.0)
    calibrated, uncalibrated = (_measure(test, logits * factor) for factor in factors)
    answered = calibration.abstaining and calibration.abstaining.answered(calibrated)
    return TestedModel(calibrated, uncalibrated, answered)


def confidences(measured: Measurement) -> Floats:
    """Return the probability of the predicted label of every example, cut to six decimals."""
    return np.floor(measured.predictions.max(axis=1) * CONFIDENCE_PARTS) / CONFIDENCE_PARTS


def _scale(model: Model, factor: float, *, in_weights: bool) -> bool:
    """Multiply the logits in the weights; without ``in_weights`` tell only whether that is possible."""
    head = classifier_head(model)
    if in_weights:
        return head.scale_logits(factor)
    # Powers of two change no digit, so that the weights are afterwards what they were.
    return head.scale_logits(2.0) and head.scale_logits(0.5)


def _temperature(logits: Floats, labels: NDArray[np.int64], units: int) -> tuple[float, str | None]:
    """Return the temperature and, where it is not simply the best one, why."""
    classes = logits.shape[1]
    if labels.ndim == 2:
        labels = labels[:, :classes]
    else:
        # A label that training has none of is missed at every temperature.
        logits, labels = logits[labels < classes], labels[labels < classes]
    if units < MIN_UNITS or not len(labels):
        return 1.0, f"{units} independent validation examples are too few to fit it on; {MIN_UNITS} would do"
    if not np.isfinite(logits).all():
        return 1.0, "the model's answers are not finite"
    if without_mistake(logits, labels):
        return 1.0, "the model makes no mistake on validation, which does not say how many it makes elsewhere"
    found = fit_temperature(logits, labels)
    at_end = f"the best one lies beyond the {TEMPERATURES[0]:g} to {TEMPERATURES[1]:g} that are tried"
    return found, at_end if found in TEMPERATURES else None


def _abstaining(measured: Measurement, target: float) -> Abstaining:
    sure, right = confidences(measured), measured.statistics[:, RIGHT_COLUMN]
    found = find_threshold(sure, right, target)
    return Abstaining(target, found, None if found else examples_needed(sure, right, target))


def _measure(examples: EvaluationSet, logits: Floats) -> Measurement:
    return examples.measure_predictions(examples.task.reduce({}, {"logits": logits}))


def _logits(model: Model, examples: EvaluationSet) -> Floats:
    """Return the logits of every example in order, ``(examples, classes)``, in the batches of ``evaluate``."""
    task, rows = examples.task, examples.rows

    def logits(items: NDArray[np.int64]) -> NDArray[np.float32]:
        batch, _ = task.collate(rows, items, "measuring")
        return model.predict(batch)["logits"]

    return map_longest_first(rows.lengths("measuring"), examples.batch_size, logits).astype(np.float64)
