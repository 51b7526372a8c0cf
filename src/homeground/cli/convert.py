"""``homeground convert``: older pickled weights, or those of TensorFlow, to safetensors."""

from __future__ import annotations

from pathlib import Path

import click

from homeground.cli.options import debug, language
from homeground.engines.torch.convert import convert_weights


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@language
@debug
def convert(folder: Path) -> None:
    """Convert the .bin, .pth or .pt weights of FOLDER, or tf_model.h5, to model.safetensors in the same folder.

    The weights are read in a separate process that accepts only tensors.
    """
    click.echo(f"wrote {convert_weights(folder)}")
