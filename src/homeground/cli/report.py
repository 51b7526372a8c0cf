"""``homeground report``: write the report of a run again, or a heat map of any checkpoint."""

from __future__ import annotations

from pathlib import Path

import click

from homeground.cli.options import debug, language, read_titles
from homeground.errors import UsageError
from homeground.inference.encoder import Encoder
from homeground.inference.loading import load
from homeground.reports.report import write_heat_map_report, write_report
from homeground.results.run import Run


@click.command()
@click.argument("source", metavar="RUN|CHECKPOINT")
@click.option("--titles", metavar="A,B,…|FILE", help="texts of the heat map, or a FILE with one per line")
@click.option("--out", type=click.Path(path_type=Path), help="HTML file to write, with --titles")
@click.option("--trust-saved-model", is_flag=True, help="open a SavedModel, whose maker must be trusted")
@language
@debug
def report(source: str, *, titles: str | None, out: Path | None, trust_saved_model: bool) -> None:
    """Write the report of a RUN again or, with --titles, a heat map of the similarities of any CHECKPOINT."""
    if titles is None:
        run = Run(Path(source))
        if not run.finished:
            raise UsageError(f"{source} is not a finished run; for the heat map of a checkpoint add --titles a,b,c")
        if out is not None:
            raise UsageError("--out needs --titles; the report of a run is always written to its folder")
        click.echo(write_report(run.folder))
        return
    texts = read_titles(titles)
    loaded = load(source, trust_saved_model=trust_saved_model)
    # A classifier has no similarities of its own; the heat map shows those of its encoder.
    model = loaded if isinstance(loaded, Encoder) else Encoder(loaded.checkpoint)
    path = out or Path(f"{Path(source).name}-titles.html")
    click.echo(write_heat_map_report(texts, model.similarities(texts).tolist(), checkpoint_name=source, path=path))
