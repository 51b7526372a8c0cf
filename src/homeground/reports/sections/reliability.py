"""The reliability: whether the confidence that the model states can be believed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from homeground.reports.charts import reliability_chart
from homeground.results.record import RunRecord, part, parts
from homeground.wording import count, is_number, number, percent

NOTEWORTHY = 0.02
"""From this distance on, between confidence and what is right, the model is called too sure or not sure enough."""

Bins = Sequence[Mapping[str, Any]]


def reliability(record: RunRecord) -> dict[str, Any] | None:
    """Return the diagram and what it says in numbers, or None where the run measured no confidence."""
    values = part(record.scores, "reliability")
    before, after = (_known(parts(values, side)) for side in ("before", "after"))
    if not after:
        return None
    return {
        "chart": reliability_chart({"before": _points(before), "after": _points(after)}),
        "sentence": _sentence(after),
        "rows": [
            {"name": name, "before": number(_measure(before, kind), 3), "after": number(_measure(after, kind), 3)}
            for name, kind in (("Mean confidence", "confidence"), ("Share right", "accuracy"))
        ]
        + [
            {"name": "Calibration error", **{side: _error(record.scores, values, side) for side in ("before", "after")}}
        ],
        **_calibration(record),
    }


def _calibration(record: RunRecord) -> dict[str, Any]:
    """Return what the temperature did, and where the model abstains."""
    found = part(record.scores, "calibration")
    abstain = part(found, "abstain")
    return {
        "temperature": temperature_in_words(found),
        "abstaining": _abstaining(abstain, bool(record.scores.get("cross_fit"))),
        "shares": _shares(part(abstain, "test"), record),
    }


def temperature_in_words(found: Mapping[str, Any]) -> str | None:
    """Say which temperature was fitted and what it changed on the test, or why there is none."""
    if not found:
        return None
    if found.get("temperature") == 1:
        return f"No temperature was fitted: {found.get('remark')}."
    beyond = f" ({found['remark']})" if found.get("remark") else ""
    fitted = count(found.get("validation_examples"), "validation example")
    sides = [
        f"{name} {number(part(found, key).get('uncalibrated'))} without it and "
        f"{number(part(found, key).get('calibrated'))} with it"
        for name, key in (("calibration error", "ece"), ("log loss", "log_loss"))
    ]
    return (
        f"A temperature of {number(found.get('temperature'), 2)}{beyond}, fitted on {fitted}, is part of its weights. "
        f"On the test: {', '.join(sides)}."
    )


def _abstaining(abstain: Mapping[str, Any], crossed: bool) -> str | None:
    if not abstain:
        return None
    target, seen = f"{abstain.get('target_precision')}", part(abstain, "validation")
    own = " Each fold's model was measured with a threshold of its own." if crossed else ""
    if not seen:
        needed = abstain.get("needed")
        enough = f"about {count(needed, 'example')} would be needed" if needed else "more examples would not help"
        shown = f"no confidence is shown to reach a precision of {target} on validation"
        return f"It never abstains: {shown}; {enough}.{own}"
    answered = f"{count(seen.get('right'))} of {count(seen.get('answered'))} answers"
    return (
        f"It abstains below a confidence of {number(abstain.get('threshold'), 4)}, chosen on validation for a "
        f"precision of {target}: there {answered} are right.{own}"
    )


def _shares(tested: Mapping[str, Any], record: RunRecord) -> list[dict[str, str]]:
    """Return how many test examples are answered, and how many of these rightly, with their intervals."""
    if not tested:
        return []
    named = ((f"Answered, of {count(record.scores.get('test_examples'), record.item)}", "coverage"),)
    named += ((f"Right, of {count(tested.get('answered'))} answered", "precision"),)
    return [
        {
            "name": name,
            "value": _exactly(part(tested, key).get("value")),
            "interval": f"{_exactly(part(tested, key).get('low'))} to {_exactly(part(tested, key).get('high'))}",
        }
        for name, key in named
    ]


def _exactly(share: Any) -> str:
    """Return a share as a percentage with a decimal: 99.6% must not read as all."""
    return f"{number(100 * share, 1)}%" if is_number(share) else number(None)


def _known(bins: Bins) -> Bins:
    """Return the bins that hold something."""
    names = ("confidence", "accuracy", "count")
    return [each for each in bins if all(is_number(each.get(name)) for name in names) and each["count"] > 0]


def _points(bins: Bins) -> list[tuple[float, float, float]]:
    return [(float(each["confidence"]), float(each["accuracy"]), float(each["count"])) for each in bins]


def _measure(bins: Bins, kind: str) -> float | None:
    whole = sum(each["count"] for each in bins)
    return sum(each["count"] * each[kind] for each in bins) / whole if whole else None


def _error(scores: Mapping[str, Any], values: Mapping[str, Any], side: str) -> str:
    """Return the calibration error as the run measured it, else as the bins have it."""
    measured = part(scores, side).get("ece")
    if is_number(measured):
        return number(measured)
    bins = _known(parts(values, side))
    gaps = [{"count": each["count"], "gap": abs(each["confidence"] - each["accuracy"])} for each in bins]
    return number(_measure(gaps, "gap"))


def _sentence(after: Bins) -> str:
    confidence, right = _measure(after, "confidence") or 0.0, _measure(after, "accuracy") or 0.0
    told = f"its mean confidence is {percent(confidence)}, and {percent(right)} is right"
    if confidence - right > NOTEWORTHY:
        return f"The adapted model is surer than it should be: {told}. Do not take its probabilities at their word."
    if right - confidence > NOTEWORTHY:
        return f"The adapted model is less sure than it could be: {told}."
    return f"On the whole the adapted model is as sure as it should be: {told}."
