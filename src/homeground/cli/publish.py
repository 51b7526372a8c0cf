"""``homeground publish``: publish the model of a run on the Hub."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import click

from homeground.cli.options import common_but_language
from homeground.cli.terminal.progress import Progress
from homeground.cli.terminal.screen import remark
from homeground.wording import aligned
from homeground.workflows.publish import publish as publish_run


@click.command()
@click.argument("source", metavar="RUN", type=click.Path(path_type=Path))
@click.argument("repository", metavar="USER/NAME")
@click.option("--private", is_flag=True, help="create a private repository")
@click.option("--dry-run", is_flag=True, help="check and show everything, send nothing; needs no token or network")
@click.option("--language", metavar="CODE", help="languages of the texts, for the card, e.g. en or en,de")
@click.option("--license", metavar="NAME", help="licence, for the card, e.g. apache-2.0 [the checkpoint's]")
@click.option("--include-examples", is_flag=True, help="show test examples in the card, which has no texts otherwise")
@common_but_language
def publish(source: Path, repository: str, *, quiet: bool, as_json: bool, **options: Any) -> None:
    """Publish the model of a finished RUN on the Hub as USER/NAME, with a model card.

    \b
      homeground publish RUN alice/job-titles --dry-run
      homeground publish RUN alice/job-titles --language en --license apache-2.0
    """
    if quiet or as_json or not sys.stderr.isatty():
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    done = publish_run(source, repository, on_event=Progress(quiet=quiet), **options)
    if as_json:
        click.echo(json.dumps(done, ensure_ascii=False))
        return
    if done["dry_run"]:
        visibility = "private" if done["private"] else "public or private, as its owner set it"
        click.echo(f"{done['card']}\n{repository} would be {visibility}:")
        click.echo("\n".join(_listing(done["files"])))
    for name in done["left_out"]:
        remark(f"left out: {name}")
    for note in done["notes"]:
        remark(note)
    if not done["dry_run"]:
        _print_changes(done)


def _listing(files: dict[str, dict[str, Any]]) -> list[str]:
    rows = [[name, f"{entry['size']:,}"] for name, entry in files.items()]
    return aligned([["file", "bytes"], *rows, ["total", f"{sum(entry['size'] for entry in files.values()):,}"]])


def _print_changes(done: dict[str, Any]) -> None:
    """Print what changed, and the address of the repository."""
    for name in done["removed"]:
        remark(f"removed: {name}, of an earlier model")
    if not (done["changed"] or done["removed"]):
        click.echo("nothing has changed since the last publication")
    click.echo(f"{done['url']} at commit {done['commit']}{', private' if done['private'] else ''}")
