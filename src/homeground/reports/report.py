"""The report: the files of a run become one page, report.html.

    read_run(folder)  ->  every section of SECTIONS  ->  templates/report.html  ->  report.html, written atomically

A section is a function from the run's record to the values that its macro needs: that of its name in the template of
its module's name. A section whose part of the run is missing returns None and is left out. The page is one file
without scripts and without external resources, which its content security policy also forbids. The same files always
give the same bytes in one language.
"""

from __future__ import annotations

import base64
import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence
from html import unescape
from pathlib import Path
from typing import Any, cast

from jinja2 import Environment, PackageLoader, StrictUndefined
from jinja2.ext import Extension

from homeground import wording
from homeground.data.formats import csv_field
from homeground.languages import current_catalogue, language, translate
from homeground.languages.pages import Verbatim, translated_template
from homeground.reports.sections import (
    appendix,
    audit,
    classes,
    entities,
    exports,
    matrices,
    pairs,
    scores,
    training,
    verdict,
    words,
)
from homeground.reports.task_pages import task_page
from homeground.results.record import RunRecord, printable, read_run
from homeground.storage import write_text

SECTIONS: tuple[Callable[[RunRecord], dict[str, Any] | None], ...] = (
    scores.chain,
    verdict.verdict,
    scores.scores,
    scores.seeds,
    scores.cleaning,
    scores.vocabulary,
    scores.general,
    scores.merging,
    matrices.heat_maps,
    words.blanks,
    words.improved_words,
    matrices.confusion,
    classes.per_class,
    classes.reliability,
    classes.predictions,
    entities.entity_errors,
    entities.entity_texts,
    training.curves,
    training.trials,
    training.learning_curve,
    pairs.distributions,
    pairs.examples,
    exports.exports,
    audit.audit,
    appendix.data,
    appendix.settings,
    appendix.reading,
)
"""The sections in the order of the page."""


FILTERS = (
    wording.number, wording.signed, wording.interval, wording.count, wording.setting, wording.percent,
    wording.probability, wording.duration, wording.size, wording.shorten, wording.row_numbers, wording.sentence,
)  # fmt: skip
"""The filters with which templates write numbers."""


def write_report(folder: Path) -> Path:
    """Write report.html into a run folder from the files in it, and return its path.

    Raises:
        DataError: the folder holds no scores, or one of its files cannot be read.
        DiskError: the report could not be written; an earlier one is untouched.
    """
    path = folder / "report.html"
    write_text(path, render(read_run(folder)))
    return path


HTML_LANGUAGES = {"en": "en", "zh": "zh-Hans"}
"""The language of a page, by that of its messages."""

HEADING = re.compile(r'<h2 id="([^"]+)">(.+?)</h2>')
"""A heading of a section, which the contents list."""

MOST_BYTES_TO_DOWNLOAD = 1_500_000
"""Bytes of examples that the page carries, before they are written as base64; the rest is in examples.jsonl."""


def render(record: RunRecord) -> str:
    """Return the report of a run as HTML."""
    templates, page = environment(), task_page(record)
    rendered: list[str] = []
    for section in SECTIONS:
        if (values := section(record)) is not None:
            template = templates.get_template(f"{section.__module__.rpartition('.')[2]}.html")
            rendered.append(getattr(template.module, section.__name__)(values, record, page))
    # A chain's own verdict comes first, before that of its last step.
    first = 1 if record.chain is None else 2
    return templates.get_template("report.html").render(
        record=record,
        masthead=verdict.masthead(record),
        first=rendered[:first],
        rest=rendered[first:],
        contents=[(name, unescape(title)) for part in rendered[first:] for name, title in HEADING.findall(part)],
        download=_download(record),
    )


def _download(record: RunRecord) -> dict[str, Any] | None:
    """Return the test examples as CSV in a data link, as many as fit, or None where the run kept none."""
    lines = [_flat(line) for line in record.examples]
    if not lines:
        return None
    text = io.StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(name for line in lines for name in line)), restval="")
    writer.writeheader()
    # With a byte order mark, spreadsheets read the file as UTF-8.
    content, rows = bytearray(text.getvalue().encode("utf-8-sig")), 0
    for line in lines:
        text.seek(0)
        text.truncate()
        writer.writerow(line)
        row = text.getvalue().encode("utf-8")
        if len(content) + len(row) > MOST_BYTES_TO_DOWNLOAD:
            break
        content += row
        rows += 1
    if not rows:
        return None
    encoded = base64.b64encode(content).decode("ascii")
    return {"link": f"data:text/csv;charset=utf-8;base64,{encoded}", "rows": rows, "left": len(lines) - rows}


def _flat(line: Mapping[str, Any]) -> dict[str, Any]:
    """Return a line of examples.jsonl as one row: ``{"after": {"label": "x"}}`` becomes ``{"after_label": "x"}``.

    A text that a spreadsheet would run as a formula gets an apostrophe before it.
    """
    row: dict[str, Any] = {}
    for name, value in line.items():
        if isinstance(value, Mapping):
            row |= {f"{name}_{part}": inner for part, inner in _flat(cast(Mapping[str, Any], value)).items()}
        else:
            row[f"{csv_field(name)}"] = csv_field(value)
    return row


def write_heat_map_report(
    titles: Sequence[str], similarities: Sequence[Sequence[float]], *, checkpoint_name: str, path: Path
) -> Path:
    """Write the similarities that a checkpoint gives a few titles, as one page, and return its path.

    ``similarities`` has shape (titles, titles) with values from 0 to 1.

    Raises:
        DataError: the similarities do not fit the titles, or there are fewer than two.
        DiskError: the page could not be written.
    """
    context = matrices.heat_map([printable(title) for title in titles], similarities)
    template = environment().get_template("checkpoint.html")
    write_text(path, template.render(checkpoint=printable(checkpoint_name), heat_map=context))
    return path


def environment() -> Environment:
    """Return the templates with their filters."""
    made = Environment(
        loader=PackageLoader("homeground.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=[TranslatedTemplates],
        finalize=_shown,
    )
    filters: dict[str, Any] = {write.__name__: write for write in FILTERS}
    made.filters.update(filters, verbatim=Verbatim)
    shared: dict[str, Any] = {"language": HTML_LANGUAGES[language()]}
    made.globals.update(shared)
    return made


class TranslatedTemplates(Extension):
    """Templates in the language in use: translated as they are loaded, and the texts that are put into them."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        """Return the source of a template with its messages translated."""
        known = current_catalogue()
        return source if known is None else translated_template(source, known.messages.get)


def _shown(value: Any) -> Any:
    """Return a value as it is put into a page: a message translated, a name or a finished part as it is."""
    # What has passed the escaping, such as a finished part of the page, says so by this method.
    if not isinstance(value, str) or isinstance(value, Verbatim) or hasattr(value, "__html__"):
        return value
    return translate(value)
