"""``homeground evaluate``: the scores of a run or checkpoint on a file."""

from __future__ import annotations

from typing import Any

import click

from homeground.cli.options import GroupedCommand, common, sections, typed_settings
from homeground.cli.terminal.progress import Progress
from homeground.cli.terminal.screen import show_result
from homeground.cli.terminal.standard_input import data_file
from homeground.reports.terminal import skipped_lines
from homeground.wording import aligned, count
from homeground.workflows.compare import evaluate as evaluate_on


@click.command(cls=GroupedCommand)
@click.argument("source", metavar="RUN|CHECKPOINT")
@click.argument("data")
@sections("reading", "columns", "keep_contaminated", "trust_saved_model")
@common
def evaluate(source: str, data: str, *, quiet: bool, as_json: bool, **values: Any) -> None:
    """Evaluate a RUN or CHECKPOINT on the examples of DATA, with an interval."""
    typed = typed_settings(values)
    with data_file(data, typed) as path, Progress(quiet=quiet) as progress:
        result: dict[str, Any] = {**evaluate_on(source, path, **typed), "data": data}
        if not as_json:
            progress.line(f"{data}: {result['understood']}")
        show_result(result, _lines(result), as_json=as_json)


def _lines(result: dict[str, Any]) -> list[str]:
    """Return the scores with the interval of the deciding one, and what they rest on."""
    interval = result["interval"]
    rows = [["", "score", "95% interval"]]
    for name, value in result["scores"].items():
        rows.append([name, f"{value:.3f}", _ends(interval) if name == interval["metric"] else ""])
    examples, units = count(result["test_examples"], "example"), count(result["test_units"], "independent unit")
    lines = [*aligned(rows), "", f"{examples}, {units} by {result['unit']}"]
    if left_out := result["left_out"]:
        score = left_out["after"].get(interval["metric"])
        with_them = "" if score is None else f"; with them {interval['metric']} is {score:.3f}"
        lines.append(f"{left_out['sentence']}{with_them}")
    elif seen := result["seen_in_training"]:
        verb = "is" if seen == 1 else "are"
        lines.append(f"{seen:,} of them {verb} in the training data: scores on new texts may be lower")
    return [*lines, *skipped_lines(result["set_aside"]), *result["notes"]]


def _ends(interval: dict[str, Any]) -> str:
    if interval["low"] is None or interval["high"] is None:
        return "too few examples"
    return f"{interval['low']:.3f} to {interval['high']:.3f}"
