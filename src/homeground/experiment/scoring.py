"""What the trainings measured becomes scores.json and examples.jsonl."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from homeground.engines.model import KnowsPeak, MaskedHead, Model
from homeground.errors import DataError, RunConflict
from homeground.evaluation.comparison import Circumstances, judge, judge_general
from homeground.evaluation.evaluate import embed
from homeground.experiment.cross_fitting import AS_READ, PREDICTIONS, baseline_predictions, fold_weights
from homeground.experiment.learning_curve import learning_curve
from homeground.experiment.outcome import BeforeAndAfter, Outcome
from homeground.experiment.setup import Setup
from homeground.recipe.lora import lora_settings
from homeground.results.ledger import count_verdict
from homeground.results.parts import LoraRecord, TestSetRecord, TrainingRecord, WordsRecord
from homeground.results.run import Run
from homeground.results.scores import Scores
from homeground.results.summary import prose
from homeground.results.writing import (
    calibration_record,
    general_record,
    interval_record,
    judgement_fields,
    merging_record,
)
from homeground.storage import read_array, require_listed
from homeground.tasks.task import Batch, MeasuredModel, Measurement, Metric
from homeground.training.events import Pace

SHORTEST_PACE = 5.0
"""Seconds that steps must have taken for their share of the machine's peak to mean something."""


def make_scores(run: Run, setup: Setup, outcome: Outcome) -> Scores:
    """Return scores.json of a run, its verdict counted in the ledger beside it."""
    kept, merged, calibration = outcome.kept, outcome.kept.merged, outcome.kept.calibration
    predictions = baseline_predictions(run, setup, outcome.baseline)
    number, folds = _verdict_number(run, setup), setup.corpus.summary.split.folds
    comparison = judge(
        setup.test,
        outcome.before,
        [outcome.after, *outcome.further_seeds],
        {name: setup.test.measure_predictions(values) for name, values in predictions.items()},
        Circumstances(
            left_out=outcome.left_out,
            overlap=setup.overlap[0],
            overlap_before=setup.overlap[1],
            unchanged=merged is not None and merged.chosen.weight == 0,
        ),
    )
    sides = _side(outcome.baseline.model, outcome.before, setup), _side(kept.model, outcome.after, setup)
    general = outcome.general and judge_general(
        outcome.general.examples,
        outcome.general.before,
        outcome.general.after,
        margin=setup.recipe.evaluation.general_margin or outcome.general.examples.task.info.margin,
        seen=setup.general_contamination.kept,
    )
    scores = Scores(
        **judgement_fields(comparison),
        test_set=TestSetRecord(hash=setup.record.test_hash, verdict_number=number),
        seen_in_training=len(setup.contamination.rows),
        cross_fit=folds,
        general=general and general_record(general, left_out=setup.general_contamination.left_out),
        **setup.task.report_details(setup.test_examples, setup.recipe.evaluation.titles, *sides),
        words=outcome.words and _words(outcome.words),
        head=outcome.baseline.head and outcome.baseline.head.record,
        search=outcome.search,
        merging=merged and merging_record(merged, fold_weights(run, setup)),
        calibration=calibration
        and calibration_record(
            setup.test, calibration, outcome.tested, outcome.baseline.calibration, outcome.tested_before
        ),
        learning_curve=learning_curve(setup, outcome.shares, outcome.before, outcome.after, predictions),
        training=_training(setup, outcome),
    )
    return scores.model_copy(update={"sentence": prose(scores)})


def stored_measurements(setup: Setup) -> tuple[Measurement, Measurement]:
    """Return what a finished run measured on its test, before and after, from the predictions it stored.

    Raises:
        RunConflict: it stored none, as runs of an earlier version.
        DataError: they do not give the scores that the run reports, so one of its files was changed.
    """
    path = setup.folder / PREDICTIONS
    for each in [path, *([] if setup.test_as_read is None else [setup.folder / AS_READ])]:
        if not require_listed(setup.folder, each.name).is_file():
            raise RunConflict(f"{each} is missing, as in runs of an earlier version; make the run again with --fresh")
    before, after = (setup.test.measure_predictions(predictions) for predictions in read_array(path))
    name, reported = setup.test.primary_metric, Run(setup.folder).scores
    for side, measured in (("before", before), ("after", after)):
        score, known = measured.scores.get(name, math.nan), reported[side].get(name)
        if known is not None and not math.isclose(score, known, rel_tol=1e-9, abs_tol=1e-12):
            raise DataError(
                f"{path}: gives {name} {score:.6g} {side}, and scores.json reports {known:.6g}; one of the two was "
                "changed, or the data was; make the run again with --fresh"
            )
    return before, after


def example_lines(setup: Setup, outcome: Outcome) -> list[dict[str, Any]]:
    """Return the lines of examples.jsonl: every test example with what was predicted, before and after.

    Those that are left out of the verdict say so.
    """
    read, left_out, lines = setup.corpus.as_read.test, outcome.left_out, []
    place_of = {example.identity: place for place, example in enumerate(setup.corpus.test.examples)}
    for index, example in enumerate(read.examples):
        measured, place = (outcome.before, outcome.after), place_of.get(example.identity)
        if place is None and left_out is not None:
            measured = left_out.before, left_out.after
        before, after = (side.predictions[index if place is None else place] for side in measured)
        line = {"row": example.row, "unit": example.group or str(read.units.units[index])}
        line |= {"left_out": True} if place is None else {}
        lines.append(line | setup.task.example_line(example, before, after))
    return lines


def _verdict_number(run: Run, setup: Setup) -> int:
    """Count the verdict in the ledger beside the run, and return which one it is on this test set."""
    fingerprint = hashlib.sha256(json.dumps(setup.identity, sort_keys=True).encode()).hexdigest()
    return count_verdict(
        run.folder.parent, test_hash=setup.record.test_hash, run=run.folder.name, fingerprint=fingerprint
    )


def _number(how: Mapping[str, str], name: str) -> int | None:
    return int(how[name]) if name in how else None


def _lora(text: str | None, how: Mapping[str, str]) -> LoraRecord | None:
    if text is None:
        return None
    lora = lora_settings(text)
    layers = tuple(how["adapted"].split(", "))
    return LoraRecord(r=lora.r, alpha=lora.alpha, dropout=lora.dropout, layers=layers)


def _training(setup: Setup, outcome: Outcome) -> TrainingRecord:
    finished, settings = outcome.kept.finished, setup.recipe.training
    keep, pace = settings.keep, finished.pace
    how = outcome.kept.tuned.describe()
    record = TrainingRecord(
        learning_rate=outcome.settings.learning_rate,
        epochs=finished.epoch,
        steps=finished.step,
        best_step=finished.best_step if keep == "best" else None,
        stopped_because=finished.reason,
        keep=keep,
        seconds=round(outcome.seconds, 1),
        items_per_second=round(pace.items / pace.seconds, 2) if pace.items else None,
        matrix_share=_matrix_share(pace, outcome.kept.tuned),
        device=how.get("device", ""),
        precision=how.get("precision", ""),
        threads=how.get("threads", ""),
        parameters=_number(how, "parameters"),
        trained_parameters=_number(how, "trained_parameters"),
        freeze=None if settings.freeze == "none" else str(settings.freeze),
        lora=_lora(settings.lora, how),
    )
    return record if finished.microbatch is None else record.model_copy(update={"microbatch": finished.microbatch})


def _matrix_share(pace: Pace, model: Model) -> float | None:
    """Return which share of the machine's peak a training has used; None where it was too short to tell."""
    if pace.seconds < SHORTEST_PACE or not pace.operations or not isinstance(model, KnowsPeak):
        return None
    return round(pace.operations / pace.seconds / model.matrix_peak(), 3)


def _words(words: BeforeAndAfter) -> WordsRecord:
    metric, known = words.examples.primary_metric, words.examples.rows.known
    return WordsRecord(
        words=int(known.sum()),
        unknown=int((~known).sum()),
        before=words.before.scores[metric],
        after=words.after.scores[metric],
        difference=interval_record(words.examples.difference(words.before, words.after)),
    )


def _side(model: Model, measurement: Measurement, setup: Setup) -> MeasuredModel:
    """Return what is shown of one model: its scores, its embeddings, and intervals of further metrics."""
    size = setup.recipe.evaluation.evaluation_batch_size

    def encode(texts: list[str]) -> NDArray[np.float32]:
        return embed(model, setup.tokens.tokenize(texts), padding=setup.tokens.padding, batch_size=size)

    def fill(batch: Batch, count: int) -> Batch:
        head = model.head
        assert isinstance(head, MaskedHead)
        return head.fill(batch, count)

    def intervals(metrics: Sequence[Metric]) -> list[tuple[float | None, float | None]]:
        return setup.test.score_intervals(measurement, metrics)

    return MeasuredModel(measurement, model.predict, fill, encode, intervals, setup.corpus.test.units.units)
