"""A model's probabilities are set right on validation; the same on whole runs is in tests/workflows."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.evaluation_sets import DRAWS, label_spec, labelled

from homeground.data.corpus import link
from homeground.data.tokens.tokenized import Sequences, Tokenized
from homeground.engines.model import ClassifierHead
from homeground.evaluation.calibration import calibrate, measure_calibrated
from homeground.evaluation.evaluation_set import EvaluationSet
from homeground.statistics.calibration import find_threshold, fit_temperature
from homeground.tasks.classification.classification import LabelledRows

COUNT = 300
LABELS = np.random.default_rng(0).integers(2, size=COUNT)


class LogitsModel:
    """A stand-in for a classifier: the only token of a text is the place of its logits in a table."""

    def __init__(self, logits: NDArray[np.float64], *, can_scale: bool = True) -> None:
        self.logits = logits
        self.head: Any = Mock(spec=ClassifierHead)
        self.head.scale_logits.side_effect = self._scale
        self.can_scale = can_scale

    def _scale(self, factor: float) -> bool:
        self.logits = self.logits * factor if self.can_scale else self.logits
        return self.can_scale

    def predict(self, batch: Any) -> dict[str, NDArray[np.float64]]:
        return {"logits": self.logits[batch["input_ids"][:, 0]]}


def texts(labels: NDArray[np.int64], classes: str = "ab") -> EvaluationSet:
    examples = labelled(classes[label] for label in labels)
    places = np.arange(len(labels) + 1)
    tokens = Sequences(Tokenized(places[:-1].astype(np.int32), places[:-1], np.diff(places), 0), None)
    task = label_spec().for_labels("ab", examples)
    return EvaluationSet("texts.csv", task, LabelledRows(tokens, labels, 0), link(examples), 64, DRAWS)


def too_sure(labels: NDArray[np.int64], *, wrong: float = 0.2, can_scale: bool = True) -> LogitsModel:
    """Return a model that is much surer than it is right."""
    random = np.random.default_rng(1)
    answers = np.where(random.random(len(labels)) < wrong, 1 - labels, labels)
    sure = random.uniform(1, 8, len(labels))[:, None]
    return LogitsModel(np.eye(2)[np.minimum(answers, 1)] * sure, can_scale=can_scale)


def fitted(model: LogitsModel, validation: EvaluationSet | None, **options: Any) -> Any:
    anything: Any = model
    return calibrate(anything, validation, **{"temperature": True, "target_precision": None, **options})


def test_the_logits_are_divided_by_the_temperature_that_is_best_on_validation() -> None:
    model = too_sure(LABELS)
    logits = model.logits
    calibration = fitted(model, texts(LABELS))
    assert calibration.temperature == pytest.approx(fit_temperature(logits, LABELS)) and calibration.temperature > 1.5
    assert (calibration.validation_examples, calibration.remark) == (COUNT, None)
    np.testing.assert_allclose(model.logits, logits / calibration.temperature)


def test_the_test_is_measured_with_and_without_the_temperature() -> None:
    model, test = too_sure(LABELS), texts(LABELS)
    plain = test.measure(model)  # type: ignore[arg-type]
    calibration = fitted(model, test)
    tested = measure_calibrated(model, test, calibration)  # type: ignore[arg-type]
    assert tested.uncalibrated is not None
    np.testing.assert_allclose(tested.uncalibrated.predictions, plain.predictions, atol=1e-12)
    assert tested.measurement.scores["log_loss"] < plain.scores["log_loss"]
    assert tested.measurement.scores["accuracy"] == plain.scores["accuracy"]
    alone = measure_calibrated(model, test, None)  # type: ignore[arg-type]
    assert (alone.uncalibrated, alone.answered) == (None, None)
    assert alone.measurement.scores == tested.measurement.scores


def test_the_model_before_keeps_its_weights_and_is_measured_with_its_temperature() -> None:
    model, other, test = too_sure(LABELS), too_sure(LABELS), texts(LABELS)
    logits = model.logits.copy()
    calibration, in_weights = fitted(model, test, in_weights=False), fitted(other, test)
    assert np.array_equal(model.logits, logits) and calibration.temperature == in_weights.temperature
    kept, scaled = (
        measure_calibrated(each, test, found)  # type: ignore[arg-type]
        for each, found in ((model, calibration), (other, in_weights))
    )
    for one, another in ((kept.measurement, scaled.measurement), (kept.uncalibrated, scaled.uncalibrated)):
        assert one is not None and another is not None
        np.testing.assert_allclose(one.predictions, another.predictions, atol=1e-12)
    held = fitted(too_sure(LABELS, can_scale=False), test, in_weights=False)
    assert (held.temperature, held.remark) == (1.0, "the head of this architecture cannot hold it")


def test_a_label_that_training_has_none_of_does_not_move_the_temperature() -> None:
    unseen = np.where(np.arange(COUNT) < 30, 2, LABELS)
    model = too_sure(unseen)
    expected = fit_temperature(model.logits[30:], LABELS[30:])
    assert fitted(model, texts(unseen, "abc")).temperature == pytest.approx(expected)


@pytest.mark.parametrize(
    ("model", "validation", "options", "remark"),
    [
        (too_sure(LABELS), None, {}, "there is no validation split to fit it on"),
        (too_sure(LABELS), texts(LABELS), {"temperature": False}, "it was not asked for"),
        (too_sure(LABELS), texts(LABELS[:29]), {}, "29 independent validation examples are too few"),
        (too_sure(LABELS, wrong=0), texts(LABELS), {}, "the model makes no mistake on validation"),
        (
            LogitsModel(np.where(np.eye(2)[LABELS[::-1]] > 0, 0, -np.inf)),
            texts(LABELS),
            {},
            "the model's answers are not finite",
        ),
        (too_sure(LABELS, can_scale=False), texts(LABELS), {}, "the head of this architecture cannot hold it"),
        (LogitsModel(np.eye(2)[1 - LABELS] * 50), texts(LABELS), {}, "the best one lies beyond"),
    ],
)
def test_where_the_temperature_is_not_simply_the_best_the_remark_says_why(
    model: LogitsModel, validation: EvaluationSet | None, options: dict[str, Any], remark: str
) -> None:
    calibration = fitted(model, validation, **options)
    assert remark in calibration.remark
    assert calibration.temperature == 1 or "beyond" in remark


def test_the_threshold_of_abstaining_is_chosen_by_the_calibrated_confidences() -> None:
    model, validation = too_sure(LABELS), texts(LABELS)
    calibration = fitted(model, validation, target_precision=0.7)
    measured = validation.measure(model)  # type: ignore[arg-type]
    sure = np.floor(measured.predictions.max(axis=1) * 1e6) / 1e6
    threshold = find_threshold(sure, measured.statistics[:, 1], 0.7)
    assert threshold is not None
    assert calibration.abstaining.threshold == threshold
    assert calibration.settings() == {"abstain": {"threshold": threshold.confidence, "target_precision": 0.7}}
    tested = measure_calibrated(model, validation, calibration)  # type: ignore[arg-type]
    assert tested.answered is not None
    assert tested.answered.tolist() == (sure >= threshold.confidence).tolist()
    assert tested.answered.sum() == threshold.answered


def test_a_precision_that_nothing_shows_leaves_no_threshold() -> None:
    calibration = fitted(too_sure(LABELS, wrong=0.5), texts(LABELS), target_precision=0.99)
    assert (calibration.abstaining.threshold, calibration.settings()) == (None, {})
    assert "no confidence is shown to reach a precision of 0.99" in calibration.abstaining.sentence()
