"""``homeground compare``: which of two models is better on a file, or which of several checkpoints to begin with."""

from __future__ import annotations

import json
from typing import Any

import click

from homeground.cli.options import GroupedCommand, common, given, sections
from homeground.cli.progress import Progress
from homeground.errors import UsageError
from homeground.recipe.recipe import settings
from homeground.reports.terminal import aside_lines, checkpoint_lines, score_lines
from homeground.results.scores import CheckpointComparison, Comparison
from homeground.workflows.checkpoint_comparison import compare_checkpoints
from homeground.workflows.compare import compare as compare_on

FEWEST_NAMES = 3
"""Two checkpoints and the data."""


@click.command(cls=GroupedCommand)
@click.argument("names", metavar="FIRST SECOND DATA", nargs=-1)
@click.option("--checkpoints", is_flag=True, help="Compare two or more checkpoints before any of them is trained.")
@sections("reading", "columns", "split", "max_length", "seed", "task", "pll", "mask_draws")
@click.option("--gate", is_flag=True, help="Exit with 1 unless the second is better.")
@common
def compare(names: tuple[str, ...], *, checkpoints: bool, gate: bool, quiet: bool, as_json: bool, **values: Any) -> int:
    """Compare two runs or checkpoints, FIRST as before and SECOND as after, on the examples of DATA.

    With --checkpoints two or more of them are compared before any is trained: by a regression on what each says of
    labelled texts, or by what each makes of pairs. The test split that adapt would keep is left alone.

    \b
      homeground compare minilm runs/pairs-similarity new.csv
      homeground compare --checkpoints minilm distilbert-base-uncased reviews.csv
    """
    if len(names) < FEWEST_NAMES or (len(names) > FEWEST_NAMES and not checkpoints):
        form = "CHECKPOINT CHECKPOINT … DATA" if checkpoints else "FIRST SECOND DATA"
        raise UsageError(f"expected {form}; got {' '.join(names) or 'no names'}")
    if checkpoints:
        return _checkpoints(names, gate=gate, quiet=quiet, as_json=as_json, values=given(values))
    _refuse_splits(given(values))
    first, second, data = names
    result = compare_on(first, second, data, **given(values))
    if as_json:
        click.echo(json.dumps(result, ensure_ascii=False))
    else:
        if not quiet:
            click.echo(f"{data}: {result['understood']}", err=True)
        click.echo("\n".join([*score_lines(Comparison.model_validate(result)), "", result["sentence"]]))
        for which, name in (("first", first), ("second", second)):
            if seen := result["seen_in_training"][which]:
                click.echo(f"{name} learned from {seen} of these examples")
        for line in aside_lines(result["set_aside"]):
            click.echo(line)
    return 0 if not gate or result["verdict"] == "HELPED" else 1


def _checkpoints(names: tuple[str, ...], *, gate: bool, quiet: bool, as_json: bool, values: dict[str, Any]) -> int:
    if gate:
        raise UsageError("--gate needs a verdict on two models; --checkpoints gives none")
    *sources, data = names

    result = compare_checkpoints(sources, data, on_event=Progress(quiet=quiet), **values)
    lines = checkpoint_lines(CheckpointComparison.model_validate(result))
    click.echo(json.dumps(result, ensure_ascii=False) if as_json else "\n".join(lines))
    return 0


def _refuse_splits(values: dict[str, Any]) -> None:
    """Refuse what would change nothing: without --checkpoints all examples of the file are measured."""
    for setting in settings():
        if setting.name in values and setting.section == "split":
            raise UsageError(f"{setting.flag} goes with --checkpoints; else all of DATA is measured")
