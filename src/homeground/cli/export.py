"""``homeground export``: the model of a run for OpenVINO or ONNX Runtime, where torch is not needed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from homeground.checkpoint.exported import GRAPH_FILES
from homeground.cli.options import common
from homeground.cli.terminal.progress import Progress
from homeground.cli.terminal.screen import remark
from homeground.engines import open_engine
from homeground.wording import size


@click.command()
@click.argument("source", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--format", "format_", type=click.Choice([*GRAPH_FILES]), default="openvino", help="runtime [openvino]")
@click.option("--int8", is_flag=True, help="quantize to int8; accepted if the score stays within the margin")
@click.option("--bf16", is_flag=True, help="compute in bfloat16; accepted as int8 is, for a processor that has it")
@click.option("--output", type=click.Path(path_type=Path), metavar="FOLDER", help="folder [RUN/exports/NAME]")
@click.option(
    "--margin",
    type=float,
    metavar="X",
    help="loss of the score that int8 or bf16 may have [0.01, or 0.05 nats for plain text]",
)
@common
def export(
    source: Path,
    *,
    format_: str,
    int8: bool,
    bf16: bool,
    output: Path | None,
    margin: float | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Export the model of a finished RUN, which then predicts without torch.

    \b
      homeground export RUN
      homeground export RUN --int8
      homeground predict RUN --engine openvino-int8 --input new.csv

    The export and the model are measured on the test of the run; one that is not shown to be as good is refused.
    """
    open_engine("torch")  # first, so that no other library is asked for where it is missing
    from homeground.workflows.export import export as export_run

    asked: dict[str, Any] = {"format": format_, "int8": int8, "bf16": bf16, "output": output, "margin": margin}
    done = export_run(source, **asked, on_event=Progress(quiet=quiet))
    if as_json:
        click.echo(json.dumps(done, ensure_ascii=False))
        return
    click.echo(f"{done['folder']} ({size(done['bytes'])})")
    remark(done["sentence"])
