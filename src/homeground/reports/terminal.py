"""Scores as lines of text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from homeground.results.run import Run

WIDE, LARGE = 100, 1_000_000
"""From here on a number needs one decimal, and from here on a power of ten."""


def verdict_lines(scores: dict[str, Any], run: Run) -> list[str]:
    """Return the table of before and after, the verdict and where the report lies."""
    lines = [*score_lines(scores), "", scores["sentence"]]
    if curve := scores.get("learning_curve"):
        lines += ["", *curve_lines(curve)]
    if seeds := scores.get("seeds"):
        lines += ["", *seed_lines(seeds, scores["primary_metric"])]
    if scores.get("general"):
        lines.append(f"General ability {scores['general']['sentence']}")
    lines += ["", f"report  {run.report}", f"model   {run.model_folder}"]
    listed = run.folder / "next_to_label.csv"
    return [*lines, f"to label  {listed}"] if listed.is_file() else lines


def score_lines(scores: dict[str, Any]) -> list[str]:
    """Return before, after, difference and baselines, a metric a line, the deciding one first.

    All of them are those of one model: after several trainings that of the first, which is kept.
    """
    seeds = scores.get("seeds")
    deciding = seeds["saved_model"] if seeds else scores["difference"]
    primary = scores["primary_metric"]
    names = [primary, *(name for name in scores["before"] if name != primary)]
    baselines = list(scores["baselines"])
    rows = [["", "before", "after", "difference (95% interval)", *baselines]]
    for name in names:
        if name in scores["before"] or name in scores["after"]:
            sides = [_figure(scores[side].get(name)) for side in ("before", "after")]
            difference = _difference(deciding if name == primary else scores["differences"].get(name))
            others = [_figure(scores["baselines"][baseline].get(name)) for baseline in baselines]
            rows.append([_named(name), *sides, difference, *others])
    if general := scores.get("general"):
        sides = [_figure(general[side]) for side in ("before", "after")]
        rows.append(
            [f"general {general['metric']}", *sides, _difference(general["difference"]), *("" for _ in baselines)]
        )
    return aligned(rows)


def seed_lines(seeds: dict[str, Any], metric: str) -> list[str]:
    """Return what every training scored, and that the table is of the first of them."""
    scores = ", ".join(f"{_figure(each['score'])} (seed {each['seed']})" for each in seeds["trainings"])
    spread = _figure(seeds["standard_deviation"])
    return [
        f"{metric} after each training: {scores}; mean {_figure(seeds['mean'])}, standard deviation {spread}",
        f"the model kept is that of seed {seeds['trainings'][0]['seed']}; the table is about that training alone, its "
        "intervals over test items only",
    ]


def curve_lines(curve: dict[str, Any]) -> list[str]:
    """Return the scores of every share of the training data, and what they suggest."""
    names = list(dict.fromkeys(name for point in curve["points"] for name in point["baselines"]))
    rows = [["training data", "examples", "before", f"after, {curve['metric']} (95% interval)", *names]]
    for point in curve["points"]:
        after = _score(point["after"]["score"], point["after"])
        cheap = [_figure(point["baselines"].get(name)) for name in names]
        rows.append([f"{point['share']}%", str(point["examples"]), _figure(point["before"]["score"]), after, *cheap])
    aside = [f"{each['share']}% is left out: it {each['reason']}" for each in curve["left_out"]]
    return [*aligned(rows), *aside, "", curve["sentence"]]


def chain_lines(record: dict[str, Any]) -> list[str]:
    """Return the scores of every stage of a chain, its three verdicts and where the report lies."""
    metric, scores = record["primary_metric"], record["scores"]
    rows = [["", _named(metric)], *([CHAIN_STAGES[name], _figure(own.get(metric))] for name, own in scores.items())]
    found = record["comparisons"]
    said = [f"{CHAIN_COMPARISONS[name]}: {each['sentence']}" for name, each in found.items()]
    adapted = Path(record["folder"]) / "adapted"
    return [
        *aligned(rows),
        "",
        *said,
        *chain_asides(record),
        "",
        f"report  {adapted / 'report.html'}",
        f"model   {adapted / 'model'}",
    ]


CHAIN_STAGES = {
    "before": "the checkpoint as it is",
    "domain": "after the domain step alone",
    "plain": "after the task alone",
    "adapted": "after both steps",
}
"""How the table names what was measured."""

CHAIN_COMPARISONS = {"task": "The task alone", "chain": "Both steps", "domain": "The domain step"}


def chain_asides(record: dict[str, Any]) -> list[str]:
    """Return what became of the test texts in the domain's text."""
    counts = record["test_texts"]
    said: list[str] = []
    if counts["left_out"]:
        said.append(f"{counts['left_out']} texts of the domain hold a text of the test and were left out")
    if counts["learned"]:
        said.append(
            f"of {counts['learned']} test examples the domain step learned a text, without its label or score, so part "
            "of the gain may be gone on new texts"
        )
    return said


def chain_estimate_lines(expected: dict[str, Any]) -> list[str]:
    """Return an estimate of a chain in words."""
    steps = [
        f"{name}: {each['steps']} steps, about {each['minutes']:.1f} minutes"
        for name, each in expected["steps"].items()
    ]
    return [
        *steps,
        "adapted: as plain",
        f"about {expected['minutes']:.1f} minutes in all",
        f"nothing was written; the runs would lie in {expected['folder']}",
    ]


def checkpoint_lines(result: dict[str, Any]) -> list[str]:
    """Return several checkpoints and the cheap baselines, the best first, and what can be said of them."""
    metric = result["primary_metric"]
    titles = ["parameters", "dimensions", "max length", f"{metric} (95% interval)", "against the best", "", "seconds"]
    rows = [["", *titles]]
    for each in [*result["checkpoints"], *result["baselines"]]:
        rows.append(
            [
                each["name"],
                f"{each['parameters'] / 1e6:.1f} M" if "parameters" in each else "",
                str(each.get("dimensions", "")),
                str(each.get("max_length", "")),
                _score(each["scores"].get(metric), each["interval"]),
                _difference(each["difference"]),
                STANDINGS[each["standing"]],
                f"{each['seconds']:.1f}" if "seconds" in each else "",
            ]
        )
    counted = f"{result['examples']} examples, {result['units']} independent units by {result['unit']}"
    folds = f"; {result['folds']} folds, each predicted from the others" if result["folds"] else ""
    aside = [f"{each['count']} rows were set aside for {each['reason']}" for each in result["set_aside"]]
    return [*aligned(rows), "", result["sentence"], counted + folds, *aside, *result["notes"]]


STANDINGS = {
    "BEST": "best",
    "NOT TOLD APART": "cannot be told apart from the best",
    "WORSE": "worse than the best",
    "BETTER": "better than the best",
    "TOO FEW": "too few to tell",
    "SEEN": "learned from these examples",
}
"""How the table names where a score stands."""


def aligned(rows: list[list[str]]) -> list[str]:
    """Return rows as lines, the first column to the left and the others to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        ).rstrip()
        for row in rows
    ]


def aside_lines(result: dict[str, Any]) -> list[str]:
    """Return how many rows were set aside, a reason a line."""
    return [f"{count} rows were set aside for {reason}" for reason, count in result["set_aside"].items()]


def estimate_lines(expected: dict[str, Any]) -> list[str]:
    """Return an estimate of time and memory in words."""
    return [
        f"{expected['steps']} steps of {expected['batch_size']} examples out of {expected['examples']} to learn from"
        + _trials(expected),
        f"about {expected['minutes']:.1f} minutes ({expected['seconds_per_step']:.2f} s a step here) and "
        f"{expected['memory_gib']:.1f} GiB of memory",
        f"nothing was written; the run would lie in {expected['folder']}",
    ]


def _trials(expected: dict[str, Any]) -> str:
    shares = ", ".join(f"{share}%" for share in expected["shares"])
    curve = f", trainings on {shares} of them counted in" if shares else ""
    curve += f", {expected['seeds']} seeds counted in" if expected["seeds"] > 1 else ""
    if not expected["trials"]:
        return curve
    bound = expected["search_minutes"]
    ends = "" if bound is None else f"; none of them begins after {bound:g} minutes of trials"
    return f"{curve}, {expected['trials']} trials in all{ends}"


def _difference(interval: dict[str, Any] | None) -> str:
    if interval is None or interval["low"] is None or interval["high"] is None:
        return ""
    return f"{_plain(interval['value'], '+')} ({_plain(interval['low'], '+')} to {_plain(interval['high'], '+')})"


def _plain(value: float, sign: str = "") -> str:
    """Return a number with as many digits as can be read.

    >>> _plain(0.5, "+"), _plain(183.588), _plain(-800571252.4)
    ('+0.500', '183.6', '-8.01e8')
    """
    if abs(value) >= LARGE:
        return f"{value:{sign}.2e}".replace("e+0", "e").replace("e+", "e")
    return f"{value:{sign},.{3 if abs(value) < WIDE else 1}f}"


def _figure(value: float | None) -> str:
    """Return a score as it is shown; one that could not be computed is left out."""
    return "" if value is None else _plain(value)


def _score(value: float | None, interval: dict[str, Any]) -> str:
    if value is None:
        return "not defined"
    if interval["low"] is None or interval["high"] is None:
        return f"{value:.3f}"
    return f"{value:.3f} ({interval['low']:.3f} to {interval['high']:.3f})"


def _named(metric: str) -> str:
    lower_is_better = {"mse", "mae", "mape", "log_loss", "ece", "masked_loss"}
    return f"{metric} (lower is better)" if metric in lower_is_better or metric.endswith("perplexity") else metric
