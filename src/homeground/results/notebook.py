"""A run as a notebook shows it: the verdict, the scores before and after, and where the report is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from homeground.wording import count, number, signed

COLOURS = {"HELPED": "#1a7f37", "HURT": "#b3261e"}
"""The colour of a verdict; any other is grey."""

GREY = "#57606a"

STYLE = (
    "font-family:system-ui,sans-serif;line-height:1.45;max-width:46em;border:1px solid #d0d7de;border-radius:6px;"
    "padding:0.8em 1em;color:#1f2328;background:#fff"
)
CELL = "text-align:right;padding:0.15em 0 0.15em 1.5em;font-variant-numeric:tabular-nums;white-space:nowrap"


def run_html(title: str, facts: Mapping[str, Any], metrics: Mapping[str, Mapping[str, Any]], report: str | None) -> str:
    """Return a run as HTML that needs nothing else; ``facts`` and ``metrics`` are those of ``Run``."""
    word = str(facts["verdict"])
    lines = [
        f'<div style="{STYLE}">',
        f'<div><span style="background:{COLOURS.get(word, GREY)};color:#fff;border-radius:4px;padding:0.1em 0.6em;'
        f'font-weight:600">{escape(word)}</span> <code style="background:none;color:inherit">{escape(title)}</code>'
        "</div>",
        f'<p style="margin:0.6em 0" dir="auto">{escape(str(facts["sentence"]).removeprefix(f"{word}: "))}</p>',
        *_table(metrics),
    ]
    general = facts.get("general")
    if general:
        lines.append(f'<p style="margin:0.6em 0" dir="auto">General ability {escape(str(general))}</p>')
    warnings: Sequence[str] = facts.get("warnings") or []
    if warnings:
        items = "".join(f'<li dir="auto">{escape(text)}</li>' for text in warnings)
        lines.append(f"<details><summary>{count(len(warnings), 'warning')}</summary><ul>{items}</ul></details>")
    if report:
        lines.append(f'<div><a href="{escape(report)}" target="_blank">report.html</a></div>')
    return "\n".join([*lines, "</div>"])


def _table(metrics: Mapping[str, Mapping[str, Any]]) -> list[str]:
    head = "".join(f'<th style="{CELL}">{name}</th>' for name in ("before", "after", "difference", "95% interval"))
    lines = [f'<table style="border-collapse:collapse;margin:0.4em 0;color:inherit"><tr><th></th>{head}</tr>']
    for name, values in metrics.items():
        low, high = values["low"], values["high"]
        ends = "" if low is None or high is None else f"{signed(low)} to {signed(high)}"
        cells = (number(values["before"]), number(values["after"]), signed(values["difference"]), ends)
        row = "".join(f'<td style="{CELL}">{cell}</td>' for cell in cells)
        lines.append(f'<tr><td style="text-align:left">{escape(name)}</td>{row}</tr>')
    return [*lines, "</table>"]
