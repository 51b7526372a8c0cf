"""What ``homeground inspect`` found, as lines of a terminal and as a page of its own."""

from __future__ import annotations

from pathlib import Path

from homeground.languages import translate
from homeground.reports.report import environment
from homeground.reports.sections.audit import audit_values
from homeground.results.audit import InspectionRecord
from homeground.results.record import printable, printable_values
from homeground.storage import write_text
from homeground.wording import count, display_width, duration, number, row_numbers

MAX_PIECES_SHOWN = 5

WIDTH_OF_SEVERITY = 7
"""Columns of the word before a finding."""


def write_inspection(inspection: InspectionRecord, path: Path) -> None:
    """Write the page of an inspection.

    Raises:
        DiskError: it could not be written.
    """
    template = environment().get_template("inspection.html")
    inspection = InspectionRecord.model_validate(printable_values(inspection.to_json()))
    name = printable(Path(inspection.data).name or inspection.data)
    write_text(
        path,
        template.render(
            name=name, inspection=inspection, section=audit_values(inspection.audit, place="homeground inspect --json")
        ),
    )


def inspection_lines(inspection: InspectionRecord) -> list[str]:
    """Return what was found as lines: the findings, what to do, and which checkpoints to compare."""
    audit = inspection.audit
    sizes = ", ".join(f"{size:,} {split}".removesuffix(" data") for split, size in inspection.splits.items())
    units = f"; {count(inspection.test_units, 'independent test unit')}" if inspection.test_units else ""
    lines = [f"{sizes} examples{units}"]
    lines += [
        f"{count(each.count, 'row')} skipped for {each.reason} "
        f"({row_numbers(each.rows, each.count, most=MAX_PIECES_SHOWN)})"
        for each in inspection.set_aside
    ]
    lines += [*inspection.notes, ""]
    for finding in audit.findings:
        severity = translate(finding.severity.upper())
        indent = " " * (WIDTH_OF_SEVERITY + 2)
        lines.append(f"{severity}{indent[display_width(severity) :]}{translate(finding.sentence)}")
        lines += [f"{indent}-> {translate(finding.advice)}"] if finding.advice else []
    if not audit.findings:
        lines.append("nothing was found that would mislead a model or its test")
    lines += ["", *audit.advice]
    if inspection.minutes is not None:
        lines.append(f"Adapting {inspection.checkpoint} takes about {duration(inspection.minutes * 60)} here.")
    lines += _lengths(inspection)
    if inspection.proposals:
        lines += ["", "Checkpoints to compare (homeground compare --checkpoints A B DATA):"]
        lines += [
            f"  {each.name}, {number(each.millions, 0)} M: {translate(each.why)}" for each in inspection.proposals
        ]
    else:
        lines.append("No checkpoint is proposed: the texts are too short to tell their language.")
    return lines


def _lengths(inspection: InspectionRecord) -> list[str]:
    if any(each.unit == "tokens" for each in inspection.audit.lengths):
        return []
    return ["Tokens were not counted: add --checkpoint NAME to see what its tokenizer makes of the texts."]
