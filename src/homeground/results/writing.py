"""Measurements become the records of scores.json."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from homeground.data.units import MIN_UNITS
from homeground.evaluation.calibration import Abstaining, Calibration, TestedModel
from homeground.evaluation.comparison import GeneralComparison, PairedComparison
from homeground.evaluation.evaluation_set import EvaluationSet
from homeground.evaluation.left_out import LeftOut
from homeground.evaluation.merging import Merged
from homeground.results.confidence import (
    AbstainRecord,
    AbstainTest,
    AnsweredCounts,
    CalibrationPair,
    CalibrationRecord,
    ShareRecord,
    TemperatureRecord,
)
from homeground.results.parts import (
    BaselineDifference,
    DecidingDifference,
    GeneralRecord,
    IntervalRecord,
    MergePoint,
    MergePointSide,
    MergingRecord,
    SeedsRecord,
    SeedTraining,
)
from homeground.results.scores import LeftOutRecord
from homeground.results.summary import general_line
from homeground.statistics.bootstrap import FEWEST_EFFECTIVE_UNITS, Interval
from homeground.statistics.calibration import exact_interval
from homeground.statistics.classification import RIGHT_COLUMN
from homeground.wording import count


def finite(value: float | None) -> float | None:
    """Return a number for JSON, None where it is not finite."""
    return value if value is not None and math.isfinite(value) else None


def interval_fields(interval: Interval, *, ends: bool = True) -> dict[str, Any]:
    """Return the fields of an interval, without its ends where they are not trusted or not to be shown."""
    fields = {name: finite(value) for name, value in vars(interval).items()}
    return fields if ends and interval.trusted else {**fields, "low": None, "high": None}


def interval_record(interval: Interval, *, ends: bool = True) -> IntervalRecord:
    """Return an interval as scores.json has it; see ``interval_fields``."""
    return IntervalRecord(**interval_fields(interval, ends=ends))


def judgement_fields(comparison: PairedComparison) -> dict[str, Any]:
    """Return the fields of ``Judgement`` for a comparison; the sentence follows from them."""
    test, verdict, before = comparison.test, comparison.verdict, comparison.before
    info, baseline = test.task.info, comparison.best_baseline
    enough = verdict.word != "TOO FEW"
    return {
        "version": 1,
        "task": info.name,
        "primary_metric": test.primary_metric,
        "verdict": verdict.word,
        "scope": info.verdict_scope,
        "reason": verdict.reason,
        "sides": comparison.sides,
        "example": info.example,
        "use": comparison.use,
        "before": before.scores,
        "after": comparison.after.scores,
        "baselines": {name: measurement.scores for name, measurement in comparison.baselines.items()},
        "difference": DecidingDifference(
            metric=test.primary_metric,
            method=comparison.method,
            **interval_fields(comparison.interval, ends=enough),
        ),
        "differences": {
            name: interval_record(interval, ends=enough and test.rare_class(before, name) is None)
            for name, interval in comparison.differences.items()
        },
        "seeds": _seeds(comparison),
        "baseline_difference": baseline
        and BaselineDifference(
            name=baseline.name,
            instead=info.instead.get(baseline.name, ""),
            **interval_fields(baseline.difference, ends=enough),
        ),
        "smallest_detectable": finite(verdict.smallest_detectable),
        "units_needed": verdict.needed,
        "test_examples": comparison.examples,
        "test_units": comparison.interval.units,
        "unit": test.units.rule,
        "left_out": comparison.left_out and left_out_record(comparison.left_out),
    }


def left_out_record(left_out: LeftOut) -> LeftOutRecord:
    """Return what scores.json says of the test examples that are left out."""
    return LeftOutRecord(
        examples=left_out.examples,
        of=len(left_out.test),
        seen=dict(left_out.seen),
        sentence=left_out.sentence,
        before=left_out.before.scores,
        after=left_out.after.scores,
        difference=interval_record(left_out.interval, ends=left_out.test.rare_class(left_out.before) is None),
    )


def _seeds(comparison: PairedComparison) -> SeedsRecord | None:
    trainings = comparison.trainings
    if trainings is None:
        return None
    first, scores = comparison.test.resampling.seed, comparison.training_scores
    known = [score for score in scores if score is not None]
    return SeedsRecord(
        trainings=tuple(
            SeedTraining(seed=first + place, score=score, difference=finite(value))
            for place, (score, value) in enumerate(zip(scores, trainings.values, strict=True))
        ),
        mean=float(np.mean(known)) if len(known) == len(scores) else None,
        standard_deviation=finite(trainings.spread),
        items_error=finite(trainings.items.standard_error),
        seeds_error=finite(trainings.seeds_error),
        saved_model=interval_record(comparison.own, ends=comparison.verdict.word != "TOO FEW"),
    )


def general_record(comparison: GeneralComparison, *, left_out: int = 0) -> GeneralRecord:
    """Return what scores.json says of general ability; ``left_out`` further examples were learned from."""
    general, verdict, metric = comparison.test, comparison.verdict, comparison.test.primary_metric
    record = GeneralRecord(
        name=general.name,
        metric=metric,
        before=comparison.before.scores.get(metric),
        after=comparison.after.scores.get(metric),
        difference=interval_record(comparison.interval, ends=verdict.word != "TOO FEW"),
        verdict=verdict.word,
        reason=verdict.reason,
        left_out=left_out,
        seen_in_training=comparison.seen,
        margin=comparison.margin,
        examples=len(general),
        units=comparison.interval.units,
        units_needed=verdict.needed,
    )
    on = f"measured on {count(record.examples, general.task.info.example.removeprefix('test '))} of {record.name}"
    return record.model_copy(update={"sentence": f"{general_line(record)}; {on}."})


def merging_record(merged: Merged, fold_weights: Sequence[float] | None) -> MergingRecord:
    """Return what scores.json says of a merge; ``fold_weights`` are those of the models of the folds."""
    return MergingRecord(
        weight=merged.chosen.weight,
        kept=merged.chosen.weight > 0,
        budget=merged.budget,
        domain_metric=merged.domain.primary_metric,
        general_metric=merged.general.primary_metric,
        domain_examples=len(merged.domain),
        general_examples=len(merged.general),
        points=tuple(
            MergePoint(
                weight=point.weight,
                domain=MergePointSide(score=finite(point.domain_score), **interval_fields(point.domain)),
                general=MergePointSide(score=finite(point.general_score), **interval_fields(point.general)),
            )
            for point in merged.points
        ),
        fold_weights=None if fold_weights is None else tuple(fold_weights),
    )


def calibration_record(
    test: EvaluationSet,
    calibration: Calibration,
    tested: TestedModel,
    before: Calibration | None,
    tested_before: TestedModel,
) -> CalibrationRecord:
    """Return what scores.json says of the temperatures, after and before, and of abstaining on the test."""
    return CalibrationRecord(
        **_temperature_fields(calibration, tested),
        before=before and TemperatureRecord(**_temperature_fields(before, tested_before)),
        abstain=calibration.abstaining and _abstain(test, calibration.abstaining, tested),
    )


def _temperature_fields(calibration: Calibration, tested: TestedModel) -> dict[str, Any]:
    scores, uncalibrated = tested.measurement.scores, (tested.uncalibrated or tested.measurement).scores
    return {
        "temperature": calibration.temperature,
        "remark": calibration.remark,
        "validation_examples": calibration.validation_examples,
        **{
            name: CalibrationPair(uncalibrated=uncalibrated.get(name), calibrated=scores.get(name))
            for name in ("log_loss", "ece")
        },
    }


def _abstain(test: EvaluationSet, abstaining: Abstaining, tested: TestedModel) -> AbstainRecord:
    threshold, answered = abstaining.threshold, tested.answered
    on_test = None
    if answered is not None and (threshold is not None or answered.any()):
        count = int(answered.sum())
        right = int((answered & (tested.measurement.statistics[:, RIGHT_COLUMN] > 0)).sum())
        coverage, precision = _share(test, count, len(answered)), _share(test, right, count)
        on_test = AbstainTest(answered=count, right=right, coverage=coverage, precision=precision)
    return AbstainRecord(
        target_precision=abstaining.target_precision,
        threshold=threshold and threshold.confidence,
        validation=threshold and AnsweredCounts(answered=threshold.answered, right=threshold.right),
        needed=abstaining.needed,
        test=on_test,
    )


def _share(test: EvaluationSet, part: int, whole: int) -> ShareRecord:
    """Return a share with its exact interval over units, without that over too few of them."""
    value, units = part / whole if whole else None, test.effective_units
    if test.units.independent < MIN_UNITS or units < FEWEST_EFFECTIVE_UNITS:
        return ShareRecord(value=value)
    scale = units / len(test)
    low, high = exact_interval(scale * part, scale * whole)
    return ShareRecord(value=value, low=low, high=high)
