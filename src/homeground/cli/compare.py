"""``homeground compare``: which of two models is better on a file."""

from __future__ import annotations

import json
from typing import Any

import click

from homeground.cli.options import GroupedCommand, common, given, reading_options
from homeground.cli.tables import aside_lines, score_lines
from homeground.measure import compare as compare_on


@click.command(cls=GroupedCommand)
@click.argument("first", metavar="FIRST")
@click.argument("second", metavar="SECOND")
@click.argument("data")
@reading_options
@click.option("--gate", is_flag=True, help="Exit with 1 unless the second is better.")
@common
def compare(first: str, second: str, data: str, *, gate: bool, quiet: bool, as_json: bool, **values: Any) -> int:
    """Compare two runs or checkpoints, FIRST as before and SECOND as after, on the examples of DATA."""
    result = compare_on(first, second, data, **given(values))
    if as_json:
        click.echo(json.dumps(result, ensure_ascii=False))
    else:
        if not quiet:
            click.echo(f"{data}: {result['understood']}", err=True)
        click.echo("\n".join([*score_lines(result), "", result["sentence"]]))
        for which, name in (("first", first), ("second", second)):
            if seen := result["seen_in_training"][which]:
                click.echo(f"{name} learned from {seen} of these examples")
        for line in aside_lines(result):
            click.echo(line)
    return 0 if not gate or result["verdict"] == "HELPED" else 1
