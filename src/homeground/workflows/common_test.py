"""Two finished runs compared on the test that they have in common, from what each predicted for it when it was made."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from homeground.errors import DataError, UsageError
from homeground.evaluation.comparison import Circumstances, judge
from homeground.experiment.scoring import stored_measurements
from homeground.experiment.setup import Setup, prepare
from homeground.experiment.splits import words_decide
from homeground.recipe.recipe import make_recipe, read_recipe
from homeground.results.ledger import LEDGER_OF_COMPARISONS, count_verdict
from homeground.results.parts import TestSetRecord
from homeground.results.run import Run
from homeground.results.scores import Comparison
from homeground.results.summary import prose
from homeground.results.writing import judgement_fields
from homeground.storage import require_listed
from homeground.tasks.task import Measurement, MeasuresWords


@dataclass(frozen=True)
class TestedRun:
    """A finished run with its test read again, and what its adapted model scores there."""

    run: Run
    setup: Setup
    after: Measurement


def compare_runs(first: str, second: str) -> dict[str, Any]:
    """Return scores and verdict of two finished runs on their common test: HELPED where the second is better.

    The test is read again from the data files that the runs recorded; what both models predict for it they have stored.

    Raises:
        UsageError: one of them is no finished run, or their tests differ; the message says in what.
        DataError: a data file has changed since the run was made.
    """
    before, after = _open(first), _open(second)
    _refuse_unlike(before, after)
    seen = {"first": before.setup.overlap[0], "second": after.setup.overlap[0]}
    circumstances = Circumstances(
        overlap=seen["second"], overlap_before=seen["first"], sides=("for the first", "for the second")
    )
    # Both by the test of the first: what no training knew may be counted otherwise in the other run.
    measured = before.setup.test.measure_predictions(after.after.predictions)
    comparison = judge(before.setup.test, before.after, [measured], circumstances=circumstances)
    record = before.setup.record
    identities = [each.run.record["identity"] for each in (before, after)]
    fingerprint = hashlib.sha256(json.dumps(identities, sort_keys=True).encode()).hexdigest()
    number = count_verdict(
        LEDGER_OF_COMPARISONS,
        test_hash=record.test_hash,
        run=f"{first} against {second}",
        fingerprint=fingerprint,
    )
    result = Comparison(
        first=first,
        second=second,
        data=before.setup.recipe.data,
        understood=before.setup.task.info.description,
        **judgement_fields(comparison),
        seen_in_training=seen,
        set_aside={},
        cross_fit=record.split.folds,
        test_set=TestSetRecord(hash=record.test_hash, verdict_number=number),
    )
    return result.model_copy(update={"sentence": prose(result)}).to_json()


def _open(name: str) -> TestedRun:
    """Return a finished run with its test.

    Raises:
        UsageError: there is no finished run of this name, or its test was learned from.
        DataError: a file that it was made from, or one of its own, has changed.
    """
    run = Run(Path(name))
    if not run.finished:
        state = "is not a finished run" if run.folder.exists() else "there is no such run"
        raise UsageError(f"{name}: {state}; name two finished runs, or the DATA that both are to be compared on")
    setup = prepare_again(run, name, remedy="; name the DATA to compare on")
    if setup.nothing_left:
        raise UsageError(f"{name}: nearly all of its test was learned from; name the DATA to compare on")
    return TestedRun(run, setup, stored_measurements(setup)[1])


def prepare_again(run: Run, name: str, *, remedy: str = "", **settings: Any) -> Setup:
    """Return what a finished run was prepared from, read again; ``settings`` replace those of its recipe.

    Raises:
        DataError: a file that it was made from has changed.
    """
    recipe = read_recipe(require_listed(run.folder, "recipe.toml"))
    setup = prepare(make_recipe(recipe, out=name, audit=False, strict=False, **settings))
    recorded: dict[str, str] = run.record["identity"]["data"]
    for part, sha256 in setup.hashes.items():
        if recorded.get(part) != sha256:
            file = setup.recipe.data if part == "train" else f"the file of {part}"
            raise DataError(f"{name}: {file} has changed since this run was made{remedy}")
    return setup


def _refuse_unlike(first: TestedRun, second: TestedRun) -> None:
    """Refuse two runs whose tests are not the same, or whose scores are not of the same kind."""
    one, other = first.setup, second.setup
    names = first.run.folder, second.run.folder
    remedy = f"name the data: homeground compare {names[0]} {names[1]} DATA"
    for what, values in (
        ("task", (one.task.info.name, other.task.info.name)),
        ("metric of the verdict", (one.test.primary_metric, other.test.primary_metric)),
        ("number of test examples", (len(one.test), len(other.test))),
        ("folds", (one.record.split.folds or "none", other.record.split.folds or "none")),
    ):
        if values[0] != values[1]:
            raise UsageError(
                f"no common test: the {what} is {values[0]} in {names[0]} and {values[1]} in {names[1]}; {remedy}"
            )
    rows = [[example.row for example in each.corpus.test.examples] for each in (one, other)]
    if one.record.test_hash != other.record.test_hash or rows[0] != rows[1]:
        raise UsageError(f"no common test: {names[0]} and {names[1]} were tested on other examples; {remedy}")
    if _counts(one, first) != _counts(other, second):
        raise UsageError(
            f"no common test: {names[0]} and {names[1]} were asked other words, since their tokenizers do not know the "
            f"same; {remedy} --pll 5000"
        )
    refuse_other_tokens(one, other)
    if one.task.labels != other.task.labels:
        raise UsageError(f"no common test: {names[0]} and {names[1]} know other labels; {remedy}")


def refuse_other_tokens(one: Setup, other: Setup) -> None:
    """Refuse losses of masked tokens where these are not the same tokens.

    Raises:
        UsageError: the two models cut text into different tokens, and tokens decide.
    """
    tokenizers = {each.tokens.tokenizer.to_str() for each in (one, other)}
    if isinstance(one.task, MeasuresWords) and not words_decide(one.recipe) and len(tokenizers) > 1:
        raise UsageError(
            f'"{one.checkpoint.name}" and "{other.checkpoint.name}" cut text into different tokens, so that their '
            "losses cannot be compared; add --primary-metric word_loss, so that whole words decide"
        )


def _counts(setup: Setup, tested: TestedRun) -> list[float] | None:
    """Return how many words of each document were asked, where words decide; else None."""
    return tested.after.statistics[:, 0].tolist() if words_decide(setup.recipe) else None
