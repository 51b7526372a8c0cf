"""The story: the files of a run become one page, report.html.

    read_run(folder)  ->  every section of SECTIONS  ->  templates/report.html  ->  report.html, written atomically

The page is one file without scripts and without anything to be fetched; its content security policy says so to the
browser, too. The same files always give the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from homeground.reports.sections.blanks import blanks
from homeground.reports.sections.chain import chain
from homeground.reports.sections.confusion import confusion
from homeground.reports.sections.curves import curves
from homeground.reports.sections.data import data
from homeground.reports.sections.distributions import distributions
from homeground.reports.sections.examples import examples
from homeground.reports.sections.general import general
from homeground.reports.sections.heat_maps import heat_map, heat_maps
from homeground.reports.sections.improved_words import improved_words
from homeground.reports.sections.learning_curve import learning_curve
from homeground.reports.sections.merging import merging
from homeground.reports.sections.per_class import per_class
from homeground.reports.sections.predictions import predictions
from homeground.reports.sections.reading import reading
from homeground.reports.sections.reliability import reliability
from homeground.reports.sections.scores import scores
from homeground.reports.sections.seeds import seeds
from homeground.reports.sections.settings import settings
from homeground.reports.sections.tried import tried
from homeground.reports.sections.verdict import verdict
from homeground.results.record import RunRecord, printable, read_run
from homeground.storage import write_text

SECTIONS: dict[str, Callable[[RunRecord], dict[str, Any] | None]] = {
    "verdict": verdict,
    "chain": chain,
    "scores": scores,
    "seeds": seeds,
    "general": general,
    "merging": merging,
    "heat_maps": heat_maps,
    "blanks": blanks,
    "improved_words": improved_words,
    "per_class": per_class,
    "confusion": confusion,
    "reliability": reliability,
    "predictions": predictions,
    "curves": curves,
    "tried": tried,
    "learning_curve": learning_curve,
    "distributions": distributions,
    "examples": examples,
    "data": data,
    "settings": settings,
    "reading": reading,
}
"""The sections in the order of the page; each has a template of its own name."""


def write_report(folder: Path) -> Path:
    """Write report.html into a run folder from the files in it, and return its path.

    Raises:
        DataError: the folder holds no scores, or one of its files cannot be understood.
        DiskError: the report could not be written; an earlier one is untouched.
    """
    path = folder / "report.html"
    write_text(path, render(read_run(folder)))
    return path


def render(record: RunRecord) -> str:
    """Return the report of a run as HTML."""
    sections = {name: section(record) for name, section in SECTIONS.items()}
    return _environment().get_template("report.html").render(record=record, sections=sections)


def write_heat_map_report(
    titles: Sequence[str], similarities: Sequence[Sequence[float]], *, checkpoint_name: str, path: Path
) -> Path:
    """Write how similar a checkpoint finds a few titles, as one page, and return its path.

    ``similarities`` has shape (titles, titles) with values from 0 to 1.

    Raises:
        DataError: the similarities do not fit the titles, or there are fewer than two.
        DiskError: the page could not be written.
    """
    context = heat_map([printable(title) for title in titles], similarities)
    template = _environment().get_template("checkpoint.html")
    write_text(path, template.render(checkpoint=printable(checkpoint_name), heat_map=context))
    return path


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("homeground.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
