"""``homeground demo``: adapt to built-in data."""

from __future__ import annotations

from pathlib import Path

import click

from homeground.cli.options import common
from homeground.cli.terminal.progress import Progress
from homeground.cli.terminal.screen import show_result
from homeground.reports.terminal import verdict_lines
from homeground.results.scores import Scores
from homeground.workflows.demo import run_demo


@click.command()
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs/demo"), help="run folder [runs/demo]")
@click.option("--fresh", is_flag=True, help="rename an earlier demo, and start again")
@common
def demo(out: Path, *, fresh: bool, quiet: bool, as_json: bool) -> None:
    """Adapt the built-in encoder to a built-in taxonomy of occupations and report whether it helped.

    Nothing is downloaded. It takes a few minutes on a laptop.
    """
    with Progress(quiet=quiet) as progress:
        run = run_demo(out, fresh=fresh, on_event=progress)
        progress.clear()
        show_result(run.scores, verdict_lines(Scores.model_validate(run.scores), run), as_json=as_json)
