"""The story: read, clean, audit, split, measure, train, measure, compare, save, report."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from homeground.data.tokenized import tokenize
from homeground.engines import open_engine
from homeground.engines.model import Model
from homeground.errors import Stopped
from homeground.evaluation.bootstrap import own_intervals
from homeground.evaluation.comparison import compare
from homeground.evaluation.evaluate import embed, evaluate, mean_loss
from homeground.evaluation.general import GeneralSet
from homeground.preparation import Prepared, prepare
from homeground.recipe import Recipe, make_recipe, read_recipe
from homeground.reports.model_card import model_card
from homeground.reports.record import read_run
from homeground.reports.report import write_report
from homeground.run import Run, now, open_run, read_array, write_array, write_json, write_json_lines, write_text
from homeground.saving import save_model
from homeground.tasks.task import Measured, Metric, Side
from homeground.training import signals, train
from homeground.training.head import Head, fit_head, probabilities, vectors_of
from homeground.training.loggers import MetricsLog
from homeground.training.search import Search, Trial, draw_trials, search


@dataclass(frozen=True, slots=True)
class Note:
    """Something to tell the user while a run goes on."""

    text: str


Listener = Callable[[Note | train.Event], None]

FROZEN = "frozen.npy"
"""In the folder of a fold: what a regression on frozen embeddings predicts, beside what the models do."""


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
    ready = prepare(recipe, say=lambda text: tell(Note(text)))
    with open_run(ready.folder, ready.identity, fresh=fresh) as run:
        if not run.finished:
            _begin(run, ready)
            _carry_out(run, ready, tell)
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
    base, head = _open_before(ready, ready.train_rows, ready.validation_rows, tell)
    tell(Note(f"measuring before, on {len(ready.corpus.test)} test examples"))
    before = _measure(base, ready)
    general = GeneralSet.of(ready, ready.general)
    general_before = general and general.measure(base)

    crossed = _cross_fit(run, ready, before, tell) if ready.corpus.folds is not None else None
    found = _search(run, ready, before, tell, head) if ready.recipe.search.search else None
    chosen = ready if found is None else _with(ready, found.best)
    model, finished = _fit(chosen, run.folder, before, tell, ready.train_rows, ready.validation_rows, head)

    tell(Note(f"measuring after, on {len(ready.corpus.test)} test examples"))
    before, after = crossed or (before, _measure(model, ready))
    general_after = general and general.measure(model)
    baselines = _baselines(run, ready, base, head)
    scores = compare(ready, run, before, after, baselines, general, general_before, general_after)
    sides = (_side(base, before, ready), _side(model, after, ready))
    scores |= task.exhibits(ready.corpus.test.examples, ready.titles, *sides)
    scores["head"] = head and head.record
    scores["search"] = found and found.record()
    scores["training"] = {
        **_described(finished, chosen),
        "seconds": round(time.monotonic() - began, 1),
        **model.describe(),
    }
    write_json(run.folder / "scores.json", scores)
    write_json_lines(run.folder / "examples.jsonl", ready.example_lines(before, after))
    write_array(run.folder / "training_texts.npy", ready.learned_texts)

    save_model(model, ready, run.model_folder, card=model_card(read_run(run.folder)))
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


def _open(ready: Prepared, *, to_train: bool = False) -> Model:
    recipe = ready.recipe
    return open_engine(recipe.engine).open_model(
        ready.checkpoint,
        head=ready.task.head,
        loss=ready.task.loss,
        encoder=recipe.encoder,
        training=recipe.training if to_train else None,
        seed=recipe.seed,
        labels=ready.task.labels,
    )


def _open_before(ready: Prepared, rows: Any, validation: Any, tell: Listener) -> tuple[Model, Head | None]:
    """Return the model to compare with, and its head where that is new: fitted to convergence, so that it is fair."""
    base = _open(ready)
    if base.has_head:
        return base, None
    tell(Note("fitting the new head on frozen features"))
    recipe = ready.recipe
    head = fit_head(base, ready.task, rows, validation, seed=recipe.seed, size=recipe.evaluation.evaluation_batch_size)
    base.set_head(head.variant, head.outer.weight, head.outer.bias)
    return base, head


def _measure(model: Model, ready: Prepared) -> Measured:
    return evaluate(model, ready.task, ready.test_rows, batch_size=ready.recipe.evaluation.evaluation_batch_size)


def _baselines(run: Run, ready: Prepared, base: Model, head: Head | None) -> dict[str, NDArray[np.float64]]:
    """Return what cheap methods predict for the test examples, fold by fold where these are cross-fitted."""
    corpus, task = ready.corpus, ready.task
    if corpus.folds is None:
        return task.baselines(corpus.train.examples, corpus.test.examples) | _frozen(base, ready, head)
    assembled: dict[str, NDArray[np.float64]] = {}
    for fold in range(int(corpus.folds.max()) + 1):
        learned, _, held_out = corpus.fold(fold, ready.recipe)
        found = task.baselines(learned.examples, corpus.test.examples)
        kept = run.folder / "folds" / str(fold + 1) / FROZEN
        if kept.is_file():
            found["frozen embeddings"] = read_array(kept)
        for name, given in found.items():
            assembled.setdefault(name, np.full_like(given, np.nan))[held_out] = given[held_out]
    return assembled


def _frozen(base: Model, ready: Prepared, head: Head | None) -> dict[str, NDArray[np.float64]]:
    """Return what a regression on frozen embeddings predicts for the test examples; nothing without a new head."""
    if head is None:
        return {}
    size = ready.recipe.evaluation.evaluation_batch_size
    vectors = vectors_of(base, ready.task, ready.test_rows, size=size)["mean"]
    several = ready.task.loss == "binary_cross_entropy"
    return {"frozen embeddings": probabilities(head.frozen, vectors, several=several)}


def _side(model: Model, measured: Measured, ready: Prepared) -> Side:
    """Return what is shown of one model: its scores, its embeddings, and intervals of further metrics."""
    evaluation = ready.recipe.evaluation
    size, nodes = evaluation.evaluation_batch_size, ready.corpus.test.units.nodes

    def encode(texts: list[str]) -> NDArray[np.float32]:
        return embed(model, tokenize(texts, ready.tokenizer), padding=ready.padding, batch_size=size)

    def intervals(metrics: Sequence[Metric]) -> list[tuple[float, float]]:
        seed, draws = ready.recipe.seed, evaluation.bootstrap_draws
        return own_intervals(measured.statistics, metrics, nodes, seed=seed, draws=draws)

    return Side(measured, encode, intervals)


def _fit(
    ready: Prepared, home: Path, before: Measured, tell: Listener, train_rows: Any, validation: Any, head: Head | None
) -> tuple[Model, train.Finished]:
    """Train one model under ``home``, going on from its checkpoints; Ctrl-C and SIGTERM save first."""
    model = _open(ready, to_train=True)
    if head is not None:
        model.set_head(head.variant, head.outer.weight, head.outer.bias)

    log = MetricsLog(home)
    try:
        with signals.Signals() as stop:
            for event in train.train(
                model,
                ready.task,
                train_rows,
                ready.recipe,
                home=home,
                evaluate=None if validation is None else lambda model: _validate(model, ready, validation),
                stop=stop,
                fingerprint=ready.fingerprint(before),
            ):
                log(event)
                tell(event)
                if isinstance(event, train.Finished):
                    return model, event
                if isinstance(event, train.Stopped):
                    raise Stopped(
                        f"stopped after step {event.step}, and saved; the same command goes on from there",
                        signal_number=event.signal_number,
                    )
    finally:
        log.close()
    raise AssertionError("a training ends with Finished or Stopped")


def _validate(model: Model, ready: Prepared, validation: Any) -> dict[str, float]:
    """Return the loss and the metrics of a model on validation rows, by the names of metrics.jsonl."""
    recipe, task = ready.recipe, ready.task
    scores = evaluate(model, task, validation, batch_size=recipe.evaluation.evaluation_batch_size).scores
    known = scores.get(task.loss_metric) if task.loss_metric else None
    loss = mean_loss(model, task, validation, batch_size=recipe.training.batch_size) if known is None else known
    return {"validation/loss": loss} | {f"validation/{name}": value for name, value in scores.items()}


def _search(run: Run, ready: Prepared, before: Measured, tell: Listener, head: Head | None) -> Search:
    """Try settings on the validation split and bring the best training into the run; the test set is not asked."""
    recipe, task = ready.recipe, ready.task
    monitor = train.monitored(task, recipe, validated=True)

    def attempt(trial: Trial, home: Path) -> float:
        rows, validation = ready.train_rows, ready.validation_rows
        model, _ = _fit(_with(ready, trial), home, before, tell, rows, validation, head)
        # What the weights that are kept score, whichever of them --keep says, and however often the trial was resumed.
        return _validate(model, ready, validation).get(monitor, math.nan)

    return search(
        draw_trials(recipe),
        run,
        attempt,
        metric=monitor,
        greater_is_better=train.greater_is_better(task, monitor),
        minutes=recipe.search.search_minutes,
        say=lambda text: tell(Note(text)),
    )


def _with(ready: Prepared, trial: Trial) -> Prepared:
    training = {"learning_rate": trial.learning_rate, "epochs": trial.epochs}
    return replace(ready, recipe=ready.recipe.with_training(**training))


def _cross_fit(run: Run, ready: Prepared, before: Measured, tell: Listener) -> tuple[Measured, Measured]:
    """Return before and after when every example is measured by models that learned from the other folds only.

    Of the models before only a fitted head has learned anything, so where there is none ``before`` stays as it is.
    """
    assert ready.corpus.folds is not None
    predictions = np.full((2, *before.predictions.shape), np.nan)
    folds = int(ready.corpus.folds.max()) + 1
    for fold in range(folds):
        home = run.folder / "folds" / str(fold + 1)
        kept = home / "predictions.npy"
        if not kept.is_file():
            tell(Note(f"fold {fold + 1} of {folds}"))
            rows = ready.fold_rows(fold)
            base, head = _open_before(ready, *rows, tell)
            own_before = before if head is None else _measure(base, ready)
            model, _ = _fit(ready, home, own_before, tell, *rows, head)
            for frozen in _frozen(base, ready, head).values():
                write_array(home / FROZEN, frozen)
            write_array(kept, np.stack([own_before.predictions, _measure(model, ready).predictions]))
            run.remove_checkpoints(home)
        held_out = ready.corpus.folds == fold
        predictions[:, held_out] = read_array(kept)[:, held_out]
    first, second = (ready.task.measure(ready.test_rows, side) for side in predictions)
    return first, second
