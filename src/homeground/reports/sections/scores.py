"""The scores behind the verdict: every metric, every training, what was lost, what was merged, and a chain's steps."""

from __future__ import annotations

from typing import Any

from homeground.reports.bars import number_line
from homeground.reports.charts import Trade, trade_off_chart
from homeground.reports.sections.verdict import look, seeds_share, without_word
from homeground.results.parts import IntervalRecord, MergePoint, MergePointSide, MergingRecord
from homeground.results.record import RunRecord
from homeground.results.scores import Comparison, Scores
from homeground.statistics.glossary import Metric, metric
from homeground.wording import interval, number, percent, shorten, signed

MAX_WORDS_LISTED = 30
"""New tokens that are shown; data.json lists more."""

MAX_TRAININGS_LISTED = 50
"""Training runs of ``--seeds``, and merge weights of folds, that are shown."""

LONGEST_WORD, LONGEST_PIECES = 40, 120
"""Characters of a new token and of the tokens before it that are shown."""

CHAIN_STAGES = {
    "before": "The checkpoint, unchanged",
    "domain": "After the domain step only",
    "plain": "After the task only",
    "adapted": "After both steps",
}
CHAIN_COMPARISONS = {
    "domain": "The contribution of the domain step",
    "task": "The effect of the task alone",
    "chain": "The effect of both steps",
}


def chain(record: RunRecord) -> dict[str, Any] | None:
    """Return the comparisons of a chain, or None where the run is none's last step."""
    if record.chain is None:
        return None
    words, comparisons = metric(record.chain.primary_metric), record.chain.comparisons
    difference = comparisons.domain.difference
    judgements = [(name, getattr(comparisons, key)) for key, name in CHAIN_COMPARISONS.items()]
    return {
        "metric": words,
        "line": number_line(difference, decimals=words.decimals),
        "label": f"{signed(difference.value, words.decimals)}, interval {interval(difference, words.decimals)}",
        "look": look(record.chain.verdict),
        "stages": [(name, getattr(record.chain.scores, key).get(words.name)) for key, name in CHAIN_STAGES.items()],
        "judgements": [
            (name, each.verdict, look(each.verdict), each.sentence.removeprefix(f"{each.verdict}: "))
            for name, each in judgements
        ],
    }


def cleaning(record: RunRecord) -> dict[str, Any] | None:
    """Return what cleaning was worth, or None where nothing was trained without it."""
    if record.cleaning is None or record.data.cleaning is None:
        return None
    return {**_with_and_without(record.cleaning), "cleaning": record.data.cleaning}


def vocabulary(record: RunRecord) -> dict[str, Any] | None:
    """Return the new tokens and, where the recipe was trained without them too, what they were worth; else None."""
    added = record.data.vocabulary
    if added is None:
        return None
    compared = record.vocabulary and _with_and_without(record.vocabulary)
    listed = [
        (shorten(each.word, LONGEST_WORD), shorten(" · ".join(each.pieces), LONGEST_PIECES), each.count)
        for each in added.listed[:MAX_WORDS_LISTED]
    ]
    return {"added": added, "listed": listed, "left": added.words - len(listed), "compared": compared}


def _with_and_without(compared: Comparison) -> dict[str, Any]:
    """Return the values of a comparison of two runs of one recipe, without and with a part of it."""
    words = metric(compared.primary_metric)
    return {
        "metric": words,
        "look": look(compared.verdict),
        "verdict": compared.verdict,
        "without": compared.before.get(words.name),
        "with": compared.after.get(words.name),
        "difference": compared.difference,
    }


def scores(record: RunRecord) -> dict[str, Any]:
    """Return the table of scores, the primary metric first, beside the baselines."""
    values = record.scores
    primary = metric(values.primary_metric)
    names = [primary.name, *{**values.before, **values.after}]
    return {
        "rows": [
            (metric(name), name == primary.name, each, _tone(each))
            for name in dict.fromkeys(names)
            if name in values.before or name in values.after
            for each in [difference_of(values, name)]
        ],
        "level": percent(values.difference.level),
        "baseline_note": _baseline_note(values, primary),
    }


def difference_of(scores: Scores, name: str) -> IntervalRecord:
    """Return the difference of one metric for the model that is kept; without numbers where there is none."""
    if name in (scores.primary_metric, scores.difference.metric):
        return scores.saved_difference
    return scores.differences.get(name, IntervalRecord())


def _tone(difference: IntervalRecord) -> str:
    if difference.low is None or difference.high is None:
        return "plain"
    return "good" if difference.low > 0 else "bad" if difference.high < 0 else "plain"


def _baseline_note(scores: Scores, primary: Metric) -> str:
    difference = scores.baseline_difference
    if difference is None:
        return ""
    margin = f"{signed(difference.value, primary.decimals)} ({interval(difference, primary.decimals)})"
    conclusion = {"BEATS": "it beats the baseline", "BELOW": "it is below the baseline"}.get(
        scores.baseline_standing or "", "it is not shown to beat the baseline"
    )
    runs = f", over {len(scores.trainings)} training runs," if scores.trainings else ""
    return (
        f"The adapted model{runs} differs from the best baseline, {difference.name}, by {margin} in {primary.label}: "
        f"{conclusion}."
    )


def seeds(record: RunRecord) -> dict[str, Any] | None:
    """Return the variance between the training runs of ``--seeds``, or None where there was one."""
    if not record.scores.trainings or record.scores.seeds is None:
        return None
    trainings = record.scores.seeds.trainings
    return {
        "metric": metric(record.scores.primary_metric),
        "share": seeds_share(record.scores.seeds),
        "trainings": trainings[:MAX_TRAININGS_LISTED],
        "left": len(trainings) - MAX_TRAININGS_LISTED,
    }


def general(record: RunRecord) -> dict[str, Any] | None:
    """Return the measurement of general ability, or None where there is none."""
    values = record.scores.general
    if values is None:
        return None
    words = metric(values.metric)
    return {
        "metric": words,
        "look": look(values.verdict),
        "sentence": without_word(values.sentence, values.verdict),
        "line": number_line(values.difference, band=(-values.margin, 0.0), decimals=words.decimals),
    }


def merging(record: RunRecord) -> dict[str, Any] | None:
    """Return the merge weights with what each gained and lost, or None where nothing was merged."""
    values = record.scores.merging
    points = [point for point in values.points if _is_whole(point)] if values else []
    if values is None or not points:
        return None
    domain, general = metric(values.domain_metric), metric(values.general_metric)
    return {
        "domain": domain,
        "general": general,
        "costly": all((point.general.value or 0) < -values.budget for point in points if point.weight > 0),
        "points": points,
        "chart": _trade_off(values, points, domain, general),
    }


def _is_whole(point: MergePoint) -> bool:
    return point.domain.value is not None and point.general.value is not None


def _trade_off(values: MergingRecord, points: list[MergePoint], domain: Metric, general: Metric) -> Any:
    trades = [
        Trade(number(point.weight, 1), _ends(point.general), _ends(point.domain), point.weight == values.weight)
        for point in points
    ]
    return trade_off_chart(
        trades,
        title="Gain in the domain against loss outside it",
        description=f"change of {domain.label} in the domain against change of {general.label} outside it, by merge "
        "weight",
        axis_label=f"change outside the domain ({general.label})",
        limit=-values.budget,
    )


def _ends(side: MergePointSide) -> tuple[float, float, float]:
    """Return the value with the ends of its interval, itself where it has none."""
    value = side.value or 0.0
    return value, value if side.low is None else side.low, value if side.high is None else side.high
