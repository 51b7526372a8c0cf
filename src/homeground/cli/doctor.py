"""``homeground doctor``: what this machine offers."""

from __future__ import annotations

import json

import click

from homeground.cli.options import as_json, debug
from homeground.workflows.doctor import examine


@click.command()
@as_json
@debug
def doctor(*, as_json: bool) -> None:
    """Show versions, hardware, memory and where checkpoints are cached."""
    found = examine()
    if as_json:
        click.echo(json.dumps(found, indent=1))
        return
    width = max(len(name) for name in found)
    for name, value in found.items():
        click.echo(f"{name.ljust(width)}  {value}")
