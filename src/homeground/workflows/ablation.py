"""What cleaning is worth: the same recipe is trained once more without it, and both are compared on the same test."""

from __future__ import annotations

from homeground.experiment.setup import prepare
from homeground.recipe.recipe import Recipe
from homeground.recipe.sections import AnnotationSettings, CleaningSettings, InspectionSettings
from homeground.reports.report import write_report
from homeground.results.run import CLEANING_FILE, UNCLEANED, Run
from homeground.storage import write_json
from homeground.training.events import Notice, OnEvent
from homeground.workflows.common_test import compare_runs
from homeground.workflows.resume_or_run import resume_or_run


def ablate_cleaning(run: Run, recipe: Recipe, on_event: OnEvent) -> None:
    """Carry out a run without cleaning inside a finished run, and write the paired difference to cleaning.json.

    Both begin at the same checkpoint and are tested on the same examples; each model gets its texts as it learned them.
    A difference above 0 says that cleaning is better.
    """
    if (run.folder / CLEANING_FILE).is_file():
        return
    on_event(Notice("the same recipe is trained once more without cleaning"))
    without = recipe.model_copy(
        update={
            "out": str(run.folder / UNCLEANED),
            "cleaning": CleaningSettings(clean=("none",)),
            "inspection": InspectionSettings(audit=False),
            "annotation": AnnotationSettings(),
            "evaluation": recipe.evaluation.model_copy(update={"alternatives": False}),
        }
    )
    uncleaned = resume_or_run(prepare(without), on_event)
    write_json(run.folder / CLEANING_FILE, compare_runs(str(uncleaned.folder), str(run.folder)))
    write_report(run.folder)
