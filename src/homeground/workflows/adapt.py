"""The story: read, check, split, measure, train, measure, compare, save, report."""

from __future__ import annotations

import warnings
from os import PathLike
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from homeground.data.corpus import splits_lines
from homeground.data.sources.in_memory import takes_tables
from homeground.data.tokenized import counted
from homeground.errors import HomegroundWarning, UsageError
from homeground.experiment.cross_fitting import AS_READ, PREDICTIONS
from homeground.experiment.data_record import data_warnings
from homeground.experiment.estimate import workload
from homeground.experiment.label_next import label_next
from homeground.experiment.outcome import carry_out
from homeground.experiment.saving import save_alternatives, save_model
from homeground.experiment.scoring import example_lines, make_scores
from homeground.experiment.setup import Setup, prepare
from homeground.recipe.files import Data
from homeground.recipe.keywords import AdaptKeywords
from homeground.recipe.recipe import Recipe, make_recipe, read_recipe
from homeground.reports.model_card import model_card
from homeground.reports.report import write_report
from homeground.results.record import read_run
from homeground.results.run import Run, open_run
from homeground.storage import now, write_array, write_json, write_json_lines, write_text
from homeground.training.events import Event, Notice, OnEvent, PartBegins, Started
from homeground.workflows.progress import reported


@takes_tables
def adapt(
    data: Data | None = None,
    /,
    *,
    fresh: bool = False,
    quiet: bool = False,
    on_event: OnEvent | None = None,
    **settings: Unpack[AdaptKeywords],  # pyright: ignore[reportGeneralTypeIssues] - ``data`` is positional only
) -> Run:
    """Adapt a checkpoint to examples, and prove whether it helped.

    ``data`` is a file, several, a folder (docs/files.md) or a recipe in TOML, or a table: a list of dicts, a pandas or
    polars DataFrame, an Arrow table or a ``datasets.Dataset``; ``validation``, ``test`` and ``general`` may be tables,
    too. ``settings`` are the fields of the recipe by name, e.g. ``checkpoint="minilm", epochs=2``; a path may be a
    ``Run``. The same call again goes on
    where the last one stopped, by Ctrl-C too, and returns a finished run as it is; ``fresh`` moves it aside and starts
    anew. Progress is shown in a terminal and in a notebook unless ``quiet``; ``on_event`` is called with what happens
    instead. What should be known of the data comes as ``HomegroundWarning``, and is in ``run.warnings``.

    Raises:
        HomegroundError: errors.py lists what can go wrong.
    """
    if isinstance(data, Run):
        raise UsageError(f"{data!r} is no data; a run goes in as the checkpoint: adapt(DATA, checkpoint=run)")
    recipe = resolve(data, **settings)
    with reported(on_event, quiet=quiet) as listener:
        setup = prepare(recipe, report=lambda text: listener(Notice(text)))
        for text in data_warnings(setup.record):
            warnings.warn(text, HomegroundWarning, stacklevel=3)  # of the caller of what takes tables
        return resume_or_run(setup, listener, fresh=fresh)


def resume_or_run(setup: Setup, on_event: OnEvent, *, fresh: bool = False) -> Run:
    """Carry out what was prepared, from where an earlier call stopped, and return the finished run."""
    with open_run(setup.folder, setup.identity, fresh=fresh) as run:
        if not run.finished:
            _begin(run, setup)
            _carry_out(run, setup, _noting_warnings(run, on_event))
        label_next(run, setup, on_event)
        return run


def resolve(data: Data | None = None, /, **settings: Any) -> Recipe:
    """Return the recipe of a data file or a TOML file overlaid by settings, another ``data`` for a recipe included."""
    source = settings.pop("data", None) if data is None else data
    if isinstance(source, str | PathLike) and Path(source).suffix.lower() == ".toml":
        return make_recipe(read_recipe(source), **settings)
    return make_recipe({}, **(settings if source is None else {"data": source, **settings}))


def _begin(run: Run, setup: Setup) -> None:
    """Write what is known before the first step."""
    write_text(run.folder / "recipe.toml", setup.recipe.to_toml(run.folder))
    write_json(run.folder / "data.json", setup.record.to_json())
    write_json_lines(run.folder / "splits.jsonl", splits_lines(setup.corpus))
    run.write_record(warnings=data_warnings(setup.record))


def _noting_warnings(run: Run, on_event: OnEvent) -> OnEvent:
    """Return a listener that passes events on, and writes what they warn of into the run."""

    def note(event: Event) -> None:
        if isinstance(event, Started) and event.warnings:
            run.write_record(warnings=[*dict.fromkeys([*run.warnings, *event.warnings])])
            for text in event.warnings:
                warnings.warn(text, HomegroundWarning, stacklevel=2)
        on_event(event)

    return note


def _carry_out(run: Run, setup: Setup, on_event: OnEvent) -> None:
    """Measure, train, measure, compare, save, report."""
    work = workload(setup, on_event)
    with counted(work.measured):
        work(PartBegins("before"))
        outcome = carry_out(run, setup, work)
        work(PartBegins("comparing"))
        scores = make_scores(run, setup, outcome)
        write_json(run.folder / "scores.json", scores.to_json())
    predictions = np.stack([outcome.before.predictions, outcome.after.predictions])
    write_array(run.folder / PREDICTIONS, predictions)
    if (left_out := outcome.left_out) is not None:
        both = np.stack([left_out.before.predictions, left_out.after.predictions])
        write_array(run.folder / AS_READ, both)
    write_json_lines(run.folder / "examples.jsonl", example_lines(setup, outcome))
    setup.training_hashes.write(run.folder)

    calibration = outcome.kept.calibration
    settings = calibration.settings() if calibration else {}
    card = model_card(read_run(run.folder))
    save_model(outcome.kept.model, setup, run.model_folder, card=card, settings=settings)
    save_alternatives(run, setup, outcome.baseline, scores, on_event)
    run.write_record(finished=now())
    write_report(run.folder)
    run.write_record(state="finished")
    run.remove_checkpoints()
