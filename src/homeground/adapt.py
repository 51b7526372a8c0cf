"""The story: read, clean, audit, split, measure, train, measure, compare, save, report."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from homeground.data.tokenized import tokenize
from homeground.engines import open_engine
from homeground.engines.model import Model
from homeground.errors import Stopped
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
from homeground.tasks.task import Measured
from homeground.training import signals, train
from homeground.training.loggers import MetricsLog


@dataclass(frozen=True, slots=True)
class Note:
    """Something to tell the user while a run goes on."""

    text: str


Listener = Callable[[Note | train.Event], None]


def adapt(
    data: str | Path | None = None, *, fresh: bool = False, listen: Listener | None = None, **settings: Any
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


def resolve(data: str | Path | None = None, **settings: Any) -> Recipe:
    """Return the recipe of a data file or a TOML file overlaid by settings."""
    if data is not None and Path(data).suffix.lower() == ".toml":
        return make_recipe(read_recipe(data), **settings)
    return make_recipe({}, **({} if data is None else {"data": str(data)}), **settings)


def _begin(run: Run, ready: Prepared) -> None:
    """Write what is known before the first step."""
    write_text(run.folder / "recipe.toml", ready.recipe.to_toml(run.folder))
    write_json(run.folder / "data.json", ready.record)
    write_json_lines(run.folder / "splits.jsonl", ready.split_lines)


def _carry_out(run: Run, ready: Prepared, tell: Listener) -> None:
    """Measure, train, measure, compare, save, report."""
    began = time.monotonic()
    task = ready.task
    base = _open(ready)
    tell(Note(f"measuring before, on {len(ready.corpus.test)} test examples"))
    before = _measure(base, ready)
    general = GeneralSet.of(ready)
    general_before = general and general.measure(base)

    assembled = _cross_fit(run, ready, before, tell) if ready.corpus.folds is not None else None
    model, finished = _fit(ready, run.folder, before, tell, ready.train_rows, ready.validation_rows)

    tell(Note(f"measuring after, on {len(ready.corpus.test)} test examples"))
    after = assembled or _measure(model, ready)
    general_after = general and general.measure(model)
    scores = compare(ready, run, before, after, general, general_before, general_after)
    scores |= task.exhibits(ready.corpus.test.examples, ready.titles, _encoder(base, ready), _encoder(model, ready))
    scores["training"] = {
        **_described(finished, ready),
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
    )


def _measure(model: Model, ready: Prepared) -> Measured:
    return evaluate(model, ready.task, ready.test_rows, batch_size=ready.recipe.evaluation.evaluation_batch_size)


def _encoder(model: Model, ready: Prepared) -> Callable[[list[str]], NDArray[np.float32]]:
    size = ready.recipe.evaluation.evaluation_batch_size
    return lambda texts: embed(model, tokenize(texts, ready.tokenizer), padding=ready.padding, batch_size=size)


def _fit(
    ready: Prepared, home: Path, before: Measured, tell: Listener, train_rows: Any, validation: Any
) -> tuple[Model, train.Finished]:
    """Train one model under ``home``, going on from its checkpoints; Ctrl-C and SIGTERM save first."""
    recipe, task = ready.recipe, ready.task
    model = _open(ready, to_train=True)

    def measure_validation(model: Model) -> dict[str, float]:
        scores = evaluate(model, task, validation, batch_size=recipe.evaluation.evaluation_batch_size).scores
        known = scores.get(task.loss_metric) if task.loss_metric else None
        loss = mean_loss(model, task, validation, batch_size=recipe.training.batch_size) if known is None else known
        return {"validation/loss": loss} | {f"validation/{name}": value for name, value in scores.items()}

    log = MetricsLog(home)
    try:
        with signals.Signals() as stop:
            for event in train.train(
                model,
                task,
                train_rows,
                recipe,
                home=home,
                evaluate=measure_validation if validation is not None else None,
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


def _cross_fit(run: Run, ready: Prepared, before: Measured, tell: Listener) -> Measured:
    """Return what is scored when every example is measured by a model that learned from the other folds only."""
    assert ready.corpus.folds is not None
    predictions = np.full(len(ready.corpus.test), np.nan)
    folds = int(ready.corpus.folds.max()) + 1
    for fold in range(folds):
        home = run.folder / "folds" / str(fold + 1)
        kept = home / "predictions.npy"
        if not kept.is_file():
            tell(Note(f"fold {fold + 1} of {folds}"))
            model, _ = _fit(ready, home, before, tell, *ready.fold_rows(fold))
            write_array(kept, _measure(model, ready).predictions)
            run.remove_checkpoints(home)
        held_out = ready.corpus.folds == fold
        predictions[held_out] = read_array(kept)[held_out]
    return ready.task.measure(ready.test_rows, predictions)
