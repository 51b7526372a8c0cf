"""``homeground inspect``: look at data before anything is trained."""

from __future__ import annotations

from typing import Any

import click

from homeground.cli.options import GroupedCommand, common, sections, typed_settings
from homeground.cli.terminal.progress import Progress
from homeground.cli.terminal.screen import remark, show_result
from homeground.cli.terminal.standard_input import data_file
from homeground.data.tables import rows_reported
from homeground.recipe.files import join_files
from homeground.reports.inspection import inspection_lines
from homeground.results.audit import InspectionRecord
from homeground.workflows.inspect import inspect as inspect_data

MAIN_OPTIONS = {
    "Options": ("checkpoint", "text", "label", "group", "test", "task", "page", "strict", "json", "help_all")
}


@click.command(cls=GroupedCommand, main=MAIN_OPTIONS)
@click.argument("data", metavar="DATA", nargs=-1, required=True)
@sections("revision", "task", "seed", "reading", "columns", "split", "max_length", "trust_saved_model")
@click.option("--checkpoint", metavar="NAME", help="also count tokens by this checkpoint, and time a few of its steps")
@click.option("--page", metavar="FILE", help="also write a page with plots, such as page.html")
@click.option("--strict", is_flag=True, help="exit with code 1 where a problem or a warning is found")
@common
def inspect(
    data: tuple[str, ...],
    *,
    checkpoint: str | None,
    page: str | None,
    strict: bool,
    quiet: bool,
    as_json: bool,
    **values: Any,
) -> int:
    """Look at DATA before anything is trained: what is wrong, and what to do first."""
    typed = typed_settings({"checkpoint": checkpoint, **values})
    with (
        data_file(join_files(data), typed) as path,
        Progress(quiet=quiet) as progress,
        rows_reported(progress.reading),
    ):
        result = inspect_data(path, page=page, on_event=progress, **typed)
        progress.clear()
    inspection = InspectionRecord.model_validate(result)
    written = [] if page is None else ["", f"page  {page}"]
    show_result(result, [*inspection_lines(inspection), *written], as_json=as_json)
    grave = inspection.audit.fatal
    if strict and grave:
        remark(f"strict: {len(grave)} of the findings are problems or warnings")
        return 1
    return 0
