"""``homeground doctor``: the versions and the hardware of this machine."""

from __future__ import annotations

import json

import click

from homeground.cli.options import as_json, debug, language
from homeground.cli.terminal.screen import show
from homeground.workflows.doctor import examine


@click.command()
@as_json
@language
@debug
def doctor(*, as_json: bool) -> None:
    """Show versions, hardware, memory and the cache of checkpoints."""
    facts = examine()
    if as_json:
        click.echo(json.dumps(facts, indent=1))
        return
    width = max(len(name) for name in facts)
    show([f"{name.ljust(width)}  {value}" for name, value in facts.items()])
