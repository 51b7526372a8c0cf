"""Classes: the scores of each, calibration, and the predictions that adapting fixed and broke."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from homeground.reports.bars import bar
from homeground.reports.charts import reliability_chart
from homeground.reports.task_pages import task_page
from homeground.results.confidence import AbstainRecord, CalibrationRecord, ReliabilityBin, TemperatureRecord
from homeground.results.parts import ClassRecord
from homeground.results.record import RunRecord
from homeground.wording import count, is_number, number, p_value, percent, shorten

MOST_IN_FULL = 12
"""Up to this many classes each has room for its precision and recall; more are listed in two dense columns."""

MOST_AT_FIRST = 20
"""So many classes are shown at once, those with the lowest F1; the rest can be opened."""

MOST_CLASSES, MOST_ABSENT = 300, 100
"""The most classes that are shown at all, and that are named because no test text has them."""

MOST_LABELS = 12
"""The most labels of one text that are shown."""

NOTEWORTHY_GAP = 0.02
"""Gap between mean confidence and share of right answers from which a model is called over- or underconfident."""

MOST_EXAMPLES = 5
"""The most texts of a list."""

LONGEST_TEXT = 280
LONGEST_LABEL = 60
"""Characters of a text and of a label that are shown."""


def per_class(record: RunRecord) -> dict[str, Any] | None:
    """Return every class before and after, the lowest F1 first, or None where the run measured no classes."""
    values = record.scores.per_class
    if values is None or not values.after:
        return None
    before = {row.label: row for row in values.before}
    rows = [(before.get(row.label, ClassRecord(label=row.label)), row) for row in values.after if row.support]
    rows.sort(key=lambda pair: (pair[1].f1 or 0.0, pair[0].f1 or 0.0))
    absent = [shorten(row.label, LONGEST_LABEL) for row in values.after if not row.support]
    moved = [(after.f1 or 0.0) - old.f1 for old, after in rows if old.f1 is not None]
    return {
        "dense": len(rows) > MOST_IN_FULL,
        "shown": MOST_AT_FIRST,
        "count": len(rows),
        "left": len(rows) - MOST_CLASSES,
        "rows": [
            (shorten(after.label, LONGEST_LABEL), old, after, *(bar(row.f1, row.low, row.high) for row in (old, after)))
            for old, after in rows[:MOST_CLASSES]
        ],
        "absent": absent[:MOST_ABSENT],
        "absent_left": len(absent) - MOST_ABSENT,
        "without": any(after.low is None for _, after in rows),
        "rose": sum(change > 0 for change in moved),
        "fell": sum(change < 0 for change in moved),
    }


def reliability(record: RunRecord) -> dict[str, Any] | None:
    """Return confidence against the share of right answers, or None where the run measured no confidence."""
    values, scores = record.scores.reliability, record.scores
    sides = {side: _nonempty(getattr(values, side) if values else ()) for side in ("before", "after")}
    if not sides["after"]:
        return None
    calibration = scores.calibration
    return {
        "chart": reliability_chart(sides),
        "sentence": _reliability_sentence(sides["after"]),
        "rows": [
            ("Mean confidence", *(_mean(bins, 0) for bins in sides.values())),
            ("Share of right answers", *(_mean(bins, 1) for bins in sides.values())),
            ("Calibration error", *(_error(getattr(scores, side), bins) for side, bins in sides.items())),
        ],
        "temperature": temperature_sentence(calibration) if calibration else "",
        "abstaining": _abstaining(calibration.abstain, crossed=scores.cross_fit is not None)
        if calibration and calibration.abstain
        else "",
    }


Bins = Sequence[tuple[float, float, float]]
"""Bins that are not empty: their mean confidence, share of right answers, and number of answers."""


def _nonempty(bins: Sequence[ReliabilityBin]) -> Bins:
    return [
        (each.confidence, each.accuracy, each.count)
        for each in bins
        if each.count > 0 and each.confidence is not None and each.accuracy is not None
    ]


def _mean(bins: Bins, place: int) -> float | None:
    whole = sum(size for _, _, size in bins)
    return sum(each[2] * each[place] for each in bins) / whole if whole else None


def _error(scores: Mapping[str, float | None], bins: Bins) -> float | None:
    """Return the calibration error as the run measured it, else as the bins have it."""
    gaps = [(abs(confidence - right), right, size) for confidence, right, size in bins]
    return _mean(gaps, 0) if scores.get("ece") is None else scores["ece"]


def _reliability_sentence(after: Bins) -> str:
    confidence, right = _mean(after, 0) or 0.0, _mean(after, 1) or 0.0
    figures = f"its mean confidence is {percent(confidence)}, and {percent(right)} of its answers are right"
    if confidence - right > NOTEWORTHY_GAP:
        return f"The adapted model is overconfident: {figures}. Do not rely on its probabilities."
    if right - confidence > NOTEWORTHY_GAP:
        return f"The adapted model is underconfident: {figures}."
    return f"On average, the adapted model is well calibrated: {figures}."


def temperature_sentence(calibration: CalibrationRecord) -> str:
    """Return which temperatures were fitted and what they changed on the test set, or why there is none."""
    before = _temperature_before(calibration.before) if calibration.before else ""
    if calibration.temperature == 1:
        return f"No temperature was fitted: {calibration.remark}." + before
    beyond = f" ({calibration.remark})" if calibration.remark else ""
    fitted = count(calibration.validation_examples, "validation example")
    return (
        f"A temperature of {number(calibration.temperature, 2)}{beyond}, fitted on {fitted}, is part of the weights."
        + f" On the test set: {_with_and_without(calibration)}."
        + before
    )


def _temperature_before(before: TemperatureRecord) -> str:
    """Return the temperature of the model before, which is fitted too, so that training is not credited with it."""
    if before.temperature == 1:
        return f" The model before has none: {before.remark}."
    temperature = number(before.temperature, 2)
    return f" The model before is measured with one of {temperature}, fitted likewise: {_with_and_without(before)}."


def _with_and_without(fitted: TemperatureRecord) -> str:
    pairs = (("calibration error", fitted.ece), ("log loss", fitted.log_loss))
    sides = [
        f"{name} {number(pair.uncalibrated)} without it and {number(pair.calibrated)} with it" for name, pair in pairs
    ]
    return ", ".join(sides)


def _abstaining(abstain: AbstainRecord, *, crossed: bool) -> str:
    target = abstain.target_precision
    each = " The model of each fold was evaluated with its own threshold." if crossed else ""
    if (counts := abstain.validation) is None:
        needed = f"about {count(abstain.needed, 'example')} would be needed" if abstain.needed else ""
        reason = f"on validation, no confidence threshold reaches a precision of {target} with certainty"
        return f"The model never abstains: {reason}; {needed or 'more examples would not help'}.{each}"
    answered = f"{count(counts.right)} of {count(counts.answered)} answers"
    return (
        f"The model abstains below a confidence of {number(abstain.threshold, 4)}, selected on validation for a "
        f"precision of {target}: there, {answered} are right.{each}"
    )


Row = Mapping[str, Any]

OUTCOMES = {
    (True, True): ("kept", "right before and after"),
    (False, True): ("fixed", "fixed"),
    (True, False): ("broke", "broken"),
    (False, False): ("missed", "wrong before and after"),
}
"""Whether an answer is right before and after, with its class in style.css and its words."""


def predictions(record: RunRecord) -> dict[str, Any] | None:
    """Return what adapting fixed and broke and the most confident errors, or None where the run kept no predictions."""
    rows = [row for row in record.examples if all(_has_label(row.get(side)) for side in ("before", "after"))]
    if not rows:
        return None
    groups: dict[str, list[Row]] = {name: [] for name, _ in OUTCOMES.values()}
    for row in rows:
        groups[OUTCOMES[_is_right(row, "before"), _is_right(row, "after")][0]].append(row)
    item, mcnemar = task_page(record).item, record.scores.mcnemar
    return {
        "count": count(len(rows), f"test {item}"),
        "outcomes": [
            (name, words, len(groups[name]), len(groups[name]) / len(rows)) for name, words in OUTCOMES.values()
        ],
        "p": "" if mcnemar is None or mcnemar.p is None else p_value(mcnemar.p),
        "lists": [
            _list("Fixed", groups["fixed"], f"Adapting fixed no {item}."),
            _list("Broken", groups["broke"], f"Adapting broke no {item}."),
            _list("Most confident errors", groups["broke"] + groups["missed"], "The adapted model made no error."),
        ],
    }


def _has_label(side: Any) -> bool:
    return isinstance(side, Mapping) and "label" in side


def _list(heading: str, rows: Sequence[Row], empty: str) -> dict[str, Any]:
    ordered = sorted(rows, key=lambda row: -_confidence(row["after"]))
    caption = f"The {MOST_EXAMPLES} of {count(len(rows))} with the highest confidence after adapting."
    return {
        "heading": heading,
        "rows": [_example(row) for row in ordered[:MOST_EXAMPLES]],
        "empty": empty,
        "caption": caption if len(rows) > MOST_EXAMPLES else "",
    }


def _labels(value: Any) -> list[str]:
    """Return one label or several as a list of text."""
    return [str(label) for label in cast(list[Any], value if isinstance(value, list) else [value])]


def _shown(labels: list[str]) -> list[str]:
    """Return labels as they are shown: of many the first, and how many are left out."""
    left = len(labels) - MOST_LABELS
    shown = [shorten(label, LONGEST_LABEL) for label in labels[:MOST_LABELS]]
    return [*shown, f"+{count(left)}"] if left > 0 else shown


def _is_right(row: Row, side: str) -> bool:
    return set(_labels(row.get("label"))) == set(_labels(row[side]["label"]))


def _confidence(side: Row) -> float:
    """Return the confidence of a prediction: of several labels that of the least certain one."""
    values = side.get("probability")
    every = cast(list[Any], values if isinstance(values, list) else [values])
    return min((float(p) for p in every if is_number(p)), default=0.0)


def _example(row: Row) -> dict[str, Any]:
    return {
        "row": row.get("row", ""),
        "texts": [shorten(row[name], LONGEST_TEXT) for name in ("text", "text_1", "text_2") if row.get(name)],
        "label": _shown(_labels(row.get("label"))),
        "sides": [(name, _answer(row, name.lower())) for name in ("Before", "After")],
    }


def _answer(row: Row, side: str) -> dict[str, Any]:
    """Return the predicted labels, each with its probability where it has its own, and the missed labels."""
    labels, gold = (_labels(each.get("label")) for each in (row[side], row))
    right = set(gold)
    value = row[side].get("probability")
    values = cast(list[Any], value) if isinstance(value, list) else []
    if len(values) != len(labels):
        values = [None] * len(labels)
    missed = [label for label in gold if label not in set(labels)] if isinstance(row.get("label"), list) else []
    return {
        "labels": [
            (shown, number(p, 2) if is_number(p) else "", label in right)
            for shown, label, p in zip(_shown(labels), labels, values, strict=False)
        ],
        "missed": _shown(missed),
        "none_right": not gold,
        "sure": number(value, 2) if is_number(value) else "",
    }
