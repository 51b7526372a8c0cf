"""A prepared run is carried out, from where an earlier call stopped."""

from __future__ import annotations

import hashlib
import warnings

import numpy as np

from homeground.data.corpus import splits_lines
from homeground.data.tokens.tokenized import counted
from homeground.errors import DamagedFile, HomegroundWarning
from homeground.experiment.cross_fitting import AS_READ, PREDICTIONS
from homeground.experiment.data_record import data_warnings
from homeground.experiment.estimate import least_bytes, most_bytes, workload
from homeground.experiment.label_next import label_next
from homeground.experiment.outcome import carry_out
from homeground.experiment.saving import save_adapters, save_alternatives, save_model
from homeground.experiment.scoring import example_lines, make_scores
from homeground.experiment.setup import Setup
from homeground.reports.model_card import model_card
from homeground.reports.report import write_report
from homeground.results.record import read_run
from homeground.results.run import LISTED, MADE_FROM_RUNS, SCORES_FILE, Run, open_run
from homeground.storage import (
    FILES,
    as_json,
    as_json_lines,
    now,
    require_listed,
    require_space,
    write_array,
    write_json,
    write_json_lines,
    write_text,
)
from homeground.training.events import Event, MemoryShort, Notice, OnEvent, PartBegins, Started


def resume_or_run(setup: Setup, on_event: OnEvent, *, fresh: bool = False) -> Run:
    """Carry out what was prepared, from where an earlier call stopped, and return the finished run."""
    with open_run(setup.folder, setup.identity, fresh=fresh) as run:
        if not run.finished:
            _check_space(run, setup, on_event)
            _begin(run, setup)
            _carry_out(run, setup, _noting_warnings(run, on_event))
        elif restored := _restore(run, setup):
            on_event(Notice(f"{run.folder}: missing or damaged, and written anew: {', '.join(restored)}"))
        run.remove_every_checkpoint()
        label_next(run, setup, on_event)
        return run


def _check_space(run: Run, setup: Setup, on_event: OnEvent) -> None:
    """Refuse a run that does not fit on the disk for certain, and say where it may not; one that goes on is not asked.

    Raises:
        DiskError: less is free than a snapshot and the model take.
    """
    if (run.folder / "recipe.toml").is_file():
        return
    free, most = require_space(run.folder, least_bytes(setup)), most_bytes(setup)
    if free < most:
        on_event(
            Notice(f"the run takes up to {most / 1e6:,.0f} MB on the disk, of which {free / 1e6:,.0f} MB are free")
        )


def _begin(run: Run, setup: Setup) -> None:
    """Write what is known before the first step."""
    for name, content in _known_before(run, setup).items():
        write_text(run.folder / name, content)
    run.write_record(warnings=data_warnings(setup.record))


def _known_before(run: Run, setup: Setup) -> dict[str, str]:
    """Return the files that follow from recipe and data alone."""
    return {
        "recipe.toml": setup.recipe.to_toml(run.folder),
        "data.json": as_json(setup.record.to_json()),
        "splits.jsonl": as_json_lines(splits_lines(setup.corpus)),
    }


def _restore(run: Run, setup: Setup) -> list[str]:
    """Write the files of a finished run again that are missing or damaged, where that can be; return their names.

    Raises:
        DamagedFile: one of the others is missing or damaged, or what would be written now is something else.
    """
    restored = [SCORES_FILE] if run.restore_scores() else []
    for name in LISTED:
        if name in MADE_FROM_RUNS:
            continue
        try:
            require_listed(run.folder, name)
        except DamagedFile:
            content = _known_before(run, setup).get(name, "")
            if hashlib.sha256(content.encode()).hexdigest() != run.record[FILES][name]:
                raise
            write_text(run.folder / name, content)
            restored.append(name)
    return restored


def _noting_warnings(run: Run, on_event: OnEvent) -> OnEvent:
    """Return a listener that passes events on, and writes what they warn of into the run."""

    def note(event: Event) -> None:
        texts = event.warnings if isinstance(event, Started) else ()
        texts = (event.text,) if isinstance(event, MemoryShort) else texts
        if texts:
            run.write_record(warnings=[*dict.fromkeys([*run.warnings, *texts])])
            for text in texts:
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
    save_adapters(outcome.kept.model, setup, run, on_event)
    save_alternatives(run, setup, outcome.baseline, scores, on_event)
    run.write_record(finished=now())
    write_report(run.folder)
    run.finish()
