"""``homeground convert``: older pickle weights to safetensors."""

from __future__ import annotations

from pathlib import Path

import click

from homeground.cli.options import debug
from homeground.engines.torch.convert import convert_weights


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@debug
def convert(folder: Path) -> None:
    """Turn the .bin, .pth or .pt weights of FOLDER into model.safetensors beside them.

    The weights are read in a separate process that accepts tensors only.
    """
    click.echo(f"wrote {convert_weights(folder)}")
