"""One or two models on a file of examples, without training: ``homeground evaluate`` and ``homeground compare``.

Deploy the base first, adapt only if the numbers ask for it: both take untouched checkpoints as well as runs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from homeground.checkpoint import (
    Checkpoint,
    classes_of,
    learned_texts,
    load_tokenizer,
    mask_id,
    open_checkpoint,
    padding_id,
    read_settings,
    require_encoder,
)
from homeground.data.corpus import Part, link, read_file, seen_before
from homeground.data.documents import Document
from homeground.data.examples import set_hash
from homeground.data.tables import Table
from homeground.engines import open_engine
from homeground.engines.model import Model
from homeground.errors import CheckpointError, DataError, UsageError
from homeground.evaluation.comparison import Resampling, described, judge
from homeground.evaluation.evaluate import evaluate as evaluate_model
from homeground.recipe.recipe import Recipe, make_recipe
from homeground.results.ledger import count_verdict
from homeground.statistics.bootstrap import own_interval
from homeground.tasks import choose_task
from homeground.tasks.classification.classification import Classification
from homeground.tasks.mlm.mlm import BLOCK, MaskedLanguageModelling
from homeground.tasks.mlm.pseudo_likelihood import PseudoLikelihood, draw_words
from homeground.tasks.similarity import Similarity
from homeground.tasks.task import Measured, Task

LEDGER = Path("runs")
"""The folder of the ledger that counts the verdicts of ``compare``, as those of ``adapt`` are counted."""


@dataclass(frozen=True)
class TestSet:
    """A file of examples, all of them to be measured."""

    recipe: Recipe
    table: Table
    task: Task
    part: Part
    set_aside: dict[str, int]


def evaluate(source: str, data: str, **settings: Any) -> dict[str, Any]:
    """Return what a run or checkpoint scores on a file, with the interval of the deciding metric.

    ``settings`` say how the file is written and which column is which. ``seen_in_training`` counts the examples the
    run learned from, earlier runs included; of checkpoints made elsewhere that cannot be known.
    """
    checkpoint = open_checkpoint(source)
    test = _labelled(_read(data, settings, [checkpoint]), [checkpoint])
    measured, seen = _measure(checkpoint, test)
    metric = test.task.primary_metric
    interval = own_interval(
        measured.statistics,
        test.task.metrics[metric],
        test.part.units.nodes,
        seed=test.recipe.seed,
        draws=test.recipe.evaluation.bootstrap_draws,
    )
    return {
        "version": 1,
        "checkpoint": source,
        "data": data,
        "understood": test.task.understood(),
        "primary_metric": metric,
        "scores": measured.scores,
        "interval": {
            "metric": metric,
            **described(interval, test.task.too_rare(metric, measured, test.part.units)),
        },
        "test_examples": len(test.part),
        "test_units": interval.units,
        "unit": test.part.units.rule,
        "seen_in_training": seen,
        "set_aside": test.set_aside,
    }


def compare(first: str, second: str, data: str, **settings: Any) -> dict[str, Any]:
    """Return scores and verdict of two runs or checkpoints on a file: HELPED where the second is better.

    Each is compared by its own similarity (a run remembers whether it learned angles or cosines); classifiers must
    have the same labels. Examples that a model learned from block a verdict in its favour, and the verdict is counted
    in the ledger in runs/.
    """
    checkpoints = [open_checkpoint(name) for name in (first, second)]
    test = _labelled(_read(data, settings, checkpoints), checkpoints)
    words = _words(test, checkpoints)
    (before, seen_1), (after, seen_2) = words or (_measure(checkpoint, test) for checkpoint in checkpoints)
    fingerprint = "-".join(checkpoint.sha256 for checkpoint in checkpoints)
    test_hash = set_hash(test.part.examples)
    number = count_verdict(LEDGER, test_hash=test_hash, run=f"{first} against {second}", fingerprint=fingerprint)
    scores = judge(
        PseudoLikelihood() if words else test.task,
        test.part,
        before,
        after,
        Resampling(test.recipe.seed, test.recipe.evaluation.bootstrap_draws),
        overlap=seen_2,
        overlap_before=seen_1,
        verdict_number=number,
    )
    test_notes = {"set_aside": test.set_aside}
    names = {"first": first, "second": second, "data": data, "understood": test.task.understood()}
    seen = {"seen_in_training": {"first": seen_1, "second": seen_2}}
    return {**names, **scores, **seen, **test_notes, "test_set": {"hash": test_hash, "verdict_number": number}}


def _read(data: str, settings: dict[str, Any], checkpoints: list[Checkpoint]) -> TestSet:
    # Of a file with texts and labels, what the models fill in is the texts.
    if {read_settings(checkpoint.folder / "homeground.json").get("task") for checkpoint in checkpoints} == {"mlm"}:
        settings = {"task": "mlm", **settings}
    recipe = make_recipe({}, data=data, **settings)
    table = read_file(data, recipe)
    task = choose_task(table, recipe)
    read = task.read(table)
    examples = read.examples
    if len(examples) < 2:
        raise DataError(f"{data}: {len(examples)} rows can be measured of {len(table.rows)}; expected at least 2")
    set_aside = {reason: len(rows) for reason, rows in read.set_aside.items()}
    return TestSet(recipe, table, task, Part(examples, link(examples)), set_aside)


def _measure(checkpoint: Checkpoint, test: TestSet) -> tuple[Measured, int]:
    """Return what a checkpoint scores, and how many of the examples it learned from."""
    require_encoder(checkpoint)
    task, examples = test.task, test.part.examples
    own = read_settings(checkpoint.folder / "homeground.json")
    if isinstance(task, Similarity) and task.scored and own.get("similarity") == "cosine":
        task = replace(task, loss="cosine_mse")
        # The scale of the given scores follows from how embeddings are compared.
        examples = task.read(test.table).examples
    if isinstance(task, Classification):
        task = replace(task, truncation=own.get("truncation", task.truncation))
    if isinstance(task, MaskedLanguageModelling):
        task = task.settled({}, checkpoint)
    usual = min(BLOCK, checkpoint.max_length) if task.head == "masked_lm" else checkpoint.max_length
    max_length = test.recipe.encoder.max_length or usual
    tokenizer = load_tokenizer(checkpoint, max_length=max_length)
    rows = task.tokenize(examples, tokenizer, padding_id(checkpoint, tokenizer))
    model = open_engine(test.recipe.engine).open_model(
        checkpoint, head=task.head, encoder=test.recipe.encoder, labels=task.labels
    )
    if isinstance(task, MaskedLanguageModelling):
        _refuse_new_head(checkpoint, model)
    measured = evaluate_model(model, task, rows, batch_size=test.recipe.evaluation.evaluation_batch_size)
    return measured, int(seen_before(test.part.examples, learned_texts(checkpoint)).sum())


def _words(test: TestSet, checkpoints: list[Checkpoint]) -> list[tuple[Measured, int]] | None:
    """Return what checkpoints lose on the same words, where that is asked; None where all tokens are compared.

    Raises:
        UsageError: losses of tokens are asked for where these are not the same tokens.
    """
    task, asked = test.task, test.recipe.evaluation
    if not isinstance(task, MaskedLanguageModelling):
        if asked.pll:
            raise UsageError(f"--pll {asked.pll} fills in words of plain texts; name the column with --task mlm --text")
        return None
    tokenizers = [load_tokenizer(checkpoint, max_length=BLOCK) for checkpoint in checkpoints]
    if not asked.pll:
        if len({tokenizer.to_str() for tokenizer in tokenizers}) > 1:
            first, second = (checkpoint.name for checkpoint in checkpoints)
            raise UsageError(
                f'"{first}" and "{second}" cut text into different tokens, so that their losses cannot be compared; '
                "add --pll 2000 to compare what they make of the same words"
            )
        return None
    documents = cast(list[Document], test.part.examples)
    words = draw_words(documents, asked.pll, seed=test.recipe.seed)
    rows = [
        PseudoLikelihood().tokenize(
            words,
            tokenizer,
            documents=len(documents),
            mask=mask_id(checkpoint),
            padding=padding_id(checkpoint, tokenizer),
            longest=min(BLOCK, checkpoint.max_length),
        )
        for checkpoint, tokenizer in zip(checkpoints, tokenizers, strict=True)
    ]
    # A word that one of them does not know is asked of neither.
    known = np.logical_and.reduce([own.known for own in rows])
    found: list[tuple[Measured, int]] = []
    for checkpoint, own in zip(checkpoints, rows, strict=True):
        model = open_engine(test.recipe.engine).open_model(checkpoint, head=task.head)
        _refuse_new_head(checkpoint, model)
        size = asked.evaluation_batch_size
        measured = evaluate_model(model, PseudoLikelihood(), own.only(known), batch_size=size)
        found.append((measured, int(seen_before(documents, learned_texts(checkpoint)).sum())))
    return found


def _refuse_new_head(checkpoint: Checkpoint, model: Model) -> None:
    if model.head.is_new:
        raise CheckpointError(
            f'"{checkpoint.name}" has no trained head for masked words, so it fills in none; adapt it to plain texts '
            "first, or name a run that was"
        )


def _labelled(test: TestSet, checkpoints: list[Checkpoint]) -> TestSet:
    """Return the test set with the labels of the checkpoints, where it is one of labelled texts.

    Raises:
        CheckpointError: a checkpoint gives no labels, or others than the first.
        DataError: the examples have none of these labels, or several a text where the model gives one.
    """
    task = test.task
    if not isinstance(task, Classification):
        return test
    known = [classes_of(checkpoint) for checkpoint in checkpoints]
    for checkpoint, classes in zip(checkpoints, known, strict=True):
        if not classes:
            raise CheckpointError(
                f'"{checkpoint.name}" gives no labels, so there is nothing to measure on labelled texts; adapt it '
                "first, or name a run that classifies"
            )
        if classes != known[0]:
            raise CheckpointError(
                f'"{checkpoint.name}" gives other labels than "{checkpoints[0].name}"; both must know the same ones, '
                "in one order"
            )
    several = {checkpoint.config.get("problem_type") == "multi_label_classification" for checkpoint in checkpoints}
    if len(several) > 1 or (task.several and several == {False}):
        raise DataError(f"{test.recipe.data}: one side has one label a text, the other several; compare like with like")
    if several == {True} and not task.several:
        task = replace(task, loss="binary_cross_entropy", primary_metric="macro_f1")
    return replace(test, task=task.for_labels(known[0], test.part.examples))
