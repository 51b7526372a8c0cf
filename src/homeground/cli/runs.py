"""``homeground runs``: the runs below a folder."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from homeground.cli.options import as_json, debug, language
from homeground.cli.terminal.screen import show
from homeground.errors import UsageError
from homeground.reports.layout import table, width_of
from homeground.results.listing import RunSummary, summarize_runs
from homeground.wording import fitted, in_terminal, printable

LONGEST_NAME = 36
"""Columns of the name of a run, a data file or a checkpoint in the table."""


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path("runs"))
@as_json
@language
@debug
def runs(folder: Path, *, as_json: bool) -> None:
    """List the runs below FOLDER [runs]: verdict, scores, date, task, data and checkpoint, the oldest first."""
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder; name the one that holds your runs, e.g. homeground runs runs")
    summaries = summarize_runs(folder)
    if as_json:
        click.echo(json.dumps([each.to_json() for each in summaries], ensure_ascii=False))
    elif not summaries:
        show([f"no runs below {folder}"])
    else:
        rows = [["", "verdict", "before", "after", "metric", "date", "task", "data", "checkpoint"]]
        show(table([*rows, *(_row(each) for each in summaries)], width_of(sys.stdout)))


def _row(run: RunSummary) -> list[str]:
    names = [fitted(printable(text), LONGEST_NAME) for text in (run.folder, run.data, run.checkpoint)]
    scores = in_terminal(run.before), in_terminal(run.after)
    return [names[0], run.verdict, *scores, run.metric, run.date[:10], run.task, *names[1:]]
