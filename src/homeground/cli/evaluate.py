"""``homeground evaluate``: the scores of a run or checkpoint on a file."""

from __future__ import annotations

import json
from typing import Any

import click

from homeground.cli.options import GroupedCommand, common, sections, typed_settings
from homeground.cli.standard_input import data_file
from homeground.reports.terminal import skipped_lines
from homeground.wording import aligned, printable
from homeground.workflows.compare import evaluate as evaluate_on


@click.command(cls=GroupedCommand)
@click.argument("source", metavar="RUN|CHECKPOINT")
@click.argument("data")
@sections("reading", "columns", "keep_contaminated")
@common
def evaluate(source: str, data: str, *, quiet: bool, as_json: bool, **values: Any) -> None:
    """Evaluate a RUN or CHECKPOINT on the examples of DATA, with an interval."""
    typed = typed_settings(values)
    with data_file(data, typed) as path:
        result: dict[str, Any] = {**evaluate_on(source, path, **typed), "data": data}
    if as_json:
        click.echo(json.dumps(result, ensure_ascii=False))
        return
    if not quiet:
        click.echo(printable(f"{data}: {result['understood']}"), err=True)
    interval = result["interval"]
    rows = [["", "score", "95% interval"]]
    for name, value in result["scores"].items():
        rows.append([name, f"{value:.3f}", _ends(interval) if name == interval["metric"] else ""])
    click.echo("\n".join(aligned(rows)))
    click.echo(f"\n{result['test_examples']} examples, {result['test_units']} independent units by {result['unit']}")
    if left_out := result["left_out"]:
        score = left_out["after"].get(interval["metric"])
        with_them = "" if score is None else f"; with them {interval['metric']} is {score:.3f}"
        click.echo(f"{left_out['sentence']}{with_them}")
    elif result["seen_in_training"]:
        click.echo(f"{result['seen_in_training']} of them are in the training data: scores on new texts may be lower")
    for line in skipped_lines(result["set_aside"]):
        click.echo(line)


def _ends(interval: dict[str, Any]) -> str:
    if interval["low"] is None or interval["high"] is None:
        return "too few examples"
    return f"{interval['low']:.3f} to {interval['high']:.3f}"
