"""The story: read, clean, audit, split, measure, train, measure, compare, save, report."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from homeground.data.tokenized import tokenize
from homeground.engines.model import Model
from homeground.evaluation.calibration import record
from homeground.evaluation.comparison import compare
from homeground.evaluation.evaluate import embed
from homeground.evaluation.general import GeneralSet
from homeground.evaluation.words import WordSet
from homeground.experiment.head import NewHead
from homeground.experiment.label_next import label_next
from homeground.experiment.learning_curve import learn_shares, learning_curve
from homeground.experiment.preparation import Prepared, prepare
from homeground.experiment.saving import save_model
from homeground.experiment.seeds import learn_seeds
from homeground.experiment.training_run import (
    FROZEN,
    PREDICTIONS,
    Listener,
    Note,
    calibrate,
    cross_fit,
    fit,
    fold_home,
    fold_weights,
    frozen_embeddings,
    keep_general,
    measure,
    measure_calibrated,
    open_before,
    search_settings,
    with_trial,
)
from homeground.recipe.recipe import Recipe, make_recipe, read_recipe
from homeground.reports.model_card import model_card
from homeground.reports.report import write_report
from homeground.results.record import read_run
from homeground.results.run import Run, open_run
from homeground.statistics.bootstrap import own_intervals
from homeground.storage import now, read_array, write_array, write_json, write_json_lines, write_text
from homeground.tasks.task import Measured, Metric, Side, Split
from homeground.training import train


def adapt(
    data: str | Path | None = None, /, *, fresh: bool = False, listen: Listener | None = None, **settings: Any
) -> Run:
    """Adapt a checkpoint to a file of examples, and prove whether it helped.

    ``data`` is a file (CSV, TSV, JSON, JSON Lines, each also with .gz) or a recipe in TOML; ``settings`` are the fields
    of the recipe by name, e.g. ``checkpoint="minilm", epochs=2``. The same call again goes on where the last one
    stopped, and returns a finished run as it is; ``fresh`` moves it aside and starts anew. ``listen`` is told what
    happens.

    Raises:
        HomegroundError: errors.py lists what can go wrong.
    """
    recipe = resolve(data, **settings)
    tell = listen or (lambda _: None)
    return follow(prepare(recipe, say=lambda text: tell(Note(text))), tell, fresh=fresh)


def follow(ready: Prepared, tell: Listener, *, fresh: bool = False) -> Run:
    """Carry out what was prepared, from where an earlier call stopped, and return the finished run."""
    with open_run(ready.folder, ready.identity, fresh=fresh) as run:
        if not run.finished:
            _begin(run, ready)
            _carry_out(run, ready, tell)
        label_next(run, ready, tell)
        return run


def resolve(data: str | Path | None = None, /, **settings: Any) -> Recipe:
    """Return the recipe of a data file or a TOML file overlaid by settings, another ``data`` for a recipe included."""
    source = settings.pop("data", None) if data is None else data
    if source is not None and Path(source).suffix.lower() == ".toml":
        return make_recipe(read_recipe(source), **settings)
    return make_recipe({}, **(settings if source is None else {"data": str(source), **settings}))


def _begin(run: Run, ready: Prepared) -> None:
    """Write what is known before the first step."""
    write_text(run.folder / "recipe.toml", ready.recipe.to_toml(run.folder))
    write_json(run.folder / "data.json", ready.record)
    write_json_lines(run.folder / "splits.jsonl", ready.split_lines)


def _carry_out(run: Run, ready: Prepared, tell: Listener) -> None:
    """Measure, train, measure, compare, save, report."""
    began = time.monotonic()
    task = ready.task
    base, head = open_before(ready, ready.lesson, tell, run.folder)
    tell(Note(f"measuring before, on {len(ready.corpus.test)} test examples"))
    before = measure(base, ready)
    general = GeneralSet.of(ready, ready.general) if head is None or head.keeps_general else None
    general_before = general and general.measure(base)
    words = WordSet.of(ready)
    words_before = words and words.measure(base)

    crossed = cross_fit(run, ready, before, tell) if ready.corpus.folds is not None else None
    found = search_settings(run, ready, before, tell, head)
    chosen = ready if found is None else with_trial(ready, found.best)
    shares = learn_shares(run, chosen, before, tell)
    others = learn_seeds(run, chosen, base, before, tell, head)
    tuned, finished = fit(chosen, run.folder, before, tell, ready.lesson, head)
    merged = keep_general(ready, base, tuned, tell, ready.lesson)
    model = merged.model if merged else tuned
    calibration = calibrate(ready, model, tell, ready.lesson)

    tell(Note(f"measuring after, on {len(ready.corpus.test)} test examples"))
    before, tested = crossed or (before, measure_calibrated(model, ready, calibration))
    after = tested.after
    general_after = general and general.measure(model)
    unchanged = merged is not None and merged.chosen.weight == 0
    baselines = _baselines(run, ready, base, head)
    afters = [after, *others]
    scores = compare(ready, run, before, afters, baselines, general, general_before, general_after, unchanged=unchanged)
    sides = (_side(base, before, ready), _side(model, after, ready))
    scores |= task.exhibits(ready.test_split, ready.titles, *sides)
    scores["words"] = words and words_before and words.record(words_before, words.measure(model))
    scores["head"] = head and head.record
    scores["search"] = found and found.record()
    scores["merging"] = merged and {**merged.record(), "fold_weights": fold_weights(run, ready)}
    scores["calibration"] = calibration and record(calibration, tested)
    scores["learning_curve"] = learning_curve(ready, shares, before, after, baselines)
    scores["training"] = {
        **_described(finished, chosen),
        "seconds": round(time.monotonic() - began, 1),
        **tuned.describe(),
    }
    write_json(run.folder / "scores.json", scores)
    write_array(run.folder / PREDICTIONS, np.stack([before.predictions, after.predictions]))
    write_json_lines(run.folder / "examples.jsonl", ready.example_lines(before, after))
    write_array(run.folder / "training_texts.npy", ready.learned_texts)

    known = calibration.settings() if calibration else {}
    save_model(model, ready, run.model_folder, card=model_card(read_run(run.folder)), known=known)
    run.write_record(finished=now())
    write_report(run.folder)
    run.write_record(state="finished")
    run.remove_checkpoints()


def _described(finished: train.Finished, ready: Prepared) -> dict[str, Any]:
    keep = ready.recipe.training.keep
    return {
        "learning_rate": ready.recipe.training.learning_rate,
        "epochs": finished.epoch,
        "steps": finished.step,
        "best_step": finished.best_step if keep == "best" else None,
        "stopped_because": finished.reason,
        "keep": keep,
    }


def _baselines(run: Run, ready: Prepared, base: Model, head: NewHead | None) -> dict[str, NDArray[np.float64]]:
    """Return what cheap methods predict for the test examples, fold by fold where these are cross-fitted."""
    corpus, task = ready.corpus, ready.task
    if corpus.folds is None:
        learned = Split(corpus.train.examples, lambda: ready.lesson.train)
        return task.baselines(learned, ready.test_split) | frozen_embeddings(base, ready, head)
    assembled: dict[str, NDArray[np.float64]] = {}
    for fold in range(corpus.number_of_folds):
        learned, _, held_out = corpus.fold(fold, ready.recipe)
        found = task.baselines(ready.split(learned.examples), ready.test_split)
        kept = fold_home(run, fold) / FROZEN
        if kept.is_file():
            found["frozen embeddings"] = read_array(kept)
        for name, given in found.items():
            assembled.setdefault(name, np.full_like(given, np.nan))[held_out] = given[held_out]
    return assembled


def _side(model: Model, measured: Measured, ready: Prepared) -> Side:
    """Return what is shown of one model: its scores, its embeddings, and intervals of further metrics."""
    evaluation = ready.recipe.evaluation
    size, nodes = evaluation.evaluation_batch_size, ready.corpus.test.units.nodes

    def encode(texts: list[str]) -> NDArray[np.float32]:
        return embed(model, tokenize(texts, ready.tokenizer), padding=ready.padding, batch_size=size)

    def intervals(metrics: Sequence[Metric]) -> list[tuple[float | None, float | None]]:
        seed, draws = ready.recipe.seed, evaluation.bootstrap_draws
        return own_intervals(measured.statistics, metrics, nodes, seed=seed, draws=draws)

    return Side(measured, model, encode, intervals, ready.corpus.test.units.units)
