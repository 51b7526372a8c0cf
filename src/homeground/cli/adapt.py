"""``homeground adapt``: adapt a checkpoint to the user's data and report whether it helped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from homeground.cli.options import GroupedCommand, common, read_titles, recipe_options, typed_settings
from homeground.cli.terminal.progress import Progress
from homeground.cli.terminal.screen import remark, show_result
from homeground.cli.terminal.standard_input import STANDARD_INPUT, data_file
from homeground.data.tables import rows_reported
from homeground.data.tokens.token_files import TokenParts
from homeground.errors import UsageError
from homeground.experiment.estimate import EXAMPLES_TOKENIZED, estimate
from homeground.experiment.setup import prepare
from homeground.processes.shard import Shard
from homeground.recipe.chain import is_chain
from homeground.recipe.files import join_files
from homeground.reports.terminal import chain_estimate_lines, chain_lines, estimate_lines, verdict_lines
from homeground.results.chain import ChainRecord
from homeground.results.scores import Scores
from homeground.results.summary import gate_failures
from homeground.wording import count
from homeground.workflows.adapt import adapt as adapt_to
from homeground.workflows.adapt import resolve
from homeground.workflows.adapt import tokenize as make_tokens
from homeground.workflows.chain import adapt_chain, estimate_chain
from homeground.workflows.company import in_company

MAIN_OPTIONS = {
    "Data": ("text", "label", "test", "general"),
    "Model and training": ("task", "checkpoint", "epochs", "learning_rate", "batch_size", "max_length", "seeds"),
    "Run": ("out", "dry_run", "help_all"),
}
"""The options of ``--help``, on one screen of 80 columns and 24 lines."""


@click.command(cls=GroupedCommand, main=MAIN_OPTIONS)
@click.argument("data", metavar="DATA", nargs=-1, required=True)
@recipe_options
@click.option("--dry-run", is_flag=True, help="check everything, estimate time and memory, write nothing")
@click.option(
    "--tokenize",
    metavar="NUMBER/OF",
    help="only tokenize a share of a large corpus of plain texts, such as 2/8, for later runs with the same settings",
)
@click.option("--fresh", is_flag=True, help="rename an earlier run in the same folder, and start again")
@click.option("--gate", is_flag=True, help="exit with code 1 unless HELPED, without FORGOT, and ahead of the baseline")
@click.option(
    "--processes", metavar="N", type=click.IntRange(min=1), default=1, help="processes that learn together, 1, 2, 4 …"
)
@common
def adapt(
    data: tuple[str, ...],
    *,
    assignments: tuple[str, ...],
    dry_run: bool,
    tokenize: str | None,
    fresh: bool,
    gate: bool,
    processes: int,
    quiet: bool,
    as_json: bool,
    **values: Any,
) -> int:
    """Adapt a checkpoint to DATA (files, a recipe or -); report whether it helped."""
    files = join_files(data)
    typed = typed_settings(values, assignments)
    if typed.get("titles") not in (None, "none"):
        typed["titles"] = read_titles(typed["titles"])
    asked: dict[str, Any] = {"dry_run": dry_run, "gate": gate, "as_json": as_json, "typed": typed}
    asked["how"] = {"fresh": fresh, "processes": processes}
    if tokenize is not None:
        others = {"--dry-run": dry_run, "--fresh": fresh, "--gate": gate, "--processes": processes > 1}
        _refuse_beside_tokenize(files, [option for option, given in others.items() if given])
        shard = Shard.parse(tokenize, option="--tokenize", what="texts")
        return _tokenize(files, shard, quiet=quiet, as_json=as_json, typed=typed)
    if is_chain(files):
        with Progress(quiet=quiet) as progress:
            return _chain(files, progress, **asked)
    keep_in = None if dry_run else Path(typed.get("out", "runs/run")).parent
    with (
        data_file(files, typed, keep_in=keep_in) as path,
        Progress(quiet=quiet) as progress,
        rows_reported(progress.reading),
    ):
        return _run(path, progress, **asked)


def _run(
    data: str,
    progress: Progress,
    *,
    dry_run: bool,
    gate: bool,
    as_json: bool,
    typed: dict[str, Any],
    how: dict[str, Any],
) -> int:
    if dry_run:
        recipe, _ = in_company(resolve(data, **typed), how["processes"])
        setup = prepare(recipe, report=progress.line, tokenize_at_most=EXAMPLES_TOKENIZED)
        expected = estimate(setup).to_json()
        show_result(expected, estimate_lines(expected), as_json=as_json)
        return 0
    run = adapt_to(data, **how, on_event=progress, **typed)
    scores = Scores.model_validate(run.scores)
    progress.clear()
    show_result(run.scores, verdict_lines(scores, run), as_json=as_json)
    return _gate(gate_failures(scores)) if gate else 0


def _refuse_beside_tokenize(data: str, others: list[str]) -> None:
    if others:
        raise UsageError(
            f"{others[0]} does not go with --tokenize, which makes token files alone; leave one of them out"
        )
    if data == STANDARD_INPUT:
        raise UsageError("--tokenize: what standard input gives is gone with the command; put the texts into a file")
    if is_chain(data):
        raise UsageError("--tokenize is for the texts of one step; give that step as a recipe of its own")


def _tokenize(data: str, shard: Shard, *, quiet: bool, as_json: bool, typed: dict[str, Any]) -> int:
    with Progress(quiet=quiet) as progress, rows_reported(progress.reading):
        every = make_tokens(resolve(data, **typed), shard)
    counts = [{"parts": len(each.folders), "made": each.made, "found": each.found} for each in every]
    lines = [_made_of(each) for each in every]
    nothing = "nothing to do: texts of less than 64 MiB are tokenized in memory, as a run begins"
    show_result({"token_files": counts}, lines or [nothing], as_json=as_json)
    return 0


def _made_of(parts: TokenParts) -> str:
    if not parts.folders:
        return "nothing to do: all these texts have been tokenized"
    return f"{count(parts.made, 'part')} made and {parts.found} found, of {len(parts.folders)} in all"


def _chain(
    path: str,
    progress: Progress,
    *,
    dry_run: bool,
    gate: bool,
    as_json: bool,
    typed: dict[str, Any],
    how: dict[str, Any],
) -> int:
    if dry_run:
        expected = estimate_chain(path, processes=how["processes"], on_event=progress, **typed).to_json()
        show_result(expected, chain_estimate_lines(expected), as_json=as_json)
        return 0
    record = adapt_chain(path, **how, on_event=progress, **typed)
    progress.clear()
    show_result(record, chain_lines(ChainRecord.model_validate(record)), as_json=as_json)
    return _gate([] if record["verdict"] == "HELPED" else [f"the verdict is {record['verdict']}"]) if gate else 0


def _gate(failures: list[str]) -> int:
    """Return the exit code of the gate, and say why it is closed."""
    if failures:
        remark(f"gate: {'; '.join(failures)}")
    return 1 if failures else 0
