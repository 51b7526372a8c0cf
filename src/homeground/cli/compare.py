"""``homeground compare``: which of two models is better on a file, or with which of several checkpoints to start."""

from __future__ import annotations

from typing import Any

import click

from homeground.cli.options import GroupedCommand, common, sections, typed_settings
from homeground.cli.terminal.progress import Progress
from homeground.cli.terminal.screen import show_result
from homeground.cli.terminal.standard_input import data_file
from homeground.errors import UsageError
from homeground.recipe.recipe import settings
from homeground.reports.terminal import checkpoint_lines, comparison_lines
from homeground.results.scores import CheckpointComparison, Comparison
from homeground.workflows.checkpoint_comparison import compare_checkpoints
from homeground.workflows.compare import compare as compare_on

FEWEST_ARGUMENTS = 3
"""Two checkpoints and the data."""


@click.command(cls=GroupedCommand)
@click.argument("names", metavar="FIRST SECOND [DATA]", nargs=-1)
@click.option("--checkpoints", is_flag=True, help="compare two or more checkpoints before training")
@sections(
    "reading",
    "columns",
    "clean",
    "clean_language",
    "split",
    "max_length",
    "seed",
    "task",
    "pll",
    "mask_draws",
    "keep_contaminated",
    "trust_saved_model",
)
@click.option("--gate", is_flag=True, help="exit with code 1 unless SECOND is better")
@common
def compare(names: tuple[str, ...], *, checkpoints: bool, gate: bool, quiet: bool, as_json: bool, **values: Any) -> int:
    """Compare two runs or checkpoints on the examples of DATA, with an interval and a verdict about SECOND.

    Without DATA, two finished runs are compared on their common test.

    With --checkpoints, two or more checkpoints are compared without any training: for labelled texts by a logistic
    regression on their embeddings, for pairs by their similarities. The test split of adapt is not used.

    \b
      homeground compare minilm runs/pairs-similarity new.csv
      homeground compare --checkpoints minilm distilbert-base-uncased reviews.csv
    """
    if len(names) == 2 and not checkpoints:
        return _on_common_test(
            names[0], names[1], gate=gate, quiet=quiet, as_json=as_json, values=typed_settings(values)
        )
    if len(names) < FEWEST_ARGUMENTS or (len(names) > FEWEST_ARGUMENTS and not checkpoints):
        form = "CHECKPOINT CHECKPOINT … DATA" if checkpoints else "FIRST SECOND DATA"
        raise UsageError(f"expected {form}; got {' '.join(names) or 'no names'}")
    if checkpoints:
        return _checkpoints(names, gate=gate, quiet=quiet, as_json=as_json, values=typed_settings(values))
    typed = typed_settings(values)
    _refuse_preparation(typed)
    first, second, data = (str(name) for name in names)
    with data_file(data, typed) as path, Progress(quiet=quiet) as progress:
        result: dict[str, Any] = {**compare_on(first, second, path, **typed), "data": data}
        return _print(result, progress, gate=gate, as_json=as_json)


def _on_common_test(first: str, second: str, *, gate: bool, quiet: bool, as_json: bool, values: dict[str, Any]) -> int:
    """Compare two finished runs on the test of both; settings of a file have no use there."""
    if values:
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in values)
        raise UsageError(f"{flags}: only for DATA; without it, two runs are compared on their common test as it was")
    with Progress(quiet=quiet) as progress:
        return _print(compare_on(first, second), progress, gate=gate, as_json=as_json)


def _print(result: dict[str, Any], progress: Progress, *, gate: bool, as_json: bool) -> int:
    """Print a comparison, and return the exit code of the command."""
    if not as_json:
        progress.line(f"{result['data']}: {result['understood']}")
    comparison = Comparison.model_validate(result)
    lines = [*comparison_lines(comparison), *comparison.notes]
    show_result(result, lines, as_json=as_json)
    return 0 if not gate or result["verdict"] == "HELPED" else 1


def _checkpoints(names: tuple[str, ...], *, gate: bool, quiet: bool, as_json: bool, values: dict[str, Any]) -> int:
    if gate:
        raise UsageError("--gate needs a verdict about two models, and --checkpoints gives none; leave one of them out")
    *sources, data = names
    with data_file(data, values) as path, Progress(quiet=quiet) as progress:
        result = compare_checkpoints(sources, path, on_event=progress, **values)
        progress.clear()
        show_result(result, checkpoint_lines(CheckpointComparison.model_validate(result)), as_json=as_json)
    return 0


def _refuse_preparation(values: dict[str, Any]) -> None:
    """Refuse settings of split and cleaning without --checkpoints, where they would change nothing."""
    for setting in settings():
        if setting.name in values and setting.section in ("split", "cleaning"):
            raise UsageError(
                f"{setting.flag} needs --checkpoints; without it the models are compared as they were trained, on the "
                "whole of DATA"
            )
