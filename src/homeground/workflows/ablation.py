"""What one part of a recipe is worth: it is trained once more without, and both are compared on the same test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from homeground.errors import DamagedFile, UsageError
from homeground.experiment.setup import prepare
from homeground.recipe.recipe import Recipe
from homeground.recipe.sections import AnnotationSettings, InspectionSettings, Section
from homeground.reports.report import write_report
from homeground.results.run import CLEANING_FILE, UNCLEANED, UNEXTENDED, VOCABULARY_FILE, Run
from homeground.storage import FILES, require_listed, write_json
from homeground.training.events import Notice, OnEvent
from homeground.workflows.common_test import compare_runs
from homeground.workflows.resume_or_run import resume_or_run


@dataclass(frozen=True)
class Ablation:
    """One part of a recipe: the setting that asks for the ablation, and what the recipe without the part has.

    ``folder`` holds the run without it and ``file`` the comparison, both in the folder of the run.
    """

    part: str
    section: str
    flag: str
    without: Mapping[str, Any]
    folder: str
    file: str


ABLATIONS = (
    Ablation("cleaning", "cleaning", "ablate_cleaning", {"clean": ("none",)}, UNCLEANED, CLEANING_FILE),
    Ablation("new tokens", "masking", "ablate_vocabulary", {"extend_vocabulary": 0}, UNEXTENDED, VOCABULARY_FILE),
)


def ablate(run: Run, recipe: Recipe, on_event: OnEvent) -> None:
    """Carry out every ablation that a recipe asks for, inside its finished run.

    Both runs begin at the same checkpoint and are tested on the same examples; each model gets its texts as it learned
    them. A difference above 0 says that the part is worth having.
    """
    for ablation in ABLATIONS:
        section: Section = getattr(recipe, ablation.section)
        if not getattr(section, ablation.flag) or _is_done(run, ablation.file):
            continue
        on_event(Notice(f"the same recipe is trained once more without {ablation.part}"))
        without = recipe.model_copy(
            update={
                "out": str(run.folder / ablation.folder),
                "inspection": InspectionSettings(audit=False),
                "annotation": AnnotationSettings(),
                "evaluation": recipe.evaluation.model_copy(update={"alternatives": False}),
                ablation.section: section.model_copy(update={**ablation.without, ablation.flag: False}),
            }
        )
        other = resume_or_run(prepare(without), on_event)
        try:
            compared = compare_runs(str(other.folder), str(run.folder))
        except UsageError as error:
            on_event(Notice(f"what {ablation.part} were worth cannot be told: {error}"))
            continue
        write_json(run.folder / ablation.file, compared)
        run.list_file(ablation.file)
        write_report(run.folder)


def _is_done(run: Run, file: str) -> bool:
    """Return whether a comparison is there as it was written; else it is made again from both runs."""
    try:
        require_listed(run.folder, file)
    except DamagedFile:
        return False
    return file in run.record.get(FILES, {})
