"""Scores as lines of text."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from homeground.languages import translate
from homeground.reports.layout import table, width_of
from homeground.results.advice import advice
from homeground.results.run import CLEANING_FILE, VOCABULARY_FILE, Run
from homeground.results.summary import Remark, headline, judgement_lines, summary_lines
from homeground.statistics.glossary import metric
from homeground.storage import read_json
from homeground.wording import aligned, count, display_width, in_terminal, percent

if TYPE_CHECKING:  # pydantic is slow to import, and most commands print something else
    from homeground.results.chain import ChainRecord
    from homeground.results.parts import GeneralRecord, IntervalRecord, LearningCurveRecord, SeedsRecord
    from homeground.results.scores import CheckpointComparison, Comparison, Judgement, MethodStanding, Scores
    from homeground.wording import Ends

CHAIN_STAGES = {
    "before": "the checkpoint, unchanged",
    "domain": "after the domain step only",
    "plain": "after the task only",
    "adapted": "after both steps",
}
"""The stages of a chain in its table."""

CHAIN_COMPARISONS = {"task": "The task alone", "chain": "Both steps", "domain": "The domain step"}

STANDINGS = {
    "BEST": "best",
    "NO CLEAR DIFFERENCE": "not clearly different from the best",
    "WORSE": "worse than the best",
    "BETTER": "better than the best",
    "TOO FEW": "too few examples",
    "SEEN": "trained on these examples",
}
"""How a score compares with the best, in the table of checkpoints."""


def verdict_lines(scores: Scores, run: Run) -> list[str]:
    """Return the table of before and after, the verdict, and the paths of report and model."""
    lines = score_lines(scores, scores.general)
    if scores.learning_curve:
        lines += ["", *curve_lines(scores.learning_curve)]
    if scores.seeds:
        lines += ["", *seed_lines(scores.seeds, scores.primary_metric)]
    lines += ["", headline(scores), advice(scores), ""]
    lines += _labelled([*summary_lines(scores), *_ablations(run), *_paths(run)])
    return lines


def _ablations(run: Run) -> list[Remark]:
    """Return what parts of the recipe were worth that it was also trained without."""
    from homeground.results.scores import Comparison

    remarks: list[Remark] = []
    for topic, file in (("cleaning", CLEANING_FILE), ("tokens", VOCABULARY_FILE)):
        if (run.folder / file).is_file():
            compared = Comparison.model_validate(read_json(run.folder / file))
            compared = compared.model_copy(update={"sides": ("without", "with")})
            remarks.append(Remark(topic, f"{compared.verdict}: {judgement_lines(compared)[0].text}"))
    return remarks


def _paths(run: Run) -> list[Remark]:
    """Return where the model is, what may be used in its place, the report, and what to label next."""
    listing = run.folder / "next_to_label.csv"
    paths = {
        "model": run.model_folder,
        "before": run.before_folder,
        "baseline": run.baseline_folder,
        "report": run.report_path,
        "to label": listing if listing.is_file() else None,
    }
    return [Remark(topic, str(path)) for topic, path in paths.items() if path]


def _labelled(lines: Sequence[Remark]) -> list[str]:
    """Return lines with their topics in a column of their own."""
    topics = [translate(line.topic) for line in lines]
    indent = max(map(display_width, topics)) + 2
    return [
        f"{topic}{' ' * (indent - display_width(topic))}{translate(line.text)}"
        for topic, line in zip(topics, lines, strict=True)
    ]


def score_lines(scores: Judgement, general: GeneralRecord | None = None) -> list[str]:
    """Return before, after, difference and baselines, a metric a line, the primary one first.

    They are the scores of one model: after several training runs of the first, which is saved.
    """
    primary = scores.primary_metric
    names = [primary, *(name for name in {**scores.before, **scores.after} if name != primary)]
    heads = [side.removeprefix("for the ") for side in scores.sides]
    rows = [["", *heads, f"difference ({percent(scores.difference.level)} interval)", *scores.baselines]]
    for name in names:
        if name in scores.before or name in scores.after:
            difference = scores.saved_difference if name == primary else scores.differences.get(name)
            sides = [side.get(name) for side in (scores.before, scores.after)]
            others = [in_terminal(each.get(name)) for each in scores.baselines.values()]
            rows.append([_with_direction(name), *map(in_terminal, sides), _difference(difference), *others])
    if general:
        sides = [in_terminal(general.before), in_terminal(general.after)]
        empty = [""] * len(scores.baselines)
        rows.append([f"general {general.metric}", *sides, _difference(general.difference), *empty])
    return _table(rows)


def comparison_lines(result: Comparison) -> list[str]:
    """Return the scores of two models, the verdict on the second, and what was left out or learned from."""
    learned = [
        f"{name} was trained on {number:,} of these examples"
        for name, number in zip((result.first, result.second), result.seen_in_training.values(), strict=False)
        if number
    ]
    return [
        *score_lines(result),
        "",
        headline(result),
        "",
        *_labelled([Remark("first", result.first), Remark("second", result.second), *judgement_lines(result)]),
        *learned,
        *skipped_lines(result.set_aside),
    ]


def seed_lines(seeds: SeedsRecord, name: str) -> list[str]:
    """Return the score of every training run, and that the table is about the first of them."""
    scores = ", ".join(f"{in_terminal(each.score)} (seed {each.seed})" for each in seeds.trainings)
    spread = in_terminal(seeds.standard_deviation)
    return [
        f"{name} after each training run: {scores}; mean {in_terminal(seeds.mean)}, standard deviation {spread}",
        f"the saved model is that of seed {seeds.trainings[0].seed}; the table is about this model only, and its "
        "intervals cover the choice of test items only",
    ]


def curve_lines(curve: LearningCurveRecord) -> list[str]:
    """Return the scores on every share of the training data, and what they suggest."""
    names = list(dict.fromkeys(name for point in curve.points for name in point.baselines))
    rows = [["training data", "examples", "before", f"after, {curve.metric} (95% interval)", *names]]
    for point in curve.points:
        baselines = [in_terminal(point.baselines.get(name)) for name in names]
        before, after = in_terminal(point.before.score), _score(point.after.score, point.after)
        rows.append([f"{point.share}%", str(point.examples), before, after, *baselines])
    gaps = [f"{each.share}% is left out: it {each.reason}" for each in curve.left_out]
    return [*_table(rows), *gaps, "", curve.sentence]


def chain_lines(record: ChainRecord) -> list[str]:
    """Return the scores of every stage of a chain, its three verdicts, and the paths of report and model."""
    name, scores, comparisons = record.primary_metric, record.scores, record.comparisons
    stages = [
        [translate(text), in_terminal(getattr(scores, stage).get(name))]
        for stage, text in CHAIN_STAGES.items()
        if stage in scores.model_fields_set
    ]
    judgements = [f"{text}: {getattr(comparisons, key).sentence}" for key, text in CHAIN_COMPARISONS.items()]
    adapted = Path(record.folder) / "adapted"
    return [
        *aligned([["", translate(_with_direction(name))], *stages]),
        "",
        *judgements,
        *_test_text_lines(record),
        "",
        f"report  {adapted / 'report.html'}",
        f"model   {adapted / 'model'}",
    ]


def _test_text_lines(record: ChainRecord) -> list[str]:
    """Return how many test texts were in the data of the domain step, left out or trained on."""
    texts, lines = record.test_texts, list[str]()
    if texts.left_out:
        lines.append(f"{texts.left_out} domain texts contain a test text and were left out")
    if texts.learned:
        lines.append(
            f"the domain step was trained on texts of {texts.learned} test examples, without their labels or scores; "
            "the gain on new texts may be smaller"
        )
    return lines


def chain_estimate_lines(expected: dict[str, Any]) -> list[str]:
    """Return an estimate of a chain in words."""
    steps = [
        f"{name}: {each['steps']} steps, about {each['minutes']:.1f} minutes"
        for name, each in expected["steps"].items()
    ]
    return [
        *steps,
        "adapted: the same as plain",
        f"about {expected['minutes']:.1f} minutes in total",
        f"nothing was written; the runs would be in {expected['folder']}",
    ]


def checkpoint_lines(result: CheckpointComparison) -> list[str]:
    """Return several checkpoints and the cheap baselines, the best first, and how they compare."""
    name = result.primary_metric
    titles = ["parameters", "dimensions", "max length", f"{name} (95% interval)", "against the best", "", "seconds"]
    rows = [["", *titles]]
    for each in result.checkpoints:
        sizes = [f"{each.parameters / 1e6:.1f} M", str(each.dimensions), str(each.max_length)]
        rows.append([each.name, *sizes, *_standing(each, name), f"{each.seconds:.1f}"])
    rows += [[each.name, "", "", "", *_standing(each, name), ""] for each in result.baselines]
    counted = f"{result.examples} examples, {result.units} independent units by {result.unit}"
    folds = f"; {result.folds} folds, each predicted by a model trained on the others" if result.folds else ""
    skipped = skipped_lines({each.reason: each.count for each in result.set_aside})
    return [*_table(rows), "", result.sentence, counted + folds, *skipped, *result.notes]


def _standing(each: MethodStanding, name: str) -> list[str]:
    return [_score(each.scores.get(name), each.interval), _difference(each.difference), STANDINGS[each.standing]]


def skipped_lines(reasons: Mapping[str, int]) -> list[str]:
    """Return how many rows were skipped, a reason a line."""
    return [f"{count(rows, 'row')} skipped ({reason})" for reason, rows in reasons.items()]


def estimate_lines(expected: dict[str, Any]) -> list[str]:
    """Return an estimate of time and memory in words."""
    gib = expected["memory_gib"]
    memory = "" if gib is None else f" and {gib:.1f} GiB of memory"
    return [
        f"{expected['steps']} steps of {expected['batch_size']} examples, from {expected['examples']} training examples"
        + _trials(expected),
        f"about {expected['minutes']:.1f} minutes ({expected['seconds_per_step']:.2f} s a step here){memory}",
        f"about {expected['disk_mb']:,.0f} MB on the disk for the models that are kept, and up to "
        f"{expected['peak_disk_mb']:,.0f} MB while the run goes on",
        f"nothing was written; the run would be in {expected['folder']}",
    ]


def _trials(expected: dict[str, Any]) -> str:
    shares = ", ".join(f"{share}%" for share in expected["shares"])
    curve = f", including training runs on {shares} of them" if shares else ""
    curve += f", including {expected['seeds']} seeds" if expected["seeds"] > 1 else ""
    if not expected["trials"]:
        return curve
    bound = expected["search_minutes"]
    ends = "" if bound is None else f"; none starts after {bound:g} minutes of trials"
    return f"{curve}, {expected['trials']} trials in total{ends}"


def _table(rows: list[list[str]]) -> list[str]:
    """Return a table that fits the terminal."""
    return table(rows, width_of(sys.stdout))


def _difference(difference: IntervalRecord | None) -> str:
    if difference is None or difference.low is None or difference.high is None:
        return ""
    value, low, high = (in_terminal(end, sign=True) for end in (difference.value, difference.low, difference.high))
    return f"{value} ({low} to {high})"


def _score(value: float | None, ends: Ends) -> str:
    if value is None:
        return "not defined"
    if ends.low is None or ends.high is None:
        return in_terminal(value)
    return f"{in_terminal(value)} ({in_terminal(ends.low)} to {in_terminal(ends.high)})"


def _with_direction(name: str) -> str:
    return f"{name} (lower is better)" if metric(name).greater_is_better is False else name
